/** The spans of a view as a list for tables, the longest first, up to a table's limit. */
import type { View } from "../layout/viewport.js";
import { firstAbove } from "./lanes.js";
import type { TimelineAxis } from "./timeline.js";

export interface InView {
  /** Spans that touch the view. */
  readonly count: number;
  /** The longest of them, the longest first. */
  readonly rows: readonly number[];
}

export function longestInView(axis: TimelineAxis, view: View, folded: ReadonlySet<string>, keep: number): InView {
  const rows: number[] = [];
  const lengths: number[] = [];
  let count = 0;
  for (const group of axis.groups) {
    if (folded.has(group.id)) continue;
    for (const track of group.tracks) {
      if (track.what !== "spans") continue;
      for (const lane of track.lanes) {
        for (let i = firstAbove(lane.end, view.beginNs); i < lane.rows.length; i++) {
          if ((lane.begin[i] as number) >= view.endNs) break;
          count++;
          const length = (lane.end[i] as number) - (lane.begin[i] as number);
          if (rows.length === keep && length <= (lengths[keep - 1] as number)) continue;
          let at = rows.length;
          while (at > 0 && (lengths[at - 1] as number) < length) at--;
          rows.splice(at, 0, lane.rows[i] as number);
          lengths.splice(at, 0, length);
          if (rows.length > keep) {
            rows.pop();
            lengths.pop();
          }
        }
      }
    }
  }
  return { count, rows };
}
