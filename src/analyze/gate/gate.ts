/**
 * The gate: a cohort against a budget, and against a baseline. `GateDocument` is what `blackout gate --json` prints,
 * normative in docs/gate.schema.json. Pure.
 */

import { formatDuration, formatPercent } from "../../base/text/format.js";
import type { Check, CheckStatus, CohortDocument, Verdict } from "../../model/documents/cohort.js";
import type { Comparison } from "../../model/documents/comparison.js";
import type { GateDocument } from "../../model/documents/gate.js";
import type { HealthSample } from "../../model/update-sample.js";
import { type Cohort, unlikeTraits } from "../cohort/cohort.js";
import { BOUND_CONFIDENCE } from "../cohort/distribution.js";
import { metricName, unseenCauses, valuesOf } from "../cohort/metrics.js";
import {
  type Allowance,
  type Budget,
  type CountLimit,
  type Limit,
  type RegressionRule,
  statisticName,
} from "../compare/budget.js";
import { cohortDocument } from "../compare/comparison.js";
import { blackoutReason } from "../compare/reason.js";
import { isDoubtful, metricVerdict } from "../compare/verdict.js";
import { clusteredSampleOf, oneValuePerCluster } from "../statistics/clusters.js";
import {
  lowerQuantileBound,
  percentileOf,
  type QuantileBound,
  sizeForUpperBound,
  upperQuantileBound,
} from "../statistics/order-statistics.js";

export interface GateInput {
  readonly budget: Budget;
  readonly budgetFile: string;
  readonly cohort: Cohort;
  readonly baseline: Cohort | null;
  /** Of baseline and cohort with the budget's floors; null without a baseline, or if nothing can be compared. */
  readonly comparison: Comparison | null;
  readonly requireData: boolean;
}

export function gate(input: GateInput): GateDocument {
  const { budget, cohort, baseline, comparison, requireData } = input;
  const summary = cohortDocument(cohort);
  const checks = [
    ...budget.limits.map((limit) => checkLimit(limit, cohort, baseline, budget)),
    ...(budget.regression === null ? [] : checkRegressions(budget.regression, baseline !== null, comparison)),
    ...budget.counts.map((limit) => checkCount(limit, cohort, budget.allowed)),
    ...outcomeChecks(budget, summary),
    ...updateChecks(budget, summary),
  ];
  const unlike = unlikeTraits(baseline === null ? [cohort] : [baseline, cohort]);
  const failed = checks.some(({ status }) => status === "failed");
  const open = checks.some(({ status }) => status === "undecided" || status === "skipped");
  return {
    format: "blackout-gate",
    version: 1,
    verdict: failed ? "failed" : open && requireData ? "insufficient" : "passed",
    requireData,
    budget: input.budgetFile,
    forced: unlike.length > 0,
    unlike,
    warnings: comparison?.warnings ?? [],
    cohort: summary,
    baseline: baseline === null ? null : cohortDocument(baseline),
    checks,
    comparison,
  };
}

const NO_NUMBERS = { limitNs: null, observedNs: null, lowerNs: null, upperNs: null, neededUpdates: null } as const;

function checkLimit(
  limit: Limit,
  cohort: Cohort,
  baseline: Cohort | null,
  { decideBy, updatesAtLeast }: Budget,
): Check {
  const { metric, statistic, atMostNs, text, why, line } = limit;
  const sample = clusteredSampleOf(valuesOf(cohort, metric));
  const common = { ...NO_NUMBERS, kind: "limit", name: text, why, line, limitNs: atMostNs } as const;
  if (!sample.ok) {
    const message = `${metricName(metric)} was not measured in any update.`;
    return { ...common, status: "undecided", message, updates: 0 };
  }
  const unseen = unseenCauses(baseline === null ? [cohort] : [baseline, cohort], metric);
  if (unseen !== null) {
    return { ...common, status: "undecided", message: unseen, updates: sample.value.clusters.length };
  }
  const limited = formatDuration(atMostNs);
  if (statistic.kind === "max") {
    const all = sample.value.clusters.map((cluster) => cluster[cluster.length - 1]!);
    const worst = Math.max(...all);
    const over = all.filter((value) => value > atMostNs).length;
    const message =
      over === 0
        ? `The longest of ${all.length} updates took ${formatDuration(worst)}.`
        : `${over} of ${all.length} updates took longer than ${limited}; the longest ${formatDuration(worst)}.`;
    return { ...common, status: over === 0 ? "passed" : "failed", message, observedNs: worst, updates: all.length };
  }
  // Several VMs of an update are one observation of it: a limit for every VM is kept by the slowest of each.
  const perUpdate = oneValuePerCluster(sample.value, metric.kind === "vm-blackout" ? "maximum" : "median");
  const p = statistic.percentile / 100;
  const observedNs = Math.round(percentileOf(perUpdate, statistic.percentile));
  const known = (bound: QuantileBound): number | null => (bound.kind === "known" ? Math.round(bound.value) : null);
  const lowerNs = known(lowerQuantileBound(perUpdate, p, BOUND_CONFIDENCE));
  const upperNs = known(upperQuantileBound(perUpdate, p, BOUND_CONFIDENCE));
  const needed = Math.max(sizeForUpperBound(p, BOUND_CONFIDENCE), updatesAtLeast?.count ?? 0);
  const name = `${statisticName(statistic)} of ${metricName(metric)}`;
  const bounds = `between ${lowerNs === null ? "?" : formatDuration(lowerNs)} and ${upperNs === null ? "?" : formatDuration(upperNs)}`;
  const updates = perUpdate.length;
  const decided = { ...common, observedNs, lowerNs, upperNs, updates };
  if (decideBy === "sample") {
    const status = observedNs <= atMostNs ? "passed" : "failed";
    return { ...decided, status, message: `The ${name} is ${formatDuration(observedNs)} in ${updates} updates.` };
  }
  if (lowerNs !== null && lowerNs > atMostNs) {
    return { ...decided, status: "failed", message: `The ${name} is above ${limited}: it lies ${bounds}.` };
  }
  if (upperNs !== null && upperNs <= atMostNs) {
    return { ...decided, status: "passed", message: `The ${name} is within ${limited}: it lies ${bounds}.` };
  }
  const sampleSays = `the sample's is ${formatDuration(observedNs)}`;
  const message =
    upperNs === null
      ? `${updates} updates do not bound the ${name} from above, ${needed} would; ${sampleSays}.`
      : `The ${name} lies ${bounds}, ${limited} is in between; ${sampleSays}. More updates narrow it.`;
  return { ...decided, status: "undecided", message, neededUpdates: upperNs === null ? needed : null };
}

function checkRegressions(rule: RegressionRule, hasBaseline: boolean, comparison: Comparison | null): readonly Check[] {
  return rule.failOn.map((scope): Check => {
    const common = {
      ...NO_NUMBERS,
      kind: "regression",
      name: `no regression: ${scope}`,
      why: "",
      line: rule.line,
    } as const;
    if (comparison === null) {
      const message = hasBaseline
        ? "A cohort has no completed update whose blackout is known."
        : "Not looked at: no --baseline was given.";
      return { ...common, status: hasBaseline ? "undecided" : "skipped", message, updates: 0 };
    }
    const updates = comparison.candidate.measured;
    const [blackout] = comparison.metrics;
    if (blackout === undefined) throw new Error("a comparison without its primary metric");
    if (scope === "blackout") {
      const tooCoarse =
        rule.detectShare !== null &&
        (blackout.detectableNs === null || blackout.detectableNs > rule.detectShare * blackout.base.medianNs);
      const verdict = metricVerdict(blackout);
      const doubtful = blackout.percentileShifts.some((shift) => isDoubtful(shift, blackout.floorNs));
      const status = regressionStatus(verdict, tooCoarse || doubtful);
      const coarse =
        status === "undecided" && tooCoarse && verdict === "inconclusive"
          ? ` The budget asks to detect ${formatPercent(rule.detectShare ?? 0)}: take more updates, or quieter ones.`
          : "";
      return {
        ...common,
        status,
        message: `${blackoutReason(comparison)}${coarse}`,
        observedNs: blackout.shiftNs,
        lowerNs: blackout.shiftIntervalNs?.[0] ?? null,
        upperNs: blackout.shiftIntervalNs?.[1] ?? null,
        updates,
        neededUpdates: blackout.neededUpdates,
      };
    }
    const judged =
      scope === "phases"
        ? comparison.metrics
            .slice(1)
            .flatMap(({ name, verdict, shiftNs, percentileShifts }) => [
              { name, verdict, shiftNs },
              ...percentileShifts.map((shift) => ({ ...shift, name: `${name} p${shift.percentile}` })),
            ])
        : comparison.causes.map(({ kind, id, verdict, shiftNs }) => ({ name: `${kind}:${id}`, verdict, shiftNs }));
    const regressed = judged.filter(({ verdict }) => verdict === "regressed");
    if (regressed.length > 0) {
      const named = regressed.slice(0, 5).map(({ name, shiftNs }) => `${name} by ${formatDuration(shiftNs)}`);
      const more = regressed.length > 5 ? `, and ${regressed.length - 5} more` : "";
      return { ...common, status: "failed", message: `Longer: ${named.join(", ")}${more}.`, updates };
    }
    const tooFew = judged.length > 0 && judged.every(({ verdict }) => verdict === "insufficient");
    const message = tooFew
      ? "Too few updates: no difference, however large, could be shown."
      : `None of ${judged.length} ${scope} is shown to be longer.`;
    return { ...common, status: tooFew ? "undecided" : "passed", message, updates };
  });
}

function regressionStatus(verdict: Verdict, tooCoarse: boolean): CheckStatus {
  switch (verdict) {
    case "regressed":
      return "failed";
    case "improved":
    case "unchanged":
      return "passed";
    case "inconclusive":
      return tooCoarse ? "undecided" : "passed";
    case "insufficient":
      return "undecided";
  }
}

/** How often a complaint or an outcome was seen, over all updates, whether they completed or not. */
function checkCount({ of, atMost, text, why, line }: CountLimit, cohort: Cohort, allowed: readonly Allowance[]): Check {
  const common = { ...NO_NUMBERS, name: text, why, line, updates: cohort.updates.length } as const;
  if (of.kind === "outcomes") {
    const found = cohort.updates.filter(({ outcome }) => outcome === of.name);
    const named = found.slice(0, 3).map(({ source, outcomeReason }) => `${source}: ${outcomeReason}`);
    return {
      ...common,
      kind: "outcomes",
      status: found.length <= atMost ? "passed" : "failed",
      message: `${found.length} of ${cohort.updates.length} updates: ${of.name}.${named.length === 0 ? "" : ` ${named.join("; ")}`}`,
    };
  }
  const isMeant = ({ class: name, severity, text: line }: HealthSample): boolean =>
    (of.name === "any" || of.name === name || of.name === severity) &&
    !(line !== "" && allowed.some(({ pattern }) => pattern.test(line)));
  const found = cohort.updates.flatMap(({ source, health }) =>
    (health ?? []).filter(isMeant).map((each) => ({ source, ...each })),
  );
  const total = found.reduce((sum, { count }) => sum + count, 0);
  const unknown = cohort.updates.filter(({ health }) => health === null).length;
  const named = found.slice(0, 3).map(({ source, boot, text: line }) => `${source}: ${boot} kernel: '${line}'`);
  const missing = unknown === 0 ? "" : ` The health of ${unknown} of ${cohort.updates.length} updates is not recorded.`;
  return {
    ...common,
    kind: "health",
    status: total > atMost ? "failed" : unknown > 0 ? "undecided" : "passed",
    message: `${total} ${total === 1 ? "complaint" : "complaints"} in ${cohort.updates.length} updates.${named.length === 0 ? "" : ` ${named.join("; ")}`}${missing}`,
  };
}

function outcomeChecks({ failedAtMost }: Budget, cohort: CohortDocument): readonly Check[] {
  if (failedAtMost === null) return [];
  const failed = cohort.updates - cohort.outcomes.completed;
  const worst = cohort.excluded.filter(({ outcome }) => outcome !== "completed").slice(0, 3);
  const named = worst.map(({ source, reason }) => `${source}: ${reason}`).join("; ");
  return [
    {
      ...NO_NUMBERS,
      kind: "outcomes",
      name: `not completed <= ${failedAtMost.count}`,
      status: failed <= failedAtMost.count ? "passed" : "failed",
      message: `${failed} of ${cohort.updates} updates did not complete.${named === "" ? "" : ` ${named}`}`,
      why: "",
      line: failedAtMost.line,
      updates: cohort.updates,
    },
  ];
}

function updateChecks({ updatesAtLeast }: Budget, cohort: CohortDocument): readonly Check[] {
  if (updatesAtLeast === null) return [];
  const enough = cohort.measured >= updatesAtLeast.count;
  return [
    {
      ...NO_NUMBERS,
      kind: "updates",
      name: `updates >= ${updatesAtLeast.count}`,
      status: enough ? "passed" : "undecided",
      message: `${cohort.measured} updates were measured.`,
      why: "",
      line: updatesAtLeast.line,
      updates: cohort.measured,
      neededUpdates: enough ? null : updatesAtLeast.count,
    },
  ];
}
