/**
 * Raw records as lines of JSON (docs/event.schema.json, of a trace), written as bytes. A record that needs more than
 * plain characters is made as text by the caller.
 */
import type { FieldValue } from "../../model/collected.js";
import type { EventFormat, FieldFormat } from "../formats/event-format.js";
import type { RecordChunk, RecordTable } from "../ring-buffer/record-chunk.js";
import { fieldOfRecord, isSymbolField } from "../ring-buffer/record-fields.js";
import { ByteWriter, isPlain } from "./byte-writer.js";
import { PrintStep, Program, type StepDraft } from "./program.js";
import { RecordCursor } from "./record-cursor.js";

const BLOCK_BYTES = 1 << 18;
const NEWLINE = 0x0a;
const MOST_TIME = Number.MAX_SAFE_INTEGER;
const MOST_BASE = BigInt(MOST_TIME);
const encoder = new TextEncoder();

export interface JsonLinesOptions {
  /** What follows a line's count: `,"clock":"local","instance":""}`. */
  readonly tail: string;
  /** The name of a row's kind. */
  readonly kindOf: (kind: number) => string;
  /** A row's whole line, as text. */
  readonly slow: (chunk: RecordChunk, row: number) => string;
  /** Takes a block of whole lines; its bytes are used again afterwards. */
  readonly write: (block: Uint8Array) => void;
}

/** Integers that a double cannot hold are texts; readers of JSON would round them unasked. */
export function fieldJson(value: FieldValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "null";
  return Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`;
}

export class JsonLines {
  readonly #options: JsonLinesOptions;
  readonly #out = new ByteWriter();
  readonly #record = new RecordCursor();
  readonly #head = encoder.encode('{"atNs":null,"boot":null,"cpu":');
  readonly #pidKey = encoder.encode(',"pid":');
  readonly #placeKey = encoder.encode(',"place":');
  readonly #countKey = encoder.encode(',"count":');
  readonly #tail: Uint8Array;
  #table: RecordTable | null = null;
  /** From a line's name to its fields' end, by event id; null if the line must be made as text. */
  #programs: (Program | null | undefined)[] = [];
  readonly #tasks = new Map<number, Uint8Array>();
  readonly #files = new Map<string, Uint8Array>();

  constructor(options: JsonLinesOptions) {
    this.#options = options;
    this.#tail = encoder.encode(`${options.tail}\n`);
  }

  /** Writes a chunk's rows that `matches` accepts (null: all), up to `limit` of them; returns how many. */
  rows(chunk: RecordChunk, matches: ((chunk: RecordChunk, row: number) => boolean) | null, limit: number): number {
    if (this.#table !== chunk.table) {
      this.#table = chunk.table;
      this.#programs = [];
      this.#tasks.clear();
    }
    const out = this.#out;
    const { count, cpu, comm, place, pid, time, id } = chunk;
    const isCounted = chunk.base < MOST_BASE;
    const base = isCounted ? Number(chunk.base) : 0;
    this.#record.enter(chunk);
    let written = 0;
    for (let row = 0; row < count && written < limit; row++) {
      if (matches !== null && !matches(chunk, row)) continue;
      written += 1;
      if (out.at >= BLOCK_BYTES) this.finish();
      const begin = out.at;
      const at = base + (time[row] as number);
      const task = this.#taskOf(chunk, comm[row] as number);
      const isPlainRow =
        isCounted &&
        at >= 0 &&
        at < MOST_TIME &&
        Number.isInteger(at) &&
        (cpu[row] as number) >= 0 &&
        (pid[row] as number) >= 0;
      if (
        isPlainRow &&
        this.#row(chunk, row, id[row] as number, cpu[row] as number, pid[row] as number, task, place[row] as number, at)
      ) {
        continue;
      }
      out.at = begin;
      out.text(this.#options.slow(chunk, row));
      out.reserve(1);
      out.bytes[out.at++] = NEWLINE;
    }
    return written;
  }

  /** Writes what was not yet handed on. */
  finish(): void {
    if (this.#out.at > 0) this.#options.write(this.#out.bytes.subarray(0, this.#out.at));
    this.#out.at = 0;
  }

  #row(
    chunk: RecordChunk,
    row: number,
    id: number,
    cpu: number,
    pid: number,
    task: Uint8Array,
    place: number,
    count: number,
  ): boolean {
    let program = this.#programs[id];
    if (program === undefined) {
      program = this.#compile(chunk, id);
      this.#programs[id] = program;
    }
    if (program === null) return false;
    const out = this.#out;
    const file = this.#fileOf(chunk.fileOf(row));
    out.reserve(256 + task.length + file.length + this.#tail.length);
    out.put(this.#head);
    out.decimal(cpu);
    out.put(this.#pidKey);
    out.decimal(pid);
    out.put(task);
    this.#record.move(chunk, row);
    if (!program.write(out, this.#record)) return false;
    out.reserve(128 + file.length + this.#tail.length);
    out.put(file);
    out.put(this.#placeKey);
    out.decimal(place);
    out.put(this.#countKey);
    out.decimal(count);
    out.put(this.#tail);
    return true;
  }

  #taskOf(chunk: RecordChunk, comm: number): Uint8Array {
    let task = this.#tasks.get(comm);
    if (task === undefined) {
      const name = chunk.strings.stringOf(comm);
      task = encoder.encode(`,"task":${name === "" ? "null" : JSON.stringify(name)}`);
      this.#tasks.set(comm, task);
    }
    return task;
  }

  #fileOf(name: string): Uint8Array {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = encoder.encode(`,"file":${JSON.stringify(name)}`);
      this.#files.set(name, file);
    }
    return file;
  }

  #compile(chunk: RecordChunk, id: number): Program | null {
    const { eventText } = chunk.table;
    const format = eventText.formats.byId.get(id);
    if (format === undefined || isSpecial(format)) return null;
    const kind = this.#options.kindOf(chunk.memory.kinds[id] as number);
    const head = `,"name":${JSON.stringify(format.name)},"kind":"${kind}","fields":{`;
    const parts: (string | StepDraft)[] = [head];
    for (const [i, field] of format.fields.entries()) {
      parts.push(`${i === 0 ? "" : ","}${JSON.stringify(field.name)}:`, ...this.#valueOf(field, format, chunk));
    }
    parts.push("}");
    const isPlainText = parts.every(
      (part) => typeof part !== "string" || isPlain(encoder.encode(part), 0, part.length),
    );
    return isPlainText ? new Program(parts) : null;
  }

  #valueOf(field: FieldFormat, format: EventFormat, { table }: RecordChunk): readonly (string | StepDraft)[] {
    const { facts } = table.eventText;
    const { offset, size } = field;
    const make = (record: RecordCursor): string | null => {
      const value = fieldOfRecord(record, field, facts);
      return value === null ? null : fieldJson(value);
    };
    switch (field.shape) {
      case "integer":
        if (![1, 2, 4, 8].includes(size)) return [{ step: PrintStep.made, make }];
        if (isSymbolField(field)) return [{ step: PrintStep.remembered, offset, size, make }];
        if (size === 8) return [{ step: PrintStep.json64, offset, size, flag: field.signed }];
        return [{ step: field.signed ? PrintStep.signed : PrintStep.unsigned, offset, size, flag: field.signed }];
      case "text":
        return ['"', { step: PrintStep.characters, offset, size, isQuoted: true }, '"'];
      case "data-loc":
        if (!field.isText) return [{ step: PrintStep.made, make }];
        return ['"', { step: PrintStep.located, offset, size: 4, isQuoted: true }, '"'];
      case "rest":
        if (format.system !== "ftrace" || format.name !== "print") return [{ step: PrintStep.made, make }];
        return ['"', { step: PrintStep.rest, offset, isQuoted: true }, '"'];
      case "rel-loc":
      case "bytes":
        return [{ step: PrintStep.made, make }];
    }
  }
}

/** Events whose fields are more than their format's: a duration, a stack's symbols. */
function isSpecial({ system, name }: EventFormat): boolean {
  return system === "ftrace" && (name === "funcgraph_exit" || name === "kernel_stack" || name === "user_stack");
}
