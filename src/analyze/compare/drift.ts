/**
 * Whether the cohorts were taken in turn. A machine drifts: it warms up, gets other tenants, fills its disk. Between
 * cohorts recorded one after the other, drift is a difference like any other, and no test can separate it from the
 * candidate's effect.
 */

import type { Warning } from "../../model/documents/cohort.js";
import { rankSumU } from "../statistics/pooled.js";
import { sampleOf } from "../statistics/sample.js";
import { mannWhitney } from "../statistics/tests/mann-whitney.js";

/** One update: when it was taken (null if unknown), and its blackout. In the order taken, as far as known. */
export interface TimedValue {
  readonly atMs: number | null;
  readonly valueNs: number;
}

/**
 * How far the cohorts' times are apart: |2 P(candidate later than baseline) − 1|. Random interleaving of ten against
 * ten stays below 0.6 in 98 of 100; rounds stay near 0; one after the other is 1.
 */
const SEQUENTIAL_FROM = 0.8;

/** Of the trend test within each cohort: a hint, so that a missed drift costs more than a hint too many. */
const TREND_LEVEL = 0.05;

/** Warnings about the order in which the cohorts were recorded; empty if it gives no reason to doubt. */
export function driftWarnings(baseline: readonly TimedValue[], candidate: readonly TimedValue[]): readonly Warning[] {
  const trends = [trendOf(ordered(baseline)), trendOf(ordered(candidate))];
  const drifting = trends.some((trend) => trend !== null && trend.p <= TREND_LEVEL / 2);
  const separation = separationOf(baseline, candidate);
  if (separation === null) {
    if (!drifting) return [];
    return [
      {
        code: "order-unknown",
        message: `${trendText(trends)}; the captures do not say when they were taken. Unless the cohorts were taken in turn, drift of the machine can have made the difference.`,
      },
    ];
  }
  if (Math.abs(separation) < SEQUENTIAL_FROM) return [];
  const order = separation > 0 ? "the baseline first, then the candidate" : "the candidate first, then the baseline";
  const advice = "Take the cohorts in turn (base, candidate, base, candidate, …): drift then falls on both alike.";
  if (drifting) {
    return [
      {
        code: "drift",
        message: `The cohorts were taken one after the other (${order}), and ${trendText(trends)}: the machine drifts, and the difference between the cohorts can be drift. ${advice}`,
      },
    ];
  }
  return [
    {
      code: "sequential",
      message: `The cohorts were taken one after the other (${order}): a change of the machine between them cannot be distinguished from a change of the candidate. ${advice}`,
    },
  ];
}

/** From −1 (all candidates before all baselines) to 1; null if any time is unknown, or all are the same. */
function separationOf(baseline: readonly TimedValue[], candidate: readonly TimedValue[]): number | null {
  const times = (values: readonly TimedValue[]) => values.flatMap(({ atMs }) => atMs ?? []);
  const [b, c] = [sampleOf(times(baseline)), sampleOf(times(candidate))];
  if (!b.ok || !c.ok || b.value.length < baseline.length || c.value.length < candidate.length) return null;
  return (2 * rankSumU(b.value, c.value)) / (b.value.length * c.value.length) - 1;
}

function ordered(values: readonly TimedValue[]): readonly number[] {
  const timed = values.every(({ atMs }) => atMs !== null);
  const inOrder = timed ? [...values].sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0)) : values;
  return inOrder.map(({ valueNs }) => valueNs);
}

interface Trend {
  readonly p: number;
  readonly risesShare: number;
}

/** The second half against the first: which way, and whether chance explains it. Null below six values. */
function trendOf(values: readonly number[]): Trend | null {
  const half = Math.floor(values.length / 2);
  if (half < 3) return null;
  const first = sampleOf(values.slice(0, half));
  const second = sampleOf(values.slice(values.length - half));
  if (!first.ok || !second.ok) return null;
  const { p, u } = mannWhitney(first.value, second.value);
  return { p, risesShare: u / (half * half) };
}

function trendText(trends: readonly (Trend | null)[]): string {
  const sides = ["baseline", "candidate"];
  const found = trends.flatMap((trend, i) =>
    trend === null || trend.p > TREND_LEVEL / 2
      ? []
      : [
          `the ${sides[i]}'s blackouts ${trend.risesShare > 0.5 ? "rise" : "fall"} from its first half to its second (p = ${trend.p.toPrecision(2)})`,
        ],
  );
  return found.join(" and ");
}
