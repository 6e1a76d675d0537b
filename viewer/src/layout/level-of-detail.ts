/**
 * From spans to rectangles: at most one per pixel, and the wide ones, however many spans the lane has. Spans narrower
 * than a pixel are merged with their neighbours in it, and pixels of the same kind and cover are merged into runs. The
 * search skips to each pixel's end by doubling strides, so that a frame costs the width of the window times a
 * logarithm, not the number of spans.
 */
import { firstAbove, firstAboveNear, type Lane, type PointLane } from "../model/lanes.js";
import { nsPerPixel, type View } from "./viewport.js";

/** How much of a run of slivers is covered by spans: 0 little, SHADE_LEVELS - 1 (nearly) all. */
export const SHADE_LEVELS = 4;
/** `shade` of a rectangle that is one span in its full width. */
export const WHOLE = 255;

/** Rectangles in columns, reused from frame to frame. */
export interface Rects {
  length: number;
  /** Left edge and width in pixels. */
  x: Float32Array;
  width: Float32Array;
  /** Row of the span table (spans), or index of the item (points): the first, or the worst, of those merged. */
  row: Uint32Array;
  /** How many it stands for: 1, or more if merged. */
  count: Uint32Array;
  /** WHOLE, or how densely covered. */
  shade: Uint8Array;
}

export function rects(): Rects {
  return {
    length: 0,
    x: new Float32Array(256),
    width: new Float32Array(256),
    row: new Uint32Array(256),
    count: new Uint32Array(256),
    shade: new Uint8Array(256),
  };
}

function push(into: Rects, x: number, width: number, row: number, count: number, shade: number): void {
  if (into.length === into.x.length) {
    const size = into.length * 2;
    const grow = <T extends Float32Array | Uint32Array | Uint8Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    into.x = grow(into.x, new Float32Array(size));
    into.width = grow(into.width, new Float32Array(size));
    into.row = grow(into.row, new Uint32Array(size));
    into.count = grow(into.count, new Uint32Array(size));
    into.shade = grow(into.shade, new Uint8Array(size));
  }
  into.x[into.length] = x;
  into.width[into.length] = width;
  into.row[into.length] = row;
  into.count[into.length] = count;
  into.shade[into.length] = shade;
  into.length++;
}

/**
 * Fills `into` with the rectangles of `lane` in `view`, `width` pixels wide, left to right, within one pixel of it.
 * `kinds` is the table's column: slivers of two kinds do not share a run.
 */
export function layoutLane(lane: Lane, view: View, width: number, into: Rects, kinds: Uint8Array): void {
  into.length = 0;
  const { begin, end, rows, covered } = lane;
  const perPixel = nsPerPixel(view, width);
  const scale = 1 / perPixel;
  // A pixel further left, for spans without length on the very edge: they end where the view begins.
  let i = firstAbove(end, view.beginNs - perPixel);
  let filledTo = -2;
  while (i < rows.length && (begin[i] as number) < view.endNs) {
    const left = ((begin[i] as number) - view.beginNs) * scale;
    const right = ((end[i] as number) - view.beginNs) * scale;
    if (right < 0) {
      i++;
      continue;
    }
    if (right - left >= 1) {
      const x = Math.max(left, -1);
      const wide = Math.min(right, width + 1) - x;
      push(into, x, wide, rows[i] as number, 1, WHOLE);
      filledTo = Math.max(filledTo, Math.floor(right));
      i++;
      continue;
    }
    const pixel = Math.max(Math.floor(left), Math.min(filledTo, Math.floor(right)));
    const next = Math.max(i + 1, firstAboveNear(end, view.beginNs + (pixel + 1) * perPixel, i));
    const share = ((covered[next] as number) - (covered[i] as number)) * scale;
    const shade = share >= 0.75 ? 3 : share >= 0.4 ? 2 : share >= 0.12 ? 1 : 0;
    const row = rows[i] as number;
    const last = into.length - 1;
    if (pixel >= -1 && pixel <= width) {
      const joins =
        last >= 0 &&
        into.shade[last] === shade &&
        (into.x[last] as number) + (into.width[last] as number) >= pixel &&
        kinds[into.row[last] as number] === kinds[row];
      if (joins) {
        into.width[last] = pixel + 1 - (into.x[last] as number);
        into.count[last] = (into.count[last] as number) + next - i;
      } else {
        push(into, pixel, 1, row, next - i, shade);
      }
    }
    filledTo = Math.max(filledTo, pixel + 1);
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
    const next = Math.max(i + 1, firstAboveNear(lane.at, view.beginNs + (Math.floor(x) + 1) / scale, i));
    let worst = i;
    for (let j = i + 1; j < next; j++) if ((lane.severity[j] as number) < (lane.severity[worst] as number)) worst = j;
    push(into, x, 1, worst, next - i, WHOLE);
    i = next;
  }
}
