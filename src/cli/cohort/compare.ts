import { compareCohorts } from "../../analyze/compare/comparison.js";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { defineCommand, exit, unusable } from "../frame/command.js";
import { decimal, duration, flag, integer, one, withDefault } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { COHORT_FORMS, warnOfShared } from "../workers/cohort-load.js";
import { loadCohorts, refuseUnlike } from "../workers/cohorts.js";
import { comparisonText } from "./compare-text.js";

export const floorOptions = {
  "floor-percent": withDefault(
    decimal("PERCENT", { min: 0, max: 100 }, "A smaller change than this share of the baseline's median is none"),
    100 * DEFAULT_FLOORS.relative,
  ),
  floor: withDefault(duration("DURATION", "A smaller change than this is none"), DEFAULT_FLOORS.absoluteNs),
};

export const seedOption = withDefault(
  integer("N", { min: 0, max: 2 ** 32 - 1 }, "Of all resampling: the same seed gives the same answer"),
  1,
);

export const compare = defineCommand({
  usage: null,
  description: `Compares the blackouts of two cohorts: ${COHORT_FORMS}. The verdict is regressed, improved, unchanged (shown to lie within the floor), inconclusive, or insufficient (and how many updates it needs).\nAt most 1 in 100 comparisons of like cohorts calls the blackout changed. Phases and causes explain a change, with the errors of each level held together (docs/compare.md).\nCohorts of unlike probe level, labels.workload or blackout basis are refused.`,
  options: {
    json: flag("One JSON document (docs/comparison.schema.json)"),
    ...floorOptions,
    seed: seedOption,
    force: flag("Compare unlike cohorts all the same, and mark the output"),
    ...captureOptions,
  },
  positionals: { base: one("The baseline cohort"), candidate: one("The cohort under test") },
  examples: [
    {
      command: "blackout compare traces/cohorts/base traces/cohorts/devices",
      what: "Did four more NICs cost anything?",
    },
    { command: "blackout compare 'runs/v7.2-*.tar.gz' 'runs/v7.3-*.tar.gz'", what: "Two patterns" },
    {
      command: "blackout compare --json --floor-percent 2 before.jsonl after.jsonl",
      what: "Analysed updates, for a program",
    },
  ],
  exitCodes: [{ code: exit.unusableInput, meaning: "the input cannot be used, or the updates are unlike" }],
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
