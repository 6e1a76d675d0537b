/**
 * Lanes: spans packed into rows in which no two overlap, so that each row is sorted by begin and by end alike and can
 * be searched by halving.
 */
import type { SpanTable } from "../../../src/model/span-table.js";

export interface Lane {
  /** Rows of the span table, ascending in begin. */
  readonly rows: Uint32Array;
  /** Begin and end of `rows`, interleaved for the search, in nanoseconds. */
  readonly begin: Float64Array;
  readonly end: Float64Array;
  /** How much of the lane is covered before each of `rows`, in nanoseconds, and after the last; length + 1. */
  readonly covered: Float64Array;
}

/** A row of instants: kernel log lines, defects. */
export interface PointLane {
  /** Index of each instant in its source (printk, defects), ascending in `at`. */
  readonly items: Uint32Array;
  readonly at: Float64Array;
  /** 0 error, 1 warning, 2 ordinary, 3 debug: if instants share a pixel, the most severe is shown. */
  readonly severity: Uint8Array;
}

/** Lanes of one track, and how many spans are nested deeper than MOST_LANES and left out. */
export interface Packed {
  readonly lanes: readonly Lane[];
  readonly deeper: number;
}

/** Deeper nesting than the kernel's function graph can have (FTRACE_RETFUNC_DEPTH, 50); bounds a hostile capture. */
export const MOST_LANES = 200;
/** Depth of a row that is in no lane (yet). */
const UNPLACED = 255;

/**
 * Packs spans of one track into as few lanes as keep a child below its parent: each goes into the first lane that is
 * free at its begin and below its parent's. `ordered` are rows in drawing order (see order.ts), so that nesting comes
 * out as a flame graph whether or not the parent column is filled. `depths` has a byte for each row of the table and is
 * shared by the tracks of a timeline; a parent counts if it is in the same track.
 */
export function packLanes(
  table: Pick<SpanTable, "beginNs" | "endNs" | "parent">,
  ordered: Uint32Array,
  depths: Uint8Array = unplacedDepths(table.beginNs.length),
  trackOf: Uint32Array | null = null,
): Packed {
  const { beginNs, endNs, parent } = table;
  const lastEnd: number[] = [];
  const sizes: number[] = [];
  let deeper = 0;
  for (let i = 0; i < ordered.length; i++) {
    const row = ordered[i] as number;
    const begin = beginNs[row] as number;
    const above = parent[row] as number;
    const ofTrack = above >= 0 && (trackOf === null || trackOf[above] === trackOf[row]);
    const parentDepth = ofTrack ? (depths[above] as number) : UNPLACED;
    let depth = parentDepth === UNPLACED ? 0 : parentDepth + 1;
    while (depth < lastEnd.length && (lastEnd[depth] as number) > begin) depth++;
    if (depth >= MOST_LANES) {
      deeper++;
      continue;
    }
    // A lane that was skipped for a deeper one must still exist, although it may stay empty.
    while (lastEnd.length <= depth) {
      lastEnd.push(Number.NEGATIVE_INFINITY);
      sizes.push(0);
    }
    lastEnd[depth] = Math.max(endNs[row] as number, begin);
    sizes[depth] = (sizes[depth] as number) + 1;
    depths[row] = depth;
  }
  const lanes = sizes.map((size) => ({
    rows: new Uint32Array(size),
    begin: new Float64Array(size),
    end: new Float64Array(size),
    covered: new Float64Array(size + 1),
  }));
  sizes.fill(0);
  for (let i = 0; i < ordered.length; i++) {
    const row = ordered[i] as number;
    const depth = depths[row] as number;
    const lane = lanes[depth];
    if (lane === undefined) continue;
    const at = sizes[depth] as number;
    const begin = beginNs[row] as number;
    const end = Math.max(endNs[row] as number, begin);
    lane.rows[at] = row;
    lane.begin[at] = begin;
    lane.end[at] = end;
    lane.covered[at + 1] = (lane.covered[at] as number) + end - begin;
    sizes[depth] = at + 1;
  }
  return { lanes, deeper };
}

/** The `depths` that `packLanes` begins with. */
export function unplacedDepths(count: number): Uint8Array {
  return new Uint8Array(count).fill(UNPLACED);
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

/**
 * The first index in `sorted` (ascending), from `from` on, whose value exceeds `value`; the length if there is none.
 */
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

/** The same, found by doubling strides: a result near `from` takes few steps, however long the lane is. */
export function firstAboveNear(sorted: Float64Array, value: number, from: number): number {
  let low = from;
  let stride = 1;
  let high = from;
  while (high < sorted.length && (sorted[high] as number) <= value) {
    low = high + 1;
    high += stride;
    stride *= 2;
  }
  high = Math.min(high, sorted.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
