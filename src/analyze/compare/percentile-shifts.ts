/** Percentiles of two cohorts: how far apart they are, and whether chance explains it. */

import { PERCENTILES } from "../../model/documents/cohort.js";
import type { Floors, PercentileDifference } from "../../model/documents/comparison.js";
import { bootstrapQuantileDifference, clustersNeeded, type QuantileDifference } from "../statistics/bootstrap.js";
import type { ClusteredSample } from "../statistics/clusters.js";
import { median } from "../statistics/order-statistics.js";
import { holm } from "../statistics/tests/holm.js";
import { type TailTest, tailTest } from "../statistics/tests/tail-test.js";
import { floorOf } from "./levels.js";
import type { Pair } from "./verdict.js";

/** A metric of both cohorts: all values, and one an update. */
export interface Measurement {
  readonly baseline: ClusteredSample;
  readonly candidate: ClusteredSample;
  readonly pair: Pair;
}

/** Values of all resamples of a percentile together, about half a second. */
const BOOTSTRAP_VALUES = 1e7;
/** BCa leaves out each update once, the square of their number in steps; what it corrects for vanishes as they grow. */
const BCA_UPDATES = 2_000;

/** Of each interval. */
const CONFIDENCE = 0.95;

/** Every percentile of one metric, tested together at `level`. */
export function percentileShifts(
  measured: Measurement,
  { level, floors, seed }: { readonly level: number; readonly floors: Floors; readonly seed: number },
): readonly PercentileDifference[] {
  const found = PERCENTILES.map((percentile) => ({
    percentile,
    difference: differenceOf(measured, percentile, seed),
    test: tailTest(measured.pair.baseline, measured.pair.candidate, percentile / 100),
  }));
  const supported = found.filter(({ difference }) => difference.clusters >= difference.clustersNeeded);
  const adjusted = holm(supported.map(({ test }) => test.p));
  return found.map((each) => {
    const place = supported.indexOf(each);
    return documentOf(measured, each, place < 0 ? null : adjusted[place]!, level, floors);
  });
}

/**
 * The percentiles that changed, for each of several metrics. All supported percentiles of all metrics are tested
 * together at `level`. The interval of a difference is computed only for those that changed: resampling is slow.
 */
export function changedPercentiles(
  metrics: readonly Measurement[],
  { level, floors, seed }: { readonly level: number; readonly floors: Floors; readonly seed: number },
): readonly (readonly PercentileDifference[])[] {
  const tests = metrics.flatMap((measured, metric) =>
    PERCENTILES.filter((percentile) => isSupported(measured, percentile)).map((percentile) => ({
      metric,
      percentile,
      test: tailTest(measured.pair.baseline, measured.pair.candidate, percentile / 100),
    })),
  );
  const adjusted = holm(tests.map(({ test }) => test.p));
  return metrics.map((measured, metric) =>
    tests.flatMap((each, i) => {
      if (each.metric !== metric || adjusted[i]! > level) return [];
      const difference = differenceOf(measured, each.percentile, seed);
      const shift = documentOf(measured, { ...each, difference }, adjusted[i]!, level, floors);
      return isChange(shift.verdict) ? [shift] : [];
    }),
  );
}

export const isChange = (verdict: PercentileDifference["verdict"]): boolean =>
  verdict === "regressed" || verdict === "improved";

function documentOf(
  { pair }: Measurement,
  found: { readonly percentile: number; readonly difference: QuantileDifference; readonly test: TailTest },
  adjustedP: number | null,
  level: number,
  floors: Floors,
): PercentileDifference {
  const { percentile, difference, test } = found;
  return {
    percentile,
    shiftNs: Math.round(difference.difference),
    shiftIntervalNs: [Math.round(difference.lower), Math.round(difference.upper)],
    supported: adjustedP !== null,
    neededUpdates: difference.clustersNeeded,
    verdict: adjustedP === null ? "insufficient" : verdictOf(pair, difference, test, adjustedP <= level, floors),
    pValue: test.p,
    adjustedP: adjustedP ?? 1,
  };
}

function verdictOf(
  { baseline, candidate }: Pair,
  { difference, lower, upper }: QuantileDifference,
  { baselineAbove, candidateAbove }: TailTest,
  significant: boolean,
  floors: Floors,
): PercentileDifference["verdict"] {
  const floor = floorOf(floors, median(baseline));
  const more = candidateAbove / candidate.length - baselineAbove / baseline.length;
  if (significant && Math.abs(difference) >= floor && Math.sign(difference) === Math.sign(more)) {
    return difference > 0 ? "regressed" : "improved";
  }
  return lower > -floor && upper < floor ? "unchanged" : "inconclusive";
}

function isSupported({ pair }: Measurement, percentile: number): boolean {
  const { baseline, candidate } = pair;
  return Math.min(baseline.length, candidate.length) >= clustersNeeded(percentile / 100, CONFIDENCE);
}

function differenceOf({ baseline, candidate }: Measurement, percentile: number, seed: number): QuantileDifference {
  const resamples = Math.max(100, Math.min(2_000, Math.floor(BOOTSTRAP_VALUES / (baseline.size + candidate.size))));
  const updates = baseline.clusters.length + candidate.clusters.length;
  return bootstrapQuantileDifference(baseline, candidate, {
    probability: percentile / 100,
    confidence: CONFIDENCE,
    seed,
    resamples,
    method: updates > BCA_UPDATES ? "percentile" : "bca",
  });
}
