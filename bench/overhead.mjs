/**
 * What recording costs: rounds of live updates in QEMU, each round with every level and with none, paired within the
 * round, so that the machine's drift affects all equally. The blackouts are those of the observer outside the guest.
 *
 *   node bench/overhead.mjs --kernel BZIMAGE [--rounds 30] [-o overhead] [--accel kvm|tcg] [--limit SECONDS]
 *
 * Finished updates are kept in the folder: an interrupted series continues, and `--rounds 0` prints the existing
 * results. One update runs at a time: two would slow each other. At the end one update of each level is collected too,
 * for the tool's own estimate of what its recording costs.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { printTable } from "./lib.mjs";

const { values } = parseArgs({
  options: {
    kernel: { type: "string" },
    rounds: { type: "string", default: "30" },
    out: { type: "string", short: "o", default: "overhead" },
    accel: { type: "string" },
    limit: { type: "string", default: "300" },
    dist: { type: "string", default: resolve(import.meta.dirname, "../dist") },
  },
});
const load = (module) => import(join(resolve(values.dist), module));
const { LAB_LEVELS } = await load("lab/lab-options.js");
const { openLab, runLiveUpdate } = await load("lab/live-update.js");
const { usableAccelerator } = await load("lab/machine.js");
const { median, quantileInterval, upperQuantileBound } = await load("analyze/statistics/order-statistics.js");
const { seededRandom } = await load("base/random.js");
const { DEFAULT_CAPTURE_OPTIONS } = await load("cli/input/capture-options.js");
const { withCapture } = await load("cli/input/load.js");

const CONFIDENCE = 0.95;
/** Limits of the levels: upper bounds of the median ratio. */
const ALLOWED = { markers: 1.01, events: 1.03, probes: 1.08 };

const ESTIMATE = "estimate";
const folderOf = (round) => String(round).padStart(3, "0");
const rounds = Number(values.rounds);
if (rounds > 0) await makeRounds();
await report();

/** The order changes from round to round: the machine's state differs between the first and the last. */
function orderOf(round) {
  const random = seededRandom(round);
  return LAB_LEVELS.map((level) => ({ level, at: random.below(1 << 30) }))
    .sort((a, b) => a.at - b.at)
    .map(({ level }) => level);
}

async function makeRounds() {
  if (values.kernel === undefined) throw new Error("--kernel BZIMAGE is needed");
  const accelerator = values.accel ?? (await usableAccelerator(values.kernel));
  const startedMs = Date.now();
  let made = 0;
  const observed = Array.from({ length: rounds }, (_, i) => i + 1).flatMap((round) =>
    orderOf(round).map((level) => ({ level, to: join(values.out, folderOf(round), level), cmdline: "lab.collect=0" })),
  );
  const collected = LAB_LEVELS.slice(1).map((level) => ({ level, to: join(values.out, ESTIMATE, level), cmdline: "" }));
  const missing = [...observed, ...collected].filter(({ to }) => !existsSync(to));
  for (const { level, to, cmdline } of missing) {
    mkdirSync(resolve(to, ".."), { recursive: true });
    const lab = openLab({
      ...{ kernel: values.kernel, next: values.kernel, sessions: 2, files: 2, mib: 4, nics: 1, cpus: 2 },
      ...{ workload: "memfd", selftests: null, rootfs: null },
      // With a bootconfig, no probe is armed inside the blackout (docs/recorder.md).
      ...{
        armBy: level === "probes" || level === "graph" ? "bootconfig" : "cmdline",
        carrier: "folder",
        probes: null,
        backup: false,
        hashSessions: false,
        stamp: false,
        truth: false,
      },
      ...{ level, fault: "none", cmdline, memoryMib: 1024, accelerator, busybox: "/bin/busybox" },
      limitMs: Number(values.limit) * 1000,
    });
    if (!lab.ok) throw new Error(lab.error);
    try {
      const run = await runLiveUpdate(lab.value, level, to, new AbortController().signal);
      if (!run.ok) throw new Error(run.error);
    } finally {
      lab.value.close();
    }
    made += 1;
    const leftMin = (((Date.now() - startedMs) / made) * (missing.length - made)) / 60_000;
    console.error(`${to} made, ${missing.length - made} to go, about ${Math.ceil(leftMin)} min`);
  }
}

function blackoutOf(round, level) {
  const path = join(values.out, round, level, "observed.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).blackout_ns : null;
}

/** Upper bound on the recording's share of the blackout, by the costs that the recorder measured in the guest. */
async function estimateOf(level) {
  const path = join(values.out, ESTIMATE, level);
  if (!existsSync(path)) return "-";
  const loaded = await withCapture(path, DEFAULT_CAPTURE_OPTIONS, ({ update }) => update);
  if (!loaded.ok) throw new Error(loaded.error);
  const { recording, document } = loaded.value;
  return recording === null ? "-" : `${((recording.ns / document.blackout.durationNs) * 100).toFixed(2)} %`;
}

async function report() {
  const made = (existsSync(values.out) ? readdirSync(values.out).sort() : []).filter((name) => name !== ESTIMATE);
  const estimates = new Map();
  for (const level of LAB_LEVELS.slice(1)) estimates.set(level, await estimateOf(level));
  const rows = LAB_LEVELS.map((level) => {
    const pairs = made
      .map((round) => [blackoutOf(round, "none"), blackoutOf(round, level)])
      .filter(([none, own]) => none !== null && own !== null);
    const seconds = (ns) => (ns / 1e9).toFixed(3);
    const sample = (numbers) => Float64Array.from(numbers).sort();
    const own = pairs.length === 0 ? "-" : seconds(median(sample(pairs.map(([, ns]) => ns))));
    if (level === "none" || pairs.length === 0) return [level, pairs.length, own, "", "", "", "", ""];
    const ratios = sample(pairs.map(([none, ns]) => ns / none));
    const { lower, upper, needed } = quantileInterval(ratios, 0.5, CONFIDENCE);
    const bound = upperQuantileBound(ratios, 0.5, CONFIDENCE);
    const known = lower.kind === "known" && upper.kind === "known";
    const interval = known ? `${lower.value.toFixed(3)} … ${upper.value.toFixed(3)}` : `${needed} rounds needed`;
    const atMost = bound.kind === "known" ? bound.value.toFixed(3) : `${bound.needed} rounds needed`;
    const allowed = ALLOWED[level];
    const verdict =
      allowed === undefined
        ? "measured only"
        : bound.kind === "known" && bound.value <= allowed
          ? `≤ ${allowed}`
          : `not shown ≤ ${allowed}`;
    return [level, pairs.length, own, median(ratios).toFixed(3), interval, atMost, verdict, estimates.get(level)];
  });
  printTable(
    [
      ...["level", "rounds", "blackout s, median", "ratio to none", "95 % interval", "95 % upper bound", "asked"],
      "its own estimate",
    ],
    rows,
  );
}
