/**
 * `blackout analyze` of a capture whose old boot has a large ftrace text and no raw pages, or with `--raw` large pages:
 * wall clock and peak memory of the whole command, as a user waits for it. See README.md.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { largeRecording, median, members, printTable, repeatPages, repeatTrace, root } from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    mb: { type: "string", default: "240" },
    raw: { type: "boolean", default: false },
    recording: { type: "string", default: largeRecording() },
    runs: { type: "string", default: "5" },
    keep: { type: "string" },
  },
});
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "analyze-"));
try {
  const files = members(values.recording);
  const isPages = (path) => path.startsWith("ring/per_cpu/") && path.endsWith("/trace_pipe_raw");
  const grown = [...files.keys()].filter((path) => (values.raw ? isPages(path) : path === "ring/trace"));
  for (const [path, bytes] of files) {
    // The counts in stats are those of one round; pages would be read instead of text.
    if (path.startsWith("ring/per_cpu/") && !(values.raw && isPages(path))) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (!grown.includes(path)) writeFileSync(join(folder, path), bytes);
  }
  const paths = grown.map((path) => join(folder, path));
  if (values.raw) {
    const pages = grown.map((path) => files.get(path));
    const once = pages.reduce((sum, { length }) => sum + length, 0);
    repeatPages(pages, paths, Math.ceil((Number(values.mb) * 1e6) / once));
  } else repeatTrace(files.get("ring/trace"), paths[0], Number(values.mb) * 1e6);
  const size = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  const from = values.recording.split("/").at(-1);
  const what = `${(size / 1e6).toFixed(0)} MB of ${from}:ring/${values.raw ? "per_cpu" : "trace"}`;
  console.log(`${what}, node ${process.version}, ${values.runs} runs\n`);
  const code = `process.on("exit", () => { const s = require("fs").readFileSync("/proc/self/status", "latin1"); const c = process.cpuUsage(); process.stderr.write("VmHWM " + /VmHWM:\\s+(\\d+)/.exec(s)[1] + " CPU " + (c.user + c.system)); });`;
  const preload = join(folder, "peak.cjs");
  writeFileSync(preload, code);
  const results = Array.from({ length: Number(values.runs) }, () => {
    const begin = performance.now();
    const args = ["--require", preload, join(root, values.dist, "cli/main.js"), "analyze", "--json", folder];
    const child = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 28 });
    const ms = performance.now() - begin;
    if (child.status !== 0) throw new Error(child.stderr);
    const usage = Number(/VmHWM (\d+)/.exec(child.stderr)?.[1] ?? Number.NaN);
    const cpu = Number(/CPU (\d+)/.exec(child.stderr)?.[1] ?? Number.NaN) / 1e6;
    const events = JSON.parse(child.stdout).sources?.reduce((sum, each) => sum + each.events, 0) ?? 0;
    return { ms, usage, cpu, events };
  });
  const times = results.map(({ ms }) => ms / 1000);
  printTable(
    ["what", "events", "median s", "best s", "CPU s (median)", "peak RSS MiB"],
    [
      [
        "blackout analyze",
        results[0].events.toLocaleString("en"),
        median(times).toFixed(2),
        Math.min(...times).toFixed(2),
        median(results.map(({ cpu }) => cpu)).toFixed(2),
        (Math.max(...results.map(({ usage }) => usage)) / 1024).toFixed(0),
      ],
    ],
  );
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true });
}
