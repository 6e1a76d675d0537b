/**
 * `blackout analyze` of a capture whose old boot has a large ftrace text and no raw pages: wall clock and peak memory of
 * the whole command, as a user waits for it. See README.md.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { largeRecording, median, members, printTable, root } from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    mb: { type: "string", default: "240" },
    runs: { type: "string", default: "5" },
  },
});
const STAMP = /^(.{16}-\d+ +\[\d+\] \S+ +)(\d+)(\.\d{6}: )/;

/** The trace's body again and again, each time later by its whole span, until the file has `bytes` bytes. */
function repeatTrace(trace, path, bytes) {
  const lines = trace.toString("latin1").split("\n");
  const body = lines.findIndex((line) => !line.startsWith("#"));
  const seconds = lines.flatMap((line) => STAMP.exec(line)?.[2] ?? []).map(Number);
  const span = seconds.reduce((most, each) => Math.max(most, each)) - seconds.reduce((a, b) => Math.min(a, b)) + 1;
  const file = openSync(path, "w");
  let written = writeSync(file, `${lines.slice(0, body).join("\n")}\n`);
  for (let round = 0; written < bytes; round++) {
    for (let from = body; from < lines.length - 1 && written < bytes; from += 20_000) {
      const part = lines.slice(from, Math.min(from + 20_000, lines.length - 1)).map((line) => {
        const match = STAMP.exec(line);
        if (match === null) return line;
        return `${match[1]}${Number(match[2]) + round * span}${match[3]}${line.slice(match[0].length)}`;
      });
      written += writeSync(file, Buffer.from(`${part.join("\n")}\n`, "latin1"));
    }
  }
  closeSync(file);
}

const folder = mkdtempSync(join(tmpdir(), "analyze-"));
try {
  for (const [path, bytes] of members(largeRecording())) {
    if (path.startsWith("ring/per_cpu/")) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (path === "ring/trace") repeatTrace(bytes, join(folder, path), Number(values.mb) * 1e6);
    else writeFileSync(join(folder, path), bytes);
  }
  const { size } = statSync(join(folder, "ring/trace"));
  const from = largeRecording().split("/").at(-1);
  console.log(`${(size / 1e6).toFixed(0)} MB of ${from}:ring/trace, node ${process.version}, ${values.runs} runs\n`);
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
  rmSync(folder, { recursive: true });
}
