/**
 * Peak memory of reading: a trace of each dialect and size is read into the event table, and each chunk is dropped
 * after use, in a separate process. See README.md.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import {
  inProcess,
  largeRecording,
  members,
  peakKb,
  printTable,
  repeatPages,
  repeatTrace,
  ringPages,
  root,
  writeTraceDat,
} from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    /** Of pages, and of text. */
    mb: { type: "string", default: "100,1000" },
    only: { type: "string" },
    folder: { type: "string" },
  },
});

/** Reads all events of the trace, with every column. */
async function read(path) {
  const { openTraceFile } = await import(join(root, values.dist, "collect/readers/trace-file.js"));
  const opened = openTraceFile(path, { defect() {} });
  if (!opened.ok) throw new Error(opened.error);
  let events = 0;
  for (const part of opened.value.parts) {
    part.source().read({
      defect() {},
      chunk({ count, time, cpu, pid, comm, name, kind, place }) {
        events += count;
        if (time.length + cpu.length + pid.length + comm.length + name.length + kind.length + place.length < 7) throw 0;
      },
    });
  }
  return events;
}

/** Made in another process: it would be counted as memory of reading. */
const files = values.folder === undefined ? members(largeRecording()) : new Map();

/** The ring, repeated, as a folder that `blackout events` reads. */
function makePages(folder, bytes) {
  const rings = ringPages(files);
  const paths = rings.map((_, cpu) => join(folder, `per_cpu/cpu${cpu}/trace_pipe_raw`));
  for (const path of paths) mkdirSync(dirname(path), { recursive: true });
  repeatPages(rings, paths, Math.ceil(bytes / rings.reduce((sum, { length }) => sum + length, 0)));
  for (const name of ["formats", "kallsyms"]) {
    writeFileSync(join(folder, name), gunzipSync(files.get(`old/${name}.gz`)));
  }
  for (const name of ["saved_cmdlines", "header_page"]) writeFileSync(join(folder, name), files.get(`old/${name}`));
  return paths;
}

function run(command, ...args) {
  const { status, stderr } = spawnSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

/** By dialect, the path of a trace made of `bytes` bytes of pages, or of text. */
const makers = {
  "raw pages": (folder) => join(folder, "pages"),
  "trace.dat v6": async (folder, paths) => {
    await writeTraceDat(values.dist, paths, join(folder, "6.dat"));
    return join(folder, "6.dat");
  },
  "trace.dat v7, zstd": (folder) => {
    const path = join(folder, "7.dat");
    run(
      "trace-cmd",
      "convert",
      "-i",
      join(folder, "6.dat"),
      "-o",
      path,
      "--file-version",
      "7",
      "--compression",
      "zstd",
    );
    return path;
  },
  "Perfetto trace": (folder) => {
    const path = join(folder, "x.pftrace");
    run(process.execPath, join(root, values.dist, "cli/main.js"), "convert", join(folder, "6.dat"), "-o", path);
    return path;
  },
  "ftrace text": (folder, _, bytes) => {
    const path = join(folder, "trace");
    repeatTrace(files.get("ring/trace"), path, bytes);
    return path;
  },
};

if (values.folder !== undefined) {
  const events = await read(values.folder);
  process.stdout.write(JSON.stringify({ results: [events], peakKb: peakKb() }));
} else {
  const rows = [];
  for (const mb of values.mb.split(",").map(Number)) {
    const folder = mkdtempSync(join(tmpdir(), "memory-"));
    try {
      const paths = makePages(join(folder, "pages"), mb * 1e6);
      for (const [what, make] of Object.entries(makers)) {
        const wanted = values.only === undefined || values.only === what;
        if (!wanted && what !== "trace.dat v6" && what !== "raw pages") continue;
        const path = await make(folder, paths, mb * 1e6);
        if (!wanted) continue;
        const { results, peakKb: peak } = inProcess(import.meta.filename, [
          "--only",
          what,
          "--folder",
          path,
          "--dist",
          values.dist,
        ]);
        const size = (what === "raw pages" ? paths : [path]).reduce((sum, each) => sum + statSync(each).size, 0);
        const row = [what, (size / 1e6).toFixed(0), results[0].toLocaleString("en"), (peak / 1024).toFixed(0)];
        rows.push(row);
        console.error(row.join("\t"));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  printTable(["what", "MB", "events", "peak RSS MiB"], rows);
}
