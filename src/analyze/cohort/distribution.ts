import type { DistributionDocument } from "../../model/documents/cohort.js";
import { PERCENTILES } from "../../model/documents/cohort.js";
import { type ClusteredSample, oneValuePerCluster } from "../statistics/clusters.js";
import {
  lowerQuantileBound,
  median,
  percentileOf,
  type QuantileBound,
  sizeForUpperBound,
  upperQuantileBound,
} from "../statistics/order-statistics.js";

/**
 * How sure each bound is. Both together hold with at least 90 %: an upper bound is what a promise rests on, and the
 * sizes that it takes (5 for p50, 29, 59, 299, 2,995 for p99.9) are then the sizes that the percentile takes.
 */
export const BOUND_CONFIDENCE = 0.95;

export function distributionOf(sample: ClusteredSample): DistributionDocument {
  const perUpdate = oneValuePerCluster(sample);
  const known = (bound: QuantileBound): number | null => (bound.kind === "known" ? Math.round(bound.value) : null);
  return {
    updates: perUpdate.length,
    values: sample.size,
    minNs: Math.round(perUpdate[0]!),
    maxNs: Math.round(perUpdate[perUpdate.length - 1]!),
    medianNs: Math.round(median(perUpdate)),
    percentiles: PERCENTILES.map((percentile) => {
      const p = percentile / 100;
      const upper = upperQuantileBound(perUpdate, p, BOUND_CONFIDENCE);
      return {
        percentile,
        valueNs: upper.kind === "known" ? Math.round(percentileOf(perUpdate, percentile)) : null,
        lowerNs: known(lowerQuantileBound(perUpdate, p, BOUND_CONFIDENCE)),
        upperNs: known(upper),
        neededUpdates: sizeForUpperBound(p, BOUND_CONFIDENCE),
      };
    }),
  };
}
