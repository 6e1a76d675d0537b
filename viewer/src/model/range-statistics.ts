/** What happened in a range: sums by kind, the largest causes, and the owner of each nanosecond. */
import { partition, unattributed } from "../../../src/analyze/causes/partition.js";
import { SPAN_KINDS, type SpanKind } from "../../../src/model/span-table.js";
import { firstAbove } from "./lanes.js";
import { kindSet, type Timeline, type TimelineAxis } from "./timeline.js";

export interface KindSum {
  readonly kind: SpanKind;
  readonly count: number;
  /** Of the parts inside the range; parallel and nested spans are each counted in full. */
  readonly sumNs: number;
}

export interface CauseSum {
  readonly kind: SpanKind;
  readonly name: number;
  readonly count: number;
  readonly sumNs: number;
  /** The longest of them. */
  readonly row: number;
}

/** Each nanosecond of the range given to the innermost running cause, once. Sums to the range exactly. */
export interface Share {
  readonly kind: SpanKind;
  readonly ns: number;
}

export interface RangeStatistics {
  readonly count: number;
  readonly kinds: readonly KindSum[];
  readonly causes: readonly CauseSum[];
  /** null if there are more spans than can be resolved at once. */
  readonly shares: readonly Share[] | null;
}

/** Spans that run in parallel with everything else, or that are not causes, do not own nanoseconds. */
const NO_CAUSE = kindSet("phase", "blackout", "task", "printk", "marker", "unattributed");
/** Partitioning sorts objects: beyond this, dragging would lag. */
const MOST_PARTITIONED = 40_000;
const MOST_CAUSES = 10;

export function rangeStatistics(
  timeline: Timeline,
  axis: TimelineAxis,
  beginNs: number,
  endNs: number,
): RangeStatistics {
  const { spans } = timeline.update;
  const kinds = SPAN_KINDS.map(() => ({ count: 0, sumNs: 0 }));
  const causes = new Map<
    number,
    { kind: number; name: number; count: number; sumNs: number; row: number; longest: number }
  >();
  const within: number[] = [];
  let count = 0;
  for (const group of axis.groups) {
    for (const track of group.tracks) {
      if (track.what !== "spans") continue;
      for (const lane of track.lanes) {
        for (let i = firstAbove(lane.end, beginNs); i < lane.rows.length; i++) {
          const begin = lane.begin[i] as number;
          if (begin >= endNs) break;
          const row = lane.rows[i] as number;
          const kind = spans.kind[row] as number;
          const name = spans.name[row] as number;
          const inside = Math.min(lane.end[i] as number, endNs) - Math.max(begin, beginNs);
          count++;
          const sum = kinds[kind] as { count: number; sumNs: number };
          sum.count++;
          sum.sumNs += inside;
          if (NO_CAUSE[kind] === 1) continue;
          if (within.length <= MOST_PARTITIONED) within.push(row);
          const key = name * 32 + kind;
          const cause = causes.get(key);
          if (cause === undefined) causes.set(key, { kind, name, count: 1, sumNs: inside, row, longest: inside });
          else {
            cause.count++;
            cause.sumNs += inside;
            if (inside > cause.longest) {
              cause.longest = inside;
              cause.row = row;
            }
          }
        }
      }
    }
  }
  const kindName = (kind: number) => SPAN_KINDS[kind] as SpanKind;
  return {
    count,
    kinds: kinds
      .map((sum, kind) => ({ kind: kindName(kind), ...sum }))
      .filter((sum) => sum.count > 0)
      .sort((a, b) => b.sumNs - a.sumNs),
    causes: [...causes.values()]
      .sort((a, b) => b.sumNs - a.sumNs)
      .slice(0, MOST_CAUSES)
      .map(({ kind, name, count, sumNs, row }) => ({ kind: kindName(kind), name, count, sumNs, row })),
    shares: within.length > MOST_PARTITIONED ? null : shares(timeline, axis, within, beginNs, endNs),
  };
}

function shares(
  timeline: Timeline,
  axis: TimelineAxis,
  rows: readonly number[],
  beginNs: number,
  endNs: number,
): readonly Share[] {
  const { spans } = timeline.update;
  const causes = rows.map((row) => ({ beginNs: spans.beginNs[row] as number, endNs: spans.endNs[row] as number }));
  const kindOf = rows.map((row) => SPAN_KINDS[spans.kind[row] as number] as SpanKind);
  if (axis.seam !== null) {
    causes.push({ beginNs: axis.seam.beginNs, endNs: axis.seam.endNs });
    kindOf.push("seam");
  }
  const pieces = partition(beginNs, endNs, causes);
  const left = unattributed(beginNs, endNs, pieces);
  const sums = new Map<SpanKind, number>([["unattributed", left.top]]);
  pieces.forEach((piece, i) => {
    const kind = kindOf[piece.cause] as SpanKind;
    sums.set(kind, (sums.get(kind) ?? 0) + (left.pieces[i] as number));
  });
  return [...sums]
    .map(([kind, ns]) => ({ kind, ns }))
    .filter(({ ns }) => ns > 0)
    .sort((a, b) => b.ns - a.ns);
}
