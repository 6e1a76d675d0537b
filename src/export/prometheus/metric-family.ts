/** Metrics as data, before any exposition format: families of OpenMetrics, with integer counts where counts are. */
import { escapeControls } from "../../base/text/controls.js";

export type Labels = Readonly<Record<string, string>>;

/** A label's value as it is exposed: a name of a capture holds no control, but line breaks, which formats escape. */
export const exposedValue = (value: string): string => value.split("\n").map(escapeControls).join("\n");

export interface HistogramPoint {
  readonly labels: Labels;
  /** Ascending, finite; a bucket holds what is at most its bound. */
  readonly bounds: readonly number[];
  /** Of each bucket alone, and last of what is above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
  /** The same values in exponential buckets, by index; null if they were not counted so. */
  readonly native: {
    readonly schema: number;
    readonly zeros: number;
    readonly buckets: ReadonlyMap<number, number>;
  } | null;
}

export interface NumberPoint {
  readonly labels: Labels;
  readonly value: number;
}

interface Family {
  /** Without the suffix that a type adds (`_total`, `_bucket`). */
  readonly name: string;
  /** One sentence without a full stop. */
  readonly help: string;
}

export type MetricFamily =
  | (Family & { readonly type: "counter" | "gauge"; readonly points: readonly NumberPoint[] })
  | (Family & { readonly type: "histogram"; readonly points: readonly HistogramPoint[] });
