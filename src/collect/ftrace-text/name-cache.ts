/**
 * Ids of the names that lines repeat (tasks, events), through a small direct-mapped cache in front of the string table.
 * The table is bounded: a file of ever new names costs no more than MAX_NAMES of them.
 */
import type { StringTable } from "../../base/bytes/string-table.js";

/** A host has tens of thousands of tasks and events at most; beyond this the names are noise, and go nameless. */
const MAX_NAMES = 1 << 17;
const SLOTS = 4096;
/** Longer names are looked up in the table itself; the kernel's are at most 64 bytes (MAX_EVENT_NAME_LEN). */
const KEPT = 32;

export class NameCache {
  /** How many names were not taken in, because the table was full. */
  refused = 0;
  readonly #ids = new Int32Array(SLOTS).fill(-1);
  readonly #lengths = new Int32Array(SLOTS);
  readonly #bytes = new Uint8Array(SLOTS * KEPT);

  constructor(readonly strings: StringTable) {}

  /** The id of the bytes in [begin, end); 0 for none, and for a new name once the table is full. */
  idOf(buffer: Uint8Array, begin: number, end: number): number {
    const length = end - begin;
    if (length <= 0) return 0;
    if (length > KEPT) return this.#lookup(buffer, begin, end);
    let hash = length;
    for (let at = begin; at < end; at++) hash = (Math.imul(hash, 31) + (buffer[at] as number)) | 0;
    // Fibonacci hashing: the upper 12 bits of the product pick one of 4096 slots.
    const slot = Math.imul(hash, 0x9e3779b1) >>> 20;
    const kept = slot * KEPT;
    if (this.#lengths[slot] === length) {
      const bytes = this.#bytes;
      let i = 0;
      while (i < length && bytes[kept + i] === buffer[begin + i]) i++;
      if (i === length) return this.#ids[slot] as number;
    }
    const id = this.#lookup(buffer, begin, end);
    this.#ids[slot] = id;
    this.#lengths[slot] = length;
    for (let i = 0; i < length; i++) this.#bytes[kept + i] = buffer[begin + i] as number;
    return id;
  }

  #lookup(buffer: Uint8Array, begin: number, end: number): number {
    if (this.strings.size >= MAX_NAMES) {
      this.refused += 1;
      return 0;
    }
    return this.strings.idOfBytes(buffer, begin, end);
  }
}
