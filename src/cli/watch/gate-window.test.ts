import assert from "node:assert/strict";
import test from "node:test";
import type { Budget } from "../../analyze/compare/budget.js";
import { causeOf, cohortOf, madeSample } from "../../testing/samples/samples.js";
import { parseBudget } from "../input/budget-file.js";
import { type GateRules, GateWindow } from "./gate-window.js";

const HOUR = 3_600_000;

function rules(text: string, more: Partial<GateRules> = {}): GateRules {
  const budget = parseBudget(`version: 1\n${text}`, "budget.yaml");
  assert.ok(budget.ok, budget.ok ? "" : budget.error);
  return { budget: budget.value as Budget, budgetFile: "budget.yaml", baseline: null, seed: 1, ...more };
}

const statuses = (window: GateWindow) =>
  window
    .evaluate()
    .map(({ key, document }) => [key.workload, key.basis, ...document.checks.map(({ status }) => status)]);

test("what left the window does not count any more, in whatever order it came", () => {
  const window = new GateWindow(24 * HOUR, rules("limits: [blackout max <= 1s]"));
  const now = 100 * HOUR;
  for (const [hoursAgo, ms] of [
    [1, 500],
    [23, 5_000],
    [25, 9_000],
    [2, 400],
  ] as const) {
    window.add(madeSample(ms), now - hoursAgo * HOUR, now);
  }
  assert.equal(window.size, 3);
  assert.deepEqual(statuses(window), [["idle", "vm-marks", "failed"]]);
  window.slide(now + 2 * HOUR);
  assert.deepEqual(statuses(window), [["idle", "vm-marks", "passed"]]);
  assert.deepEqual(
    window.latest(1).map(({ sample }) => sample.blackout.durationNs),
    [500e6],
  );
  window.slide(now + 30 * HOUR);
  assert.deepEqual(statuses(window), []);
});

test("like with like: cohorts are judged apart, and updates without a blackout with those of their kind", () => {
  const window = new GateWindow(HOUR, rules("limits: [blackout max <= 1s]\noutcomes: {failed: 0}"));
  const lost = { outcome: "failed", blackout: { basis: null, durationNs: null, uncertaintyNs: null } } as const;
  window.add(madeSample(500), 0, 0);
  window.add(madeSample(5_000, { labels: { workload: "busy" } }), 0, 0);
  window.add(madeSample(1, lost), 0, 0);
  window.add(madeSample(1, { ...lost, labels: { workload: "none yet" } }), 0, 0);
  assert.deepEqual(statuses(window), [
    ["busy", "vm-marks", "failed", "passed"],
    ["idle", "vm-marks", "passed", "failed"],
    ["none yet", "none", "undecided", "failed"],
  ]);
});

test("a baseline is compared with the cohort of its kind", () => {
  const made = (ms: number, workload: string) =>
    Array.from({ length: 20 }, (_, i) => madeSample(ms + i, { labels: { workload }, causes: [causeOf("a", ms + i)] }));
  const baseline = cohortOf("before", made(1_000, "idle"));
  const window = new GateWindow(HOUR, rules("regression: {fail-on: [blackout, causes]}", { baseline }));
  for (const update of [...made(2_000, "idle"), ...made(2_000, "busy")]) window.add(update, 0, 0);
  assert.deepEqual(statuses(window), [
    ["busy", "vm-marks", "skipped", "skipped"],
    ["idle", "vm-marks", "failed", "failed"],
  ]);
});
