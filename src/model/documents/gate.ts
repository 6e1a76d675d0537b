/** What `blackout gate --json` prints. */
import { choice, flag, formatted, list, nullable, type Of, shared, text } from "../../base/schema.js";
import { checks, cohortSchema, forced, unlike, warning } from "./cohort.js";
import { comparisonSchema } from "./comparison.js";

export const gateSchema = formatted(
  "gate",
  "A cohort against a budget, and a baseline: what `blackout gate --json` prints. Times are integer nanoseconds.",
  {
    verdict: choice(
      ["passed", "failed", "insufficient"],
      "insufficient: nothing failed, something is undecided, and --require-data was given.",
    ),
    requireData: flag(),
    budget: text("The budget file."),
    forced,
    unlike,
    warnings: list(warning),
    cohort: cohortSchema,
    baseline: nullable(cohortSchema),
    checks,
    comparison: nullable(shared("comparison", comparisonSchema), "With --baseline."),
  },
);
export type GateDocument = Of<typeof gateSchema>;
