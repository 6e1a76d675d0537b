/**
 * Profiles every reader in the benchmarks' runs: `npm run profile`, into profiles/. With --clinic, by flame and doctor
 * of Clinic.js, as pages to open; it is installed in clinic/ if it is missing. See README.md.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./lib.mjs";

const { values } = parseArgs({
  options: {
    clinic: { type: "boolean", default: false },
    /** Only this script: raw-pages. */
    script: { type: "string" },
  },
});

function installClinic() {
  const cwd = join(root, "bench/clinic");
  if (existsSync(join(cwd, "node_modules/clinic"))) return;
  console.log("Clinic.js is installed in bench/clinic (154 MB)");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd, stdio: "inherit" });
  if (status !== 0) throw new Error("Clinic.js cannot be installed: run 'npm ci' in bench/clinic to see why");
}

const pages = join(root, "out/clinic");
if (values.clinic) {
  installClinic();
  mkdirSync(pages, { recursive: true });
}
const where = values.clinic ? { BENCH_CLINIC: pages } : { BENCH_PROFILES: join(root, "bench/profiles") };
const scripts = [
  ["raw-pages.mjs", "--runs", "21"],
  ["trace-files.mjs", "--rounds", "3", "--runs", "5"],
  ["ftrace-text.mjs", "--mb", "120"],
].filter(([script]) => values.script === undefined || script === `${values.script}.mjs`);
if (scripts.length === 0) throw new Error(`--script ${values.script}: raw-pages, trace-files or ftrace-text`);
for (const [script, ...options] of scripts) {
  const { status } = spawnSync(process.execPath, [join(root, "bench", script), ...options], {
    env: { ...process.env, ...where },
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
