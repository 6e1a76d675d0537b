/**
 * The metrics of a fleet: every name, type and label (docs/watch.md lists them), and the families of the tallies. Rules
 * and dashboards take their names from this table alone.
 */

import { type Metric, metricName } from "../../analyze/cohort/metrics.js";
import type { FleetCohort } from "../../analyze/fleet/fleet-cohort.js";
import { NATIVE_SCHEMA } from "../../analyze/fleet/native-histogram.js";
import { type CohortTally, type HistogramTally, selectorText } from "../../analyze/fleet/tally.js";
import type { Check, CheckStatus } from "../../model/documents/cohort.js";
import { PHASES } from "../../model/live-update.js";
import type { HistogramPoint, Labels, MetricFamily, NumberPoint } from "./metric-family.js";

export interface MetricDefinition {
  /** Without the suffix that a type adds. */
  readonly name: string;
  readonly type: MetricFamily["type"];
  readonly help: string;
  /** Besides those that a scraper adds (job, instance). */
  readonly labels: readonly string[];
}

/** What may be counted together: docs/watch.md, "Cohorts". */
export const COHORT_LABELS = ["probe_level", "workload", "basis"] as const;
const GROUP_LABELS = ["probe_level", "workload"] as const;

const define = (
  type: MetricDefinition["type"],
  name: string,
  labels: readonly string[],
  help: string,
): MetricDefinition => ({ name, type, help, labels });

/** Metrics of the updates: `blackout metrics` writes them, and `blackout watch` serves them. */
export const UPDATE_METRICS = {
  updates: define("counter", "blackout_updates", [...GROUP_LABELS, "outcome"], "Live updates, by outcome"),
  defects: define(
    "counter",
    "blackout_defects",
    [...GROUP_LABELS, "severity"],
    "Records of captures that could not be decoded or are missing",
  ),
  complaints: define(
    "counter",
    "blackout_complaints",
    [...GROUP_LABELS, "class", "severity"],
    "What both kernels of live updates complained about in their logs",
  ),
  duration: define("histogram", "blackout_duration_seconds", COHORT_LABELS, "Blackouts of completed live updates"),
  phaseDuration: define(
    "histogram",
    "blackout_phase_duration_seconds",
    [...COHORT_LABELS, "phase"],
    "Phases of completed live updates",
  ),
  vmDuration: define(
    "histogram",
    "blackout_slowest_vm_duration_seconds",
    COHORT_LABELS,
    "For each completed live update, the VM that stood still longest",
  ),
  causesDuration: define(
    "histogram",
    "blackout_causes_duration_seconds",
    [...COHORT_LABELS, "causes"],
    "Time of each blackout in the causes that the budget limits",
  ),
  firstUpdate: define(
    "gauge",
    "blackout_cohort_first_update_timestamp_seconds",
    COHORT_LABELS,
    "When the earliest update counted here was made",
  ),
  lastUpdate: define(
    "gauge",
    "blackout_last_update_timestamp_seconds",
    COHORT_LABELS,
    "When the latest update counted here was made",
  ),
  lastDuration: define("gauge", "blackout_last_duration_seconds", COHORT_LABELS, "Blackout of the latest update"),
  lastUncertainty: define(
    "gauge",
    "blackout_last_uncertainty_seconds",
    COHORT_LABELS,
    "Uncertainty of the latest update's blackout, to either side",
  ),
  lastPhaseDuration: define(
    "gauge",
    "blackout_last_phase_duration_seconds",
    [...COHORT_LABELS, "phase"],
    "Phases of the latest update",
  ),
  lastDefects: define(
    "gauge",
    "blackout_last_defects",
    [...COHORT_LABELS, "severity"],
    "Records of the latest update's capture that could not be decoded or are missing",
  ),
  lastCompleted: define("gauge", "blackout_last_completed", COHORT_LABELS, "1 if the latest update completed, else 0"),
  build: define("gauge", "blackout_build_info", ["version"], "1; its label says which blackout wrote this"),
} as const;

/** Of the budget's checks over the window: `blackout watch --budget` alone. */
export const CHECK_METRICS = {
  status: define(
    "gauge",
    "blackout_check_status",
    [...COHORT_LABELS, "check", "status"],
    "1 for the status that a check of the budget has over the window, 0 for the others",
  ),
  limit: define("gauge", "blackout_check_limit_seconds", [...COHORT_LABELS, "check"], "What the budget allows"),
  observed: define(
    "gauge",
    "blackout_check_observed_seconds",
    [...COHORT_LABELS, "check"],
    "The sample's own value over the window; of a regression the shift",
  ),
  window: define("gauge", "blackout_window_updates", COHORT_LABELS, "Updates in the window that checks look at"),
  firing: define("gauge", "blackout_alerts_firing", [], "Alerts that are raised and not resolved"),
} as const;

/** Of the service. */
export const WATCH_METRICS = {
  captures: define("counter", "blackout_captures", ["result"], "Captures taken in or refused since the start"),
  waiting: define("gauge", "blackout_captures_waiting", ["state"], "Captures that are not taken in yet"),
  killed: define("counter", "blackout_workers_killed", ["reason"], "Workers that exceeded a capture's limits"),
  analysis: define(
    "histogram",
    "blackout_analysis_duration_seconds",
    [],
    "How long captures took to analyse, since the start",
  ),
  scanned: define(
    "gauge",
    "blackout_last_scan_timestamp_seconds",
    [],
    "When the watched folder was last looked through",
  ),
  webhooks: define("counter", "blackout_webhooks", ["result"], "Notifications of alerts since the start"),
  memory: define("gauge", "process_resident_memory_bytes", [], "Resident memory of the service without its workers"),
  started: define("gauge", "process_start_time_seconds", [], "When the service started"),
} as const;

export const ALL_METRICS: readonly MetricDefinition[] = [UPDATE_METRICS, CHECK_METRICS, WATCH_METRICS].flatMap(
  (table): readonly MetricDefinition[] => Object.values(table),
);

/** Names as in a query: a counter's with `_total`, a histogram's with each of its suffixes. */
export function sampleNames({ name, type }: MetricDefinition): readonly string[] {
  switch (type) {
    case "counter":
      return [`${name}_total`];
    case "gauge":
      return [name];
    case "histogram":
      return [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  }
}

export function labelsOfKey({ probeLevel, workload, basis }: FleetCohort): Labels {
  return { probe_level: probeLevel, workload, basis };
}

/** The histogram that a metric of a budget is read from, and the labels that select it. */
export function histogramOf(metric: Metric): { readonly definition: MetricDefinition; readonly labels: Labels } {
  switch (metric.kind) {
    case "blackout":
      return { definition: UPDATE_METRICS.duration, labels: {} };
    case "vm-blackout":
      return { definition: UPDATE_METRICS.vmDuration, labels: {} };
    case "phase":
      return { definition: UPDATE_METRICS.phaseDuration, labels: { phase: metric.phase } };
    case "phase-work":
      return { definition: UPDATE_METRICS.phaseDuration, labels: { phase: metricName(metric) } };
    case "cause":
      return { definition: UPDATE_METRICS.causesDuration, labels: { causes: `${metric.cause}:${metric.id}` } };
    case "causes":
      return { definition: UPDATE_METRICS.causesDuration, labels: { causes: selectorText(metric.selector) } };
  }
}

export function gauge(definition: MetricDefinition, points: readonly NumberPoint[]): MetricFamily {
  return { name: definition.name, help: definition.help, type: "gauge", points };
}

export function counter(definition: MetricDefinition, points: readonly NumberPoint[]): MetricFamily {
  return { name: definition.name, help: definition.help, type: "counter", points };
}

export function histogram(definition: MetricDefinition, points: readonly HistogramPoint[]): MetricFamily {
  return { name: definition.name, help: definition.help, type: "histogram", points };
}

const seconds = (ns: number): number => ns / 1e9;

function histogramPoint(tally: HistogramTally, labels: Labels): HistogramPoint {
  return {
    labels,
    bounds: tally.boundsNs.map(seconds),
    counts: tally.counts,
    sum: seconds(tally.sumNs),
    count: tally.count,
    native: { schema: NATIVE_SCHEMA, zeros: tally.zeros, buckets: tally.native },
  };
}

/** The families of UPDATE_METRICS. */
export function updateFamilies(cohorts: readonly CohortTally[], version: string): readonly MetricFamily[] {
  const histogramsIn = (definition: MetricDefinition): MetricFamily =>
    histogram(
      definition,
      cohorts.flatMap((cohort) =>
        cohort.histograms
          // A cohort without a known blackout has no value: its histograms would be zeros forever.
          .filter(({ metric, count }) => count > 0 && histogramOf(metric).definition === definition)
          .map((tally) => histogramPoint(tally, { ...labelsOfKey(cohort.key), ...histogramOf(tally.metric).labels })),
      ),
    );
  const lastGauge = (definition: MetricDefinition, valuesOf: (cohort: CohortTally) => readonly NumberPoint[]) =>
    gauge(
      definition,
      cohorts.flatMap((cohort) =>
        valuesOf(cohort).map(({ labels, value }) => ({ labels: { ...labelsOfKey(cohort.key), ...labels }, value })),
      ),
    );
  const one = (value: number | null | undefined): readonly NumberPoint[] =>
    value === null || value === undefined ? [] : [{ labels: {}, value }];
  const nsOf = (ns: number | null | undefined) => one(ns === null || ns === undefined ? null : seconds(ns));
  const msOf = (ms: number | null | undefined) => one(ms === null || ms === undefined ? null : ms / 1e3);
  const m = UPDATE_METRICS;
  return [
    gauge(m.build, [{ labels: { version }, value: 1 }]),
    counter(
      m.updates,
      grouped(cohorts, "outcome", (cohort) => cohort.outcomes),
    ),
    counter(
      m.defects,
      grouped(cohorts, "severity", (cohort) => cohort.defects),
    ),
    counter(
      m.complaints,
      grouped(cohorts, "complaint", (cohort) => Object.fromEntries(cohort.complaints)).map(({ labels, value }) => {
        const { complaint = "", ...rest } = labels;
        const [name = "", severity = ""] = complaint.split(" ");
        return { labels: { ...rest, class: name, severity }, value };
      }),
    ),
    histogramsIn(m.duration),
    histogramsIn(m.phaseDuration),
    histogramsIn(m.vmDuration),
    histogramsIn(m.causesDuration),
    lastGauge(m.firstUpdate, (cohort) => msOf(cohort.firstAtMs)),
    lastGauge(m.lastUpdate, (cohort) => msOf(cohort.last?.atMs)),
    lastGauge(m.lastCompleted, ({ last }) => one(last === null ? null : Number(last.sample.outcome === "completed"))),
    lastGauge(m.lastDuration, ({ last }) => nsOf(last?.sample.blackout.durationNs)),
    lastGauge(m.lastUncertainty, ({ last }) => nsOf(last?.sample.blackout.uncertaintyNs)),
    lastGauge(m.lastPhaseDuration, ({ last }) =>
      PHASES.flatMap((phase) => nsOf(last?.sample.phases[phase]).map(({ value }) => ({ labels: { phase }, value }))),
    ),
    lastGauge(m.lastDefects, ({ last }) =>
      Object.entries(last?.sample.defects ?? {}).map(([severity, value]) => ({ labels: { severity }, value })),
    ),
  ];
}

/** Summed over the bases of the blackout: an update that did not complete has no basis. */
function grouped(
  cohorts: readonly CohortTally[],
  label: string,
  countsOf: (cohort: CohortTally) => Readonly<Record<string, number>>,
): readonly NumberPoint[] {
  const points = new Map<string, { labels: Labels; value: number }>();
  for (const cohort of cohorts) {
    const { probeLevel, workload } = cohort.key;
    for (const [name, count] of Object.entries(countsOf(cohort))) {
      const id = JSON.stringify([probeLevel, workload, name]);
      const known = points.get(id);
      if (known !== undefined) known.value += count;
      else points.set(id, { labels: { probe_level: probeLevel, workload, [label]: name }, value: count });
    }
  }
  return [...points.values()];
}

/** The results of the budget's checks for one cohort's window. */
export interface CohortChecks {
  readonly key: FleetCohort;
  /** In the window, whatever their outcome. */
  readonly updates: number;
  readonly checks: readonly Pick<Check, "name" | "status" | "limitNs" | "observedNs">[];
}

const STATUSES: readonly CheckStatus[] = ["passed", "failed", "undecided", "skipped"];

/** The families of CHECK_METRICS. */
export function checkFamilies(cohorts: readonly CohortChecks[], firing: number): readonly MetricFamily[] {
  const each = (pointsOf: (check: CohortChecks["checks"][number], labels: Labels) => readonly NumberPoint[]) =>
    cohorts.flatMap(({ key, checks }) =>
      checks.flatMap((check) => pointsOf(check, { ...labelsOfKey(key), check: check.name })),
    );
  const valueIn = (labels: Labels, ns: number | null): readonly NumberPoint[] =>
    ns === null ? [] : [{ labels, value: seconds(ns) }];
  const m = CHECK_METRICS;
  return [
    gauge(
      m.status,
      each((check, labels) =>
        STATUSES.map((status) => ({ labels: { ...labels, status }, value: Number(check.status === status) })),
      ),
    ),
    gauge(
      m.limit,
      each(({ limitNs }, labels) => valueIn(labels, limitNs)),
    ),
    gauge(
      m.observed,
      each(({ observedNs }, labels) => valueIn(labels, observedNs)),
    ),
    gauge(
      m.window,
      cohorts.map(({ key, updates }) => ({ labels: labelsOfKey(key), value: updates })),
    ),
    gauge(m.firing, [{ labels: {}, value: firing }]),
  ];
}
