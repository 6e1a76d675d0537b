/**
 * What a filter saves: the same file read whole and with a filter that selects a hundredth of its events, as raw pages,
 * trace.dat and ftrace text; and `blackout events` printing both. See README.md.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { largeRecording, median, members, printTable, repeatPages, root } from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    rounds: { type: "string", default: "6" },
    runs: { type: "string", default: "5" },
  },
});
const { openTraceFile } = await import(join(root, values.dist, "collect/readers/trace-file.js"));
const { filterFrom, filterOfTrace } = await import(join(root, values.dist, "cli/input/event-filter-option.js"));
const main = join(root, values.dist, "cli/main.js");

/** A folder of raw pages: the ring repeated, each time later by its whole span; returns its first and last stamp. */
function prepare(folder) {
  const files = members(largeRecording());
  const rings = [0, 1].map((cpu) => files.get(`ring/per_cpu/cpu${cpu}/trace_pipe_raw`));
  const paths = rings.map((_, cpu) => join(folder, `per_cpu/cpu${cpu}/trace_pipe_raw`));
  for (const path of paths) mkdirSync(dirname(path), { recursive: true });
  const span = repeatPages(rings, paths, Number(values.rounds));
  for (const name of ["formats", "kallsyms"])
    writeFileSync(join(folder, name), gunzipSync(files.get(`old/${name}.gz`)));
  for (const name of ["saved_cmdlines", "header_page"]) writeFileSync(join(folder, name), files.get(`old/${name}`));
  return span.map((stamp) => Number(stamp) / 1e9);
}

/** Milliseconds of CPU time to read the file, and how many rows the filter selects. */
function read(path, text) {
  const asked = filterFrom({ filter: text, name: [] });
  if (!asked.ok) throw new Error(asked.error);
  const runs = Array.from({ length: Number(values.runs) }, () => {
    const opened = openTraceFile(path, { defect() {} });
    if (!opened.ok) throw new Error(opened.error);
    const begin = process.cpuUsage();
    let rows = 0;
    for (const part of opened.value.parts) {
      const filter = filterOfTrace(asked.value, part.clock).value;
      part.source(filter?.records).read({
        defect() {},
        chunk(chunk) {
          for (let row = 0; row < chunk.count; row++) rows += filter === null || filter.matches(chunk, row, 0) ? 1 : 0;
        },
      });
    }
    const { user, system } = process.cpuUsage(begin);
    opened.value.close();
    return { ms: (user + system) / 1000, rows };
  });
  return { ms: median(runs.map(({ ms }) => ms)), rows: runs[0].rows };
}

/** The same for the command that prints, including the start of Node.js. */
function print(path, text) {
  const out = openSync("/dev/null", "w");
  const runs = Array.from({ length: 3 }, () => {
    const begin = performance.now();
    const child = spawnSync(process.execPath, [main, "events", path, ...(text === null ? [] : ["--filter", text])], {
      stdio: ["ignore", out, "inherit"],
    });
    if (child.status !== 0) throw new Error(`events: ${child.status}`);
    return performance.now() - begin;
  });
  closeSync(out);
  return Math.min(...runs);
}

const folder = mkdtempSync(join(tmpdir(), "bench-filter-"));
try {
  const [from, to] = prepare(folder);
  const middle = (from + to) / 2;
  const span = (to - from) / 100;
  const filters = [
    [null, "all"],
    [`time=${middle.toFixed(9)}..${(middle + span).toFixed(9)}`, "1 % of the time"],
    ["event=sched_switch cpu=0", "one event, one CPU"],
    ["event=console", "a rare event"],
    ["pid=15", "one task"],
    [".next_pid=15", "a field"],
  ];
  const text = join(folder, "trace.txt");
  const made = spawnSync(process.execPath, [main, "convert", folder, "-o", text], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  for (const [what, path] of [
    ["raw pages", folder],
    ["ftrace text", text],
  ]) {
    const whole = read(path, null);
    const printed = print(path, null);
    console.log(`\n${what}, ${whole.rows.toLocaleString("en")} events\n`);
    printTable(
      ["filter", "events wanted", "read, CPU ms", "of all", "printed, s", "of all"],
      filters.map(([filter, name]) => {
        const { ms, rows } = filter === null ? whole : read(path, filter);
        const seconds = filter === null ? printed : print(path, filter);
        return [
          filter === null ? name : `${name}: \`${filter}\``,
          rows.toLocaleString("en"),
          ms.toFixed(0),
          `${((ms / whole.ms) * 100).toFixed(0)} %`,
          (seconds / 1000).toFixed(2),
          `${((seconds / printed) * 100).toFixed(0)} %`,
        ];
      }),
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
