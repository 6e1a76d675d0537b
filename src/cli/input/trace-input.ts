/** Whether what a user named is a capture, or a trace without one. */
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { constants, gunzipSync } from "node:zlib";
import { Decompress } from "fzstd";
import { packingOf } from "../../collect/unpack/archive-unpack.js";

/** A tar header's magic stands at byte 257 (POSIX.1-1988). */
const USTAR_AT = 257;
const HEAD_BYTES = 1 << 17;

/**
 * A capture is a folder with capture.json, or an archive; a file that is packed by itself (a Perfetto trace) is not.
 * A path that cannot be examined is left to the reader of captures, which reports why.
 */
export function isCapture(path: string): boolean {
  try {
    if (statSync(path).isDirectory())
      return existsSync(join(path, "capture.json")) || !existsSync(join(path, "per_cpu"));
    switch (packingOf(path)) {
      case null:
        return false;
      case "tar":
        return true;
      case "gzip":
        return isTar(gunzipSync(headOf(path), { finishFlush: constants.Z_SYNC_FLUSH }));
      case "zstd":
        return isTar(zstdHead(headOf(path)));
    }
  } catch {
    return true;
  }
}

function isTar(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(USTAR_AT, USTAR_AT + 5)).toString("latin1") === "ustar";
}

function headOf(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const head = new Uint8Array(HEAD_BYTES);
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
}

function zstdHead(packed: Uint8Array): Uint8Array {
  let first = new Uint8Array(0);
  const stream = new Decompress((chunk) => {
    if (first.length === 0) first = new Uint8Array(chunk);
  });
  stream.push(packed, false);
  return first;
}
