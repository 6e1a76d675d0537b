import {
  type Cohort,
  countOutcomes,
  excludedOf,
  factorsOf,
  isMeasured,
  valuesText,
} from "../../analyze/cohort/cohort.js";
import { NOT_RECORDED } from "../../analyze/cohort/cohort-key.js";
import { distributionOf } from "../../analyze/cohort/distribution.js";
import { metricName, valuesOf } from "../../analyze/cohort/metrics.js";
import { clusteredSampleOf } from "../../analyze/statistics/clusters.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatNeeded } from "../../base/text/format.js";
import { WORK_PHASES } from "../../model/document-parts.js";
import { PHASES } from "../../model/live-update.js";
import { documentOfSample } from "../../model/update-sample.js";
import { defineCommand, warn } from "../frame/command.js";
import { flagOption, one } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";
import type { TextLayout } from "../update/analyze-text.js";
import { COHORT_FORMS, refusalOf } from "../workers/cohort-load.js";
import { loadCohorts } from "../workers/cohorts.js";

export const cohortCommand = defineCommand({
  usage: null,
  description: `Prints what the updates of a cohort have in common, the blackouts and phases, and which updates did not complete. A cohort is ${COHORT_FORMS}.\nWith --json, prints one document per update and line. compare, gate, history and qualify read these without analysing the captures again.`,
  options: {
    json: flagOption("Print one JSON document per line and update (docs/update-sample.schema.json)"),
    ...captureOptions,
  },
  positionals: { cohort: one("The cohort") },
  examples: [
    { command: "blackout cohort traces/cohorts/base", what: "Describe ten updates" },
    { command: "blackout cohort --json runs/ > runs.jsonl", what: "Analyse once, compare often" },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const loaded = await loadCohorts(context, [positionals.cohort], captureOptionsOf(options));
    if (!loaded.ok) return loaded.error;
    const [found] = loaded.value.cohorts as [Cohort];
    if (options.json) {
      for (const update of found.updates) context.stdout.write(`${JSON.stringify(documentOfSample(update))}\n`);
    } else {
      context.stdout.write(cohortText(found, { palette: context.colour, width: context.width }));
      const refusal = refusalOf([found]);
      if (refusal !== null) warn(context, refusal);
    }
    return loaded.value.code;
  },
});

function cohortText(found: Cohort, layout: TextLayout): string {
  const { palette } = layout;
  const counts = countOutcomes(found);
  const outcomes = Object.entries(counts).filter(([, count]) => count > 0);
  const measured = found.updates.filter(isMeasured).length;
  const head = `${palette.heading(escapeControls(found.name))}  ${found.updates.length} updates: ${outcomes
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(", ")}${measured === counts.completed ? "" : `; ${measured} with a known blackout`}\n`;
  const levels = new Map<string, number>();
  for (const { probeLevel } of found.updates) {
    levels.set(probeLevel ?? NOT_RECORDED, (levels.get(probeLevel ?? NOT_RECORDED) ?? 0) + 1);
  }
  const traits: readonly (readonly Cell[])[] = [
    [{ text: "probe level", style: "quiet" }, valuesText([...levels].map(([value, updates]) => ({ value, updates })))],
    ...factorsOf([found])
      .filter(({ values }) => (values[0]?.length ?? 0) > 0)
      .map(({ name, values }): readonly Cell[] => [{ text: name, style: "quiet" }, valuesText(values[0] ?? [])]),
  ];
  const metrics = [
    { kind: "blackout" } as const,
    ...PHASES.map((phase) => ({ kind: "phase", phase }) as const),
    ...WORK_PHASES.map((phase) => ({ kind: "phase-work", phase }) as const),
  ];
  const rows = metrics.flatMap((metric): readonly (readonly Cell[])[] => {
    const sample = clusteredSampleOf(valuesOf(found, metric));
    if (!sample.ok) return [];
    const { updates, minNs, maxNs, percentiles } = distributionOf(sample.value);
    return [
      [
        metric.kind === "blackout" ? { text: "blackout", style: "strong" } : metricName(metric),
        String(updates),
        formatDuration(minNs),
        ...percentiles.map(({ valueNs, upperNs, neededUpdates }): Cell => {
          if (valueNs === null || upperNs === null) return { text: formatNeeded(neededUpdates), style: "warning" };
          return `${formatDuration(valueNs)} ≤ ${formatDuration(upperNs)}`;
        }),
        formatDuration(maxNs),
      ],
    ];
  });
  const columns = [
    leftColumn(""),
    rightColumn("n"),
    rightColumn("min"),
    ...["p50", "p90", "p95", "p99", "p99.9"].map((name) => rightColumn(name)),
    rightColumn("max"),
  ];
  const excluded = excludedOf(found).map(
    ({ source, outcome, reason }) => `  ${palette.warning(outcome)} ${escapeControls(`${source}: ${reason}`)}\n`,
  );
  return [
    head,
    renderTable([leftColumn(""), leftColumn("")], traits, { ...layout, indent: 2 }),
    "\n",
    renderTable(columns, rows, { ...layout, indent: 2 }),
    rows.length > 0
      ? palette.quiet("  Each ≤ bounds its percentile with 95 %; if no update does, as many as stated are needed.\n")
      : "",
    ...excluded,
  ].join("");
}
