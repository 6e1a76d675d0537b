/** Percentiles as text for a person. Pure. */

import { COHORT_TRAITS, NOT_RECORDED, traitText } from "../../analyze/cohort/cohort-key.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatNeeded } from "../../base/text/format.js";
import { WORK_MEASURES } from "../../model/document-parts.js";
import type {
  MeasurePercentile,
  MeasurePercentiles,
  NotCounted,
  PercentilesDocument,
} from "../../model/documents/percentiles.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";
import type { TextLayout } from "../update/analyze-text.js";

/** Beyond this many, the rest is counted. */
const NAMED = 8;

export function percentilesText(document: PercentilesDocument, layout: TextLayout): string {
  return [headline(document, layout), table(document, layout), footnotes(document, layout)]
    .filter((part) => part !== "")
    .join("\n");
}

const count = (n: number): string => n.toLocaleString("en");

function headline({ cohort, updates, logs }: PercentilesDocument, { palette }: TextLayout): string {
  const sources = [
    ...(updates.counted > 0 ? [`${count(updates.counted)} live update${updates.counted === 1 ? "" : "s"}`] : []),
    ...(logs.length > 0 ? [`${logs.length} histogram log${logs.length === 1 ? "" : "s"}`] : []),
  ].join(" and ");
  const mixed = cohort.differences.map(({ property }) => property);
  const known = COHORT_TRAITS.flatMap(({ property, text }) =>
    mixed.includes(property) || cohort[property] === null ? [] : [`${text} ${cohort[property]}`],
  );
  const head = `${palette.heading(escapeControls([sources, ...known].join(", ")))}\n`;
  if (mixed.length === 0) return head;
  const marks = cohort.differences.map(
    ({ property, values }) =>
      `${traitText(property)}: ${values.map(({ value, members }) => `${value ?? NOT_RECORDED} (${count(members)})`).join(", ")}`,
  );
  return `${head}${palette.bad("FORCED")}: unlike updates are counted together. ${escapeControls(marks.join("; "))}\n`;
}

function table({ measures }: PercentilesDocument, layout: TextLayout): string {
  const titles = (measures[0]?.percentiles ?? []).map(({ percentile }) => rightColumn(`p${percentile}`));
  const columns = [leftColumn(""), rightColumn("n"), rightColumn("min"), ...titles, rightColumn("max")];
  // Updates at a level that records no call of LUO's have no work in any phase: four empty rows.
  const shown = measures.filter(({ name, n }) => n > 0 || !(WORK_MEASURES as readonly string[]).includes(name));
  return renderTable(columns, shown.flatMap(rowsOf), { ...layout, indent: 2 });
}

function rowsOf({ name, n, minNs, maxNs, percentiles }: MeasurePercentiles): readonly (readonly Cell[])[] {
  const time = (ns: number | null): string => (ns === null ? "-" : formatDuration(ns));
  const values: Cell[] = [
    { text: name, style: "strong" },
    count(n),
    time(minNs),
    ...percentiles.map(
      ({ valueNs, needed }): Cell =>
        valueNs === null
          ? { text: formatNeeded(needed), style: "warning" }
          : { text: formatDuration(valueNs), style: "strong" },
    ),
    time(maxNs),
  ];
  const bounds = percentiles.map((percentile): Cell => ({ text: boundsText(percentile), style: "quiet" }));
  return bounds.every((cell) => typeof cell !== "string" && cell.text === "")
    ? [values]
    : [values, ["", "", "", ...bounds, ""]];
}

/** `3.990–4.103 s`, rounded outwards: a bound must not be rounded into what it bounds. */
function boundsText({ valueNs, lowerNs, upperNs }: MeasurePercentile): string {
  if (valueNs === null || lowerNs === null || upperNs === null) return "";
  const unit = UNITS.find(({ ns }) => upperNs >= ns) ?? (UNITS[3] as (typeof UNITS)[number]);
  const digits = unit.ns === 1 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(upperNs / unit.ns)));
  const scale = 10 ** digits / unit.ns;
  const low = Math.floor(lowerNs * scale) / 10 ** digits;
  const high = Math.ceil(upperNs * scale) / 10 ** digits;
  return `${low.toFixed(digits)}–${high.toFixed(digits)} ${unit.name}`;
}

const UNITS = [
  { ns: 1e9, name: "s" },
  { ns: 1e6, name: "ms" },
  { ns: 1e3, name: "us" },
  { ns: 1, name: "ns" },
] as const;

function footnotes(document: PercentilesDocument, { palette }: TextLayout): string {
  const { measures, updates, logs, resolution, confidence } = document;
  const percentiles = measures.flatMap((measure) => measure.percentiles);
  const lines: string[] = [];
  if (resolution === "exact" && percentiles.some(({ upperNs }) => upperNs !== null)) {
    lines.push(
      `Below a percentile, its bounds: each holds with ${confidence * 100} %, whatever the distribution (order statistics).`,
    );
  }
  if (percentiles.some(({ valueNs }) => valueNs === null)) {
    lines.push(`needs N: N updates would bound it from above with ${confidence * 100} %; these are too few.`);
  }
  if (resolution === "histogram") {
    lines.push(
      "A histogram log keeps counts, not values: 3 digits of each percentile are known, and no bounds are given.",
    );
  }
  const quiet = lines.map((line) => `  ${palette.quiet(line)}\n`);
  const notes = [
    ...notCounted(`  ${palette.warning("Not counted:")} `, updates.excluded),
    ...measures.flatMap(({ name, unknown }) => notCounted(`  ${palette.warning(`${name} not known:`)} `, unknown)),
    ...logs.flatMap(({ file, excluded }) =>
      excluded === null || excluded === 0
        ? []
        : [`  ${palette.warning("Not counted:")} ${count(excluded)} more when ${escapeControls(file)} was written\n`],
    ),
  ];
  return [...quiet, ...notes].join("");
}

function notCounted(head: string, all: readonly NotCounted[]): readonly string[] {
  if (all.length === 0) return [];
  const shown = all
    .slice(0, NAMED)
    .map(({ from, reason }) => `    ${escapeControls(from)}: ${escapeControls(reason)}\n`);
  const more = all.length > NAMED ? [`    … and ${count(all.length - NAMED)} more: all with --json\n`] : [];
  return [`${head}${count(all.length)}\n`, ...shown, ...more];
}
