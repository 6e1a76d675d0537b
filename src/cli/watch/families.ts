/** The service as metrics. */
import {
  checkFamilies,
  counter,
  gauge,
  histogram,
  type MetricDefinition,
  updateFamilies,
  WATCH_METRICS,
} from "../../export/prometheus/fleet-metrics.js";
import type { MetricFamily } from "../../export/prometheus/metric-family.js";
import { isFiring } from "./intake/alerts.js";
import { ANALYSIS_BOUNDS, type WatchService } from "./service.js";

export function serviceFamilies(service: WatchService, version: string): readonly MetricFamily[] {
  const { counters, intake, gates, alerts, scannedAtMs, startedAtMs } = service;
  const m = WATCH_METRICS;
  const byLabel = (definition: MetricDefinition, values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([name, value]) => ({ labels: { [definition.labels[0] ?? ""]: name }, value }));
  const waiting = {
    changing: intake.count("changing"),
    queued: intake.count("ready"),
    running: intake.count("running"),
    analysed: service.pending,
  };
  const cohorts = gates.map(({ key, document }) => ({
    key,
    updates: document.cohort.updates,
    checks: document.checks,
  }));
  return [
    ...updateFamilies(service.tally.cohorts(), version),
    ...checkFamilies(cohorts, alerts.filter(isFiring).length),
    counter(m.captures, byLabel(m.captures, counters.captures)),
    gauge(m.waiting, byLabel(m.waiting, waiting)),
    counter(m.killed, byLabel(m.killed, counters.killed)),
    histogram(m.analysis, [
      {
        labels: {},
        bounds: ANALYSIS_BOUNDS,
        counts: counters.analysis.counts,
        sum: counters.analysis.sum,
        count: counters.analysis.count,
        native: null,
      },
    ]),
    gauge(m.scanned, scannedAtMs === null ? [] : [{ labels: {}, value: scannedAtMs / 1e3 }]),
    counter(m.webhooks, byLabel(m.webhooks, counters.webhooks)),
    gauge(m.memory, [{ labels: {}, value: process.memoryUsage.rss() }]),
    gauge(m.started, [{ labels: {}, value: startedAtMs / 1e3 }]),
  ];
}
