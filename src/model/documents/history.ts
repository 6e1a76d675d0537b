/** What `blackout history --json` prints. */
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
  record,
  text,
} from "../../base/schema.js";
import { causeKind, intervalOrNone, share } from "../document-parts.js";
import { distribution, excluded, forced, presence, unlike } from "./cohort.js";

const build = record({
  name: text(),
  updates: count(undefined, 1),
  notCompleted: count(),
  firstAtMs: nullable(
    integer(),
    "When the first was taken, milliseconds since 1970; null if the captures do not have it.",
  ),
  distribution: nullable(distribution, "Null if the metric was not measured in any."),
});
export type HistoryBuild = Of<typeof build>;

const change = record({
  after: text("The change lies after this build,"),
  notAfter: text("and not after this one; the same where it lies within one."),
  direction: choice(["longer", "shorter"]),
  shiftNs: integer("Hodges-Lehmann, of the values between the change before and the one after."),
  shiftIntervalNs: intervalOrNone,
  shiftRelative: nullable(number(), "Share of the median before; null if that is zero."),
  pValue: share,
  belowFloor: flag("Below the comparison's floors: it is there, and does not matter."),
  causes: list(
    record({ kind: causeKind, id: text(), name: text(), shiftNs: integer(), share: number(), presence }),
    "For the blackout: those whose interval excludes zero, the largest five.",
  ),
});
export type HistoryChange = Of<typeof change>;

export const historySchema = formatted(
  "history",
  "A series of builds and where it changed: what `blackout history --json` prints. Times are integer nanoseconds.",
  {
    by: text("cohort, old-kernel, new-kernel, date, labels.NAME"),
    metric: text(),
    forced,
    unlike,
    seed: count(),
    level: about("Of each test: at most this share of series without a change is given one.", share),
    points: count("Values looked at."),
    updatesPerPoint: count("1, but for long series, which are summarised by medians.", 1),
    builds: list(build),
    changes: list(change),
    excluded,
    left: count("Updates not in the series: without the property it is by, not completed, or not measured."),
  },
);
export type HistoryDocument = Of<typeof historySchema>;
