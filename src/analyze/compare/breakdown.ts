/**
 * Why: the difference of the blackout, or of a phase, broken down by cause. Means add up and medians do not, but one
 * bad update moves a mean. So both cohorts are trimmed by that total (the same updates for every cause). The causes'
 * differences of trimmed means then add up to the total's exactly. Intervals are of resampled updates.
 */

import { seededRandom } from "../../base/numbers/random.js";
import type { Presence } from "../../model/documents/cohort.js";
import type { PhaseName } from "../../model/live-update.js";
import { type CauseKind, type CauseSample, causeKey, type UpdateSample } from "../../model/update-sample.js";
import { type Cohort, isMeasured } from "../cohort/cohort.js";

/** Of each end of a cohort: Wilcox's (2017, Introduction to Robust Estimation and Hypothesis Testing, §3.3) 20 %. */
const TRIM = 0.2;
const BREAKDOWN_CONFIDENCE = 0.95;

export interface CauseIdentity {
  readonly kind: CauseKind;
  readonly id: string;
  readonly detail: string;
}

export interface CauseDifference extends CauseIdentity {
  /** Trimmed mean of the candidate less the baseline's. */
  readonly shiftNs: number;
  readonly lowerNs: number;
  readonly upperNs: number;
  /** `new`: in no update of the baseline, and in at least half of the candidate's. */
  readonly presence: Presence;
  readonly parts: readonly { readonly name: string; readonly shiftNs: number }[];
  /** Of each update of the baseline and of the candidate that is broken down; zero if the cause did not run. */
  readonly values: readonly [Float64Array, Float64Array];
  /** Trimmed means. */
  readonly baseNs: number;
  readonly candidateNs: number;
}

export interface Breakdown {
  /** Difference of the trimmed mean totals: the causes' shifts and `restNs` add up to it. */
  readonly totalNs: number;
  readonly lowerNs: number;
  readonly upperNs: number;
  /** By the size of their shift. */
  readonly causes: readonly CauseDifference[];
  /** Of causes too small to be listed, together. */
  readonly restNs: number;
  readonly restCauses: number;
  /** Attributed updates a side. */
  readonly updates: readonly [number, number];
}

/** Work of the bootstrap: causes × updates × resamples, about a second. */
const MAX_STEPS = 4e7;
const RESAMPLES = 1_000;

/** What is broken down: the blackout, or one phase. */
export type CauseScope = "blackout" | PhaseName;

/** Which updates of a cohort are broken down, and how they count. */
export interface BreakdownPart {
  /** How many of `size` updates, the longest ones. */
  readonly counted: (size: number) => number;
  /** Weights, summing to 1, of updates in ascending order with a count each. */
  readonly weights: (times: Int32Array) => Float64Array;
}

/** All of them, both ends trimmed. */
const TRIMMED: BreakdownPart = { counted: (size) => size, weights: trimmedWeights };

/** Those beyond a percentile: what a tail is made of, of which a trimmed mean shows nothing. */
export function beyond(percentile: number): BreakdownPart {
  const counted = (size: number): number => Math.max(1, Math.ceil(size * (1 - percentile / 100) - 1e-9));
  return { counted, weights: (times) => tailWeights(times, counted(times.length)) };
}

/** An update's total, and what each cause took of it. */
interface Attributed {
  readonly totalNs: number;
  readonly causes: readonly CauseSample[];
}

/** One cohort's attributed updates in ascending order of their total; columns of causes beside them. */
interface Side {
  readonly size: number;
  readonly total: Float64Array;
  /** Of each listed cause. */
  readonly totals: readonly Float64Array[];
  readonly present: readonly number[];
  readonly parts: readonly ReadonlyMap<string, Float64Array>[];
}

/**
 * The breakdown, or null if a cohort has no attributed update. Causes whose mean over both cohorts together is below
 * `listedFromNs` are summed up in `restNs`: this looks at both cohorts together, so it does not favour causes that
 * happen to differ.
 */
export function breakdownOf(
  base: Cohort,
  candidate: Cohort,
  options: { readonly listedFromNs: number; readonly seed: number },
  scope: CauseScope = "blackout",
  part: BreakdownPart = TRIMMED,
): Breakdown | null {
  const updates = [attributed(base, scope), attributed(candidate, scope)] as const;
  if (updates[0].length === 0 || updates[1].length === 0) return null;
  const counted = updates.flatMap((side) => side.slice(side.length - part.counted(side.length)));
  const { listed, restCauses } = listedCauses(counted, options.listedFromNs);
  const [from, to] = [sideOf(updates[0], listed), sideOf(updates[1], listed)];

  const [fromWeights, toWeights] = [part.weights(ones(from.size)), part.weights(ones(to.size))];
  const difference = (a: Float64Array, b: Float64Array, wa: Float64Array, wb: Float64Array): number =>
    weighted(b, wb) - weighted(a, wa);
  const totalNs = difference(from.total, to.total, fromWeights, toWeights);
  const shifts = listed.map((_, k) => difference(from.totals[k]!, to.totals[k]!, fromWeights, toWeights));

  const steps = (listed.length + 1) * (from.size + to.size);
  const resamples = Math.max(100, Math.min(RESAMPLES, Math.floor(MAX_STEPS / steps)));
  const random = seededRandom(options.seed);
  const drawn = Array.from({ length: listed.length + 1 }, () => new Float64Array(resamples));
  for (let r = 0; r < resamples; r += 1) {
    const wa = part.weights(resampled(from.size, random.below));
    const wb = part.weights(resampled(to.size, random.below));
    drawn[listed.length]![r] = difference(from.total, to.total, wa, wb);
    for (let k = 0; k < listed.length; k += 1) {
      drawn[k]![r] = difference(from.totals[k]!, to.totals[k]!, wa, wb);
    }
  }
  const interval = (values: Float64Array): readonly [number, number] => {
    values.sort();
    const tail = Math.floor(((1 - BREAKDOWN_CONFIDENCE) / 2) * resamples);
    return [Math.round(values[tail]!), Math.round(values[resamples - 1 - tail]!)];
  };

  const causes = listed.map((cause, k): CauseDifference => {
    const [lowerNs, upperNs] = interval(drawn[k]!);
    return {
      ...cause,
      shiftNs: Math.round(shifts[k]!),
      lowerNs,
      upperNs,
      presence: presenceOf(from.present[k]! / from.size, to.present[k]! / to.size),
      parts: partShifts(from, to, k, fromWeights, toWeights),
      values: [
        from.totals[k]!.slice(from.size - part.counted(from.size)),
        to.totals[k]!.slice(to.size - part.counted(to.size)),
      ],
      baseNs: Math.round(weighted(from.totals[k]!, fromWeights)),
      candidateNs: Math.round(weighted(to.totals[k]!, toWeights)),
    };
  });
  causes.sort((a, b) => Math.abs(b.shiftNs) - Math.abs(a.shiftNs) || (causeKey(a) < causeKey(b) ? -1 : 1));
  const [lowerNs, upperNs] = interval(drawn[listed.length]!);
  return {
    totalNs: Math.round(totalNs),
    lowerNs,
    upperNs,
    causes,
    // What rounding leaves over is here too, so that the account closes.
    restNs: Math.round(totalNs) - causes.reduce((sum, { shiftNs }) => sum + shiftNs, 0),
    restCauses,
    updates: [from.size, to.size],
  };
}

function attributed(cohort: Cohort, scope: CauseScope): readonly Attributed[] {
  return cohort.updates
    .filter(isMeasured)
    .flatMap((update) => {
      const totalNs = scope === "blackout" ? update.blackout.durationNs : update.phases[scope];
      const causes = causesWithin(update, scope);
      return totalNs === null || causes === null ? [] : [{ totalNs, causes }];
    })
    .sort((a, b) => a.totalNs - b.totalNs);
}

/** Null if the update, or this phase of it, was not attributed. A phase partly outside the blackout is outside. */
function causesWithin({ causes, outsideCauses }: UpdateSample, scope: CauseScope): readonly CauseSample[] | null {
  if (scope === "blackout") return causes;
  for (const list of [outsideCauses, causes]) {
    const within = (list ?? []).filter(({ phase }) => phase === scope);
    if (within.length > 0) return within;
  }
  return null;
}

/**
 * The causes that are tested and shown, and how many are not: those whose mean over all updates, whichever cohort they
 * are of, reaches `listedFromNs`.
 */
export function listedCauses(
  updates: readonly { readonly causes: readonly CauseSample[] | null }[],
  listedFromNs: number,
): { readonly listed: readonly CauseIdentity[]; readonly restCauses: number } {
  const sums = new Map<string, { readonly cause: CauseIdentity; sum: number }>();
  for (const update of updates) {
    for (const { kind, id, detail, totalNs } of update.causes ?? []) {
      const key = causeKey({ kind, id });
      const known = sums.get(key);
      if (known === undefined) sums.set(key, { cause: { kind, id, detail }, sum: totalNs });
      else known.sum += totalNs;
    }
  }
  const listed = [...sums.values()].filter(({ sum }) => sum >= listedFromNs * updates.length);
  return { listed: listed.map(({ cause }) => cause), restCauses: sums.size - listed.length };
}

function sideOf(updates: readonly Attributed[], listed: readonly CauseIdentity[]): Side {
  const size = updates.length;
  const places = new Map(listed.map((cause, k) => [causeKey(cause), k]));
  const totals = listed.map(() => new Float64Array(size));
  const parts = listed.map(() => new Map<string, Float64Array>());
  const present = new Array<number>(listed.length).fill(0);
  updates.forEach((update, i) => {
    const here = new Set<number>();
    for (const cause of update.causes) {
      const k = places.get(causeKey(cause));
      if (k === undefined) continue;
      here.add(k);
      totals[k]![i]! += cause.totalNs;
      for (const { name, totalNs } of cause.parts) {
        let column = parts[k]!.get(name);
        if (column === undefined) {
          column = new Float64Array(size);
          parts[k]!.set(name, column);
        }
        column[i]! += totalNs;
      }
    }
    for (const k of here) present[k]! += 1;
  });
  return {
    size,
    total: Float64Array.from(updates, ({ totalNs }) => totalNs),
    totals,
    present,
    parts,
  };
}

function ones(size: number): Int32Array {
  return new Int32Array(size).fill(1);
}

function resampled(size: number, below: (bound: number) => number): Int32Array {
  const times = new Int32Array(size);
  for (let i = 0; i < size; i += 1) times[below(size)]! += 1;
  return times;
}

/** Weights, summing to 1, of sorted updates with a count each, when both ends are trimmed. */
function trimmedWeights(times: Int32Array): Float64Array {
  const size = times.length;
  const cut = Math.floor(TRIM * size);
  const weights = new Float64Array(size);
  let before = 0;
  for (let i = 0; i < size; i += 1) {
    const after = before + times[i]!;
    weights[i] = Math.max(0, Math.min(after, size - cut) - Math.max(before, cut)) / (size - 2 * cut);
    before = after;
  }
  return weights;
}

/** Weights, summing to 1, of the longest `kept` of sorted updates with a count each. */
function tailWeights(times: Int32Array, kept: number): Float64Array {
  const weights = new Float64Array(times.length);
  let left = kept;
  for (let i = times.length - 1; i >= 0 && left > 0; i -= 1) {
    const taken = Math.min(left, times[i]!);
    weights[i] = taken / kept;
    left -= taken;
  }
  return weights;
}

function weighted(values: Float64Array, weights: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i]! * weights[i]!;
  return sum;
}

function presenceOf(inBase: number, inCandidate: number): Presence {
  if (inBase === 0 && inCandidate >= 0.5) return "new";
  return inCandidate === 0 && inBase >= 0.5 ? "vanished" : "both";
}

function partShifts(
  from: Side,
  to: Side,
  k: number,
  fromWeights: Float64Array,
  toWeights: Float64Array,
): CauseDifference["parts"] {
  const names = [...new Set([...from.parts[k]!.keys(), ...to.parts[k]!.keys()])];
  const mean = (side: Side, name: string, weights: Float64Array): number => {
    const column = side.parts[k]!.get(name);
    return column === undefined ? 0 : weighted(column, weights);
  };
  return names
    .map((name) => ({ name, shiftNs: Math.round(mean(to, name, toWeights) - mean(from, name, fromWeights)) }))
    .sort((a, b) => Math.abs(b.shiftNs) - Math.abs(a.shiftNs) || (a.name < b.name ? -1 : 1));
}
