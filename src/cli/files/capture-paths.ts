/** Where captures lie: a folder with a manifest or an archive is one, any other folder may hold many. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { nameProblem, namesIn, naturalOrder } from "./glob.js";
import { statsOf } from "./path-stats.js";

const ARCHIVE = /\.(?:tar|tgz|tar\.gz|tar\.zst|tzst)$/;

/** Whether a file of this name is taken for a packed capture. */
export function isArchiveName(path: string): boolean {
  return ARCHIVE.test(path);
}

/** By the name alone: an archive's, or one without an ending, as folders have. */
function mayBeCapture(path: string): boolean {
  return isArchiveName(path) || !basename(path).includes(".");
}

/** By its manifest, or by an archive's name. False if the path does not exist. */
export function isCapturePath(path: string): boolean {
  const stats = statsOf(path);
  if (stats === null) return false;
  return stats.isDirectory() ? existsSync(join(path, "capture.json")) : isArchiveName(path);
}

/** The captures directly in a folder, in natural order; none if it is itself a capture, or no folder. */
export function capturesIn(path: string): readonly string[] {
  if (isCapturePath(path) || !statsOf(path)?.isDirectory()) return [];
  return (
    namesIn(path)
      .sort(naturalOrder)
      .map((name) => join(path, name))
      // One whose name cannot be decoded is passed on: its reader reports it.
      .filter((path) => isCapturePath(path) || (mayBeCapture(path) && nameProblem(path) !== null))
  );
}

/** Expands a folder of captures into its captures. Other paths are passed through; their reader rejects them. */
export function expandCaptures(paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => {
    const members = capturesIn(path);
    return members.length > 0 ? members : [path];
  });
}
