/**
 * Rows of raw records as a chunk of the event table. Time, place and id of a record are known from the walk; all other
 * columns are filled when they are first asked for, so that a consumer pays for what it reads.
 */
import type { StringTable } from "../../base/bytes/string-table.js";
import type { Boot } from "../../base/time.js";
import type { EventChunk, EventFields, FieldValue } from "../../model/collected.js";
import { areOfInterrupt } from "../../model/traces/record-flags.js";
import type { EventText } from "../event-text/event-text.js";
import type { RecordBytes } from "../event-text/record.js";
import type { FieldFormat, ParsedFormats } from "../formats/event-format.js";
import type { PageCursor } from "./page-cursor.js";
import { fieldOfRecord, isSymbolField, recordFields } from "./record-fields.js";
import { COMM_SLOTS, type RowMemory } from "./row-memory.js";

/** Fields by name and event id, looked up once each. */
export class FieldsByName {
  readonly #known = new Map<string, (FieldFormat | null | undefined)[]>();

  /** Null if the event has no such field; undefined if its fields are more than its format's. */
  of(name: string, id: number, { byId }: ParsedFormats): FieldFormat | null | undefined {
    let fields = this.#known.get(name);
    if (fields === undefined) {
      if (this.#known.size >= MOST_NAMES) this.#known.clear();
      fields = [];
      this.#known.set(name, fields);
    }
    const known = fields[id];
    if (known !== undefined) return known;
    const format = byId.get(id);
    if (format?.system === "ftrace") return undefined;
    const found = format?.fields.find((field) => field.name === name) ?? null;
    fields[id] = found;
    return found;
  }
}
/** A filter names a few fields. */
const MOST_NAMES = 256;

/** What is the same for all chunks of a reader. */
export interface RecordTable {
  readonly fieldsByName: FieldsByName;
  readonly boot: Boot;
  readonly strings: StringTable;
  readonly eventText: EventText;
  /** Task names by pid. */
  readonly comms: ReadonlyMap<number, string>;
  /** common_flags, common_preempt_count, common_pid: where in a record. */
  readonly commonOffsets: { readonly flags: number; readonly preemptCount: number; readonly pid: number };
}

/** Events of the ftrace system whose content is text that kernel code makes. */
const PRINTED: ReadonlySet<string> = new Set(["print", "kernel_stack", "user_stack"]);

/** The task's name, as an id in the string table; `<...>`, as the kernel prints it, if no name is recorded. */
export function commOf({ strings, comms }: RecordTable, pid: number): number {
  return strings.idOf(comms.get(pid) ?? "<...>");
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

  constructor(
    readonly base: bigint,
    readonly count: number,
    readonly table: RecordTable,
    readonly memory: RowMemory,
    readonly cursors: readonly PageCursor[],
  ) {
    this.boot = table.boot;
    this.strings = table.strings;
    this.time = memory.time;
    this.word = memory.word;
    this.id = memory.id;
    this.pid = memory.pid;
  }

  get cpu(): Int16Array {
    const { cpu, wordShift } = this.memory;
    if (this.#cpu) return cpu;
    this.#cpu = true;
    const cpuOf = Int16Array.from(this.cursors, (cursor) => cursor.cpu);
    for (let row = 0; row < this.count; row++) {
      cpu[row] = cpuOf[(this.word[row] as number) >>> (wordShift + 1)] as number;
    }
    return cpu;
  }

  get comm(): Uint32Array {
    const { comm, slotPid, slotComm } = this.memory;
    if (this.#comm) return comm;
    this.#comm = true;
    for (let row = 0; row < this.count; row++) {
      const task = this.pid[row] as number;
      const slot = task & (COMM_SLOTS - 1);
      if (slotPid[slot] !== task) {
        slotPid[slot] = task;
        slotComm[slot] = commOf(this.table, task);
      }
      comm[row] = slotComm[slot] as number;
    }
    return comm;
  }

  get name(): Uint32Array {
    const { name, names } = this.memory;
    if (this.#name) return name;
    this.#name = true;
    for (let row = 0; row < this.count; row++) name[row] = names[this.id[row] as number] as number;
    return name;
  }

  get kind(): Uint8Array {
    const { kind, kinds } = this.memory;
    if (this.#kind) return kind;
    this.#kind = true;
    for (let row = 0; row < this.count; row++) kind[row] = kinds[this.id[row] as number] as number;
    return kind;
  }

  /** The byte of its CPU's file where a record's payload begins. */
  get place(): Float64Array {
    const { place, wordShift } = this.memory;
    if (this.#place) return place;
    this.#place = true;
    // What added to a word's byte in the blocks makes its byte in the CPU's file.
    const fileOffset = Float64Array.from(this.cursors, (cursor) => cursor.byteOf(0));
    for (let row = 0; row < this.count; row++) {
      const own = this.word[row] as number;
      place[row] = (fileOffset[own >>> (wordShift + 1)] as number) + (own >> 1) * 4;
    }
    return place;
  }

  fileOf(row: number): string {
    const cursor = this.cursors[(this.word[row] as number) >>> (this.memory.wordShift + 1)];
    return (cursor as PageCursor).source.name;
  }

  record(row: number): RecordBytes {
    const { view, bytes, littleEndian } = this.memory;
    const word = this.word[row] as number;
    return { view, bytes, begin: (word >> 1) * 4, length: this.memory.lengthOf(word), littleEndian };
  }

  flags(row: number): number {
    const { bytes, begin } = this.record(row);
    return bytes[begin + this.table.commonOffsets.flags] as number;
  }

  inInterrupt(row: number): boolean {
    return areOfInterrupt(this.flags(row));
  }

  preemptCount(row: number): number {
    const { bytes, begin } = this.record(row);
    return bytes[begin + this.table.commonOffsets.preemptCount] as number;
  }

  fields(row: number): EventFields {
    const { formats, facts } = this.table.eventText;
    const format = formats.byId.get(this.id[row] as number);
    if (format === undefined) return new Map();
    const record = this.record(row);
    const fields = recordFields(record, format, facts, this.memory.symbols);
    if (format.system !== "ftrace" || !PRINTED.has(format.name)) return fields;
    // A mark as the kernel's text has it, without the newline that ends its line; a stack as symbols, not as bytes.
    const buf = fields.get("buf");
    if (typeof buf === "string") return buf.endsWith("\n") ? new Map([...fields, ["buf", buf.slice(0, -1)]]) : fields;
    const stack = this.table.eventText.body(format, record).text;
    return new Map([...fields, ["caller", stack.slice(stack.indexOf("\n") + 1).trim()]]);
  }

  field(row: number, name: string): FieldValue | undefined {
    const id = this.id[row] as number;
    const field = this.table.fieldsByName.of(name, id, this.table.eventText.formats);
    if (field === undefined) return this.fields(row).get(name);
    if (field === null) return undefined;
    const { symbols } = this.memory;
    const { facts } = this.table.eventText;
    const record = this.record(row);
    return (isSymbolField(field) ? symbols.of(record, field, facts) : fieldOfRecord(record, field, facts)) ?? undefined;
  }

  /** As the kernel prints it, without the event's name before it; a marker's is the marker alone. */
  text(row: number): string {
    const { eventText } = this.table;
    const format = eventText.formats.byId.get(this.id[row] as number);
    return format === undefined ? "" : eventText.body(format, this.record(row)).text;
  }
}
