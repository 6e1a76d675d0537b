/** What the documents about cohorts have in common. */
import {
  choice,
  count,
  flag,
  integer,
  list,
  nullable,
  number,
  type Of,
  record,
  shared,
  text,
} from "../../base/schema.js";
import { counted, defectCounts, ns, outcome, outcomeCounts } from "../document-parts.js";

const VERDICTS = ["regressed", "improved", "unchanged", "inconclusive", "insufficient"] as const;
export type Verdict = (typeof VERDICTS)[number];
export const verdict = shared("verdict", choice(VERDICTS));

const PRESENCES = ["both", "new", "vanished"] as const;
/** Where a cause ran: in both cohorts, or in one only. */
export type Presence = (typeof PRESENCES)[number];
export const presence = shared("presence", choice(PRESENCES));

/** Of every distribution that is printed. */
export const PERCENTILES = [50, 90, 95, 99, 99.9] as const;

const percentile = record({
  percentile: number(),
  valueNs: nullable(
    integer(),
    "The least value of the sample that this share of its updates does not exceed; null if upperNs is null, as it would only repeat the largest.",
  ),
  lowerNs: nullable(integer(), "At most the percentile, with 95 %; null if no update bounds it."),
  upperNs: nullable(integer(), "At least the percentile, with 95 %; null if no update bounds it."),
  neededUpdates: count("Updates that an upper bound needs.", 1),
});
/** A percentile of a cohort's updates. */
export type UpdatesPercentile = Of<typeof percentile>;

export const distribution = shared(
  "distribution",
  record({
    updates: count("Live updates: the number that every test and interval rests on.", 1),
    values: count("More than updates if updates have several VMs; percentiles are then of each update's median VM.", 1),
    minNs: integer(),
    maxNs: integer(),
    medianNs: integer("Of an even number the middle of both in the middle: no value of the sample then, unlike p50."),
    percentiles: list(percentile),
  }),
);
/** A metric of a cohort in a few numbers. */
export type DistributionDocument = Of<typeof distribution>;

export const excluded = shared("excluded", list(record({ source: text(), name: text(), outcome, reason: text() })));
/** An update that has no blackout to compare, and why. */
export type Excluded = Of<typeof excluded>[number];

export const cohortSchema = shared(
  "cohort",
  record({
    name: text(),
    updates: count(),
    outcomes: outcomeCounts,
    measured: count("Completed, with a known blackout: what the statistics rest on."),
    excluded,
    defects: defectCounts,
  }),
);
export type CohortDocument = Of<typeof cohortSchema>;

const TRAITS = ["probe level", "labels.workload", "blackout basis"] as const;

export const unlike = shared(
  "unlike",
  list(
    record({
      trait: choice(TRAITS),
      cohorts: list(record({ cohort: text(), values: counted })),
      why: text(),
    }),
    "Traits that differ although they must not. A value that a capture does not have is `not recorded`.",
  ),
);
/** A trait that differs although it must not: comparing across it compares the measurement, not the update. */
export type Unlike = Of<typeof unlike>[number];
export type CountedValue = Of<typeof counted>[number];

export const warning = shared(
  "warning",
  record({ code: choice(["drift", "sequential", "order-unknown", "outcomes", "spread"]), message: text() }),
);
export type Warning = Of<typeof warning>;

const check = record({
  kind: choice(["limit", "regression", "outcomes", "updates", "health"]),
  name: text("`blackout p95 <= 5s`; unique in a document."),
  status: choice(
    ["passed", "failed", "undecided", "skipped"],
    "failed: shown to be over the limit, or regressed. undecided: the data show neither. skipped: not looked at, as no baseline was given.",
  ),
  message: text("One sentence."),
  why: text("The comment of the budget's author, or empty."),
  line: count("Of the budget file.", 1),
  limitNs: ns,
  observedNs: nullable(integer(), "Of the sample; for a regression the shift."),
  lowerNs: ns,
  upperNs: ns,
  updates: count(),
  neededUpdates: nullable(integer(), "Updates from which on it could be decided, if that is known."),
});
export const checks = shared("checks", list(check));
export type Check = Of<typeof check>;
export type CheckStatus = Check["status"];

export const forced = flag("Unlike cohorts were compared all the same (--force): not to be trusted.");
