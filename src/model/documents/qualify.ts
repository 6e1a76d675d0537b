/** What `blackout qualify --json` prints. */
import {
  about,
  choice,
  count,
  formatted,
  integer,
  list,
  nullable,
  type Of,
  pair,
  record,
  text,
} from "../../base/schema.js";
import { outcomeCounts, share } from "../document-parts.js";
import { checks, distribution, excluded, forced, unlike, verdict } from "./cohort.js";

/** With what a cell's blackout is compared: the old kernel's updates to itself, the new one's, or nothing. */
export const REFERENCES = ["old", "new", "none"] as const;
export type Reference = (typeof REFERENCES)[number];

const cell = record({
  old: text(),
  new: text(),
  status: choice(
    ["passed", "regressed", "failed", "not-tested"],
    "failed: an update did not complete. regressed: all did, but a budget is breached or the blackout is shown to be longer than the reference's. passed: neither. not-tested: no update of this pair of kernels, or none whose blackout its own evidence does not contradict.",
  ),
  evidence: list(text(), "Sentences: what the status rests on."),
  updates: count(),
  outcomes: outcomeCounts,
  // Updates that did not complete, or have no known blackout.
  excluded,
  blackout: nullable(distribution),
  comparison: nullable(
    record({
      with: pair(text(), "Old and new kernel of the reference."),
      verdict,
      shiftNs: integer(),
      pValue: share,
      adjustedP: about("Holm's, over all compared cells.", share),
      neededUpdates: nullable(integer()),
    }),
  ),
  checks,
  sources: list(text(), "Where the cell's updates came from."),
});
export type QualifyCell = Of<typeof cell>;
export type CellStatus = QualifyCell["status"];

export const qualifySchema = formatted(
  "qualify",
  "A matrix of old and new kernels: what `blackout qualify --json` prints. Times are integer nanoseconds.",
  {
    verdict: choice(
      ["passed", "failed", "incomplete"],
      "incomplete: nothing failed or regressed, but a pair is not tested.",
    ),
    forced,
    unlike,
    reference: choice(REFERENCES),
    old: list(text()),
    new: list(text()),
    cells: list(cell, "By old kernel, then by new."),
    unnamed: list(text(), "Updates that do not name both kernels: they are in the cells of the kernel `unknown`."),
  },
);
export type QualifyDocument = Of<typeof qualifySchema>;
