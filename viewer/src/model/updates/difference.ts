/** Two updates side by side: the difference of their blackouts by cause. */
import { criticalChain } from "../../../../src/analyze/attribution/views/chain.js";
import type { Analysis } from "../analysis.js";

export interface PairDifference {
  readonly kind: string;
  readonly name: string;
  /** null if the update does not have it. */
  readonly oneNs: number | null;
  readonly otherNs: number | null;
  /** Other less one. */
  readonly byNs: number;
}

/**
 * Causes by identity, the largest difference first; the differences add up to that of the blackouts, since each chain
 * adds up to its blackout. null if one of them has no tree.
 */
export function differenceOf(one: Analysis, other: Analysis): readonly PairDifference[] | null {
  if (one.update === null || one.root === null || other.update === null || other.root === null) return null;
  const rows = new Map<string, { kind: string; name: string; one: number | null; other: number | null }>();
  for (const [side, update, root] of [
    ["one", one.update, one.root],
    ["other", other.update, other.root],
  ] as const) {
    for (const { kind, id, name, durationNs } of criticalChain(update, root).steps) {
      const key = `${kind} ${id}`;
      const row = rows.get(key) ?? { kind, name: name === "" ? id : name, one: null, other: null };
      row[side] = (row[side] ?? 0) + durationNs;
      rows.set(key, row);
    }
  }
  return [...rows.values()]
    .map(({ kind, name, one: a, other: b }) => ({ kind, name, oneNs: a, otherNs: b, byNs: (b ?? 0) - (a ?? 0) }))
    .sort((a, b) => Math.abs(b.byNs) - Math.abs(a.byNs) || (a.name < b.name ? -1 : 1));
}
