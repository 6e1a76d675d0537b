/**
 * The span tree: the blackout, its phases, their stages, their causes. At every level the children and an explicit
 * remainder equal the parent in integer nanoseconds; overlaps are resolved by `partition` (the innermost running cause
 * wins, so that each nanosecond is counted once; lanes keep the whole spans).
 */

import type { Boot } from "../../base/time.js";
import type { NodeKind } from "../../model/documents/attribution.js";
import type { PhaseName } from "../../model/live-update.js";
import { SPAN_ROLES, type SpanKind } from "../../model/span-table.js";
import type { SeamBound } from "./seam-bounds.js";

export interface TreeNode {
  readonly kind: NodeKind;
  /**
   * What distinguishes it from others of its kind: a phase's or stage's name, a session, `session token`, a device's
   * address.
   */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** What was done with the cause: `shutdown`, `probe`, `retrieve`, a cpuhp step; or empty. */
  readonly action: string;
  /** The phase it lies in; null in the blackout itself, in gaps, and where phases were not seen apart. */
  readonly phase: PhaseName | null;
  readonly stage: string | null;
  readonly boot: Boot | null;
  readonly beginNs: number;
  readonly endNs: number;
  readonly durationNs: number;
  /** What no child covers, of structure; a cause's own time is covered by children of the cause's own identity. */
  readonly unattributedNs: number;
  /** It follows from the order of what was recorded, not from a record of its own. */
  readonly inferred: boolean;
  readonly evidence: string;
  readonly cpu: number;
  readonly pid: number;
  readonly task: string;
  /** Row of the span table, -1 if it has none. */
  readonly row: number;
  /** Stages of this phase that the capture does not show. */
  readonly notSeen: readonly string[];
  /** Of a leaf of the seam: what its stages take at least and at most, modelled. */
  readonly bounds?: readonly SeamBound[];
  readonly children: readonly TreeNode[];
}

export const STRUCTURE: ReadonlySet<NodeKind> = new Set(["blackout", "phase", "gap", "stage"]);

export function isCauseNode(node: TreeNode): boolean {
  return !STRUCTURE.has(node.kind);
}

/** A node of structure: its remainder is what its children leave. */
export function structureNode(
  part: Pick<TreeNode, "kind" | "id" | "beginNs" | "endNs"> & Partial<TreeNode>,
  children: readonly TreeNode[],
): TreeNode {
  const durationNs = part.endNs - part.beginNs;
  return {
    name: part.id,
    action: "",
    phase: null,
    stage: null,
    boot: null,
    inferred: false,
    evidence: "",
    cpu: -1,
    pid: -1,
    task: "",
    row: -1,
    notSeen: [],
    ...part,
    durationNs,
    children,
    unattributedNs: children.reduce((left, child) => left - child.durationNs, durationNs),
  };
}

/** Calls `visit` with every node and the path to it, parents first. */
export function walk(
  node: TreeNode,
  visit: (node: TreeNode, above: readonly TreeNode[]) => void,
  above: readonly TreeNode[] = [],
): void {
  visit(node, above);
  for (const child of node.children) walk(child, visit, [...above, node]);
}

/** All of a tree's nodes that no other lies in, in order of time. */
export function leavesOf(node: TreeNode): readonly TreeNode[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leavesOf);
}

/** What the structure below `node` leaves unattributed, in all. */
export function unattributedIn(node: TreeNode): number {
  let total = 0;
  walk(node, ({ unattributedNs }) => {
    total += unattributedNs;
  });
  return total;
}

/** Whether spans of a kind are calls, which take their time from what encloses them. */
export function isSpanCause(kind: SpanKind): boolean {
  return SPAN_ROLES[kind].cause;
}
