/** A gate as text for a person. Pure. */

import { unlikeSentence } from "../../analyze/cohort/cohort.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatNeeded, formatSigned } from "../../base/text/format.js";
import type { Check, CheckStatus } from "../../model/documents/cohort.js";
import type { GateDocument } from "../../model/documents/gate.js";
import type { Style } from "../terminal/terminal-style.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";
import { wrap } from "../terminal/terminal-text.js";
import type { TextLayout } from "../update/analyze-text.js";

const STATUS_STYLE: Readonly<Record<CheckStatus, Style>> = {
  passed: "good",
  failed: "bad",
  undecided: "warning",
  skipped: "quiet",
};
const VERDICT_STYLE: Readonly<Record<GateDocument["verdict"], Style>> = {
  passed: "good",
  failed: "bad",
  insufficient: "warning",
};

export function gateText(gate: GateDocument, layout: TextLayout): string {
  const { palette, width } = layout;
  const prose = (text: string, indent = ""): string =>
    wrap(escapeControls(text), (width ?? 100) - indent.length)
      .map((line) => `${indent}${line}\n`)
      .join("");
  const against = gate.baseline === null ? "" : ` against ${gate.baseline.name}`;
  const verdict = palette[VERDICT_STYLE[gate.verdict]](gate.verdict);
  const head = `${palette.heading(escapeControls(`${gate.cohort.name}${against}`))}  ${verdict}\n`;
  const forced = gate.forced
    ? `${palette.bad("FORCED")}: ${prose(`unlike cohorts are compared. ${gate.unlike.map(unlikeSentence).join("; ")}.`)}`
    : "";
  const warnings = gate.warnings.map(({ message }) => `${palette.warning("warning:")} ${prose(message)}`).join("");
  const rows = gate.checks.map((check): readonly Cell[] => [
    { text: check.status, style: STATUS_STYLE[check.status] },
    check.name,
    observed(check),
    check.lowerNs === null && check.upperNs === null ? "" : bounds(check),
    `n=${check.updates}`,
    check.neededUpdates === null ? "" : { text: formatNeeded(check.neededUpdates), style: "warning" },
  ]);
  const columns = [
    leftColumn("result"),
    leftColumn("check", "middle"),
    rightColumn("observed"),
    leftColumn("between"),
    rightColumn(""),
    leftColumn(""),
  ];
  const told = gate.checks
    .filter(({ status }) => status !== "passed")
    .map((check) => {
      const why = check.why === "" ? "" : palette.quiet(prose(check.why, "    "));
      const at = palette.quiet(escapeControls(`${gate.budget}:${check.line}`));
      return `  ${palette[STATUS_STYLE[check.status]](check.status)} ${escapeControls(check.name)}  ${at}\n${prose(check.message, "    ")}${why}`;
    });
  return [
    head,
    forced,
    warnings,
    "\n",
    renderTable(columns, rows, { ...layout, indent: 2 }),
    ...told.map((each) => `\n${each}`),
  ].join("");
}

function observed({ kind, observedNs }: Check): string {
  if (observedNs === null) return "";
  return kind === "regression" ? formatSigned(observedNs) : formatDuration(observedNs);
}

function bounds({ kind, lowerNs, upperNs }: Check): string {
  const text = kind === "regression" ? formatSigned : formatDuration;
  return `${lowerNs === null ? "?" : text(lowerNs)} … ${upperNs === null ? "?" : text(upperNs)}`;
}
