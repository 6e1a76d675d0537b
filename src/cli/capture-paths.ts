/** Where captures lie: a folder with a manifest or an archive is one, any other folder may hold many. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { naturalOrder } from "./glob.js";

const ARCHIVE = /\.(?:tar|tgz|tar\.gz|tar\.zst|tzst)$/;

/** By its manifest, or by an archive's name. False where nothing is there. */
export function isCapturePath(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  return stats.isDirectory() ? existsSync(join(path, "capture.json")) : ARCHIVE.test(path);
}

/** The captures directly in a folder, in natural order; none where it is itself a capture, or no folder. */
export function capturesIn(path: string): readonly string[] {
  if (isCapturePath(path) || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(path)
    .sort(naturalOrder)
    .map((name) => join(path, name))
    .filter(isCapturePath);
}

/** Each path, but for a folder of captures these in its place; what is none of all stays, to be refused by its reader. */
export function expandCaptures(paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => {
    const members = capturesIn(path);
    return members.length > 0 ? members : [path];
  });
}
