/** What is measured of every update of a cohort: the blackout, its VMs', each phase, each cause. */

import { err, ok, type Result } from "../../base/result.js";
import { globMatcher } from "../../base/text/glob.js";
import { didYouMean } from "../../base/text/suggest.js";
import { PHASES, type PhaseName } from "../../model/live-update.js";
import {
  CAUSE_KINDS,
  type CauseKind,
  type CauseSample,
  causeKey,
  type UpdateSample,
} from "../../model/update-sample.js";
import { parseSelector } from "../attribution/views/selector.js";
import type { ClusteredValue } from "../statistics/clusters.js";
import { type Cohort, isMeasured } from "./cohort.js";

export type Metric =
  | { readonly kind: "blackout" }
  /** Of each VM; those of one update are one cluster. */
  | { readonly kind: "vm-blackout" }
  | { readonly kind: "phase"; readonly phase: PhaseName }
  /** Of a phase what LUO worked: `restore-work`. */
  | { readonly kind: "phase-work"; readonly phase: PhaseName }
  | { readonly kind: "cause"; readonly cause: CauseKind; readonly id: string }
  /** All causes that a selector names, together: `device:e1000`, `initcall:pci_*`, `device:e1000/shutdown`. */
  | { readonly kind: "causes"; readonly selector: CauseSelector };

/** As `blackout what-if` selects spans: by id or detail (a device's driver), with `*`, and by what was done. */
export interface CauseSelector {
  readonly cause: CauseKind;
  readonly glob: string;
  readonly action: string | null;
  readonly text: string;
}

/** Ends the name of a phase's work. */
const WORK = "-work";

/** `blackout`, `vm-blackout`, `kexec`, `device:0000:00:03.0`. */
export function metricName(metric: Metric): string {
  switch (metric.kind) {
    case "blackout":
    case "vm-blackout":
      return metric.kind;
    case "phase":
      return metric.phase;
    case "phase-work":
      return `${metric.phase}${WORK}`;
    case "cause":
      return causeKey({ kind: metric.cause, id: metric.id });
    case "causes":
      return metric.selector.text;
  }
}

/** The metric of a name, or why there is none: a sentence. */
export function parseMetric(name: string): Result<Metric, string> {
  if (name === "blackout" || name === "vm-blackout") return ok({ kind: name });
  const phase = PHASES.find((known) => known === name);
  if (phase !== undefined) return ok({ kind: "phase", phase });
  const worked = PHASES.find((known) => `${known}${WORK}` === name);
  if (worked !== undefined) return ok({ kind: "phase-work", phase: worked });
  if (name === "unattributed") {
    return ok({ kind: "causes", selector: { cause: "unattributed", glob: "*", action: null, text: name } });
  }
  const selector = parseSelector(name);
  const cause = CAUSE_KINDS.find((known) => selector.ok && known === selector.value.kind);
  if (selector.ok && cause !== undefined) {
    const { glob, action, text } = selector.value;
    return ok({ kind: "causes", selector: { cause, glob, action, text } });
  }
  const kinds = CAUSE_KINDS.map((kind) => (kind === "unattributed" ? kind : `${kind}:`));
  const colon = name.indexOf(":");
  const hint = didYouMean(colon < 0 ? name : name.slice(0, colon + 1), [...METRIC_WORDS, ...kinds]);
  return err(
    `found ${name}, expected blackout, vm-blackout, a phase (${PHASES.join(", ")}), its work (restore-work) or causes (KIND:NAME, like device:e1000)${hint}`,
  );
}

const METRIC_WORDS = ["blackout", "vm-blackout", ...PHASES, ...PHASES.map((phase) => `${phase}${WORK}`)];

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

/** The metric of one update, whatever its outcome: none if it was not seen, several for its VMs. Nanoseconds. */
export function valuesOfUpdate(update: UpdateSample, metric: Metric): readonly number[] {
  switch (metric.kind) {
    case "blackout":
      return update.blackout.durationNs === null ? [] : [update.blackout.durationNs];
    case "vm-blackout":
      return update.vms.flatMap(({ durationNs }) => durationNs ?? []);
    case "phase": {
      const duration = update.phases[metric.phase];
      return duration === null ? [] : [duration];
    }
    case "phase-work": {
      const work = update.work?.[metric.phase] ?? null;
      return work === null ? [] : [work];
    }
    case "cause": {
      if (update.causes === null) return [];
      return [causeTotal(update.causes, metric.cause, metric.id)];
    }
    case "causes":
      return update.causes === null ? [] : [selectedTotal(update.causes, metric.selector)];
  }
}

/** Over all phases. */
function causeTotal(causes: readonly CauseSample[], kind: CauseKind, id: string): number {
  let total = 0;
  for (const cause of causes) if (cause.kind === kind && cause.id === id) total += cause.totalNs;
  return total;
}

/** Whether a selector names a cause, whatever it asks of the cause's parts. */
export function isNamed(
  { kind, id, detail }: Pick<CauseSample, "kind" | "id" | "detail">,
  selector: CauseSelector,
): boolean {
  return kind === selector.cause && [id, detail, ...id.split(" ")].some(globMatcher(selector.glob));
}

/**
 * If a metric names causes and no update of these cohorts has one: that, and which was probably meant, as a
 * sentence; null otherwise. Such a metric is zero throughout, and keeps every limit: a misspelt one must not look like
 * a kept one.
 */
export function unseenCauses(cohorts: readonly Cohort[], metric: Metric): string | null {
  if (metric.kind !== "causes" || metric.selector.cause === "unattributed") return null;
  const { selector } = metric;
  const causes = cohorts.flatMap(({ updates }) => updates.filter(isMeasured).flatMap((update) => update.causes ?? []));
  const isOf = (part: { readonly name: string }): boolean => part.name === selector.action;
  if (causes.some((cause) => isNamed(cause, selector) && (selector.action === null || cause.parts.some(isOf))))
    return null;
  const known = new Set<string>();
  for (const { kind, id, detail, parts } of causes) {
    for (const name of [detail, id]) {
      if (name === "") continue;
      if (selector.action === null) known.add(`${kind}:${name}`);
      else for (const part of parts) known.add(`${kind}:${name}/${part.name}`);
    }
  }
  return `No update has a cause named ${selector.text}${didYouMean(selector.text, known) || "."}`;
}

function selectedTotal(causes: readonly CauseSample[], selector: CauseSelector): number {
  let total = 0;
  for (const cause of causes) {
    if (!isNamed(cause, selector)) continue;
    const { parts, totalNs } = cause;
    if (selector.action === null) total += totalNs;
    else for (const part of parts) if (part.name === selector.action) total += part.totalNs;
  }
  return total;
}

/** Whether any update has more than one VM: only then does `vm-blackout` say more than `blackout`. */
export function hasSeveralVms(cohort: Cohort): boolean {
  return cohort.updates.some(({ vms }) => vms.length > 1);
}
