/** Where a selected thing is in time, and its neighbours: the targets of keys and double-clicks. */

import { indexInLane } from "../layout/scene.js";
import { analysisOf } from "../model/analysis.js";
import { firstAbove, type Lane } from "../model/lanes.js";
import type { Timeline } from "../model/timeline.js";
import type { Selection } from "./state.js";

export interface AxisPlace {
  /** Index of the axis. */
  readonly axis: number;
  readonly beginNs: number;
  readonly endNs: number;
}

/** null if the thing is on no axis (a phase that was not seen, a line that could not be placed). */
export function placeOf(timeline: Timeline, selection: Selection): AxisPlace | null {
  const { update, axes } = timeline;
  const axisOf = (boot: "old" | "new" | null) =>
    Math.max(
      0,
      axes.findIndex((axis) => axis.name === "joint" || axis.name === boot),
    );
  switch (selection.what) {
    case "span": {
      const { beginNs, endNs, boot } = update.spans;
      const [begin, end] = [beginNs[selection.row], endNs[selection.row]];
      if (begin === undefined || end === undefined) return null;
      const bootOf = boot[selection.row] === 1 ? "old" : boot[selection.row] === 2 ? "new" : null;
      return { axis: axisOf(bootOf), beginNs: begin, endNs: end };
    }
    case "node": {
      const node = analysisOf(update).nodes[selection.node];
      return node === undefined ? null : { axis: 0, beginNs: node.beginNs, endNs: node.endNs };
    }
    case "phase": {
      const phase = update.document.phases[selection.index];
      const axis = axes.findIndex((candidate) => candidate.name === phase?.axis);
      if (phase === undefined || axis < 0) return null;
      const begin = phase.beginNs ?? phase.endNs;
      const end = phase.endNs ?? phase.beginNs;
      return begin === null || end === null ? null : { axis, beginNs: begin, endNs: end };
    }
    case "printk": {
      const line = update.printk[selection.item];
      return line === undefined || line.atNs === null
        ? null
        : { axis: axisOf(line.boot), beginNs: line.atNs, endNs: line.atNs };
    }
    case "silence": {
      const silence = analysisOf(update).silences[selection.item];
      return silence === undefined ? null : { axis: 0, beginNs: silence.lastOldNs, endNs: silence.firstNewNs };
    }
    case "defect": {
      const found = update.document.defects[selection.item];
      return found === undefined || found.atNs === null
        ? null
        : { axis: axisOf(found.boot), beginNs: found.atNs, endNs: found.atNs };
    }
  }
}

export type Step = "next" | "previous" | "parent" | "child";

/** The span beside, above or below a selected one in its track; null at the edges. */
export function neighbour(timeline: Timeline, row: number, step: Step): number | null {
  const { spans } = timeline.update;
  const begin = spans.beginNs[row] as number;
  const end = spans.endNs[row] as number;
  for (const axis of timeline.axes) {
    for (const group of axis.groups) {
      for (const track of group.tracks) {
        if (track.what !== "spans") continue;
        const depth = track.lanes.findIndex((lane) => indexInLane(lane, row, begin) >= 0);
        if (depth < 0) continue;
        const lane = track.lanes[depth] as Lane;
        const at = indexInLane(lane, row, begin);
        switch (step) {
          case "next":
            return lane.rows[at + 1] ?? null;
          case "previous":
            return lane.rows[at - 1] ?? null;
          case "parent":
            return within(track.lanes[depth - 1], begin, begin);
          case "child":
            return within(track.lanes[depth + 1], begin, end);
        }
      }
    }
  }
  return null;
}

function within(lane: Lane | undefined, begin: number, end: number): number | null {
  if (lane === undefined) return null;
  const at = firstAbove(lane.end, begin);
  return at < lane.rows.length && (lane.begin[at] as number) <= end ? (lane.rows[at] as number) : null;
}
