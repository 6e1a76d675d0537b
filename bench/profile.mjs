/** Profiles every reader by the benchmarks' own runs, into profiles/: `npm run profile`. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./lib.mjs";

const env = { ...process.env, BENCH_PROFILES: join(root, "bench/profiles") };
for (const [script, ...options] of [
  ["raw-pages.mjs", "--runs", "21"],
  ["trace-files.mjs", "--rounds", "3", "--runs", "5"],
  ["ftrace-text.mjs", "--mb", "120"],
]) {
  const { status } = spawnSync(process.execPath, [join(root, "bench", script), ...options], { env, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
