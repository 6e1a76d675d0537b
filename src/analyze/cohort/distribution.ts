/** A metric of a cohort in a few numbers: how many, from where to where, and its percentiles with their bounds. */
import type { Duration } from "../../base/time.js";
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

export interface PercentileDocument {
  readonly percentile: number;
  /** Of the sample, one of its values; null where `upperNs` is: it would only repeat the largest. */
  readonly valueNs: Duration | null;
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
  /** Of an even number the middle of both in the middle: no value of the sample then, unlike p50. */
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
