/** What `blackout compare --json` prints. */
import {
  about,
  choice,
  count,
  flag,
  formatted,
  integer,
  list,
  nullable,
  number,
  type Of,
  pair,
  record,
  shared,
  text,
} from "../../base/schema.js";
import { causeKind, counted, interval, intervalOrNone, share } from "../document-parts.js";
import { cohortSchema, distribution, forced, presence, unlike, verdict, warning } from "./cohort.js";

const percentileDifference = record({
  percentile: number(),
  shiftNs: integer(),
  shiftIntervalNs: interval,
  supported: flag("False: fewer updates than the percentile needs; the interval is too narrow to be evidence."),
  neededUpdates: count(undefined, 1),
  verdict: about(
    "regressed or improved: more updates than chance explains lie above the percentile of both cohorts together, and the shift reaches the floor. insufficient: not supported.",
    verdict,
  ),
  pValue: about("Fisher's exact test of the updates above the percentile of both cohorts, two-sided.", share),
  adjustedP: about("Holm's, within the level.", share),
});
export type PercentileDifference = Of<typeof percentileDifference>;

const cause = shared(
  "cause",
  record({
    kind: causeKind,
    id: text(),
    detail: text(),
    presence,
    shiftNs: integer("Difference of trimmed means."),
    shiftIntervalNs: interval,
    share: nullable(
      number(),
      "Of breakdown.totalNs; null if that is below the floor, and a share of it would be a share of noise.",
    ),
    parts: list(record({ name: text(), shiftNs: integer() })),
    baseNs: integer(),
    candidateNs: integer(),
    verdict,
    pValue: share,
    adjustedP: share,
  }),
);
export type CauseComparison = Of<typeof cause>;

const metric = shared(
  "metric",
  record({
    name: text("`blackout`, `vm-blackout`, or a phase."),
    level: choice(["primary", "phases"]),
    verdict,
    neededUpdates: nullable(integer(), "For insufficient: updates a side from which on a difference could be shown."),
    base: distribution,
    candidate: distribution,
    shiftNs: integer("Hodges-Lehmann."),
    // Null if so few updates have none.
    shiftIntervalNs: intervalOrNone,
    confidence: about("Of shiftIntervalNs: 1 less the metric's level.", share),
    pValue: about("Mann-Whitney, two-sided.", share),
    adjustedP: about("Holm's, within the level.", share),
    method: choice(["exact", "asymptotic"]),
    floorNs: count(),
    detectableNs: nullable(
      integer(),
      "The smallest shift found in 8 of 10 such comparisons; null: no shift could be shown.",
    ),
    cliffsDelta: record({
      delta: number(),
      lower: number(),
      upper: number(),
      magnitude: choice(["negligible", "small", "medium", "large"]),
    }),
    spread: record({ d: share, pValue: share, atNs: integer() }, "Kolmogorov-Smirnov."),
    percentileShifts: list(
      percentileDifference,
      "Of the blackout all; of other metrics those whose verdict is regressed or improved.",
    ),
    causes: list(
      cause,
      "Why, if the metric changed: for the blackout the list below, for a phase the causes within it. Empty otherwise.",
    ),
    causesPercentile: nullable(
      number(),
      "If a percentile changed and the median did not: `causes` are the differences of the means of the updates beyond this percentile of either cohort, and its verdicts are of these updates. Null: `causes` are those of trimmed means over all updates.",
    ),
  }),
);
export type MetricComparison = Of<typeof metric>;

/** Traits of the image that is started, which may be under test. */
export type ImageFactor =
  | "compressor"
  | "image size"
  | "image memory"
  | "initramfs"
  | "configuration"
  | "KASLR"
  | "CPUs"
  | "preserved memory"
  | "preserved folios";

const factor = record({
  name: text<"old kernel" | "new kernel" | "memory" | "devices" | ImageFactor | `labels.${string}`>(
    "What may be under test: old kernel, new kernel, memory, devices; if they differ compressor, image size, image memory, initramfs, configuration, KASLR, CPUs, preserved memory, preserved folios, labels.NAME.",
  ),
  values: list(counted, "Of each cohort, in the order given."),
  differs: flag(),
});
export type Factor = Of<typeof factor>;

const floors = record({ relative: number(), absoluteNs: count() });
/** Changes smaller than the larger of both are ignored. */
export type Floors = Of<typeof floors>;

export const comparisonSchema = formatted(
  "comparison",
  "Two cohorts compared: what `blackout compare --json` prints. Times are integer nanoseconds; a shift is candidate less baseline.",
  {
    verdict: about(
      "Of the comparison: the blackout's, by its place and its percentiles; if these do not change, that of phases that did.",
      verdict,
    ),
    reason: text("One to four sentences: the blackout, its percentiles, phases and causes that changed."),
    forced,
    unlike,
    warnings: list(warning),
    base: cohortSchema,
    candidate: cohortSchema,
    factors: list(factor),
    levels: record({
      primary: share,
      percentiles: share,
      spread: share,
      phases: share,
      phasePercentiles: share,
      causes: share,
    }),
    floors,
    seed: count(),
    metrics: list(metric, "The blackout first."),
    breakdown: nullable(
      record({
        totalNs: integer("Difference of the trimmed mean blackouts: all causes' shifts and restNs add up to it."),
        intervalNs: interval,
        restNs: integer("Of causes too small to be listed."),
        restCauses: count(),
        updates: pair(count()),
      }),
      "Null if a cohort's blackouts were not attributed.",
    ),
    causes: list(cause, "By the size of their shift."),
  },
);
export type Comparison = Of<typeof comparisonSchema>;
