/** Quantiles of a sample, and what a sample of this size can and cannot say about the quantiles it was drawn from. */
import { binomialAtLeast, binomialAtMost, binomialQuantile, binomialUpperQuantile } from "./distributions/binomial.js";
import { incompleteBeta } from "./distributions/special-functions.js";
import { requireOpenUnit, type Sample } from "./sample.js";

/**
 * The sample quantile of type 7 of Hyndman and Fan (1996, "Sample quantiles in statistical packages", The American
 * Statistician 50(4)): linear between order statistics, the default of R, NumPy and Excel. 0 ≤ `probability` ≤ 1.
 */
export function quantile(sample: Sample, probability: number): number {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`quantile is ${probability}, expected a number from 0 to 1`);
  }
  const place = (sample.length - 1) * probability;
  const below = Math.floor(place);
  const low = sample[below]!;
  const high = sample[Math.min(below + 1, sample.length - 1)]!;
  return low + (high - low) * (place - below);
}

/**
 * The percentile that is printed as p50, p99 and so on: the least value that at least `percent` % of the sample do not
 * exceed (type 1 of Hyndman and Fan, the inverse of the empirical distribution, as histogram logs have it). One of the
 * values, as are its bounds. 0 < `percent` ≤ 100.
 */
export function percentileOf(sample: Sample, percent: number): number {
  if (!(percent > 0 && percent <= 100)) throw new RangeError(`percentile is ${percent}, expected above 0, at most 100`);
  const place = (percent * sample.length) / 100;
  // 99.9 % of 1,000 is 999.0000000000001 in binary: a rank that is whole but for rounding is meant.
  const whole = Math.round(place);
  const rank = Math.abs(place - whole) < 1e-9 * sample.length ? whole : Math.ceil(place);
  return sample[Math.max(1, rank) - 1]!;
}

/** The sample median, type 7: of an even number the middle of both in the middle. Printed as median, never as p50. */
export function median(sample: Sample): number {
  return quantile(sample, 0.5);
}

/**
 * The weights of the order statistics in the Harrell-Davis quantile (Harrell and Davis 1982, "A new distribution-free
 * quantile estimator", Biometrika 69(3)) of a sample of `size` ≥ 1, cumulated: entry i is I_(i/n)((n+1)p, (n+1)(1−p)),
 * so that the i-th smallest value (1-based) weighs entry i less entry i − 1. A mean of all order statistics varies less
 * than one or two of them in small samples, and is smooth, which the bootstrap needs; one very large value moves it.
 */
export function harrellDavisCumulativeWeights(size: number, probability: number): Float64Array {
  requireOpenUnit("quantile", probability);
  const a = (size + 1) * probability;
  const b = (size + 1) * (1 - probability);
  const cumulative = new Float64Array(size + 1);
  // Beyond 10 standard deviations of that beta distribution (and 40 of its exponential tail's lengths) less than
  // 1e-17 of the weight is left.
  const reach = (10 * Math.sqrt(probability * (1 - probability) * size) + 40) / size;
  for (let i = 1; i < size; i += 1) {
    const at = i / size;
    if (at < probability - reach) cumulative[i] = 0;
    else if (at > probability + reach) cumulative[i] = 1;
    else cumulative[i] = incompleteBeta(at, (size - i) / size, a, b).lower;
  }
  cumulative[size] = 1;
  return cumulative;
}

/**
 * A confidence bound of a quantile. `known`: the `order`-th smallest value (1-based) of the sample, which bounds the
 * quantile with at least the probability `confidence`. `too-few`: no value of a sample so small does; one of `needed`
 * values would.
 */
export type QuantileBound =
  | { readonly kind: "known"; readonly value: number; readonly order: number; readonly confidence: number }
  | { readonly kind: "too-few"; readonly needed: number };

/**
 * The largest order statistic that is, with at least `confidence`, no larger than the distribution's `probability`
 * quantile. Distribution-free (David and Nagaraja 2003, Order Statistics, §7.1; Conover 1999, Practical Nonparametric
 * Statistics, §3.2): exact for a continuous distribution, no less sure for any other. The values must be independent:
 * of clustered values take one a cluster first.
 */
export function lowerQuantileBound(sample: Sample, probability: number, confidence: number): QuantileBound {
  requireOpenUnit("quantile", probability);
  requireOpenUnit("confidence", confidence);
  const n = sample.length;
  // X(l) ≤ ξ unless fewer than l of the n values are: P(Bin(n, p) ≤ l − 1) ≤ 1 − confidence.
  let order = binomialQuantile(1 - confidence, n, probability);
  // If the tail is met exactly the next order statistic serves too.
  if (binomialAtMost(order, n, probability) <= (1 - confidence) * (1 + 1e-13)) order += 1;
  if (order === 0) return { kind: "too-few", needed: sizeForLowerBound(probability, confidence) };
  return { kind: "known", value: sample[order - 1]!, order, confidence: binomialAtLeast(order, n, probability) };
}

/** The smallest order statistic that is, with at least `confidence`, no smaller than the `probability` quantile. */
export function upperQuantileBound(sample: Sample, probability: number, confidence: number): QuantileBound {
  requireOpenUnit("quantile", probability);
  requireOpenUnit("confidence", confidence);
  const n = sample.length;
  // X(u) ≥ ξ unless u or more values are below it: P(Bin(n, p) ≥ u) ≤ 1 − confidence.
  const order = binomialUpperQuantile(1 - confidence, n, probability) + 1;
  if (order > n) return { kind: "too-few", needed: sizeForUpperBound(probability, confidence) };
  return { kind: "known", value: sample[order - 1]!, order, confidence: binomialAtMost(order - 1, n, probability) };
}

/** Both bounds of a quantile, each missed with at most half of 1 − `confidence`: the equal-tailed interval. */
export interface QuantileInterval {
  readonly probability: number;
  readonly confidence: number;
  readonly lower: QuantileBound;
  readonly upper: QuantileBound;
  /** The smallest sample that would have both bounds. */
  readonly needed: number;
}

/** The two-sided, equal-tailed distribution-free confidence interval of the `probability` quantile. */
export function quantileInterval(sample: Sample, probability: number, confidence: number): QuantileInterval {
  const eachSide = (1 + confidence) / 2;
  return {
    probability,
    confidence,
    lower: lowerQuantileBound(sample, probability, eachSide),
    upper: upperQuantileBound(sample, probability, eachSide),
    needed: Math.max(sizeForLowerBound(probability, eachSide), sizeForUpperBound(probability, eachSide)),
  };
}

/**
 * The smallest sample whose largest value is an upper bound of the `probability` quantile with `confidence`: the least
 * n with 1 − p^n ≥ confidence (Wilks 1941). At 95 %: 5 for p50, 29 for p90, 59 for p95, 299 for p99, 2995 for p99.9.
 */
export function sizeForUpperBound(probability: number, confidence: number): number {
  requireOpenUnit("quantile", probability);
  requireOpenUnit("confidence", confidence);
  return sizeFor(probability, confidence);
}

/** The smallest sample whose smallest value is a lower bound of the `probability` quantile with `confidence`. */
export function sizeForLowerBound(probability: number, confidence: number): number {
  requireOpenUnit("quantile", probability);
  requireOpenUnit("confidence", confidence);
  return sizeFor(1 - probability, confidence);
}

/** The least n with p^n ≤ 1 − confidence; what is met exactly, as 0.5^5 ≤ 0.03125, is met. */
function sizeFor(p: number, confidence: number): number {
  const exact = Math.log1p(-confidence) / Math.log(p);
  return Math.max(1, Math.ceil(exact * (1 - 1e-12)));
}
