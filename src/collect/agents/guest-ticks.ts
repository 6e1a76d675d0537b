/** A guest's own ticker log: one stamp of the guest's clock a line (docs/guest-ticks.md). */
import type { DefectSink } from "../../base/defect.js";
import type { TickLog } from "../../model/collected.js";
import { float64Column } from "../events/columns.js";
import { cleanText } from "../kernel-log/kmsg-lines.js";

/** At 1 kHz more than an hour; what follows is not read. */
const MAX_TICKS = 5_000_000;
/** Characters of a header line that are read. */
const MAX_HEADER = 1_024;
const LF = 0x0a;
const CR = 0x0d;
const BLANK = 0x20;
const HASH = 0x23;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** 10 digits of seconds reach the year 2286. */
const MAX_SECONDS = 9_999_999_999;

/** Nanoseconds as seconds and the rest: a stamp of realtime exceeds 2^53. */
interface Stamp {
  readonly seconds: number;
  readonly ns: number;
  readonly form: "seconds" | "nanoseconds";
}

/** `1795431740.226790871` (seconds, up to 9 decimals) or `1795431740226790871` (whole nanoseconds); null for others. */
function stampOf(bytes: Uint8Array, from: number, to: number): Stamp | null {
  let dot = -1;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    if (byte === DOT && dot < 0) dot = i;
    else if (byte < ZERO || byte > NINE) return null;
  }
  const digits = (begin: number, end: number): number => {
    let value = 0;
    for (let i = begin; i < end; i++) value = value * 10 + ((bytes[i] as number) - ZERO);
    return value;
  };
  if (dot < 0) {
    const length = to - from;
    if (length === 0 || length > 19) return null;
    const split = Math.max(from, to - 9);
    return { seconds: digits(from, split), ns: digits(split, to), form: "nanoseconds" };
  }
  const decimals = to - dot - 1;
  if (dot === from || dot - from > 10 || decimals < 1 || decimals > 9) return null;
  return { seconds: digits(from, dot), ns: digits(dot + 1, to) * 10 ** (9 - decimals), form: "seconds" };
}

/**
 * Reads a log of ticks; never throws. Lines that are not stamps, or not in the form of the first, are defects and left
 * out; a stamp below the previous one is a defect too, and begins a new series: no gap is computed across it.
 */
export function parseTicks(bytes: Uint8Array, file: string, sink: DefectSink): TickLog {
  const sinceFirstNs = float64Column();
  const breaks: number[] = [];
  const header = new Map<string, string>();
  let first: Stamp | null = null;
  let last = Number.NEGATIVE_INFINITY;
  let line = 0;
  const report = (code: string, message: string, advice: string): void =>
    sink.defect({ code, severity: "warning", file, line, message, advice });
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(LF, from);
    const next = found < 0 ? bytes.length : found;
    let [begin, end] = [from, next];
    from = next + 1;
    line += 1;
    while (begin < end && (bytes[begin] as number) <= BLANK) begin++;
    while (end > begin && ((bytes[end - 1] as number) <= BLANK || bytes[end - 1] === CR)) end--;
    if (begin === end) continue;
    if (bytes[begin] === HASH) {
      readHeader(new TextDecoder().decode(bytes.subarray(begin + 1, Math.min(end, begin + MAX_HEADER))), header);
      continue;
    }
    if (sinceFirstNs.length >= MAX_TICKS) {
      report(
        "ticks-too-many",
        `Ticks were read up to line ${line - 1}: ${MAX_TICKS} are read at most.`,
        "Cut the log to the minutes around the update.",
      );
      break;
    }
    const stamp = stampOf(bytes, begin, end);
    if (stamp === null || stamp.seconds > MAX_SECONDS) {
      report(
        "ticks-undecoded",
        "The line is not a stamp: expected seconds with decimals, or whole nanoseconds.",
        "It is left out; see docs/guest-ticks.md.",
      );
      continue;
    }
    if (first !== null && stamp.form !== first.form) {
      report(
        "ticks-mixed",
        `The stamp is in ${stamp.form}, the first one in ${first.form}.`,
        "It is left out; write all stamps in one form.",
      );
      continue;
    }
    first ??= stamp;
    const ns = (stamp.seconds - first.seconds) * 1e9 + (stamp.ns - first.ns);
    if (!Number.isSafeInteger(ns)) {
      report(
        "ticks-undecoded",
        "The stamp lies more than 104 days from the first.",
        "It is left out; give the log of one update.",
      );
      continue;
    }
    if (ns < last) {
      report(
        "ticks-backwards",
        "The guest's clock went backwards.",
        "No gap is read across it; use CLOCK_MONOTONIC or CLOCK_BOOTTIME.",
      );
      breaks.push(sinceFirstNs.length);
    }
    last = ns;
    sinceFirstNs.push(ns);
  }
  return {
    file,
    vm: header.get("vm") ?? null,
    clock: header.get("clock") ?? null,
    interval: header.get("interval") ?? null,
    sinceFirstNs: sinceFirstNs.array(),
    breaks,
  };
}

/** `# vm=ID clock=NAME interval=10ms`; the first value of a key counts, other text is a comment. */
function readHeader(text: string, header: Map<string, string>): void {
  for (const word of cleanText(text).split(/\s+/)) {
    const match = /^(vm|clock|interval)=(\S{1,255})$/.exec(word);
    if (match !== null && !header.has(match[1] as string)) header.set(match[1] as string, match[2] as string);
  }
}
