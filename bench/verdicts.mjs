/**
 * How often a verdict is wrong, and how often it finds a real change: on cohorts with known truth, compared with rules
 * in use elsewhere. Prints the Markdown tables of docs/compare.md. Build first (`npm run build`).
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const root = resolve(import.meta.dirname, "..");
const from = (path) => import(join(root, "dist", path));
const { alarmsOf, alarmTable, anyAlarm, blackoutAlarm } = await from("testing/oracles/alarms.js");
const { RULES, sideOf, simulate } = await from("testing/oracles/simulate.js");
const { driftWarnings } = await from("analyze/compare/drift.js");
const { DEFAULT_FLOORS } = await from("analyze/compare/levels.js");
const { seededRandom, shuffle } = await from("base/numbers/random.js");

const { values: given } = parseArgs({
  options: {
    simulations: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    captures: { type: "string", default: join(root, "../shared/captures/cohorts") },
  },
});
const simulations = Number(given.simulations);
const rules = Object.keys(RULES);
const rowsOf = (first, count) => Array.from({ length: count }, (_, i) => first + i);
const percent = (count, of) => `${((100 * count) / of).toFixed(2)}`;

/** Counts of alarms over `times` simulated comparisons; all levels only where `full`. */
function counted(options, times, full) {
  const random = seededRandom(Number(given.seed));
  const counts = { primary: 0, regressed: 0, any: 0, warned: 0, rules: rules.map(() => 0) };
  const { n } = options;
  const [base, candidate] = [rowsOf(0, n), rowsOf(n, n)];
  for (let i = 0; i < times; i += 1) {
    const made = simulate(random, { ...options, full });
    const alarms = alarmsOf(made, base, candidate, DEFAULT_FLOORS);
    if (blackoutAlarm(alarms)) counts.primary += 1;
    if (alarms.primary === "regressed") counts.regressed += 1;
    if (anyAlarm(alarms)) counts.any += 1;
    const [b, c] = [sideOf(made.blackout, 0, n), sideOf(made.blackout, n, 2 * n)];
    rules.forEach((name, k) => {
      if (RULES[name](b, c)) counts.rules[k] += 1;
    });
    if (options.drift !== "none") {
      const timed = (rows) => rows.map((row) => ({ atMs: made.atMs[row], valueNs: made.blackout[row] }));
      if (driftWarnings(timed(base), timed(candidate)).length > 0) counts.warned += 1;
    }
  }
  return counts;
}

const line = (cells) => console.log(`| ${cells.join(" | ")} |`);
const head = (cells) => {
  line(cells);
  line(cells.map((_, i) => (i === 0 ? "---" : "---:")));
};
const SIZES = [10, 30, 100, 300];
const MODELS = [
  ...["lognormal", "heavy", "bimodal"].map((name) => [name, "none", name]),
  ["lognormal", "interleaved", "lognormal, drift, in turn"],
];

/** Large cohorts are slow to compare, and rarely raise alarms, because of the floor. */
const timesOf = (n, most) => Math.min(most, n <= 30 ? simulations : Math.ceil(simulations / 5));

console.log(
  `False alarms in %, cohorts that do not differ (${timesOf(10, simulations)} comparisons a row; from 100 a side on ${timesOf(100, simulations)})\n`,
);
head(["noise", "n a side", "blackout's verdict", "any alarm", ...rules]);
for (const [noise, drift, label] of MODELS) {
  for (const n of SIZES) {
    const times = timesOf(n, simulations);
    const found = counted({ n, noise, drift, shift: 0 }, times, true);
    const cells = [found.primary, found.any, ...found.rules].map((count) => percent(count, times));
    line([label, n, ...cells]);
  }
}

console.log(`\nThe same one after the other, while the machine gets slower by 40 %\n`);
head(["n a side", "blackout's verdict", "warned about", ...rules]);
for (const n of SIZES) {
  const times = timesOf(n, 1_000);
  const found = counted({ n, noise: "lognormal", drift: "sequential", shift: 0 }, times, false);
  line([n, ...[found.primary, found.warned, ...found.rules].map((count) => percent(count, times))]);
}

console.log(`\nFound in %, the candidate 10 % longer\n`);
head(["noise", "n a side", "blackout regressed", ...rules]);
for (const [noise, drift, label] of MODELS) {
  for (const n of SIZES) {
    const times = timesOf(n, 4_000);
    const found = counted({ n, noise, drift, shift: 0.1 }, times, false);
    line([label, n, ...[found.regressed, ...found.rules].map((count) => percent(count, times))]);
  }
}

if (!existsSync(join(given.captures, "again"))) {
  console.log(`\nNo recordings at ${given.captures}: the part on real cohorts is left out.`);
  process.exit(0);
}
const { realCohort } = await from("testing/samples/samples.js");
const [base, again, devices] = await Promise.all(
  ["base", "again", "devices"].map((name) => realCohort(name, join(given.captures, name))),
);

/** Alarms over random pairs of `n` a side: out of one pool (halves), or one of each. */
function real(first, second, n, times) {
  const pool = [...first.updates, ...second.updates];
  const table = alarmTable(pool, DEFAULT_FLOORS);
  const random = seededRandom(Number(given.seed));
  const counts = { primary: 0, regressed: 0, any: 0, rules: rules.map(() => 0) };
  const size = first.updates.length;
  for (let i = 0; i < times; i += 1) {
    const rows = rowsOf(0, pool.length);
    if (first === base && second === devices) {
      shuffle(rows, 0, size, random);
      shuffle(rows, size, pool.length, random);
    } else shuffle(rows, 0, pool.length, random);
    const [b, c] = [rows.slice(0, n), rows.slice(size, size + n)];
    const alarms = alarmsOf(table, b, c, DEFAULT_FLOORS);
    if (blackoutAlarm(alarms)) counts.primary += 1;
    if (alarms.primary === "regressed") counts.regressed += 1;
    if (anyAlarm(alarms)) counts.any += 1;
    const side = (chosen) =>
      sideOf(
        Float64Array.from(chosen, (row) => table.blackout[row]),
        0,
        chosen.length,
      );
    rules.forEach((name, k) => {
      if (RULES[name](side(b), side(c))) counts.rules[k] += 1;
    });
  }
  return counts;
}

console.log("\nReal recordings, in %\n");
head(["cohorts", "comparisons", "blackout's verdict", "any alarm", ...rules]);
for (const [label, a, b, n, times] of [
  ["halves of base and again, 30 a side", base, again, 30, 1_000],
  ["the same", base, again, 30, 10_000],
  ["halves of base and again, 10 a side", base, again, 10, 10_000],
  ["base against devices, 10 a side", base, devices, 10, 1_000],
]) {
  const found = real(a, b, n, times);
  line([label, times, ...[found.primary, found.any, ...found.rules].map((count) => percent(count, times))]);
}
