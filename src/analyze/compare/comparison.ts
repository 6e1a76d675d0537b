/**
 * Compares a candidate cohort with a baseline. `Comparison` is what `blackout compare --json` prints, normative in
 * docs/comparison.schema.json. docs/compare.md says how verdicts are made, and what they cost. Pure; seeded.
 */

import { formatDuration } from "../../base/text/format.js";
import { WORK_PHASES } from "../../model/document-parts.js";
import type { CohortDocument, Warning } from "../../model/documents/cohort.js";
import type {
  CauseComparison,
  Comparison,
  Floors,
  MetricComparison,
  PercentileDifference,
} from "../../model/documents/comparison.js";
import { PHASES } from "../../model/live-update.js";
import { type Cohort, countOutcomes, excludedOf, factorsOf, isMeasured, unlikeTraits } from "../cohort/cohort.js";
import { distributionOf } from "../cohort/distribution.js";
import { hasSeveralVms, type Metric, metricName, valuesOf } from "../cohort/metrics.js";
import { clusteredSampleOf } from "../statistics/clusters.js";
import { type Sample, sampleOf, trustedSample } from "../statistics/sample.js";
import { cliffsDelta } from "../statistics/tests/cliffs-delta.js";
import { detectableShift } from "../statistics/tests/detectable.js";
import { shiftInterval } from "../statistics/tests/hodges-lehmann.js";
import { kolmogorovSmirnov } from "../statistics/tests/kolmogorov-smirnov.js";
import {
  type Breakdown,
  type BreakdownPart,
  beyond,
  breakdownOf,
  type CauseDifference,
  type CauseScope,
} from "./breakdown.js";
import { driftWarnings, type TimedValue } from "./drift.js";
import { ALARM_LEVELS } from "./levels.js";
import { changedPercentiles, type Measurement, percentileShifts } from "./percentile-shifts.js";
import { reasonText } from "./reason.js";
import { changedTail, hasChanged, type Judgement, judgeFamily, overallVerdict, type Pair, pairOf } from "./verdict.js";

export interface CompareOptions {
  readonly floors: Floors;
  readonly seed: number;
}

/**
 * The comparison. The cohorts' likeness is not refused here, but stated in `unlike` and `forced`. Null if a cohort
 * has no measured update: there is nothing to compare.
 */
export function compareCohorts(base: Cohort, candidate: Cohort, options: CompareOptions): Comparison | null {
  const primary = measure(base, candidate, { kind: "blackout" });
  if (primary === null) return null;
  const { floors, seed } = options;
  const [judged] = judgeFamily([primary.pair], ALARM_LEVELS.primary, floors) as [Judgement];
  const secondary = [
    ...(hasSeveralVms(base) || hasSeveralVms(candidate) ? [{ kind: "vm-blackout" } as const] : []),
    ...PHASES.map((phase) => ({ kind: "phase", phase }) as const),
    ...WORK_PHASES.map((phase) => ({ kind: "phase-work", phase }) as const),
  ].flatMap((metric) => measure(base, candidate, metric) ?? []);
  const judgedSecondary = judgeFamily(
    secondary.map(({ pair }) => pair),
    ALARM_LEVELS.phases,
    floors,
  );
  const perMetric = ALARM_LEVELS.phases / Math.max(1, secondary.length);
  const tails = changedPercentiles(secondary, { level: ALARM_LEVELS.phasePercentiles, floors, seed });
  const ownTails = percentileShifts(primary, { level: ALARM_LEVELS.percentiles, floors, seed });
  const why = (of: CauseScope, floorNs: number, part?: BreakdownPart): Why => {
    const breakdown = breakdownOf(base, candidate, { listedFromNs: floors.absoluteNs / 2, seed }, of, part);
    return { breakdown, causes: breakdown === null ? [] : compareCauses(breakdown, floorNs, floors) };
  };
  const whole = why("blackout", judged.floorNs);
  const described = [
    describe(primary, judged, "primary", ALARM_LEVELS.primary, ownTails, options),
    ...secondary.map((measured, i) => describe(measured, judgedSecondary[i]!, "phases", perMetric, tails[i]!, options)),
  ];
  const metrics = described.map((metric, i): MetricComparison => {
    const phase = PHASES.find((name) => name === metric.name);
    if (!hasChanged(metric) || (i > 0 && phase === undefined)) return metric;
    const causesPercentile = changedTail(metric);
    if (causesPercentile === null && i === 0) return { ...metric, causes: whole.causes };
    const part = causesPercentile === null ? undefined : beyond(causesPercentile);
    return { ...metric, causes: why(phase ?? "blackout", metric.floorNs, part).causes, causesPercentile };
  });
  const { breakdown, causes } = whole;
  const unlike = unlikeTraits([base, candidate]);
  return {
    format: "blackout-comparison",
    version: 1,
    verdict: overallVerdict(metrics),
    reason: reasonText({ metrics, breakdown, causes }),
    forced: unlike.length > 0,
    unlike,
    warnings: warningsOf(base, candidate, metrics[0]!),
    base: cohortDocument(base),
    candidate: cohortDocument(candidate),
    factors: factorsOf([base, candidate]),
    levels: ALARM_LEVELS,
    floors,
    seed,
    metrics,
    breakdown:
      breakdown === null
        ? null
        : {
            totalNs: breakdown.totalNs,
            intervalNs: [breakdown.lowerNs, breakdown.upperNs],
            restNs: breakdown.restNs,
            restCauses: breakdown.restCauses,
            updates: breakdown.updates,
          },
    causes,
  };
}

/** What explains a metric's difference. */
interface Why {
  readonly breakdown: Breakdown | null;
  readonly causes: readonly CauseComparison[];
}

interface Measured extends Measurement {
  readonly metric: Metric;
}

function measure(base: Cohort, candidate: Cohort, metric: Metric): Measured | null {
  const from = clusteredSampleOf(valuesOf(base, metric));
  const to = clusteredSampleOf(valuesOf(candidate, metric));
  if (!from.ok || !to.ok) return null;
  return { metric, baseline: from.value, candidate: to.value, pair: pairOf(from.value, to.value) };
}

function describe(
  { metric, baseline, candidate, pair }: Measured,
  judged: Judgement,
  level: MetricComparison["level"],
  alpha: number,
  tails: readonly PercentileDifference[],
  { seed }: CompareOptions,
): MetricComparison {
  const interval = shiftInterval(pair.baseline, pair.candidate, 1 - alpha);
  const spread = kolmogorovSmirnov(pair.baseline, pair.candidate);
  const { delta, lower, upper, magnitude } = cliffsDelta(pair.baseline, pair.candidate, 0.95);
  return {
    name: metricName(metric),
    level,
    verdict: judged.verdict,
    neededUpdates: judged.neededUpdates,
    base: distributionOf(baseline),
    candidate: distributionOf(candidate),
    shiftNs: Math.round(judged.shiftNs),
    shiftIntervalNs: interval.kind === "known" ? [Math.floor(interval.lower), Math.ceil(interval.upper)] : null,
    confidence: 1 - alpha,
    pValue: judged.pValue,
    adjustedP: judged.adjustedP,
    method: judged.method,
    floorNs: Math.round(judged.floorNs),
    detectableNs: detectable(pair, alpha, seed),
    cliffsDelta: { delta, lower, upper, magnitude },
    spread: { d: spread.d, pValue: spread.p, atNs: Math.round(spread.at) },
    percentileShifts: tails,
    causes: [],
    causesPercentile: null,
  };
}

/** Simulated up to this many updates a side; beyond, what it is there shrinks with the root of the size. */
const SIMULATED_UPDATES = 400;

function detectable(pair: Pair, alpha: number, seed: number): number | null {
  const most = Math.max(pair.baseline.length, pair.candidate.length);
  const scale = Math.min(1, SIMULATED_UPDATES / most);
  const found = detectableShift(thinned(pair.baseline, scale), thinned(pair.candidate, scale), { alpha, seed });
  return found.kind === "known" ? Math.round(found.shift * Math.sqrt(scale)) : null;
}

/** Every n-th value of a sorted sample: the same distribution, fewer values. */
function thinned(sample: Sample, scale: number): Sample {
  if (scale === 1) return sample;
  const size = Math.max(2, Math.round(sample.length * scale));
  return trustedSample(
    Float64Array.from({ length: size }, (_, i) => sample[Math.floor(((i + 0.5) * sample.length) / size)]!),
  );
}

function compareCauses(breakdown: Breakdown, metricFloorNs: number, floors: Floors): readonly CauseComparison[] {
  const pairs = breakdown.causes.map(({ values }): Pair => {
    const sample = (side: Float64Array): Sample => {
      const made = sampleOf([...side]);
      // The breakdown has attributed updates on both sides, or it would be null.
      if (!made.ok) throw new Error(made.error.message);
      return made.value;
    };
    return { baseline: sample(values[0]), candidate: sample(values[1]) };
  });
  const judged = judgeFamily(pairs, ALARM_LEVELS.causes, floors);
  const hasShares = Math.abs(breakdown.totalNs) >= metricFloorNs;
  return breakdown.causes.map((cause: CauseDifference, i): CauseComparison => {
    const { verdict, pValue, adjustedP } = judged[i]!;
    return {
      kind: cause.kind,
      id: cause.id,
      detail: cause.detail,
      presence: cause.presence,
      shiftNs: cause.shiftNs,
      shiftIntervalNs: [cause.lowerNs, cause.upperNs],
      share: hasShares ? cause.shiftNs / breakdown.totalNs : null,
      parts: cause.parts,
      baseNs: cause.baseNs,
      candidateNs: cause.candidateNs,
      verdict,
      pValue,
      adjustedP,
    };
  });
}

export function cohortDocument(cohort: Cohort): CohortDocument {
  const defects = { error: 0, warning: 0, note: 0 };
  for (const update of cohort.updates) {
    defects.error += update.defects.error;
    defects.warning += update.defects.warning;
    defects.note += update.defects.note;
  }
  return {
    name: cohort.name,
    updates: cohort.updates.length,
    outcomes: countOutcomes(cohort),
    measured: cohort.updates.filter(isMeasured).length,
    excluded: excludedOf(cohort),
    defects,
  };
}

function timedValues({ updates }: Cohort): readonly TimedValue[] {
  return updates
    .filter(isMeasured)
    .map(({ takenAtMs, blackout }) => ({ atMs: takenAtMs, valueNs: blackout.durationNs ?? 0 }));
}

function warningsOf(base: Cohort, candidate: Cohort, blackout: MetricComparison): readonly Warning[] {
  const warnings: Warning[] = [...driftWarnings(timedValues(base), timedValues(candidate))];
  const failed = [base, candidate].map(
    (cohort) => cohort.updates.filter(({ outcome }) => outcome !== "completed").length,
  );
  if (failed[0] !== 0 || failed[1] !== 0) {
    warnings.push({
      code: "outcomes",
      message: `${failed[0]} of ${base.updates.length} updates of the baseline and ${failed[1]} of ${candidate.updates.length} of the candidate did not complete: they are outcomes, and not in these statistics.`,
    });
  }
  if (!hasChanged(blackout) && blackout.spread.pValue <= ALARM_LEVELS.spread) {
    warnings.push({
      code: "spread",
      message: `The blackouts are distributed differently, although no shift above the floor is shown (Kolmogorov-Smirnov p = ${blackout.spread.pValue.toPrecision(2)}, most around ${formatDuration(blackout.spread.atNs)}).`,
    });
  }
  return warnings;
}
