/** Where a ruler has its marks: at round steps, no closer than a label needs. */
import type { View } from "./viewport.js";

export interface Ticks {
  readonly stepNs: number;
  readonly firstNs: number;
  readonly count: number;
}

/** Steps of 1, 2 or 5 times a power of ten, at least `apart` pixels from one another; never below a nanosecond. */
export function ticksFor(view: View, width: number, apart: number): Ticks {
  const least = ((view.endNs - view.beginNs) * apart) / Math.max(1, width);
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  const step = Math.max(1, [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= least) ?? 10 * power);
  const first = Math.ceil(view.beginNs / step) * step;
  return { stepNs: step, firstNs: first, count: Math.max(0, Math.floor((view.endNs - first) / step) + 1) };
}

/** A mark's label in the unit of the step's size, with enough decimals to distinguish neighbours: `1.25 s`. */
export function tickLabel(ns: number, stepNs: number, viewEdgeNs: number): string {
  if (ns === 0) return "0";
  const size = Math.max(Math.abs(viewEdgeNs), stepNs);
  const [unit, name] = size >= 1e9 ? [1e9, "s"] : size >= 1e6 ? [1e6, "ms"] : size >= 1e3 ? [1e3, "us"] : [1, "ns"];
  const decimals = Math.max(0, Math.ceil(Math.log10(unit / stepNs) - 1e-9));
  const value = (Math.abs(ns) / unit).toFixed(decimals);
  return `${ns < 0 ? "−" : ""}${value} ${name}`;
}

/** The smallest decimal place that the values differ in by multiples of `step`: 100 ms for steps of 2.5 s. */
function placeOf(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step) + 1e-9);
  const multiple = step / power;
  return Math.abs(multiple - Math.round(multiple)) < 1e-6 ? power : power / 10;
}

/**
 * Labels of the marks of an axis that is divided elsewhere, in its order; null has none. A logarithmic axis has marks
 * at multiples of powers of ten, each labelled in its own unit; a linear one has equal steps, all in one unit.
 */
export function axisLabels(values: readonly (number | null)[], scale: "linear" | "logarithmic"): string[] {
  const known = values.filter((value) => value !== null);
  const step = known.length > 1 ? (known[1] as number) - (known[0] as number) : (known[0] ?? 0);
  const edge = Math.max(...known.map(Math.abs));
  return values.map((value) => {
    if (value === null) return "";
    return scale === "logarithmic" || step <= 0
      ? tickLabel(value, value > 0 ? placeOf(value) : 1, Math.abs(value))
      : tickLabel(value, placeOf(step), edge);
  });
}
