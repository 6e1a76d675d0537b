/** Which of many intervals overlap one: for lists that ascend, without looking at all of them. */

import { firstIndexWhere } from "../../base/numbers/search.js";

interface Interval {
  readonly beginNs: number;
  readonly endNs: number;
}

/**
 * Calls `visit` with each interval that shares time with [beginNs, endNs), and how much. `intervals` ascend and lie
 * apart.
 */
export function forOverlaps<T extends Interval>(
  intervals: readonly T[],
  beginNs: number,
  endNs: number,
  visit: (interval: T, sharedNs: number) => void,
): void {
  for (let i = firstIndexWhere(intervals, (interval) => interval.endNs > beginNs); i < intervals.length; i++) {
    const interval = intervals[i] as T;
    if (interval.beginNs >= endNs) return;
    const shared = Math.min(endNs, interval.endNs) - Math.max(beginNs, interval.beginNs);
    if (shared > 0) visit(interval, shared);
  }
}

/**
 * Intervals in order, each cut to begin where the ones before it have ended; those that nothing is left of are dropped.
 */
export function apart<T extends Interval>(intervals: readonly T[]): readonly T[] {
  const kept: T[] = [];
  let at = Number.NEGATIVE_INFINITY;
  for (const interval of [...intervals].sort((a, b) => a.beginNs - b.beginNs)) {
    if (interval.endNs <= at) continue;
    kept.push(interval.beginNs < at ? { ...interval, beginNs: at } : interval);
    at = interval.endNs;
  }
  return kept;
}
