/** Dictionary coding of byte strings: a hot loop looks names up without making a string; id 0 is the empty string. */
export class StringTable {
  readonly #strings: string[] = [""];
  readonly #hashes: number[] = [0];
  #bytes: Uint8Array[] = [new Uint8Array(0)];
  #slots = new Int32Array(256).fill(-1);
  /** Texts that were looked up as text, without their bytes. */
  readonly #byText = new Map<string, number>();

  /** How many ids there are; ids run from 0 to size - 1. */
  get size(): number {
    return this.#strings.length;
  }

  /** The id of the bytes from `begin` to `end`, added if new (latin-1 bytes above 0x7f are decoded as UTF-8). */
  idOfBytes(buffer: Uint8Array, begin: number, end: number): number {
    if (begin === end) return 0;
    let hash = 0x811c9dc5;
    for (let i = begin; i < end; i++) hash = Math.imul(hash ^ (buffer[i] as number), 0x01000193);
    hash = (hash ^ (hash >>> 15)) >>> 0;
    const length = end - begin;
    let slots = this.#slots;
    let slot = hash & (slots.length - 1);
    for (let id = slots[slot] as number; id >= 0; id = slots[slot] as number) {
      if (this.#hashes[id] === hash) {
        const bytes = this.#bytes[id] as Uint8Array;
        if (bytes.length === length) {
          let i = 0;
          while (i < length && bytes[i] === buffer[begin + i]) i++;
          if (i === length) return id;
        }
      }
      slot = (slot + 1) & (slots.length - 1);
    }
    const id = this.#strings.length;
    const copy = buffer.slice(begin, end);
    this.#bytes.push(copy);
    this.#hashes.push(hash);
    this.#strings.push(decoder.decode(copy));
    slots[slot] = id;
    if (id * 2 > slots.length) {
      slots = new Int32Array(slots.length * 2).fill(-1);
      for (let old = 1; old <= id; old++) {
        let free = (this.#hashes[old] as number) & (slots.length - 1);
        while ((slots[free] as number) >= 0) free = (free + 1) & (slots.length - 1);
        slots[free] = old;
      }
      this.#slots = slots;
    }
    return id;
  }

  /** The id of a text, added if new. */
  idOf(text: string): number {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const bytes = encoder.encode(text);
    const id = this.idOfBytes(bytes, 0, bytes.length);
    this.#byText.set(text, id);
    return id;
  }

  stringOf(id: number): string {
    return this.#strings[id] ?? "";
  }
}

const decoder = new TextDecoder("utf-8");
const encoder = new TextEncoder();
