/** Looks through a watched folder: what lies there that may be a capture, and what must not be opened. */
import { existsSync, lstatSync, opendirSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { DEFAULT_LIMITS } from "../../../collect/files/capture-error.js";
import { isArchiveName } from "../../files/capture-paths.js";
import { nameProblem, naturalOrder } from "../../files/glob.js";
import type { Sighting } from "./intake.js";

/** An entry that has a capture's name but cannot be one; it is not opened. */
export interface Unusable {
  readonly path: string;
  readonly fingerprint: string;
  readonly reason: string;
}

export interface FolderView {
  /** By path, in natural order. */
  readonly sightings: readonly Sighting[];
  readonly unusable: readonly Unusable[];
}

/** Names of what is still being written: hidden, or with an ending that copiers use. Looked at once renamed. */
const UNFINISHED = /^\.|~$|\.(?:tmp|part|partial|crdownload|filepart|done)$/;

/**
 * Captures directly in the folder, or in folders in it (one for each host, say), at most `most` of them. A symbolic
 * link is not followed: it may lead anywhere. The error of a folder that cannot be read is thrown.
 */
export function lookThrough(folder: string, most: number): FolderView {
  const sightings: Sighting[] = [];
  const unusable: Unusable[] = [];
  const look = (place: string, depth: number): void => {
    for (const name of readdirSync(place).sort(naturalOrder)) {
      if (sightings.length >= most) return;
      if (UNFINISHED.test(name)) continue;
      const path = join(place, name);
      // It may be gone since it was listed.
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) {
        const reason = nameProblem(path);
        if (reason !== null) unusable.push({ path, fingerprint: "undecoded", reason });
        continue;
      }
      if (stats.isDirectory()) {
        if (existsSync(join(path, "capture.json"))) sightings.push(sightingOf(path, treeFingerprint(path)));
        else if (depth === 0) lookInto(path);
      } else if (isArchiveName(name)) {
        if (stats.isFile()) sightings.push(sightingOf(path, fingerprintOf(stats)));
        else unusable.push({ path, fingerprint: fingerprintOf(stats), reason: problemOf(stats) });
      }
    }
  };
  const lookInto = (path: string): void => {
    try {
      look(path, 1);
    } catch (error) {
      unusable.push({ path, fingerprint: "unreadable", reason: `it cannot be read: ${(error as Error).message}` });
    }
  };
  look(folder, 0);
  return { sightings, unusable };
}

function sightingOf(path: string, fingerprint: string): Sighting {
  return { path, fingerprint, done: existsSync(`${path}.done`) };
}

function fingerprintOf(stats: Stats): string {
  return [stats.ino, stats.size, stats.mtimeMs].join(" ");
}

/** Of all files in a capture's folder together, up to the number of members that a capture may have. */
function treeFingerprint(root: string): string {
  let members = 0;
  let bytes = 0;
  let latestMs = 0;
  const add = (place: string): void => {
    const folder = opendirSync(place);
    try {
      for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
        members += 1;
        if (members > DEFAULT_LIMITS.members) return;
        const path = join(place, entry.name);
        const stats = lstatSync(path, { throwIfNoEntry: false });
        if (stats === undefined) continue;
        latestMs = Math.max(latestMs, stats.mtimeMs);
        if (stats.isDirectory()) add(path);
        else bytes += stats.size;
      }
    } finally {
      folder.closeSync();
    }
  };
  try {
    add(root);
  } catch {
    // Part of it went away, or may not be read: the reader reports it if it stays like that.
    return `partly ${members} ${bytes} ${latestMs}`;
  }
  return `${members} ${bytes} ${latestMs}`;
}

function problemOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return "it is a symbolic link, which is not followed: put the capture itself there";
  const kind = stats.isFIFO() ? "a FIFO" : stats.isSocket() ? "a socket" : "a device";
  return `it is ${kind}, expected a file or a folder`;
}
