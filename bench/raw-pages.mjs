/**
 * How fast raw ring-buffer pages are read into the event table, and, in the same run, a bare walk over the same pages
 * that only counts records: the best that JavaScript can do. See README.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import {
  fileSource,
  inProcess,
  largeRecording,
  median,
  members,
  peakKb,
  printTable,
  repeatPages,
  root,
  timed,
} from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    events: { type: "string", default: "2500000" },
    runs: { type: "string", default: "7" },
    only: { type: "string" },
    folder: { type: "string" },
  },
});
const PAGE = 4096;
const CPUS = [0, 1];

/** Counts the data records of a page, and their time. */
function walk(words, from, end) {
  let count = 0;
  let time = 0;
  for (let at = from; at < end; ) {
    const header = words[at];
    const type = header & 31;
    if (type >= 1 && type <= 28) {
      count++;
      time += header >>> 5;
      at += 1 + type;
    } else if (type === 0) {
      count++;
      at += 1 + ((words[at + 1] + 3) >>> 2);
    } else if (type === 29) {
      if (header >>> 5 === 0) break;
      at += 1 + (words[at + 1] >>> 2);
    } else at += 2;
  }
  return count + (time < 0 ? 1 : 0);
}

/** The ring's pages again and again until there are `events` of them. */
function prepare(folder) {
  const files = members(largeRecording());
  const pages = CPUS.map((cpu) => files.get(`ring/per_cpu/cpu${cpu}/trace_pipe_raw`)).filter(Boolean);
  let count = 0;
  for (const bytes of pages) {
    const words = new Uint32Array(new Uint8Array(bytes).buffer);
    for (let at = 0; at < words.length; at += PAGE / 4) {
      count += walk(words, at + 4, at + 4 + ((words[at + 2] & 0x7ff_ffff) >>> 2));
    }
  }
  const rounds = Math.ceil(Number(values.events) / count);
  const paths = pages.map((_, cpu) => join(folder, `cpu${cpu}`));
  repeatPages(pages, paths, rounds);
  for (const name of ["formats", "kallsyms"]) {
    writeFileSync(join(folder, name), gunzipSync(files.get(`old/${name}.gz`)));
  }
  return { events: count * rounds, bytes: pages.reduce((sum, each) => sum + each.length * rounds, 0) };
}

async function ringSource(folder) {
  const { ringBufferSource, DEFAULT_LAYOUT } = await import(
    join(root, values.dist, "collect/ring-buffer/ring-buffer.js")
  );
  const { parseFormats } = await import(join(root, values.dist, "collect/formats/event-format.js"));
  const { readFileSync } = await import("node:fs");
  return ringBufferSource({
    boot: "old",
    cpus: CPUS.map((cpu) => ({ cpu, source: fileSource(join(folder, `cpu${cpu}`)), entries: null })),
    formats: parseFormats(readFileSync(join(folder, "formats")), "formats", { defect() {} }),
    layout: DEFAULT_LAYOUT,
    symbols: () => null,
    comms: new Map([[0, "<idle>"]]),
    clock: "local",
  });
}

/** Reads the source and calls `use` with each chunk. */
function reading(source, use) {
  let events = 0;
  source.read({
    defect(defect) {
      throw new Error(defect.message);
    },
    chunk(chunk) {
      events += chunk.count;
      use(chunk);
    },
  });
  return { events };
}

const workers = {
  async "event table, every column"(folder) {
    const source = await ringSource(folder);
    return () =>
      reading(source, (chunk) => {
        const { time, cpu, pid, comm, name, kind, place } = chunk;
        if (time.length + cpu.length + pid.length + comm.length + name.length + kind.length + place.length < 7) throw 0;
      });
  },
  async "event table, time, name and kind"(folder) {
    const source = await ringSource(folder);
    return () =>
      reading(source, ({ time, name, kind }) => {
        if (time.length + name.length + kind.length < 3) throw 0;
      });
  },
  async "bare walk"(folder) {
    const block = new Uint8Array(1 << 18);
    const words = new Uint32Array(block.buffer);
    const sources = CPUS.map((cpu) => fileSource(join(folder, `cpu${cpu}`)));
    return () => {
      let events = 0;
      for (const source of sources) {
        for (let at = 0; ; ) {
          const got = source.read(block, at);
          if (got === 0) break;
          at += got;
          for (let page = 0; page < got; page += PAGE) {
            const from = page / 4 + 4;
            events += walk(words, from, from + ((words[page / 4 + 2] & 0x7ff_ffff) >>> 2));
          }
        }
      }
      return { events };
    };
  },
};

if (values.only !== undefined) {
  const work = await workers[values.only](values.folder);
  process.stdout.write(JSON.stringify({ results: timed(Number(values.runs), work), peakKb: peakKb() }));
} else {
  const folder = mkdtempSync(join(tmpdir(), "raw-pages-"));
  mkdirSync(folder, { recursive: true });
  try {
    const { events, bytes } = prepare(folder);
    const what = `${(bytes / 1e6).toFixed(0)} MB, ${events.toLocaleString("en")} events of ${largeRecording().split("/").at(-1)}`;
    console.log(`${what}, node ${process.version}, ${values.runs} runs each\n`);
    const rows = Object.keys(workers).map((name) => {
      const options = ["--only", name, "--folder", folder, "--runs", values.runs, "--dist", values.dist];
      const { results, peakKb: peak } = inProcess(import.meta.filename, options);
      if (results.some((result) => result.events !== events)) throw new Error(`${name} found other events`);
      const times = results.map(({ cpuMs }) => cpuMs);
      const rate = (ms) => (events / 1000 / ms).toFixed(1);
      return [name, rate(times[0]), rate(median(times)), rate(Math.min(...times)), (peak / 1024).toFixed(0)];
    });
    printTable(["what", "first M events/s", "median", "best", "peak RSS MiB"], rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
