/**
 * Percentiles over many live updates, with what the number of updates can and cannot support.
 * `PercentilesDocument` is what `blackout percentiles --json` prints, normative in docs/percentiles.schema.json.
 */

import type { Histogram } from "hdr-histogram-js";
import { PERCENTILES } from "../../model/documents/cohort.js";
import type {
  MeasureName,
  MeasurePercentile,
  MeasurePercentiles,
  NotCounted,
} from "../../model/documents/percentiles.js";
import { percentileOf, quantileInterval, sizeForUpperBound } from "../statistics/order-statistics.js";
import { sampleOf } from "../statistics/sample.js";
import { BOUND_CONFIDENCE } from "./distribution.js";

/** Percentiles of exact values, ascending, with distribution-free bounds. */
export function exactPercentiles(
  name: MeasureName,
  valuesNs: readonly number[],
  unknown: readonly NotCounted[],
): MeasurePercentiles {
  const sample = sampleOf(valuesNs);
  const n = valuesNs.length;
  const percentiles = PERCENTILES.map((percentile): MeasurePercentile => {
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
  const percentiles = PERCENTILES.map((percentile): MeasurePercentile => {
    const needed = sizeForUpperBound(percentile / 100, BOUND_CONFIDENCE);
    return { percentile, valueNs: n < needed ? null : at(percentile), lowerNs: null, upperNs: null, needed };
  });
  return { name, n, minNs: at(0), maxNs: at(100), percentiles, unknown };
}
