/**
 * What the attribution commands print with --json; schemas in docs/. Integers, nanoseconds, zero at the blackout's
 * begin.
 */

import type {
  BlameDocument,
  BlameKind,
  CriticalChainDocument,
  DeviceRow,
  FindingsDocument,
  NodeDocument,
  Silence,
  TreeDocument,
  TreeTotals,
  WhatIf,
  WhatIfDocument,
} from "../../../model/documents/attribution.js";
import type { LiveUpdateDocument, PhaseName } from "../../../model/live-update.js";
import type { Finding } from "../../findings/finding.js";
import type { UpdateTrees } from "../build.js";
import { isOpaque } from "../seam.js";
import { leavesOf, type TreeNode, unattributedIn } from "../tree.js";
import type { Blame } from "./blame.js";
import type { CriticalChain } from "./chain.js";

/** `depth`: how many levels below this node; beyond, `children` is empty although the node may have some. */
function nodeDocument(node: TreeNode, depth: number): NodeDocument {
  const { row: _row, children, ...own } = node;
  return { ...own, children: depth <= 0 ? [] : children.map((child) => nodeDocument(child, depth - 1)) };
}

const head = <const F extends string>(format: F, { capture, outcome, clock }: LiveUpdateDocument) => ({
  format,
  version: 1 as const,
  capture,
  outcome,
  clock: { method: clock.method, uncertaintyNs: clock.uncertaintyNs },
});

/** The root's own fields stand at the top; `outside` holds what lies outside the blackout, or has none to lie in. */
export function treeDocument(document: LiveUpdateDocument, trees: UpdateTrees, depth: number): TreeDocument {
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
      : { ...nodeDocument(blackout, depth), kind: "blackout" as const, totals: treeTotals(blackout) }),
    outside: trees.outside.map((node) => nodeDocument(node, depth)),
  };
}

export function treeTotals(root: TreeNode): TreeTotals {
  const unattributedNs = unattributedIn(root);
  let inferredNs = 0;
  let identityInferredNs = 0;
  let seamNs = 0;
  for (const leaf of leavesOf(root)) {
    if (isOpaque(leaf)) seamNs += leaf.durationNs;
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

export function blameDocument(
  document: LiveUpdateDocument,
  blame: Blame,
  question: BlameQuestion,
  devices: readonly DeviceRow[],
  silences: readonly Silence[],
): BlameDocument {
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

export function chainDocument(
  document: LiveUpdateDocument,
  root: TreeNode | null,
  { steps, tasks }: CriticalChain,
): CriticalChainDocument {
  return {
    ...head("blackout-critical-chain", document),
    blackout: { durationNs: root?.durationNs ?? null },
    steps,
    tasks: tasks.map(({ waits, ...task }) => ({ ...task, waits: waits.length })),
  };
}

export function whatIfDocument(document: LiveUpdateDocument, answer: WhatIf): WhatIfDocument {
  const { beforeNs, durationNs, lowerNs, upperNs, changes, bounds } = answer;
  return {
    ...head("blackout-what-if", document),
    blackout: { beforeNs, durationNs, lowerNs, upperNs },
    changes,
    bounds,
  };
}

export function findingsDocument(document: LiveUpdateDocument, found: readonly Finding[]): FindingsDocument {
  return {
    ...head("blackout-findings", document),
    blackout: { durationNs: document.blackout.durationNs },
    findings: found,
  };
}
