/**
 * Resolves overlapping causes into a tree whose accounts close: inside every piece, the pieces below it and what is
 * left over (its `unattributed`) add up to its length, in integer nanoseconds.
 *
 * The rule: the innermost running cause wins. If two causes overlap without one enclosing the other, as parallel
 * work does, the one that began later is taken as the inner one for as long as both run, and what remains of it after
 * the outer one's end is a piece of its own; so every nanosecond is counted once on the axis. Lanes keep the whole
 * spans.
 *
 * Memory is bounded whatever the causes are: below MAX_NESTING, and once crosswise overlaps have made MAX_SPLITS pieces
 * for each cause, a cause's time stays its encloser's.
 */

import { Heap } from "../../base/numbers/heap.js";

export interface TimedCause {
  readonly beginNs: number;
  readonly endNs: number;
}

export interface Piece {
  readonly beginNs: number;
  readonly endNs: number;
  /** Index into the causes. */
  readonly cause: number;
  /** Index of the enclosing piece, -1 directly below the parent interval. */
  readonly parent: number;
}

/** The kernel's own call chains end at 50 (FTRACE_RETFUNC_DEPTH); some lanes of these on top of one another. */
export const MAX_NESTING = 256;
/** A cause of a real trace is split once or twice. */
const MAX_SPLITS = 4;

interface Waiting {
  readonly begin: number;
  readonly end: number;
  readonly cause: number;
}

/** Earlier begin first; of equal begins the longer one, so that it encloses; then the order given. */
function order(a: Waiting, b: Waiting): number {
  return a.begin - b.begin || b.end - a.end || a.cause - b.cause;
}

/**
 * The pieces of `causes` inside [beginNs, endNs), in order of begin, parents before children. Causes are clipped to the
 * interval; those of no length are left out. O(n log n).
 */
export function partition(beginNs: number, endNs: number, causes: readonly TimedCause[]): readonly Piece[] {
  const queue: Waiting[] = [];
  causes.forEach((cause, i) => {
    const begin = Math.max(beginNs, cause.beginNs);
    const end = Math.min(endNs, cause.endNs);
    if (end > begin) queue.push({ begin, end, cause: i });
  });
  queue.sort(order);
  const remainders = new Heap(order);
  const pieces: Piece[] = [];
  const stack: { readonly end: number; readonly piece: number }[] = [];
  let next = 0;
  let splits = queue.length * MAX_SPLITS;
  for (;;) {
    const fresh = queue[next];
    const rest = remainders.peek();
    let waiting: Waiting;
    if (fresh !== undefined && (rest === undefined || order(fresh, rest) <= 0)) {
      waiting = fresh;
      next += 1;
    } else if (rest !== undefined) {
      waiting = rest;
      remainders.pop();
    } else {
      return pieces;
    }
    while ((stack.at(-1)?.end ?? Number.POSITIVE_INFINITY) <= waiting.begin) stack.pop();
    const enclosing = stack.at(-1);
    const end = Math.min(waiting.end, enclosing?.end ?? Number.POSITIVE_INFINITY);
    if (end < waiting.end && splits > 0) {
      splits -= 1;
      remainders.push({ begin: end, end: waiting.end, cause: waiting.cause });
    }
    if (stack.length >= MAX_NESTING) continue;
    pieces.push({ beginNs: waiting.begin, endNs: end, cause: waiting.cause, parent: enclosing?.piece ?? -1 });
    stack.push({ end, piece: pieces.length - 1 });
  }
}

/** What no child covers: for each piece its length less its children's, and first the same for the interval itself. */
export function unattributed(
  beginNs: number,
  endNs: number,
  pieces: readonly Piece[],
): { readonly top: number; readonly pieces: Float64Array } {
  const left = Float64Array.from(pieces, (piece) => piece.endNs - piece.beginNs);
  let top = endNs - beginNs;
  for (const piece of pieces) {
    const length = piece.endNs - piece.beginNs;
    if (piece.parent < 0) top -= length;
    else left[piece.parent] = (left[piece.parent] as number) - length;
  }
  return { top, pieces: left };
}
