/**
 * Lanes: spans packed into rows in which no two overlap, so that each row is sorted by begin and by end alike and can
 * be searched by halving.
 */
import type { SpanTable } from "../../../src/analyze/span-table.js";

export interface Lane {
  /** Rows of the span table, ascending in begin. */
  readonly rows: Uint32Array;
  /** Begin and end of `rows`, beside each other for the search, in nanoseconds. */
  readonly begin: Float64Array;
  readonly end: Float64Array;
}

/** A row of instants: kernel log lines, defects. */
export interface PointLane {
  /** Index of each instant in its source (printk, defects), ascending in `at`. */
  readonly items: Uint32Array;
  readonly at: Float64Array;
  /** 0 error, 1 warning, 2 ordinary, 3 debug: the worse stands before the lesser where instants share a pixel. */
  readonly severity: Uint8Array;
}

/** Lanes of one track, and how many spans lie deeper than MOST_LANES and are not in them. */
export interface Packed {
  readonly lanes: readonly Lane[];
  readonly deeper: number;
}

/** Deeper nesting than the kernel's function graph can have (FTRACE_RETFUNC_DEPTH, 50); bounds a hostile capture. */
export const MOST_LANES = 200;

/**
 * Packs spans of one track into as few lanes as keep a child below its parent: each goes into the first lane that is
 * free at its begin and below its parent's. Spans are taken by begin, the longer first, so that nesting comes out as a
 * flame graph whether or not the parent column is filled.
 */
export function packLanes(table: SpanTable, rows: readonly number[]): Packed {
  const { beginNs, endNs, parent } = table;
  const order = Uint32Array.from(rows).sort(
    (a, b) => (beginNs[a] as number) - (beginNs[b] as number) || (endNs[b] as number) - (endNs[a] as number) || a - b,
  );
  const depthOf = new Map<number, number>();
  const lastEnd: number[] = [];
  const packed: number[][] = [];
  let deeper = 0;
  for (const row of order) {
    const begin = beginNs[row] as number;
    let depth = (depthOf.get(parent[row] as number) ?? -1) + 1;
    while (depth < lastEnd.length && (lastEnd[depth] as number) > begin) depth++;
    if (depth >= MOST_LANES) {
      deeper++;
      continue;
    }
    // A lane that was skipped for a deeper one still has to exist, though it may stay empty.
    while (lastEnd.length <= depth) {
      lastEnd.push(Number.NEGATIVE_INFINITY);
      packed.push([]);
    }
    lastEnd[depth] = Math.max(endNs[row] as number, begin);
    (packed[depth] as number[]).push(row);
    depthOf.set(row, depth);
  }
  return { lanes: packed.map((lane) => laneOf(table, lane)), deeper };
}

function laneOf(table: SpanTable, rows: readonly number[]): Lane {
  const ids = Uint32Array.from(rows);
  return {
    rows: ids,
    begin: Float64Array.from(ids, (row) => table.beginNs[row] as number),
    end: Float64Array.from(ids, (row) => Math.max(table.endNs[row] as number, table.beginNs[row] as number)),
  };
}

export function packPoints(items: readonly { readonly at: number; readonly severity: number }[]): PointLane {
  const order = Uint32Array.from(items.keys()).sort(
    (a, b) => (items[a]?.at as number) - (items[b]?.at as number) || a - b,
  );
  return {
    items: order,
    at: Float64Array.from(order, (item) => items[item]?.at as number),
    severity: Uint8Array.from(order, (item) => items[item]?.severity as number),
  };
}

/** The first index in `sorted` (ascending) from `from` on whose value exceeds `value`; its length where none does. */
export function firstAbove(sorted: Float64Array, value: number, from = 0): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
