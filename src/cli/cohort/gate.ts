import { appendFileSync } from "node:fs";
import { compareCohorts } from "../../analyze/compare/comparison.js";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { gate as judge } from "../../analyze/gate/gate.js";
import { gateAnnotations } from "../../export/ci/gate-annotations.js";
import { gateJunit } from "../../export/ci/gate-junit.js";
import { gateMarkdown } from "../../export/ci/gate-markdown.js";
import { WEBHOOK_BODIES, webhookBody } from "../../export/ci/webhook-bodies.js";
import type { Comparison } from "../../model/documents/comparison.js";
import type { GateDocument } from "../../model/documents/gate.js";
import { outputProblem } from "../files/output-file.js";
import { writeAtomically } from "../files/write-atomically.js";
import { type Context, defineCommand, exit, misused, unusable, warn } from "../frame/command.js";
import { choiceOption, flagOption, one, required, textOption, withDefault } from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { sendWebhook, webhookTarget } from "../web/webhook.js";
import { COHORT_FORMS, warnOfShared } from "../workers/cohort-load.js";
import { loadCohorts, refuseUnlike } from "../workers/cohorts.js";
import { seedOption } from "./compare.js";
import { gateText } from "./gate-text.js";

const FAILED = 1;
const INSUFFICIENT = 4;

export const gateCommand = defineCommand({
  usage: null,
  description: `Checks a cohort against a budget file (docs/budget.md), and with --baseline against another cohort. A cohort is ${COHORT_FORMS}.\nA limit on a percentile passes or fails if the bounds of the percentile show it. Otherwise it is undecided: the gate passes, or exits with 4 if --require-data is given.\nA webhook that cannot be delivered is reported and does not change the exit code. Secrets are read from the environment only.`,
  options: {
    budget: required(textOption("FILE", "Check against this budget, in YAML", "b")),
    baseline: textOption("COHORT", "Compare with this cohort by the budget's regression rules"),
    "require-data": flagOption("Exit with 4 if the data cannot decide a check"),
    json: flagOption("Print one JSON document (docs/gate.schema.json)"),
    junit: textOption("FILE", "Also write JUnit XML"),
    markdown: textOption("FILE", "Also write Markdown"),
    github: flagOption("Also print GitHub annotations, and append the Markdown to $GITHUB_STEP_SUMMARY"),
    webhook: textOption(
      "URL",
      "Send the result to this URL (env:NAME reads it from the environment); bearer token from BLACKOUT_WEBHOOK_TOKEN",
    ),
    "webhook-body": withDefault(choiceOption("BODY", WEBHOOK_BODIES, "Format of the message"), "slack"),
    "webhook-when": withDefault(
      choiceOption("WHEN", ["failed", "always"], "Send only if the gate failed, or always"),
      "failed",
    ),
    seed: seedOption,
    force: flagOption("Compare cohorts although they differ, and mark every output"),
    ...captureOptions,
  },
  positionals: { cohort: one("The cohort under test") },
  examples: [
    { command: "blackout gate --budget examples/budget.yaml traces/cohorts/base", what: "Check absolute limits" },
    {
      command: "blackout gate -b examples/budget.yaml --baseline main.jsonl --github --junit gate.xml runs/",
      what: "Check in CI against the main branch",
    },
    {
      command: "blackout gate -b budget.yaml --webhook env:SLACK_URL runs.jsonl",
      what: "Notify a channel if the gate fails",
    },
  ],
  exitCodes: [
    { code: exit.success, meaning: "passed" },
    { code: FAILED, meaning: "a limit is exceeded, or a regression is shown" },
    { code: exit.usage, meaning: "wrong usage, or an invalid budget file" },
    { code: exit.unusableInput, meaning: "unusable input, or updates that must not be compared" },
    { code: INSUFFICIENT, meaning: "the data cannot decide (with --require-data)" },
  ],
  run: async (context, { options, positionals }) => {
    if (options.json && options.github) return misused(context, "--json and --github both write to standard output");
    const target = options.webhook === null ? null : webhookTarget(options.webhook, context.env);
    if (target !== null && !target.ok) return misused(context, target.error);
    const inputs = [positionals.cohort, options.budget, ...(options.baseline === null ? [] : [options.baseline])];
    for (const output of [options.junit, options.markdown]) {
      const problem = output === null ? null : outputProblem(output, inputs);
      if (problem !== null) return misused(context, problem);
    }
    const budget = readBudget(options.budget);
    if (!budget.ok) return misused(context, budget.error);

    const paths = options.baseline === null ? [positionals.cohort] : [positionals.cohort, options.baseline];
    const loaded = await loadCohorts(context, paths, captureOptionsOf(options));
    if (!loaded.ok) return loaded.error;
    const [cohort, baseline = null] = loaded.value.cohorts;
    const refused = refuseUnlike(context, baseline === null ? [cohort!] : [baseline, cohort!], options.force);
    if (refused !== null) return refused;

    if (baseline !== null) warnOfShared(context, baseline, cohort!);
    const floors = budget.value.regression?.floors ?? DEFAULT_FLOORS;
    const comparison: Comparison | null =
      baseline === null ? null : compareCohorts(baseline, cohort!, { floors, seed: options.seed });
    const document = judge({
      budget: budget.value,
      budgetFile: options.budget,
      cohort: cohort!,
      baseline,
      comparison,
      requireData: options["require-data"],
    });
    const written = writeOutputs(context, document, options);
    if (written !== null) return written;
    if (target !== null && (document.verdict !== "passed" || options["webhook-when"] === "always")) {
      const sent = await sendWebhook(target.value, webhookBody(document, options["webhook-body"], Date.now()));
      if (!sent.ok) warn(context, sent.error);
    }
    if (document.verdict === "failed") return FAILED;
    if (loaded.value.code !== exit.success) return loaded.value.code;
    return document.verdict === "insufficient" ? INSUFFICIENT : exit.success;
  },
});

/** Writes the requested outputs. Returns the exit code if a file cannot be written, else null. */
function writeOutputs(
  context: Context,
  document: GateDocument,
  options: {
    readonly json: boolean;
    readonly github: boolean;
    readonly junit: string | null;
    readonly markdown: string | null;
  },
): number | null {
  if (options.json) context.stdout.write(`${JSON.stringify(document)}\n`);
  else context.stdout.write(gateText(document, { palette: context.colour, width: context.width }));
  const summary = context.env.GITHUB_STEP_SUMMARY ?? "";
  const files: readonly (readonly [string | null, () => string, (path: string, data: string) => void])[] = [
    [options.junit, () => gateJunit(document), writeAtomically],
    [options.markdown, () => gateMarkdown(document), writeAtomically],
    [options.github && summary !== "" ? summary : null, () => gateMarkdown(document), appendFileSync],
  ];
  for (const [path, render, write] of files) {
    if (path === null) continue;
    try {
      write(path, render());
    } catch (error) {
      return unusable(context, `${path} cannot be written: ${(error as Error).message}`);
    }
  }
  if (options.github) context.annotations.write(gateAnnotations(document));
  return null;
}
