/**
 * A qualification matrix as one HTML file: no script, nothing fetched (the content policy enforces this), light and
 * dark, readable on paper. Every text of a capture is escaped.
 */

import { unlikeSentence } from "../../analyze/cohort/cohort.js";
import { formatDuration } from "../../base/text/format.js";
import type { CellStatus, QualifyCell, QualifyDocument } from "../../model/documents/qualify.js";
import { escapeXml } from "./xml.js";

const WORD: Readonly<Record<CellStatus, string>> = {
  passed: "✓ passed",
  regressed: "▲ regressed",
  failed: "✗ failed",
  "not-tested": "– not tested",
};

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --good: #1a7f37; --warn: #9a6700; --bad: #cf222e; --quiet: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --warn: #d29922; --bad: #f85149; --quiet: #8b949e; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; } .scroll { overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .5rem .75rem; text-align: left; vertical-align: top; }
td a { color: inherit; text-decoration: none; } td a:hover { text-decoration: underline; }
.passed { color: var(--good); } .regressed { color: var(--warn); } .failed { color: var(--bad); } .not-tested { color: var(--quiet); }
.small { color: var(--quiet); font-size: .85em; } section { margin-top: 1.5rem; break-inside: avoid; }
li { overflow-wrap: anywhere; }
`;

export function qualifyHtml(matrix: QualifyDocument): string {
  const idOf = (cell: QualifyCell): string => `cell-${matrix.cells.indexOf(cell)}`;
  const cellAt = (old: string, fresh: string) => matrix.cells.find((cell) => cell.old === old && cell.new === fresh);
  const rows = matrix.old.map((old) => {
    const cells = matrix.new.map((fresh) => {
      const cell = cellAt(old, fresh);
      if (cell === undefined) return "<td></td>";
      const { status, blackout, updates } = cell;
      const size =
        blackout === null ? "" : `<br><span class="small">${formatDuration(blackout.medianNs)}, n=${updates}</span>`;
      return `<td><a href="#${idOf(cell)}"><strong class="${status}">${WORD[status]}</strong>${size}</a></td>`;
    });
    return `<tr><th scope="row">${escapeXml(old)}</th>${cells.join("")}</tr>\n`;
  });
  const sections = matrix.cells.map((cell) => {
    const evidence = cell.evidence.map((each) => `<li>${escapeXml(each)}</li>\n`).join("");
    const sources = cell.sources.map((source) => `<li>${escapeXml(source)}</li>\n`).join("");
    const list =
      sources === ""
        ? ""
        : `<details><summary>${cell.sources.length} captures</summary><ul>\n${sources}</ul></details>\n`;
    return `<section id="${idOf(cell)}"><h2>${escapeXml(cell.old)} → ${escapeXml(cell.new)} <span class="${cell.status}">${WORD[cell.status]}</span></h2>\n<ul>\n${evidence}</ul>\n${list}</section>\n`;
  });
  const forced = matrix.forced
    ? `<p class="failed"><strong>Forced: unlike updates.</strong> ${matrix.unlike.map((each) => escapeXml(unlikeSentence(each))).join("; ")}.</p>\n`
    : "";
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Live update qualification: ${matrix.verdict}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Live update qualification: ${matrix.verdict}</h1>
${forced}<div class="scroll"><table>
<thead><tr><th scope="col">from \\ to</th>${matrix.new.map((fresh) => `<th scope="col">${escapeXml(fresh)}</th>`).join("")}</tr></thead>
<tbody>
${rows.join("")}</tbody>
</table></div>
${sections.join("")}</body>
</html>
`;
}
