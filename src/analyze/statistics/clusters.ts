/**
 * Values that come in clusters: the virtual machines of one live update share its kexec, its host and its load, and are
 * not independent of each other. The update is what is sampled; a hundred VMs of one update are one observation of it.
 *
 * For tests, a cluster counts once, by a summary of its values (the summary-measures method: Matthews, Altman, Campbell
 * and Royston 1990, BMJ 300; Galbraith, Daniel and Vissel 2010, "A study of clustered data and approaches to its
 * analysis", J. Neuroscience 30(32)). All VMs of an update are in the same cohort, so under the null hypothesis whole
 * clusters are exchangeable and a rank test of one value each is exact, whatever the correlation within and however few
 * the clusters. The clustered rank-sum tests that use every value (Rosner, Glynn and Lee 2003, Biometrics 59(4); Datta
 * and Satten 2005, JASA 100) have normal approximations that want twenty clusters or more a side, and gain power only
 * where VMs of one update differ among themselves more than updates do. Clusters weigh alike whatever their size, as in
 * Datta and Satten's, so that a host of many VMs does not speak for the fleet.
 *
 * For intervals, whole clusters are resampled: see `bootstrapQuantileDifference`.
 */
import { err, ok, type Result } from "../../base/result.js";
import { median } from "./order-statistics.js";
import { problemOf, type Sample, type SampleProblem, trustedSample } from "./sample.js";

/** Values grouped by what they share; at least one cluster, none empty. */
export interface ClusteredSample {
  /** In order of first appearance. */
  readonly clusters: readonly Sample[];
  /** How many values all clusters have together. */
  readonly size: number;
}

export interface ClusteredValue {
  /** What the value shares with others, as the live update's identifier. */
  readonly cluster: string;
  readonly value: number;
}

/** Groups values by cluster. Errors: none given; one that is not finite. */
export function clusteredSampleOf(values: Iterable<ClusteredValue>): Result<ClusteredSample, SampleProblem> {
  const byCluster = new Map<string, number[]>();
  const all: number[] = [];
  for (const { cluster, value } of values) {
    const known = byCluster.get(cluster);
    if (known === undefined) byCluster.set(cluster, [value]);
    else known.push(value);
    all.push(value);
  }
  const problem = problemOf(Float64Array.from(all));
  if (problem !== null) return err(problem);
  const clusters = [...byCluster.values()].map((members) => trustedSample(Float64Array.from(members).sort()));
  return ok({ clusters, size: all.length });
}

/**
 * What stands for a cluster. `median`: its typical value, unmoved by one odd VM; the rule unless the question is
 * another. `maximum`: its worst, for limits that every VM must keep; comparable only between cohorts of as many VMs an
 * update, as the worst of more is worse.
 */
export type ClusterRule = "median" | "maximum";

/** One value a cluster, which are independent of each other if clusters are. */
export function oneValuePerCluster(sample: ClusteredSample, rule: ClusterRule = "median"): Sample {
  return trustedSample(Float64Array.from(sample.clusters, (cluster) => summary(cluster, rule)).sort());
}

function summary(cluster: Sample, rule: ClusterRule): number {
  switch (rule) {
    case "median":
      return median(cluster);
    case "maximum":
      return cluster[cluster.length - 1]!;
  }
}
