/** A comparison as text for a person: the verdict, why, and a table like benchstat's. Pure. */

import { unlikeSentence, valuesText } from "../../analyze/cohort/cohort.js";
import { partsText, pText } from "../../analyze/compare/reason.js";
import { hasChanged } from "../../analyze/compare/verdict.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatNeeded, formatPercent, formatSigned } from "../../base/text/format.js";
import { WORK_MEASURES } from "../../model/document-parts.js";
import type { CountedValue, DistributionDocument, Verdict } from "../../model/documents/cohort.js";
import type { CauseComparison, Comparison, Factor, MetricComparison } from "../../model/documents/comparison.js";
import { causeName } from "../../model/update-sample.js";
import type { Style } from "../terminal/terminal-style.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";
import { wrap } from "../terminal/terminal-text.js";
import type { TextLayout } from "../update/analyze-text.js";

const VERDICT_STYLE: Readonly<Record<Verdict, Style>> = {
  regressed: "bad",
  improved: "good",
  unchanged: "good",
  inconclusive: "warning",
  insufficient: "warning",
};

/** `insufficient (needs 6)`. */
function verdictText(verdict: Verdict, neededUpdates: number | null): string {
  return verdict === "insufficient" && neededUpdates !== null ? `${verdict} (${formatNeeded(neededUpdates)})` : verdict;
}

export function comparisonText(comparison: Comparison, layout: TextLayout): string {
  return [
    headline(comparison, layout),
    factorLines(comparison, layout),
    metricTable(comparison, layout),
    percentileTable(comparison, layout),
    causeTable(comparison, layout),
    ...metricCauseTables(comparison, layout),
    footnotes(comparison, layout),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function prose(text: string, { width }: TextLayout, indent = ""): string {
  return wrap(escapeControls(text), (width ?? 100) - indent.length)
    .map((line) => `${indent}${line}\n`)
    .join("");
}

function headline(comparison: Comparison, layout: TextLayout): string {
  const { palette } = layout;
  const [blackout] = comparison.metrics as readonly [MetricComparison];
  const verdict = verdictText(comparison.verdict, blackout.neededUpdates);
  const names = `${escapeControls(comparison.base.name)} → ${escapeControls(comparison.candidate.name)}`;
  const forced = comparison.forced
    ? `${palette.bad("FORCED")}: ${prose(`unlike cohorts are compared. ${comparison.unlike.map(unlikeSentence).join("; ")}.`, layout)}`
    : "";
  const warnings = comparison.warnings
    .map(({ message }) => `${palette.warning("warning:")} ${prose(message, layout)}`)
    .join("");
  const style = palette[VERDICT_STYLE[comparison.verdict]];
  return `${palette.heading(names)}  ${style(verdict)}\n${prose(comparison.reason, layout)}${forced}${warnings}`;
}

function factorLines({ factors, base, candidate }: Comparison, layout: TextLayout): string {
  const side = (values: readonly CountedValue[] | undefined): string => valuesText(values ?? []);
  const rows = factors
    .filter(({ values }) => values.some((list) => list.length > 0))
    .map(({ name, values, differs }: Factor): readonly Cell[] => [
      { text: name, style: "quiet" },
      side(values[0]),
      differs ? { text: side(values[1]), style: "accent" } : side(values[1]),
      differs ? { text: "differs", style: "accent" } : "",
    ]);
  const counts = ({ measured, updates }: Comparison["base"]): string =>
    measured === updates ? `${updates} updates` : `${measured} of ${updates} updates`;
  const columns = [
    leftColumn(""),
    leftColumn(base.name, "middle"),
    leftColumn(candidate.name, "middle"),
    leftColumn(""),
  ];
  return renderTable(columns, [[{ text: "measured", style: "quiet" }, counts(base), counts(candidate)], ...rows], {
    ...layout,
    indent: 2,
  });
}

/** Median, and half the width of what lies between its bounds, as benchstat prints it. */
function medianText({ medianNs, percentiles }: DistributionDocument): string {
  const p50 = percentiles.find(({ percentile }) => percentile === 50);
  if (p50 === undefined || p50.lowerNs === null || p50.upperNs === null || medianNs === 0) {
    return `${formatDuration(medianNs)} ± ∞`;
  }
  const half = Math.max(p50.upperNs - medianNs, medianNs - p50.lowerNs);
  return `${formatDuration(medianNs)} ± ${Math.ceil((100 * half) / medianNs)}%`;
}

function metricTable({ metrics, base, candidate }: Comparison, layout: TextLayout): string {
  const rows = metrics.map((metric): readonly Cell[] => {
    const relative = metric.base.medianNs === 0 ? null : (100 * metric.shiftNs) / metric.base.medianNs;
    const interval = metric.shiftIntervalNs;
    return [
      metric.level === "primary" ? { text: metric.name, style: "strong" } : metric.name,
      medianText(metric.base),
      medianText(metric.candidate),
      { text: formatSigned(metric.shiftNs), style: "strong" },
      relative === null ? "" : `${relative < 0 ? "" : "+"}${relative.toFixed(1)}%`,
      interval === null ? "?" : `${formatSigned(interval[0])} … ${formatSigned(interval[1])}`,
      `${pText(metric.adjustedP)} n=${metric.base.updates}+${metric.candidate.updates}`,
      metric.detectableNs === null ? "?" : formatDuration(metric.detectableNs),
      { text: verdictText(metric.verdict, metric.neededUpdates), style: VERDICT_STYLE[metric.verdict] },
    ];
  });
  const columns = [
    leftColumn(""),
    rightColumn(base.name),
    rightColumn(candidate.name),
    rightColumn("shift"),
    rightColumn(""),
    leftColumn("between"),
    leftColumn(""),
    rightColumn("detectable"),
    leftColumn("verdict"),
  ];
  return renderTable(columns, rows, { ...layout, indent: 2 });
}

function percentileTable({ metrics }: Comparison, layout: TextLayout): string {
  const cell = (side: DistributionDocument, percentile: number): readonly Cell[] => {
    const found = side.percentiles.find((p) => p.percentile === percentile);
    if (found === undefined) return ["", ""];
    const { valueNs, upperNs, neededUpdates } = found;
    if (valueNs === null || upperNs === null) return ["", { text: formatNeeded(neededUpdates), style: "warning" }];
    return [formatDuration(valueNs), `≤ ${formatDuration(upperNs)}`];
  };
  const shifts = metrics.flatMap((metric) => metric.percentileShifts.map((shift) => ({ metric, shift })));
  const rows = shifts.map(({ metric, shift }): readonly Cell[] => [
    `${metric.name} p${shift.percentile}`,
    ...cell(metric.base, shift.percentile),
    ...cell(metric.candidate, shift.percentile),
    shift.supported ? { text: formatSigned(shift.shiftNs), style: "strong" } : "",
    shift.supported
      ? `${formatSigned(shift.shiftIntervalNs[0])} … ${formatSigned(shift.shiftIntervalNs[1])}`
      : { text: `${formatNeeded(shift.neededUpdates)} a side`, style: "quiet" },
    shift.supported ? { text: shift.verdict, style: VERDICT_STYLE[shift.verdict] } : "",
  ]);
  const columns = [
    leftColumn(""),
    rightColumn("base"),
    leftColumn("95 % bound"),
    rightColumn("candidate"),
    leftColumn("95 % bound"),
    rightColumn("shift"),
    leftColumn("between"),
    leftColumn("verdict"),
  ];
  return renderTable(columns, rows, { ...layout, indent: 2 });
}

/** A wall of causes helps nobody; the JSON has them all. */
const CAUSES_SHOWN = 10;

function causeTable({ breakdown, causes }: Comparison, layout: TextLayout): string {
  if (breakdown === null) return "  Why: the blackouts of these cohorts are not attributed to causes.\n";
  if (causes.length === 0) return "";
  const shown = causes.slice(0, CAUSES_SHOWN);
  const rows = shown.map(causeCells);
  const hidden = causes.slice(CAUSES_SHOWN).reduce((sum, { shiftNs }) => sum + shiftNs, 0) + breakdown.restNs;
  const more = causes.length - shown.length + breakdown.restCauses;
  rows.push([
    { text: `${more} other causes`, style: "quiet" },
    "",
    formatSigned(hidden),
    breakdown.totalNs === 0 || shown[0]?.share === null ? "" : `${((100 * hidden) / breakdown.totalNs).toFixed(1)}%`,
  ]);
  rows.push([
    { text: "together", style: "strong" },
    "",
    { text: formatSigned(breakdown.totalNs), style: "strong" },
    shown[0]?.share === null ? "" : "100.0%",
    `${formatSigned(breakdown.intervalNs[0])} … ${formatSigned(breakdown.intervalNs[1])}`,
  ]);
  return renderTable(causeColumns("why"), rows, { ...layout, indent: 2 });
}

function causeCells(cause: CauseComparison): readonly Cell[] {
  return [
    causeName(cause),
    cause.detail,
    { text: formatSigned(cause.shiftNs), style: "strong" },
    cause.share === null ? "" : `${(100 * cause.share).toFixed(1)}%`,
    `${formatSigned(cause.shiftIntervalNs[0])} … ${formatSigned(cause.shiftIntervalNs[1])}`,
    cause.presence === "both" ? "" : { text: cause.presence, style: "accent" },
    partsText(cause.parts),
    { text: cause.verdict, style: VERDICT_STYLE[cause.verdict] },
  ];
}

const causeColumns = (title: string) => [
  leftColumn(title, "middle"),
  leftColumn(""),
  rightColumn("shift"),
  rightColumn("share"),
  leftColumn("between"),
  leftColumn(""),
  leftColumn("", "end"),
  leftColumn("verdict"),
];

/**
 * Why each phase changed, and a tail whose median did not. If the blackout changed, its table has the kexec's causes
 * already. LUO's work in a phase has no causes but those of its phase.
 */
function metricCauseTables({ metrics }: Comparison, layout: TextLayout): readonly string[] {
  const [blackout, ...phases] = metrics;
  const isCovered = (name: string): boolean =>
    (name === "kexec" && blackout !== undefined && hasChanged(blackout)) ||
    (WORK_MEASURES as readonly string[]).includes(name);
  return [
    ...(blackout !== undefined && blackout.causesPercentile !== null ? [blackout] : []),
    ...phases.filter((metric) => hasChanged(metric) && !isCovered(metric.name)),
  ].map(({ name: metric, causes, causesPercentile }) => {
    const name = causesPercentile === null ? metric : `${metric} beyond p${causesPercentile}`;
    if (causes.length === 0) return `  Why ${name}: its causes were not recorded in both cohorts.\n`;
    const rows = causes.slice(0, CAUSES_SHOWN).map(causeCells);
    if (causes.length > CAUSES_SHOWN) {
      rows.push([{ text: `${causes.length - CAUSES_SHOWN} other causes`, style: "quiet" }, ""]);
    }
    return renderTable(causeColumns(`why ${name}`), rows, { ...layout, indent: 2 });
  });
}

function footnotes(comparison: Comparison, layout: TextLayout): string {
  const { palette } = layout;
  const { relative, absoluteNs } = comparison.floors;
  const lines = [
    `Shifts are medians of all pairwise differences (Hodges-Lehmann); p is Mann-Whitney's, Holm-adjusted; a change below ${formatPercent(relative)} or ${formatDuration(absoluteNs)} does not count.`,
  ];
  lines.push(
    "The first table has medians; of an even number, the mean of the two in the middle. A percentile is the least value that this share of the updates does not exceed, with a bound at 95 %; differences are of Harrell and Davis's percentiles.",
  );
  if (comparison.breakdown !== null) {
    lines.push(
      "Why: differences of trimmed means (the longest and shortest fifth of the blackouts left out), which add up; intervals at 95 %.",
    );
  }
  const defects = comparison.base.defects.error + comparison.candidate.defects.error;
  if (defects > 0) lines.push(`${defects} errors in what was recorded: blackout analyze CAPTURE names them.`);
  return lines
    .map((line) => palette.quiet(prose(line, layout, "  ").trimEnd()))
    .join("\n")
    .concat("\n");
}
