/**
 * How fast trace.dat (both versions, packed by zstd) and Perfetto traces are read into the event table, and Perfetto
 * traces written; for comparison, in the same run, the decompressor alone and `trace-cmd report`. See README.md.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  fileSource,
  inProcess,
  largeRecording,
  median,
  members,
  peakKb,
  printTable,
  repeatPages,
  ringPages,
  root,
  timed,
  writeTraceDat,
} from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    rounds: { type: "string", default: "6" },
    runs: { type: "string", default: "7" },
    only: { type: "string" },
    folder: { type: "string" },
  },
});
/** The same number as in raw-pages.mjs. */
const WARM_RUNS = 41;
const from = (path) => import(join(root, values.dist, path));

/**
 * The large recording's ring, repeated, as a trace.dat of version 6, then of 7 by trace-cmd itself, and as Perfetto's.
 */
async function prepare(folder) {
  const pages = ringPages(members(largeRecording()));
  const paths = pages.map((_, cpu) => join(folder, `cpu${cpu}`));
  repeatPages(pages, paths, Number(values.rounds));
  await writeTraceDat(values.dist, paths, join(folder, "6.dat"));
  const convert = (...args) => spawnSync("trace-cmd", ["convert", "-i", join(folder, "6.dat"), ...args]).status === 0;
  const packed = convert("-o", join(folder, "7.dat"), "--file-version", "7", "--compression", "zstd");
  const main = join(root, values.dist, "cli/main.js");
  const written = spawnSync(process.execPath, [
    main,
    "convert",
    join(folder, "6.dat"),
    "-o",
    join(folder, "x.pftrace"),
  ]);
  if (written.status !== 0) throw new Error(String(written.stderr));
  return packed;
}

/** Every column of every event. */
function drain(parts) {
  let events = 0;
  for (const part of parts) {
    part.source().read({
      defect() {},
      chunk({ count, time, cpu, pid, comm, name, kind, place }) {
        events += count;
        if (time.length + cpu.length + pid.length + comm.length + name.length + kind.length + place.length < 7) throw 0;
      },
    });
  }
  return { events };
}

async function reading(path) {
  const { readTrace } = await from("collect/readers/trace-file.js");
  const found = readTrace(fileSource(path), { defect() {} });
  if (!found.ok) throw new Error(found.error);
  return () => drain(found.value.parts);
}

const workers = {
  "trace.dat v6": (folder) => reading(join(folder, "6.dat")),
  "trace.dat v7, zstd": (folder) => reading(join(folder, "7.dat")),
  async "its decompressor alone"(folder) {
    const { readTraceDatFile } = await from("collect/trace-dat/trace-dat-file.js");
    const { listChunks, unpack } = await from("collect/trace-dat/compression.js");
    const source = fileSource(join(folder, "7.dat"));
    const { cpus } = readTraceDatFile(source, { defect() {} }).value.buffers[0];
    const lists = cpus.map(({ offset }) => listChunks(source, offset, true));
    return () => {
      for (const { chunks } of lists) {
        for (const { at, packed, unpacked } of chunks) {
          const bytes = new Uint8Array(packed);
          source.read(bytes, at);
          if (!unpack(bytes, unpacked, "zstd").ok) throw new Error("a chunk cannot be unpacked");
        }
      }
      return { events: 0 };
    };
  },
  async "Perfetto trace, opened and read"(folder) {
    const { readTrace } = await from("collect/readers/trace-file.js");
    return () => drain(readTrace(fileSource(join(folder, "x.pftrace")), { defect() {} }).value.parts);
  },
  async "Perfetto written: slices of one argument"() {
    const { TraceWriter } = await from("export/perfetto/trace-writer.js");
    return () => {
      const writer = new TraceWriter(() => {});
      const track = writer.track({ parent: 0, name: "task" });
      const category = writer.intern("category", "function");
      const names = Array.from({ length: 300 }, (_, i) => writer.intern("name", `function_${i}`));
      const argument = writer.intern("annotationName", "ret");
      for (let i = 0; i < 1_000_000; i++) {
        const event = writer.beginEvent("slice", 1e15 + i * 1200, track, names[i % 300], category);
        writer.annotateInt(argument, i);
        writer.endEvent(event);
        writer.endSlice(1e15 + i * 1200 + 500, track);
      }
      writer.finish();
      return { events: writer.packets };
    };
  },
  async "Perfetto written from trace.dat v6, file and all"(folder) {
    const { readTrace } = await from("collect/readers/trace-file.js");
    const { writePerfettoEvents } = await from("export/perfetto-events.js");
    const { parts } = readTrace(fileSource(join(folder, "6.dat")), { defect() {} }).value;
    return () => {
      let axis = new Float64Array(0);
      const feed = (sink) =>
        parts[0].source().read({
          defect() {},
          chunk(chunk) {
            if (axis.length < chunk.count) axis = new Float64Array(chunk.count);
            const base = Number(chunk.base);
            for (let row = 0; row < chunk.count; row++) axis[row] = base + chunk.time[row];
            sink(chunk, axis);
          },
        });
      const { packets, ftraceEvents } = writePerfettoEvents(
        feed,
        { name: "x", release: null, machine: null },
        () => {},
      );
      return { events: packets + ftraceEvents };
    };
  },
};

if (values.folder !== undefined) {
  const work = await workers[values.only](values.folder);
  const most = Number(values.runs);
  // Short work is compiled only after some runs; work of several seconds, within one.
  const runs =
    values.only === "trace.dat v6" ? WARM_RUNS : values.only.startsWith("Perfetto") ? Math.min(3, most) : most;
  process.stdout.write(JSON.stringify({ results: timed(runs, work), peakKb: peakKb() }));
} else {
  const folder = mkdtempSync(join(tmpdir(), "trace-files-"));
  try {
    const hasTraceCmd = await prepare(folder);
    const size = (name) => `${(statSync(join(folder, name)).size / 1e6).toFixed(0)} MB`;
    console.log(
      `6.dat ${size("6.dat")}${hasTraceCmd ? `, 7.dat ${size("7.dat")}` : ""}, x.pftrace ${size("x.pftrace")}\n`,
    );
    const names = Object.keys(workers)
      .filter((name) => hasTraceCmd || !/v7|decompressor/.test(name))
      .filter((name) => values.only === undefined || name === values.only);
    const rows = names.map((name) => {
      const options = ["--only", name, "--folder", folder, "--runs", values.runs, "--dist", values.dist];
      const { results, peakKb: peak } = inProcess(import.meta.filename, options);
      const times = results.map(({ cpuMs }) => cpuMs);
      const { events } = results[0];
      const rate = (ms) => (events === 0 ? "-" : (events / 1000 / ms).toFixed(2));
      const ms = median(times);
      return [name, ms.toFixed(0), rate(times[0]), rate(ms), rate(Math.min(...times)), (peak / 1024).toFixed(0)];
    });
    if (hasTraceCmd && values.only === undefined) {
      for (const name of ["6.dat", "7.dat"]) {
        const script = `ulimit -t 600; trace-cmd report -i ${join(folder, name)} | wc -l; times`;
        const [lines, , children] = spawnSync("bash", ["-c", script], { encoding: "utf8" }).stdout.trim().split("\n");
        const ms = children.split(" ").reduce((sum, each) => {
          const [, minutes, seconds] = /(\d+)m([\d.]+)s/.exec(each);
          return sum + Number(minutes) * 60_000 + Number(seconds) * 1000;
        }, 0);
        rows.push([`trace-cmd report ${name}`, ms.toFixed(0), "-", (Number(lines) / 1000 / ms).toFixed(2), "-", "-"]);
      }
    }
    printTable(["what", "CPU ms (median)", "first M events or packets/s", "median", "best", "peak RSS MiB"], rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
