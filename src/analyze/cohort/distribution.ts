import type { DistributionDocument } from "../../model/documents/cohort.js";
import { type ClusteredSample, oneValuePerCluster } from "../statistics/clusters.js";
import {
  lowerQuantileBound,
  median,
  percentileOf,
  type QuantileBound,
  sizeForUpperBound,
  upperQuantileBound,
} from "../statistics/order-statistics.js";

export const PERCENTILES = [50, 90, 95, 99, 99.9] as const;

/** Each bound alone holds with this confidence. */
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
