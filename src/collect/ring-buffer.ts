/**
 * Reads raw ring-buffer pages (`per_cpu/cpuN/trace_pipe_raw`) with the event formats of the boot that wrote them: the
 * only honest source of an old boot's events, whose ids and symbols the new kernel does not know. Layout: kernel
 * include/linux/ring_buffer.h, kernel/trace/ring_buffer.c; reference section 5.5.
 *
 * Pages are walked in place; an event costs a few integers in columns. CPUs are merged in time order, run by run.
 */
import type { ByteSource } from "../base/byte-source.js";
import type { DefectInput } from "../base/defect.js";
import { DefectLog } from "../base/defect.js";
import { StringTable } from "../base/string-table.js";
import type { Boot } from "../base/time.js";
import type { EventFormat, FieldFormat, ParsedFormats } from "./event-format.js";
import type { SymbolTable } from "./kallsyms.js";
import {
  type EventChunk,
  type EventFields,
  EventKind,
  type EventSink,
  type EventSource,
  type FieldValue,
  type ReadCounts,
  type TraceClock,
} from "./types.js";

export interface RingBufferInput {
  readonly boot: Boot;
  readonly cpus: readonly RingCpu[];
  readonly formats: ParsedFormats;
  readonly layout: PageLayout;
  /** Looked up only where a symbol is asked for. */
  readonly symbols: () => SymbolTable | null;
  /** Task names by pid. */
  readonly comms: ReadonlyMap<number, string>;
  readonly clock: TraceClock;
}

export interface RingCpu {
  readonly cpu: number;
  /** Null where this CPU's pages are missing. */
  readonly source: ByteSource | null;
  /** The kernel's own count of entries, to check against. */
  readonly entries: number | null;
}

/** Where a sub-buffer keeps what, from `events/header_page`. */
export interface PageLayout {
  readonly pageBytes: number;
  readonly dataOffset: number;
  /** 8 on 64-bit kernels, 4 on 32-bit ones. */
  readonly commitBytes: 4 | 8;
}

/** 4 KiB sub-buffers of a 64-bit kernel: what a capture without header_page gets. */
export const DEFAULT_LAYOUT: PageLayout = { pageBytes: 4096, dataOffset: 16, commitBytes: 8 };

/** `field: local_t commit; offset:8; size:8; …` and `field: char data; offset:16; size:4080; …`; null if it makes no sense. */
export function parseHeaderPage(text: string): PageLayout | null {
  const field = (name: string): { offset: number; size: number } | null => {
    const match = new RegExp(`\\b${name};\\s*offset:(\\d{1,8});\\s*size:(\\d{1,8});`).exec(text);
    return match === null ? null : { offset: Number(match[1]), size: Number(match[2]) };
  };
  const [commit, data] = [field("commit"), field("data")];
  if (commit === null || data === null || (commit.size !== 4 && commit.size !== 8)) return null;
  if (commit.offset !== 8 || data.offset !== 8 + commit.size) return null;
  const pageBytes = data.offset + data.size;
  // buffer_subbuf_size_kb allows up to 4 MiB on the largest page sizes.
  if (pageBytes < 64 || pageBytes > 1 << 22 || pageBytes % 4 !== 0) return null;
  return { pageBytes, dataOffset: data.offset, commitBytes: commit.size };
}

/** `saved_cmdlines`: pid, blank, task name (which may hold blanks). */
export function parseSavedCmdlines(text: string): ReadonlyMap<number, string> {
  const comms = new Map<number, string>([[0, "<idle>"]]);
  for (const line of text.split("\n", 1_000_000)) {
    const match = /^(\d{1,10}) (.{1,64})$/.exec(line);
    if (match !== null) comms.set(Number(match[1]), match[2] as string);
  }
  return comms;
}

/** The events of one boot's pages. Defects: `ring-*`, listed in docs/capture-format.md. */
export function ringBufferSource(input: RingBufferInput): EventSource {
  return {
    boot: input.boot,
    dialect: "ring-buffer",
    files: input.cpus.flatMap(({ source }) => (source === null ? [] : [source.name])),
    clock: input.clock,
    read: (sink) => new RingReader(input, sink).read(),
  };
}

const ROWS = 16_384;
const BLOCK_BYTES = 1 << 18;
/** Commit holds the data's length in its low 27 bits; above them two flags (kernel RB_MISSED_EVENTS, RB_MISSED_STORED). */
const COMMIT_MASK = (1 << 27) - 1;
const MISSED_EVENTS = 1 << 31;
const MISSED_STORED = 1 << 30;
const TWO_27 = 2 ** 27;
const TWO_32 = 2 ** 32;

const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;

/** One CPU's walk: the block of pages in memory, and the event that it stands on. */
interface Cursor {
  readonly cpu: number;
  readonly source: ByteSource;
  readonly buffer: Uint8Array;
  view: DataView;
  /** File position of the buffer's first byte. */
  blockAt: number;
  blockLength: number;
  /** Next page's begin in the buffer. */
  nextPage: number;
  /** The walk's place in the current page, and where its data ends. */
  at: number;
  end: number;
  /** Time of the last event, in counts since the reader's base. */
  time: number;
  /** The event that it stands on: payload begin and length in the buffer; length 0: at the end. */
  payload: number;
  length: number;
  events: number;
  broken: boolean;
}

class RingReader {
  readonly #input: RingBufferInput;
  readonly #sink: EventSink;
  readonly #strings = new StringTable();
  readonly #kinds: Uint8Array;
  readonly #names: Uint32Array;
  readonly #known: Uint8Array;
  readonly #comms = new Map<number, number>();
  readonly #defects = new DefectLog();
  readonly #time = new Float64Array(ROWS);
  readonly #cpu = new Int16Array(ROWS);
  readonly #pid = new Int32Array(ROWS);
  readonly #comm = new Uint32Array(ROWS);
  readonly #name = new Uint32Array(ROWS);
  readonly #kind = new Uint8Array(ROWS);
  readonly #place = new Float64Array(ROWS);
  readonly #payload = new Uint32Array(ROWS);
  readonly #length = new Uint32Array(ROWS);
  readonly #from: Cursor[] = new Array(ROWS);
  #count = 0;
  #events = 0;
  #undecoded = 0;
  #lost = 0;
  #base: bigint | null = null;
  #baseHigh = 0;
  #baseLow = 0;

  constructor(input: RingBufferInput, sink: EventSink) {
    this.#input = input;
    this.#sink = sink;
    this.#kinds = new Uint8Array(65_536);
    this.#names = new Uint32Array(65_536);
    this.#known = new Uint8Array(65_536);
    for (const format of input.formats.byId.values()) {
      this.#known[format.id] = 1;
      this.#names[format.id] = this.#strings.idOf(format.name);
      this.#kinds[format.id] = kindOf(format);
    }
  }

  read(): ReadCounts {
    const { cpus } = this.#input;
    const present = cpus.filter(({ source }) => source !== null && source.size > 0);
    const cursors = present.map(({ cpu, source }) => this.#open(cpu, source as ByteSource));
    const merging = cursors.filter((cursor) => this.#advance(cursor));
    this.#merge(merging);
    this.#flush();
    for (const cursor of cursors) {
      const entries = cpus.find(({ cpu }) => cpu === cursor.cpu)?.entries ?? null;
      if (entries === null || entries === cursor.events || cursor.broken) continue;
      this.#defect({
        code: "ring-count-mismatch",
        severity: "warning",
        message: `CPU ${cursor.cpu}: ${cursor.events} events in the pages, ${entries} entries by the kernel's count.`,
        advice: "Stop tracing before reading the pages, and read them to their end.",
      });
    }
    for (const found of this.#defects.all()) this.#sink.defect(found);
    return {
      lines: 0,
      events: this.#events,
      continuations: 0,
      structural: 0,
      undecoded: this.#undecoded,
      lostEvents: this.#lost,
    };
  }

  #defect(part: Pick<DefectInput, "code" | "severity" | "message" | "advice">, cursor?: Cursor, at?: number): void {
    this.#defects.add({
      ...part,
      file: cursor?.source.name ?? this.#input.cpus.find(({ source }) => source !== null)?.source?.name ?? "",
      byte: cursor === undefined ? null : cursor.blockAt + (at ?? cursor.at),
      boot: this.#input.boot,
      time: cursor === undefined || Number.isNaN(cursor.time) ? null : (this.#base ?? 0n) + BigInt(cursor.time),
    });
  }

  #open(cpu: number, source: ByteSource): Cursor {
    const { pageBytes } = this.#input.layout;
    const buffer = new Uint8Array(Math.max(pageBytes, Math.floor(BLOCK_BYTES / pageBytes) * pageBytes));
    return {
      cpu,
      source,
      buffer,
      view: new DataView(buffer.buffer),
      blockAt: 0,
      blockLength: 0,
      nextPage: 0,
      at: 0,
      end: 0,
      time: Number.NaN,
      payload: 0,
      length: 0,
      events: 0,
      broken: false,
    };
  }

  /** Runs of the CPU that is behind, up to the time that the next one stands on. */
  #merge(merging: Cursor[]): void {
    while (merging.length > 0) {
      let first = 0;
      for (let i = 1; i < merging.length; i++) {
        if ((merging[i] as Cursor).time < (merging[first] as Cursor).time) first = i;
      }
      const cursor = merging[first] as Cursor;
      let until = Number.POSITIVE_INFINITY;
      for (let i = 0; i < merging.length; i++) {
        // Of equal times the lower CPU's event comes first, as in the kernel's own text.
        const other = merging[i] as Cursor;
        if (i !== first && other.time < until) until = other.time;
      }
      let more = true;
      do {
        this.#row(cursor);
        more = this.#advance(cursor);
      } while (more && cursor.time < until);
      if (!more) merging.splice(first, 1);
    }
  }

  #row(cursor: Cursor): void {
    const { view, payload } = cursor;
    cursor.events += 1;
    const id = view.getUint16(payload, true);
    if (this.#known[id] === 0) {
      this.#undecoded += 1;
      this.#defect(
        {
          code: "ring-unknown-event",
          severity: "warning",
          message: `Event id ${id} has no format file; the record was skipped.`,
          advice: "Save the event formats in the boot that wrote the pages, after all probes are defined.",
        },
        cursor,
        payload,
      );
      return;
    }
    const row = this.#count;
    const pid =
      cursor.length >= this.#input.formats.pidOffset + 4
        ? view.getInt32(payload + this.#input.formats.pidOffset, true)
        : -1;
    let comm = this.#comms.get(pid);
    if (comm === undefined) {
      comm = this.#strings.idOf(this.#input.comms.get(pid) ?? "<...>");
      this.#comms.set(pid, comm);
    }
    this.#time[row] = cursor.time;
    this.#cpu[row] = cursor.cpu;
    this.#pid[row] = pid;
    this.#comm[row] = comm;
    this.#name[row] = this.#names[id] as number;
    this.#kind[row] = this.#kinds[id] as number;
    this.#place[row] = cursor.blockAt + payload;
    this.#payload[row] = payload;
    this.#length[row] = cursor.length;
    this.#from[row] = cursor;
    this.#events += 1;
    this.#count = row + 1;
    if (this.#count === ROWS) this.#flush();
  }

  /** Moves to the next data record; false at the end. */
  #advance(cursor: Cursor): boolean {
    for (;;) {
      while (cursor.at + 4 <= cursor.end) {
        const header = cursor.view.getUint32(cursor.at, true);
        const type = header & 31;
        const delta = header >>> 5;
        if (type >= 1 && type <= 28) {
          cursor.time += delta;
          cursor.payload = cursor.at + 4;
          cursor.length = type * 4;
          cursor.at = cursor.payload + cursor.length;
          if (cursor.at <= cursor.end) return true;
          this.#overrun(cursor);
          break;
        }
        if (cursor.at + 8 > cursor.end) {
          if (type !== PADDING || delta !== 0) this.#overrun(cursor);
          break;
        }
        const array = cursor.view.getUint32(cursor.at + 4, true);
        switch (type) {
          case 0: {
            // array[0] counts itself.
            const bytes = ((array - 4 + 3) >>> 2) << 2;
            cursor.time += delta;
            cursor.payload = cursor.at + 8;
            cursor.length = bytes;
            if (array >= 8 && array <= cursor.end - cursor.at) {
              cursor.at = cursor.payload + bytes;
              if (cursor.at <= cursor.end) return true;
            }
            this.#overrun(cursor);
            break;
          }
          case PADDING:
            if (delta === 0) {
              cursor.at = cursor.end;
              break;
            }
            // A discarded event: its time counts, its bytes do not.
            cursor.time += delta;
            if (array >= 4 && array <= cursor.end - cursor.at) cursor.at += 4 + array;
            else this.#overrun(cursor);
            break;
          case TIME_EXTEND:
            cursor.time += delta + array * TWO_27;
            cursor.at += 8;
            break;
          case TIME_STAMP:
            cursor.time = this.#absolute(cursor, array, delta);
            cursor.at += 8;
            break;
        }
      }
      if (!this.#page(cursor)) return false;
    }
  }

  /** 59 bits of an absolute stamp, its top five from the running time. */
  #absolute(cursor: Cursor, array: number, delta: number): number {
    const running = (this.#base ?? 0n) + BigInt(Math.max(0, cursor.time));
    const stamp = (BigInt(array) << 27n) | BigInt(delta) | (running & (0xf8n << 56n));
    return Number(stamp - (this.#base ?? 0n));
  }

  /** Skips the rest of the page: where one record's length is wrong, the next record's begin is not known. */
  #overrun(cursor: Cursor): void {
    this.#undecoded += 1;
    cursor.broken = true;
    this.#defect(
      {
        code: "ring-record-overrun",
        severity: "error",
        message: "A record runs past the end of its page's data; the rest of the page was skipped.",
        advice: "The pages were damaged or cut when they were saved: read whole sub-buffers.",
      },
      cursor,
    );
    cursor.at = cursor.end;
  }

  /** Opens the next page with data; false at the file's end. */
  #page(cursor: Cursor): boolean {
    const { pageBytes, dataOffset, commitBytes } = this.#input.layout;
    for (;;) {
      if (cursor.nextPage + pageBytes > cursor.blockLength && !this.#block(cursor)) return false;
      const page = cursor.nextPage;
      cursor.nextPage += pageBytes;
      const { view } = cursor;
      const low = view.getUint32(page, true);
      const high = view.getUint32(page + 4, true);
      const commit = view.getUint32(page + 8, true);
      const bytes = commit & COMMIT_MASK;
      if (bytes > pageBytes - dataOffset) {
        cursor.broken = true;
        this.#undecoded += 1;
        cursor.at = page;
        this.#defect(
          {
            code: "ring-page-overfull",
            severity: "error",
            message: `A page says it holds ${bytes} bytes, but has room for ${pageBytes - dataOffset}; it was skipped.`,
            advice: "Check that header_page is of the boot that wrote the pages.",
          },
          cursor,
        );
        continue;
      }
      if (this.#base === null) {
        this.#base = (BigInt(high) << 32n) | BigInt(low);
        this.#baseHigh = high;
        this.#baseLow = low;
      }
      cursor.time = (high - this.#baseHigh) * TWO_32 + (low - this.#baseLow);
      cursor.at = page + dataOffset;
      cursor.end = cursor.at + bytes;
      if ((commit & MISSED_EVENTS) !== 0)
        this.#missed(cursor, (commit & MISSED_STORED) !== 0, page + pageBytes, commitBytes);
      if (bytes > 0) return true;
    }
  }

  #missed(cursor: Cursor, stored: boolean, pageEnd: number, commitBytes: number): void {
    const fits = stored && cursor.end + commitBytes <= pageEnd;
    const lost = fits ? cursor.view.getUint32(cursor.end, true) : 0;
    this.#lost += lost;
    this.#defect(
      {
        code: "ring-lost-events",
        severity: "warning",
        message: `${lost > 0 ? lost.toLocaleString("en") : "An unknown number of"} events were lost on CPU ${cursor.cpu} before this page.`,
        advice: "Use a larger buffer, or record fewer events.",
      },
      cursor,
    );
  }

  /** Reads the next block of pages; rows that point into the old one are delivered first. */
  #block(cursor: Cursor): boolean {
    const { pageBytes } = this.#input.layout;
    const position = cursor.blockAt + cursor.blockLength;
    if (position >= cursor.source.size) return false;
    this.#flush();
    const got = cursor.source.read(cursor.buffer, position);
    cursor.blockAt = position;
    cursor.blockLength = got;
    cursor.nextPage = 0;
    if (got % pageBytes !== 0 && got < cursor.buffer.length) {
      cursor.at = got - (got % pageBytes);
      cursor.broken = true;
      this.#defect(
        {
          code: "ring-page-partial",
          severity: "warning",
          message: `The file ends ${got % pageBytes} bytes into a page of ${pageBytes}; that page was not read.`,
          advice: "The file was cut: read whole sub-buffers.",
        },
        cursor,
      );
    }
    return got >= pageBytes;
  }

  #flush(): void {
    if (this.#count === 0) return;
    const count = this.#count;
    this.#count = 0;
    const chunk: EventChunk = {
      boot: this.#input.boot,
      file: this.#input.cpus.find(({ source }) => source !== null)?.source?.name ?? "",
      base: this.#base ?? 0n,
      count,
      time: this.#time,
      cpu: this.#cpu,
      pid: this.#pid,
      comm: this.#comm,
      name: this.#name,
      kind: this.#kind,
      place: this.#place,
      strings: this.#strings,
      fields: (row) => this.#fields(row),
      text: (row) => [...this.#fields(row)].map(([key, value]) => `${key}=${value}`).join(" "),
    };
    this.#sink.chunk(chunk);
  }

  #fields(row: number): EventFields {
    const cursor = this.#from[row] as Cursor;
    const begin = this.#payload[row] as number;
    const length = this.#length[row] as number;
    const format = this.#input.formats.byId.get(cursor.view.getUint16(begin, true));
    const fields = new Map<string, FieldValue>();
    if (format === undefined) return fields;
    for (const field of format.fields) {
      const value = fieldValue(field, cursor, begin, length);
      if (value !== null) fields.set(field.name, this.#resolved(field, value));
    }
    if (this.#kind[row] === EventKind.graphExit) {
      const [call, ret] = [fields.get("calltime"), fields.get("rettime")];
      if (call !== undefined && ret !== undefined) fields.set("duration", Number(BigInt(ret) - BigInt(call)));
    }
    return fields;
  }

  /** Addresses of code become symbols; without a symbol table they stay hexadecimal. */
  #resolved(field: FieldFormat, value: FieldValue): FieldValue {
    const style = SYMBOL_FIELDS.get(field.name);
    if (style === undefined || field.size < 4 || typeof value === "string") return value;
    const address = BigInt.asUintN(field.size * 8, BigInt(value));
    const symbols = this.#input.symbols();
    const symbol = style === "name" ? symbols?.name(address) : symbols?.symbol(address);
    return symbol ?? `0x${address.toString(16)}`;
  }
}

/** Fields that hold an address of code, and whether the kernel prints them with an offset (%pS) or without (%ps). */
const SYMBOL_FIELDS: ReadonlyMap<string, "name" | "offset"> = new Map([
  ["func", "offset"],
  ["__probe_ip", "offset"],
  ["__probe_func", "offset"],
  ["__probe_ret_ip", "offset"],
  ["ip", "offset"],
  ["parent_ip", "offset"],
  ["fun", "offset"],
  ["function", "offset"],
  ["caller", "offset"],
  ["cb", "offset"],
]);

function kindOf(format: EventFormat): number {
  if (format.system !== "ftrace") return EventKind.event;
  switch (format.name) {
    case "funcgraph_entry":
      return EventKind.graphEntry;
    case "funcgraph_exit":
      return EventKind.graphExit;
    case "print":
    case "bputs":
      return EventKind.marker;
    default:
      return EventKind.event;
  }
}

const decoder = new TextDecoder("utf-8");

/** Null where the record is too short for the field. */
function fieldValue(field: FieldFormat, cursor: Cursor, begin: number, length: number): FieldValue | null {
  const { view, buffer } = cursor;
  if (field.offset + field.size > length) return null;
  const at = begin + field.offset;
  switch (field.shape) {
    case "integer":
      return integerAt(view, at, field);
    case "text":
      return textIn(buffer, at, at + field.size);
    case "rest":
      return field.isText ? textIn(buffer, at, begin + length) : hexIn(buffer, at, begin + length);
    case "bytes":
      return hexIn(buffer, at, at + field.size);
    case "data-loc":
    case "rel-loc": {
      const location = view.getUint32(at, true);
      const from = (location & 0xffff) + (field.shape === "rel-loc" ? field.offset + 4 : 0);
      const to = from + (location >>> 16);
      if (to > length) return null;
      return field.isText ? textIn(buffer, begin + from, begin + to) : hexIn(buffer, begin + from, begin + to);
    }
  }
}

function integerAt(view: DataView, at: number, { size, signed }: FieldFormat): FieldValue | null {
  switch (size) {
    case 1:
      return signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return signed ? view.getInt16(at, true) : view.getUint16(at, true);
    case 4:
      return signed ? view.getInt32(at, true) : view.getUint32(at, true);
    case 8: {
      const value = signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : value;
    }
    default:
      return null;
  }
}

/** Up to the first NUL. */
function textIn(buffer: Uint8Array, from: number, to: number): string {
  const nul = buffer.indexOf(0, from);
  return decoder.decode(buffer.subarray(from, nul < 0 || nul > to ? to : nul));
}

function hexIn(buffer: Uint8Array, from: number, to: number): string {
  return Array.from(buffer.subarray(from, to), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
