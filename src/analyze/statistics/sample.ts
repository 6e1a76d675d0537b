/**
 * Samples: finite numbers in ascending order, at least one. What is checked once here need not be checked, or failed,
 * in any statistic after. Values may be in any unit; results come out in the same one.
 */
import { err, ok, type Result } from "../../base/result.js";

declare const ascending: unique symbol;

/** At least one value, all finite, in ascending order. Made by `sampleOf`; never written to. */
export type Sample = Float64Array & { readonly [ascending]: true };

/** Why numbers are not a sample. */
export interface SampleProblem {
  readonly code: "sample-empty" | "value-not-finite" | "series-too-long";
  readonly message: string;
  readonly advice: string;
}

/** A sample of `values`, in any order. Errors: none given; one that is not finite. */
export function sampleOf(values: Iterable<number>): Result<Sample, SampleProblem> {
  const sorted = Float64Array.from(values);
  const problem = problemOf(sorted);
  return problem === null ? ok(sorted.sort() as Sample) : err(problem);
}

/** What is wrong with these numbers as a sample, or null. */
export function problemOf(values: Float64Array): SampleProblem | null {
  if (values.length === 0) {
    return {
      code: "sample-empty",
      message: "found no values, expected at least one",
      advice: "check that the cohort has live updates in which this was measured",
    };
  }
  const place = values.findIndex((value) => !Number.isFinite(value));
  if (place < 0) return null;
  return {
    code: "value-not-finite",
    message: `value ${place + 1} of ${values.length} is ${values[place]}, expected a finite number`,
    advice: "leave out live updates in which this was not measured",
  };
}

/** A sample already known to be finite and in order: of a sample's own values, shifted, reduced or resampled. */
export function trustedSample(values: Float64Array): Sample {
  return values as Sample;
}

/**
 * Throws a RangeError unless 0 < `value` < 1: a confidence, level or quantile out of range is a mistake in the calling
 * code, not in a capture.
 */
export function requireOpenUnit(name: string, value: number): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${name} is ${value}, expected a number between 0 and 1`);
}
