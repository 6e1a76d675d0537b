/** Percentile curves of few samples, and how far up the samples support them. */

export interface PercentileCurve {
  /** 1 / (1 - q) of each sample's quantile q, ascending. */
  readonly x: readonly number[];
  /** The samples, ascending. */
  readonly y: readonly number[];
  /** The curve is evidence up to here (an x); beyond, it only repeats the sample. */
  readonly supportedX: number;
}

/**
 * The highest quantile that `n` samples bound from above with 95 % confidence: the largest sample is at or above
 * quantile q with probability 1 - q^n, so q = 0.05^(1/n). 5 samples reach p50, 59 p95, 299 p99 (order statistics;
 * H. A. David and H. N. Nagaraja, Order Statistics, 2003, section 7.1).
 */
export function supportedQuantile(n: number): number {
  return n === 0 ? 0 : 0.05 ** (1 / n);
}

/** Samples at the quantiles (i - 1/2) / n (A. Hazen, 1914), so that the largest of n stands at 1 - 1/(2n). */
export function percentileCurve(samples: readonly number[]): PercentileCurve {
  const y = Array.from(Float64Array.from(samples).sort());
  const n = y.length;
  return { x: y.map((_, i) => n / (n - i - 0.5)), y, supportedX: 1 / (1 - supportedQuantile(n)) };
}

const MOST_POINTS = 1500;

/**
 * The curve with at most 1500 of its points, evenly along the axis as it is drawn (the logarithm of x), always with the
 * first and the last: points left out are within a pixel of those kept.
 */
export function thinned(curve: PercentileCurve): PercentileCurve {
  const n = curve.x.length;
  if (n <= MOST_POINTS) return curve;
  const low = Math.log(curve.x[0] as number);
  const step = (Math.log(curve.x[n - 1] as number) - low) / (MOST_POINTS - 2);
  const kept: number[] = [];
  let next = low;
  for (let i = 0; i < n; i++) {
    const at = Math.log(curve.x[i] as number);
    if (at < next && i < n - 1) continue;
    kept.push(i);
    next = Math.max(next + step, at);
  }
  return {
    x: kept.map((i) => curve.x[i] as number),
    y: kept.map((i) => curve.y[i] as number),
    supportedX: curve.supportedX,
  };
}

/** A quantile's name: `p50`, `p99`, `p99.9`. */
export function quantileName(q: number): string {
  return `p${Number((100 * q).toFixed(q < 0.9 ? 1 : 3))}`;
}
