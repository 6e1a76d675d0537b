/**
 * The archive at fleet size: adding analysed updates, bytes on disk, percentiles by kernel with intervals, and how each
 * grows; and how long `blackout watch` takes to start on it. Updates are resampled from the recorded cohorts, each with
 * its own name, host, day and kernel.
 *
 *     node bench/archive.mjs [--updates 1000000] [--sizes 10000,100000] [--detail summary|causes] [--keep FOLDER]
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { inProcess, peakKb, printTable, root } from "./lib.mjs";

const { values: options } = parseArgs({
  options: {
    updates: { type: "string", default: "1000000" },
    sizes: { type: "string" },
    detail: { type: "string", default: "summary" },
    keep: { type: "string" },
    dist: { type: "string", default: join(root, "dist") },
    worker: { type: "string" },
    path: { type: "string" },
    days: { type: "string", default: "100" },
    samples: { type: "string" },
  },
});
const from = (file) => import(join(resolve(options.dist), file));

/** A batch is what one commit adds; a day's updates come together, as a fleet's do. */
const BATCH = 20_000;
const DAYS = Number(options.days);

const KERNELS = ["7.2.13-fleet", "7.3.1-fleet", "7.3.4-fleet", "7.4.0-fleet"];
const FIRST_DAY_MS = Date.UTC(2026, 6, 1);

/** The real updates from which the synthetic ones are drawn: every member of the shipped cohorts. */
async function realSamples() {
  const { realCohort } = await from("testing/samples/samples.js");
  const cohorts = await Promise.all(
    ["base", "devices"].map((name) => realCohort(name, join(root, "traces/cohorts", name))),
  );
  return cohorts.flatMap(({ updates }) => updates);
}

/**
 * Lines as `blackout cohort --json` prints them, of updates number `begin` to `end` of `total`, in the order of time.
 */
function lines(real, begin, end, total, random, detail) {
  const made = [];
  for (let i = begin; i < end; i += 1) {
    const sample = real[random.below(real.length)];
    // Each duration differs by a few per cent, log-normal, so that there are as many values as updates; sums stay sums.
    const factor = Math.exp(0.08 * random.normal());
    const scaled = (ns) => (ns === null ? null : Math.round(ns * factor * Math.exp(0.01 * random.normal())));
    const day = Math.floor((i * DAYS) / total);
    const kernel = Math.min(
      KERNELS.length - 1,
      Math.floor((day / DAYS) * KERNELS.length) + (random.below(10) === 0 ? 1 : 0),
    );
    const { source, ...rest } = sample;
    const blackoutNs = scaled(sample.blackout.durationNs);
    const causes =
      detail === "summary"
        ? null
        : sample.causes.map((cause) => {
            const parts = cause.parts.map((part) => ({ ...part, totalNs: scaled(part.totalNs) }));
            const totalNs =
              parts.length === 0 ? scaled(cause.totalNs) : parts.reduce((sum, part) => sum + part.totalNs, 0);
            return { ...cause, parts, totalNs };
          });
    made.push(
      JSON.stringify({
        format: "blackout-update-sample",
        version: 1,
        ...rest,
        name: `update-${i}`,
        host: `host-${String(random.below(100_000)).padStart(6, "0")}`,
        takenAtMs: FIRST_DAY_MS + day * 86_400_000 + random.below(86_400) * 1_000,
        kernel: { old: KERNELS[Math.max(0, kernel - 1)], new: KERNELS[kernel] },
        blackout: { ...sample.blackout, durationNs: blackoutNs },
        phases: Object.fromEntries(Object.entries(sample.phases).map(([phase, ns]) => [phase, scaled(ns)])),
        vms: sample.vms.map(({ id }) => ({ id, durationNs: blackoutNs })),
        causes,
      }),
    );
  }
  return made;
}

async function add() {
  const { parseUpdateLine } = await from("analyze/cohort/parse-sample.js");
  const { openArchive } = await from("archive/store/archive.js");
  const { seededRandom } = await from("base/numbers/random.js");
  const total = Number(options.updates);
  const real = await realSamples();
  const random = seededRandom(8);
  const archive = await openArchive(options.path, {});
  let ms = 0;
  let cpuMs = 0;
  let added = 0;
  for (let at = 0; at < total; at += BATCH) {
    const batch = lines(real, at, Math.min(at + BATCH, total), total, random, options.detail);
    const begin = performance.now();
    const cpu = process.cpuUsage();
    const samples = batch.map((line, i) => parseUpdateLine(line, `bench:${at + i}`).value);
    added += (await archive.add(samples, { detail: options.detail })).added.length;
    ms += performance.now() - begin;
    const used = process.cpuUsage(cpu);
    cpuMs += (used.user + used.system) / 1000;
  }
  archive.close();
  return { ms, cpuMs, added, peakKb: peakKb() };
}

async function compact() {
  const { openArchive } = await from("archive/store/archive.js");
  const { compactArchive } = await from("archive/upkeep/compact.js");
  const archive = await openArchive(options.path);
  const begin = performance.now();
  await compactArchive(archive, { graceMs: 0, nowMs: Date.now() + 3_600_000 });
  const ms = performance.now() - begin;
  archive.close();
  return { ms, peakKb: peakKb() };
}

async function ask() {
  const { openArchive } = await from("archive/store/archive.js");
  const { openForQueries } = await from("archive/query/query.js");
  const { percentilesSql } = await from("archive/query/sql.js");
  const archive = await openArchive(options.path);
  const begin = performance.now();
  const engine = await openForQueries(archive, null, null);
  const openMs = performance.now() - begin;
  const sql = percentilesSql({ by: ["kernel_new"], where: "outcome = 'completed'" });
  const runs = [];
  let rows = 0;
  for (let run = 0; run < 5; run += 1) {
    const start = performance.now();
    const cpu = process.cpuUsage();
    rows = (await engine.rows(sql)).length;
    const used = process.cpuUsage(cpu);
    runs.push({ ms: performance.now() - start, cpuMs: (used.user + used.system) / 1000 });
  }
  engine.close();
  archive.close();
  const first = runs[0];
  const sorted = runs.toSorted((a, b) => a.ms - b.ms);
  return {
    openMs,
    firstMs: first.ms,
    ms: sorted[2].ms,
    bestMs: sorted[0].ms,
    cpuMs: sorted[2].cpuMs,
    rows,
    peakKb: peakKb(),
  };
}

/** What `blackout watch` reads from an archive at its start: counters of all updates, and the updates of 7 days. */
async function start() {
  const { openArchiveStore } = await from("cli/watch/intake/archive-store.js");
  const { FleetTally } = await from("analyze/fleet/tally.js");
  const begin = performance.now();
  const cpu = process.cpuUsage();
  const store = await openArchiveStore(options.path, false);
  const endMs = FIRST_DAY_MS + DAYS * 86_400_000;
  const dating = { latestMs: endMs, arrivals: new Map() };
  const tally = new FleetTally();
  const counted = await store.count(tally, dating);
  const wanted = { sinceMs: endMs - 7 * 86_400_000, most: 10_000, causes: false };
  const latest = await store.latest(dating, wanted);
  const ms = performance.now() - begin;
  const used = process.cpuUsage(cpu);
  store.close();
  return { ms, cpuMs: (used.user + used.system) / 1000, counted, latest: latest.length, peakKb: peakKb() };
}

const sizeOf = (path) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

async function main() {
  const sizes = (options.sizes ?? options.updates).split(",").map(Number);
  console.log(`${cpus().length} CPUs, ${cpus()[0]?.model}, node ${process.version}, detail ${options.detail}\n`);
  const rows = [];
  for (const size of sizes) {
    const folder = options.keep ?? mkdtempSync(join(tmpdir(), "blackout-bench-"));
    const path = join(folder, String(size));
    const common = [
      "--path",
      path,
      "--updates",
      String(size),
      "--detail",
      options.detail,
      "--dist",
      options.dist,
      "--days",
      options.days,
    ];
    const work = (worker) => inProcess(import.meta.filename, ["--worker", worker, ...common]);
    const added = work("add");
    const before = work("ask");
    const packed = work("compact");
    const after = work("ask");
    const started = work("start");
    const bytes = sizeOf(path);
    rows.push([
      added.added.toLocaleString("en"),
      Math.round((added.added / added.ms) * 1000).toLocaleString("en"),
      Math.round((added.added / added.cpuMs) * 1000).toLocaleString("en"),
      (bytes / added.added).toFixed(0),
      (packed.ms / 1000).toFixed(1),
      (before.ms / 1000).toFixed(2),
      (after.ms / 1000).toFixed(2),
      (after.bestMs / 1000).toFixed(2),
      (after.cpuMs / 1000).toFixed(2),
      String(Math.round(Math.max(added.peakKb, packed.peakKb) / 1024)),
      String(Math.round(Math.max(before.peakKb, after.peakKb) / 1024)),
      (started.ms / 1000).toFixed(1),
      (started.cpuMs / 1000).toFixed(1),
      String(Math.round(started.peakKb / 1024)),
    ]);
    console.error(rows.at(-1).join("  "));
    if (options.keep === undefined) rmSync(folder, { recursive: true });
  }
  const head = [
    "updates",
    "added/s",
    "per CPU s",
    "bytes/update",
    "compact s",
    "percentiles s",
    "compacted s",
    "best s",
    "CPU s",
    "RSS add MiB",
    "RSS query MiB",
    "watch starts s",
    "CPU s",
    "RSS watch MiB",
  ];
  printTable(head, rows);
}

const workers = { add, compact, ask, start };
if (options.worker === undefined) await main();
else console.log(JSON.stringify(await workers[options.worker]()));
