/** A qualification matrix as Markdown. */

import { unlikeSentence } from "../../analyze/cohort/cohort.js";
import { formatDuration } from "../../base/text/format.js";
import type { CellStatus, QualifyCell, QualifyDocument } from "../../model/documents/qualify.js";
import { escapeMarkdown, markdownTable } from "./markdown.js";

const MARK: Readonly<Record<CellStatus, string>> = {
  passed: "✅ passed",
  regressed: "🐢 regressed",
  failed: "❌ failed",
  "not-tested": "➖ not tested",
};

export function qualifyMarkdown(matrix: QualifyDocument): string {
  const cellAt = (old: string, fresh: string) => matrix.cells.find((cell) => cell.old === old && cell.new === fresh);
  const rows = matrix.old.map((old) => [
    `**${escapeMarkdown(old)}**`,
    ...matrix.new.map((fresh) => {
      const cell = cellAt(old, fresh);
      return cell === undefined ? "" : cellText(cell);
    }),
  ]);
  const details = matrix.cells.map(
    (cell) =>
      `- **${escapeMarkdown(cell.old)} → ${escapeMarkdown(cell.new)}**: ${MARK[cell.status]}\n${cell.evidence
        .map((each) => `  - ${escapeMarkdown(each)}\n`)
        .join("")}`,
  );
  return [
    `## Live update qualification: ${matrix.verdict}\n\n`,
    matrix.forced
      ? `**Forced: unlike updates.** ${matrix.unlike.map((each) => escapeMarkdown(unlikeSentence(each))).join("; ")}.\n\n`
      : "",
    markdownTable(["from \\ to", ...matrix.new.map(escapeMarkdown)], rows),
    "\n",
    ...details,
  ].join("");
}

function cellText({ status, blackout, updates }: QualifyCell): string {
  return blackout === null ? MARK[status] : `${MARK[status]}<br>${formatDuration(blackout.medianNs)}, n=${updates}`;
}
