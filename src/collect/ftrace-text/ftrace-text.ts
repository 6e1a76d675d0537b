/**
 * Reads what the kernel prints as `trace` and `trace_pipe`, in every layout: the columns of the nop tracer, those of
 * function_graph, the field list of a previous boot's ring, and trace-cmd's report. The file is streamed through one
 * buffer, so that memory does not grow with it.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { StringTable } from "../../base/bytes/string-table.js";
import { type DefectInput, DefectLog } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { EventSink, EventSource, ReadCounts, TraceClock } from "../../model/collected.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { CARRIAGE_RETURN, SLASH, STAR, skipSpaces, startsWith, trimRight } from "../files/bytes.js";
import { MAX_LINE_BYTES, scanLines } from "../files/line-blocks.js";
import { Line, LineParser } from "./line-parser.js";
import { RowFilter } from "./row-filter.js";
import { Rows } from "./rows.js";
import { Shape } from "./shape.js";
import { TaskNames } from "./task-names.js";

export interface FtraceTextInput {
  readonly boot: Boot;
  readonly source: ByteSource;
  readonly clock: TraceClock;
  /** Names from the capture's event formats (`sched_switch`, `sys_enter_ioctl`, probes), if they are known. */
  readonly eventNames: ReadonlySet<string> | null;
  /** What the text of markers begins with; "luo:" and "clock:" unless given. */
  readonly markerPrefixes?: readonly string[];
  /** Lines of events that it does not want give no row, and count as structural; all are wanted unless given. */
  readonly filter?: RecordFilter | undefined;
  /** Lines before the trace that are something else, such as a page's styles; 0 unless given. */
  readonly linesBefore?: number;
  /** How much is read at a time, in bytes; 1 MiB unless given. The rows do not depend on it. */
  readonly blockBytes?: number;
}

/** A marker, a message and a stack lie in one sub-buffer, at most 64 KiB: what goes on for longer is damage. */
const MAX_OPEN_BYTES = 64 * 1024;
/** A time column, or bytes that no text holds: a damaged event line of any layout, not a marker's rest. */
const FOREIGN =
  /-\d{1,9} .{0,40}(?:\d{1,11}\.\d{6}(?:\d{3})?|\d{9,20}): |\d\.\d{6}: [\w.]+:|[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]/;
/** How much of a line is looked at: a header is no longer. */
const FOREIGN_BYTES = 256;
const BLOCK_BYTES = 1024 * 1024;
/** Some entries print no line (19 of 3,641 in a recording): below this share of the header's count events are lost. */
const LEAST_PRINTED = 0.95;
const MARKER_PREFIXES = ["luo:", "clock:"];
const STACK_CALLER = new TextEncoder().encode("=> ");

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
    read: (sink) => new TextReader(input, sink).read(),
  };
}

/** Reads one file, line by line. */
class TextReader {
  readonly #input: FtraceTextInput;
  readonly #sink: EventSink;
  readonly #file: string;
  readonly #block: number;
  readonly #buffer: Buffer;
  readonly #strings = new StringTable();
  readonly #parser: LineParser;
  readonly #rows = new Rows();
  readonly #defects: DefectLog;
  readonly #tasks = new CurrentTasks();
  readonly #taskNames: TaskNames;
  readonly #filter: RowFilter | null;
  readonly #counts = { lines: 0, events: 0, continuations: 0, structural: 0, undecoded: 0, lostEvents: 0 };
  #untimed = 0;
  /** The first event's time: seconds (-1: none yet), nanoseconds of the second, and both together. */
  #baseHigh = -1;
  #baseLow = 0;
  #base = 0n;
  /** Of the last event that has a time, in two parts alike. */
  #lastHigh = -1;
  #lastLow = 0;
  /** Lines that cannot be decoded belong to the event before them. */
  #continued = false;
  #openIsStack = false;
  readonly #linesBefore: number;
  /** The page that holds the trace goes on. */
  #isAfter = false;
  #openIsComment = false;
  /** Its strings may hold any byte. */
  #openIsEvent = false;
  /** Where the open row's line begins; -1 if none is open, or if the filter has left it out. */
  #openAt = -1;
  /** How long the event is so far, with its further lines. */
  #openBytes = 0;

  constructor(input: FtraceTextInput, sink: EventSink) {
    this.#input = input;
    this.#sink = sink;
    this.#file = input.source.name;
    this.#linesBefore = input.linesBefore ?? 0;
    this.#block = Math.max(1, input.blockBytes ?? BLOCK_BYTES);
    this.#buffer = Buffer.alloc(this.#block + MAX_OPEN_BYTES + MAX_LINE_BYTES + 2);
    this.#parser = new LineParser(this.#strings, {
      eventNames: input.eventNames !== null && input.eventNames.size > 0 ? input.eventNames : null,
      markerPrefixes: input.markerPrefixes ?? MARKER_PREFIXES,
    });
    this.#taskNames = new TaskNames(this.#parser.names);
    this.#defects = new DefectLog(sink);
    this.#filter = input.filter === undefined ? null : new RowFilter(input.filter, this.#strings);
  }

  read(): ReadCounts {
    scanLines({
      source: this.#input.source,
      buffer: this.#buffer,
      block: this.#block,
      takeLine: (begin, newline) => this.#takeLine(begin, newline),
      blockEnds: (at) => this.#blockEnds(at),
    });
    this.#flush(0, 0);
    this.#reportWhole();
    this.#defects.finish();
    return this.#counts;
  }

  /** Hands on the rows, but for the open one, whose line moves to the buffer's begin. */
  #blockEnds(at: number): number {
    const isOpen = this.#openAt >= 0;
    const from = isOpen ? this.#openAt : at;
    this.#flush(isOpen ? 1 : 0, from);
    if (isOpen) this.#openAt = 0;
    return from;
  }

  #flush(keep: 0 | 1, shift: number): void {
    const rows = this.#rows;
    const { boot } = this.#input;
    if (rows.count > keep) {
      this.#sink.chunk(rows.chunk(boot, this.#file, this.#base, this.#strings, this.#buffer, rows.count - keep));
    }
    rows.drop(keep, shift);
  }

  #takeLine(lineBegin: number, newline: number): void {
    let begin = lineBegin;
    this.#counts.lines += 1;
    const buffer = this.#buffer;
    let end = newline;
    while (end > begin && buffer[end - 1] === CARRIAGE_RETURN) end--;
    if (this.#counts.lines === 1 && startsWith(buffer, begin, end, BYTE_ORDER_MARK)) begin += BYTE_ORDER_MARK.length;
    if (this.#isOutside(begin, end)) {
      this.#counts.structural += 1;
      return;
    }
    if (newline - begin > MAX_LINE_BYTES) {
      this.#parser.high = -1;
      this.#undecoded(begin, end, `A line of more than ${MAX_LINE_BYTES} bytes`);
      return;
    }
    switch (this.#parser.parse(buffer, begin, end, this.#continued)) {
      case Line.event:
        this.#takeEvent(begin, end);
        return;
      case Line.undecoded:
        if (!this.#continues(begin, end)) this.#undecoded(begin, end, "A line that is not a trace line");
        return;
      case Line.taskSwitch:
        this.#tasks.set(this.#parser);
        break;
      case Line.structural:
        break;
      case Line.lost:
        this.#takeLost();
    }
    this.#counts.structural += 1;
    this.#continued = false;
    this.#openAt = -1;
  }

  /** Whether a line is of what the trace is embedded in: Android's systrace puts it into an HTML page. */
  #isOutside(begin: number, end: number): boolean {
    if (this.#linesBefore === 0) return false;
    if (this.#counts.lines <= this.#linesBefore) return true;
    if (startsWith(this.#buffer, begin, end, SCRIPT_END)) this.#isAfter = true;
    else if (this.#isAfter && startsWith(this.#buffer, begin, end, TRACER)) this.#isAfter = false;
    return this.#isAfter;
  }

  #takeEvent(begin: number, end: number): void {
    const parser = this.#parser;
    this.#openBytes = end - begin + 1;
    if (this.#rows.full) this.#flush(0, 0);
    if (parser.pid < 0 && parser.cpu >= 0) this.#tasks.fill(parser);
    if (parser.shape === Shape.arguments) {
      this.#taskNames.learn(parser.name, this.#buffer, parser.begin, parser.end);
    }
    parser.comm = this.#taskNames.nameOf(parser.pid, parser.comm);
    const time = this.#timeOfEvent();
    if (parser.nameless > 0) this.#takeNameless();
    const isWanted = this.#filter === null || this.#filter.wants(parser);
    if (isWanted) {
      this.#rows.add(parser, time, this.#counts.lines);
      this.#counts.events += 1;
    } else this.#counts.structural += 1;
    this.#continued = parser.open;
    this.#openIsStack = parser.shape === Shape.stack;
    this.#openIsComment = parser.openComment;
    this.#openIsEvent = parser.shape === Shape.arguments;
    this.#openAt = isWanted && this.#continued ? begin : -1;
  }

  /** Counts since the base; NaN without a time. */
  #timeOfEvent(): number {
    const { high, low, negative } = this.#parser;
    if (this.#baseHigh < 0) {
      // One base for all chunks, even if the first event carries no time, or one before zero.
      this.#baseHigh = negative ? 0 : Math.max(0, high);
      this.#baseLow = high < 0 || negative ? 0 : low;
      this.#base = nanoseconds(this.#baseHigh, this.#baseLow);
    }
    if (high < 0) {
      this.#untimed += 1;
      return Number.NaN;
    }
    if (negative) return -(high + this.#baseHigh) * 1e9 - (low + this.#baseLow);
    this.#lastHigh = high;
    this.#lastLow = low;
    return (high - this.#baseHigh) * 1e9 + (low - this.#baseLow);
  }

  /** Counts a line as a part of the event before it; false if it cannot be one. */
  #continues(begin: number, end: number): boolean {
    const buffer = this.#buffer;
    if (!this.#continued || (this.#openIsStack && !isCaller(buffer, begin, end))) return false;
    if (this.#parser.headed || (!this.#openIsEvent && isForeign(buffer, begin, end))) return false;
    this.#openBytes += end - begin + 1;
    if (this.#openBytes > MAX_OPEN_BYTES) return false;
    this.#counts.continuations += 1;
    let to = end;
    if (this.#openIsComment && end - begin >= 2 && buffer[end - 1] === SLASH && buffer[end - 2] === STAR) {
      to = trimRight(buffer, begin, end - 2);
      this.#continued = false;
    }
    if (this.#openAt >= 0) this.#rows.extend(to);
    if (!this.#continued) this.#openAt = -1;
    return true;
  }

  #undecoded(begin: number, end: number, found: string): void {
    this.#counts.undecoded += 1;
    this.#continued = false;
    this.#openAt = -1;
    const { high, low, layout } = this.#parser;
    this.#report(1, high >= 0 ? nanoseconds(high, low) : null, "text-undecoded", () => ({
      code: "text-undecoded",
      severity: "warning",
      message: `${found}: ${escaped(this.#buffer, begin, end)}. Expected ${EXPECTED[layout]}.`,
      advice: "Compare the line with the kernel's own trace file; if it is whole there, the copy is damaged.",
    }));
  }

  #takeNameless(): void {
    const { nameless, namelessHigh, namelessLow } = this.#parser;
    const time = namelessHigh < 0 ? null : nanoseconds(namelessHigh, namelessLow);
    this.#report(nameless, time, "text-nameless-event", () => ({
      code: "text-nameless-event",
      severity: "warning",
      message: `${nameless === 1 ? "An event" : `${nameless} events`} printed without name or content: the kernel that printed the trace does not know what it is.`,
      advice: "Read the raw per-CPU pages with the formats of the kernel that recorded them.",
    }));
  }

  #takeLost(): void {
    const { cpu, lost } = this.#parser;
    this.#counts.lostEvents += lost;
    const time = this.#lastHigh < 0 ? null : nanoseconds(this.#lastHigh, this.#lastLow);
    this.#report(Math.max(1, lost), time, "text-lost-events", () => ({
      code: "text-lost-events",
      severity: "warning",
      message: `CPU ${cpu} lost ${lost === 0 ? "an unknown number of" : lost} events here: they were overwritten before they were read.`,
      advice: "Record with a larger buffer (buffer_size_kb), or fewer events.",
    }));
  }

  /** A defect of the current line; `make` is called only if its text is needed. */
  #report(
    count: number,
    time: bigint | null,
    code: string,
    make: () => Pick<DefectInput, "code" | "severity" | "message" | "advice">,
  ): void {
    const { boot } = this.#input;
    const line = this.#counts.lines;
    this.#defects.addOf(code, this.#file, count, () => ({ file: this.#file, boot, line, time, count, ...make() }));
  }

  /** What the text as a whole lacks. */
  #reportWhole(): void {
    const { boot } = this.#input;
    const place = { file: this.#file, boot };
    if (this.#linesBefore > 0) {
      this.#sink.defect({
        code: "text-preamble",
        severity: "note",
        ...place,
        count: this.#linesBefore,
        message: `The first ${this.#linesBefore} lines are not of a trace; they are left out.`,
        advice: "Nothing, if the trace was put into a page or a log.",
      });
    }
    const { names, entries } = this.#parser;
    if (this.#untimed > 0) {
      this.#sink.defect({
        code: "text-no-time",
        severity: "error",
        ...place,
        count: this.#untimed,
        message: `${this.#untimed} events carry no time: function_graph was printed without its TIME column.`,
        advice: "Set options/funcgraph-abstime before reading the trace, or collect the raw per-CPU pages.",
      });
    }
    if (names.refused > 0) {
      this.#sink.defect({
        code: "text-names-dropped",
        severity: "warning",
        ...place,
        count: names.refused,
        message: `${names.refused} task or event names were left out: the file holds more different names than any host has.`,
        advice: "Check that the file is a trace and whole.",
      });
    }
    const found = this.#counts.events + this.#counts.undecoded;
    if (this.#filter === null && entries !== null && found < entries * LEAST_PRINTED) {
      this.#sink.defect({
        code: "text-incomplete",
        severity: "warning",
        ...place,
        count: entries - found,
        message: `The header says that the buffer held ${entries} entries, but the text holds ${found} events.`,
        advice: "Copy the trace file again and whole, or collect the raw per-CPU pages.",
      });
    }
  }
}

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);
const SCRIPT_END = new TextEncoder().encode("</script");
const TRACER = new TextEncoder().encode("# tracer: ");

/** ` => func`; trace-cmd's report prints `=> func (address)`. */
function isCaller(buffer: Buffer, begin: number, end: number): boolean {
  return startsWith(buffer, skipSpaces(buffer, begin, end), end, STACK_CALLER);
}

/** Whether a line that cannot be decoded looks like anything but the rest of a marker or a message. */
function isForeign(buffer: Buffer, begin: number, end: number): boolean {
  return FOREIGN.test(buffer.toString("latin1", begin, Math.min(end, begin + FOREIGN_BYTES)));
}

const nanoseconds = (seconds: number, nanos: number): bigint => BigInt(seconds) * 1_000_000_000n + BigInt(nanos);

/** Which task each CPU runs, which function_graph prints only when it changes. */
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
