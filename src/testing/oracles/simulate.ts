/**
 * Simulated cohorts with known truth, and the rules with which verdicts are compared: for bench/verdicts.mjs, and for a
 * short run of it in the tests.
 */

import { incompleteBeta } from "../../analyze/statistics/distributions/special-functions.js";
import { quantile } from "../../analyze/statistics/order-statistics.js";
import { type Sample, trustedSample } from "../../analyze/statistics/sample.js";
import { mannWhitney } from "../../analyze/statistics/tests/mann-whitney.js";
import type { Random } from "../../base/numbers/random.js";
import type { AlarmTable } from "./alarms.js";

/** A blackout of about 1 s, relative. */
export const NOISES = {
  /** Log-normal, 10 %. */
  lognormal: (random: Random): number => Math.exp(0.1 * random.normal()),
  /** Student's t with 2 degrees of freedom, 5 %: its variance is infinite. */
  heavy: (random: Random): number => {
    const chi2 = -2 * Math.log(1 - random.uniform());
    return Math.max(0.2, 1 + (0.05 * random.normal()) / Math.sqrt(chi2 / 2));
  },
  /** One update in five takes another path and 40 % longer, each 3 %. */
  bimodal: (random: Random): number => (random.below(5) === 0 ? 1.4 : 1) * (1 + 0.03 * random.normal()),
} as const;
export type Noise = keyof typeof NOISES;

/** The order in which the updates were recorded while the machine gets slower by 40 %; `none`: it does not. */
export type Drift = "none" | "interleaved" | "sequential";

const CAUSES = 20;
/** Of a cause's share of the blackout, log-normal. */
const OWN_NOISE = 0.1;

/**
 * `n` updates a side, of five phases and twenty causes; rows 0 … n − 1 are the baseline's. The candidate's blackout is
 * longer by `shift` of a second (all of it in one cause). Times of taking, by row, in `atMs`.
 */
export function simulate(
  random: Random,
  options: {
    readonly n: number;
    readonly noise: Noise;
    readonly drift: Drift;
    readonly shift: number;
    /** False: only the blackout, a dozen times as fast. */
    readonly full: boolean;
  },
): AlarmTable & { readonly atMs: Float64Array } {
  const { n, noise, drift, shift, full } = options;
  const size = 2 * n;
  const blackout = new Float64Array(size);
  const atMs = new Float64Array(size);
  const causes = Array.from({ length: full ? CAUSES : 0 }, () => new Float64Array(size));
  const phases = Array.from({ length: full ? 5 : 0 }, () => new Float64Array(size));
  for (let row = 0; row < size; row += 1) {
    const candidate = row >= n;
    const turn = drift === "sequential" ? row : candidate ? 2 * (row - n) + 1 : 2 * row;
    atMs[row] = turn * 60_000;
    const slower = drift === "none" ? 1 : 1 + (0.4 * turn) / size;
    const factor = NOISES[noise](random) * slower;
    blackout[row] = 1e9 * (factor + (candidate ? shift : 0));
    if (!full) continue;
    // The causes' own noise is shared out around the blackout's, so that they add up to it.
    const own = Float64Array.from({ length: CAUSES }, () => Math.exp(OWN_NOISE * random.normal()));
    const sum = own.reduce((total, each) => total + each, 0);
    for (let k = 0; k < CAUSES; k += 1) causes[k]![row] = (1e9 * factor * own[k]!) / sum;
    if (candidate) causes[0]![row]! += 1e9 * shift;
    for (let p = 0; p < 5; p += 1) phases[p]![row] = NOISES[noise](random) * slower * 1e8;
    // One phase holds nearly all of it, as kexec does.
    phases[2]![row] = 0.98 * blackout[row]!;
  }
  return { blackout, phases, causes, atMs };
}

export function sideOf(column: Float64Array, from: number, to: number): Sample {
  return trustedSample(column.slice(from, to).sort());
}

/** Rules in use elsewhere: whether each reports the candidate as slower, or (if two-sided) as different. */
export const SIMULATED_RULES: Readonly<Record<string, (baseline: Sample, candidate: Sample) => boolean>> = {
  "p99 + 5 %": (baseline, candidate) => quantile(candidate, 0.99) > 1.05 * quantile(baseline, 0.99),
  "Welch, p ≤ 5 %": (baseline, candidate) => welch(baseline, candidate) <= 0.05,
  "Welch, p ≤ 1 %": (baseline, candidate) => welch(baseline, candidate) <= 0.01,
  "Mann-Whitney, p ≤ 5 %": (baseline, candidate) =>
    mannWhitney(baseline, candidate, "two-sided", "asymptotic").p <= 0.05,
  "Mann-Whitney, p ≤ 1 %": (baseline, candidate) =>
    mannWhitney(baseline, candidate, "two-sided", "asymptotic").p <= 0.01,
};

/** The two-sided p-value of Welch's (1947, Biometrika 34) t test. Both samples: at least two values. */
export function welch(baseline: Sample, candidate: Sample): number {
  const [a, b] = [momentsOf(baseline), momentsOf(candidate)];
  const [va, vb] = [a.variance / baseline.length, b.variance / candidate.length];
  if (va + vb === 0) return a.mean === b.mean ? 1 : 0;
  const t2 = (b.mean - a.mean) ** 2 / (va + vb);
  const df = (va + vb) ** 2 / (va ** 2 / (baseline.length - 1) + vb ** 2 / (candidate.length - 1));
  // P(|T| ≥ t) = I at df / (df + t²) of df/2 and 1/2 (DLMF 8.17; Abramowitz and Stegun 26.7.1).
  return incompleteBeta(df / (df + t2), t2 / (df + t2), df / 2, 0.5).lower;
}

function momentsOf(sample: Sample): { readonly mean: number; readonly variance: number } {
  const mean = sample.reduce((sum, value) => sum + value, 0) / sample.length;
  const squares = sample.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / (sample.length - 1) };
}
