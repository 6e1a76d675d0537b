/** The two-sample Kolmogorov-Smirnov test: do the cohorts differ anywhere in their distribution, not only in place? */
import { kolmogorovUpperTail } from "../distributions/kolmogorov-distribution.js";
import { eachPooledValue } from "../pooled.js";
import type { Sample } from "../sample.js";
import type { Alternative } from "./mann-whitney.js";

export interface KolmogorovSmirnov {
  /** The largest difference of the two empirical distribution functions (of the sign the alternative asks for). */
  readonly d: number;
  /** The p-value, in [0, 1]. */
  readonly p: number;
  readonly method: "exact" | "asymptotic";
  readonly alternative: Alternative;
  /** The value at which the difference is largest. */
  readonly at: number;
}

/** About 60 ms of multiplications. */
const MAX_PAIRS = 10_000_000;

/**
 * Tests that both cohorts have one distribution (Smirnov 1939). `greater`: that the candidate tends to be greater, its
 * distribution function somewhere below the baseline's.
 *
 * Exact while the sizes' product is at most 10^7: the chance that a random path of as many steps as there are values of
 * each strays as far (Hodges 1958, "The significance probability of the Smirnov two-sample test"), compared only
 * between distinct values if there are ties, hence conditional on them (Schröer and Trenkler 1995). Without ties the
 * same as SciPy's `ks_2samp(baseline, candidate, method="exact")`, which ignores ties. `asymptotic` is SciPy's `asymp`.
 */
export function kolmogorovSmirnov(
  baseline: Sample,
  candidate: Sample,
  alternative: Alternative = "two-sided",
  method: "auto" | "asymptotic" = "auto",
): KolmogorovSmirnov {
  const n = baseline.length;
  const m = candidate.length;
  const multiplicities: number[] = [];
  // In units of 1 / (n m), if it is an integer.
  let largest = 0;
  let at = Math.min(baseline[0]!, candidate[0]!);
  let below = 0;
  let candidatesBelow = 0;
  eachPooledValue(baseline, candidate, (inBaseline, inCandidate, value) => {
    multiplicities.push(inBaseline + inCandidate);
    below += inBaseline;
    candidatesBelow += inCandidate;
    const difference = signed(below * m - candidatesBelow * n, alternative);
    if (difference > largest) {
      largest = difference;
      at = value;
    }
  });
  const d = largest / (n * m);
  const exact = method === "auto" && n * m <= MAX_PAIRS;
  const p = exact ? exactTail(n, m, multiplicities, largest, alternative) : asymptoticTail(n, m, d, alternative);
  return { d, p: Math.min(1, p), method: exact ? "exact" : "asymptotic", alternative, at };
}

function signed(difference: number, alternative: Alternative): number {
  switch (alternative) {
    case "two-sided":
      return Math.abs(difference);
    case "greater":
      return difference;
    case "less":
      return -difference;
  }
}

/**
 * The chance of a difference of at least `largest`: values are handed out one by one at random, and what is handed out
 * when the difference is first that large leaves with its probability. Sums of positive terms, so tiny p keep digits.
 */
function exactTail(
  n: number,
  m: number,
  multiplicities: readonly number[],
  largest: number,
  alternative: Alternative,
): number {
  if (largest === 0) return 1;
  // still[i]: the chance to have i baseline values among the first `dealt`, without having strayed as far.
  const still = new Float64Array(n + 1);
  still[0] = 1;
  let dealt = 0;
  let strayed = 0;
  for (const times of multiplicities) {
    for (let i = 0; i < times; i += 1) {
      const left = n + m - dealt;
      for (let inBaseline = Math.min(n, dealt + 1); inBaseline >= Math.max(0, dealt + 1 - m); inBaseline -= 1) {
        const fromCandidate = (still[inBaseline]! * (m - (dealt - inBaseline))) / left;
        const fromBaseline = inBaseline > 0 ? (still[inBaseline - 1]! * (n - inBaseline + 1)) / left : 0;
        still[inBaseline] = (dealt >= inBaseline ? fromCandidate : 0) + fromBaseline;
      }
      const fewest = Math.max(0, dealt + 1 - m);
      if (fewest > 0) still[fewest - 1] = 0;
      dealt += 1;
    }
    for (let inBaseline = Math.max(0, dealt - m); inBaseline <= Math.min(n, dealt); inBaseline += 1) {
      if (signed(inBaseline * m - (dealt - inBaseline) * n, alternative) >= largest) {
        strayed += still[inBaseline]!;
        still[inBaseline] = 0;
      }
    }
  }
  return strayed;
}

/**
 * Two-sided, Kolmogorov's distribution at the effective size n m / (n + m), rounded half to even; one-sided, Hodges'
 * (1958) equation 5.3.
 */
function asymptoticTail(n: number, m: number, d: number, alternative: Alternative): number {
  const effective = (n * m) / (n + m);
  if (alternative === "two-sided") return kolmogorovUpperTail(Math.max(1, roundHalfEven(effective)), d);
  const larger = Math.max(n, m);
  const smaller = Math.min(n, m);
  const z = Math.sqrt(effective) * d;
  return Math.exp(-2 * z * z - (2 * z * (larger + 2 * smaller)) / Math.sqrt(n * m * (n + m)) / 3);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
