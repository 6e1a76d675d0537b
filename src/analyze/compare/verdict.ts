/** The verdict on one metric: what the data show, or that they do not. */
import type { Verdict } from "../../model/documents/cohort.js";
import type { Floors, MetricComparison, PercentileDifference } from "../../model/documents/comparison.js";
import { type ClusteredSample, oneValuePerCluster } from "../statistics/clusters.js";
import { median } from "../statistics/order-statistics.js";
import type { Sample } from "../statistics/sample.js";
import { equivalence } from "../statistics/tests/equivalence.js";
import { hodgesLehmann, sizeForShiftInterval } from "../statistics/tests/hodges-lehmann.js";
import { holm } from "../statistics/tests/holm.js";
import { mannWhitney } from "../statistics/tests/mann-whitney.js";
import { EQUIVALENCE_LEVEL, floorOf } from "./levels.js";

/** One metric of both cohorts, one value an update. */
export interface Pair {
  readonly baseline: Sample;
  readonly candidate: Sample;
}

export function pairOf(baseline: ClusteredSample, candidate: ClusteredSample): Pair {
  return { baseline: oneValuePerCluster(baseline), candidate: oneValuePerCluster(candidate) };
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly pValue: number;
  /** Holm's, within the family. */
  readonly adjustedP: number;
  readonly method: "exact" | "asymptotic";
  /** Hodges-Lehmann, candidate − baseline, ns. */
  readonly shiftNs: number;
  readonly floorNs: number;
  /** Updates a side from which on a difference could be shown, if there are fewer; else null. */
  readonly neededUpdates: number | null;
}

/**
 * Judges the metrics of one family together, at `level` for all of them (a family of one: that test's own level).
 * Two-sided: a false improvement is a false alarm as well.
 */
export function judgeFamily(pairs: readonly Pair[], level: number, floors: Floors): readonly Judgement[] {
  const tests = pairs.map(({ baseline, candidate }) => mannWhitney(baseline, candidate));
  const adjusted = holm(tests.map(({ p }) => p));
  return pairs.map((pair, i): Judgement => {
    const { p, method } = tests[i]!;
    const adjustedP = adjusted[i]!;
    const shiftNs = hodgesLehmann(pair.baseline, pair.candidate, 0.5).shift;
    const floorNs = floorOf(floors, median(pair.baseline));
    const neededUpdates = canShow(pair, level / pairs.length) ? null : sizeForShiftInterval(1 - level / pairs.length);
    const verdict = verdictOf(pair, adjustedP <= level, shiftNs, floorNs, neededUpdates !== null);
    return { verdict, pValue: p, adjustedP, method, shiftNs, floorNs, neededUpdates };
  });
}

function verdictOf(pair: Pair, significant: boolean, shift: number, floor: number, tooFew: boolean): Verdict {
  if (significant && Math.abs(shift) >= floor) return shift > 0 ? "regressed" : "improved";
  if (tooFew) return "insufficient";
  const { verdict } = equivalence(pair.baseline, pair.candidate, floor, EQUIVALENCE_LEVEL);
  return verdict === "equivalent" ? "unchanged" : "inconclusive";
}

/** Whether cohorts of these sizes that do not overlap at all are significant: 2 / C(n + m, n) ≤ level. */
function canShow({ baseline, candidate }: Pair, level: number): boolean {
  const [fewer, more] = [baseline.length, candidate.length].sort((a, b) => a - b) as [number, number];
  let choices = 1;
  for (let i = 1; i <= fewer; i += 1) {
    choices *= (more + i) / i;
    if (2 / choices <= level * (1 + 1e-13)) return true;
  }
  return false;
}

const isChange = (verdict: Verdict): boolean => verdict === "regressed" || verdict === "improved";

/** Whether a metric changed, in its place or in one of its percentiles. */
export function hasChanged({ verdict, percentileShifts }: MetricComparison): boolean {
  return isChange(verdict) || percentileShifts.some((shift) => isChange(shift.verdict));
}

/** The percentile above the median that changed most, of a metric whose place did not change; else null. */
export function changedTail({ verdict, percentileShifts }: MetricComparison): number | null {
  if (isChange(verdict)) return null;
  const tails = percentileShifts.filter((shift) => isChange(shift.verdict) && shift.percentile > 50);
  const regressed = tails.filter((shift) => shift.verdict === "regressed");
  const most = (regressed.length > 0 ? regressed : tails).sort((a, b) => Math.abs(b.shiftNs) - Math.abs(a.shiftNs))[0];
  return most?.percentile ?? null;
}

/**
 * A percentile whose interval excludes zero although its test does not reach the level: no change is shown, and
 * \`unchanged\` would contradict the interval.
 */
export function isDoubtful({ verdict, shiftNs, shiftIntervalNs }: PercentileDifference, floorNs: number): boolean {
  const [low, high] = shiftIntervalNs;
  return verdict === "inconclusive" && Math.abs(shiftNs) >= floorNs && (low > 0 || high < 0);
}

/** The verdict on one metric by its place and its percentiles: a tail that grew outweighs a median that did not. */
export function metricVerdict({ verdict, percentileShifts, floorNs }: MetricComparison): Verdict {
  const tails = percentileShifts.map((shift) => shift.verdict);
  if (tails.includes("regressed")) return "regressed";
  if (isChange(verdict)) return verdict;
  if (tails.includes("improved")) return "improved";
  return verdict === "unchanged" && percentileShifts.some((shift) => isDoubtful(shift, floorNs))
    ? "inconclusive"
    : verdict;
}

/** The verdict of a comparison: the blackout's, and if the blackout did not change, that of the phases that did. */
export function overallVerdict([blackout, ...others]: readonly MetricComparison[]): Verdict {
  if (blackout === undefined) throw new Error("a comparison without its primary metric");
  const own = metricVerdict(blackout);
  if (isChange(own)) return own;
  const rest = others.map(metricVerdict);
  if (rest.includes("regressed")) return "regressed";
  return rest.includes("improved") ? "improved" : own;
}
