/**
 * Only the alarms of a comparison: the tests of compareCohorts without its intervals, so that thousands of comparisons
 * are affordable. alarms.test.ts checks that both agree.
 */

import { type Metric, valuesOf } from "../../analyze/cohort/metrics.js";
import { listedCauses } from "../../analyze/compare/breakdown.js";
import { ALARM_LEVELS, floorOf } from "../../analyze/compare/levels.js";
import { changedPercentiles } from "../../analyze/compare/percentile-shifts.js";
import type { Pair } from "../../analyze/compare/verdict.js";
import { type ClusteredSample, clusteredSampleOf } from "../../analyze/statistics/clusters.js";
import { median } from "../../analyze/statistics/order-statistics.js";
import { type Sample, sampleOf } from "../../analyze/statistics/sample.js";
import { hodgesLehmann } from "../../analyze/statistics/tests/hodges-lehmann.js";
import { holm } from "../../analyze/statistics/tests/holm.js";
import { kolmogorovSmirnov } from "../../analyze/statistics/tests/kolmogorov-smirnov.js";
import { mannWhitney } from "../../analyze/statistics/tests/mann-whitney.js";
import { WORK_PHASES } from "../../model/document-parts.js";
import type { Floors } from "../../model/documents/comparison.js";
import { PHASES } from "../../model/live-update.js";
import type { UpdateSample } from "../../model/update-sample.js";

export interface Alarms {
  /** The primary metric's verdict, if it is a change. */
  readonly primary: "regressed" | "improved" | null;
  /** Whether a percentile of the blackout changed. */
  readonly percentiles: boolean;
  readonly spread: boolean;
  /** Phases and LUO's work in them, by their place or a percentile. */
  readonly phases: boolean;
  readonly causes: boolean;
}

/** Whether the blackout is called changed. */
export function blackoutAlarm({ primary, percentiles }: Alarms): boolean {
  return primary !== null || percentiles;
}

export function anyAlarm(alarms: Alarms): boolean {
  return blackoutAlarm(alarms) || alarms.spread || alarms.phases || alarms.causes;
}

/** Every metric of a pool of updates, in columns: a row is an update. */
export interface AlarmTable {
  readonly blackout: Float64Array;
  /** And LUO's work in them. NaN if a phase was not seen. */
  readonly phases: readonly Float64Array[];
  readonly causes: readonly Float64Array[];
}

/** The table of measured, attributed updates; its causes are those that a comparison of any two parts of it lists. */
export function alarmTable(updates: readonly UpdateSample[], floors: Floors): AlarmTable {
  const column = (metric: Metric): Float64Array =>
    Float64Array.from(updates, (update) => {
      const [value] = valuesOf({ name: "", updates: [update] }, metric);
      return value?.value ?? Number.NaN;
    });
  return {
    blackout: column({ kind: "blackout" }),
    phases: [
      ...PHASES.map((phase) => column({ kind: "phase", phase })),
      ...WORK_PHASES.map((phase) => column({ kind: "phase-work", phase })),
    ],
    causes: listedCauses(updates, floors.absoluteNs / 2).listed.map(({ kind, id }) =>
      column({ kind: "cause", cause: kind, id }),
    ),
  };
}

/** The alarms of comparing the updates in rows `base` with those in rows `candidate`. */
export function alarmsOf(
  table: AlarmTable,
  base: readonly number[],
  candidate: readonly number[],
  floors: Floors,
): Alarms {
  const pair = (column: Float64Array): readonly Pair[] => {
    const from = sampleOf(base.flatMap((row) => (Number.isNaN(column[row]!) ? [] : [column[row]!])));
    const to = sampleOf(candidate.flatMap((row) => (Number.isNaN(column[row]!) ? [] : [column[row]!])));
    return from.ok && to.ok ? [{ baseline: from.value, candidate: to.value }] : [];
  };
  const [primary] = pair(table.blackout);
  return {
    primary: primary === undefined ? null : primaryAlarm(primary, floors),
    percentiles: primary !== undefined && percentileAlarm([primary], ALARM_LEVELS.percentiles, floors),
    spread: primary !== undefined && spreadAlarm(primary),
    phases:
      changes(table.phases.flatMap(pair), ALARM_LEVELS.phases, floors).some((change) => change !== 0) ||
      percentileAlarm(table.phases.flatMap(pair), ALARM_LEVELS.phasePercentiles, floors),
    causes: changes(table.causes.flatMap(pair), ALARM_LEVELS.causes, floors).some((change) => change !== 0),
  };
}

export function primaryAlarm(pair: Pair, floors: Floors): Alarms["primary"] {
  const [change] = changes([pair], ALARM_LEVELS.primary, floors) as [number];
  return change === 0 ? null : change > 0 ? "regressed" : "improved";
}

/** Each value a cluster of its own. */
function clustersOf(sample: Sample): ClusteredSample {
  const made = clusteredSampleOf(Array.from(sample, (value, i) => ({ cluster: String(i), value })));
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}

/** Whether a percentile of these metrics, tested together, changed. One value an update. */
export function percentileAlarm(pairs: readonly Pair[], level: number, floors: Floors): boolean {
  const measured = pairs.map((pair) => ({
    baseline: clustersOf(pair.baseline),
    candidate: clustersOf(pair.candidate),
    pair,
  }));
  return changedPercentiles(measured, { level, floors, seed: 1 }).some((shifts) => shifts.length > 0);
}

export function spreadAlarm({ baseline, candidate }: Pair): boolean {
  const quick = kolmogorovSmirnov(baseline, candidate, "two-sided", "asymptotic").p;
  return quick < 4 * ALARM_LEVELS.spread && kolmogorovSmirnov(baseline, candidate).p <= ALARM_LEVELS.spread;
}

/** The shift of each pair that changed, 0 for the others. Exact tests only if the approximation is near the level. */
function changes(pairs: readonly Pair[], level: number, floors: Floors): readonly number[] {
  const p = pairs.map(({ baseline, candidate }) => {
    const quick = mannWhitney(baseline, candidate, "two-sided", "asymptotic").p;
    return quick > 4 * level ? 1 : mannWhitney(baseline, candidate).p;
  });
  const adjusted = holm(p);
  return pairs.map(({ baseline, candidate }, i) => {
    if (adjusted[i]! > level) return 0;
    const { shift } = hodgesLehmann(baseline, candidate, 0.5);
    return Math.abs(shift) >= floorOf(floors, median(baseline)) ? shift : 0;
  });
}
