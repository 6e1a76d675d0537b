/**
 * Where a change near an end of its stretch lies. A search for change points keeps a minimum distance from both ends:
 * a change that is nearer is found at that distance, some values early or late. Here it is placed by the best split
 * without a minimum: that with the least sum of absolute deviations from the medians of both sides.
 */
import { median } from "../statistics/order-statistics.js";
import { sampleOf } from "../statistics/sample.js";

export interface Placement {
  /** The first value after the change, and the range of those that it may be as well. */
  readonly index: number;
  readonly first: number;
  readonly last: number;
}

/** A split that is worse than the best by less than this many times the noise may be the true one. */
const NOISE_TIMES = 3;
/** The normal distribution's standard deviation, in median absolute deviations. */
const MAD_TO_SIGMA = 1.4826;

/**
 * `index`: where the change was found, within `begin` ≤ index < `end`, the stretch between its neighbours.
 * Unchanged if it is farther than `minimum` from both ends.
 */
export function placeChange(
  values: readonly number[],
  index: number,
  [begin, end]: readonly [number, number],
  minimum: number,
): Placement {
  const nearBegin = index - begin <= minimum;
  const nearEnd = end - index <= minimum;
  if (!nearBegin && !nearEnd) return { index, first: index, last: index };
  const from = nearBegin ? begin + 1 : index;
  const to = nearEnd ? end - 1 : index;
  const costs = new Map<number, number>();
  for (let at = from; at <= to; at += 1) {
    costs.set(at, deviation(values.slice(begin, at)) + deviation(values.slice(at, end)));
  }
  const least = Math.min(...costs.values());
  const best = [...costs].find(([, cost]) => cost === least)?.[0] ?? index;
  const allowed = least + NOISE_TIMES * noiseOf(values.slice(begin, best), values.slice(best, end));
  const possible = [...costs].filter(([, cost]) => cost <= allowed).map(([at]) => at);
  return { index: best, first: Math.min(...possible), last: Math.max(...possible) };
}

/** The sum of absolute deviations from the median. */
function deviation(values: readonly number[]): number {
  const centre = middle(values);
  return values.reduce((sum, value) => sum + Math.abs(value - centre), 0);
}

/** The spread of both sides about their own medians. */
function noiseOf(before: readonly number[], after: readonly number[]): number {
  const residuals = [before, after].flatMap((side) => {
    const centre = middle(side);
    return side.map((value) => Math.abs(value - centre));
  });
  return MAD_TO_SIGMA * middle(residuals);
}

function middle(values: readonly number[]): number {
  const sample = sampleOf(values);
  // A side has at least one value, all finite.
  if (!sample.ok) throw new Error(sample.error.message);
  return median(sample.value);
}
