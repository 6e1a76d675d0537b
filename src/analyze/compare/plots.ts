/**
 * What the report draws of cohorts: points and lines in data units, without a pixel. Every point knows its update, so
 * that a click can open it. Pure.
 */
import type { Duration } from "../../base/time.js";
import type { LiveUpdateDocument, PhaseName } from "../../model/live-update.js";
import { type Cohort, isMeasured } from "../cohort/cohort.js";
import { BOUND_CONFIDENCE } from "../cohort/distribution.js";
import { type Metric, valuesOf } from "../cohort/metrics.js";
import type { Limit } from "./budget.js";

/** One value of an update; `update` is its place in the cohort's `updates`. */
export interface PlotValue {
  readonly update: number;
  readonly valueNs: Duration;
}

/** The metric's values in ascending order. */
export function plotValues(cohort: Cohort, metric: Metric): readonly PlotValue[] {
  return cohort.updates
    .flatMap((update, i) =>
      isMeasured(update)
        ? valuesOf({ name: "", updates: [update] }, metric).map(({ value }) => ({ update: i, valueNs: value }))
        : [],
    )
    .sort((a, b) => a.valueNs - b.valueNs || a.update - b.update);
}

export interface PercentilePlot {
  /**
   * At 1 / (1 − q) of each value's quantile, q = (i − ½) / n (Hazen 1914): the axis on which p90, p99, p99.9 lie
   * evenly.
   */
  readonly points: readonly (PlotValue & { readonly x: number })[];
  /** Up to this x the values bound the percentile from above with 95 %; beyond it a curve is to be drawn dashed. */
  readonly supportedX: number;
  /** The budget's limits of this metric: a line for `max` (x is null), a mark at a percentile's x for the others. */
  readonly limits: readonly { readonly text: string; readonly x: number | null; readonly atMostNs: Duration }[];
}

/** `limits` of other metrics must have been left out. */
export function percentilePlot(values: readonly PlotValue[], limits: readonly Limit[]): PercentilePlot {
  const n = values.length;
  const supported = n === 0 ? 0 : (1 - BOUND_CONFIDENCE) ** (1 / n);
  return {
    points: values.map((value, i) => ({ ...value, x: n / (n - i - 0.5) })),
    supportedX: 1 / (1 - supported),
    limits: limits.map(({ text, statistic, atMostNs }) => ({
      text,
      x: statistic.kind === "max" ? null : 1 / (1 - statistic.percentile / 100),
      atMostNs,
    })),
  };
}

/** The empirical distribution function: at `valueNs` it rises to `share`; equal values rise at once. */
export function ecdf(values: readonly PlotValue[]): readonly { readonly valueNs: Duration; readonly share: number }[] {
  const steps: { valueNs: number; share: number }[] = [];
  for (const [i, { valueNs }] of values.entries()) {
    const share = (i + 1) / values.length;
    const last = steps.at(-1);
    if (last !== undefined && last.valueNs === valueNs) last.share = share;
    else steps.push({ valueNs, share });
  }
  return steps;
}

/**
 * A strip plot: each value with a row, 0 in the middle and others above (positive) and below, so that no two points
 * whose values are within `apartNs` of each other share one.
 */
export function stripRows(
  values: readonly PlotValue[],
  apartNs: Duration,
): readonly (PlotValue & { readonly row: number })[] {
  /** The last value of each row. */
  const ends: number[] = [];
  return values.map((value) => {
    const free = ends.findIndex((end) => value.valueNs - end >= apartNs);
    const place = free >= 0 ? free : ends.length;
    ends[place] = value.valueNs;
    // 0, 1, −1, 2, −2, …
    return { ...value, row: place % 2 === 1 ? (place + 1) / 2 : place === 0 ? 0 : -place / 2 };
  });
}

/** A phase of two updates, both relative to their own blackout's begin; null where it was not seen. */
export interface OverlayPhase {
  readonly name: PhaseName;
  readonly a: { readonly beginNs: Duration; readonly endNs: Duration } | null;
  readonly b: { readonly beginNs: Duration; readonly endNs: Duration } | null;
  /** b's duration less a's. */
  readonly differenceNs: Duration | null;
}

export interface Overlay {
  /** What is to be taken from each update's times, so that both blackouts begin at zero. */
  readonly shiftNs: readonly [Duration, Duration];
  readonly blackoutNs: readonly [Duration, Duration];
  readonly differenceNs: Duration;
  readonly phases: readonly OverlayPhase[];
}

/** Two updates laid over each other at their blackout's begin; null where either's blackout is not known. */
export function overlayOf(a: LiveUpdateDocument, b: LiveUpdateDocument): Overlay | null {
  if (a.blackout.durationNs === null || a.blackout.beginNs === null) return null;
  if (b.blackout.durationNs === null || b.blackout.beginNs === null) return null;
  const shiftNs = [a.blackout.beginNs, b.blackout.beginNs] as const;
  const phaseOf = (update: LiveUpdateDocument, name: PhaseName, zero: number): OverlayPhase["a"] => {
    const phase = update.phases.find((each) => each.name === name);
    if (phase === undefined || phase.beginNs === null || phase.endNs === null || phase.durationNs === null) return null;
    return { beginNs: phase.beginNs - zero, endNs: phase.endNs - zero };
  };
  return {
    shiftNs,
    blackoutNs: [a.blackout.durationNs, b.blackout.durationNs],
    differenceNs: b.blackout.durationNs - a.blackout.durationNs,
    phases: a.phases.map(({ name }) => {
      const [first, second] = [phaseOf(a, name, shiftNs[0]), phaseOf(b, name, shiftNs[1])];
      const differenceNs =
        first === null || second === null ? null : second.endNs - second.beginNs - (first.endNs - first.beginNs);
      return { name, a: first, b: second, differenceNs };
    }),
  };
}
