import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Ajv } from "ajv";
import { seededRandom } from "../../base/numbers/random.js";
import type { Comparison } from "../../model/documents/comparison.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { causeOf, cohortOf, madeSample, numbersOf, schemaPath } from "../../testing/samples/samples.js";
import type { Cohort } from "../cohort/cohort.js";
import { compareCohorts } from "./comparison.js";
import { ALARM_LEVELS, DEFAULT_FLOORS } from "./levels.js";

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
    madeSample(ms, { vms: Array.from({ length: 50 }, (_, i) => ({ id: `vm${i}`, durationNs: ms * 1e6 + i })) });
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
      return madeSample(total / 1e6, { causes: [...causes, slow] });
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
  const failed = madeSample(1, {
    outcome: "failed",
    outcomeReason: "the new kernel refused the state",
    source: "f.tar",
  });
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

test("levels add up to the false-alarm budget", () => {
  const { primary, percentiles, spread, phases, phasePercentiles, causes } = ALARM_LEVELS;
  assert.ok(primary + percentiles <= 0.01 + 1e-12);
  assert.ok(primary + percentiles + spread + phases + phasePercentiles + causes <= 0.02 + 1e-12);
});

/** `n` blackouts of about 5 s, of which the first `tail` take 9 s. */
function tailed(name: string, n: number, tail: number, seed: number): Cohort {
  const random = seededRandom(seed);
  return numbersOf(
    name,
    Array.from({ length: n }, (_, i) => (i < tail ? 9_000 : 5_000) + 10 * random.normal()),
  );
}

test("a tail that grew is a regression, although the median did not move", () => {
  const comparison = compared(tailed("base", 200, 0, 1), tailed("tail", 200, 20, 2));
  assert.equal(comparison.metrics[0]?.verdict, "unchanged");
  assert.equal(comparison.verdict, "regressed");
  assert.match(
    comparison.reason,
    /^The blackout's median did not change by as much as .*, but its p9[05] is longer by \+3\.\d+ s, between/,
  );
  const p95 = comparison.metrics[0]?.percentileShifts.find(({ percentile }) => percentile === 95);
  assert.equal(p95?.verdict, "regressed");
  assert.ok(p95.adjustedP <= ALARM_LEVELS.percentiles);
  // The other way round it is an improvement, and between like tails it is unchanged.
  assert.equal(compared(tailed("tail", 200, 20, 2), tailed("base", 200, 0, 1)).verdict, "improved");
  assert.equal(compared(tailed("a", 200, 20, 3), tailed("b", 200, 20, 4)).verdict, "unchanged");
});

test("a tail that grew has its own causes: those of the updates beyond the percentile", () => {
  const made = (name: string, slow: number, seed: number): Cohort => {
    const random = seededRandom(seed);
    const updates = Array.from({ length: 200 }, (_, i) => {
      const own = [causeOf("usual_init", 5000 + 20 * random.normal()), causeOf("other_init", 20 + random.normal())];
      const causes = i < slow ? [...own, causeOf("retry_init", 4000 + 20 * random.normal())] : own;
      return madeSample(causes.reduce((sum, { totalNs }) => sum + totalNs, 0) / 1e6, { causes });
    });
    return cohortOf(name, updates);
  };
  for (const [base, candidate, sign] of [
    [made("base", 0, 1), made("tail", 20, 2), 1],
    [made("tail", 20, 3), made("base", 0, 4), -1],
  ] as const) {
    const { metrics, reason, causes } = compared(base, candidate);
    const [blackout] = metrics;
    assert.equal(blackout?.verdict, "unchanged");
    assert.ok(blackout.causesPercentile === 90 || blackout.causesPercentile === 95);
    const [first] = blackout.causes;
    assert.deepEqual(
      [first?.kind, first?.id, first?.verdict],
      ["initcall", "retry_init", sign > 0 ? "regressed" : "improved"],
    );
    assert.ok(Math.abs((first?.shiftNs as number) - sign * 4e9) < 0.3e9, String(first?.shiftNs));
    assert.match(reason, /; beyond it on average \S+ s in the initcall retry_init/);
    // Over all updates, trimmed, the cause is in none that counts.
    assert.equal(causes.find(({ id }) => id === "retry_init")?.verdict === "regressed", false);
  }
  assert.equal(compared(made("a", 20, 5), made("b", 20, 6)).metrics[0]?.causesPercentile, null);
});

test("a tail that so few updates cannot prove is never called unchanged", () => {
  const comparison = compared(tailed("base", 80, 0, 1), tailed("tail", 80, 8, 2));
  assert.notEqual(comparison.verdict, "unchanged");
  assert.match(comparison.reason, /its p9[05] may be longer by|its p9[05] is longer by/);
});

/** Updates of one blackout, whose prepare takes `prepareMs`, of which one file takes `fileMs`. */
function prepared(name: string, prepareMs: number, fileMs: number, seed: number): Cohort {
  const random = seededRandom(seed);
  const updates = Array.from({ length: 12 }, () => {
    const noise = random.normal();
    const prepare = Math.round((prepareMs + noise) * 1e6);
    const file = { ...causeOf("memfd 0x1", fileMs + noise), kind: "file" as const, phase: "prepare" as const };
    const rest = { ...causeOf("luod", 0), kind: "userspace" as const, phase: "prepare" as const };
    return madeSample(1000, {
      phases: { prepare, freeze: null, kexec: 1e9, restore: null, finish: null },
      outsideCauses: [file, { ...rest, totalNs: prepare - file.totalNs }],
    });
  });
  return cohortOf(name, updates);
}

test("a phase outside the blackout that changed is the headline, with its own causes", () => {
  const comparison = compared(prepared("base", 100, 40, 1), prepared("slow", 150, 90, 2));
  assert.equal(comparison.metrics[0]?.verdict, "unchanged");
  assert.equal(comparison.verdict, "regressed");
  assert.match(comparison.reason, /The phase prepare is longer by \+\d+\.\d+ ms .*in the file memfd 0x1/);
  const prepare = comparison.metrics.find(({ name }) => name === "prepare");
  assert.deepEqual(
    prepare?.causes.filter(({ verdict }) => verdict === "regressed").map(({ kind, id }) => `${kind} ${id}`),
    ["file memfd 0x1"],
  );
  // A metric that did not change has nothing to explain.
  assert.deepEqual(comparison.metrics[0]?.causes, []);
});

test("files of one session, or of one systemd unit, are one reason", () => {
  const made = (name: string, fileMs: number, unit: string): Cohort =>
    cohortOf(
      name,
      Array.from({ length: 12 }, (_, i) => {
        const file = (token: string) => ({
          ...causeOf(`vm 7 ${token}`, fileMs + i / 100),
          kind: "file" as const,
          phase: "restore" as const,
          detail: unit,
        });
        const causes = [file("0x1"), file("0x2"), file("0x3"), causeOf("a_init", 1000 + i / 10)];
        return madeSample(causes.reduce((sum, { totalNs }) => sum + totalNs, 0) / 1e6, { causes });
      }),
    );
  assert.match(compared(made("a", 10, ""), made("b", 90, "")).reason, /\+240\.\d ms in three files of session vm 7/);
  const unit = "vm@7.service";
  assert.match(
    compared(made("a", 10, unit), made("b", 90, unit)).reason,
    /\+240\.\d ms in three files of vm@7\.service/,
  );
});

test("a cause that regressed by itself is in the headline, although the whole is inconclusive", () => {
  const updates = (extra: number, seed: number): readonly UpdateSample[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 20 }, () => {
      const causes = [causeOf("noisy_init", 4000 * (1 + 0.3 * random.normal())), causeOf("slow_init", 20 + extra)];
      return madeSample(causes.reduce((sum, { totalNs }) => sum + totalNs, 0) / 1e6, { causes });
    });
  };
  const comparison = compared(cohortOf("base", updates(0, 1)), cohortOf("slow", updates(30, 2)));
  assert.equal(comparison.metrics[0]?.verdict, "inconclusive");
  assert.match(comparison.reason, /By itself changed: initcall slow_init by \+30\.00 ms\./);
});

test("of a baseline of zero there is no percentage", () => {
  const zero = numbersOf("zero", new Array(10).fill(0));
  assert.doesNotMatch(compared(zero, numbersOf("some", new Array(10).fill(5))).reason, /%/);
});

test("cohorts of thousands are compared in steps that grow with their number, not its square", () => {
  const base = numbersOf("base", noisy(20_000, 1000, 0.1, 11));
  const before = process.cpuUsage();
  assert.equal(compared(base, numbersOf("same", noisy(20_000, 1000, 0.1, 12))).verdict, "unchanged");
  const { user } = process.cpuUsage(before);
  // Of processor time, not of a busy machine's: 7 s, and minutes with the jackknife of 40,000 updates.
  assert.ok(user < 60e6, `${user / 1e6} s`);
});

test("ten updates of a gzip image against ten of LZ4: the image's unpacking is the cause, the compressor the factor", () => {
  const of = (name: string, unpackMs: number, compression: "gzip" | "lz4"): Cohort =>
    cohortOf(
      name,
      noisy(10, unpackMs, 0.01, unpackMs).map((ms) =>
        madeSample(1_270 + ms, {
          causes: [
            causeOf("seam unpack", ms, { kind: "seam" }),
            causeOf("seam kho", 21, { kind: "seam" }),
            causeOf("acpi_init", 1_249),
          ],
          image: {
            compression,
            payloadBytes: compression === "gzip" ? 6_641_780 : 8_200_000,
            initBytes: 20_996_096,
            initrdBytes: 1_467_949,
            kaslr: true,
            cpus: 2,
            preservedBytes: null,
            preservedFolios: null,
            config: null,
          },
        }),
      ),
    );
  const comparison = compared(of("gzip", 289.5, "gzip"), of("lz4", 49.4, "lz4"));
  assert.equal(comparison.verdict, "improved");
  assert.match(comparison.reason, /-240.* ms in the seam unpack \(the image unpacks itself\)/);
  const [cause] = comparison.causes;
  assert.equal(cause?.id, "seam unpack");
  const [low, high] = cause?.shiftIntervalNs ?? [0, 0];
  assert.ok(low < -240_100_000 && high > -240_100_000 && high < 0 && high - low < 10_000_000, `${low} to ${high}`);
  const differs = comparison.factors.filter(({ differs: own }) => own).map(({ name }) => name);
  assert.deepEqual(differs, ["compressor", "image size"]);
});
