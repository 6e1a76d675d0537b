/**
 * False-alarm budget. Of 1,000 comparisons of cohorts that do not differ, at most 10 may call the blackout changed, and
 * at most 20 may call anything changed. The levels add up to that (Bonferroni), however the tests depend on each other;
 * Holm keeps each family within its level.
 */
import type { Floors } from "../../model/documents/comparison.js";

export const ALARM_LEVELS = {
  /** The blackout's place (Mann-Whitney). With `percentiles` this is the 1 % of the blackout's verdict. */
  primary: 0.008,
  /** The blackout's percentiles together (Fisher's exact test above each). */
  percentiles: 0.002,
  /** The blackout's whole distribution (Kolmogorov-Smirnov): a warning. */
  spread: 0.001,
  /** All phases, and the VMs' own blackouts, together (Mann-Whitney). */
  phases: 0.004,
  /** The percentiles of these together (Fisher). */
  phasePercentiles: 0.001,
  /** All causes together (Mann-Whitney). */
  causes: 0.004,
} as const;

/** Of each of the two one-sided tests that show equivalence (5 % in Schuirmann 1987). */
export const EQUIVALENCE_LEVEL = 0.05;

export const DEFAULT_FLOORS: Floors = { relative: 0.05, absoluteNs: 1_000_000 };

export function floorOf(floors: Floors, baselineMedianNs: number): number {
  return Math.max(1, floors.absoluteNs, floors.relative * baselineMedianNs);
}
