/** A metric of a cohort in a few numbers: how many, from where to where, and its percentiles with their bounds. */
import type { Duration } from "../../base/time.js";
import { type ClusteredSample, oneValuePerCluster } from "../statistics/clusters.js";
import {
  lowerQuantileBound,
  type QuantileBound,
  quantile,
  sizeForUpperBound,
  upperQuantileBound,
} from "../statistics/order-statistics.js";

export const PERCENTILES = [50, 90, 95, 99, 99.9] as const;

/** Each bound alone holds with this confidence. */
export const BOUND_CONFIDENCE = 0.95;

export interface PercentileDocument {
  readonly percentile: number;
  /** Of the sample; where `upperNs` is null it only repeats the largest values. */
  readonly valueNs: Duration;
  readonly lowerNs: Duration | null;
  /** Null: no update of so few bounds it from above. */
  readonly upperNs: Duration | null;
  /** The updates that an upper bound needs. */
  readonly neededUpdates: number;
}

export interface DistributionDocument {
  /** Live updates: the number that every test and interval rests on. */
  readonly updates: number;
  /** Values, more than updates where there are several VMs; percentiles are then of each update's median VM. */
  readonly values: number;
  readonly minNs: Duration;
  readonly maxNs: Duration;
  readonly medianNs: Duration;
  readonly percentiles: readonly PercentileDocument[];
}

export function distributionOf(sample: ClusteredSample): DistributionDocument {
  const perUpdate = oneValuePerCluster(sample);
  const known = (bound: QuantileBound): number | null => (bound.kind === "known" ? Math.round(bound.value) : null);
  return {
    updates: perUpdate.length,
    values: sample.size,
    minNs: Math.round(perUpdate[0]!),
    maxNs: Math.round(perUpdate[perUpdate.length - 1]!),
    medianNs: Math.round(quantile(perUpdate, 0.5)),
    percentiles: PERCENTILES.map((percentile) => {
      const p = percentile / 100;
      const upper = upperQuantileBound(perUpdate, p, BOUND_CONFIDENCE);
      return {
        percentile,
        valueNs: Math.round(quantile(perUpdate, p)),
        lowerNs: known(lowerQuantileBound(perUpdate, p, BOUND_CONFIDENCE)),
        upperNs: known(upper),
        neededUpdates: sizeForUpperBound(p, BOUND_CONFIDENCE),
      };
    }),
  };
}
