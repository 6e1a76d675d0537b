import type { Boot } from "../../base/time.js";
import type { NodeKind } from "../../model/documents/attribution.js";
import type { PhaseName } from "../../model/live-update.js";
import { type TreeNode, walk } from "../attribution/tree.js";
import type { AttributedUpdate } from "../attribution/update.js";

/** A span that a finding rests on. */
export interface FindingSpan {
  readonly kind: NodeKind;
  readonly id: string;
  readonly beginNs: number;
  readonly endNs: number;
}

/** Every rule's name: stable; docs/findings.md says what each rests on. */
export const FINDING_RULES = [
  "boot-filter",
  "console-output",
  "cpu-bring-up",
  "deferred-memory-init",
  "image-compression",
  "kho-revival",
  "late-open",
  "long-initcall",
  "prepare-in-blackout",
  "purgatory-digest",
  "recorder-cost",
  "recording-estimate",
  "serial-device-probe",
  "serial-device-shutdown",
  "serial-retrieve",
  "small-folios",
] as const;
export type FindingRule = (typeof FINDING_RULES)[number];

export interface Finding {
  readonly rule: FindingRule;
  /** One sentence, with the number. */
  readonly title: string;
  readonly phase: PhaseName | null;
  readonly boot: Boot | null;
  /** What the spans took. */
  readonly costNs: number;
  /** What could be gained, as bounds: what is sure at the least, what it cannot exceed. */
  readonly gainNs: readonly [least: number, most: number];
  /** At least one, in order of time. */
  readonly spans: readonly FindingSpan[];
  readonly advice: string;
  /** Kernel file, series or document. */
  readonly source: string;
}

/** What a rule looks at. */
export interface FindingInput {
  readonly update: AttributedUpdate;
  readonly root: TreeNode;
}

/** A rule: no finding without a number and the span it rests on. Pure. */
export type Rule = (input: FindingInput) => readonly Finding[];

export function spanOf({ kind, id, beginNs, endNs }: TreeNode): FindingSpan {
  return { kind, id, beginNs, endNs };
}

/** Outermost nodes that `wanted` takes, in order of time. */
export function nodesWhere(root: TreeNode, wanted: (node: TreeNode) => boolean): readonly TreeNode[] {
  if (wanted(root)) return [root];
  return root.children.flatMap((child) => nodesWhere(child, wanted));
}

export const sumNs = (nodes: readonly { readonly durationNs: number }[]): number =>
  nodes.reduce((sum, { durationNs }) => sum + durationNs, 0);

export const longestNs = (nodes: readonly { readonly durationNs: number }[]): number =>
  nodes.reduce((most, { durationNs }) => Math.max(most, durationNs), 0);

export const stageOf = (root: TreeNode, id: string): TreeNode | null => {
  let found: TreeNode | null = null;
  walk(root, (node) => {
    if (node.kind === "stage" && node.id === id) found ??= node;
  });
  return found;
};
