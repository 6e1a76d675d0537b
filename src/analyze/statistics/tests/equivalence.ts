/**
 * Whether the cohorts are as good as equal: not the absence of a proven difference, but the proof of none that matters.
 */

import { requireOpenUnit, type Sample, trustedSample } from "../sample.js";
import { type HodgesLehmann, hodgesLehmann } from "./hodges-lehmann.js";
import { mannWhitney } from "./mann-whitney.js";

/**
 * `equivalent`: the shift is within ± the floor. `greater`, `less`: beyond it, up or down. `inconclusive`: the interval
 * crosses the floor's end. `too-few`: at these sizes there is no interval.
 */
export type EquivalenceVerdict = "equivalent" | "greater" | "less" | "inconclusive" | "too-few";

export interface Equivalence {
  readonly verdict: EquivalenceVerdict;
  /** The larger of the two one-sided tests' p-values: at or below `alpha`, the cohorts are equivalent. */
  readonly p: number;
  /** The candidate is not longer by more than the floor: one-sided, at `alpha`. */
  readonly noWorse: boolean;
  readonly pNoWorse: number;
  readonly floor: number;
  readonly alpha: number;
  /** With confidence 1 − 2 × alpha. */
  readonly estimate: HodgesLehmann;
}

/**
 * Two one-sided tests (Schuirmann 1987, "A comparison of the two one-sided tests procedure…", J. Pharmacokinetics and
 * Biopharmaceutics 15(6)) with Mann-Whitney's in place of Student's (Hauschke, Steinijans and Diletti 1990; Wellek
 * 2010, Testing Statistical Hypotheses of Equivalence and Noninferiority, §6.2): equivalent at level `alpha` when the
 * Hodges-Lehmann interval of confidence 1 − 2 alpha lies inside (−floor, floor), which is when the test distinguishes
 * the cohorts after shifting to either end.
 *
 * @param floor The smallest shift that matters, > 0, in the samples' unit.
 * @param alpha In (0, ½).
 */
export function equivalence(baseline: Sample, candidate: Sample, floor: number, alpha: number): Equivalence {
  if (!(floor > 0)) throw new RangeError(`floor is ${floor}, expected a number above 0`);
  requireOpenUnit("2 × alpha", 2 * alpha);
  const estimate = hodgesLehmann(baseline, candidate, 1 - 2 * alpha);
  const pNoWorse = mannWhitney(shifted(baseline, floor), candidate, "less").p;
  const pNoBetter = mannWhitney(shifted(baseline, -floor), candidate, "greater").p;
  const { interval } = estimate;
  return {
    verdict: interval.kind === "too-few" ? "too-few" : verdictOf(interval.lower, interval.upper, floor),
    p: Math.max(pNoWorse, pNoBetter),
    noWorse: interval.kind === "known" && interval.upper < floor,
    pNoWorse,
    floor,
    alpha,
    estimate,
  };
}

function verdictOf(lower: number, upper: number, floor: number): EquivalenceVerdict {
  if (lower > -floor && upper < floor) return "equivalent";
  if (lower > floor) return "greater";
  return upper < -floor ? "less" : "inconclusive";
}

function shifted(sample: Sample, by: number): Sample {
  return trustedSample(sample.map((value) => value + by) as Float64Array);
}
