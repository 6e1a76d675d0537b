/** What the attribution commands print with --json; schemas in docs/. Integers, nanoseconds, zero at the blackout's begin. */

import type { LiveUpdateDocument, PhaseName } from "../../../model/live-update.js";
import type { Finding } from "../../findings/finding.js";
import type { UpdateTrees } from "../build.js";
import type { Silence } from "../on-cpu.js";
import { leavesOf, type TreeNode, unattributedIn } from "../tree.js";
import type { Blame, BlameKind } from "./blame.js";
import type { CriticalChain } from "./chain.js";
import type { WhatIf } from "./what-if.js";

export interface NodeDocument
  extends Pick<
    TreeNode,
    | "kind"
    | "id"
    | "name"
    | "action"
    | "phase"
    | "stage"
    | "boot"
    | "beginNs"
    | "endNs"
    | "durationNs"
    | "unattributedNs"
    | "inferred"
    | "evidence"
    | "cpu"
    | "pid"
    | "task"
    | "notSeen"
  > {
  readonly children: readonly NodeDocument[];
}

/** `depth`: how many levels below this node; beyond, `children` is empty although the node may have some. */
export function nodeDocument(node: TreeNode, depth: number): NodeDocument {
  const { row: _row, children, ...own } = node;
  return { ...own, children: depth <= 0 ? [] : children.map((child) => nodeDocument(child, depth - 1)) };
}

const head = (format: string, { capture, outcome, clock }: LiveUpdateDocument) => ({
  format,
  version: 1,
  capture,
  outcome,
  clock: { method: clock.method, uncertaintyNs: clock.uncertaintyNs },
});

/** The root's own fields stand at the top; `outside` holds what lies outside the blackout, or has none to lie in. */
export function treeDocument(document: LiveUpdateDocument, trees: UpdateTrees, depth: number) {
  const { blackout } = trees;
  return {
    ...head("blackout-tree", document),
    ...(blackout === null
      ? {
          kind: "blackout" as const,
          id: "blackout",
          phase: null,
          beginNs: null,
          endNs: null,
          durationNs: null,
          unattributedNs: null,
          totals: null,
          children: [],
        }
      : { ...nodeDocument(blackout, depth), totals: treeTotals(blackout) }),
    outside: trees.outside.map((node) => nodeDocument(node, depth)),
  };
}

/** How sure the attribution is, in all. */
export interface TreeTotals {
  readonly attributedNs: number;
  /** Of it: known by the kernel's own order, or by the log's lines, only. */
  readonly inferredNs: number;
  /** Of it: recorded, but which device it was for, or when it began, is inferred. */
  readonly identityInferredNs: number;
  /** Of it: the seam, in which nothing is traced. */
  readonly seamNs: number;
  readonly unattributedNs: number;
}

export function treeTotals(root: TreeNode): TreeTotals {
  const unattributedNs = unattributedIn(root);
  let inferredNs = 0;
  let identityInferredNs = 0;
  let seamNs = 0;
  for (const leaf of leavesOf(root)) {
    if (leaf.kind === "seam") seamNs += leaf.durationNs;
    else if (leaf.inferred && leaf.row >= 0) identityInferredNs += leaf.durationNs;
    else if (leaf.inferred && leaf.unattributedNs === 0) inferredNs += leaf.durationNs;
  }
  return { attributedNs: root.durationNs - unattributedNs, inferredNs, identityInferredNs, seamNs, unattributedNs };
}

export interface BlameQuestion {
  readonly by: BlameKind | null;
  readonly phase: PhaseName | null;
  /** null: all. */
  readonly top: number | null;
}

/** One device over the kexec: its shutdown in the old kernel and its probe in the new one are one row, as are a VM's device's save and load. */
export interface DeviceRow {
  readonly id: string;
  readonly name: string;
  readonly driver: string | null;
  readonly bus: string | null;
  readonly shutdownNs: number | null;
  readonly probeNs: number | null;
  /** Of a VM's device, by its VMM's log. */
  readonly saveNs: number | null;
  readonly loadNs: number | null;
  readonly totalNs: number;
  readonly inferred: boolean;
}

export function blameDocument(
  document: LiveUpdateDocument,
  blame: Blame,
  question: BlameQuestion,
  devices: readonly DeviceRow[],
  silences: readonly Silence[],
) {
  const causes = question.top === null ? blame.causes : blame.causes.slice(0, question.top);
  return {
    ...head("blackout-blame", document),
    by: question.by,
    phase: question.phase,
    totalNs: blame.totalNs,
    unattributedNs: blame.unattributedNs,
    causes,
    moreCauses: blame.causes.length - causes.length,
    ...(question.by === "device" ? { devices } : {}),
    ...(question.by === "irq" ? { silences } : {}),
  };
}

export function chainDocument(document: LiveUpdateDocument, root: TreeNode | null, { steps, tasks }: CriticalChain) {
  return {
    ...head("blackout-critical-chain", document),
    blackout: { durationNs: root?.durationNs ?? null },
    steps,
    tasks: tasks.map(({ waits, ...task }) => ({ ...task, waits: waits.length })),
  };
}

export function whatIfDocument(document: LiveUpdateDocument, answer: WhatIf) {
  const { beforeNs, durationNs, lowerNs, upperNs, changes, bounds } = answer;
  return {
    ...head("blackout-what-if", document),
    blackout: { beforeNs, durationNs, lowerNs, upperNs },
    changes,
    bounds,
  };
}

export function findingsDocument(document: LiveUpdateDocument, found: readonly Finding[]) {
  return {
    ...head("blackout-findings", document),
    blackout: { durationNs: document.blackout.durationNs },
    findings: found,
  };
}
