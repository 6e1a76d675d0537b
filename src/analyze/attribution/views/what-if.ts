/**
 * What the blackout would be if causes took another time, or ran at the same time. The path is a chain: what is taken
 * out of it shortens the blackout by as much, but for work that ran beside it and that a later step waits for, and for
 * waits on others that would remain. So the answer is an estimate between two bounds, never a bare number.
 */

import type { WhatIf } from "../../../model/documents/attribution.js";
import { FUNCTIONS } from "../../../model/luo.js";
import { SPAN_KINDS } from "../../../model/span-table.js";
import { timeOnCpu } from "../on-cpu.js";
import { apart, forOverlaps } from "../overlaps.js";
import { WAITING_STAGE } from "../stages.js";
import { type TreeNode, walk } from "../tree.js";
import type { AttributedUpdate } from "../update.js";
import { type Selector, selectorTest } from "./selector.js";

/** What a selected cause would take: a share of what it took, or a duration for each of its spans. */
export type NewCost =
  | { readonly what: "share"; readonly share: number }
  | { readonly what: "duration"; readonly ns: number };

export interface AssumedCost {
  readonly selector: Selector;
  readonly cost: NewCost;
}

export interface Assumptions {
  /** A later one wins over an earlier one where both select a span. */
  readonly set: readonly AssumedCost[];
  /** Spans that would run at the same time, within each stage, the longest one remaining. */
  readonly parallel: readonly Selector[];
}

interface Selected {
  readonly node: TreeNode;
  afterNs: number;
}

export function whatIf(update: AttributedUpdate, root: TreeNode, { set, parallel }: Assumptions): WhatIf {
  const selected = new Map<TreeNode, Selected>();
  const costs = set.map(({ selector, cost }) => {
    const own = outermost(root, selector);
    for (const node of own) {
      selected.set(node, { node, afterNs: costOf(node, cost) });
    }
    return { assumption: `${selector.text}=${costText(cost)}`, own };
  });
  const groups = parallel.map((selector) => ({
    assumption: `${selector.text} in parallel`,
    own: outermost(root, selector),
  }));
  for (const { own } of groups) {
    for (const stage of new Set(own.map((node) => node.stage))) {
      const members = own
        .filter((node) => node.stage === stage)
        .map((node) => selected.get(node) ?? { node, afterNs: node.durationNs });
      const longest = members.reduce(
        (most, each) => (each.afterNs > most.afterNs ? each : most),
        members[0] as Selected,
      );
      for (const member of members)
        selected.set(member.node, { node: member.node, afterNs: member === longest ? member.afterNs : 0 });
    }
  }
  const effective = withoutNested(selected);
  const saved = effective.reduce((sum, { node, afterNs }) => sum + node.durationNs - afterNs, 0);
  const beforeNs = root.durationNs;
  const held = asyncHold(update, root, effective);
  const durationNs = beforeNs - saved + held;
  const waits = waitsOnOthers(update, root, effective);
  const uncertainty = update.document.blackout.uncertaintyNs ?? 0;
  const bounds = [
    { what: "± of the measured blackout", ns: uncertainty, side: "lower" as const },
    { what: "± of the measured blackout", ns: uncertainty, side: "upper" as const },
    { what: "waits inside what is taken out, for tasks that are not", ns: waits, side: "upper" as const },
    {
      what: "work beside the path that a later step waits for (in the estimate too)",
      ns: held,
      side: "upper" as const,
    },
  ].filter(({ ns }) => ns > 0);
  return {
    beforeNs,
    durationNs,
    lowerNs: Math.max(0, beforeNs - saved - uncertainty),
    upperNs: durationNs + waits + uncertainty,
    changes: [...costs, ...groups].map(({ assumption, own }) => ({
      assumption,
      spans: own.length,
      beforeNs: own.reduce((sum, node) => sum + node.durationNs, 0),
      afterNs: own.reduce((sum, node) => sum + (selected.get(node)?.afterNs ?? node.durationNs), 0),
    })),
    bounds,
  };
}

function costOf(node: TreeNode, cost: NewCost): number {
  return cost.what === "share" ? Math.round(node.durationNs * cost.share) : cost.ns;
}

function costText(cost: NewCost): string {
  return cost.what === "share" ? `${Number((cost.share * 100).toFixed(4))}%` : `${cost.ns}ns`;
}

function outermost(root: TreeNode, selector: Selector): readonly TreeNode[] {
  const selects = selectorTest(selector);
  const below = (node: TreeNode): readonly TreeNode[] => (selects(node) ? [node] : node.children.flatMap(below));
  return below(root);
}

/** A span inside another one that is changed too changes with it. */
function withoutNested(selected: ReadonlyMap<TreeNode, Selected>): readonly Selected[] {
  const inside = new Set<TreeNode>();
  for (const { node } of selected.values()) {
    walk(node, (below, above) => {
      if (above.length > 0) inside.add(below);
    });
  }
  return [...selected.values()].filter(({ node }) => !inside.has(node));
}

/**
 * The initramfs is unpacked by a worker (do_populate_rootfs) while initcalls run; the kernel waits for it before it
 * runs init (wait_for_initramfs, init/initramfs.c). If the initcalls become shorter than the unpacking, it holds
 * init up.
 */
function asyncHold({ spans }: AttributedUpdate, root: TreeNode, changed: readonly Selected[]): number {
  const functions = SPAN_KINDS.indexOf("function");
  let stageBegin: number | null = null;
  walk(root, (node) => {
    if (node.kind === "stage" && node.id.startsWith(WAITING_STAGE)) stageBegin = node.beginNs;
  });
  if (stageBegin === null) return 0;
  for (let row = 0; row < spans.count; row++) {
    if (spans.kind[row] !== functions || spans.boot[row] !== 2) continue;
    if (spans.strings[spans.id[row] as number] !== FUNCTIONS.unpackInitramfs.name) continue;
    const begin = spans.beginNs[row] as number;
    const end = spans.endNs[row] as number;
    if (begin >= stageBegin) return 0;
    const savedBetween = changed.reduce((sum, { node, afterNs }) => {
      const share = overlap(node, begin, stageBegin as number) / Math.max(1, node.durationNs);
      return sum + (node.durationNs - afterNs) * share;
    }, 0);
    const initAt = (stageBegin as number) - savedBetween;
    return Math.max(0, Math.round(end - initAt));
  }
  return 0;
}

function overlap(node: { readonly beginNs: number; readonly endNs: number }, from: number, to: number): number {
  return Math.max(0, Math.min(node.endNs, to) - Math.max(node.beginNs, from));
}

/** Of the time taken out, what the path's task spent blocked until another task (not an interrupt) woke it. */
function waitsOnOthers(update: AttributedUpdate, root: TreeNode, changed: readonly Selected[]): number {
  const waits = apart(
    timeOnCpu(update, root.beginNs, root.endNs)
      .flatMap(({ waits: own }) => own)
      .filter(({ why, waker }) => why === "blocked" && waker !== null && waker !== "an interrupt"),
  );
  let total = 0;
  for (const { node, afterNs } of changed) {
    if (node.durationNs <= 0 || afterNs >= node.durationNs) continue;
    let inside = 0;
    forOverlaps(waits, node.beginNs, node.endNs, (_wait, shared) => {
      inside += shared;
    });
    total += Math.round(inside * (1 - afterNs / node.durationNs));
  }
  return total;
}
