/** The whole axis in a few hundred buckets: for each group, how much of each bucket its outermost spans cover. */
import { firstAbove, firstAboveNear, type Lane } from "./lanes.js";
import type { TimelineAxis } from "./timeline.js";

export interface MinimapLine {
  /** Index into SPAN_KINDS, for the colour. */
  readonly kind: number;
  /** 0 nothing, 1 to 4 increasingly covered. */
  readonly levels: Uint8Array;
}

export interface Minimap {
  readonly buckets: number;
  readonly lines: readonly MinimapLine[];
}

const BUCKETS = 600;
const made = new WeakMap<TimelineAxis, Minimap>();

export function minimapOf(axis: TimelineAxis, kinds: Uint8Array): Minimap {
  const known = made.get(axis);
  if (known !== undefined) return known;
  const map = { buckets: BUCKETS, lines: axis.groups.flatMap((group) => lineOf(axis, group, kinds) ?? []) };
  made.set(axis, map);
  return map;
}

function lineOf(axis: TimelineAxis, group: TimelineAxis["groups"][number], kinds: Uint8Array): MinimapLine | null {
  const [from, to] = axis.mapNs;
  const wide = (to - from) / BUCKETS;
  const cover = new Float64Array(BUCKETS);
  let kind = -1;
  for (const track of group.tracks) {
    const lane = track.what === "spans" ? track.lanes[0] : undefined;
    if (lane === undefined) continue;
    if (kind < 0 && lane.rows.length > 0) kind = kinds[lane.rows[0] as number] as number;
    let at = 0;
    let before = coveredTo(lane, firstAbove(lane.end, from), from);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const edge = from + (bucket + 1) * wide;
      at = firstAboveNear(lane.end, edge, at);
      const after = coveredTo(lane, at, edge);
      cover[bucket] = Math.max(cover[bucket] as number, (after - before) / wide);
      before = after;
    }
  }
  if (kind < 0) return null;
  const levels = Uint8Array.from(cover, (share) =>
    share <= 0 ? 0 : share < 0.12 ? 1 : share < 0.4 ? 2 : share < 0.75 ? 3 : 4,
  );
  return { kind, levels };
}

/** How much of the lane is covered up to `edge`; `index` is that of the first span that ends after it. */
function coveredTo(lane: Lane, index: number, edge: number): number {
  const part = index < lane.rows.length ? Math.max(0, edge - (lane.begin[index] as number)) : 0;
  return (lane.covered[index] as number) + part;
}
