/**
 * Packages that one test needs and that are too large for the project's own install: each in a folder of test-packages.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../places.js";

/** Installs it if it is missing; the error states why that failed. */
export function testPackage(name: string, needed: string): { readonly folder: string; readonly error: string | null } {
  const folder = join(projectRoot, "test-packages", name);
  if (existsSync(join(folder, "node_modules", needed))) return { folder, error: null };
  // Not `npm ci`: npm 11 finds the bindings of other platforms missing in a lock file that npm 11 has written.
  const args = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
  return { folder, error: status === 0 ? null : `npm cannot install ${needed}: ${stderr.split("\n", 1)[0]}` };
}
