/** Files that survive a crash: written whole under another name, synced, and then put in place in one step. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, rename, stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ArchiveError } from "../format.js";

/** Names that no reader looks at: they begin with a dot and end in none of the archive's endings. */
export const TEMPORARY = /^\..{1,200}\.tmp$/;

export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 100)}.${randomBytes(6).toString("hex")}.tmp`);
}

export function randomName(): string {
  return randomBytes(10).toString("hex");
}

export function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === code;
}

/** The text of a file of the archive. A FIFO in its place would block its opener, and a link may lead anywhere. */
export async function readText(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new ArchiveError(`${path}: is not a file; restore it from a backup`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** What was written to the file is on the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The folder's names are on the disk. Some network file systems cannot sync a folder, and need not. */
export async function syncFolder(path: string): Promise<void> {
  try {
    await syncFile(path);
  } catch (error) {
    if (!["EINVAL", "EISDIR", "ENOTSUP", "EBADF"].some((code) => isCode(error, code))) throw error;
  }
}

/**
 * What must be on the disk before a commit names it: files, and the folders that got a new name. Synced together, as a
 * file system's journal takes many at once for little more than one.
 */
export class PendingSync {
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();

  file(path: string): void {
    this.#files.add(path);
    this.#folders.add(dirname(path));
  }

  /** Makes the folder and those above it, up to `root`. */
  async folder(root: string, path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    for (let at = path; at.length > root.length; at = dirname(at)) this.#folders.add(dirname(at));
  }

  /** False if one of the files is gone: a sweep took it for a killed writer's, and all must be written again. */
  async flush(): Promise<boolean> {
    const there = await Promise.all(
      [...this.#files].map(async (path) => {
        try {
          await syncFile(path);
          return true;
        } catch (error) {
          if (isCode(error, "ENOENT")) return false;
          throw error;
        }
      }),
    );
    await Promise.all([...this.#folders].map(syncFolder));
    this.#files.clear();
    this.#folders.clear();
    return !there.includes(false);
  }
}

/** Makes the folder and those above it up to `root`; new names are synced. */
export async function makeDurableFolder(root: string, path: string): Promise<void> {
  const pending = new PendingSync();
  await pending.folder(root, path);
  await pending.flush();
}

async function writeTemporary(path: string, data: string | Uint8Array): Promise<string> {
  const temporary = temporaryName(path);
  await writeFile(temporary, data, { flag: "wx", flush: true });
  return temporary;
}

/** Replaces the file in one step: a reader sees the old one or the new one. */
export async function replaceFile(path: string, data: string | Uint8Array): Promise<void> {
  await rename(await writeTemporary(path, data), path);
  await syncFolder(dirname(path));
}

/**
 * Creates a file under a new name: true if it is now there, whole and synced, and false if another was first. Uses
 * link(2), which is atomic on local file systems and on NFS; if a network file system's response is lost, the number of
 * links shows the result (open(2), under O_EXCL).
 */
export async function putIfAbsent(path: string, data: string): Promise<boolean> {
  const temporary = await writeTemporary(path, data);
  try {
    try {
      await link(temporary, path);
    } catch (error) {
      if (["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].some((code) => isCode(error, code))) {
        throw new ArchiveError(
          `${dirname(path)}: its file system has no hard links, by which writers agree who is first; put the archive on one that has`,
        );
      }
      if ((await stat(temporary)).nlink !== 2) {
        if (isCode(error, "EEXIST")) return false;
        throw error;
      }
    }
    await syncFolder(dirname(path));
    return true;
  } finally {
    await unlink(temporary).catch(() => {});
  }
}
