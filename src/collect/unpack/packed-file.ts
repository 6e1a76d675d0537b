/**
 * A file packed as a whole by gzip, zstd, xz or bzip2, unpacked: small ones in memory, others by the program of that
 * name into a file, so that memory does not grow with it.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type ByteSource, memorySource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import { formatBytes } from "../../base/text/format.js";
import { fileSource } from "../files/file-source.js";
import { openFile } from "../files/open-file.js";
import { privateFolder } from "../files/private-folder.js";
import { unpackZstd } from "./zstd.js";
import { isZstd } from "./zstd-header.js";

export type Packer = "gzip" | "zstd" | "xz" | "bzip2";

const XZ = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];

/** What a file is packed by, by its first bytes; null if it is not. */
export function packerOf(head: Uint8Array): Packer | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (isZstd(head)) return "zstd";
  if (XZ.every((byte, at) => head[at] === byte)) return "xz";
  const [b, z, h, level] = head;
  return b === 0x42 && z === 0x5a && h === 0x68 && level !== undefined && level >= 0x31 && level <= 0x39
    ? "bzip2"
    : null;
}

/** Unpacks gzip or zstd in memory, up to `most` bytes; the error completes "packed by …: …". */
export function unpackInMemory(source: ByteSource, packer: Packer, most: number): Result<ByteSource, string> {
  if (packer !== "gzip" && packer !== "zstd") return err(`packed by ${packer}; unpack it first: ${packer} -dk FILE`);
  if (source.size > most) return err(tooMuch(packer, most));
  const packed = new Uint8Array(source.size);
  const bytes = packed.subarray(0, source.read(packed, 0));
  if (packer === "zstd") {
    const found = unpackZstd(bytes, most);
    return found.ok ? ok(memorySource(source.name, found.value)) : err(`packed by zstd, and damaged: ${found.error}`);
  }
  try {
    return ok(memorySource(source.name, gunzipSync(bytes, { maxOutputLength: most })));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") return err(tooMuch(packer, most));
    if (code === undefined) throw error;
    return err(`packed by gzip, and damaged: ${message}`);
  }
}

const tooMuch = (packer: Packer, most: number): string =>
  `packed by ${packer}, and unpacks to more than ${formatBytes(most)}; unpack it first: ${packer} -dk FILE`;

/** An unpacked file; its opener closes it, which removes what was unpacked. */
export type UnpackedFile = ByteSource & { close(): void };

/** Unpacks a file into a folder of its own. A damaged one is read as far as it unpacks: defect `packed-damaged`. */
export function unpackFile(
  name: string,
  path: string,
  packer: Packer,
  most: number,
  sink: DefectSink,
): Result<UnpackedFile, string> {
  const folder = privateFolder();
  const into = join(folder.path, "unpacked");
  const refuse = (why: string): Result<never, string> => {
    folder.remove();
    return err(why);
  };
  const { fd: from } = openFile(path);
  const to = openSync(into, "wx", 0o600);
  // One byte more than is allowed shows that there is more. `head` ends the program, whose exit code is then of no use.
  const run = spawnSync("/bin/sh", ["-c", `{ ${packer} -dc; echo $? >&3; } | head -c ${most + 1}`], {
    stdio: [from, to, "pipe", "pipe"],
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" },
  });
  closeSync(from);
  closeSync(to);
  const code = Number(String(run.output?.[3] ?? "").trim() || "-1");
  if (run.error !== undefined || code === 127) {
    if (packer === "gzip" || packer === "zstd") {
      folder.remove();
      const source = fileSource(name, path);
      const found = unpackInMemory(source, packer, most);
      source.close();
      return found.ok ? ok({ ...found.value, close: () => {} }) : found;
    }
    return refuse(`packed by ${packer}, which is not installed here; install it, or unpack the file elsewhere`);
  }
  const { size } = statSync(into);
  if (size > most) return refuse(tooMuch(packer, most));
  const why =
    String(run.stderr ?? "")
      .trim()
      .split("\n", 1)[0] ?? "";
  if (code !== 0 && size === 0) return refuse(`packed by ${packer}, and damaged: ${why}`);
  if (code !== 0) {
    sink.defect({
      code: "packed-damaged",
      severity: "error",
      file: name,
      message: `The file is packed by ${packer}, and damaged (${why}): it is read as far as it unpacks.`,
      advice: "Copy the file again and whole.",
    });
  }
  const source = fileSource(name, into);
  return ok({
    name,
    size: source.size,
    read: (bytes, position) => source.read(bytes, position),
    close() {
      source.close();
      folder.remove();
    },
  });
}

/** What the file at `path` is packed by. */
export function packerOfFile(path: string): Packer | null {
  const head = new Uint8Array(8);
  const fd = openSync(path, "r");
  try {
    return packerOf(head.subarray(0, readSync(fd, head, 0, head.length, 0)));
  } finally {
    closeSync(fd);
  }
}
