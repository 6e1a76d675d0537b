/**
 * Places kernel log lines. printk is a clock of its own (local_clock()); the trace clock `local` is raw sched_clock,
 * and the two differ by 3 to 220 ms once sched_clock is marked stable and wander by tens of ms before. A line is placed
 * by the trace event of the same line (`printk:console`) if there is one; between such anchors by interpolation, with
 * what the clocks wandered in between as its ±; by another clock's link alone never.
 */
import { AXIS_EDGE_NS } from "../../base/clock-map.js";
import type { PlacedLine, PrintkLine } from "../../model/collected.js";
import { isKernelLine } from "../../model/kernel-lines.js";

/** A log line whose place on the axis is known: it is also a trace event, or was stamped with raw sched_clock. */
interface Anchor {
  readonly index: number;
  readonly stampNs: number;
  readonly ns: number;
  readonly uncertaintyNs: number;
}

export interface ConsoleEvent {
  readonly ns: number;
  readonly text: string;
}

/** After `sched_clock: Marking stable (a,b)->(c,d)`, printk's stamp is sched_clock plus d (kernel/sched/clock.c). */
export interface StableSchedClock {
  readonly stampNs: number;
  readonly offsetNs: number;
  /** Nanoseconds on the axis of a sched_clock reading. */
  readonly axisNs: (schedClockNs: number) => number;
  readonly uncertaintyNs: number;
}

/** A boot's sched_clock on the axis. */
export type RawSchedClock = Pick<StableSchedClock, "axisNs" | "uncertaintyNs">;

/** printk stamps are printed with six decimals. */
const STAMP_RESOLUTION_NS = 1_000;
/** In the recordings printk wandered by up to this against sched_clock before it was marked stable. */
const EARLY_WANDER_NS = 60_000_000;
/** Rate error of a clock that runs on unanchored, once the TSC is refined. */
const DRIFT_PPM = 100;
/** And before: the early calibration was off by 0.16 % in the recordings. */
const EARLY_DRIFT_PPM = 2_000;

/**
 * Lines in log order, console events in time order, of one boot. `stable` is null if the log has no such line or the
 * boot's sched_clock is on no axis; `raw` if it is on no axis.
 */
export function placeLines(
  lines: readonly PrintkLine[],
  events: readonly ConsoleEvent[],
  stable: StableSchedClock | null,
  raw: RawSchedClock | null = null,
): readonly PlacedLine[] {
  const ofEvents = monotone(match(lines, events));
  const early = earlyLines(lines);
  const placedRaw = new Map<number, PlacedLine>();
  for (let i = early.from; i < early.to; i++) {
    const found = rawPlace(lines[i] as PrintkLine, i, early.to, ofEvents, raw);
    if (found !== null) placedRaw.set(i, found);
  }
  const anchors = withRawAnchor(lines, ofEvents, placedRaw);
  const lastReset = lastResetOf(lines);
  let next = 0;
  return lines.map((line, i) => {
    while ((anchors[next]?.index ?? Number.POSITIVE_INFINITY) < i) next++;
    const anchor = anchors[next];
    if (anchor?.index === i) return { line, ns: anchor.ns, uncertaintyNs: anchor.uncertaintyNs };
    const unplaced = { line, ns: null, uncertaintyNs: null };
    // Stamps before the clock ran are zero or unordered: they do not show a time.
    if (line.stampNs === null || line.stampNs === 0 || i < lastReset) return unplaced;
    // Before sched_clock ran on the TSC, its place shows nothing.
    const later = i < early.from && anchor !== undefined && placedRaw.has(anchor.index) ? anchors[next + 1] : anchor;
    const placed = placedRaw.get(i) ?? between(line, line.stampNs, anchors[next - 1], later, stable);
    return placed?.ns != null && Math.abs(placed.ns) <= AXIS_EDGE_NS ? placed : unplaced;
  });
}

/**
 * Lines [from, to) that are stamped with raw sched_clock, which runs on the TSC already: printk's local_clock() is that
 * until sched_clock_init(), right before "Calibrating delay loop" (kernel/sched/clock.c, sched_clock_running).
 */
function earlyLines(lines: readonly PrintkLine[]): { readonly from: number; readonly to: number } {
  const to = lines.findIndex(({ text }) => isKernelLine(text, "delay-calibrated"));
  if (to < 0) return { from: 0, to: 0 };
  // Before the TSC's rate is known sched_clock counts jiffies, or stands still.
  const detected = lines.findLastIndex(({ text }, i) => i < to && isKernelLine(text, "tsc-detected"));
  return { from: Math.max(detected + 1, lastResetOf(lines.slice(0, to))), to };
}

/** By sched_clock's own place, or by a trace event of a line of the same clock: the surer one. */
function rawPlace(
  line: PrintkLine,
  index: number,
  to: number,
  anchors: readonly Anchor[],
  raw: RawSchedClock | null,
): PlacedLine | null {
  const { stampNs } = line;
  if (stampNs === null || stampNs === 0) return null;
  const byClock: PlacedLine | null =
    raw === null ? null : { line, ns: raw.axisNs(stampNs), uncertaintyNs: raw.uncertaintyNs + STAMP_RESOLUTION_NS };
  const anchor = anchors.find((each) => each.index >= index && each.index < to);
  if (anchor === undefined) return byClock;
  const distance = anchor.stampNs - stampNs;
  const drift = Math.ceil((Math.abs(distance) * EARLY_DRIFT_PPM) / 1e6);
  const byEvent = { line, ns: anchor.ns - distance, uncertaintyNs: STAMP_RESOLUTION_NS + drift };
  return byClock !== null && (byClock.uncertaintyNs as number) < byEvent.uncertaintyNs ? byClock : byEvent;
}

/** Lines after the last one that raw sched_clock places, up to the first trace event, lie between the two. */
function withRawAnchor(
  lines: readonly PrintkLine[],
  anchors: readonly Anchor[],
  placedRaw: ReadonlyMap<number, PlacedLine>,
): readonly Anchor[] {
  const [index, placed] = [...placedRaw].at(-1) ?? [-1, null];
  const later = anchors.findIndex((each) => each.index > index);
  if (placed === null || placed.ns === null || placed.uncertaintyNs === null) return anchors;
  const stampNs = (lines[index] as PrintkLine).stampNs as number;
  const next = anchors[later];
  if (anchors.some((each) => each.index === index) || (next !== undefined && next.ns < placed.ns)) return anchors;
  const own: Anchor = { index, stampNs, ns: placed.ns, uncertaintyNs: placed.uncertaintyNs };
  return later < 0 ? [...anchors, own] : [...anchors.slice(0, later), own, ...anchors.slice(later)];
}

/** The last line whose stamp is below the one before it: earlier lines have no usable time. */
function lastResetOf(lines: readonly PrintkLine[]): number {
  return lines.reduce((last, line, i) => {
    const before = lines[i - 1]?.stampNs ?? null;
    return before !== null && line.stampNs !== null && line.stampNs < before ? i : last;
  }, 0);
}

/**
 * The lines of a boot that left no trace events, on an axis of its own that is printk's clock; or on that of `axisNs`,
 * which takes a reading of sched_clock. `stable` is what `sched_clock: Marking stable` says: before its stamp the clock
 * wandered, from it on printk's is sched_clock plus its offset.
 */
export function placeByStamp(
  lines: readonly PrintkLine[],
  stable: Pick<StableSchedClock, "stampNs" | "offsetNs"> | null,
  axisNs: ((schedClockNs: number) => number) | null = null,
): readonly PlacedLine[] {
  const lastReset = lastResetOf(lines);
  const early = axisNs === null ? { from: 0, to: 0 } : earlyLines(lines);
  return lines.map((line, i) => {
    if (line.stampNs === null || line.stampNs === 0 || line.stampNs > AXIS_EDGE_NS || i < lastReset) {
      return { line, ns: null, uncertaintyNs: null };
    }
    const settled = stable !== null && line.stampNs >= stable.stampNs;
    const ns = axisNs === null ? line.stampNs : axisNs(settled ? line.stampNs - stable.offsetNs : line.stampNs);
    const sure = settled || (i >= early.from && i < early.to);
    return { line, ns, uncertaintyNs: STAMP_RESOLUTION_NS + (sure ? 0 : EARLY_WANDER_NS) };
  });
}

function match(lines: readonly PrintkLine[], events: readonly ConsoleEvent[]): readonly Anchor[] {
  const byText = new Map<string, number[]>();
  lines.forEach((line, i) => {
    if (line.stampNs === null || line.stampNs === 0) return;
    const key = line.text.trim();
    const known = byText.get(key);
    if (known === undefined) byText.set(key, [i]);
    else known.push(i);
  });
  const used = new Map<string, number>();
  const anchors: Anchor[] = [];
  for (const event of events) {
    const key = (event.text.split("\n")[0] ?? "").trim();
    const indexes = byText.get(key);
    if (key === "" || indexes === undefined) continue;
    const nth = used.get(key) ?? 0;
    const index = indexes[nth];
    used.set(key, nth + 1);
    const stampNs = index === undefined ? null : (lines[index]?.stampNs ?? null);
    if (index !== undefined && stampNs !== null)
      anchors.push({ index, stampNs, ns: event.ns, uncertaintyNs: STAMP_RESOLUTION_NS });
  }
  return anchors;
}

/**
 * Keeps what ascends in log order, stamp and time, from the end backwards, where the clocks are the most trustworthy.
 */
function monotone(anchors: readonly Anchor[]): readonly Anchor[] {
  const kept: Anchor[] = [];
  for (const anchor of [...anchors].sort((a, b) => b.index - a.index)) {
    const later = kept.at(-1);
    if (later === undefined || (anchor.stampNs <= later.stampNs && anchor.ns <= later.ns)) kept.push(anchor);
  }
  return kept.reverse();
}

function between(
  line: PrintkLine,
  stampNs: number,
  earlier: Anchor | undefined,
  later: Anchor | undefined,
  stable: StableSchedClock | null,
): PlacedLine | null {
  if (earlier !== undefined && later !== undefined) {
    const stamps = later.stampNs - earlier.stampNs;
    const axis = later.ns - earlier.ns;
    const ns = stamps === 0 ? earlier.ns : earlier.ns + Math.round(((stampNs - earlier.stampNs) * axis) / stamps);
    return { line, ns, uncertaintyNs: Math.abs(axis - stamps) + earlier.uncertaintyNs };
  }
  if (stable !== null && stampNs >= stable.stampNs) {
    return {
      line,
      ns: stable.axisNs(stampNs - stable.offsetNs),
      uncertaintyNs: stable.uncertaintyNs + STAMP_RESOLUTION_NS,
    };
  }
  const nearest = earlier ?? later;
  if (nearest === undefined) return null;
  const settled = stable !== null && Math.min(stampNs, nearest.stampNs) >= stable.stampNs;
  const distance = Math.abs(stampNs - nearest.stampNs);
  const drift = Math.ceil((distance * (settled ? DRIFT_PPM : EARLY_DRIFT_PPM)) / 1e6);
  return {
    line,
    ns: nearest.ns + (stampNs - nearest.stampNs),
    uncertaintyNs: nearest.uncertaintyNs + drift + (settled ? 0 : EARLY_WANDER_NS),
  };
}
