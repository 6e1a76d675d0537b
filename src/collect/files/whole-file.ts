/** A small file beside the events, read whole: what decodes them, a log, a clock reading. */

import { closeSync, readSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { DefectSink } from "../../base/defect.js";
import type { OpenFile } from "./open-file.js";

/** A capture's file that could be read when the capture was opened, and no longer can. */
export class CaptureReadError extends Error {
  constructor(path: string, cause: Error) {
    super(`${path} can no longer be read (${cause.message})`, { cause });
  }
}

/**
 * The whole file that `open` opens, unpacked if its name ends in `.gz`; null, and a defect, if it is larger than
 * `limit` bytes, packed or unpacked, or is damaged. Throws `CaptureReadError` if it cannot be read.
 */
export function wholeFile(name: string, open: () => OpenFile, limit: number, sink: DefectSink): Uint8Array | null {
  let packed: Uint8Array | null;
  try {
    packed = readWhole(open(), limit);
  } catch (error) {
    throw new CaptureReadError(name, error as Error);
  }
  const advice = "Collect the capture again; without this file its part of the answer is missing.";
  const larger =
    "Without this file its part of the answer is missing; if it is as it should be, raise its limit with --reader-limit (docs/reader-limits.md).";
  if (packed === null) {
    sink.defect({
      code: "file-too-large",
      severity: "error",
      file: name,
      message: `It is larger than the ${limit.toLocaleString("en")} bytes that such a file may have.`,
      advice: larger,
    });
    return null;
  }
  if (!name.endsWith(".gz")) return packed;
  const believed = Math.max(ANY_BYTES, MOST_RATIO * packed.length);
  const most = Math.min(limit, believed);
  try {
    // One piece of the announced size, so that nothing is copied; memory that is not written to is not taken.
    const chunkSize = Math.max(1 << 16, Math.min(most, announcedBytes(packed)) + 64);
    return gunzipSync(packed, { maxOutputLength: most, chunkSize });
  } catch (error) {
    const large = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    const bound = most < limit ? `${MOST_RATIO} times its size` : `the ${limit.toLocaleString("en")} bytes`;
    sink.defect({
      code: large ? "file-too-large" : "file-damaged",
      severity: "error",
      file: name,
      message: large
        ? `It unpacks to more than ${bound} that such a file may have.`
        : `It cannot be unpacked (${(error as Error).message}).`,
      advice: large && most === limit ? larger : advice,
    });
    return null;
  }
}

/** A .gz file may unpack to this, and beyond it to a multiple of its size: formats and symbols pack 4 to 12 times. */
const ANY_BYTES = 32 << 20;
const MOST_RATIO = 64;

/** The size of the content that the last member's trailer announces (RFC 1952, ISIZE), modulo 2^32. */
function announcedBytes(packed: Uint8Array): number {
  if (packed.length < 18) return 0;
  return new DataView(packed.buffer, packed.byteOffset + packed.length - 4, 4).getUint32(0, true);
}

/** The whole file, or null if it is larger than `limit`. */
function readWhole({ fd, stats: { size } }: OpenFile, limit: number): Uint8Array | null {
  try {
    if (size > limit) return null;
    const bytes = new Uint8Array(size);
    let got = 0;
    while (got < size) {
      const more = readSync(fd, bytes, got, size - got, got);
      if (more === 0) break;
      got += more;
    }
    return bytes.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}
