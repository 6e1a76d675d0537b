/** Whether node_modules agrees with package-lock.json. */
import { existsSync, readFileSync } from "node:fs";
import { inProject } from "./project.mjs";
import { run, say } from "./step.mjs";

/**
 * Compares what npm noted in node_modules/.package-lock.json with package-lock.json. Modification times do not help:
 * git sets them on every checkout. Packages for other platforms are optional, and may be absent.
 */
export function isInstalled() {
  const wanted = packagesOf("package-lock.json");
  const present = packagesOf("node_modules/.package-lock.json");
  if (wanted === null || present === null) return false;
  const missing = Object.entries(wanted).some(([path, { version, integrity, optional, devOptional }]) => {
    if (path === "") return false;
    const found = present[path];
    if (found === undefined) return !(optional || devOptional);
    return found.version !== version || found.integrity !== integrity || !existsSync(inProject(path));
  });
  return !missing && Object.keys(present).every((path) => Object.hasOwn(wanted, path));
}

function packagesOf(lockfile) {
  try {
    return JSON.parse(readFileSync(inProject(lockfile), "utf8")).packages ?? null;
  } catch {
    return null;
  }
}

/** `npm ci`, with the npm that runs this script if one does. */
export async function install() {
  say("installing the packages of package-lock.json (npm ci)");
  // The tools are devDependencies, which NODE_ENV=production or a user's settings would leave out.
  // No package needs its installation scripts, and this project's own (prepare) is what may be running.
  const args = [
    "ci",
    "--ignore-scripts",
    "--include=dev",
    "--include=optional",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const npm = process.env.npm_execpath;
  if (npm?.endsWith(".js")) await run(process.execPath, [npm, ...args], { quiet: true });
  else await run("npm", args, { quiet: true });
}
