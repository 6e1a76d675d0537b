/**
 * Rows of raw records as a chunk of the event table. Time, place and id of a record are known from the walk; all other
 * columns are filled when they are first asked for, so that a consumer pays for what it reads.
 */
import type { StringTable } from "../../base/string-table.js";
import type { Boot } from "../../base/time.js";
import type { EventText } from "../event-text/event-text.js";
import type { RecordBytes } from "../event-text/record.js";
import type { EventChunk, EventFields } from "../types.js";
import type { PageCursor } from "./page-cursor.js";
import { recordFields } from "./record-fields.js";

/** What is the same for all chunks of a reader: event ids to names and kinds, pids to task names. */
export interface RecordTable {
  readonly boot: Boot;
  readonly strings: StringTable;
  /** By event id: the id of its name in `strings`, and its EventKind. */
  readonly names: Uint32Array;
  readonly kinds: Uint8Array;
  readonly eventText: EventText;
  readonly comms: ReadonlyMap<number, string>;
  readonly commIds: Map<number, number>;
  /** common_flags, common_preempt_count, common_pid: where in a record. */
  readonly commonOffsets: { readonly flags: number; readonly preemptCount: number; readonly pid: number };
}

/** The columns that chunks of one reader share: a chunk is valid only during the sink call. */
export class RecordColumns {
  readonly time: Float64Array;
  readonly word: Uint32Array;
  readonly id: Uint16Array;
  /** Index of the row's cursor. */
  readonly cursor: Uint16Array;
  readonly cpu: Int16Array;
  readonly pid: Int32Array;
  readonly comm: Uint32Array;
  readonly name: Uint32Array;
  readonly kind: Uint8Array;
  readonly place: Float64Array;

  constructor(readonly capacity: number) {
    this.time = new Float64Array(capacity);
    this.word = new Uint32Array(capacity);
    this.id = new Uint16Array(capacity);
    this.cursor = new Uint16Array(capacity);
    this.cpu = new Int16Array(capacity);
    this.pid = new Int32Array(capacity);
    this.comm = new Uint32Array(capacity);
    this.name = new Uint32Array(capacity);
    this.kind = new Uint8Array(capacity);
    this.place = new Float64Array(capacity);
  }
}

/** A chunk whose rows are raw records: they can be printed exactly as the kernel prints them. */
export class RecordChunk implements EventChunk {
  readonly boot: Boot;
  readonly strings: StringTable;
  #cpu = false;
  #pid = false;
  #comm = false;
  #name = false;
  #kind = false;
  #place = false;

  /** `single` is the cursor of all rows, or null where `columns.cursor` says whose each is. */
  constructor(
    readonly file: string,
    readonly base: bigint,
    readonly count: number,
    readonly time: Float64Array,
    readonly table: RecordTable,
    readonly cursors: readonly PageCursor[],
    readonly columns: RecordColumns,
    readonly word: Uint32Array,
    readonly id: Uint16Array,
    readonly single: PageCursor | null,
  ) {
    this.boot = table.boot;
    this.strings = table.strings;
  }

  #cursorOf(row: number): PageCursor {
    return this.single ?? (this.cursors[this.columns.cursor[row] as number] as PageCursor);
  }

  get cpu(): Int16Array {
    const { cpu } = this.columns;
    if (!this.#cpu) {
      this.#cpu = true;
      if (this.single !== null) cpu.fill(this.single.cpu, 0, this.count);
      else for (let row = 0; row < this.count; row++) cpu[row] = this.#cursorOf(row).cpu;
    }
    return cpu;
  }

  get pid(): Int32Array {
    const { pid } = this.columns;
    if (!this.#pid) {
      this.#pid = true;
      const { count, word } = this;
      for (let row = 0; row < count; row++) {
        const cursor = this.#cursorOf(row);
        const at = word[row] as number;
        const payload = at + (cursor.isLong(at) ? 2 : 1);
        pid[row] = cursor.words[payload + cursor.pidWord] as number;
      }
    }
    return pid;
  }

  get comm(): Uint32Array {
    const { comm } = this.columns;
    if (!this.#comm) {
      this.#comm = true;
      const { pid, count } = this;
      const { commIds } = this.table;
      let last = -1;
      let lastId = this.#commOf(-1);
      for (let row = 0; row < count; row++) {
        const task = pid[row] as number;
        // Records of one task come in runs.
        if (task !== last) {
          last = task;
          lastId = commIds.get(task) ?? this.#commOf(task);
        }
        comm[row] = lastId;
      }
    }
    return comm;
  }

  #commOf(pid: number): number {
    const id = this.strings.idOf(this.table.comms.get(pid) ?? "<...>");
    // Hostile records hold any pid: the cache is no more than a host's tasks.
    if (this.table.commIds.size < 100_000) this.table.commIds.set(pid, id);
    return id;
  }

  get name(): Uint32Array {
    const { name } = this.columns;
    if (!this.#name) {
      this.#name = true;
      const { id, count } = this;
      const { names } = this.table;
      for (let row = 0; row < count; row++) name[row] = names[id[row] as number] as number;
    }
    return name;
  }

  get kind(): Uint8Array {
    const { kind } = this.columns;
    if (!this.#kind) {
      this.#kind = true;
      const { id, count } = this;
      const { kinds } = this.table;
      for (let row = 0; row < count; row++) kind[row] = kinds[id[row] as number] as number;
    }
    return kind;
  }

  /** The byte of its CPU's file where a record's payload begins. */
  get place(): Float64Array {
    const { place } = this.columns;
    if (!this.#place) {
      this.#place = true;
      const { count, word } = this;
      for (let row = 0; row < count; row++) {
        const cursor = this.#cursorOf(row);
        const at = word[row] as number;
        place[row] = cursor.blockAt + 4 * (at + (cursor.isLong(at) ? 2 : 1));
      }
    }
    return place;
  }

  record(row: number): RecordBytes {
    const cursor = this.#cursorOf(row);
    const at = this.word[row] as number;
    const long = cursor.isLong(at);
    return {
      view: cursor.view,
      bytes: cursor.bytes,
      begin: 4 * (at + (long ? 2 : 1)),
      length: long ? (((cursor.words[at + 1] as number) - 1) >>> 2) * 4 : cursor.shortLength(at),
      littleEndian: cursor.littleEndian,
    };
  }

  flags(row: number): number {
    const { bytes, begin } = this.record(row);
    return bytes[begin + this.table.commonOffsets.flags] as number;
  }

  preemptCount(row: number): number {
    const { bytes, begin } = this.record(row);
    return bytes[begin + this.table.commonOffsets.preemptCount] as number;
  }

  fields(row: number): EventFields {
    const { formats, facts } = this.table.eventText;
    const format = formats.byId.get(this.id[row] as number);
    return format === undefined ? new Map() : recordFields(this.record(row), format, facts);
  }

  /** As the kernel prints it, without the event's name before it; a marker's is the marker alone. */
  text(row: number): string {
    const { eventText } = this.table;
    const format = eventText.formats.byId.get(this.id[row] as number);
    return format === undefined ? "" : eventText.body(format, this.record(row)).text;
  }
}
