/**
 * Which clock a boot's events are on. `trace_clock` gives its name, and a name can be wrong: another file's, or one
 * set after the recording. It is checked against what else the boot left: marks that print a clock's reading, log lines
 * that are trace events too, the readings at collection, the kernel's own counters. Pure.
 */
import { formatDuration } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import type { ClockPair, TraceClock } from "../../model/collected.js";
import { type Moment, momentOf, NS_CLOCKS, TAI_MINUS_UTC_NS } from "./moment.js";

/** A mark `clock: realtime=… monotonic=…`, at its count of the trace clock. */
export interface ClockMark {
  readonly count: bigint;
  readonly realtimeNs: bigint;
  readonly monotonicNs: bigint | null;
}

/** A trace event of a line that stands once in the log and once in the trace. */
export interface LoggedEvent {
  readonly count: bigint;
  readonly stampNs: number;
}

/** What `stats` of one CPU prints of the buffer's clock: seconds if that counts nanoseconds, else a bare count. */
export interface StatsStamps {
  readonly oldest: string | null;
  readonly now: string | null;
}

/** What one boot left that says on which clock its events are. */
export interface TraceClockEvidence {
  readonly boot: Boot;
  readonly named: TraceClock;
  readonly first: bigint;
  readonly last: bigint;
  readonly marks: readonly ClockMark[];
  readonly logged: readonly LoggedEvent[];
  readonly pairs: readonly ClockPair[];
  readonly tscKhz: number | null;
  /** `sched_clock: Marking stable`: from this stamp on printk's clock is sched_clock plus the offset. */
  readonly stable: { readonly stampNs: number; readonly offsetNs: number } | null;
  /** printk's stamp from which no clock's rate is refined any more; 0 if the log has no such line. */
  readonly settledNs: number;
  readonly stats: readonly StatsStamps[];
}

/** The clock that the evidence shows; `unknown` if it contradicts every clock. */
export interface TraceClockVerdict {
  readonly clock: TraceClock;
  /** What contradicts the name; empty if it is right. */
  readonly against: readonly string[];
  /** How far marks lie behind the time that they show, beyond a usual wait, although no other clock fits; else 0. */
  readonly lateNs: number;
}

/** Clocks that the recorder reads at collection, so that their names can be distinguished. */
const CANDIDATES: readonly TraceClock[] = ["x86-tsc", "local", "mono", "boot", "tai"];

/** A kernel slews mono and realtime by up to 500 ppm (kernel/time/ntp.c, MAXFREQ); 100 ppm are the TSC's own. */
const SETTLED_PPM = 600;
/** Before the TSC's rate is refined clocks ran up to 1,600 ppm off in the recordings; three times that is the limit. */
const EARLY_PPM = 5_000;
/** Reading a clock and writing the mark: in 380 recorded boots the mark never came before its reading. */
const READING_NS = 500_000;
/** A mark that waited for its CPU comes later: 48 ms at most in the recordings. Beyond a second it is another clock. */
const LONGEST_WAIT_NS = 1_000_000_000;
/** Up to here a wait explains it better than another clock's name does; usual are 0.2 to 7 ms. */
const USUAL_WAIT_NS = 10_000_000;
/** printk stamps and traces a line with interrupts off: 0.3 ms apart in the recordings, 4 ms on a busy host. */
const PRINTK_WAIT_NS = 100_000_000;
/** RTC and NTP may step realtime by this between two readings of one boot: half a second of the RTC's, and margin. */
const REALTIME_STEP_NS = 1_500_000_000;
/** Readings at collection come after the last event; a recorder of one's own may go on for so long. */
const AFTER_COLLECTION_NS = 10_000_000_000;
/** Early stamps of printk lag: 1.29 times in the recordings. A TSC taken for nanoseconds runs 2 times as fast. */
const EARLY_SLOPE: readonly [number, number] = [0.8, 2];
/** So long must two early lines lie apart, so that jiffies (10 ms) and what the stamps wander (60 ms) do not matter. */
const EARLY_SPAN_NS = 300_000_000;

/** Nanoseconds a count lasts; null if the clock's rate is not known. */
function nsPerCountOf(clock: TraceClock, tscKhz: number | null): number | null {
  if (clock === "x86-tsc") return tscKhz === null ? null : 1e6 / tscKhz;
  return NS_CLOCKS.has(clock) ? 1 : null;
}

interface Trial {
  readonly against: readonly string[];
  /** How far the evidence lies from what the clock would show beyond a usual wait, in nanoseconds. */
  readonly misfitNs: number;
  /** How many readings the clock was checked against. */
  readonly readings: number;
}

/** Checks one clock against the evidence. */
function tryClock(clock: TraceClock, evidence: TraceClockEvidence, moment: Moment | null): Trial {
  const { tscKhz, boot } = evidence;
  const against: string[] = [];
  const format = statsFormat(clock, evidence);
  if (format !== null) against.push(format);
  const nsPerCount = nsPerCountOf(clock, tscKhz);
  if (nsPerCount === null) return { against, misfitNs: 0, readings: 0 };
  const slope = slopeFault(clock, nsPerCount, evidence);
  if (slope !== null) against.push(slope);
  if (boot === "new") {
    const after = afterNow(clock, nsPerCount, evidence);
    if (after !== null) against.push(after);
  }
  const at = moment?.countOf(clock) ?? null;
  if (moment === null || at === null) return { against, misfitNs: 0, readings: 0 };
  const since = (count: bigint): number => Number(count - at) * nsPerCount;
  if (boot === "new" && since(evidence.last) > AFTER_COLLECTION_NS) {
    const late = formatDuration(since(evidence.last));
    against.push(`on ${clock} the last event would come ${late} after that clock's reading at collection`);
  }
  const early = -since(evidence.first) - moment.uptimeNs;
  if (early > 1e9 + moment.uptimeNs / 100) {
    against.push(`on ${clock} the first event would come ${formatDuration(early)} before the kernel began`);
  }
  let misfitNs = 0;
  let readings = 0;
  const judge = (residual: number, distance: number, settled: boolean, longest: number, what: string): void => {
    readings += 1;
    const slack = moment.slackNs + READING_NS + (distance * (settled ? SETTLED_PPM : EARLY_PPM)) / 1e6;
    misfitNs = Math.max(misfitNs, residual - slack - USUAL_WAIT_NS);
    if (residual >= -slack && residual <= slack + longest) return;
    const side = residual < 0 ? "before" : "after";
    against.push(`on ${clock} ${what} would come ${formatDuration(Math.abs(residual))} ${side} the time that it shows`);
  };
  for (const { count, realtimeNs, monotonicNs } of evidence.marks) {
    if (monotonicNs !== null) {
      const shown = Number(monotonicNs - moment.monoNs);
      const settled = Number(monotonicNs) >= evidence.settledNs && Number(moment.monoNs) >= evidence.settledNs;
      judge(since(count) - shown, Math.abs(shown), settled, LONGEST_WAIT_NS, "the mark of the monotonic clock");
      continue;
    }
    const residual = since(count) - Number(realtimeNs - moment.taiNs);
    // TAI is UTC, or what the kernel was given of its offset: nothing, or the 37 s that hold since 2017.
    const nearest = Math.min(Math.abs(residual), Math.abs(residual - TAI_MINUS_UTC_NS));
    readings += 1;
    if (nearest > REALTIME_STEP_NS + (Math.abs(since(count)) * EARLY_PPM) / 1e6) {
      against.push(
        `on ${clock} the mark of the realtime clock would lie ${formatDuration(nearest)} away from what it shows`,
      );
    }
  }
  const offset = logOffset(evidence, since, moment);
  if (offset !== null) {
    judge(offset.residual, offset.distance, true, PRINTK_WAIT_NS, "a line of the kernel log");
  }
  return { against, misfitNs: Math.max(0, misfitNs), readings };
}

/** tracefs prints the stamps of a buffer on a clock of nanoseconds as seconds, and of any other as a count. */
function statsFormat(clock: TraceClock, { stats }: TraceClockEvidence): string | null {
  const printed = stats.flatMap(({ oldest, now }) => [oldest, now]).find((stamp) => stamp !== null) ?? null;
  if (printed === null || clock === "unknown" || printed.includes(".") === NS_CLOCKS.has(clock)) return null;
  const [is, would] = printed.includes(".") ? ["seconds", "counts"] : ["counts", "seconds"];
  return `the buffer's stats print its stamps as ${is} (${printed}), and on ${clock} they would be ${would}`;
}

/** The stats are read when nothing is written any more. */
function afterNow(clock: TraceClock, nsPerCount: number, { stats, last }: TraceClockEvidence): string | null {
  const nows = stats.flatMap(({ now }) => (now === null ? [] : [countOfStamp(now)]));
  if (nows.length === 0 || nows.some((now) => now === null)) return null;
  const latest = (nows as readonly bigint[]).reduce((most, now) => (now > most ? now : most));
  const late = Number(last - latest) * nsPerCount;
  if (late <= READING_NS) return null;
  return `on ${clock} the last event would come ${formatDuration(late)} after the buffer's own 'now ts'`;
}

/** A stamp of a `stats` file in counts: nanoseconds if it is printed as seconds; null if it is neither. */
export function countOfStamp(stamp: string): bigint | null {
  const match = /^(\d{1,20})(?:\.(\d{6}))?$/.exec(stamp);
  if (match === null) return null;
  const whole = BigInt(match[1] as string);
  return match[2] === undefined ? whole : whole * 1_000_000_000n + BigInt(match[2]) * 1_000n;
}

/** Lines of the log that are trace events too: the clock must run as fast as the log's stamps. */
function slopeFault(clock: TraceClock, nsPerCount: number, { logged, settledNs }: TraceClockEvidence): string | null {
  const settled = logged.filter(({ stampNs }) => settledNs > 0 && stampNs >= settledNs);
  const [a, b] = [settled[0], settled.at(-1)];
  if (a !== undefined && b !== undefined && a !== b) {
    const [traced, stamped] = [Number(b.count - a.count) * nsPerCount, b.stampNs - a.stampNs];
    if (Math.abs(traced - stamped) > 2 * USUAL_WAIT_NS + Math.abs(stamped) / 100) {
      return `on ${clock} the log's lines lie ${formatDuration(traced)} apart in the trace, and ${formatDuration(stamped)} in the log`;
    }
  }
  const [first, last] = [logged[0], logged.at(-1)];
  if (first === undefined || last === undefined || last.stampNs - first.stampNs < EARLY_SPAN_NS) return null;
  const slope = (Number(last.count - first.count) * nsPerCount) / (last.stampNs - first.stampNs);
  if (slope >= EARLY_SLOPE[0] && slope <= EARLY_SLOPE[1]) return null;
  return `on ${clock} the trace would run ${slope.toPrecision(3)} times as fast as the log's stamps of the same lines`;
}

/** The least that an event lies behind its line's stamp, both on sched_clock; null without such a line. */
function logOffset(
  { logged, stable, settledNs }: TraceClockEvidence,
  since: (count: bigint) => number,
  moment: Moment,
): { readonly residual: number; readonly distance: number } | null {
  if (stable === null) return null;
  let least: { residual: number; distance: number } | null = null;
  for (const { count, stampNs } of logged) {
    if (stampNs < stable.stampNs || stampNs < settledNs) continue;
    const traced = since(count);
    const residual = traced - (stampNs - stable.offsetNs - Number(moment.localNs));
    if (least === null || residual < least.residual) least = { residual, distance: Math.abs(traced) };
  }
  return least;
}

/**
 * The clock of a boot's events. The name holds unless something contradicts it, or another clock fits what the name
 * does not; if every clock is contradicted, none of the events can be placed.
 */
export function traceClockOfEvidence(evidence: TraceClockEvidence): TraceClockVerdict {
  const { named, pairs, tscKhz } = evidence;
  if (named === "unknown") return { clock: named, against: [], lateNs: 0 };
  const moment = momentOf(pairs, tscKhz);
  const own = tryClock(named, evidence, moment);
  const counts = nsPerCountOf(named, tscKhz) !== null;
  if (own.against.length === 0 && own.misfitNs === 0 && counts) return { clock: named, against: [], lateNs: 0 };
  const others = CANDIDATES.filter((clock) => clock !== named)
    .map((clock) => ({ clock, ...tryClock(clock, evidence, moment) }))
    .filter(({ against, readings }) => against.length === 0 && readings > 0)
    .sort((a, b) => a.misfitNs - b.misfitNs);
  const best = others[0];
  if (own.against.length > 0) return { clock: best?.clock ?? "unknown", against: own.against, lateNs: 0 };
  if (best === undefined || best.misfitNs > 0) return { clock: named, against: [], lateNs: own.misfitNs };
  if (!counts)
    return {
      clock: best.clock,
      lateNs: 0,
      against: [`how fast ${named} counts is not known, and its readings fit ${best.clock}`],
    };
  return {
    clock: best.clock,
    lateNs: 0,
    against: [
      `on ${named} its readings would lie ${formatDuration(own.misfitNs)} beyond a usual wait, on ${best.clock} they fit`,
    ],
  };
}
