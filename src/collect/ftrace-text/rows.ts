/** Rows of the event table while they are read, and the chunk that hands them on. */
import type { StringTable } from "../../base/bytes/string-table.js";
import type { Boot } from "../../base/time.js";
import type { EventChunk, EventFields } from "../../model/collected.js";
import { decodeFields } from "./fields.js";
import type { LineParser } from "./line-parser.js";
import type { Shape } from "./shape.js";

const CAPACITY = 16_384;

export class Rows {
  count = 0;
  readonly #time = new Float64Array(CAPACITY);
  readonly #cpu = new Int16Array(CAPACITY);
  readonly #pid = new Int32Array(CAPACITY);
  readonly #comm = new Uint32Array(CAPACITY);
  readonly #name = new Uint32Array(CAPACITY);
  readonly #kind = new Uint8Array(CAPACITY);
  readonly #place = new Float64Array(CAPACITY);
  readonly #shape = new Uint8Array(CAPACITY);
  readonly #begin = new Int32Array(CAPACITY);
  readonly #end = new Int32Array(CAPACITY);
  readonly #inInterrupt = new Uint8Array(CAPACITY);
  readonly #depth = new Int16Array(CAPACITY);
  readonly #durationBegin = new Int32Array(CAPACITY);
  readonly #durationEnd = new Int32Array(CAPACITY);

  get full(): boolean {
    return this.count === CAPACITY;
  }

  /** Takes over what the parser found; `time` is in counts since the base. */
  add(parser: LineParser, time: number, line: number): void {
    const row = this.count++;
    this.#time[row] = time;
    this.#cpu[row] = parser.cpu;
    this.#pid[row] = parser.pid;
    this.#comm[row] = parser.comm;
    this.#name[row] = parser.name;
    this.#kind[row] = parser.kind;
    this.#place[row] = line;
    this.#shape[row] = parser.shape;
    this.#inInterrupt[row] = parser.inInterrupt ? 1 : 0;
    this.#begin[row] = parser.begin;
    this.#end[row] = parser.end;
    this.#depth[row] = parser.depth;
    this.#durationBegin[row] = parser.durationBegin;
    this.#durationEnd[row] = parser.durationEnd;
  }

  /** Lets the last row's payload end at `end`. */
  extend(end: number): void {
    this.#end[this.count - 1] = end;
  }

  /** Forgets all rows but the last `keep` (0 or 1), whose bytes have moved `shift` towards the buffer's start. */
  drop(keep: 0 | 1, shift: number): void {
    const last = this.count - 1;
    this.count = keep;
    if (keep === 0) return;
    for (const column of [this.#time, this.#cpu, this.#pid, this.#comm, this.#name, this.#kind, this.#place]) {
      column[0] = column[last] as number;
    }
    for (const column of [this.#shape, this.#inInterrupt, this.#depth]) column[0] = column[last] as number;
    for (const column of [this.#begin, this.#end, this.#durationBegin, this.#durationEnd]) {
      column[0] = Math.max(0, (column[last] as number) - shift);
    }
  }

  /** The first `count` rows as a chunk; valid until rows are added or dropped, or the buffer changes. */
  chunk(boot: Boot, file: string, base: bigint, strings: StringTable, buffer: Buffer, count: number): EventChunk {
    const [begin, end, shape, depth, name] = [this.#begin, this.#end, this.#shape, this.#depth, this.#name];
    const inInterrupt = this.#inInterrupt;
    const [durationBegin, durationEnd] = [this.#durationBegin, this.#durationEnd];
    const text = (row: number): string => buffer.toString("utf8", begin[row] as number, end[row] as number);
    return {
      boot,
      fileOf: () => file,
      base,
      count,
      time: this.#time,
      cpu: this.#cpu,
      pid: this.#pid,
      comm: this.#comm,
      name,
      kind: this.#kind,
      place: this.#place,
      strings,
      text,
      inInterrupt: (row) => inInterrupt[row] !== 0,
      fields(row: number): EventFields {
        return decodeFields({
          shape: shape[row] as Shape,
          name: strings.stringOf(name[row] as number),
          text: text(row),
          depth: depth[row] as number,
          duration: buffer.toString("latin1", durationBegin[row] as number, durationEnd[row] as number),
        });
      },
    };
  }
}
