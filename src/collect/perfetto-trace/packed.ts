/** What is packed by gzip, zstd or deflate: a whole trace, or packets inside a packet. */

import { gunzipSync, inflateSync } from "node:zlib";
import { type ByteSource, memorySource } from "../../base/bytes/byte-source.js";
import { err, ok, type Result } from "../../base/result.js";
import type { ReaderLimits } from "../files/reader-limits.js";
import { unpackZstd } from "../unpack/zstd.js";
import { isZstd } from "../unpack/zstd-header.js";

/** The trace as it was before it was packed; itself, if it is not packed. The error says why it cannot be unpacked. */
export function unpackedTrace(
  source: ByteSource,
  { "packed-trace-bytes": unpackedBytes }: ReaderLimits,
): Result<ByteSource, string> {
  const head = new Uint8Array(4);
  source.read(head, 0);
  const gzip = head[0] === 0x1f && head[1] === 0x8b;
  if (!gzip && !isZstd(head)) return ok(source);
  const first = `unpack it first (${gzip ? "gzip" : "zstd"} -d)`;
  if (source.size > unpackedBytes) return err(`it is packed and has ${source.size} bytes: ${first}`);
  const packed = new Uint8Array(source.size);
  source.read(packed, 0);
  const found = gzip ? gunzipped(packed, unpackedBytes) : unpackZstd(packed, unpackedBytes);
  if (!found.ok) return err(`it cannot be unpacked here: ${found.error}; ${first}`);
  return ok(memorySource(source.name, found.value));
}

function gunzipped(packed: Uint8Array, most: number): Result<Uint8Array, string> {
  try {
    return ok(gunzipSync(packed, { maxOutputLength: most }));
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    return err(tooLarge ? `it unpacks to more than ${most} bytes` : (error as Error).message);
  }
}

/** What a packet packed by deflate holds, of at most `most` bytes. */
export function inflated(packed: Uint8Array, most: number): Result<Uint8Array, string> {
  try {
    return ok(inflateSync(packed, { maxOutputLength: most }));
  } catch (error) {
    return err((error as Error).message);
  }
}
