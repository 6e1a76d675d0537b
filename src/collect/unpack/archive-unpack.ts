/**
 * Unpacks a .tar, .tar.gz or .tar.zst into a folder, streaming. The archive comes from another machine: nothing in it
 * is believed before it is checked, and the first thing that is wrong refuses the whole.
 */

import { createWriteStream, mkdirSync, read, readSync, type WriteStream } from "node:fs";
import { dirname, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { err, ok, type Result } from "../../base/result.js";
import { formatBytes } from "../../base/text/format.js";
import { quoted } from "../../base/text/quote.js";
import {
  type CaptureError,
  type CaptureErrorCode,
  type CaptureLimits,
  captureError,
  pathFault,
  RATIO_FREE_BYTES,
} from "../files/capture-error.js";
import type { OpenFile } from "../files/open-file.js";
import { ZstdStream } from "./zstd.js";
import { isZstd, ZSTD_WINDOW_BYTES, type ZstdFault } from "./zstd-header.js";

export type Packing = "tar" | "gzip" | "zstd";

/** A tar header's magic, `ustar`, stands at byte 257 (POSIX.1-1988; GNU tar alike). */
const USTAR_AT = 257;

const BLOCK = 512;
/** A member's header, its pax header and that one's records, and the padding of both. */
const MEMBER_OVERHEAD = 4 * BLOCK;
/** GNU tar pads an archive to a multiple of 20 blocks; more is allowed (tar -b). */
const RECORD = 1 << 20;

/** Where a member's data ends, in whole blocks; tar-stream says where it begins. */
function endOf(header: Header): number {
  const begin = (header as Header & { readonly byteOffset?: number }).byteOffset ?? 0;
  return header.type === "directory" ? begin : begin + Math.ceil((header.size ?? 0) / BLOCK) * BLOCK;
}

/** What a file is packed with, by its first bytes; null if it is not an archive. */
export function packingOf({ fd }: OpenFile): Packing | null {
  const head = Buffer.alloc(USTAR_AT + 5);
  readSync(fd, head, 0, head.length, 0);
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (isZstd(head)) return "zstd";
  return head.toString("latin1", USTAR_AT) === "ustar" ? "tar" : null;
}

/** Thrown inside the streams to stop them; never leaves this module. */
class Refusal extends Error {
  constructor(readonly refused: CaptureError) {
    super(refused.message);
  }
}

const refuse = (code: CaptureErrorCode, message: string, advice: string): Refusal =>
  new Refusal(captureError(code, message, advice));

const REPACK = "Pack the capture again with tar, from the folder that the recorder wrote.";
const TRANSFER = "Copy or pack the capture again: it was cut off or changed on its way.";

async function* unzstd(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const stream = new ZstdStream();
  for await (const chunk of packed) {
    const pieces = stream.push(chunk);
    for (let next = pieces.next(); ; next = pieces.next()) {
      if (next.done === true) {
        if (next.value !== null) throw zstdRefusal(next.value);
        break;
      }
      yield Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
    }
  }
  const fault = stream.end();
  if (fault !== null) throw zstdRefusal(fault);
}

function zstdRefusal(fault: ZstdFault): Refusal {
  switch (fault.what) {
    case "window":
      return refuse(
        "too-large",
        `To unpack it takes a zstd window of ${formatBytes(fault.bytes)}, more than ${formatBytes(ZSTD_WINDOW_BYTES)}.`,
        "Pack it with zstd -19 or less, without --long and --ultra.",
      );
    case "truncated":
      return refuse("truncated", `The archive ends in the middle (zstd: ${fault.why}).`, TRANSFER);
    case "corrupt":
      return refuse("corrupt", `The archive is damaged (zstd: ${fault.why}).`, TRANSFER);
  }
}

/** Counts what comes out and stops it at the limits. */
function guard(packedBytes: number, limits: CaptureLimits, count: (bytes: number) => void): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      count(chunk.length);
      if (seen > limits.totalBytes + limits.members * MEMBER_OVERHEAD + RECORD) {
        done(tooLarge(limits));
      } else if (seen > RATIO_FREE_BYTES && seen > packedBytes * limits.ratio) {
        const ratio = Math.floor(seen / Math.max(1, packedBytes)).toLocaleString("en");
        done(
          refuse(
            "bomb",
            `${packedBytes.toLocaleString("en")} packed bytes unpack to more than ${ratio} times as many.`,
            `A capture unpacks to at most ${limits.ratio.toLocaleString("en")} times its size; unpack it yourself if you trust it.`,
          ),
        );
      } else {
        done(null, chunk);
      }
    },
  });
}

function tooLarge(limits: CaptureLimits): Refusal {
  return refuse(
    "too-large",
    `It unpacks to more than ${limits.totalBytes.toLocaleString("en")} bytes.`,
    "Record less or, if you trust it, raise --reader-limit capture-bytes=….",
  );
}

/** Checks one member's header against all before it; returns its path without a leading `./`, or null for the root. */
function admit(header: Header, seen: Set<string>, limits: CaptureLimits): string | null {
  const name = header.name.replace(/^(?:\.\/)+/, "").replace(/\/$/, "");
  if (name === "" || name === ".") return null;
  const shown = quoted(header.name);
  const fault = pathFault(name, limits);
  if (fault !== null) throw refuse("bad-path", `Member ${shown} has a path that cannot be used: ${fault}.`, REPACK);
  switch (header.type) {
    case "file":
    case "contiguous-file":
    case "directory":
      break;
    case "symlink":
    case "link":
      throw refuse("link", `Member ${shown} is a link to ${quoted(header.linkname ?? "?")}.`, REPACK);
    default:
      throw refuse("special-file", `Member ${shown} is neither a file nor a folder (${header.type}).`, REPACK);
  }
  if (header.type !== "directory" && (header.size ?? 0) > limits.memberBytes) {
    throw refuse(
      "too-large",
      `Member ${shown} holds ${formatBytes(header.size ?? 0)}, more than ${formatBytes(limits.memberBytes)}.`,
      "Record less or, if you trust it, raise --reader-limit capture-file-bytes=….",
    );
  }
  if (header.type !== "directory" && seen.has(name)) {
    throw refuse("duplicate-member", `Member ${shown} stands in the archive twice.`, REPACK);
  }
  seen.add(name);
  if (seen.size > limits.members) {
    throw refuse("too-many-members", `It holds more than ${limits.members.toLocaleString("en")} members.`, REPACK);
  }
  return name;
}

/** Unpacks `archive` into the folder `into`, which must exist and be empty. */
export async function unpackArchive(
  archive: OpenFile,
  packing: Packing,
  into: string,
  limits: CaptureLimits,
): Promise<Result<null, CaptureError>> {
  const seen = new Set<string>();
  let bytes = 0;
  let files = 0;
  /** Unpacked bytes so far, and where the last member ends among them. */
  let unpacked = 0;
  let lastEnd = 0;
  const count = (more: number): void => {
    unpacked += more;
  };
  const tar = extract();
  /** The file being written and its end: a refused archive's last one may still be about to be made. */
  const writing = new Map<WriteStream, Promise<void>>();
  tar.on("entry", (header, stream, next) => {
    const fail = (error: unknown): void => void tar.destroy(error as Error);
    // What stops the archive stops its open member too, and is reported once: as the archive's error.
    stream.on("error", () => {});
    let name: string | null;
    try {
      name = admit(header, seen, limits);
      bytes += header.size ?? 0;
      lastEnd = endOf(header);
      if (bytes > limits.totalBytes) throw tooLarge(limits);
      if (name !== null && header.type === "directory") mkdirSync(join(into, name), { recursive: true });
      if (name !== null && header.type !== "directory") mkdirSync(dirname(join(into, name)), { recursive: true });
    } catch (error) {
      fail(withPlace(error, header.name));
      return;
    }
    if (name === null || header.type === "directory") {
      stream.resume();
      stream.on("end", next);
      return;
    }
    files += 1;
    // `wx`: a path that exists already (a file where a folder stood) is refused, never followed.
    const out = createWriteStream(join(into, name), { flags: "wx", mode: 0o600 });
    const closed = new Promise<void>((resolve) => out.once("close", resolve));
    writing.set(out, closed);
    void closed.then(() => writing.delete(out));
    pipeline(stream as unknown as Readable, out).then(
      () => next(),
      (error) => fail(withPlace(error, header.name)),
    );
  });
  const packed = archive.stats.size;
  const source = Readable.from(chunksOf(archive), { objectMode: false });
  try {
    switch (packing) {
      case "tar":
        await pipeline(source, guard(packed, limits, count), tar);
        break;
      case "gzip":
        await pipeline(source, createGunzip(), guard(packed, limits, count), tar);
        break;
      case "zstd":
        await pipeline(source, unzstd, guard(packed, limits, count), tar);
        break;
    }
  } catch (error) {
    return err(reasonOf(error));
  } finally {
    for (const out of writing.keys()) out.destroy();
    await Promise.all(writing.values());
  }
  // Two zero blocks end an archive (POSIX.1-1988); some writers write one. Cut between two members, it has none.
  if (unpacked < lastEnd + BLOCK) {
    return err(captureError("truncated", "The archive ends in the middle (its end mark is missing).", TRANSFER));
  }
  return files > 0 ? ok(null) : err(captureError("not-a-capture", "The archive holds no files.", REPACK));
}

const CHUNK_BYTES = 1 << 20;
const readAt = promisify(read);

/** The file from its begin; a stream of its own would close a descriptor that its opener closes. */
async function* chunksOf({ fd }: OpenFile): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A path that is once a file and once a folder shows up as a file-system error of ours. */
function withPlace(error: unknown, member: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EEXIST" || code === "ENOTDIR" || code === "EISDIR") {
    return refuse(
      "duplicate-member",
      `Member ${quoted(member)} is once a file and once a folder, or differs from another only by case.`,
      REPACK,
    );
  }
  return error;
}

function reasonOf(error: unknown): CaptureError {
  if (error instanceof Refusal) return error.refused;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "Z_BUF_ERROR" || /unexpected end|Unexpected end|invalid zstd data/i.test(message)) {
    return captureError("truncated", `The archive ends in the middle (${message}).`, TRANSFER);
  }
  if (code === "ENOSPC") {
    return captureError("unreadable", "There is no room left to unpack it.", "Free space in TMPDIR, or set TMPDIR.");
  }
  return captureError("corrupt", `The archive is damaged (${message}).`, TRANSFER);
}
