/**
 * Walks zstd's frames and blocks (RFC 8878, section 3.1) and hands them on one at a time, so that a decoder never has
 * more than one block's output to give, and never sees a frame that wants more memory than is allowed.
 */

/** What a decoder must at least support, and all that `zstd -1` to `-19` use (RFC 8878, section 3.1.1.1.2). */
export const ZSTD_WINDOW_BYTES = 8 * 2 ** 20;

export type ZstdFault =
  | { readonly what: "corrupt" | "truncated"; readonly why: string }
  | { readonly what: "window"; readonly bytes: number };

const MAGIC = 0xfd2fb528;
/** Frames of application data, 0x184D2A50 to 0x184D2A5F (section 3.1.2). */
const SKIPPABLE = 0x184d2a5;
/** The most that a block holds, packed or not (section 3.1.1.2.4). */
const BLOCK_BYTES = 128 * 1024;
const RAW_RLE = 1;

type State = "frame" | "block" | "checksum" | "skippable frame";

/** A part's length, or that more bytes are needed to tell, or what is wrong with it. */
type Measured = number | "more" | ZstdFault;

export class ZstdFrames {
  #held: Uint8Array = new Uint8Array(0);
  #state: State = "frame";
  #hasChecksum = false;
  #skip = 0;
  #frames = 0;

  /**
   * Yields the whole parts (frame header, block, checksum) that `bytes` completes, without skippable frames, and
   * returns the first fault. At most one part is held back.
   */
  *push(bytes: Uint8Array): Generator<Uint8Array, ZstdFault | null> {
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
      const part = rest.subarray(0, length);
      at += length;
      if (this.#advance(part)) yield part;
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
      case "frame":
        return frameHeaderLength(bytes);
      case "block":
        return blockLength(bytes);
      case "checksum":
        return bytes.length < 4 ? "more" : 4;
      case "skippable frame":
        return "more";
    }
  }

  /** Takes note of a part; false where it is not for the decoder. */
  #advance(part: Uint8Array): boolean {
    switch (this.#state) {
      case "frame":
        this.#frames += 1;
        if (isSkippable(part)) {
          this.#skip = u32(part, 4);
          this.#state = this.#skip > 0 ? "skippable frame" : "frame";
          return false;
        }
        this.#hasChecksum = ((part[4] as number) & 4) !== 0;
        this.#state = "block";
        return true;
      case "block":
        if (((part[0] as number) & 1) === 1) this.#state = this.#hasChecksum ? "checksum" : "frame";
        return true;
      case "checksum":
        this.#state = "frame";
        return true;
      case "skippable frame":
        return false;
    }
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const u32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>>
  0;

const isSkippable = (bytes: Uint8Array): boolean => u32(bytes, 0) >>> 4 === SKIPPABLE;

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

/** Frame_Header (section 3.1.1.1): descriptor, window, dictionary id, content size. */
function frameHeaderLength(bytes: Uint8Array): Measured {
  if (bytes.length < 8) return "more";
  if (isSkippable(bytes)) return 8;
  if (u32(bytes, 0) !== MAGIC) return { what: "corrupt", why: "bytes between its frames are no frame" };
  const descriptor = bytes[4] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 8) !== 0) return { what: "corrupt", why: "a frame sets a reserved bit" };
  if ((descriptor & 3) !== 0) return { what: "corrupt", why: "a frame needs a dictionary" };
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const length = 5 + (isSingleSegment ? 0 : 1) + sizeBytes;
  if (bytes.length < length) return "more";
  const window = isSingleSegment ? contentSize(bytes, 5, sizeBytes) : windowSize(bytes[5] as number);
  return window > ZSTD_WINDOW_BYTES ? { what: "window", bytes: window } : length;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(bytes: Uint8Array, at: number, length: number): number {
  switch (length) {
    case 1:
      return bytes[at] as number;
    case 2:
      return ((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) + 256;
    case 4:
      return u32(bytes, at);
    default:
      return u32(bytes, at) + u32(bytes, at + 4) * 2 ** 32;
  }
}
