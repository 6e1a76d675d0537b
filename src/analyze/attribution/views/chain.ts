/**
 * The critical chain: the sequence of spans whose shortening would shorten the blackout. The path that carries the
 * update runs through one task after the other, so that every cause on it is on the chain; if its task was blocked, the
 * chain goes through the task that woke it.
 */
import type { ChainStep } from "../../../model/documents/attribution.js";
import { type TaskTime, timeOnCpu, type Wait } from "../on-cpu.js";
import { apart, forOverlaps } from "../overlaps.js";
import { isCauseNode, type TreeNode } from "../tree.js";
import type { AttributedUpdate } from "../update.js";

export interface CriticalChain {
  readonly steps: readonly ChainStep[];
  /** The path's tasks: running, runnable, blocked, in interrupts. Empty if the scheduler was not traced. */
  readonly tasks: readonly TaskTime[];
}

/** `root` is the update's blackout tree. Consecutive steps of one cause are one step. */
export function criticalChain(update: AttributedUpdate, root: TreeNode): CriticalChain {
  const tasks = timeOnCpu(update, root.beginNs, root.endNs);
  const waits = apart(tasks.flatMap((task) => task.waits).filter(({ why }) => why === "blocked"));
  const steps: ChainStep[] = [];
  /** Index of the last step that is not an interrupt. */
  let held = -1;
  for (const step of stepsOf(root)) {
    // An interrupt between two parts of one cause is part of the step: it held that cause up.
    const at = step.kind === "irq" ? steps.length - 1 : held;
    const last = steps[at];
    if (last !== undefined && isSame(last, step)) {
      steps.length = at;
      steps.push({ ...last, endNs: step.endNs, durationNs: step.endNs - last.beginNs });
    } else steps.push(step);
    if (step.kind !== "irq") held = steps.length - 1;
  }
  return { steps: steps.map((step) => ({ ...step, waits: waitsIn(waits, step) })), tasks };
}

function isSame(a: ChainStep, b: ChainStep): boolean {
  return a.kind === b.kind && a.id === b.id && a.action === b.action && a.stage === b.stage;
}

/** Causes as they stand in the tree; of an initcall that probes devices, the devices. */
function stepsOf(root: TreeNode): readonly ChainStep[] {
  const steps: ChainStep[] = [];
  addSteps(root, steps);
  return steps;
}

function addSteps(node: TreeNode, steps: ChainStep[]): void {
  if (isCauseNode(node) && !(node.kind === "initcall" && node.children.some(({ kind }) => kind === "device"))) {
    steps.push(stepOf(node));
    return;
  }
  let at = node.beginNs;
  const remainder = (to: number): void => {
    if (to <= at) return;
    steps.push({
      ...stepOf(node),
      kind: "unattributed",
      id: "unattributed",
      name: "unattributed",
      beginNs: at,
      endNs: to,
      durationNs: to - at,
      evidence: "",
    });
  };
  for (const child of node.children) {
    remainder(child.beginNs);
    addSteps(child, steps);
    at = child.endNs;
  }
  remainder(node.endNs);
}

function stepOf(node: TreeNode): ChainStep {
  const { kind, id, name, action, phase, stage, boot, beginNs, endNs, durationNs, inferred, evidence } = node;
  return { kind, id, name, action, phase, stage, boot, beginNs, endNs, durationNs, inferred, evidence, waits: [] };
}

function waitsIn(waits: readonly Wait[], { beginNs, endNs }: ChainStep): ChainStep["waits"] {
  const byWaker = new Map<string, { total: number; count: number }>();
  forOverlaps(waits, beginNs, endNs, ({ waker }, shared) => {
    const name = waker ?? "not recorded";
    const known = byWaker.get(name) ?? { total: 0, count: 0 };
    byWaker.set(name, { total: known.total + shared, count: known.count + 1 });
  });
  return [...byWaker]
    .map(([waker, { total, count }]) => ({ waker, totalNs: total, count }))
    .sort((a, b) => b.totalNs - a.totalNs || (a.waker < b.waker ? -1 : 1));
}
