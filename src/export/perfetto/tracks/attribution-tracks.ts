/** The tracks that show where the time went: span tree, critical chain, devices over the kexec, interrupt silence. */

import { buildTrees, type UpdateTrees } from "../../../analyze/attribution/build.js";
import { silences } from "../../../analyze/attribution/on-cpu.js";
import { boundsText } from "../../../analyze/attribution/seam-bounds.js";
import { STRUCTURE, type TreeNode } from "../../../analyze/attribution/tree.js";
import type { AttributedUpdate } from "../../../analyze/attribution/update.js";
import { type CriticalChain, criticalChain } from "../../../analyze/attribution/views/chain.js";
import type { Boot } from "../../../base/time.js";
import type { Silence } from "../../../model/documents/attribution.js";
import { SPAN_KINDS, SpanFlag, type SpanTable } from "../../../model/span-table.js";
import type { TraceTime } from "../packets/trace-time.js";
import type { Annotations, TraceWriter } from "../packets/trace-writer.js";
import { Rank, type Roots } from "./track-order.js";

/** An update's attribution, for the file. */
export interface Attribution {
  readonly trees: UpdateTrees;
  /** null if the blackout is unknown. */
  readonly chain: CriticalChain | null;
  readonly silences: readonly Silence[];
}

export function attributionOf(update: AttributedUpdate): Attribution {
  const trees = buildTrees(update);
  return {
    trees,
    chain: trees.blackout === null ? null : criticalChain(update, trees.blackout),
    silences: silences(update),
  };
}

/** Flow ids of devices begin here, those of files below (span-tracks.ts), those of sessions at 1. */
const DEVICE_FLOWS = 2_000_000_000;

const DEVICE = SPAN_KINDS.indexOf("device");

/** Writes the tracks; returns how many slices had no time that can be drawn. */
export function writeAttribution(
  writer: TraceWriter,
  { trees, chain, silences: silent }: Attribution,
  spans: SpanTable,
  roots: Roots,
  time: TraceTime,
): number {
  let unplaced = 0;
  const slice = (
    track: number,
    boot: Boot,
    beginNs: number,
    endNs: number,
    name: string,
    category: string,
    annotations: Annotations,
    inside: () => void = () => {},
    flow: { readonly starts?: number; readonly ends?: number } = {},
  ): void => {
    const [begin, end] = [time.at(boot, beginNs), time.at(boot, endNs)];
    if (begin === null || end === null || end < begin) {
      unplaced += 1;
      return;
    }
    writer.event("slice", begin, track, name, category, annotations, flow);
    inside();
    writer.endSlice(end, track);
  };

  writeTrees(writer, trees, roots, time, slice);
  if (chain !== null && time.joint) writeChain(writer, chain, roots, slice);
  writeDevices(writer, spans, roots, time, slice);
  if (silent.length > 0 && time.joint) {
    const group = writer.track({
      parent: roots.old,
      name: "Interrupt silence",
      ordered: true,
      rank: Rank.silence,
      description:
        "Each interrupt that both kernels served, from its last before the kexec to its first after: interrupts raised in between are lost.",
    });
    silent.forEach(({ irq, lastOldNs, firstNewNs, silentNs }, rank) => {
      const track = writer.track({ parent: group, name: irq, rank });
      slice(track, "old", lastOldNs, firstNewNs, irq, "silence", [["duration_ns", silentNs]]);
    });
  }
  return unplaced;
}

type WriteSlice = (
  track: number,
  boot: Boot,
  beginNs: number,
  endNs: number,
  name: string,
  category: string,
  annotations: Annotations,
  inside?: () => void,
  flow?: { readonly starts?: number; readonly ends?: number },
) => void;

const labelOf = ({ kind, name, action }: TreeNode): string => {
  const bare = STRUCTURE.has(kind) || kind === "seam" || kind === "idle" || kind === "printk";
  return `${bare ? "" : `${kind} `}${name}${action === "" ? "" : ` ${action}`}`;
};

function writeTrees(
  writer: TraceWriter,
  { blackout, outside }: UpdateTrees,
  roots: Roots,
  time: TraceTime,
  slice: WriteSlice,
): void {
  // The part of a phase inside the blackout is already drawn there, and slices of one track must nest or be disjoint.
  const beside = outside.filter(
    ({ beginNs, endNs }) => blackout === null || endNs <= blackout.beginNs || beginNs >= blackout.endNs,
  );
  const all = [...(blackout === null ? [] : [blackout]), ...beside];
  const bootOf = (tree: TreeNode): Boot => (tree.boot === "new" ? "new" : "old");
  for (const boot of time.joint ? (["old"] as const) : (["old", "new"] as const)) {
    const own = all.filter((tree) => time.joint || bootOf(tree) === boot).sort((a, b) => a.beginNs - b.beginNs);
    if (own.length === 0) continue;
    const track = writer.track({
      parent: roots[boot],
      name: "Where it went",
      rank: Rank.tree,
      description:
        "The span tree: phases, their stages, their causes; innermost running cause wins. Each level, with its unattributed time, adds up to the slice above (docs/attribution.md).",
    });
    const left = (from: number, to: number): void => {
      if (to > from) slice(track, boot, from, to, "unattributed", "attribution", [["kind", "unattributed"]]);
    };
    const draw = (node: TreeNode): void => {
      const { kind, id, phase, stage, evidence, inferred, beginNs, endNs, unattributedNs, notSeen, children } = node;
      const known: Annotations = [
        ["kind", kind],
        ["id", id],
        ["phase", phase],
        ["stage", stage],
        ["duration_ns", node.durationNs],
        ["unattributed_ns", STRUCTURE.has(kind) ? unattributedNs : null],
        ["evidence", evidence === "" ? null : evidence],
        ["inferred", inferred ? true : null],
        ["bounds", boundsText(node.bounds ?? []) || null],
        ["not_seen", notSeen.length === 0 ? null : notSeen.join(", ")],
      ];
      slice(track, boot, beginNs, endNs, labelOf(node), "attribution", known, () => {
        if (!STRUCTURE.has(kind)) {
          for (const child of children) draw(child);
          return;
        }
        let at = beginNs;
        for (const child of children) {
          left(at, child.beginNs);
          draw(child);
          at = child.endNs;
        }
        left(at, endNs);
      });
    };
    let until = Number.NEGATIVE_INFINITY;
    for (const tree of own) {
      if (tree.beginNs < until) continue;
      until = tree.endNs;
      draw(tree);
    }
  }
}

function writeChain(writer: TraceWriter, { steps }: CriticalChain, roots: Roots, slice: WriteSlice): void {
  const track = writer.track({
    parent: roots.old,
    name: "Critical chain",
    rank: Rank.chain,
    description: "The steps that carried the update, in order: a shorter step is a shorter blackout.",
  });
  for (const step of steps) {
    const { kind, id, name, action, phase, stage, inferred, beginNs, endNs, durationNs, waits } = step;
    const [longest] = waits;
    slice(track, "old", beginNs, endNs, `${name}${action === "" ? "" : ` ${action}`}`, "critical-chain", [
      ["kind", kind],
      ["id", id],
      ["phase", phase],
      ["stage", stage],
      ["duration_ns", durationNs],
      ["inferred", inferred ? true : null],
      ["blocked_ns", longest === undefined ? null : waits.reduce((sum, { totalNs }) => sum + totalNs, 0)],
      ["woken_by", longest?.waker ?? null],
    ]);
  }
}

/** A track for each device that both kernels name: its shutdown, an arrow over the kexec, its probe. */
function writeDevices(writer: TraceWriter, spans: SpanTable, roots: Roots, time: TraceTime, slice: WriteSlice): void {
  if (!time.joint) return;
  const text = (ids: Uint32Array, row: number): string => spans.strings[ids[row] as number] ?? "";
  const devices = new Map<string, { shutdown: number; probe: number }>();
  for (let row = 0; row < spans.count; row++) {
    if (spans.kind[row] !== DEVICE) continue;
    const id = text(spans.id, row);
    const device = devices.get(id) ?? { shutdown: -1, probe: -1 };
    devices.set(id, device);
    const action = text(spans.action, row);
    if (action === "shutdown" && spans.boot[row] === 1) device.shutdown = row;
    if (action === "probe" && spans.boot[row] === 2) device.probe = row;
  }
  const joined = [...devices].filter(([, { shutdown, probe }]) => shutdown >= 0 && probe >= 0);
  if (joined.length === 0) return;
  const group = writer.track({
    parent: roots.old,
    name: "Devices over the kexec",
    ordered: true,
    rank: Rank.devices,
    description: "Each device's shutdown in the old kernel and its probe in the new one.",
  });
  joined
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .forEach(([id, { shutdown, probe }], rank) => {
      const track = writer.track({ parent: group, name: text(spans.name, probe) || id, rank });
      const flow = DEVICE_FLOWS + rank;
      for (const row of [shutdown, probe]) {
        const [begin, end] = [spans.beginNs[row] as number, spans.endNs[row] as number];
        const known: Annotations = [
          ["id", id],
          ["duration_ns", end - begin],
          ["evidence", text(spans.evidence, row)],
          ["inferred", ((spans.flags[row] as number) & SpanFlag.inferred) !== 0 ? true : null],
        ];
        const [boot, name, arrow] =
          row === shutdown
            ? (["old", "shutdown", { starts: flow }] as const)
            : (["new", "probe", { ends: flow }] as const);
        slice(track, boot, begin, end, name, "device-row", known, undefined, arrow);
      }
    });
}
