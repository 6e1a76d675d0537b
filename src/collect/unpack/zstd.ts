/**
 * Unpacks zstd, as a stream and in memory, within bounds that are checked before anything is allocated. Frames' content
 * checksums are verified, which fzstd leaves out: without it a damaged archive is answered from.
 */
import { Decompress } from "fzstd";
import { Xxh64 } from "../../base/bytes/xxh64.js";
import { err, ok, type Result } from "../../base/result.js";
import { checksumOf, ZstdFrames, type ZstdPart } from "./zstd-frames.js";
import { ZSTD_WINDOW_BYTES, type ZstdFault } from "./zstd-header.js";

/** As much as is handed to the frames' walk at a time. */
const PIECE_BYTES = 1 << 20;

/**
 * A stream of frames. The decoder gets a block at a time, so that only what one packed block unpacks to (128 KiB at
 * most) waits to be taken: fzstd alone would unpack all that it has, and reserve any window (up to 2 GiB).
 */
export class ZstdStream {
  readonly #frames = new ZstdFrames();
  #decoder: Decompress | null = null;
  #hash: Xxh64 | null = null;
  #out: Uint8Array[] = [];

  /** Yields what the packed bytes complete; returns the first fault. */
  *push(packed: Uint8Array): Generator<Uint8Array, ZstdFault | null> {
    const parts = this.#frames.push(packed);
    for (let next = parts.next(); ; next = parts.next()) {
      if (next.done === true) return next.value;
      const fault = this.#take(next.value);
      const out = this.#out;
      this.#out = [];
      yield* out;
      if (fault !== null) return fault;
    }
  }

  /** What is wrong with input that ends here. */
  end(): ZstdFault | null {
    return this.#frames.end();
  }

  #take(part: ZstdPart): ZstdFault | null {
    if (part.kind === "header") {
      this.#hash = new Xxh64();
      this.#decoder = new Decompress((chunk) => {
        if (chunk.length === 0) return;
        this.#hash?.update(chunk);
        // The decoder uses its window again.
        this.#out.push(chunk.slice());
      });
    }
    try {
      // It keeps short input until more comes.
      this.#decoder?.push(part.bytes.slice());
      if (part.endsFrame) this.#decoder?.push(new Uint8Array(0), true);
    } catch (error) {
      return { what: "corrupt", why: error instanceof Error ? error.message : String(error) };
    }
    if (part.kind !== "checksum") return null;
    const found = Number(BigInt.asUintN(32, this.#hash?.digest() ?? 0n));
    const stated = checksumOf(part);
    if (found === stated) return null;
    const hex = (value: number): string => value.toString(16).padStart(8, "0");
    return { what: "corrupt", why: `its content has the checksum ${hex(found)}, and its frame states ${hex(stated)}` };
  }
}

/** All frames of `packed`, one after the other; refused beyond `most` bytes. */
export function unpackZstd(packed: Uint8Array, most: number): Result<Uint8Array, string> {
  const stream = new ZstdStream();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (let at = 0; at < packed.length; at += PIECE_BYTES) {
    const pieces = stream.push(packed.subarray(at, at + PIECE_BYTES));
    for (let next = pieces.next(); ; next = pieces.next()) {
      if (next.done === true) {
        if (next.value !== null) return err(faultText(next.value));
        break;
      }
      bytes += next.value.length;
      if (bytes > most) return err(`it unpacks to more than ${most} bytes`);
      chunks.push(next.value);
    }
  }
  const end = stream.end();
  if (end !== null) return err(faultText(end));
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return ok(whole);
}

function faultText(fault: ZstdFault): string {
  if (fault.what !== "window") return fault.why;
  return `it needs a window of ${fault.bytes} bytes, more than ${ZSTD_WINDOW_BYTES}; unpack it with zstd -d first`;
}
