/** What a comparison of this size could have shown: "no difference found" says little without it. */
import { seededRandom } from "../../../base/numbers/random.js";
import { median } from "../order-statistics.js";
import { requireOpenUnit, type Sample, trustedSample } from "../sample.js";
import { hodgesLehmann, kthDifference, shiftBoundOrder, sizeForShiftInterval } from "./hodges-lehmann.js";

export interface DetectableOptions {
  /** The level of the test, two-sided, after any correction for several tests; in (0, 1). */
  readonly alpha: number;
  /** 0.8 unless given; in (0, 1). */
  readonly power?: number;
  readonly seed: number;
  /** 1000 unless given, at least 100. */
  readonly simulations?: number;
}

/**
 * `known`: the smallest shift, in the samples' unit, that a comparison like this one finds with probability `power`.
 * `too-few`: at these sizes no shift, however large, would be significant; `needed` values a side could.
 */
export type Detectable =
  | { readonly kind: "known"; readonly shift: number; readonly alpha: number; readonly power: number }
  | { readonly kind: "too-few"; readonly needed: number; readonly alpha: number; readonly power: number };

/**
 * The smallest upward shift that the two-sided Mann-Whitney test at `alpha` would find with probability `power` between
 * cohorts of these sizes and this variability, whatever the shift that they do show: not "observed power" (Hoenig and
 * Heisey 2001, "The abuse of power", The American Statistician 55(1)).
 *
 * By simulation, as Collings and Hamilton (1988, "Estimating the power of the two-sample Wilcoxon test for location
 * shift", Biometrics 44) do: the candidate is shifted back by the Hodges-Lehmann estimate, both are pooled, and pairs
 * of cohorts are drawn from the pool, its deviations from the median widened by √(N/(N−2)) for the two centres fitted.
 * A pair is significant from the shift on that lifts its interval's lower end above zero, so that each pair gives one
 * such shift, and `power` of them are at most the answer: no search, and the very test that `hodgesLehmann` inverts.
 * Where the candidate's spread differs much from the baseline's, the pool is a compromise between them.
 */
export function detectableShift(baseline: Sample, candidate: Sample, options: DetectableOptions): Detectable {
  const { alpha, power = 0.8, seed, simulations = 1000 } = options;
  requireOpenUnit("alpha", alpha);
  requireOpenUnit("power", power);
  if (!Number.isInteger(simulations) || simulations < 100) {
    throw new RangeError(`simulations is ${simulations}, expected an integer of at least 100`);
  }
  const n = baseline.length;
  const m = candidate.length;
  const { order } = shiftBoundOrder(n, m, alpha / 2);
  if (order === 0) return { kind: "too-few", needed: sizeForShiftInterval(1 - alpha), alpha, power };

  const pool = pooledDeviations(baseline, candidate);
  const random = seededRandom(seed);
  const draw = (size: number): Sample => {
    const drawn = new Float64Array(size);
    for (let i = 0; i < size; i += 1) drawn[i] = pool[random.below(pool.length)]!;
    return trustedSample(drawn.sort());
  };
  const needed = new Float64Array(simulations);
  for (let i = 0; i < simulations; i += 1) needed[i] = -kthDifference(draw(n), draw(m), order);
  needed.sort();
  const shift = Math.max(0, needed[Math.min(simulations - 1, Math.ceil(power * simulations))]!);
  return { kind: "known", shift, alpha, power };
}

function pooledDeviations(baseline: Sample, candidate: Sample): Float64Array {
  const { shift } = hodgesLehmann(baseline, candidate, 0.5);
  const pool = new Float64Array(baseline.length + candidate.length);
  pool.set(baseline);
  for (const [i, value] of candidate.entries()) pool[baseline.length + i] = value - shift;
  const sorted = trustedSample(pool.sort());
  const centre = median(sorted);
  // Both sizes are above one here, or no order statistic would bound the shift.
  const widen = Math.sqrt(pool.length / (pool.length - 2));
  return pool.map((value) => (value - centre) * widen);
}
