/**
 * Every statistic that SciPy has too, on thousands of random inputs, ties included. Conventions are those documented
 * for SciPy 1.10 (Debian 12); they are the same in later versions. Two differ on purpose, and are checked elsewhere:
 * SciPy's exact Mann-Whitney and Kolmogorov-Smirnov p-values ignore ties, ours condition on them.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { seededRandom } from "../../base/numbers/random.js";
import { projectRoot } from "../../testing/places.js";
import { binomialAtLeast, binomialAtMost, binomialQuantile } from "./distributions/binomial.js";
import { kolmogorovUpperTail } from "./distributions/kolmogorov-distribution.js";
import { incompleteBeta, logGamma, normalQuantile, normalUpperTail } from "./distributions/special-functions.js";
import {
  harrellDavisCumulativeWeights,
  lowerQuantileBound,
  percentileOf,
  type QuantileBound,
  quantile,
  quantileInterval,
  upperQuantileBound,
} from "./order-statistics.js";
import { type Sample, sampleOf } from "./sample.js";
import { kolmogorovSmirnov } from "./tests/kolmogorov-smirnov.js";
import { type Alternative, mannWhitney } from "./tests/mann-whitney.js";

const python = "/usr/bin/python3";
const hasScipy = spawnSync(python, ["-c", "import importlib.util as u, sys; sys.exit(u.find_spec('scipy') is None)"]);
const skip = hasScipy.status === 0 ? false : `${python} has no SciPy (Debian: python3-scipy)`;

const random = seededRandom(2014);

interface Pair {
  readonly baseline: readonly number[];
  readonly candidate: readonly number[];
  readonly alternative: Alternative;
  readonly untied: boolean;
}

const ALTERNATIVES: readonly Alternative[] = ["two-sided", "greater", "less"];

/** Two cohorts, of sizes mostly small; on a coarse grid or on one so fine that ties are rare. */
function pair(): Pair {
  const grid = [4, 30, 1e6, 1e9][random.below(4)]!;
  const most = random.below(5) === 0 ? 60 : 14;
  const shift = random.below(3) * 0.4;
  const draw = (by: number) =>
    Array.from({ length: 2 + random.below(most) }, () => Math.round((Math.exp(random.normal()) + by) * grid));
  const baseline = draw(0);
  const candidate = draw(shift);
  const all = [...baseline, ...candidate];
  return { baseline, candidate, alternative: ALTERNATIVES[random.below(3)]!, untied: new Set(all).size === all.length };
}

const pairs = Array.from({ length: 1000 }, pair);
const samples = Array.from({ length: 500 }, () => ({
  sample: Array.from({ length: 2 + random.below(random.below(4) === 0 ? 400 : 40) }, () =>
    Math.round(Math.exp(random.normal()) * 1e4),
  ),
  probability: [0.5, 0.9, 0.95, 0.99, 0.25, random.uniform() * 0.98 + 0.01][random.below(6)]!,
  confidence: [0.9, 0.95, 0.99][random.below(3)]!,
}));
const points = Array.from({ length: 1000 }, () => {
  const n = 1 + random.below([10, 100, 3000, 100_000][random.below(4)]!);
  const p = [0.5, 0.99, 0.001, random.uniform()][random.below(4)]!;
  const spread = Math.sqrt(n * p * (1 - p)) * random.normal() * 2;
  const size = 1 + random.below([10, 140, 1000, 5000][random.below(4)]!);
  return {
    n,
    p,
    k: Math.max(0, Math.min(n, Math.round(n * p + spread))),
    level: 0.0001 + 0.9998 * random.uniform(),
    a: Math.exp(random.normal() * 2.5),
    b: Math.exp(random.normal() * 2.5),
    z: random.normal() * 5,
    size,
    d: Math.min(1, (0.2 + 2.5 * random.uniform()) / Math.sqrt(size)),
  };
});

function ask(): { readonly scipy: string; readonly answers: Record<string, readonly Record<string, unknown>[]> } {
  const questions = { mannWhitney: pairs, kolmogorovSmirnov: pairs, quantiles: samples, distributions: points };
  // The script lies beside this module's source: the build copies no Python.
  const script = join(projectRoot, "src/analyze/statistics/scipy-reference.py");
  const { status, stdout, stderr } = spawnSync(python, [script], {
    input: JSON.stringify(questions),
    encoding: "utf8",
    maxBuffer: 1 << 28,
    // One question at a time needs no thread pool, and start-up is faster without.
    env: { ...process.env, OPENBLAS_NUM_THREADS: "1" },
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

function sample(values: readonly number[]): Sample {
  const made = sampleOf(values);
  assert.ok(made.ok);
  return made.value;
}

/** |found − expected| ≤ 1e-9, and relatively if `relative` is given. */
function close(found: number, expected: unknown, what: string, relative: number | null = null): void {
  assert.equal(typeof expected, "number", `${what}: no reference (${expected})`);
  const error = Math.abs(found - (expected as number));
  const bound = relative === null ? 1e-9 : relative * Math.abs(expected as number) + 1e-300;
  assert.ok(error <= bound, `${what}: ${found}, SciPy ${expected}`);
}

test("agrees with SciPy", { skip }, async (t) => {
  const { answers } = ask();

  await t.test("Mann-Whitney: U, exact and asymptotic p, all alternatives", () => {
    let exact = 0;
    for (const [i, { baseline, candidate, alternative, untied }] of pairs.entries()) {
      const answer = answers.mannWhitney![i]!;
      const [b, c] = [sample(baseline), sample(candidate)];
      const what = `pair ${i}, ${b.length} and ${c.length}, ${alternative}`;
      const asymptotic = mannWhitney(b, c, alternative, "asymptotic");
      close(asymptotic.u, answer.u, what);
      close(asymptotic.p, answer.asymptotic, `${what}, asymptotic`, 1e-9);
      if (!untied) continue;
      exact += 1;
      const found = mannWhitney(b, c, alternative);
      assert.equal(found.method, "exact");
      close(found.p, answer.exact, `${what}, exact`, 1e-9);
    }
    assert.ok(exact > 300, `only ${exact} pairs without ties`);
  });

  await t.test("Kolmogorov-Smirnov: D, exact and asymptotic p, all alternatives", () => {
    for (const [i, { baseline, candidate, alternative, untied }] of pairs.entries()) {
      const answer = answers.kolmogorovSmirnov![i]!;
      const [b, c] = [sample(baseline), sample(candidate)];
      const what = `pair ${i}, ${b.length} and ${c.length}, ${alternative}`;
      const asymptotic = kolmogorovSmirnov(b, c, alternative, "asymptotic");
      close(asymptotic.d, answer.d, what);
      close(asymptotic.p, answer.asymp, `${what}, asymptotic`);
      if (untied) close(kolmogorovSmirnov(b, c, alternative).p, answer.exact, `${what}, exact`);
    }
  });

  await t.test("quantiles and their distribution-free bounds", () => {
    const at = (bound: QuantileBound) => (bound.kind === "known" ? bound.value : null);
    for (const [i, { sample: values, probability, confidence }] of samples.entries()) {
      const answer = answers.quantiles![i]!;
      const made = sample(values);
      const what = `sample ${i} of ${made.length}, p ${probability}, confidence ${confidence}`;
      close(quantile(made, probability), answer.type7, what);
      // NumPy takes a rank that is whole but for rounding, in binary, for the next one.
      const place = probability * made.length;
      if (Math.abs(place - Math.round(place)) > 1e-6)
        assert.equal(percentileOf(made, 100 * probability), answer.type1, what);
      const weights = harrellDavisCumulativeWeights(made.length, probability);
      const mean = made.reduce((sum, value, at) => sum + value * (weights[at + 1]! - weights[at]!), 0);
      close(mean, answer.harrellDavis, `${what}, Harrell-Davis`, 1e-9);
      const two = quantileInterval(made, probability, confidence);
      assert.deepEqual([at(two.lower), at(two.upper)], answer.two, what);
      assert.equal(at(upperQuantileBound(made, probability, confidence)), (answer.one as unknown[])[1], what);
      assert.equal(at(lowerQuantileBound(made, probability, confidence)), (answer.one as unknown[])[0], what);
    }
  });

  await t.test("the distributions beneath", () => {
    for (const [i, { n, k, p, level, a, b, z, size, d }] of points.entries()) {
      const answer = answers.distributions![i]!;
      const what = `point ${i}: n ${n}, k ${k}, p ${p}`;
      // SciPy's own binomial tails lose digits as n grows; exact fractions hold ours to 1e-12 in binomial.test.ts.
      const relative = n <= 100 ? 1e-12 : 1e-9;
      close(binomialAtMost(k, n, p), answer.atMost, `${what}, at most`, relative);
      close(binomialAtLeast(k, n, p), answer.atLeast, `${what}, at least`, relative);
      assert.equal(binomialQuantile(level, n, p), answer.ppf, `${what}, quantile at ${level}`);
      close(incompleteBeta(p, 1 - p, a, b).lower, answer.beta, `I at ${p} of ${a}, ${b}`, 1e-11);
      close(logGamma(a), answer.logGamma, `ln Γ(${a})`);
      close(normalUpperTail(z), answer.normalUpperTail, `normal tail at ${z}`, 1e-12);
      close(normalQuantile(level), answer.normalQuantile, `normal quantile at ${level}`);
      close(kolmogorovUpperTail(size, d), answer.kolmogorov, `Kolmogorov's tail, n ${size}, d ${d}`);
    }
  });
});
