/** What is measured of every update of a cohort: the blackout, its VMs', each phase, each cause. */
import { err, ok, type Result } from "../../base/result.js";
import { didYouMean } from "../../base/suggest.js";
import { PHASES, type PhaseName } from "../live-update.js";
import type { ClusteredValue } from "../statistics/clusters.js";
import { type Cohort, isMeasured } from "./cohort.js";
import { CAUSE_KINDS, type CauseKind, type CauseSample, causeKey, type UpdateSample } from "./update-sample.js";

export type Metric =
  | { readonly kind: "blackout" }
  /** Of each VM; those of one update are one cluster. */
  | { readonly kind: "vm-blackout" }
  | { readonly kind: "phase"; readonly phase: PhaseName }
  | { readonly kind: "cause"; readonly cause: CauseKind; readonly id: string };

/** `blackout`, `vm-blackout`, `kexec`, `device:0000:00:03.0`. */
export function metricName(metric: Metric): string {
  switch (metric.kind) {
    case "blackout":
    case "vm-blackout":
      return metric.kind;
    case "phase":
      return metric.phase;
    case "cause":
      return causeKey({ kind: metric.cause, id: metric.id });
  }
}

/** The metric of a name; the error completes "found NAME". */
export function parseMetric(name: string): Result<Metric, string> {
  if (name === "blackout" || name === "vm-blackout") return ok({ kind: name });
  const phase = PHASES.find((known) => known === name);
  if (phase !== undefined) return ok({ kind: "phase", phase });
  const colon = name.indexOf(":");
  const word = colon < 0 ? name : name.slice(0, colon);
  const cause = CAUSE_KINDS.find((known) => known === word);
  if (cause !== undefined && colon > 0 && colon < name.length - 1) {
    return ok({ kind: "cause", cause, id: name.slice(colon + 1) });
  }
  if (cause === "seam" || cause === "unattributed") return ok({ kind: "cause", cause, id: cause });
  if (cause !== undefined) return err(`${name} without an id, expected ${cause}:ID`);
  const known = ["blackout", "vm-blackout", ...PHASES, ...CAUSE_KINDS.map((kind) => `${kind}:`)];
  const hint = didYouMean(colon < 0 ? name : `${word}:`, known);
  return err(`${name}, expected blackout, vm-blackout, a phase (${PHASES.join(", ")}) or a cause (KIND:ID)${hint}`);
}

/**
 * The metric of every measured update, in the cohort's order; each update is a cluster. An update in which a phase was
 * not seen has no value; one in which a cause did not run has zero, as it took none of the blackout.
 */
export function valuesOf(cohort: Cohort, metric: Metric): readonly ClusteredValue[] {
  const values: ClusteredValue[] = [];
  for (const [i, update] of cohort.updates.entries()) {
    if (!isMeasured(update)) continue;
    for (const value of valuesOfUpdate(update, metric)) values.push({ cluster: String(i), value });
  }
  return values;
}

function valuesOfUpdate(update: UpdateSample, metric: Metric): readonly number[] {
  switch (metric.kind) {
    case "blackout":
      return update.blackout.durationNs === null ? [] : [update.blackout.durationNs];
    case "vm-blackout":
      return update.vms.flatMap(({ durationNs }) => durationNs ?? []);
    case "phase": {
      const duration = update.phases[metric.phase];
      return duration === null ? [] : [duration];
    }
    case "cause": {
      if (update.causes === null) return [];
      return [causeTotal(update.causes, metric.cause, metric.id)];
    }
  }
}

/** Over all phases. */
export function causeTotal(causes: readonly CauseSample[], kind: CauseKind, id: string): number {
  let total = 0;
  for (const cause of causes) if (cause.kind === kind && cause.id === id) total += cause.totalNs;
  return total;
}

/** Whether any update has more than one VM: only then does `vm-blackout` say more than `blackout`. */
export function hasSeveralVms(cohort: Cohort): boolean {
  return cohort.updates.some(({ vms }) => vms.length > 1);
}
