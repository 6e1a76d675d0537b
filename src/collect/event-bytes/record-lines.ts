/**
 * Raw records as lines of the kernel's `trace` file (the nop tracer's columns), written as bytes. They are those of
 * `KernelLines`, byte for byte; a record that needs its slow way is made by the same code as there.
 */

import { EventKind } from "../../model/collected.js";
import { COUNTING_CLOCKS } from "../../model/machine.js";
import { contextColumns, latencyColumns } from "../event-text/columns.js";
import { symbolAlone } from "../event-text/kernel-facts.js";
import type { RecordChunk, RecordTable } from "../ring-buffer/record-chunk.js";
import { ByteWriter, HOST_IS_LITTLE, isPlain } from "./byte-writer.js";
import { EventBytes } from "./event-bytes.js";
import { RecordCursor } from "./record-cursor.js";

/** Lines are handed on in blocks of about this size. */
const BLOCK_BYTES = 1 << 18;
/** An entry that waits this long for its CPU's next record is taken for one that calls something. */
const MOST_WAITING_BYTES = 8 << 20;
const INDENT = 2;
const MAX_DEPTH = 50;
const MOST_COUNT = BigInt(Number.MAX_SAFE_INTEGER);
const MOST_TIME = Number.MAX_SAFE_INTEGER - 2_000;
const NEWLINE = 0x0a;
const SPACE = 0x20;
/** A task's name, its number and the spaces after them, by pid: in slots, so that they are bounded. */
const TASK_SLOTS = 1 << 12;
const TASK_BYTES = 32;
const NO_PID = -2_147_483_648;
const ENTRY_TAIL = new TextEncoder().encode("() {\n");

/** A function's entry whose tail is decided by its CPU's next record. */
interface OpenEntry {
  /** Where its tail begins in the buffer. */
  at: number;
  readonly pid: number;
  readonly high: number;
  readonly low: number;
}

/** Where the graph's fields stand in a record. */
interface GraphFormat {
  readonly func: { readonly offset: number; readonly size: number };
  readonly depth: { readonly offset: number; readonly size: number };
}

export interface RecordLinesOptions {
  readonly clock: string;
  /** Makes a line printable, if it holds more than plain characters. */
  readonly safe: (line: string) => string;
  /** Takes a block of whole lines; its bytes are used again afterwards. */
  readonly write: (block: Uint8Array) => void;
}

export class RecordLines {
  readonly #options: RecordLinesOptions;
  readonly #out = new ByteWriter();
  readonly #record = new RecordCursor();
  readonly #isCounting: boolean;
  #table: RecordTable | null = null;
  #events: EventBytes | null = null;
  readonly #open = new Map<number, OpenEntry>();
  readonly #graphs = new Map<number, GraphFormat | null>();
  readonly #taskPid = new Int32Array(TASK_SLOTS).fill(NO_PID);
  readonly #taskLength = new Uint8Array(TASK_SLOTS);
  readonly #taskWords = new Float64Array((TASK_SLOTS * TASK_BYTES) / 8);
  readonly #tasks = new Uint8Array(this.#taskWords.buffer);
  readonly #flags: (Uint8Array | undefined)[] = [];
  #kinds: Uint8Array = new Uint8Array(0);
  #cpus: Int16Array = new Int16Array(0);
  #comms: Uint32Array = new Uint32Array(0);
  #baseUs = 0;
  #baseNs = 0;
  /** The last whole second, as it is printed. */
  #second = -1;
  readonly #secondBytes = new ByteWriter();

  constructor(options: RecordLinesOptions) {
    this.#options = options;
    this.#isCounting = COUNTING_CLOCKS.has(options.clock);
  }

  /**
   * Writes a chunk's rows that `matches` accepts (null: all), up to `limit` of them; returns how many. Chunks follow in
   * order.
   */
  rows(chunk: RecordChunk, matches: ((chunk: RecordChunk, row: number) => boolean) | null, limit: number): number {
    this.#enter(chunk);
    let written = 0;
    const { count } = chunk;
    for (let row = 0; row < count && written < limit; row++) {
      if (matches !== null && !matches(chunk, row)) continue;
      this.#row(chunk, row);
      written += 1;
    }
    return written;
  }

  #enter(chunk: RecordChunk): void {
    if (this.#table !== chunk.table) {
      this.finish();
      this.#table = chunk.table;
      this.#events = new EventBytes(chunk.table.eventText);
      this.#graphs.clear();
      this.#taskPid.fill(NO_PID);
    }
    this.#record.enter(chunk);
    this.#kinds = chunk.kind;
    this.#cpus = chunk.cpu;
    this.#comms = chunk.comm;
    this.#baseUs = Number(chunk.base / 1000n);
    this.#baseNs = Number(chunk.base % 1000n);
  }

  #row(chunk: RecordChunk, row: number): void {
    const out = this.#out;
    if (out.at >= BLOCK_BYTES) this.#flush();
    this.#record.move(chunk, row);
    const kind = this.#kinds[row] as number;
    const cpu = this.#cpus[row] as number;
    if (this.#open.size > 0) {
      const entry = this.#open.get(cpu);
      if (entry !== undefined) {
        this.#open.delete(cpu);
        if (kind === EventKind.graphExit && this.#returnsTo(entry, chunk, row)) {
          this.#closeLeaf(entry);
          return;
        }
      }
    }
    const begin = out.at;
    out.reserve(512);
    if (kind === EventKind.graphEntry || kind === EventKind.graphExit) {
      this.#graph(chunk, row, kind, cpu);
      return;
    }
    if (
      this.#columns(chunk, row, cpu) &&
      (this.#events as EventBytes).write(chunk.id[row] as number, out, this.#record)
    ) {
      out.reserve(1);
      out.bytes[out.at++] = NEWLINE;
      return;
    }
    out.at = begin;
    const { eventText } = chunk.table;
    this.#slowLine(this.#columnsText(chunk, row) + (eventText.text(chunk.id[row] as number, this.#record) ?? ""));
  }

  /** Writes what still waits. */
  finish(): void {
    this.#open.clear();
    this.#flush();
  }

  #slowLine(line: string): void {
    this.#out.text(this.#options.safe(line));
    this.#out.reserve(1);
    this.#out.bytes[this.#out.at++] = NEWLINE;
  }

  /** Hands on the lines before the first whose end is not known. */
  #flush(): void {
    const out = this.#out;
    if (this.#open.size > 0 && out.at > MOST_WAITING_BYTES) this.#open.clear();
    let to = out.at;
    for (const { at } of this.#open.values()) to = Math.min(to, at);
    // Only whole lines: the entry's own begins after the newline before it.
    if (to < out.at) while (to > 0 && out.bytes[to - 1] !== NEWLINE) to--;
    if (to === 0) return;
    this.#options.write(out.bytes.subarray(0, to));
    out.bytes.copyWithin(0, to, out.at);
    out.at -= to;
    for (const entry of this.#open.values()) entry.at -= to;
  }

  // ---- the function graph ----

  #graphFormat(chunk: RecordChunk, id: number): GraphFormat | null {
    const known = this.#graphs.get(id);
    if (known !== undefined) return known;
    const fields = chunk.table.eventText.formats.byId.get(id)?.fields ?? [];
    const [func, depth] = ["func", "depth"].map((name) => fields.find((field) => field.name === name));
    const found = func === undefined || depth === undefined ? null : { func, depth };
    this.#graphs.set(id, found);
    return found;
  }

  #returnsTo(entry: OpenEntry, chunk: RecordChunk, row: number): boolean {
    const format = this.#graphFormat(chunk, chunk.id[row] as number);
    if (format === null || entry.pid !== chunk.pid[row]) return false;
    const { offset, size } = format.func;
    const record = this.#record;
    if (offset + size > record.length) return entry.high === 0 && entry.low === 0;
    return record.high(offset, size) === entry.high && record.low(offset, size) === entry.low;
  }

  /** `f() {` becomes `f();`: one byte less. */
  #closeLeaf(entry: OpenEntry): void {
    const out = this.#out;
    const tail = entry.at + ENTRY_TAIL.length;
    out.bytes[entry.at + 2] = 0x3b;
    out.bytes[entry.at + 3] = NEWLINE;
    out.bytes.copyWithin(tail - 1, tail, out.at);
    out.at -= 1;
    for (const other of this.#open.values()) if (other.at > entry.at) other.at -= 1;
  }

  #graph(chunk: RecordChunk, row: number, kind: number, cpu: number): void {
    const out = this.#out;
    const begin = out.at;
    const format = this.#graphFormat(chunk, chunk.id[row] as number);
    const record = this.#record;
    const has = ({ offset, size }: { readonly offset: number; readonly size: number }): boolean =>
      offset + size <= record.length;
    const depth = format === null || !has(format.depth) ? 0 : depthOf(record, format.depth);
    const [high, low] =
      format !== null && has(format.func)
        ? [record.high(format.func.offset, format.func.size), record.low(format.func.offset, format.func.size)]
        : [0, 0];
    if (!this.#columns(chunk, row, cpu)) {
      out.at = begin;
      out.text(this.#options.safe(this.#columnsText(chunk, row)));
    }
    const indent = INDENT * Math.min(MAX_DEPTH, depth);
    out.reserve(indent + 512);
    for (let i = 0; i < indent; i++) out.bytes[out.at++] = SPACE;
    if (kind === EventKind.graphExit) {
      out.bytes[out.at++] = 0x7d;
      out.bytes[out.at++] = NEWLINE;
      return;
    }
    const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    out.text(this.#options.safe(symbolAlone(chunk.table.eventText.facts, address)));
    this.#open.set(cpu, { at: out.at, pid: chunk.pid[row] as number, high, low });
    out.reserve(ENTRY_TAIL.length);
    out.put(ENTRY_TAIL);
  }

  // ---- TASK-PID [CPU] FLAGS TIME: ----

  #columnsText(chunk: RecordChunk, row: number): string {
    return contextColumns(
      {
        comm: chunk.strings.stringOf(chunk.comm[row] as number),
        pid: chunk.pid[row] as number,
        cpu: chunk.cpu[row] as number,
        flags: chunk.flags(row),
        preemptCount: chunk.preemptCount(row),
        count: chunk.base + BigInt(Math.trunc(chunk.time[row] as number)),
      },
      this.#options.clock,
    );
  }

  /** Writes the columns; false if they hold more than plain characters, or a time that needs more than a double. */
  #columns(chunk: RecordChunk, row: number, cpu: number): boolean {
    const out = this.#out;
    const pid = chunk.pid[row] as number;
    const slot = pid & (TASK_SLOTS - 1);
    if (this.#taskPid[slot] !== pid) this.#learnTask(chunk, row, pid, slot);
    const length = this.#taskLength[slot] as number;
    if (length === 0) return false;
    const { bytes, view } = out;
    let { at } = out;
    for (let i = 0, word = slot * (TASK_BYTES / 8); i < length; i += 8) {
      view.setFloat64(at + i, this.#taskWords[word++] as number, HOST_IS_LITTLE);
    }
    at += length;
    bytes[at++] = 0x5b;
    if (cpu < 0 || cpu > 999) {
      out.at = at;
      out.decimal(Math.max(0, cpu));
      at = out.at;
    } else {
      const hundreds = (cpu / 100) | 0;
      const tens = ((cpu - hundreds * 100) / 10) | 0;
      bytes[at++] = 0x30 + hundreds;
      bytes[at++] = 0x30 + tens;
      bytes[at++] = 0x30 + cpu - hundreds * 100 - tens * 10;
    }
    bytes[at++] = 0x5d;
    bytes[at++] = SPACE;
    out.at = at;
    const { commonOffsets } = chunk.table;
    const { begin, bytes: records } = this.#record;
    const own =
      ((records[begin + commonOffsets.flags] as number) << 8) | (records[begin + commonOffsets.preemptCount] as number);
    let flags = this.#flags[own];
    if (flags === undefined) {
      flags = new TextEncoder().encode(latencyColumns(own >> 8, own & 0xff));
      this.#flags[own] = flags;
    }
    at = out.at;
    for (let i = 0; i < flags.length; i++) bytes[at++] = flags[i] as number;
    bytes[at++] = SPACE;
    out.at = at;
    const time = Math.trunc(chunk.time[row] as number);
    if (cpu < 0 || !this.#time(time, chunk.base)) return false;
    at = out.at;
    bytes[at++] = 0x3a;
    bytes[at++] = SPACE;
    out.at = at;
    return true;
  }

  #time(time: number, base: bigint): boolean {
    const out = this.#out;
    if (this.#isCounting) {
      const count = time >= 0 && base < MOST_COUNT ? Number(base) + time : -1;
      if (!(count >= 0 && count < Number.MAX_SAFE_INTEGER)) return false;
      out.decimal(count, 12);
      return true;
    }
    // Beyond, a sum of doubles is rounded.
    if (!(time >= 0 && time < MOST_TIME)) return false;
    const us = this.#baseUs + Math.floor((this.#baseNs + time + 500) / 1000);
    if (!(us >= 0 && us < Number.MAX_SAFE_INTEGER)) return false;
    const second = Math.floor(us / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondBytes.at = 0;
      this.#secondBytes.decimal(second, 5);
      this.#secondBytes.bytes[this.#secondBytes.at++] = 0x2e;
    }
    const { bytes } = out;
    let { at } = out;
    const known = this.#secondBytes.bytes;
    for (let i = 0; i < this.#secondBytes.at; i++) bytes[at++] = known[i] as number;
    let rest = us - second * 1e6;
    for (let i = 5; i >= 0; i--) {
      const tenth = (rest / 10) | 0;
      bytes[at + i] = 0x30 + rest - tenth * 10;
      rest = tenth;
    }
    out.at = at + 6;
    return true;
  }

  /** `            init-1       `, of length 0 if it is too long or not plain. */
  #learnTask(chunk: RecordChunk, row: number, pid: number, slot: number): void {
    const comm = chunk.strings.stringOf(this.#comms[row] as number);
    const text = new TextEncoder().encode(`${comm.padStart(16)}-${String(pid).padEnd(7)} `);
    this.#taskPid[slot] = pid;
    const fits = text.length <= TASK_BYTES && isPlain(text, 0, text.length);
    this.#taskLength[slot] = fits ? text.length : 0;
    if (fits) this.#tasks.set(text, slot * TASK_BYTES);
  }
}

/** No more than what is indented: a damaged depth may be anything. */
function depthOf(record: RecordCursor, { offset, size }: { readonly offset: number; readonly size: number }): number {
  return record.high(offset, size) !== 0 ? MAX_DEPTH : record.low(offset, size) >>> 0;
}
