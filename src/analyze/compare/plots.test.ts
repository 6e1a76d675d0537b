import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { LiveUpdateDocument, PhaseDocument } from "../../model/live-update.js";
import { cohortOf, madeSample, numbersOf } from "../../testing/samples/samples.js";
import { ecdf, overlayOf, percentilePlot, plotValues, stripRows } from "./plots.js";

const blackout = { kind: "blackout" } as const;

test("points know their updates, in ascending order", () => {
  const cohort = cohortOf("c", [madeSample(3), madeSample(9, { outcome: "failed" }), madeSample(1), madeSample(2)]);
  assert.deepEqual(plotValues(cohort, blackout), [
    { update: 2, valueNs: 1e6 },
    { update: 3, valueNs: 2e6 },
    { update: 0, valueNs: 3e6 },
  ]);
});

test("the percentile plot: solid as far as the updates bound it, and the budget's lines", () => {
  const values = plotValues(
    numbersOf(
      "c",
      Array.from({ length: 59 }, (_, i) => i + 1),
    ),
    blackout,
  );
  const limit = { metric: blackout, atMostNs: 5e9, why: "", line: 1 } as const;
  const plot = percentilePlot(values, [
    { ...limit, text: "p99", statistic: { kind: "percentile", percentile: 99 } },
    { ...limit, text: "max", statistic: { kind: "max" } },
  ]);
  // 59 updates bound p95: x = 20.
  assert.ok(plot.supportedX >= 20 && plot.supportedX < 20.5);
  assert.ok(Math.abs((plot.points[29]?.x ?? 0) - 2) < 1e-12);
  assert.deepEqual(
    plot.limits.map(({ text, x }) => [text, x === null ? null : Math.round(x)]),
    [
      ["p99", 100],
      ["max", null],
    ],
  );
  assert.deepEqual(percentilePlot([], []), { points: [], supportedX: 1, limits: [] });
});

test("the distribution function rises to one, equal values at once", () => {
  const values = [1, 1, 2, 3].map((valueNs, update) => ({ update, valueNs }));
  assert.deepEqual(ecdf(values), [
    { valueNs: 1, share: 0.5 },
    { valueNs: 2, share: 0.75 },
    { valueNs: 3, share: 1 },
  ]);
});

test("no two points of a strip plot lie on each other", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 60 }), fc.integer({ min: 1, max: 100 }), (numbers, apart) => {
      const values = numbers.sort((a, b) => a - b).map((valueNs, update) => ({ update, valueNs }));
      const strip = stripRows(values, apart);
      for (const [i, a] of strip.entries()) {
        for (const b of strip.slice(0, i)) assert.ok(a.row !== b.row || a.valueNs - b.valueNs >= apart);
      }
    }),
  );
  const rows = stripRows(
    [0, 0, 0, 0].map((valueNs, update) => ({ update, valueNs })),
    1,
  ).map(({ row }) => row);
  assert.deepEqual(rows, [0, 1, -1, 2]);
});

test("two updates are laid over each other at their blackout's begin", () => {
  const phase = (beginNs: number | null, endNs: number): PhaseDocument => ({
    name: "kexec",
    axis: "joint",
    beginNs,
    endNs,
    durationNs: beginNs === null ? null : endNs - beginNs,
    uncertaintyNs: 0,
    beginRangeNs: null,
    endRangeNs: null,
    evidence: { begin: null, end: null },
  });
  const update = (beginNs: number, durationNs: number, kexec: PhaseDocument) =>
    ({ blackout: { beginNs, durationNs }, phases: [kexec] }) as unknown as LiveUpdateDocument;
  const overlay = overlayOf(update(0, 100, phase(10, 90)), update(-5, 150, phase(5, 120)));
  assert.deepEqual(overlay, {
    shiftNs: [0, -5],
    blackoutNs: [100, 150],
    differenceNs: 50,
    phases: [{ name: "kexec", a: { beginNs: 10, endNs: 90 }, b: { beginNs: 10, endNs: 125 }, differenceNs: 35 }],
  });
  const unseen = overlayOf(update(0, 100, phase(null, 90)), update(0, 150, phase(5, 120)));
  assert.equal(unseen?.phases[0]?.differenceNs, null);
});
