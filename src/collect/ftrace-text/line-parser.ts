/**
 * Reads one line of ftrace text from its bytes. Sources of the formats: trace_print_context and trace_print_time in
 * kernel/trace/trace_output.c, kernel/trace/trace_functions_graph.c, Documentation/trace/ftrace.rst, trace-report.c of
 * trace-cmd. It keeps no line and makes no string: `parse` leaves what it found in the parser's own members.
 */
import type { StringTable } from "../../base/bytes/string-table.js";
import { EventKind } from "../../model/collected.js";
import { areOfInterrupt } from "../../model/traces/record-flags.js";
import {
  bytesOf,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  CLOSE_PAREN,
  COLON,
  DOT,
  find,
  HASH,
  IDENTIFIER,
  isDigit,
  isHexDigit,
  LESS,
  MINUS,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  OPEN_PAREN,
  PIPE,
  SEMICOLON,
  SLASH,
  SPACE,
  STAR,
  skipSpaces,
  startsWith,
  TAB,
  trimRight,
  ZERO,
} from "../files/bytes.js";
import { EventWords, Word } from "./event-words.js";
import {
  entriesOf,
  type GraphColumns,
  graphColumns,
  lostEvents,
  MAX_NOTICE,
  reportNotice,
  tracerOf,
} from "./header-lines.js";
import {
  afterInstance,
  decode,
  endsInString,
  isFunction,
  isProbe,
  isRule,
  isSyscall,
  MAX_HEADER,
  MAX_NAME,
  withoutRemarks,
} from "./lexemes.js";
import { NameCache } from "./name-cache.js";
import { Shape } from "./shape.js";
import { afterSymbol, blkHeader, tracerEventOf } from "./tracer-lines.js";

/** What a line is. */
export const Line = {
  undecoded: 0,
  event: 1,
  /** Header, separator, irq mark. */
  structural: 2,
  /** `CPU:n [LOST k EVENTS]`. */
  lost: 3,
  /** Function graph: ` 0)  old-1  =>  new-2`. */
  taskSwitch: 4,
} as const;
export type Line = (typeof Line)[keyof typeof Line];

/** Which lines the file holds, if that is known: from its header, or from the first line that could be decoded. */
export type Layout = "unknown" | "columns" | "graph";

export interface ParserOptions {
  /** Names of the capture's event formats, if known: any other word before a colon is a marker's. */
  readonly eventNames: ReadonlySet<string> | null;
  /** What markers begin with, if the formats are not known. */
  readonly markerPrefixes: readonly string[];
}

const BUFFER_STARTED = bytesOf("##### CPU ");
const RETURNS = bytesOf(" -> ");
const CALLED_FROM = bytesOf(" <-");
const SWITCHES_TO = bytesOf(" => ");
const COMMENT_OPEN = bytesOf("/*");
const COMMENT_CLOSE = bytesOf("*/");
const BUF = bytesOf(" buf:");
const STACK = bytesOf("<stack trace>");
const USER_STACK = bytesOf("<user stack trace>");
const NO_FIELDS = bytesOf("No fields found");
const IRQ_ENTRY = bytesOf("==========>");
const IRQ_EXIT = bytesOf("<==========");
const MICROSECONDS = bytesOf(" us");

/** Column where `%16s-%-7d` puts the dash. */
const DASH_COLUMN = 16;
/** Digits of a stamp above its last nine; 20 digits hold a 64-bit count. */
const MAX_STAMP_DIGITS = 21;
/** CPUs that fit the cpu column; NR_CPUS is at most 8192. */
const MAX_CPU = 0x7fff;
/** One line may hold a few events, where those before the last print nothing at all. */
const MAX_NESTED = 16;

/** `# irqsoff latency trace v1.1.5 on 7.3.4` */
const LATENCY_TITLE = /^# \w+ latency trace v\d/;
/** `  comm-pid  0d.s2.  12us+: ` (lat_print_generic and print_lat_fmt in trace_output.c); counters print no unit. */
const LATENCY_HEADER = /^( *)([^ ].{0,14}?)-(\d{1,9}) +(\d{1,4})([^\s\d]\S{3,7}) +(\d{1,20})(?:us[ +!#*@$]?)?: /;
/** The option verbose: `  comm  pid  cpu flags count index [stamp] 12.345ms (+0.001ms): `. */
const VERBOSE_HEADER =
  /^( *)(\S.{0,14}?) +(\d{1,9}) +(\d{1,4}) (\d{1,5}) [0-9a-f]{1,8} [0-9a-f]{1,16} \[[0-9a-f]{8,16}\] (\d{1,12})\.(\d{3})ms \(\+\d{1,12}\.\d{3}ms\): /;

/** Of the latency columns: hard, soft, both at once, and NMI, with or without an interrupt below it. */
const isInterruptFlag = (byte: number): boolean =>
  byte === 0x68 || byte === 0x48 || byte === 0x73 || byte === 0x7a || byte === 0x5a;

export class LineParser {
  readonly names: NameCache;
  layout: Layout = "unknown";
  columns: GraphColumns | null = null;
  traceCmd = false;
  /** How many entries the buffer held according to the header; null if it does not state it. */
  entries: number | null = null;

  /** The stamp is `high * 1e9 + low` counts; high is -1 if the line has none. */
  high = -1;
  low = 0;
  /** The stamp is one before zero. */
  negative = false;
  cpu = -1;
  pid = -1;
  comm = 0;
  name = 0;
  kind: EventKind = EventKind.event;
  shape: Shape = Shape.arguments;
  /** Payload: [begin, end) in the buffer. */
  begin = 0;
  end = 0;
  /** The latency columns show an interrupt: h or H hard, s soft, z or Z NMI (kernel/trace/trace_output.c). */
  inInterrupt = false;
  depth = 0;
  /** Function-graph duration column; both 0 if there is none. */
  durationBegin = 0;
  durationEnd = 0;
  /** Whether lines that cannot be decoded may belong to this one: a marker or a kernel message with a newline in it. */
  open = false;
  /** Whether the line has a whole `TASK-PID [CPU] FLAGS TIME:` header: then it is an event's own, whatever follows. */
  headed = false;
  /** A function-graph comment that is closed by the last of its lines. */
  openComment = false;
  /** Events before this one on the same line that print nothing; each is a hole. */
  nameless = 0;
  /** The stamp of the first of them, as high and low. */
  namelessHigh = -1;
  namelessLow = 0;
  /** How many events a `LOST` line counts; 0 if it does not state it. */
  lost = 0;

  /** The file is one of a latency tracer. */
  #latency = false;
  readonly #words: EventWords;
  readonly #prefixes: readonly Uint8Array[];
  readonly #print: number;
  readonly #raw: number;
  readonly #entry: number;
  readonly #exit: number;
  readonly #function: number;
  readonly #stack: number;
  readonly #userStack: number;
  /** The tracer that the header names, for lines of its own form; 0 if they are prints. */
  #tracer = 0;

  constructor(
    readonly strings: StringTable,
    options: ParserOptions,
  ) {
    this.names = new NameCache(strings);
    this.#words = new EventWords(this.names, options.eventNames);
    this.#prefixes = options.markerPrefixes.map(bytesOf);
    this.#print = strings.idOf("print");
    this.#raw = strings.idOf("raw_data");
    this.#entry = strings.idOf("funcgraph_entry");
    this.#exit = strings.idOf("funcgraph_exit");
    this.#function = strings.idOf("function");
    this.#stack = strings.idOf("kernel_stack");
    this.#userStack = strings.idOf("user_stack");
  }

  /**
   * Reads the line in [begin, end), which has no newline in it. `continued`: the line before it may go on here, so
   * that a line that is not of the file's own layout is not tried as anything else.
   */
  parse(buffer: Uint8Array, begin: number, end: number, continued: boolean): Line {
    this.headed = false;
    this.negative = false;
    this.inInterrupt = false;
    if (this.layout !== "graph") {
      if (this.#header(buffer, begin, end)) {
        if (this.layout === "unknown") this.layout = "columns";
        this.headed = true;
        return this.#columnsPayload(buffer, end);
      }
      this.high = -1;
    }
    const first = buffer[begin] as number;
    if (begin === end) return continued ? Line.undecoded : Line.structural;
    if (first === HASH) return this.#hash(buffer, begin, end, continued);
    if (first === 0x43 && this.#lost(buffer, begin, end)) return Line.lost;
    if (this.layout !== "columns") {
      const found = this.#graph(buffer, begin, end);
      if (found !== Line.undecoded) {
        this.layout = "graph";
        return found;
      }
    }
    if (this.#report(buffer, begin, end)) return Line.structural;
    if (this.layout !== "graph" && this.#blkClassic(buffer, begin, end)) return Line.event;
    if (trimRight(buffer, begin, end) === begin) return continued ? Line.undecoded : Line.structural;
    if (continued) return Line.undecoded;
    if (this.layout === "graph" && this.#header(buffer, begin, end)) return this.#columnsPayload(buffer, end);
    if (this.layout === "columns") return this.#graph(buffer, begin, end);
    return Line.undecoded;
  }

  // ---- lines that hold no event ----

  #hash(buffer: Uint8Array, begin: number, end: number, continued: boolean): Line {
    // Inside the trace the kernel itself prints one line of this kind only; a marker may hold any.
    if (continued && !startsWith(buffer, begin, end, BUFFER_STARTED)) return Line.undecoded;
    const header = decode(buffer, begin, Math.min(end, begin + MAX_HEADER));
    this.entries ??= entriesOf(header);
    if (LATENCY_TITLE.test(header)) this.#latency = true;
    const tracer = tracerOf(header);
    if (tracer !== null) {
      this.#tracer = PRINTING.has(tracer) ? 0 : this.strings.idOf(tracer);
      this.layout = tracer === "function_graph" ? "graph" : "columns";
      this.columns = null;
    } else if (this.columns === null) {
      // A latency tracer's header with the option display-graph has these columns too.
      this.columns = graphColumns(header);
      if (this.columns !== null) this.layout = "graph";
    }
    return Line.structural;
  }

  #lost(buffer: Uint8Array, begin: number, end: number): boolean {
    const found = end - begin > MAX_NOTICE ? null : lostEvents(decode(buffer, begin, end));
    if (found === null) return false;
    this.cpu = Math.min(found.cpu, MAX_CPU);
    this.lost = found.count;
    return true;
  }

  #report(buffer: Uint8Array, begin: number, end: number): boolean {
    const notice = end - begin > MAX_NOTICE ? null : reportNotice(decode(buffer, begin, end));
    if (notice === "cpus") {
      this.traceCmd = true;
      if (this.layout === "unknown") this.layout = "columns";
    }
    return notice !== null;
  }

  // ---- TASK-PID [CPU] FLAGS TIMESTAMP: ----

  #header(buffer: Uint8Array, begin: number, end: number): boolean {
    if (this.#latency && this.#latencyHeader(buffer, begin, end)) return true;
    if (this.#standardHeader(buffer, begin, end)) return true;
    // trace_pipe prints no header, with latency-format neither.
    if (this.#latency || this.layout !== "unknown" || !this.#latencyHeader(buffer, begin, end)) return false;
    this.#latency = true;
    return true;
  }

  #standardHeader(buffer: Uint8Array, begin: number, end: number): boolean {
    const dash = begin + DASH_COLUMN;
    if (dash + 1 < end && buffer[dash] === MINUS && this.#headerAt(buffer, begin, dash, end)) return true;
    // A name longer than the column, or another program's columns: the first dash that a whole header follows.
    const limit = Math.min(end, begin + MAX_HEADER);
    for (let at = begin + 1; at < limit; at++) {
      if (buffer[at] === MINUS && this.#headerAt(buffer, begin, at, end)) return true;
    }
    return false;
  }

  /**
   * A latency tracer's own columns: ` <idle>-0 0d.s2. 0us+: `, the name cut to eight characters, the time in
   * microseconds since the latency began (trace_print_lat_context). Such a file has one latency: speed does not matter.
   */
  #latencyHeader(buffer: Uint8Array, begin: number, end: number): boolean {
    const head = Buffer.from(buffer.buffer, buffer.byteOffset + begin, Math.min(end - begin, MAX_HEADER));
    const text = head.toString("latin1");
    const match = LATENCY_HEADER.exec(text) ?? VERBOSE_HEADER.exec(text);
    if (match === null) return false;
    const [columns, before = "", name = "", pid, cpu, flags = "", time = "", thousandths] = match;
    this.comm = this.names.idOf(buffer, begin + before.length, begin + before.length + name.length);
    this.pid = Number(pid);
    this.cpu = Number(cpu);
    // The option verbose prints the flags as a number.
    this.inInterrupt = thousandths === undefined ? /[hHszZ]/.test(flags) : areOfInterrupt(Number(flags));
    const us = thousandths === undefined ? BigInt(time) : BigInt(time) * 1_000n + BigInt(thousandths);
    // A counter's clock prints no unit.
    const counts = columns.includes("us") || thousandths !== undefined ? us * 1_000n : us;
    this.high = Number(counts / 1_000_000_000n);
    this.low = Number(counts % 1_000_000_000n);
    this.begin = begin + columns.length;
    return true;
  }

  /** A line of the blk tracer with the option blk_classic: its own columns instead of the usual ones. */
  #blkClassic(buffer: Uint8Array, begin: number, end: number): boolean {
    const at = skipSpaces(buffer, begin, end);
    if (!isDigit(buffer[at] as number) || end - begin > MAX_HEADER) return false;
    const found = blkHeader(decode(buffer, begin, end));
    if (found === null) return false;
    this.high = found.seconds;
    this.low = found.nanos;
    this.cpu = found.cpu;
    this.pid = found.pid;
    this.comm = 0;
    this.nameless = 0;
    this.durationBegin = this.durationEnd = this.depth = 0;
    this.open = this.openComment = false;
    this.headed = true;
    if (this.layout === "unknown") this.layout = "columns";
    return this.#set(EventKind.event, Shape.sample, this.strings.idOf("blk"), begin, end);
  }

  #headerAt(buffer: Uint8Array, begin: number, dash: number, end: number): boolean {
    let at = dash + 1;
    let byte = buffer[at] as number;
    if (byte < ZERO || byte > NINE) return false;
    let pid = 0;
    const pidBegin = at;
    do {
      pid = pid * 10 + byte - ZERO;
      byte = buffer[++at] as number;
    } while (byte >= ZERO && byte <= NINE);
    if (at - pidBegin > 9 || at >= end) return false;
    at = skipSpaces(buffer, at, end);
    if (buffer[at] === OPEN_PAREN) {
      const limit = Math.min(end, at + 16);
      at++;
      while (at < limit && (buffer[at] === SPACE || buffer[at] === MINUS || isDigit(buffer[at] as number))) at++;
      if (buffer[at] !== CLOSE_PAREN) return false;
      at = skipSpaces(buffer, at + 1, end);
    }
    if (at >= end || buffer[at] !== OPEN_BRACKET) return false;
    let cpu = 0;
    const cpuBegin = ++at;
    byte = buffer[at] as number;
    while (byte >= ZERO && byte <= NINE) {
      cpu = cpu * 10 + byte - ZERO;
      byte = buffer[++at] as number;
    }
    if (at === cpuBegin || at - cpuBegin > 6 || byte !== CLOSE_BRACKET) return false;
    at++;
    if (buffer[at] !== SPACE) return false;
    do byte = buffer[++at] as number;
    while (byte === SPACE && at < end);
    let negative = byte === MINUS && isDigit(buffer[at + 1] as number);
    let inInterrupt = false;
    if (!negative && (byte < ZERO || byte > NINE)) {
      // The flags: four to eight characters, none of them a space.
      const flags = at;
      while (at < end && buffer[at] !== SPACE) inInterrupt = isInterruptFlag(buffer[at++] as number) || inInterrupt;
      if (at - flags > 12) return false;
      at = skipSpaces(buffer, at, end);
      negative = buffer[at] === MINUS;
    }
    const after = this.#stamp(buffer, negative ? at + 1 : at, end);
    if (after < 0 || buffer[after] !== COLON || after >= end) return false;
    at = after + 1;
    if (at < end) {
      if (buffer[at] !== SPACE) return false;
      at++;
    }
    let name = begin;
    while (name < dash && (buffer[name] === SPACE || buffer[name] === TAB)) name++;
    // Behind an instance's name the dash stands further right: `tmux: server-1` is a task of that name.
    if (this.traceCmd && dash - begin > DASH_COLUMN) name = afterInstance(buffer, name, dash);
    if (dash - name > MAX_NAME) return false;
    this.negative = negative;
    this.comm = this.names.idOf(buffer, name, dash);
    this.pid = pid;
    this.cpu = cpu <= MAX_CPU ? cpu : -1;
    this.inInterrupt = inInterrupt;
    this.begin = at;
    return true;
  }

  /** Reads `SEC.FRACTION` or an integer at `at` into high and low; returns the position after it, or -1. */
  #stamp(buffer: Uint8Array, from: number, end: number): number {
    let at = from;
    let byte = buffer[at] as number;
    let value = 0;
    while (byte >= ZERO && byte <= NINE && at < end) {
      value = value * 10 + byte - ZERO;
      byte = buffer[++at] as number;
    }
    const digits = at - from;
    if (digits === 0 || digits > MAX_STAMP_DIGITS) return -1;
    if (byte === DOT && at < end) {
      if (digits > 15) return -1;
      const fraction = ++at;
      let low = 0;
      byte = buffer[at] as number;
      while (byte >= ZERO && byte <= NINE && at < end) {
        low = low * 10 + byte - ZERO;
        byte = buffer[++at] as number;
      }
      const places = at - fraction;
      if (places === 0 || places > 9) return -1;
      this.high = value;
      this.low = low * (POWERS_OF_TEN[9 - places] as number);
      return at;
    }
    if (digits <= 15) {
      this.high = Math.floor(value / 1e9);
      this.low = value - this.high * 1e9;
      return at;
    }
    let high = 0;
    let low = 0;
    for (let i = from; i < at - 9; i++) high = high * 10 + (buffer[i] as number) - ZERO;
    for (let i = at - 9; i < at; i++) low = low * 10 + (buffer[i] as number) - ZERO;
    this.high = high;
    this.low = low;
    return at;
  }

  // ---- the payload of such a line ----

  #columnsPayload(buffer: Uint8Array, end: number): Line {
    this.nameless = 0;
    this.durationBegin = 0;
    this.durationEnd = 0;
    this.depth = 0;
    this.open = false;
    this.openComment = false;
    for (;;) {
      const begin = this.begin;
      if (this.#payload(buffer, begin, end)) return Line.event;
      const body = skipSpaces(buffer, begin, end);
      if (body === end) return this.#setNameless(begin, begin);
      if (this.#graphBody(buffer, body, end, (body - begin) >> 1)) return Line.event;
      // An event that prints nothing, not even a newline, and the next one after it on the same line.
      const [high, low] = [this.high, this.low];
      if (this.nameless >= MAX_NESTED || !this.#standardHeader(buffer, begin, end)) {
        return this.#unnamed(buffer, begin, end);
      }
      this.#countNameless(high, low);
    }
  }

  /** A tracer's sample, or text that was printed without a name (the option printk-msg-only): never lost. */
  #unnamed(buffer: Uint8Array, begin: number, end: number): Line {
    const name = tracerEventOf(decode(buffer, begin, Math.min(end, begin + 2 * MAX_HEADER)));
    if (name !== null) this.#set(EventKind.event, Shape.sample, this.strings.idOf(name), begin, end);
    else if (this.#tracer !== 0) this.#set(EventKind.event, Shape.sample, this.#tracer, begin, end);
    else this.#marker(begin, end);
    return Line.event;
  }

  #countNameless(high: number, low: number): void {
    if (this.nameless === 0) {
      this.namelessHigh = high;
      this.namelessLow = low;
    }
    this.nameless += 1;
  }

  #setNameless(begin: number, end: number): Line {
    this.#countNameless(this.high, this.low);
    this.name = 0;
    this.kind = EventKind.event;
    this.shape = Shape.nameless;
    this.begin = begin;
    this.end = end;
    return Line.event;
  }

  #set(kind: EventKind, shape: Shape, name: number, begin: number, end: number): true {
    this.kind = kind;
    this.shape = shape;
    this.name = name;
    this.begin = begin;
    this.end = end;
    return true;
  }

  /** `name: arguments`, a syscall, a marker, the function tracer's call; false for anything else. */
  #payload(buffer: Uint8Array, begin: number, end: number): boolean {
    let at = begin;
    while (at < end && IDENTIFIER[buffer[at] as number] === 1) at++;
    const length = at - begin;
    const byte = at < end ? buffer[at] : -1;
    if (length === 0) return this.#rawData(buffer, begin, end) || this.#unworded(buffer, begin, end);
    if (length > MAX_NAME) return false;
    if (byte === COLON) {
      const space = at + 1;
      if (space >= end) return this.#worded(buffer, begin, at, end, end);
      if (buffer[space] === SPACE) return this.#worded(buffer, begin, at, space + 1, end);
      if (startsWith(buffer, space, end, NO_FIELDS)) return this.#worded(buffer, begin, at, end, end);
      // Android's atrace: `tracing_mark_write:B|7363|name`.
      return this.#words.of(this.names.idOf(buffer, begin, at)) === Word.marker && this.#marker(space, end);
    }
    if (byte === OPEN_PAREN) {
      if (buffer[end - 1] === CLOSE_PAREN && isSyscall(buffer, begin, at)) {
        const id = this.#words.syscallEnter(buffer, begin, at);
        return this.#set(EventKind.event, Shape.syscallEnter, id, begin, end);
      }
    } else if (byte === SPACE && startsWith(buffer, at, end, RETURNS) && isSyscall(buffer, begin, at)) {
      const id = this.#words.syscallExit(buffer, begin, at);
      return this.#set(EventKind.event, Shape.syscallExit, id, begin, end);
    }
    const text = afterSymbol(buffer, begin, end);
    if (text >= 0) return this.#marker(text, end);
    const arrow = find(buffer, at, end, CALLED_FROM);
    if (arrow >= 0 && find(buffer, at, arrow, COMMENT_OPEN) < 0 && buffer[end - 1] !== SLASH) {
      return this.#set(EventKind.event, Shape.call, this.#function, begin, end);
    }
    if (end - begin < 32 && /^unknown type \d{1,9}$/i.test(decode(buffer, begin, end))) {
      this.#setNameless(begin, end);
      return true;
    }
    return false;
  }

  /** `# 1 buf: 61 62`: what user space wrote to trace_marker_raw (kernel/trace/trace_output.c, trace_raw_data_print). */
  #rawData(buffer: Uint8Array, begin: number, end: number): boolean {
    if (buffer[begin] !== HASH || buffer[begin + 1] !== SPACE) return false;
    let at = begin + 2;
    while (at < end && isHexDigit(buffer[at] as number)) at++;
    if (at === begin + 2 || !startsWith(buffer, at, end, BUF)) return false;
    return this.#set(EventKind.event, Shape.rawData, this.#raw, begin, end);
  }

  /** A payload that does not begin with a word: `0xffff…: text` is not met here, `<stack trace>` is. */
  #unworded(buffer: Uint8Array, begin: number, end: number): boolean {
    // bpf_trace_printk of kernels before 4.x, which names no function.
    if (buffer[begin] === COLON && buffer[begin + 1] === SPACE) return this.#marker(begin + 2, end);
    if (buffer[begin] !== LESS) return false;
    const user = startsWith(buffer, begin, end, USER_STACK);
    if (!user && !startsWith(buffer, begin, end, STACK)) return false;
    this.open = true;
    return this.#set(EventKind.event, Shape.stack, user ? this.#userStack : this.#stack, begin, end);
  }

  #worded(buffer: Uint8Array, begin: number, wordEnd: number, rest: number, end: number): boolean {
    const name = this.names.idOf(buffer, begin, wordEnd);
    const word = this.#words.of(name);
    // With the option printk-msg-only a mark's text stands alone: its first word names nothing.
    if ((word === Word.unsure || word === Word.unlisted) && this.#hasMarkerPrefix(buffer, begin, end)) {
      return this.#marker(begin, end);
    }
    switch (word) {
      case Word.event:
        return this.#event(buffer, name, rest, end);
      case Word.stack:
        this.open = true;
        return this.#set(EventKind.event, Shape.stack, name, rest, end);
      case Word.marker:
        return this.#marker(rest, end);
      case Word.print: {
        let from = skipSpaces(buffer, rest, end);
        const colon = find(buffer, from, Math.min(end, from + MAX_NAME), bytesOf(": "));
        if (colon >= 0) from = colon + 2;
        return this.#marker(from, end);
      }
      case Word.graph:
        return this.#reportedGraph(buffer, rest, end);
      case Word.unlisted:
        if (isProbe(buffer, rest, end)) return this.#set(EventKind.event, Shape.arguments, name, rest, end);
        return this.#marker(rest, end);
      case Word.unsure:
        if (this.#hasMarkerPrefix(buffer, rest, end)) return this.#marker(rest, end);
        return this.#event(buffer, name, rest, end);
    }
  }

  #event(buffer: Uint8Array, name: number, begin: number, end: number): true {
    // A kernel message can hold a newline as a marker can, and so can a string among an event's arguments.
    this.open = this.#words.isConsole(name) || endsInString(buffer, begin, end);
    // trace-cmd pads the name.
    return this.#set(
      EventKind.event,
      Shape.arguments,
      name,
      this.traceCmd ? skipSpaces(buffer, begin, end) : begin,
      end,
    );
  }

  #marker(begin: number, end: number): true {
    this.open = true;
    return this.#set(EventKind.marker, Shape.marker, this.#print, begin, end);
  }

  #hasMarkerPrefix(buffer: Uint8Array, at: number, end: number): boolean {
    for (const prefix of this.#prefixes) if (startsWith(buffer, at, end, prefix)) return true;
    return false;
  }

  /** trace-cmd: `  1.234 us   |  func();` after `funcgraph_entry:`. */
  #reportedGraph(buffer: Uint8Array, begin: number, end: number): boolean {
    let at = begin;
    while (at < end && buffer[at] !== PIPE && at - begin < 64) at++;
    if (buffer[at] !== PIPE || at >= end) return false;
    this.#duration(buffer, begin, at);
    const indent = Math.min(at + 3, end);
    const body = skipSpaces(buffer, Math.min(at + 1, end), end);
    return this.#graphBody(buffer, body, end, Math.max(0, body - indent) >> 1);
  }

  // ---- function graph ----

  #graph(buffer: Uint8Array, begin: number, end: number): Line {
    this.high = -1;
    this.cpu = -1;
    this.pid = -1;
    this.comm = 0;
    this.nameless = 0;
    this.durationBegin = 0;
    this.durationEnd = 0;
    this.depth = 0;
    this.open = false;
    this.openComment = false;
    const columns = this.columns;
    let at = skipSpaces(buffer, begin, end);
    if (at >= end) return Line.undecoded;
    if (buffer[at] === MINUS) return isRule(buffer, at, end) ? Line.structural : Line.undecoded;
    let seen = false;
    // A latency tracer's time with the option display-graph: microseconds since the latency began.
    if (columns?.relative === true && !columns.time) {
      const after = this.#stamp(buffer, at, end);
      const pipe = after < 0 ? -1 : skipSpaces(buffer, after + MICROSECONDS.length, end);
      if (pipe < 0 || !startsWith(buffer, after, end, MICROSECONDS) || buffer[pipe] !== PIPE) return Line.undecoded;
      const us = this.high * 1e9 + this.low;
      this.high = Math.floor(us / 1e6);
      this.low = (us % 1e6) * 1000;
      at = pipe + 1;
    }
    // The time and the duration column end in two spaces before the body's own, every other in one.
    let spaces = 0;
    let byte = buffer[at] as number;
    if (isDigit(byte) && columns?.time !== false && !(columns?.relative === true && !columns.time)) {
      const after = this.#stamp(buffer, at, end);
      if (after > 0 && after < end && buffer[after] === SPACE) {
        const pipe = skipSpaces(buffer, after, end);
        if (pipe < end && buffer[pipe] === PIPE) {
          seen = true;
          at = pipe + 1;
          spaces = 2;
        }
      }
      if (!seen) this.high = -1;
    }
    if (columns?.relative === true && columns.time && seen) {
      const pipe = find(buffer, at, Math.min(end, at + 40), PIPE_BYTES);
      if (pipe < 0) return Line.undecoded;
      at = pipe + 1;
    }
    // CPU: ` 0) `.
    const token = skipSpaces(buffer, at, end);
    byte = buffer[token] as number;
    if (token < end && isDigit(byte) && columns?.cpu !== false) {
      let cpu = 0;
      let digit = token;
      while (digit < end && isDigit(buffer[digit] as number)) cpu = cpu * 10 + (buffer[digit++] as number) - ZERO;
      if (digit < end && digit - token <= 6 && buffer[digit] === CLOSE_PAREN) {
        this.cpu = cpu <= MAX_CPU ? cpu : -1;
        at = digit + 1;
        seen = true;
        spaces = 1;
        if (this.high < 0 && this.#switch(buffer, at, end)) return Line.taskSwitch;
      }
    }
    if (columns !== null && ((columns.time && this.high < 0) || (columns.cpu && this.cpu < 0))) return Line.undecoded;
    // TASK/PID, latency and DURATION cells, each closed by a bar; what follows the last is the body.
    let expectTask = columns === null || columns.task;
    let expectFlags = columns === null || columns.latency;
    let expectDuration = columns === null || columns.duration;
    const hasDuration = expectDuration;
    while (expectTask || expectFlags || expectDuration) {
      const cell = skipSpaces(buffer, at, end);
      if (columns === null && this.#beginsBody(buffer, cell, end)) break;
      // A cell is at most 24 bytes wide: a task's name and number, or a duration.
      const limit = Math.min(end, cell + 64);
      let bar = cell;
      while (bar < limit && buffer[bar] !== PIPE) bar++;
      if (bar >= limit) {
        if (columns === null) break;
        return Line.undecoded;
      }
      const cellEnd = trimRight(buffer, cell, bar);
      if (expectTask && this.#task(buffer, cell, cellEnd)) {
        expectTask = false;
      } else if (expectFlags && columns !== null && !(expectTask && columns.task)) {
        for (let flag = cell; flag < cellEnd; flag++) {
          if (isInterruptFlag(buffer[flag] as number)) this.inInterrupt = true;
        }
        expectFlags = false;
      } else if (expectDuration && (cell === bar || this.#duration(buffer, cell, cellEnd))) {
        if (columns?.task === true && expectTask) return Line.undecoded;
        expectTask = false;
        expectFlags = false;
        expectDuration = false;
      } else if (startsWith(buffer, cell, end, IRQ_ENTRY) || startsWith(buffer, cell, end, IRQ_EXIT)) {
        return Line.structural;
      } else if (expectFlags && columns === null && cellEnd - cell <= 8) {
        expectFlags = false;
      } else {
        return Line.undecoded;
      }
      if (!expectDuration) seen = true;
      at = bar + 1;
      spaces = hasDuration && !expectDuration ? 2 : 1;
    }
    if (!seen && columns === null) return Line.undecoded;
    const body = skipSpaces(buffer, at, end);
    if (startsWith(buffer, body, end, IRQ_ENTRY) || startsWith(buffer, body, end, IRQ_EXIT)) return Line.structural;
    if (startsWith(buffer, body, end, COMMENT_OPEN)) return this.#comment(buffer, body, end);
    return this.#graphBody(buffer, body, end, Math.max(0, body - at - spaces) >> 1) ? Line.event : Line.undecoded;
  }

  /** Whether what is at `at` can only be a function's line or a comment. */
  #beginsBody(buffer: Uint8Array, at: number, end: number): boolean {
    return (
      at >= end ||
      buffer[at] === CLOSE_BRACE ||
      startsWith(buffer, at, end, COMMENT_OPEN) ||
      startsWith(buffer, at, end, IRQ_ENTRY) ||
      startsWith(buffer, at, end, IRQ_EXIT)
    );
  }

  /** `  old-1    =>   new-2   `: sets pid and comm to the new task's. */
  #switch(buffer: Uint8Array, begin: number, end: number): boolean {
    if (end - begin > MAX_HEADER) return false;
    const arrow = find(buffer, begin, end, SWITCHES_TO);
    if (arrow < 0) return false;
    const from = skipSpaces(buffer, begin, arrow);
    if (find(buffer, from, arrow, PIPE_BYTES) >= 0 || startsWith(buffer, from, arrow, COMMENT_OPEN)) return false;
    if (!this.#task(buffer, from, trimRight(buffer, from, arrow))) return false;
    const to = skipSpaces(buffer, arrow + SWITCHES_TO.length, end);
    if (this.#task(buffer, to, trimRight(buffer, to, end))) return true;
    this.pid = -1;
    this.comm = 0;
    return false;
  }

  /** `comm-123` */
  #task(buffer: Uint8Array, begin: number, end: number): boolean {
    let at = end;
    while (at > begin && isDigit(buffer[at - 1] as number)) at--;
    if (at === end || end - at > 9 || at - 1 <= begin || buffer[at - 1] !== MINUS) return false;
    if (at - 1 - begin > MAX_NAME) return false;
    let pid = 0;
    for (let i = at; i < end; i++) pid = pid * 10 + (buffer[i] as number) - ZERO;
    this.pid = pid;
    this.comm = this.names.idOf(buffer, begin, at - 1);
    return true;
  }

  /** `! 628.832 us`: one mark and a number of microseconds. */
  #duration(buffer: Uint8Array, begin: number, end: number): boolean {
    const from = skipSpaces(buffer, begin, end);
    const to = trimRight(buffer, from, end);
    let at = from;
    if (at < to && DURATION_MARKS[buffer[at] as number] === 1) at = skipSpaces(buffer, at + 1, to);
    const digits = at;
    while (at < to && (isDigit(buffer[at] as number) || buffer[at] === DOT)) at++;
    if (at === digits || to - at !== MICROSECONDS.length || !startsWith(buffer, at, to, MICROSECONDS)) return false;
    this.durationBegin = from;
    this.durationEnd = to;
    return true;
  }

  /** An event or a marker between slash-stars. A marker stands there without an event's name. */
  #comment(buffer: Uint8Array, begin: number, end: number): Line {
    const from = skipSpaces(buffer, begin + COMMENT_OPEN.length, end);
    const closed =
      end - begin >= 4 && buffer[end - 1] === SLASH && buffer[end - 2] === STAR
        ? trimRight(buffer, from, end - COMMENT_CLOSE.length)
        : -1;
    const to = closed < 0 ? end : Math.max(from, closed);
    if (from === to) return this.#setNameless(from, to);
    if (!this.#commentEvent(buffer, from, to)) this.#marker(from, to);
    this.openComment = closed < 0;
    this.open = this.openComment;
    return Line.event;
  }

  /** Sets the event in a comment; false if the comment is a marker's text, which stands there without a name. */
  #commentEvent(buffer: Uint8Array, from: number, to: number): boolean {
    let at = from;
    while (at < to && IDENTIFIER[buffer[at] as number] === 1) at++;
    const named = at > from && at - from <= MAX_NAME && buffer[at] === COLON && at < to;
    if (!named || (at + 1 < to && buffer[at + 1] !== SPACE)) {
      return this.#payload(buffer, from, to) && this.kind !== EventKind.marker;
    }
    const name = this.names.idOf(buffer, from, at);
    const word = this.#words.of(name);
    const rest = Math.min(at + 2, to);
    switch (word) {
      case Word.event:
        return this.#set(EventKind.event, Shape.arguments, name, rest, to);
      case Word.marker:
        return this.#marker(rest, to);
      case Word.unlisted:
        return isProbe(buffer, rest, to) && this.#set(EventKind.event, Shape.arguments, name, rest, to);
      case Word.unsure:
        return !this.#hasMarkerPrefix(buffer, from, to) && this.#set(EventKind.event, Shape.arguments, name, rest, to);
      case Word.print:
      case Word.graph:
      case Word.stack:
        return false;
    }
  }

  /** `func() {`, `}`, `func();`, each perhaps with a comment behind it, and trace-cmd's `(ret=0x5)` or `(1)`. */
  #graphBody(buffer: Uint8Array, begin: number, end: number, depth: number): boolean {
    if (begin >= end) return false;
    this.depth = Math.min(depth, 0x7fff);
    const whole = trimRight(buffer, begin, end);
    const to = withoutRemarks(buffer, begin, whole);
    if (buffer[begin] === CLOSE_BRACE) {
      return to === begin + 1 && this.#set(EventKind.graphExit, Shape.graph, this.#exit, begin, whole);
    }
    const mark = buffer[to - 1];
    const paren =
      mark === SEMICOLON
        ? to - 2
        : mark === OPEN_BRACE
          ? withoutRemarks(buffer, begin, trimRight(buffer, begin, to - 1)) - 1
          : -1;
    if (paren <= begin || buffer[paren] !== CLOSE_PAREN || !isFunction(buffer, begin, paren)) return false;
    const kind = mark === SEMICOLON ? EventKind.graphLeaf : EventKind.graphEntry;
    return this.#set(kind, Shape.graph, this.#entry, begin, whole);
  }
}

const PIPE_BYTES = bytesOf("|");
const POWERS_OF_TEN = Float64Array.from({ length: 10 }, (_, power) => 10 ** power);
/** kernel/trace/trace_output.c, trace_find_mark; `!` and `+` since 2.6.28. */
const DURATION_MARKS = Uint8Array.from({ length: 256 }, (_, byte) =>
  "$@*#!+".includes(String.fromCharCode(byte)) ? 1 : 0,
);
/** Tracers whose lines without a name are what somebody printed. */
const PRINTING: ReadonlySet<string> = new Set(["nop", "function", "function_graph"]);
