/** Keeps dist in step with the sources: nothing stale, nothing missing. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { inProject } from "./project.mjs";

const source = inProject("src");
const dist = inProject("dist");
/** tsc's notes on its last run. */
const buildInfo = join(dist, ".tsbuildinfo");
/** The list of copied files, to distinguish them from the output of other build steps. */
const assetList = join(dist, ".assets.json");

/** Paths of the files under a folder, relative to it, sorted; empty if it does not exist. */
export function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/**
 * Removes what tsc wrote for a source that no longer exists, so that an old test cannot pass: no other step writes
 * scripts or types into dist, and copied ones are listed. Source maps are those of earlier builds. Returns the scripts.
 */
export function pruneStale() {
  const copied = new Set(copiedBefore());
  const stale = filesUnder(dist).filter((path) => {
    if (copied.has(path) || path === ".tsbuildinfo") return false;
    if (path.endsWith(".js.map")) return true;
    return /\.(js|d\.ts)$/.test(path) && !existsSync(join(source, path.replace(/\.(js|d\.ts)$/, ".ts")));
  });
  for (const path of stale) rmSync(join(dist, path));
  return stale.filter((path) => path.endsWith(".js"));
}

function copiedBefore() {
  return existsSync(assetList) ? JSON.parse(readFileSync(assetList, "utf8")) : [];
}

/**
 * tsc trusts its notes, not the files: if an output is missing, the notes are removed too, and it writes everything
 * again.
 */
export function forgetIfIncomplete() {
  const complete = filesUnder(source)
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .every((path) => outputsOf(path).every((output) => existsSync(join(dist, output))) || isNewSource(path));
  if (!complete) rmSync(buildInfo, { force: true });
}

function outputsOf(path) {
  return [".js", ".d.ts"].map((ending) => path.replace(/\.ts$/, ending));
}

function isNewSource(path) {
  return !existsSync(buildInfo) || statSync(join(source, path)).mtimeMs > statSync(buildInfo).mtimeMs;
}

/** Copies the files that compiled modules read from their own folder. Tests read their golden files from src. */
export function copyAssets() {
  const assets = filesUnder(source).filter((path) => !/\.(ts|md)$/.test(path) && !path.includes(".golden"));
  for (const path of copiedBefore()) if (!assets.includes(path)) rmSync(join(dist, path), { force: true });
  for (const path of assets) {
    const [from, to] = [join(source, path), join(dist, path)];
    if (existsSync(to) && readFileSync(to).equals(readFileSync(from))) continue;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
  }
  writeFileSync(assetList, `${JSON.stringify(assets)}\n`);
}

/** npm makes it executable when it installs the package; in a checkout the build does. */
export function makeExecutable(path) {
  if (existsSync(path)) chmodSync(path, 0o755);
}
