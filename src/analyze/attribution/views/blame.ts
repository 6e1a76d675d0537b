import type { BlamedCause, BlameKind } from "../../../model/documents/attribution.js";
import type { PhaseName } from "../../../model/live-update.js";
import type { AttributedKind } from "../../../model/span-table.js";
import { isCauseNode, type TreeNode } from "../tree.js";

export interface Blame {
  /** What was shared out: the trees' durations. */
  readonly totalNs: number;
  /** Longest first. */
  readonly causes: readonly BlamedCause[];
  /** What no cause of the kind asked for takes; with every kind, what is unattributed. */
  readonly unattributedNs: number;
}

interface Draft {
  readonly node: TreeNode;
  total: number;
  readonly spans: Map<string, { begin: number; end: number; total: number; node: TreeNode }>;
}

/**
 * Shares out the trees' time. Without `by` to the innermost cause of each nanosecond; with it to the outermost cause of
 * that kind, with all that runs inside. A session's files count as the session's.
 */
export function blame(trees: readonly TreeNode[], by: BlameKind | null, phase: PhaseName | null): Blame {
  const drafts = new Map<string, Draft>();
  let totalNs = 0;
  let shared = 0;
  const add = (node: TreeNode): void => {
    const id = by === "session" && node.kind === "file" ? node.id.slice(0, node.id.lastIndexOf(" ")) : node.id;
    const named = id === node.id ? node : { ...node, kind: "session" as const, id, name: id };
    const key = `${named.kind}\0${named.id}\0${named.phase ?? ""}`;
    const draft = drafts.get(key) ?? { node: named, total: 0, spans: new Map() };
    drafts.set(key, draft);
    draft.total += node.durationNs;
    shared += node.durationNs;
    const record = node.row >= 0 ? `${node.row}` : `at ${node.beginNs}`;
    const span = draft.spans.get(record);
    if (span === undefined) {
      draft.spans.set(record, { begin: node.beginNs, end: node.endNs, total: node.durationNs, node });
    } else {
      span.begin = Math.min(span.begin, node.beginNs);
      span.end = Math.max(span.end, node.endNs);
      span.total += node.durationNs;
    }
  };
  const wanted = (node: TreeNode): boolean =>
    isCauseNode(node) &&
    (by === null ? node.children.length === 0 : node.kind === by || (by === "session" && node.kind === "file"));
  const visit = (node: TreeNode): void => {
    if (wanted(node)) add(node);
    else for (const child of node.children) visit(child);
  };
  const roots = phase === null ? trees : trees.flatMap((tree) => ofPhase(tree, phase));
  for (const root of roots) {
    totalNs += root.durationNs;
    visit(root);
  }
  const causes = [...drafts.values()].map(({ node, total, spans }): BlamedCause => {
    return {
      kind: node.kind as AttributedKind,
      id: node.id,
      name: node.name,
      phase: node.phase,
      totalNs: total,
      count: spans.size,
      spans: [...spans.values()]
        .sort((a, b) => a.begin - b.begin)
        .map(({ begin, end, total: own, node: at }) => ({
          beginNs: begin,
          endNs: end,
          durationNs: own,
          boot: at.boot,
          stage: at.stage,
          action: at.action,
          evidence: at.evidence,
          inferred: at.inferred,
        })),
    };
  });
  causes.sort((a, b) => b.totalNs - a.totalNs || compare(a.kind, b.kind) || compare(a.id, b.id));
  return { totalNs, causes, unattributedNs: totalNs - shared };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function ofPhase(node: TreeNode, phase: PhaseName): readonly TreeNode[] {
  if (node.kind === "phase" && node.phase === phase) return [node];
  return node.children.flatMap((child) => ofPhase(child, phase));
}
