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
import { dirname, join, resolve } from "node:path";
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
 * Removes what tsc wrote for a source that no longer exists, so that an old test cannot pass. Returns what it removed.
 */
export function pruneStale() {
  const stale = filesUnder(dist).filter((path) => {
    if (!path.endsWith(".js") || existsSync(join(source, path.replace(/\.js$/, ".ts")))) return false;
    // Other build steps write JavaScript here too; the source map says where a file comes from.
    return firstSource(join(dist, path))?.startsWith(`${source}/`) ?? false;
  });
  for (const path of stale) {
    rmSync(join(dist, path));
    rmSync(join(dist, `${path}.map`), { force: true });
  }
  return stale;
}

function firstSource(script) {
  try {
    const [first] = JSON.parse(readFileSync(`${script}.map`, "utf8")).sources;
    return resolve(dirname(script), first);
  } catch {
    return null;
  }
}

/**
 * tsc trusts its notes, not the files: if an output is missing, the notes are removed too, and it writes everything
 * again.
 */
export function forgetIfIncomplete() {
  const complete = filesUnder(source)
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .every((path) => existsSync(join(dist, path.replace(/\.ts$/, ".js"))) || isNewSource(path));
  if (!complete) rmSync(buildInfo, { force: true });
}

function isNewSource(path) {
  return !existsSync(buildInfo) || statSync(join(source, path)).mtimeMs > statSync(buildInfo).mtimeMs;
}

/** Copies the files that compiled modules read from their own folder. Tests read their golden files from src. */
export function copyAssets() {
  const assets = filesUnder(source).filter((path) => !/\.(ts|md)$/.test(path) && !path.includes(".golden"));
  const before = existsSync(assetList) ? JSON.parse(readFileSync(assetList, "utf8")) : [];
  for (const path of before) if (!assets.includes(path)) rmSync(join(dist, path), { force: true });
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
