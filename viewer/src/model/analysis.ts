/**
 * What attribution adds to a live update, in the viewer's own terms: where it is absent, everything here is empty and
 * nothing of it is shown.
 */
import type { LiveUpdate } from "../../../src/analyze/live-update.js";

export interface ViewFinding {
  readonly title: string;
  /** The evidence, in words. */
  readonly text: string;
  /** What fixing it would gain, where that is estimated. */
  readonly gainNs: number | null;
  /** The span it rests on; -1 where it rests on none. */
  readonly row: number;
}

export interface Analysis {
  /** Rows of the critical chain, in the order of time. */
  readonly chain: readonly number[];
  readonly findings: readonly ViewFinding[];
}

const EMPTY: Analysis = { chain: [], findings: [] };
const made = new WeakMap<LiveUpdate, Analysis>();

export function analysisOf(update: LiveUpdate): Analysis {
  const known = made.get(update);
  if (known !== undefined) return known;
  made.set(update, EMPTY);
  return EMPTY;
}
