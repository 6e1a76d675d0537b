/** The binomial distribution: how many of n independent updates fall at or below a quantile. */
import { incompleteBeta } from "./special-functions.js";

/** P(X ≤ k) = I_(1−p)(n − k, k + 1) (DLMF 8.17.5), to about 1e-13 relative, even if it is tiny. */
export function binomialAtMost(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  return k >= n ? 1 : incompleteBeta(1 - p, p, n - k, k + 1).lower;
}

/** P(X ≥ k) = I_p(k, n − k + 1), to about 1e-13 relative, even if it is tiny. */
export function binomialAtLeast(k: number, n: number, p: number): number {
  if (k <= 0) return 1;
  return k > n ? 0 : incompleteBeta(p, 1 - p, k, n - k + 1).lower;
}

/** A probability met exactly, as 0.5^5 = 0.03125, must not be missed by the last bit of its computation. */
const ROUNDING = 1e-13;

/** The smallest k with P(X ≤ k) ≥ `probability`, for 0 ≤ probability ≤ 1. */
export function binomialQuantile(probability: number, n: number, p: number): number {
  return smallest(n, (k) => binomialAtMost(k, n, p) >= probability * (1 - ROUNDING));
}

/** The smallest k with P(X > k) ≤ `probability`, for 0 ≤ probability ≤ 1: the quantile from the upper tail. */
export function binomialUpperQuantile(probability: number, n: number, p: number): number {
  return smallest(n, (k) => binomialAtLeast(k + 1, n, p) <= probability * (1 + ROUNDING));
}

/** The smallest k in 0 … n of which `holds` is true; it is of n, and of all after the first. */
function smallest(n: number, holds: (k: number) => boolean): number {
  let low = 0;
  let high = n;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
