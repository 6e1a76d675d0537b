/**
 * The ClockMap: one monotone, piecewise-linear map from a clock's counts to nanoseconds on the axis, with its ±. It
 * serves every clock link and every rate change: a TSC, a sched_clock whose rate changes when the TSC's calibration is
 * refined, a printk clock anchored on trace events.
 */
import { type ClockDomain, countOf, type Instant } from "./time.js";

/**
 * From `fromCount` on (the first segment: also before it) the axis reads `axisNs` + (count - fromCount) * nsPerCount.
 */
export interface ClockSegment {
  readonly fromCount: bigint;
  /** Nanoseconds on the axis, an integer below 2^53. */
  readonly axisNs: number;
  /** Greater than zero. */
  readonly nsPerCount: number;
  /** ± in nanoseconds of what this segment places. */
  readonly uncertaintyNs: number;
}

export interface ClockMap<D extends ClockDomain> {
  readonly domain: D;
  /** At least one, ascending in fromCount and in axisNs. */
  readonly segments: readonly ClockSegment[];
}

/**
 * Checks and makes a map. Segments must ascend and must not overlap on the axis: where one segment, run on to the next
 * one's first count, would pass the next one's axisNs, the map would not be monotone, and RangeError is thrown (a bug
 * in the caller, which knows its evidence; never a property of input alone).
 */
export function clockMap<D extends ClockDomain>(domain: D, segments: readonly ClockSegment[]): ClockMap<D> {
  if (segments.length === 0) throw new RangeError("a clock map needs a segment");
  segments.forEach((segment, i) => {
    if (!(segment.nsPerCount > 0)) throw new RangeError(`segment ${i}: nsPerCount must be above zero`);
    const next = segments[i + 1];
    if (next === undefined) return;
    if (next.fromCount <= segment.fromCount) throw new RangeError(`segment ${i + 1} does not begin after segment ${i}`);
    if (next.axisNs < segmentNs(segment, next.fromCount)) {
      throw new RangeError(`segment ${i + 1} begins before segment ${i} ends on the axis`);
    }
  });
  return { domain, segments };
}

/**
 * The axis ends here, 52 days on either side of its origin: a difference of two instants on it, with a ± of minutes, is
 * an exact integer. Damaged stamps beyond it are placed on the edge.
 */
export const AXIS_EDGE_NS = 2 ** 52 - 2 ** 40;

const onAxis = (ns: number): number => Math.max(-AXIS_EDGE_NS, Math.min(AXIS_EDGE_NS, ns));

function segmentNs(segment: ClockSegment, count: bigint): number {
  return onAxis(segment.axisNs + Math.round(Number(count - segment.fromCount) * segment.nsPerCount));
}

function segmentAt(segments: readonly ClockSegment[], count: bigint): ClockSegment {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((segments[middle] as ClockSegment).fromCount <= count) low = middle;
    else high = middle - 1;
  }
  return segments[low] as ClockSegment;
}

/** The instant in nanoseconds on the axis. */
export function axisNsOf<D extends ClockDomain>(map: ClockMap<D>, time: Instant<D>): number {
  const count = countOf(time);
  return segmentNs(segmentAt(map.segments, count), count);
}

/** ± in nanoseconds of `axisNsOf(map, time)`. */
export function uncertaintyOf<D extends ClockDomain>(map: ClockMap<D>, time: Instant<D>): number {
  return segmentAt(map.segments, countOf(time)).uncertaintyNs;
}

/**
 * Places a column: `out[i]` = axis nanoseconds of the count `base + counts[i]`, for the first `length` rows. The
 * segment is looked up again only if a row leaves it, so that a column in time order costs a multiplication per row.
 */
export function placeColumn<D extends ClockDomain>(
  map: ClockMap<D>,
  base: bigint,
  counts: Float64Array,
  length: number,
  out: Float64Array,
): void {
  const starts = map.segments.map((segment) => Number(segment.fromCount - base));
  let at = 0;
  for (let i = 0; i < length; i++) {
    const count = counts[i] as number;
    while (at + 1 < starts.length && count >= (starts[at + 1] as number)) at++;
    while (at > 0 && count < (starts[at] as number)) at--;
    const segment = map.segments[at] as ClockSegment;
    out[i] = onAxis(segment.axisNs + Math.round((count - (starts[at] as number)) * segment.nsPerCount));
  }
}

/** The same map with the axis's zero moved to `zeroNs`. */
export function shiftMap<D extends ClockDomain>(map: ClockMap<D>, zeroNs: number): ClockMap<D> {
  return { ...map, segments: map.segments.map((segment) => ({ ...segment, axisNs: segment.axisNs - zeroNs })) };
}
