/** Whether what a user named is a capture, or a trace without one. */
import { closeSync, existsSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { constants, gunzipSync } from "node:zlib";
import { Decompress } from "fzstd";
import { type OpenFile, openFile } from "../../collect/files/open-file.js";
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
    const file = openFile(path);
    try {
      return isPackedTar(file);
    } finally {
      closeSync(file.fd);
    }
  } catch {
    return true;
  }
}

function isPackedTar(file: OpenFile): boolean {
  switch (packingOf(file)) {
    case null:
      return false;
    case "tar":
      return true;
    case "gzip":
      return isTar(gunzipSync(headOf(file), { finishFlush: constants.Z_SYNC_FLUSH }));
    case "zstd":
      return isTar(zstdHead(headOf(file)));
  }
}

function isTar(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(USTAR_AT, USTAR_AT + 5)).toString("latin1") === "ustar";
}

function headOf({ fd }: OpenFile): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  return head.subarray(0, readSync(fd, head, 0, head.length, 0));
}

function zstdHead(packed: Uint8Array): Uint8Array {
  let first = new Uint8Array(0);
  const stream = new Decompress((chunk) => {
    if (first.length === 0) first = new Uint8Array(chunk);
  });
  stream.push(packed, false);
  return first;
}
