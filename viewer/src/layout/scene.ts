/**
 * The scene: what is where, from top to bottom, for one axis and one set of folded groups. Painter and pointer read the
 * same scene, so that what is clicked is what was drawn.
 */
import type { Bands } from "../model/analysis.js";
import { firstAbove, type Lane } from "../model/lanes.js";
import { type Group, groupOfKind, type Timeline, type TimelineAxis, type Track } from "../model/timeline.js";
import { nsAt, nsPerPixel, type View } from "./viewport.js";

/** Heights and widths in CSS pixels. */
export const METRICS = {
  gutter: 188,
  overview: 40,
  regions: 20,
  ribbon: 28,
  ruler: 22,
  group: 23,
  lane: 17,
  trackGap: 4,
  groupGap: 6,
} as const;

/** What stays at the top while the lanes scroll. */
export const HEAD_HEIGHT = METRICS.overview + METRICS.regions + METRICS.ribbon + METRICS.ruler;

export type SceneItem =
  | {
      readonly what: "group";
      readonly y: number;
      readonly height: number;
      readonly group: Group;
      readonly folded: boolean;
    }
  | {
      readonly what: "lane";
      readonly y: number;
      readonly height: number;
      readonly group: Group;
      readonly track: Track;
      /** Index of the lane in its track. */
      readonly lane: number;
    };

export interface Scene {
  readonly axis: TimelineAxis;
  /** Ascending in y; y counts from below the head. */
  readonly items: readonly SceneItem[];
  /** y of each item, for the search. */
  readonly tops: Float64Array;
  readonly height: number;
}

export function buildScene(axis: TimelineAxis, folded: ReadonlySet<string>): Scene {
  const items: SceneItem[] = [];
  let y = 4;
  for (const group of axis.groups) {
    const isFolded = folded.has(group.id);
    items.push({ what: "group", y, height: METRICS.group, group, folded: isFolded });
    y += METRICS.group;
    if (!isFolded) {
      for (const track of group.tracks) {
        const lanes = track.what === "spans" ? track.lanes.length : 1;
        for (let lane = 0; lane < lanes; lane++) {
          items.push({ what: "lane", y, height: METRICS.lane, group, track, lane });
          y += METRICS.lane;
        }
        y += METRICS.trackGap;
      }
    }
    y += METRICS.groupGap;
  }
  return { axis, items, tops: Float64Array.from(items, (item) => item.y), height: y + 8 };
}

/** The items that touch the band from `top` to `bottom`. */
export function visibleItems(scene: Scene, top: number, bottom: number): readonly SceneItem[] {
  const first = Math.max(0, firstAbove(scene.tops, top) - 1);
  return scene.items.slice(first, firstAbove(scene.tops, bottom));
}

/**
 * Where a span is drawn: y of its lane's middle, counted from below the head; null if it is on no lane, or its group is
 * folded. The cost is the number of lanes of its group times a logarithm: for single spans, not for all.
 */
export function middleOf(scene: Scene, timeline: Timeline, row: number): number | null {
  const { spans } = timeline.update;
  const group = groupOfKind(spans.kind[row] as number);
  const begin = spans.beginNs[row] as number;
  for (const item of scene.items) {
    if (item.what !== "lane" || item.group.id !== group || item.track.what !== "spans") continue;
    const lane = item.track.lanes[item.lane];
    if (lane !== undefined && indexInLane(lane, row, begin) >= 0) return item.y + item.height / 2;
  }
  return null;
}

/** Index of a row in a lane; -1 if it is not there. */
export function indexInLane(lane: Lane, row: number, begin: number): number {
  for (let i = firstAbove(lane.begin, begin) - 1; i >= 0 && lane.begin[i] === begin; i--) {
    if (lane.rows[i] === row) return i;
  }
  return -1;
}

/** What is under a point. */
export type Hit =
  | { readonly what: "span"; readonly row: number }
  | { readonly what: "phase"; readonly index: number }
  | { readonly what: "printk"; readonly item: number }
  | { readonly what: "defect"; readonly item: number }
  | { readonly what: "silence"; readonly item: number }
  | { readonly what: "node"; readonly node: number }
  | { readonly what: "group"; readonly id: string };

export type SceneRegion = "overview" | "ribbon" | "head" | "gutter" | "lanes";

export function partAt(x: number, y: number): SceneRegion {
  if (y < METRICS.overview) return x < METRICS.gutter ? "gutter" : "overview";
  if (x < METRICS.gutter) return "gutter";
  const ribbon = METRICS.overview + METRICS.regions;
  if (y >= ribbon && y < ribbon + METRICS.ribbon) return "ribbon";
  return y < HEAD_HEIGHT ? "head" : "lanes";
}

/** How many pixels next to a narrow span still select it. */
const REACH = 3;
/** At most this many spans within reach are examined: the pointer moves, and a frame is short. */
const MOST_TRIED = 20_000;

/** `x`, `y` from the timeline's corner; `width` of the plot without the gutter. */
export function hitAt(scene: Scene, view: View, width: number, scrollY: number, x: number, y: number): Hit | null {
  const part = partAt(x, y);
  const ns = nsAt(view, width, x - METRICS.gutter);
  const reach = nsPerPixel(view, width) * REACH;
  if (part === "ribbon") {
    const near = scene.axis.phases
      .map((phase) => ({ phase, off: Math.max(phase.beginNs - ns, ns - phase.endNs, 0) }))
      .filter(({ off }) => off <= reach)
      .sort((a, b) => a.off - b.off || length(a.phase) - length(b.phase));
    return near[0] === undefined ? null : { what: "phase", index: near[0].phase.index };
  }
  if (y < HEAD_HEIGHT) return null;
  const at = y - HEAD_HEIGHT + scrollY;
  const item = scene.items[firstAbove(scene.tops, at) - 1];
  if (item === undefined || at >= item.y + item.height) return null;
  if (item.what === "group") return { what: "group", id: item.group.id };
  if (part === "gutter") return null;
  return hitLane(item.track, item.lane, ns, reach);
}

function length(of: { readonly beginNs: number; readonly endNs: number }): number {
  return of.endNs - of.beginNs;
}

function hitBand({ begin, end, node }: Bands, ns: number, reach: number): Hit | null {
  const at = firstAbove(end, ns);
  if (at < end.length && (begin[at] as number) <= ns + reach) return { what: "node", node: node[at] as number };
  return at > 0 && (end[at - 1] as number) >= ns - reach ? { what: "node", node: node[at - 1] as number } : null;
}

function hitLane(track: Track, index: number, ns: number, reach: number): Hit | null {
  if (track.what === "bands") return hitBand(track.bands, ns, reach);
  if (track.what === "silence") {
    const within = ns >= track.beginNs - reach && ns <= track.endNs + reach;
    return within ? { what: "silence", item: track.item } : null;
  }
  if (track.what !== "spans") {
    const { at, items, severity } = track.points;
    let best = -1;
    for (let i = firstAbove(at, ns - reach); i < at.length && (at[i] as number) <= ns + reach; i++) {
      const better =
        best < 0 ||
        (severity[i] as number) < (severity[best] as number) ||
        ((severity[i] as number) === (severity[best] as number) &&
          Math.abs((at[i] as number) - ns) < Math.abs((at[best] as number) - ns));
      if (better) best = i;
    }
    if (best < 0) return null;
    const item = items[best] as number;
    return track.what === "printk" ? { what: "printk", item } : { what: "defect", item };
  }
  const lane = track.lanes[index];
  if (lane === undefined) return null;
  const from = firstAbove(lane.end, ns - reach);
  // First the span under the pointer; else the longest within reach, among the nearest few.
  let best = -1;
  let bestLength = -1;
  const until = Math.min(lane.rows.length, from + MOST_TRIED);
  for (let i = from; i < until && (lane.begin[i] as number) <= ns + reach; i++) {
    if ((lane.begin[i] as number) <= ns && (lane.end[i] as number) >= ns)
      return { what: "span", row: lane.rows[i] as number };
    const size = (lane.end[i] as number) - (lane.begin[i] as number);
    if (size > bestLength) {
      best = i;
      bestLength = size;
    }
  }
  return best < 0 ? null : { what: "span", row: lane.rows[best] as number };
}
