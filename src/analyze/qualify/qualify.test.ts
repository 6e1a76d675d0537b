import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Ajv } from "ajv";
import { seededRandom } from "../../base/numbers/random.js";
import type { QualifyDocument } from "../../model/documents/qualify.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { madeSample, schemaPath } from "../../testing/samples/samples.js";
import { parseMetric } from "../cohort/metrics.js";
import { DEFAULT_FLOORS } from "../compare/levels.js";
import { notSeenSentence } from "../update/restoration.js";
import { type QualifyOptions, qualify, UNKNOWN_KERNEL } from "./qualify.js";

const DEFAULTS: QualifyOptions = { from: [], to: [], reference: "old", budget: null, floors: DEFAULT_FLOORS, seed: 1 };
const random = seededRandom(5);

function updates(
  old: string,
  fresh: string,
  n: number,
  ms: number,
  change: Partial<UpdateSample> = {},
): readonly UpdateSample[] {
  return Array.from({ length: n }, (_, i) =>
    madeSample(ms * (1 + 0.02 * random.normal()), {
      kernel: { old, new: fresh },
      source: `${old}-${fresh}/${i}`,
      ...change,
    }),
  );
}

function statuses(matrix: QualifyDocument): Readonly<Record<string, string>> {
  return Object.fromEntries(matrix.cells.map((cell) => [`${cell.old} ${cell.new}`, cell.status]));
}

const evil = "<script>alert(1)</script> | **x** \u0000";
const samples = [
  ...updates("7.9", "7.9", 8, 1000),
  ...updates("7.9", "7.10", 8, 1500),
  ...updates("7.10", "7.10", 8, 1000),
  ...updates("7.10", "7.9", 5, 1000),
  ...updates("7.10", "7.9", 1, 1000, { outcome: "failed", outcomeReason: evil }),
  ...updates("7.10", "7.11", 8, 1000),
];

test("each pair of kernels is passed, regressed, failed or not tested, with its evidence", () => {
  const matrix = qualify(samples, DEFAULTS);
  assert.deepEqual(matrix.old, ["7.9", "7.10", "7.11"]);
  assert.deepEqual(statuses(matrix), {
    "7.9 7.9": "passed",
    "7.9 7.10": "regressed",
    "7.9 7.11": "not-tested",
    "7.10 7.9": "failed",
    "7.10 7.10": "passed",
    "7.10 7.11": "passed",
    "7.11 7.9": "not-tested",
    "7.11 7.10": "not-tested",
    "7.11 7.11": "not-tested",
  });
  const [, regressed, , failed] = matrix.cells;
  assert.match(regressed?.evidence[1] ?? "", /^Blackout \+5\d\d\.\d ms against 7\.9 → 7\.9 \(p = 0\.0\d+\): regressed/);
  assert.deepEqual(failed?.evidence.slice(0, 2), ["5 of 6 updates completed.", `7.10-7.9/0: failed: ${evil}`]);
  assert.equal(matrix.verdict, "failed");
  const validate = new Ajv().compile(JSON.parse(readFileSync(schemaPath("qualify"), "utf8")));
  assert.ok(validate(JSON.parse(JSON.stringify(matrix))), JSON.stringify(validate.errors));
});

test("requested kernels that were never tried are not tested", () => {
  const matrix = qualify(updates("a", "b", 5, 1000), { ...DEFAULTS, from: ["a"], to: ["b", "c"] });
  assert.deepEqual(statuses(matrix), { "a b": "passed", "a c": "not-tested" });
  assert.equal(matrix.verdict, "incomplete");
  assert.equal(qualify(updates("a", "b", 5, 1000), { ...DEFAULTS, from: ["a"], to: ["b"] }).verdict, "passed");
});

test("the reference is a choice: against the new kernel's own updates nothing regressed", () => {
  const slowNew = [...updates("a", "a", 8, 1000), ...updates("a", "b", 8, 1500), ...updates("b", "b", 8, 1500)];
  assert.equal(statuses(qualify(slowNew, DEFAULTS))["a b"], "regressed");
  assert.equal(statuses(qualify(slowNew, { ...DEFAULTS, reference: "new" }))["a b"], "passed");
  assert.equal(statuses(qualify(slowNew, { ...DEFAULTS, reference: "none" }))["a b"], "passed");
});

test("a budget holds in every cell", () => {
  const metric = parseMetric("blackout");
  assert.ok(metric.ok);
  const limit = {
    metric: metric.value,
    statistic: { kind: "max" },
    atMostNs: 1.2e9,
    text: "max",
    why: "",
    line: 1,
  } as const;
  const budget = {
    decideBy: "bounds",
    limits: [limit],
    regression: null,
    counts: [],
    allowed: [],
    failedAtMost: null,
    updatesAtLeast: null,
  } as const;
  const matrix = qualify(samples, { ...DEFAULTS, reference: "none", budget });
  assert.equal(statuses(matrix)["7.9 7.10"], "regressed");
  assert.equal(statuses(matrix)["7.9 7.9"], "passed");
});

test("an update that died before its new kernel had a name stands under unknown, and fails the verdict", () => {
  const died = { kernel: { old: "a", new: null }, outcome: "failed", outcomeReason: "It never came up." } as const;
  const matrix = qualify([...updates("a", "a", 5, 1000), ...updates("a", "", 1, 1000, died)], DEFAULTS);
  assert.deepEqual(statuses(matrix), { "a a": "passed", "a unknown": "failed" });
  assert.deepEqual([matrix.old, matrix.new, matrix.verdict], [["a"], ["a", UNKNOWN_KERNEL], "failed"]);
  assert.equal(matrix.unnamed.length, 1);
  assert.match(matrix.cells[1]?.evidence.join(" ") ?? "", /failed: It never came up/);
  const asked = qualify([...updates("a", "b", 5, 1000), ...updates("a", "", 1, 1000, died)], {
    ...DEFAULTS,
    from: ["a"],
    to: ["b"],
  });
  assert.equal(asked.verdict, "failed", "the requested pairs leave no failure out");
  const nameless = qualify(updates("", "", 1, 1000, { ...died, kernel: { old: null, new: null } }), DEFAULTS);
  assert.deepEqual(statuses(nameless), { "unknown unknown": "failed" });
});

test("partly restored fails the pair; a session not seen, and complaints, stand beside the verdict", () => {
  const lost = { outcome: "partly-restored", outcomeReason: "Lost: session a: retrieve failed with ENOMEM." } as const;
  const partly = qualify([...updates("a", "b", 5, 1000), ...updates("a", "b", 1, 1000, lost)], DEFAULTS);
  assert.equal(statuses(partly)["a b"], "failed");
  assert.match(partly.cells.map(({ evidence }) => evidence.join(" ")).join(" "), /partly-restored: Lost: .*ENOMEM/);
  const unseen = notSeenSentence([{ session: "s", tokens: ["0x1"] }]);
  const health = [{ class: "warning", severity: "severe", boot: "new", text: "WARNING: here", count: 2 }] as const;
  const matrix = qualify(updates("a", "b", 5, 1000, { outcomeReason: unseen, health }), {
    ...DEFAULTS,
    from: ["a"],
    to: ["b"],
  });
  assert.equal(matrix.verdict, "passed");
  assert.match(
    matrix.cells[0]?.evidence.join(" ") ?? "",
    /Not seen to be restored.*complained: 10 warning.*WARNING: here/,
  );
});
