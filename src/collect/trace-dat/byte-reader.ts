/** Reads a trace.dat's numbers, strings and blobs one after the other; what ends early throws `EndsEarly`. */
import type { ByteSource } from "../../base/bytes/byte-source.js";

/** The file ends, or a length in it is beyond what is allowed: `message` says where and what was to be read. */
export class EndsEarly extends Error {
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message);
  }
}

/** Names in a trace.dat (systems, instances, compressors) are short; a longer one is damage. */
const MAX_STRING = 4096;

export class ByteReader {
  at = 0;
  readonly #head = new Uint8Array(8);
  readonly #view = new DataView(this.#head.buffer);

  constructor(
    readonly source: ByteSource,
    public littleEndian: boolean,
    /** Blobs larger than this are refused. */
    readonly limit: number,
  ) {}

  #fill(size: number, what: string): void {
    if (this.source.read(this.#head.subarray(0, size), this.at) < size) {
      throw new EndsEarly(
        `the file ends at byte ${this.source.size}, where ${what} is expected at byte ${this.at}`,
        this.at,
      );
    }
    this.at += size;
  }

  u8(what: string): number {
    this.#fill(1, what);
    return this.#head[0] as number;
  }

  u16(what: string): number {
    this.#fill(2, what);
    return this.#view.getUint16(0, this.littleEndian);
  }

  u32(what: string): number {
    this.#fill(4, what);
    return this.#view.getUint32(0, this.littleEndian);
  }

  u64(what: string): bigint {
    this.#fill(8, what);
    return this.#view.getBigUint64(0, this.littleEndian);
  }

  /** A 64-bit length or offset, which must lie within the file. */
  within(what: string): number {
    const from = this.at;
    const value = this.u64(what);
    if (value > BigInt(this.source.size)) {
      throw new EndsEarly(`${what} at byte ${from} is ${value}, beyond the file's ${this.source.size} bytes`, from);
    }
    return Number(value);
  }

  bytes(size: number, what: string): Uint8Array {
    if (size > this.limit) {
      throw new EndsEarly(
        `${what} at byte ${this.at} has ${size} bytes, more than the ${this.limit} allowed (--reader-limit trace-dat-section-bytes=…)`,
        this.at,
      );
    }
    if (this.at + size > this.source.size) {
      throw new EndsEarly(
        `the file ends at byte ${this.source.size}, inside ${what} (${size} bytes at byte ${this.at})`,
        this.at,
      );
    }
    const bytes = new Uint8Array(size);
    if (this.source.read(bytes, this.at) < size) throw new EndsEarly(`${what} cannot be read whole`, this.at);
    this.at += size;
    return bytes;
  }

  /** A NUL-terminated string. */
  string(what: string): string {
    const from = this.at;
    const head = new Uint8Array(Math.min(MAX_STRING, Math.max(0, this.source.size - from)));
    const end = head.subarray(0, this.source.read(head, from)).indexOf(0);
    if (end < 0) throw new EndsEarly(`${what} at byte ${from} has no end`, from);
    this.at = from + end + 1;
    return new TextDecoder("utf-8").decode(head.subarray(0, end));
  }
}
