/**
 * How fast the ftrace text reader is, and how much memory it takes, on 240 MB of real trace text; and, in the same run,
 * a bare loop that only counts the newlines of the same bytes. See README.md.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { inProcess } from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    mb: { type: "string", default: "240" },
    runs: { type: "string", default: "5" },
    layout: { type: "string", default: "columns" },
    only: { type: "string" },
    file: { type: "string" },
  },
});
const root = resolve(import.meta.dirname, "..");
const NEWLINE = 10;
const BLOCK = 1024 * 1024;

/** The first member of a .tar.gz whose path ends with `suffix` (ustar: 512-byte blocks, size in octal at 124). */
function member(archive, suffix) {
  const tar = gunzipSync(readFileSync(archive));
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8) || 0;
    if (name.endsWith(suffix)) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`${archive} holds no ${suffix}`);
}

/** A real trace: the large one beside the checkout if it exists, else the shipped one. */
function realTrace() {
  const part = values.layout === "graph" ? "new/trace" : "ring/trace";
  const large = resolve(root, "../shared/captures/busy.tar.gz");
  const archive = values.layout === "columns" && existsSync(large) ? large : join(root, "traces/plain.tar.gz");
  return { name: `${archive.split("/").at(-1)}:${part}`, bytes: member(archive, part) };
}

const STAMP = values.layout === "graph" ? /^( *)(\d+)(\.\d{6} \|)/ : /^(.{16}-\d+ +\[\d+\] \S+ +)(\d+)(\.\d{6}: )/;

/** Writes the trace's body again and again, each time some seconds later, until the file has `bytes` bytes. */
function repeat(trace, path, bytes) {
  const lines = trace.toString("latin1").split("\n");
  const body = lines.findIndex((line) => !line.startsWith("#"));
  const seconds = lines.flatMap((line) => STAMP.exec(line)?.[2] ?? []).map(Number);
  const span = Math.max(...new Set(seconds)) - Math.min(...new Set(seconds)) + 1;
  const file = openSync(path, "w");
  writeSync(file, `${lines.slice(0, body).join("\n")}\n`);
  let written = 0;
  let time = 0;
  for (let round = 0; written < bytes; round++) {
    let text = "";
    for (let i = body; i < lines.length - 1 && written < bytes; i++) {
      const match = STAMP.exec(lines[i]);
      const moved =
        match === null
          ? lines[i]
          : `${match[1]}${Number(match[2]) + round * span}${match[3]}${lines[i].slice(match[0].length)}`;
      text += `${moved}\n`;
      if (match !== null) time = Number(match[2]) + round * span;
      if (text.length > 4 * BLOCK || i === lines.length - 2) {
        written += writeSync(file, Buffer.from(text, "latin1"));
        text = "";
      }
    }
  }
  closeSync(file);
  return time;
}

function fileSource(path) {
  const file = openSync(path, "r");
  return {
    name: path,
    size: statSync(path).size,
    read: (into, position) => readSync(file, into, 0, into.length, position),
  };
}

/** The process's own peak: that of getrusage is inherited from the parent through fork. */
function peakKb() {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "latin1") : "";
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
}

const workers = {
  async reader(path) {
    const { ftraceTextSource } = await import(join(root, values.dist, "collect/ftrace-text/ftrace-text.js"));
    const source = ftraceTextSource({ boot: "old", source: fileSource(path), clock: "local", eventNames: null });
    return () => {
      let rows = 0;
      let last = -1;
      let backwards = 0;
      const counts = source.read({
        chunk(chunk) {
          rows += chunk.count;
          for (let i = 0; i < chunk.count; i++) {
            if (chunk.time[i] < last) backwards += 1;
            last = chunk.time[i];
          }
        },
        defect() {},
      });
      if (rows !== counts.events || counts.undecoded > 0) throw new Error(JSON.stringify(counts));
      if (backwards > 0) throw new Error(`${backwards} events are earlier than the one before`);
      return { lines: counts.lines, events: counts.events };
    };
  },
  async "bare loop"(path) {
    const source = fileSource(path);
    const block = new Uint8Array(BLOCK);
    return () => {
      let lines = 0;
      for (let at = 0; ; ) {
        const got = source.read(block, at);
        if (got === 0) return { lines, events: 0 };
        at += got;
        for (let i = 0; i < got; i++) if (block[i] === NEWLINE) lines++;
      }
    };
  },
};

if (values.only !== undefined) {
  const run = await workers[values.only](values.file);
  const results = [];
  for (let i = 0; i < Number(values.runs); i++) {
    const begin = performance.now();
    const { lines, events } = run();
    results.push({ ms: performance.now() - begin, lines, events });
  }
  process.stdout.write(JSON.stringify({ results, peakKb: peakKb() }));
} else {
  const folder = mkdtempSync(join(tmpdir(), "ftrace-text-"));
  const path = join(folder, "trace");
  try {
    const trace = realTrace();
    repeat(trace.bytes, path, Number(values.mb) * 1e6);
    const { size } = statSync(path);
    console.log(`${(size / 1e6).toFixed(0)} MB of ${trace.name}, node ${process.version}, ${values.runs} runs each\n`);
    console.log("| what | first MB/s | median MB/s | best MB/s | events/s (median) | peak RSS MiB |");
    console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (const name of Object.keys(workers)) {
      const options = ["--only", name, "--file", path, "--runs", values.runs, "--dist", values.dist];
      const { results, peakKb } = inProcess(import.meta.filename, options);
      const sorted = results.map(({ ms }) => ms).sort((a, b) => a - b);
      const median = sorted[sorted.length >> 1];
      const rate = (ms) => (size / 1000 / ms).toFixed(0);
      const events =
        results[0].events === 0 ? "-" : Math.round((results[0].events / median) * 1000).toLocaleString("en");
      const cells = [name, rate(results[0].ms), rate(median), rate(sorted[0]), events, (peakKb / 1024).toFixed(0)];
      console.log(`| ${cells.join(" | ")} |`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
