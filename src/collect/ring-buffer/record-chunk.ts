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
  readonly comm: CommCache;
  /** common_flags, common_preempt_count, common_pid: where in a record. */
  readonly commonOffsets: { readonly flags: number; readonly preemptCount: number; readonly pid: number };
}

const COMM_SLOTS = 4096;
const COMM_SLOT_MASK = COMM_SLOTS - 1;

/** Task name ids of the pids seen last, one to a slot: a row's look-up is two loads, however many tasks there are. */
export class CommCache {
  /** No record has this pid: it is what empties a slot. */
  readonly slotPid = new Int32Array(COMM_SLOTS).fill(-2_147_483_648);
  readonly slotComm = new Uint32Array(COMM_SLOTS);
}

/** The columns that chunks of one reader share: a chunk is valid only during the sink call. */
export class RecordColumns {
  readonly time: Float64Array;
  readonly word: Int32Array;
  readonly id: Uint16Array;
  /** Index of the row's cursor. */
  readonly cursor: Uint16Array;
  /** By cursor: its CPU, and the file position of its block. */
  readonly cpuOf: Int16Array;
  readonly blockOf: Float64Array;
  readonly cpu: Int16Array;
  readonly pid: Int32Array;
  readonly comm: Uint32Array;
  readonly name: Uint32Array;
  readonly kind: Uint8Array;
  readonly place: Float64Array;

  constructor(
    readonly capacity: number,
    cursors: readonly PageCursor[],
  ) {
    this.cpuOf = Int16Array.from(cursors, ({ cpu }) => cpu);
    this.blockOf = new Float64Array(cursors.length);
    this.time = new Float64Array(capacity);
    this.word = new Int32Array(capacity);
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
  readonly time: Float64Array;
  readonly word: Int32Array;
  readonly id: Uint16Array;
  readonly pid: Int32Array;
  #cpu = false;
  #comm = false;
  #name = false;
  #kind = false;
  #place = false;

  /** `single` is the cursor of all rows, or null where `columns.cursor` says whose each is. */
  constructor(
    readonly file: string,
    readonly base: bigint,
    readonly count: number,
    readonly table: RecordTable,
    readonly cursors: readonly PageCursor[],
    readonly columns: RecordColumns,
    rows: Pick<RecordColumns, "time" | "word" | "id" | "pid">,
    readonly single: PageCursor | null,
  ) {
    this.boot = table.boot;
    this.strings = table.strings;
    this.time = rows.time;
    this.word = rows.word;
    this.id = rows.id;
    this.pid = rows.pid;
  }

  #cursorOf(row: number): PageCursor {
    return this.single ?? (this.cursors[this.columns.cursor[row] as number] as PageCursor);
  }

  get cpu(): Int16Array {
    const { cpu, cursor, cpuOf } = this.columns;
    if (!this.#cpu) {
      this.#cpu = true;
      const { count, single } = this;
      if (single !== null) cpu.fill(single.cpu, 0, count);
      else for (let row = 0; row < count; row++) cpu[row] = cpuOf[cursor[row] as number] as number;
    }
    return cpu;
  }

  get comm(): Uint32Array {
    const { comm } = this.columns;
    if (!this.#comm) {
      this.#comm = true;
      const { count, pid } = this;
      const { slotPid, slotComm } = this.table.comm;
      for (let row = 0; row < count; row++) {
        const task = pid[row] as number;
        const slot = task & COMM_SLOT_MASK;
        if (slotPid[slot] !== task) {
          slotPid[slot] = task;
          slotComm[slot] = this.strings.idOf(this.table.comms.get(task) ?? "<...>");
        }
        comm[row] = slotComm[slot] as number;
      }
    }
    return comm;
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
    const { place, cursor, blockOf } = this.columns;
    if (!this.#place) {
      this.#place = true;
      const { count, word, single } = this;
      for (const [i, each] of this.cursors.entries()) blockOf[i] = each.blockAt;
      if (single !== null) {
        const { blockAt } = single;
        for (let row = 0; row < count; row++) place[row] = blockAt + ((word[row] as number) >> 1) * 4;
      } else {
        for (let row = 0; row < count; row++) {
          place[row] = (blockOf[cursor[row] as number] as number) + ((word[row] as number) >> 1) * 4;
        }
      }
    }
    return place;
  }

  record(row: number): RecordBytes {
    const cursor = this.#cursorOf(row);
    const word = this.word[row] as number;
    return {
      view: cursor.view,
      bytes: cursor.bytes,
      begin: (word >> 1) * 4,
      length: cursor.lengthOf(word),
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
