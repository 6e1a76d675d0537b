/** Two samples walked together in ascending order: what every rank statistic of them is read from. */
import type { Sample } from "./sample.js";

/** Calls `visit` for each distinct pooled value, ascending, with how often each sample has it. */
export function eachPooledValue(
  baseline: Sample,
  candidate: Sample,
  visit: (inBaseline: number, inCandidate: number, value: number) => void,
): void {
  let b = 0;
  let c = 0;
  while (b < baseline.length || c < candidate.length) {
    const value = Math.min(baseline[b] ?? Infinity, candidate[c] ?? Infinity);
    const bBefore = b;
    const cBefore = c;
    while (b < baseline.length && baseline[b] === value) b += 1;
    while (c < candidate.length && candidate[c] === value) c += 1;
    visit(b - bBefore, c - cBefore, value);
  }
}

/**
 * The candidate's U: how many (baseline, candidate) pairs ascend, a tied pair counting ½. From 0 to both sizes'
 * product.
 */
export function rankSumU(baseline: Sample, candidate: Sample): number {
  let below = 0;
  let u = 0;
  eachPooledValue(baseline, candidate, (inBaseline, inCandidate) => {
    u += inCandidate * (below + inBaseline / 2);
    below += inBaseline;
  });
  return u;
}
