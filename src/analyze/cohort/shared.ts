/** Updates that stand on both sides of a comparison. */

import type { UpdateSample } from "../../model/update-sample.js";
import type { Cohort } from "./cohort.js";

/**
 * What no two updates have in common: their durations to the nanosecond, and when and where they were made. Null if
 * the blackout is not known, so that failed updates that measured nothing are not taken for one.
 */
function fingerprint({ blackout, seam, phases, vms, host, takenAtMs }: UpdateSample): string | null {
  if (blackout.durationNs === null) return null;
  const durations = [blackout.durationNs, seam.durationNs, ...Object.values(phases)];
  return JSON.stringify([host, takenAtMs, durations, vms.map(({ id, durationNs }) => [id, durationNs])]);
}

/**
 * How many of `candidate`'s updates are in `base` too, under any name, as a sentence; null if none is. Cohorts that
 * share updates look more alike than they are: the tests of a comparison take them for independent.
 */
export function sharedSentence(base: Cohort, candidate: Cohort): string | null {
  const known = new Set(base.updates.map(fingerprint).filter((each) => each !== null));
  const shared = candidate.updates.filter((update) => known.has(fingerprint(update) ?? "")).length;
  if (shared === 0) return null;
  const total = candidate.updates.length;
  const which = shared === total ? `all ${total}` : `${shared} of the ${total}`;
  return `${which} updates of ${candidate.name} are in ${base.name} too: cohorts that share updates look more alike than they are; compare cohorts that have none in common.`;
}
