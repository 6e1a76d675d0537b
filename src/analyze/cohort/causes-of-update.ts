/** The causes of an update's blackout as its statistics see them: what `blackout blame` shares out, a cause a row. */

import type { BlamedCause } from "../../model/documents/attribution.js";
import type { CauseSample } from "../../model/update-sample.js";
import { buildTrees } from "../attribution/build.js";
import type { AttributedUpdate } from "../attribution/update.js";
import { blame } from "../attribution/views/blame.js";

/**
 * Longest first; with `unattributed` they add up to the blackout exactly. Null where the blackout's duration is not
 * known: without a clock link there is no sum.
 */
export function causesOfUpdate(update: AttributedUpdate): readonly CauseSample[] | null {
  const { blackout } = buildTrees(update);
  if (blackout === null) return null;
  const { causes, unattributedNs } = blame([blackout], null, null);
  const drivers = new Map(update.devices.map(({ id, driver }) => [id, driver ?? ""]));
  const samples = causes.map((cause): CauseSample => {
    const { kind, id, phase, totalNs, count } = cause;
    const detail = kind === "device" ? (drivers.get(id) ?? "") : "";
    return { kind, id, phase, totalNs, count, parts: partsOf(cause), detail };
  });
  if (unattributedNs === 0) return samples;
  const id = "unattributed";
  return [...samples, { kind: id, id, phase: null, totalNs: unattributedNs, count: 1, parts: [], detail: "" }];
}

/** By action; empty if no span has a known action. */
function partsOf({ spans }: BlamedCause): CauseSample["parts"] {
  const parts = new Map<string, number>();
  for (const { action, durationNs } of spans) parts.set(action, (parts.get(action) ?? 0) + durationNs);
  if (parts.size === 1 && parts.has("")) return [];
  return [...parts].map(([name, totalNs]) => ({ name, totalNs }));
}
