import { compareCohorts } from "../../analyze/compare/comparison.js";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { defineCommand, exit, unusable } from "../frame/command.js";
import { decimalOption, durationOption, flagOption, integerOption, one, withDefault } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { COHORT_FORMS, warnOfShared } from "../workers/cohort-load.js";
import { loadCohorts, refuseUnlike } from "../workers/cohorts.js";
import { comparisonText } from "./compare-text.js";

export const floorOptions = {
  "floor-percent": withDefault(
    decimalOption(
      "PERCENT",
      { min: 0, max: 100 },
      "Ignore changes smaller than this percentage of the baseline's median",
    ),
    100 * DEFAULT_FLOORS.relative,
  ),
  floor: withDefault(durationOption("DURATION", "Ignore changes smaller than this"), DEFAULT_FLOORS.absoluteNs),
};

export const seedOption = withDefault(
  integerOption("N", { min: 0, max: 2 ** 32 - 1 }, "Random seed for resampling; the same seed reproduces the result"),
  1,
);

export const compareCommand = defineCommand({
  usage: null,
  description: `Compares the blackouts of two cohorts: ${COHORT_FORMS}. The verdict is regressed, improved, unchanged (shown to be within the floor), inconclusive, or insufficient (with the number of updates needed).\nOf 100 comparisons of equal cohorts, at most 1 reports a changed blackout. Percentiles, phases and causes are tested too, and explain a change (docs/compare.md).\nCohorts that differ in probe level, labels.workload or blackout basis are refused.`,
  options: {
    json: flagOption("Print one JSON document (docs/comparison.schema.json)"),
    ...floorOptions,
    seed: seedOption,
    force: flagOption("Compare cohorts although they differ, and mark the output"),
    ...captureOptions,
  },
  positionals: { base: one("The baseline cohort"), candidate: one("The cohort under test") },
  examples: [
    {
      command: "blackout compare traces/cohorts/base traces/cohorts/devices",
      what: "Find out what four more NICs cost",
    },
    {
      command: "blackout compare 'runs/v7.2-*.tar.gz' 'runs/v7.3-*.tar.gz'",
      what: "Compare the captures of two patterns",
    },
    {
      command: "blackout compare --json --floor-percent 2 before.jsonl after.jsonl",
      what: "Compare analysed updates, as JSON",
    },
  ],
  exitCodes: [{ code: exit.unusableInput, meaning: "unusable input, or updates that must not be compared" }],
  run: async (context, { options, positionals }) => {
    const loaded = await loadCohorts(context, [positionals.base, positionals.candidate], captureOptionsOf(options));
    if (!loaded.ok) return loaded.error;
    const { cohorts, code } = loaded.value;
    const refused = refuseUnlike(context, cohorts, options.force);
    if (refused !== null) return refused;
    const [base, candidate] = cohorts;
    warnOfShared(context, base!, candidate!);
    const floors = { relative: options["floor-percent"] / 100, absoluteNs: options.floor };
    const comparison = compareCohorts(base!, candidate!, { floors, seed: options.seed });
    if (comparison === null) {
      return unusable(context, "a cohort has no completed update whose blackout is known: there is nothing to compare");
    }
    if (options.json) context.stdout.write(`${JSON.stringify(comparison)}\n`);
    else context.stdout.write(comparisonText(comparison, { palette: context.colour, width: context.width }));
    return code;
  },
});
