import { FleetTally } from "../../analyze/fleet/tally.js";
import { updateFamilies } from "../../export/prometheus/fleet-metrics.js";
import { openMetricsText, prometheusText } from "../../export/prometheus/open-metrics.js";
import { outputProblem, writeAnswer } from "../files/output-file.js";
import { defineCommand, misused, unusable } from "../frame/command.js";
import { choiceOption, oneOrMore, textOption, withDefault } from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { COHORT_FORMS } from "../workers/cohort-load.js";
import { loadCohorts } from "../workers/cohorts.js";

export const metricsCommand = defineCommand({
  usage: null,
  description: `Counts live updates and writes their metrics (docs/watch.md): histograms of the blackout and of each phase, outcomes, defects, and the latest update. node_exporter's textfile collector can serve the file, which is replaced atomically. A cohort is ${COHORT_FORMS}.\nUpdates of different cohorts are counted separately, by labels. A capture that cannot be used is reported and skipped.`,
  options: {
    output: textOption("FILE", "Write to this file instead of standard output; the collector reads *.prom", "o"),
    budget: textOption("FILE", "Also count the causes that this budget limits, and the updates above its limits", "b"),
    format: withDefault(
      choiceOption("FORMAT", ["prometheus", "openmetrics"], "Format: prometheus (text, 0.0.4) or openmetrics (1.0)"),
      "prometheus",
    ),
    ...captureOptions,
  },
  positionals: { cohort: oneOrMore("Updates to count") },
  examples: [
    {
      command: "blackout metrics /var/lib/blackout -o /var/lib/prometheus/node-exporter/blackout.prom",
      what: "Run after each update of a host, or from a timer",
    },
    { command: "blackout metrics traces/cohorts/base | promtool check metrics", what: "Check the metrics" },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const inputs = [...positionals.cohort, ...(options.budget === null ? [] : [options.budget])];
    const problem = options.output === null ? null : outputProblem(options.output, inputs);
    if (problem !== null) return misused(context, problem);
    const budget = options.budget === null ? null : readBudget(options.budget);
    if (budget !== null && !budget.ok) return misused(context, budget.error);
    const tally = new FleetTally(budget?.value.limits ?? []);
    const loaded = await loadCohorts(context, positionals.cohort, captureOptionsOf(options));
    if (!loaded.ok) return loaded.error;
    for (const { updates } of loaded.value.cohorts) {
      for (const update of updates) tally.add(update, update.takenAtMs);
    }
    const families = updateFamilies(tally.cohorts(), context.version);
    const made = options.format === "openmetrics" ? openMetricsText(families) : prometheusText(families);
    const unwritten = writeAnswer(context, options.output, made);
    if (unwritten !== null) return unusable(context, unwritten);
    return loaded.value.code;
  },
});
