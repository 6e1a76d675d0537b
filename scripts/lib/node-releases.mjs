/** Other releases of Node.js, from npm's packages of its binaries: to test with, and to build single files from. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { inProject } from "./project.mjs";

/**
 * The folder of a release for `platform` ("linux-x64", "linux-arm64"): bin/node and LICENSE. Installed once, below
 * node_modules/.cache. Null if neither npm's cache nor its registry has it.
 */
export function nodeRelease(version, platform = "linux-x64") {
  const place = inProject("node_modules/.cache/node-releases", `${platform}-${version}`);
  const release = `${place}/node_modules/node-${platform}`;
  if (existsSync(`${release}/bin/node`)) return release;
  mkdirSync(place, { recursive: true });
  const args = [
    "install",
    "--prefix",
    place,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--force",
    "--prefer-offline",
  ];
  spawnSync("npm", [...args, `node-${platform}@${version}`], { stdio: "ignore", timeout: 240_000 });
  return existsSync(`${release}/bin/node`) ? release : null;
}
