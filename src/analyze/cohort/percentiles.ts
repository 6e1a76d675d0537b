/**
 * Percentiles over many live updates, with what the number of updates can and cannot support.
 * `PercentilesDocument` is what `blackout percentiles --json` prints, normative in docs/percentiles.schema.json.
 */
import type { Histogram } from "hdr-histogram-js";
import { percentileOf, quantileInterval, sizeForUpperBound } from "../statistics/order-statistics.js";
import { sampleOf } from "../statistics/sample.js";
import type { CohortDifference, CohortKey } from "./cohort-key.js";
import type { MeasureName, NotCounted } from "./histograms.js";

const PERCENTILES = [50, 90, 95, 99, 99.9] as const;

/**
 * How sure each bound is. Both together hold with at least 90 %: an upper bound is what a promise rests on, and the
 * sizes that it takes (5 for p50, 29, 59, 299, 2,995 for p99.9) are then the sizes that the percentile takes.
 */
export const BOUND_CONFIDENCE = 0.95;

export interface PercentileDocument {
  /** 50, 90, 95, 99, 99.9 */
  readonly percentile: number;
  /** Null where the sample is too small to bound it from above: `needed` values would. */
  readonly valueNs: number | null;
  /** Each no larger, no smaller than the true percentile with `confidence`; null where no value of the sample is. */
  readonly lowerNs: number | null;
  readonly upperNs: number | null;
  readonly needed: number;
}

export interface MeasurePercentiles {
  readonly name: MeasureName;
  /** Number of values. */
  readonly n: number;
  readonly minNs: number | null;
  readonly maxNs: number | null;
  readonly percentiles: readonly PercentileDocument[];
  readonly unknown: readonly NotCounted[];
}

export interface PercentilesDocument {
  readonly format: "blackout-percentiles";
  readonly version: 1;
  readonly cohort: CohortKey & {
    /** What differs within the cohort and was let pass by --force; empty in an honest one. */
    readonly differences: readonly CohortDifference[];
  };
  readonly updates: { readonly counted: number; readonly excluded: readonly NotCounted[] };
  /** Histogram logs that were added; `values` of the measures alone. */
  readonly logs: readonly { readonly file: string; readonly values: number; readonly excluded: number | null }[];
  /** `exact`: values as measured; `histogram`: the upper end of an HDR bucket, and no bounds. */
  readonly resolution: "exact" | "histogram";
  readonly confidence: number;
  readonly measures: readonly MeasurePercentiles[];
}

/** Percentiles of exact values, ascending, with distribution-free bounds. */
export function exactPercentiles(
  name: MeasureName,
  valuesNs: readonly number[],
  unknown: readonly NotCounted[],
): MeasurePercentiles {
  const sample = sampleOf(valuesNs);
  const n = valuesNs.length;
  const percentiles = PERCENTILES.map((percentile): PercentileDocument => {
    const probability = percentile / 100;
    const needed = sizeForUpperBound(probability, BOUND_CONFIDENCE);
    if (!sample.ok) return { percentile, valueNs: null, lowerNs: null, upperNs: null, needed };
    // An equal-tailed interval misses on each side with half of what it may miss in all.
    const { lower, upper } = quantileInterval(sample.value, probability, 2 * BOUND_CONFIDENCE - 1);
    return {
      percentile,
      valueNs: upper.kind === "known" ? percentileOf(sample.value, percentile) : null,
      lowerNs: lower.kind === "known" ? lower.value : null,
      upperNs: upper.kind === "known" ? upper.value : null,
      needed,
    };
  });
  return { name, n, minNs: valuesNs[0] ?? null, maxNs: valuesNs.at(-1) ?? null, percentiles, unknown };
}

/** Percentiles of a histogram, whose values are known to its buckets only: without bounds. */
export function histogramPercentiles(
  name: MeasureName,
  histogram: Histogram,
  unknown: readonly NotCounted[],
): MeasurePercentiles {
  const n = histogram.totalCount;
  const at = (percentile: number): number | null => (n === 0 ? null : histogram.getValueAtPercentile(percentile));
  const percentiles = PERCENTILES.map((percentile): PercentileDocument => {
    const needed = sizeForUpperBound(percentile / 100, BOUND_CONFIDENCE);
    return { percentile, valueNs: n < needed ? null : at(percentile), lowerNs: null, upperNs: null, needed };
  });
  return { name, n, minNs: at(0), maxNs: at(100), percentiles, unknown };
}
