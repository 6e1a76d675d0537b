/**
 * Spans to rectangles: at most two per pixel whatever the lane holds. A span narrower than a pixel is merged with its
 * neighbours in that pixel, and the search skips to the pixel's end by halving, so that a frame costs the width of the
 * window times a logarithm, not the number of spans.
 */
import { firstAbove, type Lane, type PointLane } from "../model/lanes.js";
import { nsPerPixel, type View } from "./viewport.js";

/** Rectangles in columns, reused from frame to frame. */
export interface Rects {
  length: number;
  /** Left edge and width in pixels. */
  x: Float32Array;
  width: Float32Array;
  /** Row of the span table (spans), or index of the item (points): the first, or the worst, of those merged. */
  row: Uint32Array;
  /** How many stand behind it: 1, or more where merged. */
  count: Uint32Array;
}

export function rects(): Rects {
  return {
    length: 0,
    x: new Float32Array(256),
    width: new Float32Array(256),
    row: new Uint32Array(256),
    count: new Uint32Array(256),
  };
}

function push(into: Rects, x: number, width: number, row: number, count: number): void {
  if (into.length === into.x.length) {
    const size = into.length * 2;
    const grow = <T extends Float32Array | Uint32Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    into.x = grow(into.x, new Float32Array(size));
    into.width = grow(into.width, new Float32Array(size));
    into.row = grow(into.row, new Uint32Array(size));
    into.count = grow(into.count, new Uint32Array(size));
  }
  into.x[into.length] = x;
  into.width[into.length] = width;
  into.row[into.length] = row;
  into.count[into.length] = count;
  into.length++;
}

/** Fills `into` with the rectangles of `lane` in `view`, `width` pixels wide, left to right, within one pixel of it. */
export function layoutLane(lane: Lane, view: View, width: number, into: Rects): void {
  into.length = 0;
  const { begin, end, rows } = lane;
  const scale = 1 / nsPerPixel(view, width);
  let i = firstAbove(end, view.beginNs);
  // A span of no length ends where it begins: step back over those on the edge itself.
  while (i > 0 && (end[i - 1] as number) >= view.beginNs) i--;
  while (i < rows.length && (begin[i] as number) < view.endNs) {
    const left = ((begin[i] as number) - view.beginNs) * scale;
    const right = ((end[i] as number) - view.beginNs) * scale;
    if (right - left >= 1) {
      const x = Math.max(left, -1);
      push(into, x, Math.min(right, width + 1) - x, rows[i] as number, 1);
      i++;
      continue;
    }
    const pixel = Math.floor(left) + 1;
    const next = Math.max(i + 1, firstAbove(end, view.beginNs + pixel / scale, i));
    push(
      into,
      left,
      Math.max(1, ((end[next - 1] as number) - view.beginNs) * scale - left),
      rows[i] as number,
      next - i,
    );
    i = next;
  }
}

/** The same for instants: one per pixel, the worst of those in it, with its count. */
export function layoutPoints(lane: PointLane, view: View, width: number, into: Rects): void {
  into.length = 0;
  const scale = 1 / nsPerPixel(view, width);
  let i = firstAbove(lane.at, view.beginNs - 1 / scale);
  while (i < lane.at.length && (lane.at[i] as number) <= view.endNs) {
    const x = ((lane.at[i] as number) - view.beginNs) * scale;
    const next = Math.max(i + 1, firstAbove(lane.at, view.beginNs + (Math.floor(x) + 1) / scale, i));
    let worst = i;
    for (let j = i + 1; j < next; j++) if ((lane.severity[j] as number) < (lane.severity[worst] as number)) worst = j;
    push(into, x, 1, worst, next - i);
    i = next;
  }
}
