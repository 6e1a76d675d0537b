/** Events that are held until they can be handed on in order: columns of numbers, and the events' own messages. */

import { WireReader } from "../../base/bytes/wire.js";

/** A row is valid until `keepAfter`. */
export class HeldEvents {
  #capacity = 1 << 8;
  #count = 0;
  /** Since the reader's base. */
  time = new Float64Array(this.#capacity);
  cpu = new Int16Array(this.#capacity);
  pid = new Int32Array(this.#capacity);
  /** The number of its field in FtraceEvent. */
  what = new Int32Array(this.#capacity);
  /** The row of the table of kernel symbols; -1: it has none. */
  table = new Int32Array(this.#capacity);
  /** Byte of its packet in the file. */
  place = new Float64Array(this.#capacity);
  /** The events' own messages, one after the other. */
  #begin = new Float64Array(this.#capacity + 1);
  #bytes = new Uint8Array(1 << 12);
  #used = 0;

  get count(): number {
    return this.#count;
  }

  /** Of the messages. */
  get bytes(): number {
    return this.#used;
  }

  add(time: number, cpu: number, pid: number, what: number, table: number, place: number, message: Uint8Array): void {
    if (this.#count === this.#capacity) this.#grow();
    if (this.#used + message.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + message.length));
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    const row = this.#count++;
    this.time[row] = time;
    this.cpu[row] = cpu;
    this.pid[row] = pid;
    this.what[row] = what;
    this.table[row] = table;
    this.place[row] = place;
    this.#begin[row] = this.#used;
    this.#bytes.set(message, this.#used);
    this.#used += message.length;
    this.#begin[row + 1] = this.#used;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const grown = <T extends Float64Array | Int32Array | Int16Array>(
      column: T,
      make: (length: number) => T,
      more = 0,
    ): T => {
      const wider = make(capacity + more);
      wider.set(column as never);
      return wider;
    };
    const floats = (length: number): Float64Array<ArrayBuffer> => new Float64Array(length);
    const integers = (length: number): Int32Array<ArrayBuffer> => new Int32Array(length);
    this.time = grown(this.time, floats);
    this.place = grown(this.place, floats);
    this.#begin = grown(this.#begin, floats, 1);
    this.pid = grown(this.pid, integers);
    this.what = grown(this.what, integers);
    this.table = grown(this.table, integers);
    this.cpu = grown(this.cpu, (length): Int16Array<ArrayBuffer> => new Int16Array(length));
    this.#capacity = capacity;
  }

  /** The rows up to the time `until`, in order. Stable: events of one time stay in the file's order. */
  rowsUntil(until: number): Uint32Array {
    const times = this.time;
    let count = 0;
    for (let i = 0; i < this.#count; i++) count += (times[i] as number) <= until ? 1 : 0;
    const order = new Uint32Array(count);
    for (let i = 0, row = 0; i < this.#count; i++) if ((times[i] as number) <= until) order[row++] = i;
    return order.sort((a, b) => (times[a] as number) - (times[b] as number) || a - b);
  }

  /** Moves what is later than `until` to the front, and forgets the rest. */
  keepAfter(until: number): void {
    let kept = 0;
    let used = 0;
    for (let i = 0; i < this.#count; i++) {
      if ((this.time[i] as number) <= until) continue;
      const [begin, end] = [this.#begin[i] as number, this.#begin[i + 1] as number];
      this.#bytes.copyWithin(used, begin, end);
      for (const column of [this.time, this.cpu, this.pid, this.what, this.table, this.place]) {
        column[kept] = column[i] as number;
      }
      this.#begin[kept] = used;
      used += end - begin;
      kept += 1;
    }
    this.#begin[kept] = used;
    this.#count = kept;
    this.#used = used;
  }

  /** The event's own message. */
  message(i: number): WireReader {
    return new WireReader(this.#bytes, this.#begin[i] as number, this.#begin[i + 1] as number);
  }
}
