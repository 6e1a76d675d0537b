/** Cliff's delta: how often the candidate is the greater of a random pair, less how often it is the smaller. */

import { normalQuantile } from "../distributions/special-functions.js";
import { rankSumU } from "../pooled.js";
import { requireOpenUnit, type Sample } from "../sample.js";

export interface CliffsDelta {
  /** P(candidate > baseline) − P(candidate < baseline), from −1 to 1. */
  readonly delta: number;
  /** By the thresholds 0.147, 0.33, 0.474 of Romano et al. (2006), which stand for Cohen's 0.2, 0.5, 0.8. */
  readonly magnitude: "negligible" | "small" | "medium" | "large";
  readonly confidence: number;
  readonly lower: number;
  readonly upper: number;
}

/**
 * Cliff's (1993, "Dominance statistics: ordinal analyses to answer ordinal questions", Psychological Bulletin 114(3))
 * delta with his unbiased variance and the asymmetric interval of Feng and Cliff (2004, "Monte Carlo evaluation of
 * ordinal d with improved confidence interval", JMASM 3(2)), which stays within [-1, 1]. Approximate: below about ten
 * values a side take it as rough, and the exact Mann-Whitney p for the decision.
 */
export function cliffsDelta(baseline: Sample, candidate: Sample, confidence: number): CliffsDelta {
  requireOpenUnit("confidence", confidence);
  const n = baseline.length;
  const m = candidate.length;
  const delta = (2 * rankSumU(baseline, candidate)) / (n * m) - 1;
  const z = normalQuantile((1 + confidence) / 2);
  const [lower, upper] = interval(baseline, candidate, delta, z);
  return { delta, magnitude: magnitudeOf(delta), confidence, lower, upper };
}

function magnitudeOf(delta: number): CliffsDelta["magnitude"] {
  const size = Math.abs(delta);
  if (size < 0.147) return "negligible";
  if (size < 0.33) return "small";
  return size < 0.474 ? "medium" : "large";
}

function interval(baseline: Sample, candidate: Sample, delta: number, z: number): readonly [number, number] {
  const n = baseline.length;
  const m = candidate.length;
  const fewer = Math.min(n, m);
  if (Math.abs(delta) === 1 || fewer < 2) {
    // Samples that do not overlap, or of one value, show no variance. Of all values that delta can have, those from which
    // this one is within z deviations, at the largest variance there can be, (1 - delta^2) / size (Feng and Cliff 2004,
    // equation 6).
    const k = (z * z) / fewer;
    const reach = Math.sqrt(k * (1 - delta * delta + k));
    return [(delta - reach) / (1 + k), (delta + reach) / (1 + k)];
  }
  // Dominance of each candidate over the baseline, and of each baseline under the candidates.
  const squaresOfCandidates = dominanceSquares(baseline, candidate, delta);
  const squaresOfBaselines = dominanceSquares(candidate, baseline, -delta);
  const ties = tiedPairs(baseline, candidate);
  const squaresOfPairs = n * m - ties - n * m * delta * delta;
  const unbiased =
    (m * m * squaresOfBaselines + n * n * squaresOfCandidates - squaresOfPairs) / (n * m * (n - 1) * (m - 1));
  const variance = Math.max(unbiased, (1 - delta * delta) / (n * m - 1));
  const centre = delta - delta ** 3;
  const spread = z * Math.sqrt(variance) * Math.sqrt(1 - 2 * delta ** 2 + delta ** 4 + z * z * variance);
  const scale = 1 - delta * delta + z * z * variance;
  return [Math.max(-1, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
}

/** Σ (d_i − δ)² over the values of `of`, d_i being the i-th one's mean dominance over `over`. */
function dominanceSquares(over: Sample, of: Sample, delta: number): number {
  let less = 0;
  let notMore = 0;
  let sum = 0;
  for (const value of of) {
    while (less < over.length && over[less]! < value) less += 1;
    while (notMore < over.length && over[notMore]! <= value) notMore += 1;
    const dominance = (less - (over.length - notMore)) / over.length;
    sum += (dominance - delta) ** 2;
  }
  return sum;
}

function tiedPairs(baseline: Sample, candidate: Sample): number {
  let less = 0;
  let notMore = 0;
  let ties = 0;
  for (const value of candidate) {
    while (less < baseline.length && baseline[less]! < value) less += 1;
    while (notMore < baseline.length && baseline[notMore]! <= value) notMore += 1;
    ties += notMore - less;
  }
  return ties;
}
