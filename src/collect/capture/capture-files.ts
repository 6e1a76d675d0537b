/** The files of a capture: a folder, or an archive unpacked into a private temporary folder. */

import { accessSync, closeSync, constants, lstatSync, readdirSync, readSync, realpathSync, type Stats } from "node:fs";
import { join, relative } from "node:path";
import type { ByteSource } from "../../base/bytes/byte-source.js";
import { err, ok, type Result } from "../../base/result.js";
import { formatBytes } from "../../base/text/format.js";
import { quoted } from "../../base/text/quote.js";
import {
  type CaptureError,
  type CaptureLimits,
  captureError,
  DEFAULT_LIMITS,
  pathFault,
} from "../files/capture-error.js";
import type { CaptureFiles } from "../files/files.js";
import { NotAFile, type OpenFile, openBelow, openFile } from "../files/open-file.js";
import { type PrivateFolder, privateFolder } from "../files/private-folder.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { CaptureReadError, wholeFile } from "../files/whole-file.js";
import { packingOf, unpackArchive } from "../unpack/archive-unpack.js";

const MANIFEST = "capture.json";

/**
 * Opens a capture. Its paths are relative to the folder that holds `capture.json`: the given one, or the one folder at
 * the top of an archive. The caller closes it, which removes what was unpacked. `below`: a folder that others write, in
 * which it lies; then no link on the way to it is followed.
 */
export async function openCaptureFiles(
  path: string,
  limits: CaptureLimits = DEFAULT_LIMITS,
  readers: ReaderLimits = USUAL_READER_LIMITS,
  below: string | null = null,
): Promise<Result<CaptureFiles, CaptureError>> {
  const stat = lstatOrNull(path);
  if (stat === null) {
    // Bytes that are not UTF-8 were replaced when the folder was listed.
    const advice = path.includes("\ufffd") ? "Its name is not UTF-8: rename it." : "Check the path.";
    return err(captureError("not-found", `There is nothing at ${path}.`, advice));
  }
  // A link given on the command line is the user's own; links inside a capture are refused.
  const isFolder = stat.isDirectory() || (stat.isSymbolicLink() && isDirectory(path));
  if (isFolder) {
    const real = realpathSync(path);
    if (below !== null && real !== join(realpathSync(below), relative(below, path))) return err(linked(path));
    return openFolder(real, limits, readers, () => {}, path);
  }
  if (!stat.isFile() && !stat.isSymbolicLink()) {
    return err(captureError("special-file", `${path} is neither a file nor a folder.`, "Give a folder or an archive."));
  }
  let file: OpenFile;
  try {
    file = below === null ? openFile(path) : openBelow(realpathSync(below), relative(below, path));
  } catch (error) {
    if (!(error instanceof NotAFile)) {
      return err(captureError("unreadable", `${path}: ${(error as Error).message}`, "Check its permissions."));
    }
    return err(captureError("special-file", `${path}: ${error.message}.`, "Give a folder or an archive."));
  }
  try {
    return await openArchive(path, file, limits, readers);
  } finally {
    closeSync(file.fd);
  }
}

function linked(path: string): CaptureError {
  return captureError("link", `${path} lies behind a symbolic link.`, "Put the capture itself there.");
}

async function openArchive(
  path: string,
  file: OpenFile,
  limits: CaptureLimits,
  readers: ReaderLimits,
): Promise<Result<CaptureFiles, CaptureError>> {
  let packing: ReturnType<typeof packingOf>;
  try {
    packing = packingOf(file);
  } catch (error) {
    return err(captureError("unreadable", `${path}: ${(error as Error).message}`, "Check the disk."));
  }
  if (packing === null) {
    return err(
      captureError("not-a-capture", `${path} is no .tar, .tar.gz or .tar.zst.`, "Give a capture's folder or archive."),
    );
  }
  let folder: PrivateFolder;
  try {
    folder = privateFolder();
  } catch (error) {
    const message = `${path}: There is no place to unpack it: ${(error as Error).message}.`;
    return err(captureError("unreadable", message, "Set TMPDIR to a folder that can be written."));
  }
  const { path: into, remove: close } = folder;
  const unpacked = await unpackArchive(file, packing, into, limits);
  if (!unpacked.ok) {
    close();
    return err({ ...unpacked.error, message: `${path}: ${unpacked.error.message}` });
  }
  const opened = openFolder(realpathSync(manifestFolder(into)), limits, readers, close, path);
  if (!opened.ok) close();
  return opened;
}

/** Null if nothing can be there: also below a file, behind a circle of links, at a name too long. */
function lstatOrNull(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function isDirectory(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Where the manifest lies: at the top, or in the one folder there. */
function manifestFolder(top: string): string {
  const entries = readdirSync(top, { withFileTypes: true });
  if (entries.some((entry) => entry.name === MANIFEST)) return top;
  const only = entries.length === 1 ? entries[0] : undefined;
  return only?.isDirectory() === true ? join(top, only.name) : top;
}

/** `folder`: its real path. */
function openFolder(
  folder: string,
  limits: CaptureLimits,
  readers: ReaderLimits,
  close: () => void,
  shown: string,
): Result<CaptureFiles, CaptureError> {
  const listed = listFolder(folder, limits, shown);
  if (!listed.ok) return listed;
  const paths = listed.value;
  if (!paths.includes(MANIFEST)) {
    return err(
      captureError(
        "not-a-capture",
        `${shown} holds no ${MANIFEST}.`,
        "Give the folder that the recorder wrote, or an archive of it.",
      ),
    );
  }
  const known = new Set(paths);
  const open: FileSource[] = [];
  return ok({
    paths,
    limits: readers,
    open: (path) => {
      if (!known.has(path)) return null;
      const source = new FileSource(path, folder);
      open.push(source);
      return source;
    },
    bytes: (path, limit, sink) =>
      known.has(path) ? wholeFile(path, () => openBelow(folder, path), limit, sink) : null,
    close: () => {
      for (const source of open) source.close();
      close();
    },
  });
}

/** All regular files below, sorted; refuses links and special files. */
function listFolder(folder: string, limits: CaptureLimits, shown: string): Result<readonly string[], CaptureError> {
  const paths: string[] = [];
  const waiting = [""];
  let members = 0;
  let bytes = 0;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    let entries: ReturnType<typeof readEntries>;
    try {
      entries = readEntries(join(folder, at));
    } catch (error) {
      return err(captureError("unreadable", `${shown}: ${(error as Error).message}.`, "Check its permissions."));
    }
    for (const entry of entries) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      const fault = pathFault(path, limits);
      const where = `${shown}: ${quoted(path)}`;
      if (fault !== null) return err(captureError("bad-path", `${where} cannot be used: ${fault}.`, "Rename it."));
      members += 1;
      if (members > limits.members) {
        const most = limits.members.toLocaleString("en");
        return err(
          captureError(
            "too-many-members",
            `${shown} holds more than ${most} files.`,
            "Give one capture, or raise --reader-limit capture-files=….",
          ),
        );
      }
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isSymbolicLink()) {
        return err(captureError("link", `${where} is a link.`, "Put the file itself in its place."));
      } else if (entry.isFile()) {
        const stats = lstatOrNull(join(folder, path));
        if (stats === null) {
          return err(captureError("unreadable", `${where} is gone since it was listed.`, "Read it again."));
        }
        const { size } = stats;
        if (size > limits.memberBytes) {
          const most = formatBytes(limits.memberBytes);
          return err(
            captureError(
              "too-large",
              `${where} holds ${formatBytes(size)}, more than ${most}.`,
              "Record less, or raise --reader-limit capture-file-bytes=….",
            ),
          );
        }
        if (!isReadable(join(folder, path))) {
          return err(captureError("unreadable", `${where} may not be read.`, "Check its permissions."));
        }
        bytes += size;
        paths.push(path);
      } else {
        return err(captureError("special-file", `${where} is neither a file nor a folder.`, "Remove it."));
      }
    }
  }
  if (bytes > limits.totalBytes) {
    const most = limits.totalBytes.toLocaleString("en");
    return err(
      captureError(
        "too-large",
        `${shown} holds more than ${most} bytes.`,
        "Give one capture, record less, or raise --reader-limit capture-bytes=….",
      ),
    );
  }
  return ok(paths.sort());
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function readEntries(folder: string) {
  return readdirSync(folder, { withFileTypes: true });
}

/** A file read by position; opened on the first read. */
class FileSource implements ByteSource {
  readonly size: number;
  #fd: number | null = null;

  constructor(
    readonly name: string,
    readonly root: string,
  ) {
    this.size = lstatSync(join(root, name), { throwIfNoEntry: false })?.size ?? 0;
  }

  read(into: Uint8Array, position: number): number {
    try {
      this.#fd ??= openBelow(this.root, this.name).fd;
      let got = 0;
      while (got < into.length) {
        const more = readSync(this.#fd, into, got, into.length - got, position + got);
        if (more === 0) break;
        got += more;
      }
      return got;
    } catch (error) {
      throw new CaptureReadError(this.name, error as Error);
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}
