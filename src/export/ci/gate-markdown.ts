/** A gate as Markdown: the step summary of a CI run, or a comment. */

import { unlikeSentence } from "../../analyze/cohort/cohort.js";
import { partsText } from "../../analyze/compare/reason.js";
import { formatDuration, formatSigned } from "../../base/text/format.js";
import type { Check, CheckStatus } from "../../model/documents/cohort.js";
import type { GateDocument } from "../../model/documents/gate.js";
import { causeName } from "../../model/update-sample.js";
import { escapeMarkdown, markdownTable } from "./markdown.js";

const MARK: Readonly<Record<CheckStatus, string>> = {
  passed: "✅ passed",
  failed: "❌ failed",
  undecided: "⚠️ undecided",
  skipped: "➖ skipped",
};

const HEADLINE: Readonly<Record<GateDocument["verdict"], string>> = {
  passed: "✅ Blackout gate passed",
  failed: "❌ Blackout gate failed",
  insufficient: "⚠️ Blackout gate: not enough data",
};

export function gateMarkdown(gate: GateDocument): string {
  const against = gate.baseline === null ? "" : ` against ${escapeMarkdown(gate.baseline.name)}`;
  const { measured, updates } = gate.cohort;
  return [
    `## ${HEADLINE[gate.verdict]}\n\n`,
    `${escapeMarkdown(gate.cohort.name)}${against}, ${measured} of ${updates} updates measured.\n\n`,
    gate.forced
      ? `**Forced: unlike cohorts.** ${gate.unlike.map((each) => escapeMarkdown(unlikeSentence(each))).join("; ")}.\n\n`
      : "",
    ...gate.warnings.map(({ message }) => `> ⚠️ ${escapeMarkdown(message)}\n\n`),
    markdownTable(["check", "result", "limit", "observed", "why"], gate.checks.map(row)),
    causes(gate),
  ].join("");
}

function row(check: Check): readonly string[] {
  return [
    `${escapeMarkdown(check.name)}${check.why === "" ? "" : `<br><sub>${escapeMarkdown(check.why)}</sub>`}`,
    MARK[check.status],
    check.limitNs === null ? "" : formatDuration(check.limitNs),
    check.observedNs === null
      ? ""
      : check.kind === "regression"
        ? formatSigned(check.observedNs)
        : formatDuration(check.observedNs),
    escapeMarkdown(check.message),
  ];
}

const CAUSES_SHOWN = 8;

function causes({ comparison }: GateDocument): string {
  if (comparison === null || comparison.breakdown === null || comparison.causes[0]?.share == null) return "";
  const rows = comparison.causes
    .slice(0, CAUSES_SHOWN)
    .map((cause) => [
      escapeMarkdown(causeName(cause)),
      escapeMarkdown(cause.detail),
      formatSigned(cause.shiftNs),
      cause.share === null ? "" : `${(100 * cause.share).toFixed(1)} %`,
      `${formatSigned(cause.shiftIntervalNs[0])} … ${formatSigned(cause.shiftIntervalNs[1])}`,
      cause.presence === "both" ? "" : cause.presence,
      escapeMarkdown(partsText(cause.parts)),
    ]);
  const head = ["cause", "", "shift", "share", "between", "", ""];
  return `\n**Why:** ${formatSigned(comparison.breakdown.totalNs)} on average\n\n${markdownTable(head, rows)}`;
}
