/** What one boot's events, log and files say of its trace clock, gathered from where each was read. */

import type { DefectInput } from "../../base/defect.js";
import { formatDuration } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import type { EventSource, PrintkLine, TraceClock } from "../../model/collected.js";
import { clockReading } from "../../model/marks.js";
import type { CaptureBoot } from "../capture/capture.js";
import {
  type ClockMark,
  type LoggedEvent,
  type TraceClockEvidence,
  type TraceClockVerdict,
  traceClockOfEvidence,
} from "../clocks/trace-clock.js";
import type { EventCollector } from "../events/event-collector.js";
import { tscKhzFor, tscRateDoubted } from "../kernel-log/kernel-log-facts.js";
import type { BootLog } from "../readers/kernel-logs.js";

/** One boot as read, before its clock is linked. */
export interface RecordedBoot {
  readonly boot: Boot;
  readonly source: EventSource | null;
  readonly events: EventCollector;
  readonly log: BootLog;
}

/** The trace clock's count of an event kept by the collector. */
export function countOfEvent({ base }: EventCollector, sinceBase: number): bigint {
  return (base ?? 0n) + BigInt(Math.round(sinceBase));
}

/** Marks `clock: realtime=SECONDS.NANOSECONDS [monotonic=…]`, in the order of time. */
export function clockMarks(events: EventCollector): readonly ClockMark[] {
  return events.keyEvents.flatMap((event): readonly ClockMark[] => {
    const realtimeNs = event.what === "marker" ? clockReading(event.name, event.fields, "realtime") : null;
    if (realtimeNs === null) return [];
    const monotonicNs = clockReading(event.name, event.fields, "monotonic");
    return [{ count: countOfEvent(events, event.count), realtimeNs, monotonicNs }];
  });
}

/** Two CPUs that print at once may store their lines in the other order, microseconds apart. */
const RESET_NS = 100_000;

/** Lines after the log's stamps last started again: those before are in order, but not in time. */
function stampedLines(lines: readonly PrintkLine[]): readonly PrintkLine[] {
  let from = 0;
  let before: number | null = null;
  for (const [i, { stampNs }] of lines.entries()) {
    if (stampNs === null) continue;
    if (before !== null && before - stampNs >= RESET_NS) from = i;
    before = stampNs;
  }
  return lines.slice(from).filter(({ stampNs }) => stampNs !== null && stampNs > 0);
}

/** By text, what stands there once; what stands there twice may have lost one of the two elsewhere. */
function once<T>(rows: readonly T[], textOf: (row: T) => string): ReadonlyMap<string, T> {
  const found = new Map<string, T | null>();
  for (const row of rows) {
    const text = (textOf(row).split("\n", 1)[0] as string).trim();
    found.set(text, found.has(text) ? null : row);
  }
  return new Map([...found].flatMap(([text, row]) => (row === null || text === "" ? [] : [[text, row]])));
}

/** Console events of lines that stand once in the log and once in the trace, in the order of time. */
function loggedEvents({ events, log }: RecordedBoot): readonly LoggedEvent[] {
  const console = once(
    events.keyEvents.filter(({ what }) => what === "printk"),
    ({ name }) => name,
  );
  const lines = once(stampedLines(log.lines), ({ text }) => text);
  return [...console].flatMap(([text, { count }]) => {
    const stampNs = lines.get(text)?.stampNs ?? null;
    return stampNs === null ? [] : [{ count: countOfEvent(events, count), stampNs }];
  });
}

function evidenceOf(read: RecordedBoot, own: CaptureBoot, named: TraceClock): TraceClockEvidence {
  const { boot, events, log } = read;
  const { facts } = log;
  const byOtherTimer = named === "x86-tsc" && tscRateDoubted(facts);
  return {
    boot,
    named,
    first: countOfEvent(events, events.first),
    last: countOfEvent(events, events.last),
    marks: clockMarks(events),
    logged: loggedEvents(read),
    pairs: own.pairs,
    tscKhz: tscKhzFor(named, facts),
    stable: facts.markedStable,
    // A rate by the other timer is early all the way: the kernel refines none that it gave up.
    settledNs: byOtherTimer
      ? Number.POSITIVE_INFINITY
      : Math.max(facts.tscRefined?.stampNs ?? 0, facts.markedStable?.stampNs ?? 0),
    stats: (own.buffer?.cpus ?? []).flatMap(({ stats }) => (stats === null ? [] : [stats])),
  };
}

/** The clock of a boot's events by all that it left; its name counts if nothing can be compared with it. */
export function heldTraceClock(read: RecordedBoot, own: CaptureBoot | null): TraceClockVerdict | null {
  if (read.source === null || own === null || Number.isNaN(read.events.first)) return null;
  return traceClockOfEvidence(evidenceOf(read, own, read.source.clock));
}

/** A mark that waited for its CPU: 48 ms at most in the recordings. */
const LATE_NS = 100_000_000;

/** What is wrong with the clock's name, or with marks on it; null if it is right. */
export function traceClockDefect(
  { boot, source }: RecordedBoot,
  own: CaptureBoot | null,
  { clock, against, lateNs }: TraceClockVerdict,
): DefectInput | null {
  if (source === null) return null;
  const named = source.clock;
  const shared = { file: `${own?.buffer?.folder ?? ""}/trace_clock`, boot };
  if (against.length === 0 && lateNs > LATE_NS) {
    return {
      ...shared,
      code: "trace-clock-late",
      severity: "warning",
      message: `A mark or a line of the log comes ${formatDuration(lateNs)} later than the time that it shows: its CPU was busy for so long, or events around it have wrong times.`,
      advice: "Compare with another recording; record on a quieter host.",
    };
  }
  if (against.length === 0) return null;
  const found = `It names ${named}, but ${against.join("; ")}`;
  if (clock === "unknown") {
    return {
      ...shared,
      code: "trace-clock-contradicted",
      severity: "error",
      message: `${found}. No other clock fits, so that none of this boot's events can be placed.`,
      advice:
        "Check that the trace, its trace_clock, clock_pairs and dmesg are of one boot, and that no clock was damaged.",
    };
  }
  return {
    ...shared,
    code: "trace-clock-renamed",
    severity: "warning",
    message: `${found}. The events are placed as ${clock}'s, which fits.`,
    advice: "Save the buffer's own trace_clock with it, before another clock is set.",
  };
}
