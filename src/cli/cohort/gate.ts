import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { compareCohorts } from "../../analyze/compare/comparison.js";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { gate as judge } from "../../analyze/gate/gate.js";
import { gateAnnotations } from "../../export/ci/gate-annotations.js";
import { gateJunit } from "../../export/ci/gate-junit.js";
import { gateMarkdown } from "../../export/ci/gate-markdown.js";
import { WEBHOOK_BODIES, webhookBody } from "../../export/ci/gate-webhook.js";
import type { Comparison } from "../../model/documents/comparison.js";
import type { GateDocument } from "../../model/documents/gate.js";
import { outputProblem } from "../files/output-file.js";
import { type Context, defineCommand, exit, misused, unusable, warn } from "../frame/command.js";
import { choice, flag, one, required, text, withDefault } from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { sendWebhook, webhookTarget } from "../web/webhook.js";
import { COHORT_FORMS, warnOfShared } from "../workers/cohort-load.js";
import { loadCohorts, refuseUnlike } from "../workers/cohorts.js";
import { seedOption } from "./compare.js";
import { gateText } from "./gate-text.js";

const FAILED = 1;
const INSUFFICIENT = 4;

export const gate = defineCommand({
  usage: null,
  description: `Checks a cohort against a budget file (docs/budget.md), and with --baseline against another cohort. A cohort is ${COHORT_FORMS}.\nA limit on a percentile is breached, or kept, where the bounds of so many updates show it; else it is undecided, which passes, or exits with 4 given --require-data.\nOf a webhook only the outcome of sending is printed; that it was not delivered does not change the exit code. Secrets are read from the environment alone.`,
  options: {
    budget: required(text("FILE", "The budget, in YAML", "b")),
    baseline: text("COHORT", "Compare with this cohort, by the budget's regression rules"),
    "require-data": flag("Exit with 4 where the data cannot decide a check"),
    json: flag("One JSON document (docs/gate.schema.json)"),
    junit: text("FILE", "Also write JUnit XML"),
    markdown: text("FILE", "Also write Markdown"),
    github: flag("Also print GitHub annotations, and add the Markdown to $GITHUB_STEP_SUMMARY"),
    webhook: text("URL", "Also send to this URL, or that in env:NAME; a token in BLACKOUT_WEBHOOK_TOKEN"),
    "webhook-body": withDefault(choice("BODY", WEBHOOK_BODIES, "What is sent"), "slack"),
    "webhook-when": withDefault(
      choice("WHEN", ["failed", "always"], "When to send: always is also where the gate passed"),
      "failed",
    ),
    seed: seedOption,
    force: flag("Compare unlike cohorts all the same, and mark every output"),
    ...captureOptions,
  },
  positionals: { cohort: one("The cohort under test") },
  examples: [
    { command: "blackout gate --budget examples/budget.yaml traces/cohorts/base", what: "Absolute limits" },
    {
      command: "blackout gate -b examples/budget.yaml --baseline main.jsonl --github --junit gate.xml runs/",
      what: "In CI, against what the main branch took",
    },
    {
      command: "blackout gate -b budget.yaml --webhook env:SLACK_URL runs.jsonl",
      what: "Tell the channel when it fails",
    },
  ],
  exitCodes: [
    { code: exit.success, meaning: "passed" },
    { code: FAILED, meaning: "a limit is breached, or a regression is shown" },
    { code: exit.usage, meaning: "the command line or the budget file is wrong" },
    { code: exit.unusableInput, meaning: "the input cannot be used, or the updates are unlike" },
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

/** Writes what was asked for; the exit code where a file cannot be written, else null. */
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
    [options.junit, () => gateJunit(document), writeFileSync],
    [options.markdown, () => gateMarkdown(document), writeFileSync],
    [options.github && summary !== "" ? summary : null, () => gateMarkdown(document), appendFileSync],
  ];
  for (const [path, render, write] of files) {
    if (path === null) continue;
    try {
      mkdirSync(dirname(path), { recursive: true });
      write(path, render());
    } catch (error) {
      return unusable(context, `${path} cannot be written: ${(error as Error).message}`);
    }
  }
  if (options.github) context.stdout.write(gateAnnotations(document));
  return null;
}
