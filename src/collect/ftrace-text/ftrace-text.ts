/**
 * Reads what the kernel prints as `trace` and `trace_pipe`, in every layout: the columns of the nop tracer, those of
 * function_graph, the field list of a previous boot's ring, and trace-cmd's report. The file is streamed through one
 * buffer, so that memory does not grow with it.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { StringTable } from "../../base/bytes/string-table.js";
import type { DefectInput } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { EventSink, EventSource, ReadCounts, TraceClock } from "../../model/collected.js";
import type { RecordFilter } from "../../model/trace-file.js";
import { CARRIAGE_RETURN, SLASH, STAR, startsWith, trimRight } from "../files/bytes.js";
import { MAX_LINE_BYTES, scanLines } from "../files/line-blocks.js";
import { Line, LineParser } from "./line-parser.js";
import { RowFilter } from "./row-filter.js";
import { Rows } from "./rows.js";
import { Shape } from "./shape.js";

export interface FtraceTextInput {
  readonly boot: Boot;
  readonly source: ByteSource;
  readonly clock: TraceClock;
  /** Names from the capture's event formats (`sched_switch`, `sys_enter_ioctl`, probes), where they are known. */
  readonly eventNames: ReadonlySet<string> | null;
  /** What the text of markers begins with; "luo:" and "clock:" unless given. */
  readonly markerPrefixes?: readonly string[];
  /** Lines of events that it does not want give no row, and count as structural; all are wanted unless given. */
  readonly filter?: RecordFilter | undefined;
  /** How much is read at a time, in bytes; 1 MiB unless given. The rows do not depend on it. */
  readonly blockBytes?: number;
}

/**
 * A marker, a message and a stack lie in one sub-buffer, 64 KiB on hosts of such pages: what goes on for longer is
 * damage.
 */
const MAX_OPEN_BYTES = 64 * 1024;
/**
 * A time column, or bytes that no text holds: a damaged event line of this layout or of another, not a marker's rest.
 */
const FOREIGN =
  /-\d{1,9} .{0,40}(?:\d{1,11}\.\d{6}(?:\d{3})?|\d{9,20}): |\d\.\d{6}: [\w.]+:|[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]/;
/** How much of a line is looked at: a header is no longer. */
const FOREIGN_BYTES = 256;
const BLOCK_BYTES = 1024 * 1024;
/** Of each code so many defects are told one by one; all further ones are told as one, with their number. */
const MAX_TOLD = 100;
/**
 * Some entries print no line (of 3,641 of a recording 19 did not): fewer than this share of the header's count is a
 * loss.
 */
const LEAST_PRINTED = 0.95;
const MARKER_PREFIXES = ["luo:", "clock:"];
const STACK_CALLER = new TextEncoder().encode(" => ");

/**
 * The events of one ftrace text file. Times are counts of `clock`: `SEC.FRACTION` is read as nanoseconds (a
 * function_graph trace on x86-tsc prints the TSC's count as if it were nanoseconds, so the same formula gives the
 * count, cut to a multiple of 1000), an integer as it is. `base` is the first event's count. Rows of a function-graph
 * trace that shows no absolute time have the time NaN, and one defect (`text-no-time`) says how many they are.
 *
 * Every line is counted as one of event (one row each), continuation, structural, undecoded. Defects: `text-undecoded`,
 * `text-lost-events`, `text-nameless-event`, `text-no-time`, `text-names-dropped`,
 * `text-incomplete`.
 */
export function ftraceTextSource(input: FtraceTextInput): EventSource {
  return {
    boot: input.boot,
    dialect: "ftrace-text",
    files: [input.source.name],
    clock: input.clock,
    read: (sink) => readText(input, sink),
  };
}

/** Tells the first defects of a code one by one, and the rest at the end as one. */
class DefectTeller {
  readonly #seen = new Map<string, { told: number; more: number; first: DefectInput | null }>();
  constructor(readonly sink: EventSink) {}

  tell(code: string, count: number, make: () => DefectInput): void {
    let seen = this.#seen.get(code);
    if (seen === undefined) {
      seen = { told: 0, more: 0, first: null };
      this.#seen.set(code, seen);
    }
    if (seen.told < MAX_TOLD) {
      seen.told += 1;
      this.sink.defect(make());
    } else {
      seen.more += count;
      seen.first ??= make();
    }
  }

  finish(): void {
    for (const { more, first } of this.#seen.values()) {
      if (first === null) continue;
      this.sink.defect({
        ...first,
        count: more,
        message: more === 1 ? first.message : `${more} more of the same, the first: ${first.message}`,
      });
    }
  }
}

function readText(input: FtraceTextInput, sink: EventSink): ReadCounts {
  const { boot, source } = input;
  const file = source.name;
  const block = Math.max(1, input.blockBytes ?? BLOCK_BYTES);
  const buffer = Buffer.alloc(block + MAX_OPEN_BYTES + MAX_LINE_BYTES + 2);
  const strings = new StringTable();
  const parser = new LineParser(strings, {
    eventNames: input.eventNames !== null && input.eventNames.size > 0 ? input.eventNames : null,
    markerPrefixes: input.markerPrefixes ?? MARKER_PREFIXES,
  });
  const rows = new Rows();
  const defects = new DefectTeller(sink);
  const tasks = new CurrentTasks();
  const filter = input.filter === undefined ? null : new RowFilter(input.filter, strings);

  let base = 0n;
  let baseHigh = -1;
  let baseLow = 0;
  let lastHigh = -1;
  let lastLow = 0;
  let events = 0;
  let continuations = 0;
  let structural = 0;
  let undecoded = 0;
  let lostEvents = 0;
  let untimed = 0;
  let line = 0;
  /** Lines that cannot be decoded belong to the event before them. */
  let continued = false;
  let openIsStack = false;
  let openIsComment = false;
  /** Where the open row's line begins; -1 where none is open, or where the filter has left it out. */
  let openAt = -1;
  /** How long the event is so far, with its further lines. */
  let openBytes = 0;

  const lastTime = (): bigint | null => (lastHigh < 0 ? null : BigInt(lastHigh) * 1_000_000_000n + BigInt(lastLow));

  const flush = (keep: 0 | 1, shift: number): void => {
    if (rows.count > keep) sink.chunk(rows.chunk(boot, file, base, strings, buffer, rows.count - keep));
    rows.drop(keep, shift);
  };

  const tellUndecoded = (begin: number, end: number, found: string): void => {
    undecoded += 1;
    continued = false;
    openAt = -1;
    const at = line;
    const time = parser.high >= 0 ? BigInt(parser.high) * 1_000_000_000n + BigInt(parser.low) : null;
    defects.tell("text-undecoded", 1, () => ({
      code: "text-undecoded",
      severity: "warning",
      file,
      boot,
      line: at,
      time,
      message: `${found}: ${escaped(buffer, begin, end)}. Expected ${EXPECTED[parser.layout]}.`,
      advice: "Compare the line with the kernel's own trace file; if it is whole there, the copy is damaged.",
    }));
  };

  const takeEvent = (begin: number, end: number): void => {
    openBytes = end - begin + 1;
    if (rows.full) flush(0, 0);
    if (parser.pid < 0 && parser.cpu >= 0) tasks.fill(parser);
    if (baseHigh < 0) {
      // One base for all chunks, even where the first event carries no time.
      baseHigh = Math.max(0, parser.high);
      baseLow = parser.high < 0 ? 0 : parser.low;
      base = BigInt(baseHigh) * 1_000_000_000n + BigInt(baseLow);
    }
    let time: number;
    if (parser.high < 0) {
      time = Number.NaN;
      untimed += 1;
    } else {
      time = (parser.high - baseHigh) * 1e9 + (parser.low - baseLow);
      lastHigh = parser.high;
      lastLow = parser.low;
    }
    if (parser.nameless > 0) {
      const at = line;
      const count = parser.nameless;
      const when = BigInt(parser.namelessHigh) * 1_000_000_000n + BigInt(parser.namelessLow);
      defects.tell("text-nameless-event", count, () => ({
        code: "text-nameless-event",
        severity: "warning",
        file,
        boot,
        line: at,
        time: parser.namelessHigh < 0 ? null : when,
        count,
        message: `${count === 1 ? "An event" : `${count} events`} printed without name or content: the kernel that printed the trace does not know what it is.`,
        advice: "Read the raw per-CPU pages with the formats of the kernel that recorded them.",
      }));
    }
    if (filter !== null && !filter.wants(parser)) {
      structural += 1;
      continued = parser.open;
      openIsStack = parser.shape === Shape.stack;
      openIsComment = parser.openComment;
      openAt = -1;
      return;
    }
    rows.add(parser, time, line);
    events += 1;
    continued = parser.open;
    openIsStack = parser.shape === Shape.stack;
    openIsComment = parser.openComment;
    openAt = continued ? begin : -1;
  };

  /** Counts a line as a part of the event before it; false where it cannot be one. */
  const continues = (begin: number, end: number): boolean => {
    if (!continued || (openIsStack && !startsWith(buffer, begin, end, STACK_CALLER))) return false;
    if (parser.headed || isForeign(buffer, begin, end)) return false;
    openBytes += end - begin + 1;
    if (openBytes > MAX_OPEN_BYTES) return false;
    continuations += 1;
    let to = end;
    if (openIsComment && end - begin >= 2 && buffer[end - 1] === SLASH && buffer[end - 2] === STAR) {
      to = trimRight(buffer, begin, end - 2);
      continued = false;
    }
    if (openAt >= 0) rows.extend(to);
    if (!continued) openAt = -1;
    return true;
  };

  const takeLine = (begin: number, newline: number): void => {
    line += 1;
    const end = newline > begin && buffer[newline - 1] === CARRIAGE_RETURN ? newline - 1 : newline;
    if (newline - begin > MAX_LINE_BYTES) {
      parser.high = -1;
      tellUndecoded(begin, end, `A line of more than ${MAX_LINE_BYTES} bytes`);
      return;
    }
    const found = parser.parse(buffer, begin, end, continued);
    switch (found) {
      case Line.event:
        takeEvent(begin, end);
        return;
      case Line.undecoded:
        if (!continues(begin, end)) tellUndecoded(begin, end, "A line that is no trace line");
        return;
      case Line.taskSwitch:
        tasks.set(parser);
        break;
      case Line.structural:
        break;
      case Line.lost: {
        lostEvents += parser.lost;
        const [at, cpu, lost, when] = [line, parser.cpu, parser.lost, lastTime()];
        defects.tell("text-lost-events", Math.max(1, lost), () => ({
          code: "text-lost-events",
          severity: "warning",
          file,
          boot,
          line: at,
          time: when,
          count: Math.max(1, lost),
          message: `CPU ${cpu} lost ${lost === 0 ? "an unknown number of" : lost} events here: they were overwritten before they were read.`,
          advice: "Record with a larger buffer (buffer_size_kb), or fewer events.",
        }));
      }
    }
    structural += 1;
    continued = false;
    openAt = -1;
  };

  scanLines({
    ...{ source, buffer, block, takeLine },
    blockEnds(at) {
      const from = openAt >= 0 ? openAt : at;
      flush(openAt >= 0 ? 1 : 0, from);
      if (openAt >= 0) openAt = 0;
      return from;
    },
  });
  flush(0, 0);

  if (untimed > 0) {
    sink.defect({
      code: "text-no-time",
      severity: "error",
      file,
      boot,
      count: untimed,
      message: `${untimed} events carry no time: function_graph was printed without its TIME column.`,
      advice: "Set options/funcgraph-abstime before reading the trace, or collect the raw per-CPU pages.",
    });
  }
  if (parser.names.refused > 0) {
    sink.defect({
      code: "text-names-dropped",
      severity: "warning",
      file,
      boot,
      count: parser.names.refused,
      message: `${parser.names.refused} task or event names were left out: the file holds more different names than any host has.`,
      advice: "Check that the file is a trace and whole.",
    });
  }
  const { entries } = parser;
  const found = events + undecoded;
  if (filter === null && entries !== null && found < entries * LEAST_PRINTED) {
    sink.defect({
      code: "text-incomplete",
      severity: "warning",
      file,
      boot,
      count: entries - found,
      message: `The header says that the buffer held ${entries} entries, but the text holds ${found} events.`,
      advice: "Copy the trace file again and whole, or collect the raw per-CPU pages.",
    });
  }
  defects.finish();
  return { lines: line, events, continuations, structural, undecoded, lostEvents };
}

/** Whether a line that cannot be decoded looks like anything but the rest of a marker or a message. */
function isForeign(buffer: Buffer, begin: number, end: number): boolean {
  return FOREIGN.test(buffer.toString("latin1", begin, Math.min(end, begin + FOREIGN_BYTES)));
}

/** Which task each CPU runs, where function_graph says so only when it changes. */
class CurrentTasks {
  readonly #pid = new Map<number, number>();
  readonly #comm = new Map<number, number>();

  set(parser: LineParser): void {
    this.#pid.set(parser.cpu, parser.pid);
    this.#comm.set(parser.cpu, parser.comm);
  }

  fill(parser: LineParser): void {
    parser.pid = this.#pid.get(parser.cpu) ?? -1;
    parser.comm = this.#comm.get(parser.cpu) ?? 0;
  }
}

const EXPECTED = {
  unknown: "`TASK-PID [CPU] FLAGS TIMESTAMP: event: …` or a function_graph line",
  columns: "`TASK-PID [CPU] FLAGS TIMESTAMP: event: …`",
  graph: "a function_graph line: `TIME | CPU) TASK-PID | DURATION | func() {`, `}`, `func();` or `/* event: … */`",
} as const;

/** The first 120 characters of a line, with control characters and backslashes escaped, in quotes. */
function escaped(buffer: Buffer, begin: number, end: number): string {
  const text = buffer.toString("utf8", begin, Math.min(end, begin + 480));
  const shown = [...text].slice(0, 120).join("");
  return `${JSON.stringify(shown)}${shown.length < text.length || end - begin > 480 ? "…" : ""}`;
}
