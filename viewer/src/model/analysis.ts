/**
 * Attribution for the viewer: the span tree as bands, and the causes that can be changed. Computed when the update is
 * opened, by the functions that the command line uses. If the data carries no attribution, everything here is empty and
 * not shown.
 */

import { buildTrees } from "../../../src/analyze/attribution/build.js";
import { silences } from "../../../src/analyze/attribution/on-cpu.js";
import { isCauseNode, type TreeNode, walk } from "../../../src/analyze/attribution/tree.js";
import type { AttributedUpdate } from "../../../src/analyze/attribution/update.js";
import type { Finding, FindingSpan } from "../../../src/analyze/findings/finding.js";
import { findings } from "../../../src/analyze/findings/findings.js";
import type { Silence } from "../../../src/model/documents/attribution.ts";
import type { LiveUpdate } from "../../../src/model/live-update.js";
import { SPAN_KINDS, type SpanKind } from "../../../src/model/span-table.js";
import { isAttributed } from "../../../src/report/update-codec.js";

/** Pieces of the blackout in order of time, without gaps: each a node of the tree, or a remainder. */
export interface Bands {
  readonly label: string;
  readonly begin: Float64Array;
  readonly end: Float64Array;
  /** Index into `nodes`; for a remainder, that of the node that contains it. */
  readonly node: Uint32Array;
  /** 1 if no child of the node covers it. */
  readonly remainder: Uint8Array;
}

export interface Analysis {
  readonly update: AttributedUpdate | null;
  /** The blackout's tree; null if the blackout is unknown. */
  readonly root: TreeNode | null;
  readonly outside: readonly TreeNode[];
  /** All nodes of the root's tree, parents first; what selections and links name by number. */
  readonly nodes: readonly TreeNode[];
  readonly stages: Bands | null;
  readonly causes: Bands | null;
  /** Rows of the span table that are on the critical path. */
  readonly chain: ReadonlySet<number>;
  readonly findings: readonly Finding[];
  /** Interrupt lines that both kernels served, the longest silence first. */
  readonly silences: readonly Silence[];
}

const EMPTY: Analysis = {
  update: null,
  root: null,
  outside: [],
  nodes: [],
  stages: null,
  causes: null,
  chain: new Set(),
  findings: [],
  silences: [],
};
/** For more spans, trees take seconds: they are built on request, so that the spans are drawn at once. */
export const BUILT_AT_ONCE = 400_000;
const made = new WeakMap<LiveUpdate, Analysis>();

/** The analysis of the update so far; for very many spans without trees, until `analyseWhole` builds them. */
export function analysisOf(update: LiveUpdate): Analysis {
  const known = made.get(update);
  if (known !== undefined) return known;
  const analysis = !isAttributed(update)
    ? EMPTY
    : update.spans.count <= BUILT_AT_ONCE
      ? analyse(update)
      : { ...EMPTY, silences: silences(update) };
  made.set(update, analysis);
  return analysis;
}

/** Builds the trees, however many spans there are: about a second per three million. */
export function analyseWhole(update: LiveUpdate): Analysis {
  const analysis = isAttributed(update) ? analyse(update) : EMPTY;
  made.set(update, analysis);
  return analysis;
}

/** Why there are no trees yet although they could be built; null otherwise. */
export function notBuilt(update: LiveUpdate): string | null {
  if (!isAttributed(update) || update.spans.count <= BUILT_AT_ONCE || analysisOf(update).update !== null) return null;
  return `Not shown yet: accounts, span tree, critical chain, findings and what-if. For ${update.spans.count.toLocaleString("en")} spans they take seconds.`;
}

function analyse(update: AttributedUpdate): Analysis {
  const { blackout: root, outside } = buildTrees(update);
  const silent = silences(update);
  if (root === null) return { ...EMPTY, update, outside, silences: silent };
  const nodes: TreeNode[] = [];
  walk(root, (node) => nodes.push(node));
  const index = new Map(nodes.map((node, i) => [node, i]));
  const chain = new Set(nodes.filter((node) => node.row >= 0).map((node) => node.row));
  const stages = bandsOf(
    "stages",
    root,
    index,
    (node) => node.kind === "stage" || node.kind === "gap" || isCauseNode(node),
  );
  const causes = bandsOf("causes", root, index, isCause);
  return {
    update,
    root,
    outside,
    nodes,
    stages,
    causes,
    chain,
    findings: findings({ update, root }),
    silences: silent,
  };
}

/** A cause on the critical chain; for an initcall that probes devices, the devices. */
function isCause(node: TreeNode): boolean {
  return isCauseNode(node) && !(node.kind === "initcall" && node.children.some(({ kind }) => kind === "device"));
}

/** Goes down from the root until `stop`; the time between the nodes found is a remainder. */
function bandsOf(
  label: string,
  root: TreeNode,
  index: ReadonlyMap<TreeNode, number>,
  stop: (node: TreeNode) => boolean,
): Bands {
  const begin: number[] = [];
  const end: number[] = [];
  const ids: number[] = [];
  const remainder: number[] = [];
  const push = (node: TreeNode, from: number, to: number, left: 0 | 1) => {
    if (to <= from) return;
    begin.push(from);
    end.push(to);
    ids.push(index.get(node) as number);
    remainder.push(left);
  };
  const visit = (node: TreeNode) => {
    if (stop(node)) return push(node, node.beginNs, node.endNs, 0);
    let at = node.beginNs;
    for (const child of node.children) {
      push(node, at, child.beginNs, 1);
      visit(child);
      at = child.endNs;
    }
    push(node, at, node.endNs, 1);
  };
  visit(root);
  return {
    label,
    begin: Float64Array.from(begin),
    end: Float64Array.from(end),
    node: Uint32Array.from(ids),
    remainder: Uint8Array.from(remainder),
  };
}

/** Number of the node of a finding's span; -1 if the tree does not contain it. */
export function nodeOf({ nodes }: Analysis, span: FindingSpan): number {
  return nodes.findIndex(
    (node) =>
      node.kind === span.kind && node.id === span.id && node.beginNs === span.beginNs && node.endNs === span.endNs,
  );
}

/** Numbers of the nodes that contain a node, the outermost first. */
export function above({ nodes }: Analysis, node: number): readonly number[] {
  const found = nodes[node];
  const path: number[] = [];
  for (let i = 0; i < node && found !== undefined; i++) {
    const other = nodes[i] as TreeNode;
    if (other.children.length > 0 && holds(other, found)) path.push(i);
  }
  return path;
}

function holds(outer: TreeNode, node: TreeNode): boolean {
  return (
    outer.beginNs <= node.beginNs &&
    outer.endNs >= node.endNs &&
    outer.children.some((child) => child === node || holds(child, node))
  );
}

/** The kind that gives a node its colour. */
export function colourKind(node: TreeNode): SpanKind {
  if (node.kind === "kthread" || node.kind === "idle") return "task";
  return (SPAN_KINDS as readonly string[]).includes(node.kind) ? (node.kind as SpanKind) : "unattributed";
}

/** `e1000 0000:00:03.0, shutdown`. */
export function nodeName(node: TreeNode): string {
  const name = node.name === "" ? node.id : node.name;
  return node.action === "" ? name : `${name}, ${node.action}`;
}
