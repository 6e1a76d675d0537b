/**
 * Whether two cohorts differ in how many of their values lie above a quantile of both together: Fisher's exact test of
 * that two-by-two table (Fisher 1935). The cut depends on the pooled values alone. So under exchangeability the count
 * is hypergeometric, for any distribution and any number of ties.
 */
import { logGamma } from "../distributions/special-functions.js";
import { requireOpenUnit, type Sample } from "../sample.js";

export interface TailTest {
  /** Two-sided: twice the smaller tail, at most 1. */
  readonly p: number;
  /** Values above the cut. */
  readonly baselineAbove: number;
  readonly candidateAbove: number;
}

/** `probability`: the quantile, in (0, 1). Both samples ascending. */
export function tailTest(baseline: Sample, candidate: Sample, probability: number): TailTest {
  requireOpenUnit("quantile", probability);
  const total = baseline.length + candidate.length;
  const pooled = new Float64Array(total);
  pooled.set(baseline);
  pooled.set(candidate, baseline.length);
  pooled.sort();
  const meant = (1 - probability) * total;
  const cut = pooled[Math.min(total - 1, Math.max(0, Math.ceil(probability * total - 1e-9) - 1))]!;
  // With ties at the cut, they count as above it if that is nearer to the share that is meant.
  const [above, from] = [countAbove(pooled, cut, false), countAbove(pooled, cut, true)];
  const inclusive = Math.abs(from - meant) < Math.abs(above - meant);
  const baselineAbove = countAbove(baseline, cut, inclusive);
  const candidateAbove = countAbove(candidate, cut, inclusive);
  const p = twoSided(candidateAbove, candidate.length, baselineAbove + candidateAbove, total);
  return { p, baselineAbove, candidateAbove };
}

function countAbove(ascending: Sample | Float64Array, cut: number, inclusive: boolean): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = ascending[middle]!;
    if (value > cut || (inclusive && value === cut)) high = middle;
    else low = middle + 1;
  }
  return ascending.length - low;
}

/** Of `drawn` values out of `total`, of which `marked` are above the cut, `found` are: how unusual is that? */
function twoSided(found: number, drawn: number, marked: number, total: number): number {
  const [least, most] = [Math.max(0, drawn + marked - total), Math.min(drawn, marked)];
  let [below, atOrAbove] = [0, 0];
  let at = 0;
  for (let k = least; k <= most; k += 1) {
    const chance = Math.exp(logChoose(marked, k) + logChoose(total - marked, drawn - k) - logChoose(total, drawn));
    if (k < found) below += chance;
    else if (k > found) atOrAbove += chance;
    else at = chance;
  }
  return Math.min(1, 2 * Math.min(below + at, atOrAbove + at));
}

function logChoose(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}
