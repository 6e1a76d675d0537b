/**
 * Walks zstd's frames and blocks (RFC 8878, section 3.1) and hands them on one at a time, so that a decoder never has
 * more than one block's output to give, and never sees a frame that wants more memory than is allowed.
 */
import { frameHeader, u32, type ZstdFault } from "./zstd-header.js";

/** The most that a block holds, packed or not (section 3.1.1.2.4). */
const BLOCK_BYTES = 128 * 1024;
const RAW_RLE = 1;
const CHECKSUM_BYTES = 4;

/** What the walk stands before. */
type State = "frame" | "block" | "checksum" | "skippable frame";

/** A whole part of a frame. Its last block, or its checksum if it has one, `endsFrame`. */
export interface ZstdPart {
  readonly kind: "header" | "block" | "checksum";
  readonly bytes: Uint8Array;
  readonly endsFrame: boolean;
}

/** A part's length, or that more bytes are needed, or what is wrong with it. */
type Measured = number | "more" | ZstdFault;

export class ZstdFrames {
  #held: Uint8Array = new Uint8Array(0);
  #state: State = "frame";
  #hasChecksum = false;
  #skip = 0;
  #frames = 0;

  /**
   * Yields the whole parts that `bytes` completes, without skippable frames, and returns the first fault. At most one
   * part is held back.
   */
  *push(bytes: Uint8Array): Generator<ZstdPart, ZstdFault | null> {
    const input = this.#held.length === 0 ? bytes : concat(this.#held, bytes);
    let at = 0;
    while (at < input.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, input.length - at);
        this.#skip -= skipped;
        at += skipped;
        if (this.#skip === 0) this.#state = "frame";
        continue;
      }
      const rest = input.subarray(at);
      const length = this.#measure(rest);
      if (length === "more") break;
      if (typeof length !== "number") return length;
      at += length;
      const part = this.#advance(rest.subarray(0, length));
      if (part !== null) yield part;
    }
    this.#held = input.slice(at);
    return null;
  }

  /** What is wrong with input that ends here. */
  end(): ZstdFault | null {
    if (this.#held.length > 0 || this.#state !== "frame") {
      return { what: "truncated", why: `it ends inside a ${this.#state}` };
    }
    return this.#frames === 0 ? { what: "truncated", why: "it is empty" } : null;
  }

  #measure(bytes: Uint8Array): Measured {
    switch (this.#state) {
      case "frame": {
        const header = frameHeader(bytes);
        return typeof header === "object" && "kind" in header ? header.headerBytes : header;
      }
      case "block":
        return blockLength(bytes);
      case "checksum":
        return bytes.length < CHECKSUM_BYTES ? "more" : CHECKSUM_BYTES;
      case "skippable frame":
        return "more";
    }
  }

  /** Takes note of a measured part; null if it is not for the decoder. */
  #advance(bytes: Uint8Array): ZstdPart | null {
    switch (this.#state) {
      case "frame": {
        this.#frames += 1;
        const header = frameHeader(bytes);
        if (typeof header !== "object" || !("kind" in header)) return null;
        if (header.kind === "skippable") {
          this.#skip = header.contentBytes;
          this.#state = this.#skip > 0 ? "skippable frame" : "frame";
          return null;
        }
        this.#hasChecksum = header.hasChecksum;
        this.#state = "block";
        return { kind: "header", bytes, endsFrame: false };
      }
      case "block": {
        const isLast = ((bytes[0] as number) & 1) === 1;
        if (isLast) this.#state = this.#hasChecksum ? "checksum" : "frame";
        return { kind: "block", bytes, endsFrame: isLast && !this.#hasChecksum };
      }
      case "checksum":
        this.#state = "frame";
        return { kind: "checksum", bytes, endsFrame: true };
      case "skippable frame":
        return null;
    }
  }
}

/** The low 32 bits of the content's XXH64 that a frame's checksum states. */
export const checksumOf = (part: ZstdPart): number => u32(part.bytes, 0);

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function blockLength(bytes: Uint8Array): Measured {
  if (bytes.length < 3) return "more";
  const header = (bytes[0] as number) | ((bytes[1] as number) << 8) | ((bytes[2] as number) << 16);
  const type = (header >> 1) & 3;
  const size = header >>> 3;
  if (type === 3) return { what: "corrupt", why: "a block is of no known type" };
  if (size > BLOCK_BYTES) return { what: "corrupt", why: `a block holds ${size} bytes, more than ${BLOCK_BYTES}` };
  const length = 3 + (type === RAW_RLE ? 1 : size);
  return bytes.length < length ? "more" : length;
}
