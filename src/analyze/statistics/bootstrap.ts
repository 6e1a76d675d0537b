/** How far apart one quantile of the two cohorts is, with an interval from resampling whole clusters. */
import { seededRandom } from "../../base/numbers/random.js";
import type { ClusteredSample } from "./clusters.js";
import { normalQuantile, normalUpperTail } from "./distributions/special-functions.js";
import { harrellDavisCumulativeWeights, sizeForLowerBound, sizeForUpperBound } from "./order-statistics.js";
import { requireOpenUnit } from "./sample.js";

export interface BootstrapOptions {
  /** The quantile, in (0, 1). */
  readonly probability: number;
  /** Of the interval, in (0, 1). */
  readonly confidence: number;
  readonly seed: number;
  /** 2000 unless given: the interval's ends then move by about 3 % of its width from seed to seed. At least 100. */
  readonly resamples?: number;
  /** `bca` unless given: corrected for bias and skewness (Efron 1987). */
  readonly method?: "percentile" | "bca";
}

export interface QuantileDifference {
  /** Candidate − baseline of the Harrell-Davis quantile, in the samples' unit. */
  readonly difference: number;
  readonly lower: number;
  readonly upper: number;
  readonly confidence: number;
  /** `percentile` also if BCa is impossible: no resample, or every one, is beyond the estimate. */
  readonly method: "percentile" | "bca";
  /**
   * Resampling cannot show what was never seen. Clusters that a cohort needs for this quantile to be bounded on both
   * sides by values it has, and the fewer of the two cohorts' clusters. If `clusters` < `clustersNeeded`, the interval
   * is too narrow, and must be marked.
   */
  readonly clusters: number;
  readonly clustersNeeded: number;
}

/**
 * The bootstrap interval of a difference of quantiles. Clusters are drawn with replacement, whole (the cluster
 * bootstrap: Davison and Hinkley 1997, Bootstrap Methods and their Application, §3.8; Field and Welsh 2007, JRSS B 69),
 * each cohort for itself. The quantile is Harrell and Davis's, whose smoothness the bootstrap and BCa's jackknife want
 * (Wilcox, Erceg-Hurn, Clark and Carlson 2014, "Comparing two independent groups via the lower and upper quantiles");
 * BCa as in Efron and Tibshirani 1993, §14.3, its acceleration from leaving out one cluster of either cohort. For
 * medians, if ten clusters a side are enough for its coverage to be near nominal, `hodgesLehmann` is exact and to be
 * preferred under a pure shift. Time O(resamples × values), memory O(resamples + values).
 */
export function bootstrapQuantileDifference(
  baseline: ClusteredSample,
  candidate: ClusteredSample,
  options: BootstrapOptions,
): QuantileDifference {
  const { probability, confidence, seed, resamples = 2000, method = "bca" } = options;
  requireOpenUnit("quantile", probability);
  requireOpenUnit("confidence", confidence);
  if (!Number.isInteger(resamples) || resamples < 100) {
    throw new RangeError(`resamples is ${resamples}, expected an integer of at least 100`);
  }
  const random = seededRandom(seed);
  const baselineQuantile = clusterQuantile(baseline, probability);
  const candidateQuantile = clusterQuantile(candidate, probability);
  const baselineTimes = new Int32Array(baseline.clusters.length);
  const candidateTimes = new Int32Array(candidate.clusters.length);

  const difference = candidateQuantile(candidateTimes.fill(1)) - baselineQuantile(baselineTimes.fill(1));
  const resampled = new Float64Array(resamples);
  const draw = (times: Int32Array): Int32Array => {
    times.fill(0);
    for (let i = 0; i < times.length; i += 1) times[random.below(times.length)]! += 1;
    return times;
  };
  for (let i = 0; i < resamples; i += 1) {
    const drawnBaseline = baselineQuantile(draw(baselineTimes));
    resampled[i] = candidateQuantile(draw(candidateTimes)) - drawnBaseline;
  }
  resampled.sort();

  const tail = (1 - confidence) / 2;
  const corrected =
    method === "bca"
      ? bcaLevels(
          resampled,
          difference,
          tail,
          leaveOneOut(baselineQuantile, baselineTimes).map((value) => -value),
          leaveOneOut(candidateQuantile, candidateTimes),
        )
      : null;
  const [low, high] = corrected ?? [tail, 1 - tail];
  return {
    difference,
    lower: atLevel(resampled, low),
    upper: atLevel(resampled, high),
    confidence,
    method: corrected === null ? "percentile" : "bca",
    clusters: Math.min(baseline.clusters.length, candidate.clusters.length),
    clustersNeeded: clustersNeeded(probability, confidence),
  };
}

/** Clusters a side from which on a quantile is bounded on both sides by values of the sample. */
export function clustersNeeded(probability: number, confidence: number): number {
  const eachSide = (1 + confidence) / 2;
  return Math.max(sizeForLowerBound(probability, eachSide), sizeForUpperBound(probability, eachSide));
}

/**
 * The Harrell-Davis quantile of the values of clusters with a count each. The values are sorted once: a resample is
 * then one walk over them, with no value copied.
 */
function clusterQuantile(sample: ClusteredSample, probability: number): (times: Int32Array) => number {
  const values = new Float64Array(sample.size);
  const clusterOf = new Int32Array(sample.size);
  const pairs = sample.clusters.flatMap((cluster, index) => Array.from(cluster, (value) => ({ value, index })));
  pairs.sort((a, b) => a.value - b.value);
  for (const [place, { value, index }] of pairs.entries()) {
    values[place] = value;
    clusterOf[place] = index;
  }
  const weightsOfSize = new Map<number, Float64Array>();
  return (times) => {
    let size = 0;
    for (let i = 0; i < times.length; i += 1) size += times[i]! * sample.clusters[i]!.length;
    let weights = weightsOfSize.get(size);
    if (weights === undefined) {
      weights = harrellDavisCumulativeWeights(size, probability);
      weightsOfSize.set(size, weights);
    }
    let taken = 0;
    let sum = 0;
    for (let place = 0; place < values.length; place += 1) {
      const more = times[clusterOf[place]!]!;
      if (more === 0) continue;
      sum += values[place]! * (weights[taken + more]! - weights[taken]!);
      taken += more;
    }
    return sum;
  };
}

/** The quantile with each cluster in turn left out; empty if there is only one. */
function leaveOneOut(quantileOf: (times: Int32Array) => number, times: Int32Array): readonly number[] {
  if (times.length < 2) return [];
  return Array.from(times, (_, left) => {
    times.fill(1);
    times[left] = 0;
    return quantileOf(times);
  });
}

/** The levels of the resampled differences at which BCa's interval ends, or null if it is undefined. */
function bcaLevels(
  resampled: Float64Array,
  difference: number,
  tail: number,
  ...jackknives: readonly (readonly number[])[]
): readonly [number, number] | null {
  let below = 0;
  for (const value of resampled) below += value < difference ? 1 : value === difference ? 0.5 : 0;
  const share = below / resampled.length;
  if (share === 0 || share === 1) return null;
  const bias = normalQuantile(share);

  let cubes = 0;
  let squares = 0;
  for (const values of jackknives) {
    const size = values.length;
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    for (const value of values) {
      const influence = ((size - 1) * (mean - value)) / size;
      cubes += influence ** 3;
      squares += influence ** 2;
    }
  }
  const acceleration = squares > 0 ? cubes / (6 * squares ** 1.5) : 0;
  const level = (z: number): number => 1 - normalUpperTail(bias + (bias + z) / (1 - acceleration * (bias + z)));
  return [level(normalQuantile(tail)), level(normalQuantile(1 - tail))];
}

/** Type 7 between the resampled differences. */
function atLevel(resampled: Float64Array, level: number): number {
  const place = (resampled.length - 1) * level;
  const below = Math.floor(place);
  const low = resampled[below]!;
  return low + (resampled[Math.min(below + 1, resampled.length - 1)]! - low) * (place - below);
}
