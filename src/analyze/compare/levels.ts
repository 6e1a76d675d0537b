/**
 * Who may raise how many false alarms. In 1,000 comparisons of cohorts that do not differ, at most 10 may call the
 * blackout changed, and at most 20 may say anything is; by Bonferroni these levels add up to that, whatever
 * depends on what, and Holm keeps each family within its own.
 */
import type { Floors } from "../../model/documents/comparison.js";

export const LEVELS = {
  /** The blackout's place (Mann-Whitney). With `spread` it is the 1 % that the primary metric has to itself. */
  primary: 0.008,
  /** The blackout's whole distribution (Kolmogorov-Smirnov). */
  spread: 0.002,
  /** All phases, and the VMs' own blackouts, together. */
  phases: 0.005,
  /** All causes together. */
  causes: 0.005,
} as const;

/** Of each of the two one-sided tests that show equivalence (Schuirmann 1987, where it is 5 %). */
export const EQUIVALENCE_LEVEL = 0.05;

export const DEFAULT_FLOORS: Floors = { relative: 0.05, absoluteNs: 1_000_000 };

export function floorOf(floors: Floors, baselineMedianNs: number): number {
  return Math.max(1, floors.absoluteNs, floors.relative * baselineMedianNs);
}
