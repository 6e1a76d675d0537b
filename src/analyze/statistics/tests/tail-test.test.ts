import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type Sample, sampleOf } from "../sample.js";
import { tailTest } from "./tail-test.js";

function sample(values: readonly number[]): Sample {
  const made = sampleOf(values);
  assert.ok(made.ok);
  return made.value;
}

const upTo = (n: number, from = 0): readonly number[] => Array.from({ length: n }, (_, i) => from + i);

test("Fisher's exact test of what lies above the pooled quantile, as SciPy's fisher_exact has it", () => {
  // fisher_exact([[10, 0], [0, 10]]).pvalue = 1.0825088224469026e-05: both one-sided tails are 1 / C(20, 10).
  const apart = tailTest(sample(upTo(10)), sample(upTo(10, 100)), 0.5);
  assert.deepEqual([apart.baselineAbove, apart.candidateAbove], [0, 10]);
  assert.ok(Math.abs(apart.p - 1.0825088224469026e-5) < 1e-15);
  // Twenty of 200 against none of 200: 2 · C(200, 20) / C(400, 20).
  const tail = tailTest(sample(upTo(200)), sample([...upTo(180), ...upTo(20, 1000)]), 0.95);
  assert.deepEqual([tail.baselineAbove, tail.candidateAbove], [0, 20]);
  assert.ok(tail.p > 1.1e-6 && tail.p < 1.2e-6, `${tail.p}`);
  assert.equal(tailTest(sample([1]), sample([1]), 0.9).p, 1);
});

test("property: swapping the cohorts swaps the counts, and p is a probability, ties or not", () => {
  const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(values, values, fc.constantFrom(0.5, 0.9, 0.95), (a, b, probability) => {
      const there = tailTest(sample(a), sample(b), probability);
      const back = tailTest(sample(b), sample(a), probability);
      assert.deepEqual([there.baselineAbove, there.candidateAbove], [back.candidateAbove, back.baselineAbove]);
      assert.ok(Math.abs(there.p - back.p) < 1e-9 && there.p > 0 && there.p <= 1);
    }),
  );
});
