/**
 * Exponential histograms as Prometheus' native ones are laid out: bucket i of schema s holds what is above
 * 2^((i-1)/2^s) and at most 2^(i/2^s). Source: prometheus/client_golang, histogram.go; io.prometheus.client,
 * metrics.proto.
 */

/** Each bucket is 2^(1/32) = 2.2 % wide: 32 to an octave, of which a fleet's updates take three or four. */
export const NATIVE_SCHEMA = 5;

const PER_OCTAVE = 2 ** NATIVE_SCHEMA;

/** The upper end of a bucket. */
export function nativeUpperBound(index: number): number {
  const octave = Math.floor(index / PER_OCTAVE);
  return 2 ** ((index - octave * PER_OCTAVE) / PER_OCTAVE) * 2 ** octave;
}

/** The bucket of a value > 0. The logarithm is one rounding off at most, which the bounds themselves put right. */
export function nativeBucket(value: number): number {
  let index = Math.ceil(Math.log2(value) * PER_OCTAVE);
  while (nativeUpperBound(index) < value) index += 1;
  while (nativeUpperBound(index - 1) >= value) index -= 1;
  return index;
}
