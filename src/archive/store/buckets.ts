/**
 * The layout of the tool's HDR histograms (analyze/histograms.ts: from 1 ns, 3 significant digits) in plain integers,
 * as SQL has them: a value below 2,048 ns is a bucket of its own; from there on each doubling has 1,024 buckets of one
 * width.
 */
import { HISTOGRAM_DIGITS, HISTOGRAM_HIGHEST_NS } from "../../analyze/statistics/distributions/histogram-layout.js";

/** Values of a half: the largest power of two that 3 digits need, 2 · 10^3 rounded up, halved. */
const HALF = 2 ** Math.ceil(Math.log2(2 * 10 ** HISTOGRAM_DIGITS)) / 2;

/** The width of the bucket that a value (0 to 24 h, integer ns) falls in. */
export function bucketWidth(ns: number): number {
  let width = 1;
  while (ns >= 2 * HALF * width) width *= 2;
  return width;
}

/**
 * The same as an SQL expression: comparisons of integers only, halving the range each time, so exact in every engine.
 */
export function bucketWidthSql(expression: string): string {
  let last = 0;
  while (2 * HALF * 2 ** last <= HISTOGRAM_HIGHEST_NS) last += 1;
  const choose = (from: number, to: number): string => {
    if (from === to) return String(2 ** from);
    const middle = Math.floor((from + to) / 2);
    return `CASE WHEN ${expression} < ${2 * HALF * 2 ** middle} THEN ${choose(from, middle)} ELSE ${choose(middle + 1, to)} END`;
  };
  return choose(0, last);
}
