/**
 * The distribution of Kolmogorov's one-sample statistic D_n, whose upper tail at an effective n is the usual
 * approximation for two large samples. Methods as Simard and L'Ecuyer choose them (2011, "Computing the two-sided
 * Kolmogorov-Smirnov distribution", Journal of Statistical Software 39(11)), which is what SciPy does.
 */
import { binomialKernel, stirlingRemainder } from "./special-functions.js";

/**
 * P(D_n ≥ d), for an integer n ≥ 1; absolute error below 1e-12 for n ≤ 140, else relative error below 1e-5 or better.
 */
export function kolmogorovUpperTail(n: number, d: number): number {
  const reach = n * d;
  const scaled = reach * d;
  if (d >= 1) return 0;
  if (reach <= 0.5) return 1;
  if (reach <= 1) return 1 - Math.exp(logFactorialOverPower(n) + n * Math.log(2 * reach - 1));
  // Two one-sided events that cannot both happen, or do so with a chance below the last digit.
  if (d >= 0.5 || scaled >= (n <= 140 ? 4 : 2.2)) return Math.min(1, 2 * smirnovUpperTail(n, d));
  if (n <= 140 || (n <= 100_000 && n * d ** 1.5 <= 1.4)) return 1 - durbinMatrixLower(n, d);
  return 1 - pelzGoodLower(n, d);
}

/** P(D+_n ≥ d), one-sided, exactly: Smirnov's sum as Birnbaum and Tingey (1951) give it. All terms positive. */
function smirnovUpperTail(n: number, d: number): number {
  let sum = 0;
  const last = Math.floor(n * (1 - d));
  for (let j = 0; j <= last; j += 1) {
    const p = d + j / n;
    const q = 1 - p;
    if (q <= 0) break;
    sum += (d / p) * binomialKernel(j, n, p, q);
  }
  return sum;
}

/** ln(n! / n^n), of which the argument underflows from n = 745 on. */
function logFactorialOverPower(n: number): number {
  return 0.5 * Math.log(2 * Math.PI * n) + stirlingRemainder(n) - n;
}

/**
 * P(D_n < d) as an entry of the n-th power of Durbin's (1973) matrix: Marsaglia, Tsang and Wang (2003, "Evaluating
 * Kolmogorov's distribution", Journal of Statistical Software 8(18)).
 */
function durbinMatrixLower(n: number, d: number): number {
  const k = Math.ceil(n * d);
  const h = k - n * d;
  const m = 2 * k - 1;
  const inverseFactorial = new Float64Array(m + 1);
  inverseFactorial[0] = 1;
  for (let i = 1; i <= m; i += 1) inverseFactorial[i] = inverseFactorial[i - 1]! / i;

  let base = new Float64Array(m * m);
  for (let row = 0; row < m; row += 1) {
    for (let column = 0; column <= Math.min(row + 1, m - 1); column += 1) {
      let entry = 1;
      if (column === 0) entry -= h ** (row + 1);
      if (row === m - 1) entry -= h ** (m - column);
      if (column === 0 && row === m - 1) entry += Math.max(0, 2 * h - 1) ** m;
      base[row * m + column] = entry * inverseFactorial[row - column + 1]!;
    }
  }
  let power: Float64Array<ArrayBuffer> | null = null;
  // Logarithms of what was divided out, lest large powers overflow.
  let powerLog = 0;
  let baseLog = 0;
  const centre = (k - 1) * m + (k - 1);
  for (let exponent = n; exponent > 0; exponent = Math.floor(exponent / 2)) {
    if (exponent % 2 === 1) {
      power = power === null ? base : product(power, base, m);
      powerLog += baseLog;
    }
    if (exponent > 1) {
      base = product(base, base, m);
      const size = base[centre]!;
      for (let i = 0; i < base.length; i += 1) base[i]! /= size;
      baseLog = 2 * baseLog + Math.log(size);
    }
  }
  return power![centre]! * Math.exp(powerLog + logFactorialOverPower(n));
}

function product(a: Float64Array, b: Float64Array, m: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(m * m);
  for (let row = 0; row < m; row += 1) {
    for (let inner = 0; inner < m; inner += 1) {
      const factor = a[row * m + inner]!;
      if (factor === 0) continue;
      for (let column = 0; column < m; column += 1) result[row * m + column]! += factor * b[inner * m + column]!;
    }
  }
  return result;
}

/** P(D_n ≤ d) by the expansion of Pelz and Good (1976), in the notation of Simard and L'Ecuyer (2011, equation 2.8). */
function pelzGoodLower(n: number, d: number): number {
  const z = Math.sqrt(n) * d;
  const z2 = z * z;
  const z4 = z2 * z2;
  const z6 = z4 * z2;
  const pi2 = Math.PI ** 2;
  let k0 = 0;
  let k1 = 0;
  let k2 = 0;
  let k3 = 0;
  // The sums over all integers are twice those over the half and whole ones above zero.
  for (let k = 1; k < 1000; k += 1) {
    const s = pi2 * (k - 0.5) ** 2;
    const half = Math.exp(-s / (2 * z2));
    const t = pi2 * k * k;
    const whole = Math.exp(-t / (2 * z2));
    k0 += half;
    k1 += (s - z2) * half;
    k2 += (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * s + (1 - 2 * z2) * s * s) * half;
    k2 -= 2 * z4 * t * whole;
    k3 +=
      (-30 * z6 - 90 * z4 * z4 + (135 * z4 - 96 * z6) * s + (212 * z4 - 60 * z2) * s * s + (5 - 30 * z2) * s * s * s) *
      half;
    k3 += 30 * z4 * (3 * t * z2 - t * t) * whole;
    if (half < 1e-18) break;
  }
  const root = Math.sqrt(2 * Math.PI);
  return (
    root * (k0 / z + k1 / (6 * z4 * Math.sqrt(n)) + k2 / (72 * z6 * z * n) + k3 / (6480 * z6 * z4 * n * Math.sqrt(n)))
  );
}
