import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { WORK_MEASURES } from "../../model/document-parts.js";
import { MEASURES } from "../../model/documents/percentiles.js";
import { sampleOfDocument } from "../../model/update-sample.js";
import { liveUpdateDocument } from "../../testing/samples/live-update-document.js";
import { HISTOGRAM_HIGHEST_NS } from "../statistics/distributions/histogram-layout.js";
import { cohortDifferences, cohortKeyOf, commonKey } from "./cohort-key.js";
import { durationHistogram, sampleUpdates } from "./histograms.js";
import { exactPercentiles, histogramPercentiles } from "./percentiles.js";

const durations = fc.array(fc.oneof(fc.nat(5000), fc.nat(HISTOGRAM_HIGHEST_NS)), { minLength: 1, maxLength: 400 });

test("only completed updates count, each once; the rest is named", () => {
  const given = [
    liveUpdateDocument({ name: "a" }),
    liveUpdateDocument({ name: "b", outcome: "failed" }),
    liveUpdateDocument({ name: "a" }),
    liveUpdateDocument({ name: "c", outcome: "incomplete" }),
  ].map((document, i) => sampleOfDocument(document, `captures/${i}`));
  const { counted, excluded, measures } = sampleUpdates(given);
  assert.deepEqual(
    counted.map(({ source }) => source),
    ["captures/0"],
  );
  assert.deepEqual(
    excluded.map(({ from, reason }) => [from, reason]),
    [
      ["captures/1", "failed: The new kernel never came up."],
      ["captures/2", "the same update as captures/0"],
      ["captures/3", "incomplete: The new kernel never came up."],
    ],
  );
  assert.deepEqual(
    measures.map(({ name, valuesNs, histogram }) => [name, valuesNs, histogram.totalCount]),
    MEASURES.map((name) => (name.endsWith("-work") ? [name, [], 0] : [name, [1e6], 1])),
  );
});

test("a value that is unknown, negative or beyond the histogram is named, not dropped", () => {
  const { measures } = sampleUpdates([
    sampleOfDocument(
      liveUpdateDocument({ phasesNs: { freeze: null, restore: -5, finish: HISTOGRAM_HIGHEST_NS + 1 } }),
      "x",
    ),
  ]);
  const reasons = measures.map(({ name, valuesNs, unknown }) => [name, valuesNs.length, unknown[0]?.reason ?? null]);
  assert.deepEqual(reasons, [
    ["blackout", 1, null],
    ["prepare", 1, null],
    ["freeze", 0, "not both of its ends were seen on one axis"],
    ["kexec", 1, null],
    ["restore", 0, "it lasts -5 ns: its ends are in the wrong order"],
    ["finish", 0, `it lasts ${HISTOGRAM_HIGHEST_NS + 1} ns, more than the 24 h that a histogram holds`],
    ...WORK_MEASURES.map((name) => [name, 0, "no call of LUO's is recorded"]),
  ]);
});

test("the histogram's percentiles are the exact ones to within its buckets", () => {
  fc.assert(
    fc.property(durations, (values) => {
      const histogram = durationHistogram();
      for (const value of values) histogram.recordValue(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = exactPercentiles("blackout", sorted, []);
      const bucketed = histogramPercentiles("blackout", histogram, []);
      assert.equal(bucketed.n, exact.n);
      for (const [i, { percentile, valueNs, needed }] of exact.percentiles.entries()) {
        const other = bucketed.percentiles[i];
        assert.deepEqual([other?.percentile, other?.needed], [percentile, needed]);
        assert.equal(valueNs === null, values.length < needed, `p${percentile} of ${values.length}`);
        assert.equal(other?.valueNs === null, valueNs === null);
        if (valueNs === null || other === undefined || other.valueNs === null) continue;
        assert.ok(
          other.valueNs >= valueNs && other.valueNs <= valueNs * (1 + 1 / 1024),
          `${other.valueNs}, ${valueNs}`,
        );
      }
      const [min, max] = [exact.minNs as number, exact.maxNs as number];
      assert.ok((bucketed.minNs as number) <= min && (bucketed.maxNs as number) >= max);
    }),
  );
});

test("bounds lie around their percentile, and exist from the sizes that the literature gives", () => {
  const sizes: readonly (readonly [number, number])[] = [
    [50, 5],
    [90, 29],
    [95, 59],
    [99, 299],
    [99.9, 2995],
  ];
  for (const [percentile, needed] of sizes) {
    for (const n of [needed - 1, needed]) {
      const values = Array.from({ length: n }, (_, i) => i + 1);
      const found = exactPercentiles("kexec", values, []).percentiles.find((each) => each.percentile === percentile);
      assert.equal(found?.needed, needed);
      assert.equal(found?.upperNs === null, n < needed);
      assert.equal(found?.valueNs === null, n < needed);
      if (found?.valueNs !== null && found !== undefined) {
        assert.ok((found.lowerNs as number) <= found.valueNs && found.valueNs <= (found.upperNs as number));
        assert.equal(found.valueNs, Math.ceil((percentile * n) / 100 - 1e-9));
      }
    }
  }
  assert.deepEqual(exactPercentiles("kexec", [], []).minNs, null);
});

test("a cohort's differences name each value, its number and its first member", () => {
  const members = [
    liveUpdateDocument({ name: "a" }),
    liveUpdateDocument({ name: "b", probeLevel: "graph" }),
    liveUpdateDocument({ name: "c", labels: {} }),
  ].map((document) => ({ from: document.capture.name, key: cohortKeyOf(sampleOfDocument(document, "made")) }));
  assert.deepEqual(cohortDifferences(members), [
    {
      property: "probeLevel",
      values: [
        { value: "probes", members: 2, first: "a" },
        { value: "graph", members: 1, first: "b" },
      ],
    },
    {
      property: "workload",
      values: [
        { value: "memfd", members: 2, first: "a" },
        { value: null, members: 1, first: "c" },
      ],
    },
  ]);
  assert.deepEqual(commonKey(members), { probeLevel: null, workload: null, basis: "vm-marks" });
  assert.deepEqual(cohortDifferences(members.slice(0, 1)), []);
});
