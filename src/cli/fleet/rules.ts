import { rulesText } from "../../export/prometheus/prometheus-rules.js";
import { outputProblem, writeAnswer } from "../files/output-file.js";
import { defineCommand, exit, misused, unusable } from "../frame/command.js";
import { flag, required, text, window, withDefault } from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";

export const DEFAULT_WINDOW_SECONDS = 7 * 86_400;

export const rules = defineCommand({
  usage: null,
  description:
    "Writes a rules file for Prometheus: what updates took over a sliding window, cohort by cohort, and an alert for each thing that the budget limits. The metrics are those of 'blackout watch' and 'blackout metrics' (docs/watch.md).\nA limit on a percentile fires where so many updates over it show a breach, as the gate decides; percentiles are recorded only where there are updates enough to bound them.",
  options: {
    budget: required(text("FILE", "The budget, in YAML (docs/budget.md)", "b")),
    window: withDefault(window("TIME", "How far back updates count"), DEFAULT_WINDOW_SECONDS),
    textfile: flag("Metrics come from files alone: leave out what only 'blackout watch' serves"),
    output: text("FILE", "Write there instead of to standard output", "o"),
  },
  positionals: {},
  examples: [
    { command: "blackout rules --budget examples/budget.yaml -o blackout.rules.yml", what: "For rule_files" },
    { command: "blackout rules -b budget.yaml --window 24h -o day.rules.yml", what: "Over a day" },
  ],
  exitCodes: [{ code: exit.usage, meaning: "the command line or the budget file is wrong" }],
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
