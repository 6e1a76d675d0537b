/** A short run of bench/verdicts.mjs: the bars that can be held in seconds. */
import assert from "node:assert/strict";
import test from "node:test";
import { seededRandom } from "../../base/numbers/random.js";
import { alarmsOf, anyAlarm, blackoutAlarm } from "../../testing/oracles/alarms.js";
import { type Drift, type Noise, simulate, welch } from "../../testing/oracles/simulate.js";
import { sampleOf } from "../statistics/sample.js";
import { driftWarnings } from "./drift.js";
import { DEFAULT_FLOORS } from "./levels.js";

interface Found {
  primary: number;
  regressed: number;
  any: number;
  warned: number;
}

function run(n: number, noise: Noise, drift: Drift, shift: number, times: number, full = false): Found {
  const random = seededRandom(7);
  const found: Found = { primary: 0, regressed: 0, any: 0, warned: 0 };
  const [base, candidate] = [0, n].map((first) => Array.from({ length: n }, (_, i) => first + i)) as [
    number[],
    number[],
  ];
  for (let i = 0; i < times; i += 1) {
    const table = simulate(random, { n, noise, drift, shift, full });
    const alarms = alarmsOf(table, base, candidate, DEFAULT_FLOORS);
    if (blackoutAlarm(alarms)) found.primary += 1;
    if (alarms.primary === "regressed") found.regressed += 1;
    if (anyAlarm(alarms)) found.any += 1;
    const timed = (rows: readonly number[]) =>
      rows.map((row) => ({ atMs: table.atMs[row]!, valueNs: table.blackout[row]! }));
    if (driftWarnings(timed(base), timed(candidate)).length > 0) found.warned += 1;
  }
  return found;
}

for (const noise of ["lognormal", "heavy", "bimodal"] as const) {
  for (const n of [10, 30]) {
    test(`${noise} noise, ${n} a side: at most 1 % false alarms, 2 % over all`, () => {
      const { primary } = run(n, noise, "none", 0, 4_000);
      assert.ok(primary <= 40, `the blackout: ${primary} of 4000`);
      const { any } = run(n, noise, "none", 0, 1_000, true);
      assert.ok(any <= 20, `over all: ${any} of 1000`);
    });
  }
}

test("drift, taken in turn: no more alarms, and no warning", () => {
  const { primary, any, warned } = run(30, "lognormal", "interleaved", 0, 500, true);
  assert.ok(primary <= 5 && any <= 10, `${primary}, ${any} of 500`);
  assert.equal(warned, 0);
});

test("drift, one after the other: warned about every time", () => {
  assert.equal(run(30, "lognormal", "sequential", 0, 200).warned, 200);
});

test("10 % more under 10 % noise is found at 30 a side in at least 80 %", () => {
  const { regressed } = run(30, "lognormal", "none", 0.1, 1_000);
  assert.ok(regressed >= 800, `found ${regressed} of 1000`);
});

test("Welch's test, as SciPy's ttest_ind(equal_var=False) has it", () => {
  const [a, b] = [sampleOf([1, 2, 3, 4, 7]), sampleOf([2, 5, 6, 9, 11, 14])];
  assert.ok(a.ok && b.ok);
  assert.ok(Math.abs(welch(a.value, b.value) - 0.06379110497273924) < 1e-12);
});
