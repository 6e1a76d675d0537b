/** What the benchmarks share: real recordings as input, workers in separate processes, the table. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { gunzipSync } from "node:zlib";

export const root = resolve(import.meta.dirname, "..");

/** The members of a .tar.gz, by path without the folder at the top (ustar: 512-byte blocks, size in octal at 124). */
export function members(archive) {
  const tar = gunzipSync(readFileSync(archive));
  const found = new Map();
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8) || 0;
    if (size > 0) found.set(name.slice(name.indexOf("/") + 1), tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

/** The large recording beside the checkout if it exists, else a shipped one. */
export function largeRecording() {
  const large = resolve(root, "../shared/captures/busy.tar.gz");
  return existsSync(large) ? large : join(root, "traces/plain.tar.gz");
}

export function fileSource(path) {
  const file = openSync(path, "r");
  return {
    name: path,
    size: statSync(path).size,
    read: (into, position) => readSync(file, into, 0, into.length, position),
  };
}

/** The process's own peak: that of getrusage is inherited from the parent through fork. */
export function peakKb() {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "latin1") : "";
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
}

/**
 * Runs `script` again with `options`; it prints JSON. If BENCH_PROFILES names a folder, a summary of the process's
 * profile is written there, named by the script and by what is measured; if BENCH_CLINIC names one, Clinic.js writes
 * its reports there.
 */
export function inProcess(script, options) {
  if (process.env.BENCH_CLINIC !== undefined) return underClinic(process.env.BENCH_CLINIC, script, options);
  const profiles = process.env.BENCH_PROFILES;
  const folder = profiles === undefined ? null : mkdtempSync(join(tmpdir(), "profile-"));
  const flags = folder === null ? [] : ["--cpu-prof", "--cpu-prof-dir", folder];
  const child = spawnSync(process.execPath, [...flags, script, ...options], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (child.status !== 0) throw new Error(child.stderr);
  if (folder !== null) {
    const what = whatOf(script, options);
    const [profile] = readdirSync(folder);
    mkdirSync(profiles, { recursive: true });
    writeFileSync(
      join(profiles, `${fileNameOf(script, options)}.txt`),
      profileText(what, JSON.parse(readFileSync(join(folder, profile), "utf8"))),
    );
    rmSync(folder, { recursive: true });
  }
  return JSON.parse(child.stdout);
}

/** The tools of Clinic.js, each in a separate run. */
const CLINIC_TOOLS = ["flame", "doctor"];

/** Like inProcess, under each tool of Clinic.js; returns the last run's answer. */
function underClinic(folder, script, options) {
  const what = fileNameOf(script, options);
  const answers = CLINIC_TOOLS.map((tool) => {
    const clinic = join(root, "bench/clinic/node_modules/clinic/bin.js");
    const child = spawnSync(
      process.execPath,
      [clinic, tool, "--open=false", "--dest", folder, "--name", what, "--", process.execPath, script, ...options],
      // NO_INSIGHT: it does not send usage statistics, and does not ask to.
      { encoding: "utf8", maxBuffer: 1 << 28, env: { ...process.env, NO_INSIGHT: "1" } },
    );
    // It prints in addition to what it runs.
    const answer = /^.*?(\{"results".*\})/m.exec(child.stdout)?.[1];
    if (child.status !== 0 || answer === undefined) throw new Error(`clinic ${tool}: ${child.stderr}${child.stdout}`);
    console.log(`${relative(process.cwd(), join(folder, `${what}.clinic-${tool}.html`))}`);
    return JSON.parse(answer);
  });
  return answers.at(-1);
}

/** `raw-pages-bare-walk` */
function fileNameOf(script, options) {
  return whatOf(script, options).replace(/[^\w.]+/g, "-");
}

const whatOf = (script, options) => `${basename(script, ".mjs")} ${options[options.indexOf("--only") + 1]}`;

/** Functions by self time, down to a hundredth of the total. */
function profileText(what, { nodes, samples, timeDeltas }) {
  const own = new Map(nodes.map(({ id }) => [id, 0]));
  for (const [i, id] of samples.entries()) own.set(id, own.get(id) + timeDeltas[i]);
  const functions = new Map();
  for (const { id, callFrame } of nodes) {
    const { functionName, url, lineNumber } = callFrame;
    const place = url === "" ? "" : ` ${url.replace(/^.*\/(?=dist\/|bench\/|node_modules\/)/, "")}:${lineNumber + 1}`;
    const name = `${functionName || "(anonymous)"}${place.replace(/wasm:\/\/.*\//, "wasm ")}`;
    functions.set(name, (functions.get(name) ?? 0) + own.get(id));
  }
  functions.delete("(idle)");
  const all = [...functions.values()].reduce((sum, each) => sum + each, 0);
  const lines = [...functions]
    .sort(([, a], [, b]) => b - a)
    .filter(([, time]) => time >= all / 100)
    .map(([name, time]) => `${((100 * time) / all).toFixed(1).padStart(5)} %  ${name}`);
  return `${what}\nnode ${process.version}, ${(all / 1e6).toFixed(1)} s, own time of each function\n\n${lines.join("\n")}\n`;
}

/** Runs `work` this many times: milliseconds of wall time and of CPU time, and its results. */
export function timed(runs, work) {
  return Array.from({ length: runs }, () => {
    const begin = performance.now();
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    return { ms: performance.now() - begin, cpuMs: (user + system) / 1000, ...result };
  });
}

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

export function printTable(head, rows) {
  console.log(`| ${head.join(" | ")} |`);
  console.log(`| ${head.map((_, i) => (i === 0 ? "---" : "---:")).join(" | ")} |`);
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
}

const PAGE = 4096;
const PAGE_HEADER = 16;
const [PADDING, TIME_EXTEND, TIME_STAMP] = [29, 30, 31];

/**
 * Writes the pages of a ring's CPUs again and again to `paths`, each time later by their whole span, `rounds` times.
 * Returns the first stamp, and the end of the last round.
 */
export function repeatPages(pages, paths, rounds) {
  const stamps = pages.flatMap((bytes) =>
    Array.from({ length: bytes.length / PAGE }, (_, i) => bytes.readBigUInt64LE(i * PAGE)),
  );
  const [first, last] = stamps.reduce(([a, b], each) => [each < a ? each : a, each > b ? each : b], [1n << 63n, 0n]);
  const span = last - first + 1_000_000_000n;
  for (const [cpu, bytes] of pages.entries()) {
    const moved = Buffer.from(bytes);
    const absolute = absoluteStamps(bytes);
    const file = openSync(paths[cpu], "w");
    for (let round = 0; round < rounds; round++) {
      for (const at of absolute) {
        const [header, array] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
        const time = (BigInt(array) << 27n) + BigInt(header >>> 5) + BigInt(round) * span;
        moved.writeUInt32LE(((Number(time & 0x7ffffffn) << 5) | TIME_STAMP) >>> 0, at);
        moved.writeUInt32LE(Number((time >> 27n) & 0xffffffffn), at + 4);
      }
      for (let at = 0; at < bytes.length; at += PAGE) {
        moved.writeBigUInt64LE(bytes.readBigUInt64LE(at) + BigInt(round) * span, at);
      }
      writeSync(file, moved);
    }
    closeSync(file);
  }
  return [first, first + BigInt(rounds) * span];
}

/** Where the time records are: kernel include/linux/ring_buffer.h. */
function absoluteStamps(bytes) {
  const found = [];
  for (let page = 0; page < bytes.length; page += PAGE) {
    const end = page + PAGE_HEADER + (bytes.readUInt32LE(page + 8) & 0xfffff);
    for (let at = page + PAGE_HEADER; at + 4 <= end; ) {
      const header = bytes.readUInt32LE(at);
      const type = header & 31;
      if (type === TIME_STAMP) found.push(at);
      if (type === PADDING && header >>> 5 === 0) break;
      if (type === TIME_STAMP || type === TIME_EXTEND) at += 8;
      else at += type === 0 || type === PADDING ? 4 + bytes.readUInt32LE(at + 4) : 4 + 4 * type;
    }
  }
  return found;
}

/** The pages of a recording's ring, by CPU. */
export function ringPages(files) {
  return [0, 1].map((cpu) => files.get(`ring/per_cpu/cpu${cpu}/trace_pipe_raw`));
}

/**
 * Writes pages of the large recording's ring, one file per CPU, as a trace.dat of version 6. They are in memory in the
 * meantime.
 */
export async function writeTraceDat(dist, paths, into) {
  const { writeTraceDat6 } = await import(join(root, dist, "testing/fakes/trace-dat-writer.js"));
  const files = members(largeRecording());
  const texts = new Map();
  for (const line of gunzipSync(files.get("old/formats.gz")).toString("latin1").split("\n")) {
    const at = line.indexOf("/format:");
    if (at < 0) continue;
    texts.set(line.slice(0, at), `${texts.get(line.slice(0, at)) ?? ""}${line.slice(at + 8)}\n`);
  }
  const content = {
    littleEndian: true,
    longBytes: 8,
    headerPage: String(files.get("old/header_page")),
    formats: [...texts].map(([path, text]) => ({ system: path.split("/").at(-2), text })),
    kallsyms: gunzipSync(files.get("old/kallsyms.gz")),
    printkFormats: String(files.get("old/printk_formats") ?? ""),
    cmdlines: String(files.get("old/saved_cmdlines") ?? ""),
    clock: "local",
    buffers: [{ name: "", cpus: paths.map((path) => readFileSync(path)) }],
  };
  writeFileSync(into, writeTraceDat6(content));
}

/** A line of the nop tracer: the parts before and after the seconds. */
const STAMP = /^(.{16}-\d+ +\[\d+\] \S+ +)(\d+)(\.\d{6}: )/;

/** The trace's body again and again, each time later by its whole span, until the file has `bytes` bytes. */
export function repeatTrace(trace, path, bytes) {
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
