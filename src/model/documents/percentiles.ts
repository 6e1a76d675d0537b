/** What `blackout percentiles --json` prints. */

import {
  choice,
  count,
  formatted,
  integer,
  list,
  nullable,
  number,
  type Of,
  record,
  shared,
  text,
} from "../../base/schema.js";
import { nsOrUnknown, PHASES, textOrNone, WORK_MEASURES } from "../document-parts.js";
import { PERCENTILES } from "./cohort.js";

/** What is measured of an update; `restore-work`: what LUO worked in the restore. */
export const MEASURES = ["blackout", ...PHASES, ...WORK_MEASURES] as const;
export type MeasureName = (typeof MEASURES)[number];

/** What updates must have in common, and every percentile's table names. */
export const COHORT_PROPERTIES = ["probeLevel", "workload", "basis"] as const;
export type CohortProperty = (typeof COHORT_PROPERTIES)[number];

const notCounted = shared(
  "notCounted",
  list(
    record({
      from: text("Path of the capture, or file and line of the document: names alone do not distinguish updates."),
      name: text("The capture's name."),
      reason: text(),
    }),
  ),
);
/** An update, or one value of it, that does not count, and why. */
export type NotCounted = Of<typeof notCounted>[number];

const difference = record({
  property: choice(COHORT_PROPERTIES),
  values: list(
    record({
      value: nullable(text(), "Null: not recorded."),
      members: count("Updates or logs with this value.", 1),
      first: text("The first of them."),
    }),
    "In the order of their first member.",
    { min: 2 },
  ),
});
export type CohortDifference = Of<typeof difference>;

const measurePercentile = record({
  percentile: choice(PERCENTILES),
  valueNs: nullable(
    count(),
    "The least value that this percentage of the values does not exceed; null if n is below `needed`.",
  ),
  lowerNs: nullable(count(), "The true percentile is at least this."),
  upperNs: nullable(count(), "The true percentile is at most this."),
  needed: integer("The smallest number of values whose largest bounds the percentile from above."),
});
export type MeasurePercentile = Of<typeof measurePercentile>;

const measure = record({
  name: choice(MEASURES),
  n: count("Number of values."),
  minNs: nsOrUnknown,
  maxNs: nsOrUnknown,
  percentiles: list(measurePercentile, undefined, { min: 5, max: 5 }),
  // Counted updates of which this measure is not known.
  unknown: notCounted,
});
export type MeasurePercentiles = Of<typeof measure>;

export const percentilesSchema = formatted(
  "percentiles",
  "Percentiles over many live updates, as `blackout percentiles --json` prints them. All times are integer nanoseconds.",
  {
    cohort: record({
      probeLevel: textOrNone,
      workload: textOrNone,
      basis: nullable(text(), "Of the blackout: vm-marks, vcpu or kernel-observed."),
      differences: list(
        difference,
        "In what the updates are unlike, where --force let them be counted together; otherwise empty.",
      ),
    }),
    // Excluded: updates that did not complete, or were given twice.
    updates: record({ counted: count(), excluded: notCounted }),
    logs: list(
      record({
        file: text(),
        values: count("Of all its measures together."),
        excluded: nullable(integer(), "Updates left out when it was written; null: it does not have the number."),
      }),
      "Histogram logs that were added.",
    ),
    resolution: choice(
      ["exact", "histogram"],
      "`exact`: values as measured. `histogram`: a log was added, so that percentiles are the upper ends of HDR buckets (3 digits), and have no bounds.",
    ),
    confidence: number(
      "With which each bound, lower or upper, holds by itself (order statistics; no distribution is assumed).",
    ),
    measures: list(measure, undefined, { min: MEASURES.length, max: MEASURES.length }),
  },
);
export type PercentilesDocument = Of<typeof percentilesSchema>;
