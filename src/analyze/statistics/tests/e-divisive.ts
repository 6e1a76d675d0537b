/**
 * Change points of a series by E-divisive: where, in the order of the updates, did the distribution change?
 * D. S. Matteson and N. A. James 2014, "A nonparametric approach for multiple change point analysis of multivariate
 * data", JASA 109(505).
 */
import { type Random, seededRandom, shuffle } from "../../../base/numbers/random.js";
import { err, ok, type Result } from "../../../base/result.js";
import { problemOf, type SampleProblem } from "../sample.js";

export interface EDivisiveOptions {
  readonly seed: number;
  /** Fewest values between two change points, ≥ 2; 5 unless given. Fewer find shorter episodes, and more chance ones. */
  readonly minimumSegment?: number;
  /** Of each test, ≥ 1; 199 unless given. The smallest p-value is 1 / (permutations + 1). */
  readonly permutations?: number;
  /** Change points are accepted while p ≤ this, in (0, 1); 0.05 unless given. */
  readonly significance?: number;
  /**
   * How far right of a candidate its right-hand side reaches. `any` (unless given): as far as makes the difference
   * largest, as Matteson and James define it, so that a change is not hidden by the change back after it. `segment`: to
   * the segment's end, as in the variant used on benchmark series (Daly, Brown, Ingo, O'Leary and Bradford 2020, "The
   * use of change point detection to identify software performance regressions in a continuous integration system",
   * ICPE).
   */
  readonly reach?: "any" | "segment";
}

export interface ChangePoint {
  /** The place (0-based) of the first value after the change. */
  readonly index: number;
  /** The energy statistic Q̂ of the change when it was found, in the series' unit, ≥ 0. */
  readonly q: number;
  /** Of the permutation test, in (0, 1]. */
  readonly p: number;
}

export interface ChangePoints {
  /** In ascending order of their places. */
  readonly accepted: readonly ChangePoint[];
  /** The next most likely one, that was not significant; null if no segment could be divided any more. */
  readonly rejected: ChangePoint | null;
}

/** One scan of as many values is 5·10^7 steps. */
const MAX_SERIES = 10_000;

/**
 * Finds change points one after another: of all ways to divide a segment, the one of the largest energy statistic
 * mn/(m+n) (2 E|X−Y| − E|X−X′| − E|Y−Y′|) is tested by permuting the values within the segments found so far, and
 * accepted if p ≤ `significance`; the first that is not ends the search. Any change in distribution is found, given
 * finite means (exponent 1), and integers up to 2^53 / n² are summed exactly. The series must be independent but for
 * its changes: one value an update. Time O(changes × permutations × n²), memory O(n). Errors: no values, one not
 * finite, more than `MAX_SERIES`.
 */
export function eDivisive(series: ArrayLike<number>, options: EDivisiveOptions): Result<ChangePoints, SampleProblem> {
  const { seed, minimumSegment = 5, permutations = 199, significance = 0.05, reach = "any" } = options;
  if (!Number.isInteger(minimumSegment) || minimumSegment < 2) {
    throw new RangeError(`minimumSegment is ${minimumSegment}, expected an integer of at least 2`);
  }
  if (!Number.isInteger(permutations) || permutations < 1) {
    throw new RangeError(`permutations is ${permutations}, expected an integer of at least 1`);
  }
  if (series.length > MAX_SERIES) {
    return err({
      code: "series-too-long",
      message: `found a series of ${series.length} values, expected at most ${MAX_SERIES}`,
      advice: "give the most recent values only, or a shorter period",
    });
  }
  const values = Float64Array.from(series);
  const problem = problemOf(values);
  if (problem !== null) return err(problem);

  const search: Search = { minimum: minimumSegment, reach, scratch: scratchOf(values.length) };
  const random = seededRandom(seed);
  const permuted = new Float64Array(values.length);
  const accepted: ChangePoint[] = [];
  let segments: readonly Segment[] = [segmentOf(values, 0, values.length, search)];
  for (;;) {
    const found = segments.reduce((best, segment) => (segment.split.q > best.split.q ? segment : best));
    const { index, q } = found.split;
    if (index === null) return ok({ accepted: inOrder(accepted), rejected: null });
    const p = permutationTest(values, segments, q, permutations, random, permuted, search);
    if (p > significance) return ok({ accepted: inOrder(accepted), rejected: { index, q, p } });
    accepted.push({ index, q, p });
    segments = segments.flatMap((segment) =>
      segment === found
        ? [segmentOf(values, segment.begin, index, search), segmentOf(values, index, segment.end, search)]
        : [segment],
    );
  }
}

interface Split {
  /** Null if the segment is too short, or nothing in it differs. */
  readonly index: number | null;
  readonly q: number;
}

interface Segment {
  readonly begin: number;
  /** Exclusive. */
  readonly end: number;
  readonly split: Split;
}

interface Search {
  readonly minimum: number;
  readonly reach: "any" | "segment";
  readonly scratch: Scratch;
}

/** Columns reused by every scan: a scan allocates nothing. */
interface Scratch {
  readonly toEarlier: Float64Array;
  readonly toLeft: Float64Array;
}

function scratchOf(length: number): Scratch {
  return { toEarlier: new Float64Array(length), toLeft: new Float64Array(length) };
}

function inOrder(points: readonly ChangePoint[]): readonly ChangePoint[] {
  return [...points].sort((a, b) => a.index - b.index);
}

function segmentOf(values: Float64Array, begin: number, end: number, search: Search): Segment {
  return { begin, end, split: bestSplit(values, begin, end, search) };
}

/**
 * The division of a segment with the largest Q̂, in O(n²) time and O(n) memory. For a left side that ends at τ the sums
 * over the right side (τ, κ] grow by one value at a time: `toLeft[j]` holds Σ |z_i − z_j| over the left side, and
 * `toEarlier[j]` the same over all before j, so that their difference is the part within the right side.
 */
function bestSplit(values: Float64Array, begin: number, end: number, search: Search): Split {
  const { minimum, reach } = search;
  const { toEarlier, toLeft } = search.scratch;
  const length = end - begin;
  if (length < 2 * minimum) return { index: null, q: 0 };

  for (let j = 0; j < length; j += 1) {
    const value = values[begin + j]!;
    let sum = 0;
    for (let i = 0; i < j; i += 1) sum += Math.abs(values[begin + i]! - value);
    toEarlier[j] = sum;
    toLeft[j] = 0;
  }
  let withinLeft = 0;
  let bestQ = 0;
  let bestTau = 0;
  for (let tau = 1; tau <= length - minimum; tau += 1) {
    withinLeft += toEarlier[tau - 1]!;
    const added = values[begin + tau - 1]!;
    const leftMean = tau > 1 ? (2 * withinLeft) / (tau * (tau - 1)) : 0;
    let between = 0;
    let withinRight = 0;
    const firstKappa = reach === "any" ? tau + minimum : length;
    for (let j = tau; j < length; j += 1) {
      const left = toLeft[j]! + Math.abs(values[begin + j]! - added);
      toLeft[j] = left;
      between += left;
      withinRight += toEarlier[j]! - left;
      if (j + 1 < firstKappa || tau < minimum) continue;
      const right = j + 1 - tau;
      const rightMean = (2 * withinRight) / (right * (right - 1));
      const q = ((tau * right) / (tau + right)) * ((2 * between) / (tau * right) - leftMean - rightMean);
      if (q > bestQ) {
        bestQ = q;
        bestTau = tau;
      }
    }
  }
  return { index: bestTau > 0 ? begin + bestTau : null, q: bestQ };
}

/** (1 + how many permutations within the segments reach q) / (1 + permutations). */
function permutationTest(
  values: Float64Array,
  segments: readonly Segment[],
  q: number,
  permutations: number,
  random: Random,
  permuted: Float64Array,
  search: Search,
): number {
  // Rounding must not make a permutation that leaves the values as they are fall short.
  const reached = q * (1 - 1e-12);
  let atLeast = 1;
  permuted.set(values);
  for (let i = 0; i < permutations; i += 1) {
    // Every segment is permuted before any is scanned, so that the random numbers used do not depend on what is found.
    for (const { begin, end } of segments) shuffle(permuted, begin, end, random);
    if (segments.some(({ begin, end }) => bestSplit(permuted, begin, end, search).q >= reached)) atLeast += 1;
  }
  return atLeast / (permutations + 1);
}
