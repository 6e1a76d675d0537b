/** Small text files that a person wrote, from wherever: a file, a pipe of the shell's <(…), and never without end. */
import { closeSync, readSync } from "node:fs";
import { err, ok, type Result } from "../../base/result.js";
import { openInput } from "../../collect/files/open-file.js";

/**
 * The text at `path`, of at most `limitBytes`. Sizes are not believed: a pipe has none, and a device may never end. The
 * error is what follows a path and a colon.
 */
export function readBoundedText(path: string, limitBytes: number): Result<string, string> {
  const bytes = readBoundedBytes(path, limitBytes);
  return bytes.ok ? ok(bytes.value.toString("utf8").replace(/^\ufeff/, "")) : bytes;
}

/** The same as bytes. */
export function readBoundedBytes(path: string, limitBytes: number): Result<Buffer, string> {
  const bytes = Buffer.alloc(limitBytes + 1);
  let length = 0;
  try {
    const { fd: file } = openInput(path);
    try {
      while (length <= limitBytes) {
        const read = readSync(file, bytes, length, bytes.length - length, null);
        if (read === 0) break;
        length += read;
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return err(`cannot be read: ${(error as Error).message}`);
  }
  if (length > limitBytes) return err(`larger than ${limitBytes >> 20} MiB`);
  return ok(bytes.subarray(0, length));
}
