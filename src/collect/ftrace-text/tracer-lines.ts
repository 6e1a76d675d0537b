/**
 * Payloads without an event's name: the samples of tracers, and symbols that are more than an identifier. Sources:
 * trace_hwlat_print, trace_osnoise_print, trace_timerlat_print and trace_ctxwake_print in kernel/trace/trace_output.c,
 * trace_branch_print in trace_branch.c, blk_log_action in kernel/trace/blktrace.c. Fields are named as in
 * kernel/trace/trace_entries.h.
 */
import { COLON, isDigit, isHexDigit, LESS, OPEN_BRACKET, SLASH, SPACE } from "../files/bytes.js";

interface TracerLine {
  readonly name: string;
  readonly pattern: RegExp;
}

const STATE = "[A-Za-z+]{1,3}";
const wakePattern = (mark: string): RegExp =>
  new RegExp(
    String.raw`^ *(?<prev_pid>\d+): *(?<prev_prio>\d+):(?<prev_state>${STATE}) +${mark} +\[(?<next_cpu>\d+)\] +(?<next_pid>\d+): *(?<next_prio>\d+):(?<next_state>${STATE})(?: (?<next_comm>.*))?$`,
  );

const TRACER_LINES: readonly TracerLine[] = [
  {
    name: "hwlat",
    pattern:
      /^ *#(?<seqnum>\d+) +inner\/outer\(us\): +(?<duration>\d+)\/(?<outer_duration>\d+) +ts:(?<timestamp>\d+\.\d+)(?: count:(?<count>\d+))?(?: nmi-total:(?<nmi_total_ts>\d+))?(?: nmi-count:(?<nmi_count>\d+))?\s*$/,
  },
  {
    name: "timerlat",
    pattern: /^ *#(?<seqnum>\d+) +context +(?<context>[\w-]+) +timer_latency +(?<timer_latency>-?\d+) ns\s*$/,
  },
  {
    name: "osnoise",
    pattern:
      /^ *(?<runtime>\d+) +(?<noise>\d+) +\d{1,3}\.\d{5} +(?<max_sample>\d+) +(?<hw_count>\d+) +(?<nmi_count>\d+) +(?<irq_count>\d+) +(?<softirq_count>\d+) +(?<thread_count>\d+)\s*$/,
  },
  { name: "wakeup", pattern: wakePattern(String.raw`\+`) },
  { name: "context_switch", pattern: wakePattern("==>") },
  { name: "branch", pattern: /^ *\[ *(?<correct>ok|MISS) *\] (?<func>[\w.$]+):(?<file>[^:]+):(?<line>\d+)\s*$/ },
  {
    name: "blk",
    pattern: /^ *(?<dev>\d{1,4},\d{1,7}) +(?<action>[A-Z]{1,2}|m) +(?<rwbs>[A-Z]{1,8}|N)?(?: .*)?$/,
  },
];

/** Longer payloads are of no tracer. */
const MAX_SAMPLE = 512;

/** The name of the event that a payload without one is of, or null. */
export function tracerEventOf(payload: string): string | null {
  if (payload.length > MAX_SAMPLE) return null;
  return TRACER_LINES.find(({ pattern }) => pattern.test(payload))?.name ?? null;
}

/** Name and value of what such a payload holds; empty if it is not of the event `name`. */
export function tracerFields(name: string, payload: string): readonly (readonly [string, string])[] {
  if (payload.length > MAX_SAMPLE) return [];
  const groups = TRACER_LINES.find((line) => line.name === name)?.pattern.exec(payload)?.groups;
  return groups === undefined ? [] : Object.entries(groups).filter(([, value]) => value !== undefined);
}

/** `  8,0    1       0.000000000  4162  A   W 76 + 8 <- (8,1) 44`: the blk tracer's classic line has its own header. */
const BLK_CLASSIC = /^( *\d{1,4},\d{1,7} +)(\d{1,4}) +(\d{1,5})\.(\d{9}) +(\d{1,9}) +(?=(?:[A-Z]{1,2}|m) )/;

export interface BlkHeader {
  readonly cpu: number;
  readonly seconds: number;
  readonly nanos: number;
  readonly pid: number;
}

/** The header of blk_log_action_classic, or null. */
export function blkHeader(line: string): BlkHeader | null {
  const match = BLK_CLASSIC.exec(line);
  if (match === null) return null;
  return { cpu: Number(match[2]), seconds: Number(match[3]), nanos: Number(match[4]), pid: Number(match[5]) };
}

const SYMBOL: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x80 && /[\w.$]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
const PLUS = 0x2b;

/**
 * Where the text behind `symbol: ` begins, for a symbol as the options sym-offset and sym-addr and modules make it:
 * `func+0x91/0x170 [module] <ffffffff814aa241>: `, each part optional; -1 for anything else.
 */
export function afterSymbol(buffer: Uint8Array, begin: number, end: number): number {
  let at = begin;
  while (at < end && SYMBOL[buffer[at] as number] === 1) at++;
  if (at === begin || isDigit(buffer[begin] as number)) return -1;
  if (buffer[at] === PLUS) {
    at++;
    while (at < end && (isHexDigit(buffer[at] as number) || buffer[at] === 0x78 || buffer[at] === SLASH)) at++;
  }
  for (const [open, close] of [
    [OPEN_BRACKET, 0x5d],
    [LESS, 0x3e],
  ] as const) {
    if (buffer[at] !== SPACE || buffer[at + 1] !== open) continue;
    const limit = Math.min(end, at + 80);
    at += 2;
    while (at < limit && buffer[at] !== close && buffer[at] !== SPACE) at++;
    if (at >= limit || buffer[at] !== close) return -1;
    at++;
  }
  if (at >= end || buffer[at] !== COLON) return -1;
  if (at + 1 === end) return end;
  return buffer[at + 1] === SPACE ? at + 2 : -1;
}
