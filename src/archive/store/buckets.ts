/**
 * The layout of the tool's HDR histograms (analyze/histograms.ts: from 1 ns, 3 significant digits) in plain integers,
 * as SQL has them: a value below 2,048 ns is a bucket of its own; from there on each doubling has 1,024 buckets of one
 * width.
 */
import { HISTOGRAM_DIGITS } from "../../analyze/statistics/distributions/histogram-layout.js";

/** Values of a half: the largest power of two that 3 digits need, 2 · 10^3 rounded up, halved. */
const HALF = 2 ** Math.ceil(Math.log2(2 * 10 ** HISTOGRAM_DIGITS)) / 2;

/** The width of the bucket that a value (0 to 24 h, integer ns) falls in. */
export function bucketWidth(ns: number): number {
  let width = 1;
  while (ns >= 2 * HALF * width) width *= 2;
  return width;
}
