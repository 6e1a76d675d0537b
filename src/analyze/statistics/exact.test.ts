/**
 * The exact tests against every way there is to hand the values out, ties included; and the small statistics beside.
 */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { sizeForUpperBound } from "./order-statistics.js";
import { rankSumU } from "./pooled.js";
import { type Sample, sampleOf } from "./sample.js";
import { hodgesLehmann, kthDifference } from "./tests/hodges-lehmann.js";
import { holm } from "./tests/holm.js";
import { kolmogorovSmirnov } from "./tests/kolmogorov-smirnov.js";
import { mannWhitney } from "./tests/mann-whitney.js";

function sample(values: readonly number[]): Sample {
  const made = sampleOf(values);
  assert.ok(made.ok);
  return made.value;
}

/** Every choice of `size` of the pooled values as the baseline. */
function* choices(pool: readonly number[], size: number): Generator<readonly [Sample, Sample]> {
  for (let mask = 0; mask < 1 << pool.length; mask += 1) {
    const baseline = pool.filter((_, i) => (mask >> i) & 1);
    if (baseline.length !== size) continue;
    yield [sample(baseline), sample(pool.filter((_, i) => !((mask >> i) & 1)))];
  }
}

/** Few distinct values: nearly every pair has ties. */
const tied = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 });

test("Mann-Whitney's exact p, with ties: the share of all choices that are as extreme", () => {
  fc.assert(
    fc.property(tied, tied, (b, c) => {
      const u = rankSumU(sample(b), sample(c));
      let [all, atLeast, atMost] = [0, 0, 0];
      for (const [baseline, candidate] of choices([...b, ...c], b.length)) {
        const other = rankSumU(baseline, candidate);
        all += 1;
        if (other >= u) atLeast += 1;
        if (other <= u) atMost += 1;
      }
      const near = (found: number, expected: number) =>
        assert.ok(Math.abs(found - expected) < 1e-12, `${found} ${expected}`);
      near(mannWhitney(sample(b), sample(c), "greater").p, atLeast / all);
      near(mannWhitney(sample(b), sample(c), "less").p, atMost / all);
      near(mannWhitney(sample(b), sample(c)).p, Math.min(1, (2 * Math.min(atLeast, atMost)) / all));
    }),
    { numRuns: 60 },
  );
});

test("Kolmogorov-Smirnov's exact p, with ties, likewise", () => {
  fc.assert(
    fc.property(tied, tied, (b, c) => {
      const { d, p } = kolmogorovSmirnov(sample(b), sample(c));
      let [all, atLeast] = [0, 0];
      for (const [baseline, candidate] of choices([...b, ...c], b.length)) {
        all += 1;
        if (kolmogorovSmirnov(baseline, candidate, "two-sided", "asymptotic").d >= d - 1e-12) atLeast += 1;
      }
      assert.ok(Math.abs(p - atLeast / all) < 1e-12, `${p}, ${atLeast} of ${all}`);
    }),
    { numRuns: 60 },
  );
});

test("Hodges-Lehmann: of all differences the middle, and the k-th", () => {
  const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(values, values, (b, c) => {
      const all = c.flatMap((y) => b.map((x) => y - x)).sort((x, y) => x - y);
      for (const [i, difference] of all.entries()) assert.equal(kthDifference(sample(b), sample(c), i + 1), difference);
      const half = all.length / 2;
      const middle = (all[Math.ceil(half) - 1]! + all[Math.floor(half)]!) / 2;
      assert.equal(hodgesLehmann(sample(b), sample(c), 0.9).shift, middle);
    }),
  );
});

test("Holm's example, and never below Bonferroni's own least", () => {
  assert.deepEqual(
    holm([0.01, 0.04, 0.03, 0.005]).map((p) => Math.round(p * 1e6) / 1e6),
    [0.03, 0.06, 0.06, 0.02],
  );
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }), (ps) => {
      const adjusted = holm(ps);
      ps.forEach((p, i) => {
        assert.ok((adjusted[i]! >= p && adjusted[i]! <= Math.min(1, p * ps.length) + 1e-12) || adjusted[i]! <= 1);
      });
      assert.equal(Math.min(...adjusted), Math.min(1, Math.min(...ps) * ps.length));
    }),
  );
});

test("percentiles need 5, 29, 59, 299 and 2,995 updates", () => {
  assert.deepEqual(
    [0.5, 0.9, 0.95, 0.99, 0.999].map((p) => sizeForUpperBound(p, 0.95)),
    [5, 29, 59, 299, 2995],
  );
});
