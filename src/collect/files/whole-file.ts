/** A small file beside the events, read whole: what decodes them, a log, a clock reading. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { EventSink } from "../../model/collected.js";

/** A capture's file that could be read when the capture was opened, and no longer can. */
export class CaptureReadError extends Error {
  constructor(path: string, cause: Error) {
    super(`${path} can no longer be read (${cause.message})`, { cause });
  }
}

/**
 * The whole file, unpacked where its name ends in `.gz`; null, and a defect, where it is larger than `limit` bytes,
 * packed
 * or unpacked, or cannot be unpacked. Throws `CaptureReadError` where it cannot be read.
 */
export function wholeFile(
  name: string,
  path: string,
  limit: number,
  sink: Pick<EventSink, "defect">,
): Uint8Array | null {
  let packed: Uint8Array | null;
  try {
    packed = readWhole(path, limit);
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
  try {
    return gunzipSync(packed, { maxOutputLength: limit });
  } catch (error) {
    const large = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    sink.defect({
      code: large ? "file-too-large" : "file-damaged",
      severity: "error",
      file: name,
      message: large
        ? `It unpacks to more than the ${limit.toLocaleString("en")} bytes that such a file may have.`
        : `It cannot be unpacked (${(error as Error).message}).`,
      advice: large ? larger : advice,
    });
    return null;
  }
}

/** The whole file, or null where it is larger than `limit`. */
function readWhole(path: string, limit: number): Uint8Array | null {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
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
