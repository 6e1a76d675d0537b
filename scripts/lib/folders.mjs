/**
 * The size of folders: a drawer has one notion and at most 15 files at one level (docs/architecture.md). Generated
 * files are not counted: goldens, samples and JSON schemas.
 */
import { existsSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { filesUnder } from "./dist.mjs";
import { root as projectRoot } from "./project.mjs";

const mostFiles = 15;

const roots = ["src", "viewer", "scripts", "bench"];

const isGenerated = (file) =>
  /\.golden(\.|$)|\.schema\.json$/.test(basename(file)) ||
  dirname(file)
    .split("/")
    .some((folder) => /(^|[-.])(samples|goldens?)$/.test(folder));

/** What builds and installations leave in the tree. */
const isOutput = (file) => /(^|\/)(node_modules|dist)\//.test(file);

/** The folders with too many files, as sentences; `files` are relative to the project's root. */
export function folderFaults(files) {
  const counts = new Map();
  for (const file of files) {
    if (isGenerated(file) || isOutput(file)) continue;
    counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  }
  return [...counts].flatMap(([folder, count]) => {
    if (count <= mostFiles) return [];
    return [
      `${folder}: holds ${count} files at one level; the limit is ${mostFiles}. Move files of one notion to a drawer`,
    ];
  });
}

/** All faults of the tree. */
export function allFolderFaults(root = projectRoot) {
  return folderFaults(
    roots
      .filter((folder) => existsSync(join(root, folder)))
      .flatMap((folder) => filesUnder(join(root, folder)).map((file) => posix.join(folder, file))),
  );
}
