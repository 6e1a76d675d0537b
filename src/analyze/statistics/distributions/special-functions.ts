/** The special functions the distributions rest on, each to about 1e-13 relative. */

const LOG_2_PI = Math.log(2 * Math.PI);

/**
 * Binet's μ(z) = ln Γ(z) − (z − ½) ln z + z − ½ ln 2π, for z > 0: what Stirling's formula leaves out. By Gudermann's
 * step μ(z) = μ(z + 1) + (z + ½) ln(1 + 1/z) − 1 up to z ≥ 16, then by Stirling's series (Abramowitz and Stegun
 * 6.1.41), whose seventh term is below 1e-18 there.
 */
export function stirlingRemainder(z: number): number {
  let sum = 0;
  let at = z;
  while (at < 16) {
    sum += (at + 0.5) * Math.log1p(1 / at) - 1;
    at += 1;
  }
  const inverse = 1 / (at * at);
  const series =
    1 / 12 -
    inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse * (1 / 1188 - (inverse * 691) / 360360))));
  return sum + series / at;
}

/** ln Γ(z), z > 0. Absolute error about 1e-14 for z < 100, relative about 1e-16 beyond. */
export function logGamma(z: number): number {
  return (z - 0.5) * Math.log(z) - z + 0.5 * LOG_2_PI + stirlingRemainder(z);
}

/** x ln(x/m) + m − x, without the cancellation where x is near m: Loader (2000), the deviance of a Poisson count. */
function poissonDeviance(x: number, m: number): number {
  if (x === 0) return m;
  const difference = x - m;
  if (Math.abs(difference) < 0.1 * (x + m)) {
    const v = difference / (x + m);
    let sum = difference * v;
    let power = 2 * x * v;
    for (let j = 3; ; j += 2) {
      power *= v * v;
      const next = sum + power / j;
      if (next === sum) return sum;
      sum = next;
    }
  }
  return x * Math.log(x / m) + m - x;
}

/**
 * Γ(n+1) / (Γ(x+1) Γ(n−x+1)) p^x q^(n−x) for real 0 ≤ x ≤ n and q = 1 − p: the binomial probability where x and n are
 * integers, the beta density's kernel otherwise. By Loader's saddle-point expansion (C. Loader 2000, "Fast and accurate
 * computation of binomial probabilities"), which does not lose digits for large n as differences of ln Γ do.
 */
export function binomialKernel(x: number, n: number, p: number, q: number): number {
  if (p === 0) return x === 0 ? 1 : 0;
  if (q === 0) return x === n ? 1 : 0;
  const y = n - x;
  if (x === 0) return n === 0 ? 1 : Math.exp(p < 0.1 ? n * Math.log1p(-p) : n * Math.log(q));
  if (y === 0) return Math.exp(q < 0.1 ? n * Math.log1p(-q) : n * Math.log(p));
  const exponent =
    stirlingRemainder(n) -
    stirlingRemainder(x) -
    stirlingRemainder(y) -
    poissonDeviance(x, n * p) -
    poissonDeviance(y, n * q);
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * x * y));
}

/**
 * The regularised incomplete beta function and its complement; they sum to one, and neither is computed by subtraction.
 */
export interface IncompleteBeta {
  /** I_x(a, b), the chance that a beta(a, b) variable is at most x. */
  readonly lower: number;
  /** 1 − I_x(a, b) = I_(1−x)(b, a). */
  readonly upper: number;
}

/**
 * I_x(a, b) for a, b > 0 and 0 ≤ x ≤ 1, with y = 1 − x given apart so that a small y keeps its digits. The continued
 * fraction DLMF 8.17.22, on the side of the mean where it converges fast, evaluated by Lentz's method.
 */
export function incompleteBeta(x: number, y: number, a: number, b: number): IncompleteBeta {
  if (x <= 0) return { lower: 0, upper: 1 };
  if (y <= 0) return { lower: 1, upper: 0 };
  if (x > (a + 1) / (a + b + 2)) {
    const { lower, upper } = incompleteBetaBelowMean(y, x, b, a);
    return { lower: upper, upper: lower };
  }
  return incompleteBetaBelowMean(x, y, a, b);
}

function incompleteBetaBelowMean(x: number, y: number, a: number, b: number): IncompleteBeta {
  // x^a y^b / (a B(a, b)).
  const front = (binomialKernel(a, a + b, x, y) * b) / (a + b);
  if (front === 0) return { lower: 0, upper: 1 };
  const tiny = 1e-300;
  let numerator = 1;
  let denominator = 1 - ((a + b) * x) / (a + 1);
  denominator = 1 / (Math.abs(denominator) < tiny ? tiny : denominator);
  let fraction = denominator;
  const step = (coefficient: number): number => {
    denominator = 1 + coefficient * denominator;
    denominator = 1 / (Math.abs(denominator) < tiny ? tiny : denominator);
    numerator = 1 + coefficient / numerator;
    if (Math.abs(numerator) < tiny) numerator = tiny;
    const change = numerator * denominator;
    fraction *= change;
    return change;
  };
  // Of order √max(a, b) steps (DiDonato and Morris 1992); the bound is never met for a + b < 1e12.
  for (let m = 1; m < 1_000_000; m += 1) {
    step((m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)));
    const change = step((-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)));
    if (Math.abs(change - 1) < 2e-16) break;
  }
  const lower = Math.min(1, front * fraction);
  return { lower, upper: 1 - lower };
}

/** The upper tail of the standard normal distribution, P(Z ≥ z), for any z; relative error below 1e-12. */
export function normalUpperTail(z: number): number {
  if (z < 0) return 1 - normalUpperTail(-z);
  const x = z / Math.SQRT2;
  if (x < 2) {
    // erf x = 2/√π e^(−x²) Σ 2^k x^(2k+1) / (2k+1)!!  (DLMF 7.6.2): all terms positive.
    let term = x;
    let sum = x;
    for (let k = 1; term > sum * 1e-17; k += 1) {
      term *= (2 * x * x) / (2 * k + 1);
      sum += term;
    }
    return 0.5 - (sum * Math.exp(-x * x)) / Math.sqrt(Math.PI);
  }
  if (x > 27.3) return 0;
  // The continued fraction DLMF 7.9.1 from its 120th convergent down: at x = 2 it has settled by the 60th.
  let fraction = x;
  for (let k = 120; k >= 1; k -= 1) fraction = x + k / 2 / fraction;
  return Math.exp(-x * x) / (2 * Math.sqrt(Math.PI) * fraction);
}

/**
 * The standard normal quantile: z with P(Z ≤ z) = `probability`, in (0, 1). The rational start of Abramowitz and Stegun
 * 26.2.23 (error < 4.5e-4), then Halley's steps on the tail itself.
 */
export function normalQuantile(probability: number): number {
  if (probability === 0.5) return 0;
  const tail = Math.min(probability, 1 - probability);
  const t = Math.sqrt(-2 * Math.log(tail));
  let z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (let i = 0; i < 3; i += 1) {
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const step = (normalUpperTail(z) - tail) / density;
    z += step / (1 - (z * step) / 2);
  }
  return probability < 0.5 ? -z : z;
}
