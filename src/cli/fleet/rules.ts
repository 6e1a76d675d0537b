import { rulesText } from "../../export/prometheus/prometheus-rules.js";
import { outputProblem, writeAnswer } from "../files/output-file.js";
import { defineCommand, exit, misused, unusable } from "../frame/command.js";
import { flagOption, required, textOption, windowOption, withDefault } from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";

export const DEFAULT_WINDOW_SECONDS = 7 * 86_400;

export const rulesCommand = defineCommand({
  usage: null,
  description:
    "Writes a rules file for Prometheus: recording rules over a sliding window of updates, per cohort, and an alert for each limit of the budget. The metrics are those of 'blackout watch' and 'blackout metrics' (docs/watch.md).\nA limit on a percentile fires if enough updates exceed it to show a breach, as the gate decides. Percentiles are recorded only if there are enough updates to bound them.",
  options: {
    budget: required(textOption("FILE", "Write rules for this budget, in YAML (docs/budget.md)", "b")),
    window: withDefault(windowOption("TIME", "Count updates of this last period"), DEFAULT_WINDOW_SECONDS),
    textfile: flagOption("Omit rules that need 'blackout watch', for metrics that come from files only"),
    output: textOption("FILE", "Write to this file instead of standard output", "o"),
  },
  positionals: {},
  examples: [
    {
      command: "blackout rules --budget examples/budget.yaml -o blackout.rules.yml",
      what: "Write a file for rule_files",
    },
    { command: "blackout rules -b budget.yaml --window 24h -o day.rules.yml", what: "Use a window of one day" },
  ],
  exitCodes: [{ code: exit.usage, meaning: "wrong usage, or an invalid budget file" }],
  run: async (context, { options }) => {
    const problem = options.output === null ? null : outputProblem(options.output, [options.budget]);
    if (problem !== null) return misused(context, problem);
    const budget = readBudget(options.budget);
    if (!budget.ok) return misused(context, budget.error);
    const made = rulesText({
      budget: budget.value,
      budgetFile: options.budget,
      windowSeconds: options.window,
      watched: !options.textfile,
    });
    const unwritten = writeAnswer(context, options.output, made);
    if (unwritten !== null) return unusable(context, unwritten);
    return exit.success;
  },
});
