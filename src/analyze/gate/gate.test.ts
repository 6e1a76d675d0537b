import assert from "node:assert/strict";
import test from "node:test";
import type { GateDocument } from "../../model/documents/gate.js";
import { causeOf, cohortOf, madeSample, numbersOf } from "../../testing/samples/samples.js";
import type { Cohort } from "../cohort/cohort.js";
import { parseMetric } from "../cohort/metrics.js";
import type { Budget, CountLimit, Limit, Statistic } from "../compare/budget.js";
import { compareCohorts } from "../compare/comparison.js";
import { DEFAULT_FLOORS } from "../compare/levels.js";
import { gate } from "./gate.js";

const EMPTY: Budget = {
  decideBy: "bounds",
  limits: [],
  counts: [],
  allowed: [],
  regression: null,
  failedAtMost: null,
  updatesAtLeast: null,
};

function limit(name: string, statistic: Statistic, ms: number): Limit {
  const metric = parseMetric(name);
  assert.ok(metric.ok);
  return { metric: metric.value, statistic, atMostNs: ms * 1e6, text: `${name} ${ms}`, why: "", line: 3 };
}

function gated(
  budget: Partial<Budget>,
  cohort: Cohort,
  baseline: Cohort | null = null,
  requireData = false,
): GateDocument {
  const floors = DEFAULT_FLOORS;
  return gate({
    budget: { ...EMPTY, ...budget },
    budgetFile: "b.yaml",
    cohort,
    baseline,
    comparison: baseline === null ? null : compareCohorts(baseline, cohort, { floors, seed: 1 }),
    requireData,
  });
}

const p = (percentile: number): Statistic => ({ kind: "percentile", percentile });
const hundred = numbersOf(
  "hundred",
  Array.from({ length: 100 }, (_, i) => 1000 + i),
);
const status = ({ checks }: GateDocument) => checks.map((check) => check.status);

test("a percentile's limit is decided by its bounds, not by its estimate", () => {
  const limits = [limit("blackout", p(50), 1500), limit("blackout", p(50), 1048), limit("blackout", p(50), 1010)];
  assert.deepEqual(status(gated({ limits }, hundred)), ["passed", "undecided", "failed"]);
  assert.deepEqual(status(gated({ limits, decideBy: "sample" }, hundred)), ["passed", "failed", "failed"]);
});

test("a percentile that so few updates do not bound is undecided, and says how many would", () => {
  const limits = [limit("blackout", p(99), 5000)];
  const found = gated({ limits }, hundred);
  assert.equal(found.verdict, "passed");
  assert.equal(found.checks[0]?.neededUpdates, 299);
  assert.match(found.checks[0].message, /100 updates do not bound the p99 of blackout from above, 299 would/);
  assert.equal(gated({ limits }, hundred, null, true).verdict, "insufficient");
  // Shown to be over the limit, however few there are.
  assert.equal(
    gated(
      { limits: [limit("blackout", p(95), 500)] },
      numbersOf(
        "ten",
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((i) => 600 + i),
      ),
    ).verdict,
    "failed",
  );
});

test("the longest update is the sample's own: nothing is inferred", () => {
  const limits = [limit("blackout", { kind: "max" }, 1098), limit("blackout", { kind: "max" }, 1099)];
  const found = gated({ limits }, hundred);
  assert.deepEqual(status(found), ["failed", "passed"]);
  assert.match(found.checks[0]?.message ?? "", /1 of 100 updates took longer than 1.098 s; the longest 1.099 s/);
});

test("a limit for the VMs is kept by the slowest of each update", () => {
  const vms = (slowest: number) => [
    { id: "a", durationNs: 100e6 },
    { id: "b", durationNs: 110e6 },
    { id: "c", durationNs: slowest * 1e6 },
  ];
  const cohort = cohortOf(
    "vms",
    Array.from({ length: 20 }, (_, i) => madeSample(1000, { vms: vms(900 + i) })),
  );
  assert.deepEqual(status(gated({ limits: [limit("vm-blackout", p(50), 500)] }, cohort)), ["failed"]);
});

test("what was not measured is undecided", () => {
  const found = gated({ limits: [limit("restore", p(50), 1)] }, hundred);
  assert.deepEqual(status(found), ["undecided"]);
  assert.match(found.checks[0]?.message ?? "", /not measured in any update/);
});

test("regressions: of the blackout, phases and causes, against a baseline", () => {
  const regression = {
    floors: DEFAULT_FLOORS,
    failOn: ["blackout", "phases", "causes"],
    detectShare: null,
    line: 5,
  } as const;
  const slow = numbersOf(
    "slow",
    Array.from({ length: 100 }, (_, i) => 1300 + i),
  );
  assert.deepEqual(status(gated({ regression }, slow, hundred)), ["failed", "failed", "passed"]);
  assert.deepEqual(status(gated({ regression }, hundred, slow)), ["passed", "passed", "passed"]);
  assert.deepEqual(status(gated({ regression }, hundred)), ["skipped", "skipped", "skipped"]);
  const few = gated({ regression }, numbersOf("few", [1, 2]), numbersOf("few", [1, 2]), true);
  assert.equal(few.verdict, "insufficient");
  assert.equal(few.checks[0]?.neededUpdates, 5);
});

test("a comparison too coarse for what the budget asks to detect decides nothing", () => {
  const noisy = (name: string) =>
    numbersOf(
      name,
      Array.from({ length: 12 }, (_, i) => 1000 + 80 * ((i * 7) % 12)),
    );
  const rule = { floors: DEFAULT_FLOORS, failOn: ["blackout"], line: 5 } as const;
  assert.deepEqual(status(gated({ regression: { ...rule, detectShare: null } }, noisy("b"), noisy("a"))), ["passed"]);
  const coarse = gated({ regression: { ...rule, detectShare: 0.1 } }, noisy("b"), noisy("a"));
  assert.deepEqual(status(coarse), ["undecided"]);
  assert.match(coarse.checks[0]?.message ?? "", /asks to detect 10 %/);
});

test("outcomes and numbers have limits of their own", () => {
  const cohort = cohortOf("c", [
    madeSample(1),
    madeSample(2, { outcome: "failed", outcomeReason: "refused", source: "x" }),
  ]);
  const found = gated({ failedAtMost: { count: 0, line: 1 }, updatesAtLeast: { count: 2, line: 2 } }, cohort);
  assert.deepEqual(status(found), ["failed", "undecided"]);
  assert.match(found.checks[0]?.message ?? "", /1 of 2 updates did not complete\. x: refused/);
});

test("a limit on a cause that no update has decides nothing, and says what was probably meant", () => {
  const card = causeOf("0000:00:03.0", 40, {
    kind: "device",
    detail: "e1000",
    parts: [{ name: "shutdown", totalNs: 40e6 }],
  });
  const withCard = cohortOf(
    "card",
    Array.from({ length: 6 }, () => madeSample(1000, { causes: [card] })),
  );
  const limits = ["device:e10000", "device:e1000/shutdwn", "device:e1000/shutdown", "irq:*", "unattributed"].map(
    (name) => limit(name, p(50), 100),
  );
  const found = gated({ limits, decideBy: "sample" }, withCard);
  assert.deepEqual(status(found), ["undecided", "undecided", "passed", "undecided", "passed"]);
  assert.equal(found.checks[0]?.message, "No update has a cause named device:e10000: did you mean device:e1000?");
  assert.match(found.checks[1]?.message ?? "", /did you mean device:e1000\/shutdown\?/);
  assert.equal(found.checks[3]?.message, "No update has a cause named irq:*.");
  assert.equal(gated({ limits }, withCard, null, true).verdict, "insufficient");
  // A cause that is gone is one that keeps its limit.
  const without = cohortOf(
    "without",
    Array.from({ length: 6 }, () => madeSample(960)),
  );
  assert.deepEqual(status(gated({ limits: limits.slice(2, 3), decideBy: "sample" }, without, withCard)), ["passed"]);
});

test("limits on complaints and outcomes count over all updates; what is allowed counts for nothing", () => {
  const warning = { class: "warning", severity: "severe", boot: "new", text: "WARNING: at a.c:1", count: 2 } as const;
  const acpi = { class: "acpi-error", severity: "minor", boot: "old", text: "ACPI Error: known", count: 3 } as const;
  const updates = [madeSample(1000, { health: [warning, acpi] }), madeSample(1000, { health: [] })];
  const cohort = cohortOf("c", updates);
  const count = (name: "warning" | "severe" | "minor" | "any" | "oops", atMost: number): CountLimit => ({
    of: { kind: "health", name },
    atMost,
    text: `health ${name} <= ${atMost}`,
    why: "",
    line: 1,
  });
  const status = (limit: CountLimit, more: Partial<Budget> = {}, of = cohort): unknown =>
    gated({ counts: [limit], ...more }, of).checks.map((check) => check.status);
  assert.deepEqual(status(count("warning", 0)), ["failed"]);
  assert.deepEqual(status(count("warning", 2)), ["passed"]);
  assert.deepEqual(status(count("severe", 1)), ["failed"]);
  assert.deepEqual(status(count("minor", 3)), ["passed"]);
  assert.deepEqual(status(count("any", 4)), ["failed"]);
  assert.deepEqual(status(count("oops", 0)), ["passed"]);
  assert.deepEqual(status(count("any", 2), { allowed: [{ pattern: /^ACPI Error: known$/, line: 2 }] }), ["passed"]);
  const unknown = cohortOf("c", [...updates, madeSample(1000, { health: null })]);
  assert.deepEqual(status(count("oops", 0), {}, unknown), ["undecided"]);
  assert.deepEqual(status(count("warning", 0), {}, unknown), ["failed"], "what is known is enough to fail");
});

test("an update that was restored in part fails its limit, and the limit on what did not complete", () => {
  const lost = madeSample(1000, { outcome: "partly-restored", outcomeReason: "Lost: session a." });
  const limit = { of: { kind: "outcomes", name: "partly-restored" }, atMost: 0, text: "x", why: "", line: 1 } as const;
  const found = gated(
    { counts: [limit], failedAtMost: { count: 0, line: 2 } },
    cohortOf("c", [madeSample(1000), lost]),
  );
  assert.equal(found.verdict, "failed");
  assert.deepEqual(
    found.checks.map(({ kind, status }) => [kind, status]),
    [
      ["outcomes", "failed"],
      ["outcomes", "failed"],
    ],
  );
  assert.match(found.checks[0]?.message ?? "", /1 of 2 updates: partly-restored\. made: Lost: session a\./);
});

test("a tail that grew fails the gate, and one that so few updates cannot prove is undecided", () => {
  const regression = { floors: DEFAULT_FLOORS, failOn: ["blackout", "phases"] as const, detectShare: null, line: 2 };
  const tailed = (n: number, tail: number): Cohort =>
    numbersOf(
      `${tail} of ${n}`,
      Array.from({ length: n }, (_, i) => (i < tail ? 9_000 : 5_000) + (i % 10)),
    );
  const found = gated({ regression }, tailed(200, 20), tailed(200, 0));
  assert.equal(found.verdict, "failed");
  // The kexec is all of a made-up blackout.
  assert.deepEqual(status(found), ["failed", "failed"]);
  assert.match(found.checks[0]?.message ?? "", /but its p9[05] is longer by/);
  assert.match(found.checks[1]?.message ?? "", /Longer: kexec p9[05] by/);
  assert.equal(status(gated({ regression }, tailed(80, 8), tailed(80, 0)))[0], "undecided");
  assert.equal(status(gated({ regression }, tailed(200, 20), tailed(200, 20)))[0], "passed");
});
