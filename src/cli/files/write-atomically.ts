/** Writes a file so that a reader, at any time, finds the old one or the new one, whole. */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { statsOf } from "./path-stats.js";

/** Takes the next bytes, or the next part of a text. */
export type Put = (part: string | Uint8Array) => void;

/**
 * Writes what `work` puts: beside `path` under a hidden name that ends in `.tmp` (collectors that take a folder's files
 * by their ending do not see it), synced, then renamed. A link is followed: its target is replaced. A device or a pipe
 * (`/dev/null`, `>(…)`) cannot be replaced, and is written to. Folders are made. A file that is replaced keeps its
 * permissions unless `mode` is given. Throws what the file system reports, and leaves nothing behind.
 */
export function writingAtomically<T>(path: string, work: (put: Put) => T, mode: number | null = null): T {
  const found = statsOf(path);
  if (found !== null && !found.isFile() && !found.isDirectory()) return writingTo(openSync(path, "w"), work, false);
  const target = found === null ? path : realpathSync(path);
  const folder = dirname(target);
  mkdirSync(folder, { recursive: true });
  const name = basename(target);
  const temporary = join(folder, `.${name.slice(0, 60)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    const file = openSync(temporary, "wx", mode ?? 0o666);
    if (mode === null && found !== null) fchmodSync(file, found.mode & 0o777);
    const made = writingTo(file, work, true);
    renameSync(temporary, target);
    syncFolder(folder);
    return made;
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function writingTo<T>(file: number, work: (put: Put) => T, synced: boolean): T {
  try {
    const made = work((part) => {
      const bytes = typeof part === "string" ? Buffer.from(part) : part;
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    });
    if (synced) fsyncSync(file);
    return made;
  } finally {
    closeSync(file);
  }
}

/** The same for content that is there as a whole. */
export function writeAtomically(path: string, data: string | Uint8Array, mode: number | null = null): void {
  writingAtomically(path, (put) => put(data), mode);
}

/** A rename lasts once its folder is on disk. Some network file systems cannot sync a folder, and need not. */
function syncFolder(folder: string): void {
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } catch (error) {
    if (!["EINVAL", "EISDIR", "ENOTSUP", "EBADF"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    closeSync(file);
  }
}
