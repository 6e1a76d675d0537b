/** The Hodges-Lehmann shift: how much longer the candidate is than the baseline, and between which bounds. */
import { rankSumNull, untied } from "../distributions/rank-sum-null.js";
import { normalQuantile } from "../distributions/special-functions.js";
import { requireOpenUnit, type Sample } from "../sample.js";

/**
 * The confidence bounds of a shift; `too-few`: no bound exists at these sizes, and `needed` values on each side have
 * one.
 */
export type ShiftInterval =
  | { readonly kind: "known"; readonly lower: number; readonly upper: number; readonly method: "exact" | "asymptotic" }
  | { readonly kind: "too-few"; readonly needed: number };

export interface HodgesLehmann {
  /** The median of all differences candidate − baseline, in the samples' unit. */
  readonly shift: number;
  readonly confidence: number;
  readonly interval: ShiftInterval;
}

/**
 * The shift candidate − baseline (Hodges and Lehmann 1963), with the interval that inverts the Mann-Whitney test (Moses
 * 1965; Hollander, Wolfe and Chicken 2014, §4.2-4.3): the c-th smallest and c-th largest of all pairwise differences.
 * It assumes that the candidate's distribution is the baseline's, shifted. With its ends included its coverage is at
 * least `confidence` also for tied values (Noether 1967, "Wilcoxon confidence intervals for location parameters in the
 * discrete case", JASA 62). Time O((n + m) log(range)), memory O(1) beside the null distribution.
 */
export function hodgesLehmann(baseline: Sample, candidate: Sample, confidence: number): HodgesLehmann {
  requireOpenUnit("confidence", confidence);
  const pairs = baseline.length * candidate.length;
  const middle = Math.floor((pairs + 1) / 2);
  const low = kthDifference(baseline, candidate, middle);
  const high = pairs % 2 === 1 ? low : kthDifference(baseline, candidate, middle + 1);
  return { shift: low + (high - low) / 2, confidence, interval: shiftInterval(baseline, candidate, confidence) };
}

/** The confidence interval of the shift alone: see `hodgesLehmann`. */
export function shiftInterval(baseline: Sample, candidate: Sample, confidence: number): ShiftInterval {
  const bound = shiftBoundOrder(baseline.length, candidate.length, (1 - confidence) / 2);
  if (bound.order === 0) return { kind: "too-few", needed: sizeForShiftInterval(confidence) };
  const pairs = baseline.length * candidate.length;
  return {
    kind: "known",
    lower: kthDifference(baseline, candidate, bound.order),
    upper: kthDifference(baseline, candidate, pairs + 1 - bound.order),
    method: bound.method,
  };
}

/**
 * The largest c such that P(U ≤ c − 1) ≤ `tail` under the null distribution without ties: the c-th smallest pairwise
 * difference is then a lower bound of the shift with confidence 1 − tail. Zero if not even the smallest is.
 */
export function shiftBoundOrder(
  baselineSize: number,
  candidateSize: number,
  tail: number,
): { readonly order: number; readonly method: "exact" | "asymptotic" } {
  const exact = rankSumNull(untied(baselineSize, candidateSize));
  const pairs = baselineSize * candidateSize;
  if (exact === null) {
    // Φ((c − 1 + ½ − μ)/σ) ≤ tail.
    const deviation = Math.sqrt((pairs / 12) * (baselineSize + candidateSize + 1));
    const order = Math.floor(pairs / 2 + 0.5 + normalQuantile(tail) * deviation);
    return { order: Math.max(0, order), method: "asymptotic" };
  }
  let low = 0;
  let high = Math.floor(pairs / 2) + 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    // A tail met exactly, as 1/20 of three against three, must not be missed by the last bit.
    if (exact.atMost(middle - 1) <= tail * (1 + 1e-13)) low = middle;
    else high = middle - 1;
  }
  return { order: low, method: "exact" };
}

/** The least n such that n against n values have a shift interval of `confidence`: 2 / C(2n, n) ≤ 1 − confidence. */
export function sizeForShiftInterval(confidence: number): number {
  requireOpenUnit("confidence", confidence);
  let n = 1;
  let choices = 2;
  while (2 / choices > (1 - confidence) * (1 + 1e-13)) {
    n += 1;
    choices *= (2 * (2 * n - 1)) / n;
  }
  return n;
}

/**
 * The `k`-th smallest (1-based) of the differences candidate − baseline, without forming them all: halves the range of
 * values, counting the differences at or below its middle in one walk over both samples, and narrows it to differences
 * that occur, so that it ends on one of them.
 */
export function kthDifference(baseline: Sample, candidate: Sample, k: number): number {
  const n = baseline.length;
  const m = candidate.length;
  let low = candidate[0]! - baseline[n - 1]!;
  let high = candidate[m - 1]! - baseline[0]!;
  while (low < high) {
    let middle = low + (high - low) / 2;
    // Between neighbouring doubles the middle rounds to one of them; it must stay below the upper.
    if (middle >= high) middle = low;
    let count = 0;
    let largestWithin = low;
    let smallestBeyond = high;
    // For larger and larger candidates, fewer and fewer baselines from the top are too small.
    let b = 0;
    for (let c = 0; c < m; c += 1) {
      const value = candidate[c]!;
      while (b < n && value - baseline[b]! > middle) b += 1;
      count += n - b;
      if (b < n) largestWithin = Math.max(largestWithin, value - baseline[b]!);
      if (b > 0) smallestBeyond = Math.min(smallestBeyond, value - baseline[b - 1]!);
    }
    if (count >= k) high = largestWithin;
    else low = smallestBeyond;
  }
  return low;
}
