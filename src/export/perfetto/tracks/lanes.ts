/**
 * Lays intervals out on tracks so that those on one track nest, as begin/end pairs on a Perfetto track must: each goes
 * on the first track where it fits inside what is open there. One pass; only open intervals are kept.
 */

/** Tracks that are searched; an interval that fits none of these gets its own, so that a hostile table stays linear. */
export const MAX_SEARCHED = 64;

export interface Intervals {
  readonly begin: ArrayLike<number>;
  /** Not before `begin`. */
  readonly end: ArrayLike<number>;
  /** Row of the enclosing interval, else -1: decides whether an empty one at its end lies inside. */
  readonly parent: ArrayLike<number>;
}

export interface LaneSink {
  /** Creates a further track; returns its uuid. */
  track(): number;
  begin(row: number, uuid: number): void;
  end(row: number, uuid: number): void;
}

/** Ascending begin, then descending end, then row: an interval comes before what it encloses. */
export function compareRows({ begin, end }: Intervals, a: number, b: number): number {
  return (begin[a] as number) - (begin[b] as number) || (end[b] as number) - (end[a] as number) || a - b;
}

interface Lane {
  readonly uuid: number;
  readonly open: number[];
}

/**
 * `rows` are sorted by `compareRows`. On each track begins and ends come in stack order with times that never fall; an
 * end comes before a begin of the same time unless one interval encloses the other.
 */
export function layOut(intervals: Intervals, rows: ArrayLike<number>, sink: LaneSink): void {
  const { begin, end, parent } = intervals;
  const lanes: Lane[] = [];
  /** How many of the lane's open intervals would still be open around `row`, or -1 if it does not fit. */
  const depthFor = (lane: Lane, row: number): number => {
    const { open } = lane;
    const from = begin[row] as number;
    const to = end[row] as number;
    let depth = open.length;
    for (; depth > 0; depth--) {
      const top = open[depth - 1] as number;
      const topEnd = end[top] as number;
      if (topEnd > from) return topEnd >= to ? depth : -1;
      if (topEnd === from && to === from && top === parent[row]) return depth;
    }
    return 0;
  };
  const place = (lane: Lane, row: number, depth: number): void => {
    const { open, uuid } = lane;
    while (open.length > depth) sink.end(open.pop() as number, uuid);
    open.push(row);
    sink.begin(row, uuid);
  };
  const further = (): Lane => ({ uuid: sink.track(), open: [] });
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    let placed = false;
    for (const lane of lanes) {
      const depth = depthFor(lane, row);
      if (depth < 0) continue;
      place(lane, row, depth);
      placed = true;
      break;
    }
    if (placed) continue;
    const lane = further();
    place(lane, row, 0);
    if (lanes.length < MAX_SEARCHED) lanes.push(lane);
    else sink.end(row, lane.uuid);
  }
  for (const { open, uuid } of lanes) {
    while (open.length > 0) sink.end(open.pop() as number, uuid);
  }
}
