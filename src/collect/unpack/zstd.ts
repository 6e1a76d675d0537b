/** Unpacks zstd in memory, within bounds that are checked before anything is allocated. */
import { Decompress } from "fzstd";
import { err, ok, type Result } from "../../base/result.js";
import { ZSTD_WINDOW_BYTES, type ZstdFault, ZstdFrames } from "./zstd-frames.js";

/** As much as is handed to the frames' walk at a time. */
const PIECE_BYTES = 1 << 20;

/**
 * All frames of `packed`, one after the other; refused beyond `most` bytes. The decoder is given a block at a time: alone
 * it would reserve whatever window is asked (up to 2 GiB), and unpack whatever comes.
 */
export function unpackZstd(packed: Uint8Array, most: number): Result<Uint8Array, string> {
  const frames = new ZstdFrames();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const decoder = new Decompress((chunk) => {
    if (chunk.length === 0) return;
    bytes += chunk.length;
    chunks.push(chunk.slice());
  });
  const push = (part: Uint8Array, last: boolean): string | null => {
    try {
      decoder.push(part, last);
      return bytes > most ? `it unpacks to more than ${most} bytes` : null;
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (let at = 0; at < packed.length; at += PIECE_BYTES) {
    const parts = frames.push(packed.subarray(at, at + PIECE_BYTES));
    for (let next = parts.next(); ; next = parts.next()) {
      if (next.done === true) {
        if (next.value !== null) return err(faultText(next.value));
        break;
      }
      const fault = push(next.value.slice(), false);
      if (fault !== null) return err(fault);
    }
  }
  const end = frames.end();
  if (end !== null) return err(faultText(end));
  const fault = push(new Uint8Array(0), true);
  if (fault !== null) return err(fault);
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
