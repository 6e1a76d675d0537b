/** The Mann-Whitney (Wilcoxon rank-sum) test: does the candidate tend to be greater, or less, than the baseline? */

import { rankSumNull } from "../distributions/rank-sum-null.js";
import { normalUpperTail } from "../distributions/special-functions.js";
import { eachPooledValue, rankSumU } from "../pooled.js";
import type { Sample } from "../sample.js";

/** What the candidate is suspected of, beside the baseline. */
export type Alternative = "two-sided" | "greater" | "less";

export interface MannWhitney {
  /** How many (baseline, candidate) pairs ascend, a tied pair counting ½. */
  readonly u: number;
  /** The p-value, in [0, 1]. */
  readonly p: number;
  /** Whether the p-value is of the exact permutation distribution, ties and all, or of its normal approximation. */
  readonly method: "exact" | "asymptotic";
  readonly alternative: Alternative;
}

/**
 * Tests that both cohorts have one distribution (Mann and Whitney 1947). `exact` (the default while its counting is
 * feasible: see `rankSumNull`) conditions on the ties there are; two-sided it doubles the smaller tail. `asymptotic`
 * corrects the variance for ties and the statistic for continuity (Hollander, Wolfe and Chicken 2014, §4.1), as SciPy's
 * `mannwhitneyu(candidate, baseline, method="asymptotic")`. SciPy's `exact` ignores ties; without ties the two agree.
 */
export function mannWhitney(
  baseline: Sample,
  candidate: Sample,
  alternative: Alternative = "two-sided",
  method: "auto" | "asymptotic" = "auto",
): MannWhitney {
  const u = rankSumU(baseline, candidate);
  const multiplicities: number[] = [];
  eachPooledValue(baseline, candidate, (inBaseline, inCandidate) => {
    multiplicities.push(inBaseline + inCandidate);
  });
  const ties = { baselineSize: baseline.length, candidateSize: candidate.length, multiplicities };
  const exact = method === "auto" ? rankSumNull(ties) : null;
  const tails = exact ?? asymptoticTails(ties.baselineSize, ties.candidateSize, multiplicities);
  return { u, p: pValue(tails, u, alternative), method: exact === null ? "asymptotic" : "exact", alternative };
}

interface Tails {
  readonly atMost: (u: number) => number;
  readonly atLeast: (u: number) => number;
}

function pValue(tails: Tails, u: number, alternative: Alternative): number {
  switch (alternative) {
    case "greater":
      return Math.min(1, tails.atLeast(u));
    case "less":
      return Math.min(1, tails.atMost(u));
    case "two-sided":
      return Math.min(1, 2 * Math.min(tails.atLeast(u), tails.atMost(u)));
  }
}

function asymptoticTails(baselineSize: number, candidateSize: number, multiplicities: readonly number[]): Tails {
  const pairs = baselineSize * candidateSize;
  const size = baselineSize + candidateSize;
  const tieTerm = multiplicities.reduce((sum, times) => sum + (times ** 3 - times), 0);
  const deviation = Math.sqrt((pairs / 12) * (size + 1 - tieTerm / (size * (size - 1))));
  // All values equal: nothing deviates, and nothing is evidence.
  const upperTail = (excess: number) => (deviation > 0 ? normalUpperTail((excess - 0.5) / deviation) : 1);
  return {
    atMost: (u) => upperTail(pairs / 2 - u),
    atLeast: (u) => upperTail(u - pairs / 2),
  };
}
