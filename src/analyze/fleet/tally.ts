/**
 * What a fleet's updates add up to, cohort by cohort: counters and histograms that only grow, and the latest update.
 * Metrics are a projection of it. Equal updates in any order give equal counts, so that it can be made again from an
 * archive after a restart. Memory is bounded by the number of cohorts, not of updates.
 */
import type { Duration } from "../../base/time.js";
import { OUTCOMES, type Outcome, PHASES } from "../../model/live-update.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { isMeasured } from "../cohort/cohort.js";
import { type CauseSelector, type Metric, valuesOfUpdate } from "../cohort/metrics.js";
import { cohortId, type FleetCohort, fleetCohortOf } from "./fleet-cohort.js";
import { nativeBucket } from "./native-histogram.js";

/** 1, 2.5 and 5 of each decade, from 1 ms to 1,000 s. */
const DEFAULT_BOUNDS_NS: readonly Duration[] = [1e6, 1e7, 1e8, 1e9, 1e10, 1e11]
  .flatMap((decade) => [decade, 2.5 * decade, 5 * decade])
  .concat([1e12]);

/** More cohorts than these are counted together, as `other`: labels come from captures. */
export const MOST_COHORTS = 200;

export interface HistogramTally {
  readonly metric: Metric;
  /** Nanoseconds, ascending; a bucket holds what is at most its bound. */
  readonly boundsNs: readonly Duration[];
  /** Of each bucket alone, and last of what is above all bounds. */
  readonly counts: readonly number[];
  readonly sumNs: number;
  readonly count: number;
  /** Buckets of the exponential histogram of the same values in seconds, by index; and values of zero. */
  readonly native: ReadonlyMap<number, number>;
  readonly zeros: number;
}

export interface LastUpdate {
  readonly sample: UpdateSample;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

export interface CohortTally {
  readonly key: FleetCohort;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly defects: Readonly<Record<"error" | "warning" | "note", number>>;
  /** Complaints of both kernels by `CLASS SEVERITY`, of updates of every outcome. */
  readonly complaints: ReadonlyMap<string, number>;
  /** Of completed updates whose blackout is known; in the order of `tallied`. */
  readonly histograms: readonly HistogramTally[];
  /** The times of its earliest and latest updates; null if none has a time. */
  readonly firstAtMs: number | null;
  readonly last: LastUpdate | null;
}

/** Limits whose bound a bucket must end at, so that what is above them is counted exactly. */
export interface TalliedLimit {
  readonly metric: Metric;
  readonly atMostNs: Duration;
}

/** A metric that is counted, with its histogram's bounds. */
export interface Counted {
  readonly metric: Metric;
  readonly boundsNs: readonly Duration[];
}

/** Values of a metric that fall in one bucket, and in one of the exponential histogram. */
export interface EqualValues {
  /** Where the metric stands in `counted`. */
  readonly metric: number;
  /** One of them. */
  readonly ns: Duration;
  readonly count: number;
  readonly sumNs: number;
}

/** Updates of one cohort that somebody has added up; the values are of those that are measured (`isMeasured`). */
export interface CountedUpdates
  extends Pick<CohortTally, "outcomes" | "defects" | "complaints" | "firstAtMs" | "last"> {
  readonly values: readonly EqualValues[];
}

class MutableHistogram implements HistogramTally {
  readonly metric: Metric;
  readonly boundsNs: readonly Duration[];
  readonly counts: number[];
  readonly native = new Map<number, number>();
  sumNs = 0;
  count = 0;
  zeros = 0;

  constructor({ metric, boundsNs }: Counted) {
    this.metric = metric;
    this.boundsNs = boundsNs;
    this.counts = new Array(boundsNs.length + 1).fill(0);
  }

  add(ns: Duration, count: number, sumNs: number): void {
    const bucket = bucketOf(ns, this.boundsNs);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
    this.sumNs += sumNs;
    this.count += count;
    const index = nativeBucketOf(ns);
    if (index === null) this.zeros += count;
    else this.native.set(index, (this.native.get(index) ?? 0) + count);
  }
}

/** The bucket of a value; the bounds' number if it is above all. */
export function bucketOf(ns: Duration, boundsNs: readonly Duration[]): number {
  const at = boundsNs.findIndex((bound) => ns <= bound);
  return at < 0 ? boundsNs.length : at;
}

/** The bucket of the exponential histogram; null: of zeros. */
export function nativeBucketOf(ns: Duration): number | null {
  return ns <= 0 ? null : nativeBucket(ns / 1e9);
}

interface MutableCohort extends CohortTally {
  readonly outcomes: Record<Outcome, number>;
  readonly defects: Record<"error" | "warning" | "note", number>;
  readonly complaints: Map<string, number>;
  readonly histograms: readonly MutableHistogram[];
  firstAtMs: number | null;
  last: LastUpdate | null;
}

export class FleetTally {
  readonly #counted: readonly Counted[];
  readonly #cohorts = new Map<string, MutableCohort>();

  /** Blackout, slowest VM and phases are always counted; causes if a limit names them. */
  constructor(limits: readonly TalliedLimit[] = []) {
    const metrics = new Map<string, Metric>();
    for (const metric of [...STANDARD_METRICS, ...limits.map((limit) => limit.metric)]) {
      metrics.set(tallyName(metric), metrics.get(tallyName(metric)) ?? metric);
    }
    this.#counted = [...metrics.values()].map((metric) => {
      const own = limits.filter((limit) => tallyName(limit.metric) === tallyName(metric));
      const boundsNs = new Set([...DEFAULT_BOUNDS_NS, ...own.map(({ atMostNs }) => atMostNs)]);
      return { metric, boundsNs: [...boundsNs].sort((a, b) => a - b) };
    });
  }

  /** `atMs`: when the update was made, in milliseconds since 1970; null if that is not known. */
  add(sample: UpdateSample, atMs: number | null): void {
    const cohort = this.#cohortOf(fleetCohortOf(sample));
    cohort.outcomes[sample.outcome] += 1;
    for (const severity of ["error", "warning", "note"] as const) cohort.defects[severity] += sample.defects[severity];
    countComplaints(cohort.complaints, sample.health, 1);
    if (isMeasured(sample)) {
      for (const histogram of cohort.histograms) {
        const value = valueIn(sample, histogram.metric);
        if (value !== null) histogram.add(value, 1, value);
      }
    }
    if (atMs === null) return;
    if (cohort.firstAtMs === null || atMs < cohort.firstAtMs) cohort.firstAtMs = atMs;
    if (cohort.last === null || atMs >= cohort.last.atMs) cohort.last = { sample: withoutCauses(sample), atMs };
  }

  /** Many updates of one cohort at once. */
  addCounted(key: FleetCohort, { outcomes, defects, complaints, values, firstAtMs, last }: CountedUpdates): void {
    const cohort = this.#cohortOf(key);
    for (const outcome of OUTCOMES) cohort.outcomes[outcome] += outcomes[outcome];
    for (const severity of ["error", "warning", "note"] as const) cohort.defects[severity] += defects[severity];
    for (const [name, count] of complaints) addTo(cohort.complaints, name, count);
    for (const { metric, ns, count, sumNs } of values) cohort.histograms[metric]?.add(ns, count, sumNs);
    if (firstAtMs !== null && (cohort.firstAtMs === null || firstAtMs < cohort.firstAtMs)) cohort.firstAtMs = firstAtMs;
    if (last !== null && (cohort.last === null || last.atMs >= cohort.last.atMs)) {
      cohort.last = { sample: withoutCauses(last.sample), atMs: last.atMs };
    }
  }

  /** What is counted of every update, in the order of a cohort's histograms. */
  get counted(): readonly Counted[] {
    return this.#counted;
  }

  /** By key. */
  cohorts(): readonly CohortTally[] {
    return [...this.#cohorts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cohort]) => cohort);
  }

  #cohortOf(key: FleetCohort): MutableCohort {
    const known = this.#cohorts.get(cohortId(key));
    if (known !== undefined) return known;
    if (this.#cohorts.size >= MOST_COHORTS && cohortId(key) !== cohortId(OTHER)) return this.#cohortOf(OTHER);
    const made: MutableCohort = {
      key,
      outcomes: { completed: 0, "partly-restored": 0, aborted: 0, failed: 0, incomplete: 0 },
      defects: { error: 0, warning: 0, note: 0 },
      complaints: new Map(),
      histograms: this.#counted.map((counted) => new MutableHistogram(counted)),
      firstAtMs: null,
      last: null,
    };
    this.#cohorts.set(cohortId(key), made);
    return made;
  }
}

/** Adds what `updates` updates of this health complained about. */
export function countComplaints(into: Map<string, number>, health: UpdateSample["health"], updates: number): void {
  for (const { class: name, severity, count } of health ?? []) addTo(into, `${name} ${severity}`, count * updates);
}

function addTo(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

/** Of which all are that there is no room for. */
export const OTHER: FleetCohort = { probeLevel: "other", workload: "other", basis: "other" };

const STANDARD_METRICS: readonly Metric[] = [
  { kind: "blackout" },
  { kind: "vm-blackout" },
  ...PHASES.map((phase) => ({ kind: "phase", phase }) as const),
];

function tallyName(metric: Metric): string {
  return metric.kind === "causes" ? `causes ${selectorText(metric.selector)}` : JSON.stringify(metric);
}

/** `device:e1000/shutdown`, however it was spelt. */
export function selectorText({ cause, glob, action }: CauseSelector): string {
  return `${cause}:${glob}${action === null ? "" : `/${action}`}`;
}

/** An update's slowest VM, as in the gate; null if no VM was seen. */
function valueIn(sample: UpdateSample, metric: Metric): Duration | null {
  const values = valuesOfUpdate(sample, metric);
  return values.length === 0 ? null : Math.max(...values);
}

function withoutCauses(sample: UpdateSample): UpdateSample {
  return { ...sample, causes: null };
}
