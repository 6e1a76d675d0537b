import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Ajv } from "ajv";
import { seededRandom } from "../../base/numbers/random.js";
import type { Comparison } from "../../model/documents/comparison.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { causeOf, cohortOf, numbersOf, schemaPath, updateOf } from "../../testing/samples/samples.js";
import type { Cohort } from "../cohort/cohort.js";
import { compareCohorts } from "./comparison.js";
import { DEFAULT_FLOORS, LEVELS } from "./levels.js";

const options = { floors: DEFAULT_FLOORS, seed: 1 };

function compared(base: Cohort, candidate: Cohort): Comparison {
  const comparison = compareCohorts(base, candidate, options);
  assert.ok(comparison !== null);
  return comparison;
}

/** `n` blackouts of about `centre` ms. */
function noisy(n: number, centre: number, share: number, seed: number): readonly number[] {
  const random = seededRandom(seed);
  return Array.from({ length: n }, () => centre * (1 + share * random.normal()));
}

test("verdicts: a large shift, none within the floor, noise, and too few", () => {
  const base = numbersOf("base", noisy(30, 1000, 0.02, 1));
  assert.equal(compared(base, numbersOf("slow", noisy(30, 1200, 0.02, 2))).verdict, "regressed");
  assert.equal(compared(base, numbersOf("fast", noisy(30, 800, 0.02, 3))).verdict, "improved");
  assert.equal(compared(base, numbersOf("same", noisy(30, 1000, 0.02, 4))).verdict, "unchanged");
  // Significant, and too small to matter.
  assert.equal(compared(base, numbersOf("little", noisy(30, 1025, 0.02, 5))).verdict, "unchanged");
  const wide = numbersOf("wide", noisy(12, 1000, 0.3, 6));
  assert.equal(compared(wide, numbersOf("wide too", noisy(12, 1000, 0.3, 7))).verdict, "inconclusive");
  const few = compared(numbersOf("few", [1000, 1001, 1002, 1003]), numbersOf("slow", [2000, 2001, 2002, 2003]));
  assert.equal(few.verdict, "insufficient");
  assert.equal(few.metrics[0]?.neededUpdates, 5);
  assert.equal(few.metrics[0]?.detectableNs, null);
  assert.match(few.reason, /5 a side are needed/);
});

test("what is needed suffices: five against five that do not overlap are a change", () => {
  const five = [1000, 1001, 1002, 1003, 1004];
  const slow = five.map((ms) => ms + 500);
  assert.equal(compared(numbersOf("base", five), numbersOf("slow", slow)).verdict, "regressed");
});

test("the virtual machines of one update are one observation of it", () => {
  const many = (ms: number): UpdateSample =>
    updateOf(ms, { vms: Array.from({ length: 50 }, (_, i) => ({ id: `vm${i}`, durationNs: ms * 1e6 + i })) });
  const base = cohortOf("base", [1000, 1100, 1200].map(many));
  const candidate = cohortOf("candidate", [1500, 1600, 1700].map(many));
  const vms = compared(base, candidate).metrics.find(({ name }) => name === "vm-blackout");
  assert.equal(vms?.base.updates, 3);
  assert.equal(vms?.base.values, 150);
  // 150 values a side that do not overlap, and still only three updates.
  assert.equal(vms?.verdict, "insufficient");
  assert.ok(vms.pValue >= 0.1);
});

test("fifty causes do not drown the one that changed, and do not raise alarms of their own", () => {
  const random = seededRandom(8);
  const updates = (extra: number): readonly UpdateSample[] =>
    Array.from({ length: 30 }, () => {
      const causes = Array.from({ length: 50 }, (_, i) => causeOf(`call_${i}`, 20 * (1 + 0.2 * random.normal())));
      const slow = causeOf("slow_init", 50 + extra + random.normal());
      const total = [...causes, slow].reduce((sum, { totalNs }) => sum + totalNs, 0);
      return updateOf(total / 1e6, { causes: [...causes, slow] });
    });
  const comparison = compared(cohortOf("base", updates(0)), cohortOf("candidate", updates(200)));
  assert.equal(comparison.verdict, "regressed");
  const changed = comparison.causes.filter(({ verdict }) => verdict === "regressed" || verdict === "improved");
  assert.deepEqual(
    changed.map(({ id }) => id),
    ["slow_init"],
  );
  assert.equal(comparison.causes[0]?.id, "slow_init");
  assert.match(comparison.reason, /in the initcall slow_init/);
  const share = comparison.causes[0]?.share ?? 0;
  assert.ok(share > 0.9 && share < 1.1, `share ${share}`);
});

test("failed updates are outcomes: left out of the statistics, and named", () => {
  const failed = updateOf(1, { outcome: "failed", outcomeReason: "the new kernel refused the state", source: "f.tar" });
  const base = numbersOf("base", [1000, 1010, 1020, 1030, 1040, 1050]);
  const candidate = cohortOf("candidate", [...base.updates, failed]);
  const comparison = compared(base, candidate);
  assert.equal(comparison.candidate.measured, 6);
  assert.deepEqual(comparison.candidate.excluded, [
    { source: "f.tar", name: "made", outcome: "failed", reason: "the new kernel refused the state" },
  ]);
  assert.deepEqual(
    comparison.warnings.map(({ code }) => code),
    ["outcomes"],
  );
  assert.equal(compareCohorts(base, cohortOf("none", [failed]), options), null);
});

test("unlike cohorts are compared, and marked", () => {
  const base = numbersOf("base", [1000, 1010, 1020]);
  const other = cohortOf(
    "other",
    base.updates.map((update) => ({ ...update, probeLevel: "markers" })),
  );
  const comparison = compared(base, other);
  assert.equal(comparison.forced, true);
  assert.deepEqual(
    comparison.unlike.map(({ trait }) => trait),
    ["probe level"],
  );
  assert.equal(compared(base, base).forced, false);
});

test("made-up cohorts' JSON is as the schema says, attributed or not", () => {
  const validate = new Ajv().compile(JSON.parse(readFileSync(schemaPath("comparison"), "utf8")));
  const plain = numbersOf("base", [1000, 1010, 1020]);
  const unattributed = cohortOf(
    "base",
    plain.updates.map((update) => ({ ...update, causes: null })),
  );
  for (const cohort of [plain, unattributed]) {
    const json: unknown = JSON.parse(JSON.stringify(compared(cohort, numbersOf("other", [1]))));
    assert.ok(validate(json), JSON.stringify(validate.errors));
  }
});

test("levels add up to what is promised", () => {
  assert.ok(LEVELS.primary + LEVELS.spread <= 0.01 + 1e-12);
  assert.ok(LEVELS.primary + LEVELS.spread + LEVELS.phases + LEVELS.causes <= 0.02 + 1e-12);
});

test("cohorts of thousands are compared in steps that grow with their number, not its square", () => {
  const base = numbersOf("base", noisy(20_000, 1000, 0.1, 11));
  const before = process.cpuUsage();
  assert.equal(compared(base, numbersOf("same", noisy(20_000, 1000, 0.1, 12))).verdict, "unchanged");
  const { user } = process.cpuUsage(before);
  // Of processor time, not of a busy machine's: 7 s, and minutes with the jackknife of 40,000 updates.
  assert.ok(user < 60e6, `${user / 1e6} s`);
});
