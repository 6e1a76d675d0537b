/**
 * The null distribution of the Mann-Whitney U statistic, exact: every choice of which pooled values are the candidate's
 * is equally likely. With ties it is the distribution conditional on them, which is what makes it exact.
 */

/** What beside the two samples' sizes the distribution depends on: how often each distinct pooled value occurs. */
export interface TieStructure {
  readonly baselineSize: number;
  readonly candidateSize: number;
  /** Occurrences of each distinct pooled value, in ascending order of the values; they sum to both sizes. */
  readonly multiplicities: readonly number[];
}

/** P(U ≤ u) and P(U ≥ u) of the candidate's U: how many (baseline, candidate) pairs ascend, a tied pair counting ½. */
export interface RankSumNull {
  /** P(U ≤ u), for u a multiple of ½. */
  readonly atMost: (u: number) => number;
  /** P(U ≥ u), for u a multiple of ½. */
  readonly atLeast: (u: number) => number;
}

/** About 60 ms of additions: both samples to about 80 values without ties, to about 65 with. */
const MAX_STEPS = 60_000_000;

/** Sizes without ties. */
export function untied(baselineSize: number, candidateSize: number): TieStructure {
  const multiplicities = new Array<number>(baselineSize + candidateSize).fill(1);
  return { baselineSize, candidateSize, multiplicities };
}

/**
 * The exact null distribution, or null if it would take more than a bounded number of steps (`MAX_STEPS`): then the
 * normal approximation is good. Counts, by dynamic programming over the distinct values, the choices that give each U:
 * as Mann and Whitney (1947) recur without ties, and as Streitberg and Röhmel (1986) shift with them. Only positive
 * terms are added, so that tiny tails keep their digits.
 */
export function rankSumNull(ties: TieStructure): RankSumNull | null {
  const { baselineSize, candidateSize, multiplicities } = ties;
  // U in units of ½ if ties can give halves.
  const unitsPerPair = multiplicities.every((times) => times === 1) ? 1 : 2;
  const width = unitsPerPair * baselineSize * candidateSize + 1;
  // Half, because the k-th row holds no U above k × the baseline's size.
  const steps = ((baselineSize + candidateSize) * candidateSize * width) / 2;
  if (steps > MAX_STEPS) return null;

  const ways = new Float64Array((candidateSize + 1) * width);
  ways[0] = 1;
  let seen = 0;
  for (const times of multiplicities) {
    for (let chosen = Math.min(seen + times, candidateSize); chosen >= 1; chosen -= 1) {
      let choices = 1;
      for (let here = 1; here <= Math.min(times, chosen); here += 1) {
        choices = (choices * (times - here + 1)) / here;
        // Baseline values below this one, were `here` of its occurrences the candidate's.
        const before = seen - (chosen - here);
        if (before < 0 || before + (times - here) > baselineSize) continue;
        const gain = unitsPerPair === 1 ? before : here * (2 * before + (times - here));
        const from = (chosen - here) * width;
        const to = chosen * width + gain;
        const reach = Math.min(width - gain, unitsPerPair * (chosen - here) * before + 1);
        if (choices === 1) for (let u = 0; u < reach; u += 1) ways[to + u]! += ways[from + u]!;
        else for (let u = 0; u < reach; u += 1) ways[to + u]! += choices * ways[from + u]!;
      }
    }
    seen += times;
  }

  const fromBelow = ways.slice(candidateSize * width);
  const fromAbove = Float64Array.from(fromBelow);
  for (let u = 1; u < width; u += 1) fromBelow[u]! += fromBelow[u - 1]!;
  for (let u = width - 2; u >= 0; u -= 1) fromAbove[u]! += fromAbove[u + 1]!;
  const all = fromBelow[width - 1]!;
  return {
    atMost: (u) => {
      const at = Math.floor(u * unitsPerPair);
      return at < 0 ? 0 : fromBelow[Math.min(at, width - 1)]! / all;
    },
    atLeast: (u) => {
      const at = Math.ceil(u * unitsPerPair);
      return at >= width ? 0 : fromAbove[Math.max(at, 0)]! / all;
    },
  };
}
