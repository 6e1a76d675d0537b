import { type Cohort, unlikeSentence } from "../../analyze/cohort/cohort.js";
import { parseMetric, unseenCauses } from "../../analyze/cohort/metrics.js";
import { pText, signedPercent } from "../../analyze/compare/reason.js";
import { historyOf } from "../../analyze/history/history.js";
import { parseSeriesKey, type SeriesKey, seriesKeyName, seriesOf } from "../../analyze/history/series.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatSigned } from "../../base/text/format.js";
import type { HistoryChange, HistoryDocument } from "../../model/documents/history.js";
import { defineCommand, exit, misused, unusable } from "../frame/command.js";
import { flagOption, integerOption, oneOrMore, textOption, withDefault } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { fittedToColumns, sparkline } from "../terminal/sparkline.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";
import { wrap } from "../terminal/terminal-text.js";
import type { TextLayout } from "../update/analyze-text.js";
import { COHORT_FORMS } from "../workers/cohort-load.js";
import { loadCohorts, refuseUnlike } from "../workers/cohorts.js";
import { floorOptions, seedOption } from "./compare.js";

export const historyCommand = defineCommand({
  usage: null,
  description: `Finds change points in a series of cohorts, each with the builds between which it lies, its size, and the causes that changed. A cohort is ${COHORT_FORMS}.\nSeveral cohorts are a series in the order given; one cohort is divided by --by.\nOf 100 series without a change, at most 1 is reported to have one (E-divisive, with a permutation test).`,
  options: {
    by: textOption("KEY", "Divide the series by cohort, old-kernel, new-kernel, date, or labels.NAME"),
    metric: withDefault(
      textOption("METRIC", "Follow blackout, vm-blackout, a phase, or causes like device:e1000"),
      "blackout",
    ),
    "min-segment": withDefault(
      integerOption("N", { min: 2, max: 1000 }, "Least number of updates between two changes"),
      5,
    ),
    json: flagOption("Print one JSON document (docs/history.schema.json)"),
    ...floorOptions,
    seed: seedOption,
    force: flagOption("Put cohorts into one series although they differ, and mark the output"),
    ...captureOptions,
  },
  positionals: { cohort: oneOrMore("Cohorts, in order; or one, with --by") },
  examples: [
    { command: "blackout history traces/cohorts/base traces/cohorts/devices", what: "Examine two builds" },
    { command: "blackout history --by labels.build nightly.jsonl", what: "Examine a file of many builds" },
    {
      command: "blackout history --by date --metric device:e1000 runs/",
      what: "Follow one driver's devices day by day",
    },
  ],
  exitCodes: [{ code: exit.unusableInput, meaning: "unusable input, or updates that must not be compared" }],
  run: async (context, { options, positionals }) => {
    const key = parseSeriesKey(options.by ?? (positionals.cohort.length > 1 ? "cohort" : "new-kernel"));
    if (key === null) {
      return misused(context, `--by ${options.by}: expected cohort, old-kernel, new-kernel, date, or labels.NAME`);
    }
    const metric = parseMetric(options.metric);
    if (!metric.ok) return misused(context, `--metric: ${metric.error}`);
    const loaded = await loadCohorts(context, positionals.cohort, captureOptionsOf(options));
    if (!loaded.ok) return loaded.error;
    const { cohorts, code } = loaded.value;
    const refused = refuseUnlike(context, cohorts, options.force);
    if (refused !== null) return refused;
    const series = seriesOf(cohorts, key);
    if (series.builds.length === 0) return unusable(context, noBuilds(cohorts, key));
    const unseen = unseenCauses(cohorts, metric.value);
    if (unseen !== null) return unusable(context, `--metric ${options.metric}: ${unseen}`);
    const found = historyOf(series, {
      metric: metric.value,
      floors: { relative: options["floor-percent"] / 100, absoluteNs: options.floor },
      seed: options.seed,
      minimumSegment: options["min-segment"],
    });
    if (!found.ok) return unusable(context, `${options.metric}: ${found.error.message}; ${found.error.advice}`);
    if (options.json) context.stdout.write(`${JSON.stringify(found.value)}\n`);
    else context.stdout.write(historyText(found.value, { palette: context.colour, width: context.width }));
    return code;
  },
});

/** Why there is no series: no update says what it would be by. */
function noBuilds(cohorts: readonly Cohort[], key: SeriesKey): string {
  const labels = new Set(cohorts.flatMap(({ updates }) => updates.flatMap((update) => Object.keys(update.labels))));
  const names = [...labels].sort().map((label) => `labels.${label}`);
  const by = seriesKeyName(key);
  const known = key.kind !== "label" || names.length === 0 ? "" : `; there are ${names.join(", ")}`;
  return `--by ${by}: no update has one${known}`;
}

function historyText(history: HistoryDocument, layout: TextLayout): string {
  const { palette, width } = layout;
  const prose = (what: string, indent = ""): string =>
    wrap(escapeControls(what), (width ?? 100) - indent.length)
      .map((line) => `${indent}${line}\n`)
      .join("");
  const { builds, changes, metric, by, points } = history;
  const medians = builds.map(({ distribution }) => distribution?.medianNs ?? null);
  const spark = sparkline(fittedToColumns(medians, (width ?? 80) - 4));
  const starts = new Map(changes.map((change) => [change.notAfter, change]));
  const rows = builds.map(({ name, updates, notCompleted, distribution }): readonly Cell[] => {
    const p50 = distribution?.percentiles.find(({ percentile }) => percentile === 50);
    const edge = (ns: number | null | undefined): string =>
      ns === null || ns === undefined ? "?" : formatDuration(ns);
    const change = starts.get(name);
    return [
      name,
      String(updates),
      notCompleted === 0 ? "" : { text: `${notCompleted} not completed`, style: "warning" },
      distribution === null ? "" : { text: formatDuration(distribution.medianNs), style: "strong" },
      distribution === null ? "not measured" : `${edge(p50?.lowerNs)} … ${edge(p50?.upperNs)}`,
      change === undefined ? "" : { text: `${formatSigned(change.shiftNs)}`, style: styleOf(change) },
    ];
  });
  const columns = [
    leftColumn(by, "middle"),
    rightColumn("n"),
    leftColumn(""),
    rightColumn("median"),
    leftColumn("between"),
    rightColumn("change"),
  ];
  const head = `${palette.heading(`${escapeControls(metric)} by ${escapeControls(by)}`)}  ${builds.length} build${builds.length === 1 ? "" : "s"}, ${points} ${history.updatesPerPoint === 1 ? "updates" : `medians of ${history.updatesPerPoint} updates`}\n`;
  const forced = history.forced
    ? `${palette.bad("FORCED")}: ${prose(`unlike cohorts are in one series. ${history.unlike.map(unlikeSentence).join("; ")}.`)}`
    : "";
  const found =
    changes.length === 0
      ? "  No change point.\n"
      : changes.map((change) => `${prose(changeSentence(change, metric), "  ")}`).join("");
  const left =
    history.left === 0
      ? ""
      : palette.quiet(
          `  ${history.left} updates are not in the series: not completed, not measured, or without ${escapeControls(by)}.\n${reasonLines(history)}`,
        );
  return [
    head,
    forced,
    `  ${palette.accent(spark)}\n\n`,
    renderTable(columns, rows, { ...layout, indent: 2 }),
    "\n",
    found,
    left,
  ].join("");
}

/** Why updates are not in the series: each reason once, with how many it is of. */
function reasonLines({ excluded }: HistoryDocument): string {
  const counts = new Map<string, number>();
  for (const { outcome, reason } of excluded) {
    const text = `${outcome}: ${reason}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `    ${count} ${escapeControls(text)}\n`).join("");
}

function styleOf({ belowFloor, direction }: HistoryChange): "quiet" | "bad" | "good" {
  return belowFloor ? "quiet" : direction === "longer" ? "bad" : "good";
}

function changeSentence(change: HistoryChange, metric: string): string {
  const { after, notAfter, shiftNs, shiftRelative, pValue, causes, belowFloor, shiftIntervalNs } = change;
  const where = after === notAfter ? `Within ${after}` : `After ${after}, by ${notAfter}`;
  const relative = shiftRelative === null ? "" : ` (${signedPercent(shiftRelative)})`;
  const sure = shiftIntervalNs === null ? "" : `, between ${shiftIntervalNs.map(formatSigned).join(" and ")}`;
  const named = causes
    .slice(0, 4)
    .map(
      ({ name, shiftNs: ns, share, presence }) =>
        `${name}${presence === "both" ? "" : ` (${presence})`} ${formatSigned(ns)} (${(100 * share).toFixed(0)} %)`,
    );
  const why = named.length === 0 ? "" : `; most in ${named.join(", ")}`;
  return `${where}: ${metric} ${change.direction} by ${formatSigned(shiftNs)}${relative}${sure}, ${pText(pValue)}${why}.${belowFloor ? " Below the floor." : ""}`;
}
