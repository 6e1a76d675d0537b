/** A budget file, as src/cli/input/budget-file.ts reads it: for editors that complete and check YAML by a schema. */
import {
  choice,
  constant,
  count,
  document,
  either,
  list,
  matching,
  number,
  optional,
  record,
  text,
} from "../../base/schema.js";

const limit = matching(
  "^\\S.*\\s(max|p[0-9]{1,2}(\\.[0-9]{1,4})?)\\s*<=\\s*[0-9]",
  "METRIC STATISTIC <= DURATION, like `blackout p95 <= 5s`. METRIC: blackout, vm-blackout, a phase, or causes (KIND, KIND:NAME, KIND:NAME/ACTION). STATISTIC: a percentile, or max.",
);

const countLimit = matching(
  "^(health|outcomes)\\s+[a-z-]+\\s*<=\\s*[0-9]+$",
  "health NAME <= COUNT: complaints of both kernels; NAME: any, severe, minor, or a class. outcomes OUTCOME <= COUNT: updates with that outcome.",
);

const percent = [number(undefined, { min: 0, max: 100 }), matching("^[0-9]{1,3}(\\.[0-9]{1,6})?\\s?%?$")] as const;

const regression = record(
  {
    floor: optional(
      matching(
        "^[0-9]{1,16}(\\.[0-9]{1,16})? ?(h|min|s|ms|us|µs|μs|ns)$",
        "A duration with its unit: 250us, 2.5ms, 1s, 2min.",
      ),
      "1ms",
    ),
    "floor-percent": optional(either(percent, "A percentage: 5, 5%, 2.5 %."), 5),
    "fail-on": optional(list(choice(["blackout", "phases", "causes"]), undefined, { min: 1 }), ["blackout"]),
    "detect-percent": optional(
      either(
        percent,
        "The data suffice if a shift of this share of the baseline's median would be found in 8 of 10 comparisons.",
      ),
    ),
  },
  "Against --baseline. Changes smaller than the larger of both floors are ignored.",
);

export const budgetSchema = document(
  "budget",
  "blackout budget, version 1",
  "What a live update may cost; checked by `blackout gate --budget`. See docs/budget.md.",
  {
    version: constant(1),
    "decide-by": optional(
      choice(
        ["bounds", "sample"],
        "bounds: a limit is breached, or kept, where the percentile's confidence bounds show it. sample: as the sample's own percentile is.",
      ),
      "bounds",
    ),
    limits: optional(
      list(
        either([
          limit,
          countLimit,
          record({ limit: either([limit, countLimit]), why: optional(text("For the reader of a breach.")) }),
        ]),
        undefined,
        {
          max: 1000,
        },
      ),
    ),
    regression: optional(regression),
    outcomes: optional(record({ failed: count("Updates that did not complete, at most.") })),
    health: optional(
      record({ allow: list(text(), "Regular expressions: lines that match one are counted by no health limit.") }),
    ),
    updates: optional(record({ "at-least": count("Fewer measured updates decide nothing.") })),
  },
  2,
);
