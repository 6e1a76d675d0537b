/** The causes of an update's blackout as its statistics see them: what `blackout blame` shares out, a cause a row. */

import type { BlamedCause } from "../../model/documents/attribution.js";
import type { CauseSample } from "../../model/update-sample.js";
import { buildTrees } from "../attribution/build.js";
import type { TreeNode } from "../attribution/tree.js";
import type { AttributedUpdate } from "../attribution/update.js";
import { blame } from "../attribution/views/blame.js";

/** What explains an update's times; lists are longest first. */
export interface UpdateCauses {
  /** With `unattributed` they add up to the blackout exactly. Null if the blackout's duration is not known. */
  readonly causes: readonly CauseSample[] | null;
  /** Of each phase that lies outside the blackout, or reaches beyond it, whole. */
  readonly outsideCauses: readonly CauseSample[];
}

export function causesOfUpdate(update: AttributedUpdate): UpdateCauses {
  const { blackout, outside } = buildTrees(update);
  const details: Details = {
    device: new Map(update.devices.map(({ id, driver }) => [id, driver ?? ""])),
    file: new Map(
      update.sessions.flatMap(({ name, unit: own, files }) =>
        files.map(({ token, unit }) => [`${name} ${token}`, unit ?? own ?? ""] as const),
      ),
    ),
  };
  const phases = outside.filter(({ kind }) => kind === "phase");
  return {
    causes: blackout === null ? null : causesOfTree(blackout, details),
    outsideCauses: phases.flatMap((tree) => causesOfTree(tree, details)),
  };
}

/** Beside a cause's id: a device's driver, the systemd unit of a file. */
type Details = Readonly<Record<"device" | "file", ReadonlyMap<string, string>>>;

function causesOfTree(tree: TreeNode, details: Details): readonly CauseSample[] {
  const { causes, unattributedNs } = blame([tree], null, null);
  const samples = causes.map((cause): CauseSample => {
    const { kind, id, phase, totalNs, count } = cause;
    const detail = kind === "device" || kind === "file" ? (details[kind].get(id) ?? "") : "";
    return { kind, id, phase, totalNs, count, parts: partsOf(cause), detail };
  });
  if (unattributedNs === 0) return samples;
  const id = "unattributed";
  const { phase } = tree;
  return [...samples, { kind: id, id, phase, totalNs: unattributedNs, count: 1, parts: [], detail: "" }];
}

/** By action; empty if no span has a known action. */
function partsOf({ spans }: BlamedCause): CauseSample["parts"] {
  const parts = new Map<string, number>();
  for (const { action, durationNs } of spans) parts.set(action, (parts.get(action) ?? 0) + durationNs);
  if (parts.size === 1 && parts.has("")) return [];
  return [...parts].map(([name, totalNs]) => ({ name, totalNs }));
}
