/** A budget: what a cohort may take, and which regressions it may not have. Written as YAML (docs/budget.md). */

import type { Duration } from "../../base/time.js";
import type { Floors } from "../../model/documents/comparison.js";
import { HEALTH_CLASSES, HEALTH_SEVERITIES, type HealthClass, type HealthSeverity } from "../../model/kernel-lines.js";
import type { Outcome } from "../../model/live-update.js";
import type { Metric } from "../cohort/metrics.js";

/** A percentile in (0, 100), or the longest update there was. */
export type Statistic = { readonly kind: "percentile"; readonly percentile: number } | { readonly kind: "max" };

export function statisticName(statistic: Statistic): string {
  return statistic.kind === "max" ? "max" : `p${statistic.percentile}`;
}

/** `blackout p95 <= 5s`. */
export interface Limit {
  readonly metric: Metric;
  readonly statistic: Statistic;
  readonly atMostNs: Duration;
  /** As written, for messages. */
  readonly text: string;
  /** What its author says of it, or empty. */
  readonly why: string;
  readonly line: number;
}

/** `health warning <= 0`, `outcomes partly-restored <= 0`: how often at most, over all updates of the cohort. */
export interface CountLimit {
  readonly of: CountedName;
  readonly atMost: number;
  /** As written, for messages. */
  readonly text: string;
  readonly why: string;
  readonly line: number;
}

/** A class or a severity of complaints, or `any`; or an outcome. */
export type CountedName =
  | { readonly kind: "health"; readonly name: HealthClass | HealthSeverity | "any" }
  | { readonly kind: "outcomes"; readonly name: Outcome };

export const HEALTH_NAMES = ["any", ...HEALTH_SEVERITIES, ...HEALTH_CLASSES] as const;

/** Lines that are known to be harmless: complaints that match count for nothing. */
export interface Allowance {
  readonly pattern: RegExp;
  readonly line: number;
}

/** Which verdicts of the comparison with the baseline fail the gate. */
export type RegressionScope = "blackout" | "phases" | "causes";

export interface RegressionRule {
  readonly floors: Floors;
  readonly failOn: readonly RegressionScope[];
  /**
   * The data suffice if a shift of this share of the baseline's median would be found in 8 of 10 comparisons; or null.
   */
  readonly detectShare: number | null;
  readonly line: number;
}

export interface Budget {
  /** `bounds`: a limit is breached, or kept, if the percentile's bound shows it. `sample`: as the sample's own is. */
  readonly decideBy: "bounds" | "sample";
  readonly limits: readonly Limit[];
  /** Complaints and outcomes, at most. */
  readonly counts: readonly CountLimit[];
  readonly allowed: readonly Allowance[];
  readonly regression: RegressionRule | null;
  /** Updates that did not complete, at most; null: any. */
  readonly failedAtMost: { readonly count: number; readonly line: number } | null;
  /** Fewer measured updates than this are too few; null: as many as each limit needs. */
  readonly updatesAtLeast: { readonly count: number; readonly line: number } | null;
}
