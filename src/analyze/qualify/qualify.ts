/**
 * From which kernel to which an update may go: a matrix of cohorts by old and new kernel. `QualifyDocument` is what
 * `blackout qualify --json` prints, normative in docs/qualify.schema.json. Pure.
 */

import { formatDuration, formatPercent, formatSigned } from "../../base/text/format.js";
import type { Check } from "../../model/documents/cohort.js";
import type { Floors } from "../../model/documents/comparison.js";
import type { CellStatus, QualifyCell, QualifyDocument, Reference } from "../../model/documents/qualify.js";
import { doubtOf } from "../../model/trusted-durations.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { type Cohort, countOutcomes, excludedOf, isMeasured, unlikeTraits } from "../cohort/cohort.js";
import { distributionOf } from "../cohort/distribution.js";
import { valuesOf } from "../cohort/metrics.js";
import type { Budget } from "../compare/budget.js";
import { compareCohorts } from "../compare/comparison.js";
import { ALARM_LEVELS } from "../compare/levels.js";
import { pText } from "../compare/reason.js";
import { type Judgement, judgeFamily, type Pair, pairOf } from "../compare/verdict.js";
import { gate } from "../gate/gate.js";
import { clusteredSampleOf } from "../statistics/clusters.js";
import { isNotSeenSentence } from "../update/restoration.js";

export interface QualifyOptions {
  /** Empty: those that the updates have. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly reference: Reference;
  readonly budget: Budget | null;
  readonly floors: Floors;
  readonly seed: number;
}

/** In place of a kernel that no part of the capture names. */
export const UNKNOWN_KERNEL = "unknown";

export function qualify(updates: readonly UpdateSample[], options: QualifyOptions): QualifyDocument {
  const groups = new Map<string, UpdateSample[]>();
  const unnamed: string[] = [];
  for (const update of updates) {
    const { old, new: fresh } = update.kernel;
    if (old === null || fresh === null) unnamed.push(update.source);
    const key = pairKey(old ?? UNKNOWN_KERNEL, fresh ?? UNKNOWN_KERNEL);
    groups.set(key, [...(groups.get(key) ?? []), update]);
  }
  const versions = sorted(updates.flatMap(({ kernel }) => [kernel.old ?? [], kernel.new ?? []].flat()));
  const asked = {
    rows: options.from.length > 0 ? options.from : versions,
    columns: options.to.length > 0 ? options.to : versions,
  };
  const cohortAt = (old: string, fresh: string): Cohort => ({
    name: `${old} → ${fresh}`,
    updates: groups.get(pairKey(old, fresh)) ?? [],
  });
  const known = asked.rows.flatMap((old) => asked.columns.map((fresh) => ({ old, fresh })));
  const unknown = withUnknown(asked.rows, asked.columns).filter(({ old, fresh }) => groups.has(pairKey(old, fresh)));
  const places = [...known, ...unknown];
  const rows = [...asked.rows, ...(unknown.some(({ old }) => old === UNKNOWN_KERNEL) ? [UNKNOWN_KERNEL] : [])];
  const columns = [
    ...asked.columns,
    ...(unknown.some(({ fresh }) => fresh === UNKNOWN_KERNEL) ? [UNKNOWN_KERNEL] : []),
  ];
  const compared = places.flatMap(({ old, fresh }) => {
    const reference = referenceOf(old, fresh, options.reference);
    const pair = reference === null ? null : pairBetween(cohortAt(reference, reference), cohortAt(old, fresh));
    return pair === null || reference === null ? [] : [{ old, fresh, reference, pair }];
  });
  // One level for the whole matrix: twelve cells must not raise twelve times as many alarms.
  const judged = judgeFamily(
    compared.map(({ pair }) => pair),
    ALARM_LEVELS.primary,
    options.floors,
  );
  const judgements = new Map(
    compared.map(({ old, fresh, reference }, i) => [pairKey(old, fresh), { reference, judgement: judged[i]! }]),
  );
  const cells = places.map(({ old, fresh }): QualifyCell => {
    const found = judgements.get(pairKey(old, fresh)) ?? null;
    const reference = found === null ? null : cohortAt(found.reference, found.reference);
    return cellOf(old, fresh, cohortAt(old, fresh), reference, found, options);
  });
  const unlike = unlikeTraits([{ name: "the matrix", updates }]);
  const bad = cells.some(({ status }) => status === "failed" || status === "regressed");
  const open = cells.some(({ status }) => status === "not-tested");
  return {
    format: "blackout-qualify",
    version: 1,
    verdict: bad ? "failed" : open ? "incomplete" : "passed",
    forced: unlike.length > 0,
    unlike,
    reference: options.reference,
    old: rows,
    new: columns,
    cells,
    unnamed,
  };
}

/** The pairs in which a kernel is not known: an update that died before its new kernel logged its version is in one. */
function withUnknown(
  rows: readonly string[],
  columns: readonly string[],
): readonly { readonly old: string; readonly fresh: string }[] {
  return [
    ...rows.map((old) => ({ old, fresh: UNKNOWN_KERNEL })),
    ...columns.map((fresh) => ({ old: UNKNOWN_KERNEL, fresh })),
    { old: UNKNOWN_KERNEL, fresh: UNKNOWN_KERNEL },
  ];
}

function pairKey(old: string, fresh: string): string {
  return `${old}\0${fresh}`;
}

function sorted(versions: readonly string[]): readonly string[] {
  return [...new Set(versions)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }) || (a < b ? -1 : 1));
}

/** The kernel whose updates to itself are the reference; null if there is none, or if the cell is its own. */
function referenceOf(old: string, fresh: string, reference: Reference): string | null {
  if (old === fresh) return null;
  switch (reference) {
    case "old":
      return old;
    case "new":
      return fresh;
    case "none":
      return null;
  }
}

function pairBetween(reference: Cohort, cohort: Cohort): Pair | null {
  const [from, to] = [reference, cohort].map((each) => clusteredSampleOf(valuesOf(each, { kind: "blackout" })));
  return from?.ok && to?.ok ? pairOf(from.value, to.value) : null;
}

function cellOf(
  old: string,
  fresh: string,
  cohort: Cohort,
  reference: Cohort | null,
  found: { readonly reference: string; readonly judgement: Judgement } | null,
  options: QualifyOptions,
): QualifyCell {
  const outcomes = countOutcomes(cohort);
  const excluded = excludedOf(cohort);
  const sample = clusteredSampleOf(valuesOf(cohort, { kind: "blackout" }));
  const checks = checksOf(cohort, options.budget);
  const failures = excluded.filter(({ outcome }) => outcome !== "completed");
  const doubted = cohort.updates.filter(
    (update) => update.outcome === "completed" && !isMeasured(update) && doubtOf(update) !== null,
  );
  // An update whose evidence contradicts itself is not evidence about its kernels.
  const isUntested = cohort.updates.length === 0 || (doubted.length > 0 && !sample.ok && failures.length === 0);
  const breached = checks.filter(({ status }) => status === "failed");
  const verdict = found?.judgement.verdict ?? null;
  const status: CellStatus = isUntested
    ? "not-tested"
    : failures.length > 0
      ? "failed"
      : breached.length > 0 || verdict === "regressed"
        ? "regressed"
        : "passed";
  const evidence = [
    ...(cohort.updates.length === 0 ? ["No update from this kernel to that one."] : [outcomeSentence(cohort)]),
    ...failures.map(({ source, outcome, reason }) => `${source}: ${outcome}: ${reason}`),
    ...doubted.map((update) => `${update.source}: its blackout is not counted: ${doubtOf(update)}`),
    ...breached.map(({ name, message }) => `${name}: ${message}`),
    ...notSeenSentences(cohort),
    ...healthSentence(cohort),
    ...(found === null || reference === null ? [] : [comparedSentence(cohort, reference, found.judgement, options)]),
  ];
  return {
    old,
    new: fresh,
    status,
    evidence,
    updates: cohort.updates.length,
    outcomes,
    excluded,
    blackout: sample.ok ? distributionOf(sample.value) : null,
    comparison:
      found === null
        ? null
        : {
            with: [found.reference, found.reference],
            verdict: found.judgement.verdict,
            shiftNs: Math.round(found.judgement.shiftNs),
            pValue: found.judgement.pValue,
            adjustedP: found.judgement.adjustedP,
            neededUpdates: found.judgement.neededUpdates,
          },
    checks,
    sources: cohort.updates.map(({ source }) => source),
  };
}

/** Limits only: outcomes are the cell's own matter, and regressions the matrix'. */
function checksOf(cohort: Cohort, budget: Budget | null): readonly Check[] {
  if (budget === null || cohort.updates.length === 0) return [];
  const limits: Budget = { ...budget, regression: null, failedAtMost: null };
  const input = { budget: limits, budgetFile: "", cohort, baseline: null, comparison: null, requireData: false };
  return gate(input).checks;
}

function outcomeSentence(cohort: Cohort): string {
  const completed = cohort.updates.filter(({ outcome }) => outcome === "completed").length;
  const measured = cohort.updates.filter(isMeasured).length;
  const known = measured === completed ? "" : `, ${measured} with a known blackout`;
  return `${completed} of ${cohort.updates.length} updates completed${known}.`;
}

/** Updates that completed, and were not seen to restore all: their word stands beside the verdict. */
function notSeenSentences({ updates }: Cohort): readonly string[] {
  return updates.flatMap(({ source, outcome, outcomeReason }) =>
    outcome === "completed" && isNotSeenSentence(outcomeReason) ? [`${source}: completed: ${outcomeReason}`] : [],
  );
}

function healthSentence({ updates }: Cohort): readonly string[] {
  const all = updates.flatMap(({ source, health }) => (health ?? []).map((each) => ({ source, ...each })));
  const [first] = all;
  if (first === undefined) return [];
  const counts = new Map<string, number>();
  for (const { class: name, count } of all) counts.set(name, (counts.get(name) ?? 0) + count);
  const named = [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
  const line = first.text === "" ? "" : `; the first: ${first.source}: '${first.text}'`;
  return [`The kernels complained: ${named}${line}.`];
}

function comparedSentence(
  cohort: Cohort,
  reference: Cohort,
  { verdict, shiftNs, adjustedP, neededUpdates }: Judgement,
  { floors, seed }: QualifyOptions,
): string {
  const against = `Blackout ${formatSigned(shiftNs)} against ${reference.name} (${pText(adjustedP)})`;
  switch (verdict) {
    case "regressed":
    case "improved": {
      const causes = compareCohorts(reference, cohort, { floors, seed })?.causes ?? [];
      const shown = causes.filter(({ shiftIntervalNs: [low, high] }) => low > 0 || high < 0).slice(0, 3);
      const why = shown.map(({ kind, id, shiftNs: ns }) => `${kind} ${id} ${formatSigned(ns)}`).join(", ");
      return `${against}: ${verdict}${why === "" ? "" : `, most in ${why}`}.`;
    }
    case "unchanged":
      return `${against}: unchanged within ${formatDuration(Math.max(floors.absoluteNs, 0))} or ${formatPercent(floors.relative)}.`;
    case "inconclusive":
      return `${against}: neither a change nor its absence is shown.`;
    case "insufficient":
      return `${against}: too few updates to show a difference, ${neededUpdates ?? "more"} a side are needed.`;
  }
}
