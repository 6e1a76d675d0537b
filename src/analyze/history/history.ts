/**
 * Where, in a series of builds, updates began to take longer or less. `HistoryDocument` is what `blackout history
 * --json` prints, normative in docs/history.schema.json. Pure; seeded.
 */

import { ok, type Result } from "../../base/result.js";
import type { Floors } from "../../model/documents/comparison.js";
import type { HistoryBuild, HistoryChange, HistoryDocument } from "../../model/documents/history.js";
import { causeName, type UpdateSample } from "../../model/update-sample.js";
import { type Cohort, excludedOf, isMeasured, unlikeTraits } from "../cohort/cohort.js";
import { distributionOf } from "../cohort/distribution.js";
import { type Metric, metricName, valuesOf } from "../cohort/metrics.js";
import { breakdownOf } from "../compare/breakdown.js";
import { floorOf } from "../compare/levels.js";
import { clusteredSampleOf, oneValuePerCluster } from "../statistics/clusters.js";
import { median } from "../statistics/order-statistics.js";
import { type SampleProblem, sampleOf } from "../statistics/sample.js";
import { eDivisive } from "../statistics/tests/e-divisive.js";
import { hodgesLehmann } from "../statistics/tests/hodges-lehmann.js";
import { type Placement, placeChange } from "./placement.js";
import { type Series, seriesKeyName } from "./series.js";

/** A change of chance in a series that has none: at most one series in a hundred. */
export const CHANGE_LEVEL = 0.01;
const PERMUTATIONS = 999;
/** Longer series are summarised first: a scan costs the square of its length, and a test a thousand scans. */
const MAX_POINTS = 300;
export const SHIFT_CONFIDENCE = 0.95;

export interface HistoryOptions {
  readonly metric: Metric;
  readonly floors: Floors;
  readonly seed: number;
  /** Fewest updates between two changes. */
  readonly minimumSegment: number;
}

interface Point {
  readonly value: number;
  readonly build: number;
  readonly updates: readonly UpdateSample[];
}

/** The error: fewer than one value. */
export function historyOf(series: Series, options: HistoryOptions): Result<HistoryDocument, SampleProblem> {
  const { metric, floors, seed, minimumSegment } = options;
  const { points, updatesPerPoint } = pointsOf(series, metric);
  const values = points.map(({ value }) => value);
  const found = eDivisive(values, { seed, minimumSegment, permutations: PERMUTATIONS, significance: CHANGE_LEVEL });
  if (!found.ok) return found;
  const { accepted } = found.value;
  const places: Placement[] = [];
  for (const [i, { index }] of accepted.entries()) {
    const stretch = [places[i - 1]?.index ?? 0, accepted[i + 1]?.index ?? points.length] as const;
    places.push(placeChange(values, index, stretch, minimumSegment));
  }
  const changes = accepted.map(({ p }, i): HistoryChange => {
    const place = places[i]!;
    const before = points.slice(places[i - 1]?.index ?? 0, place.index);
    const after = points.slice(place.index, places[i + 1]?.index ?? points.length);
    const [from] = rangeOf(points, place.first, series.builds);
    const [, to] = rangeOf(points, place.last, series.builds);
    return changeOf(before, after, p, [from, to], metric, floors, seed);
  });
  const counted = points.reduce((sum, { updates }) => sum + updates.length, 0);
  const all = series.builds.reduce((sum, { updates }) => sum + updates.length, series.left.length);
  const unlike = unlikeTraits(series.builds);
  return ok({
    format: "blackout-history",
    version: 1,
    by: seriesKeyName(series.key),
    metric: metricName(metric),
    forced: unlike.length > 0,
    unlike,
    seed,
    level: CHANGE_LEVEL,
    points: points.length,
    updatesPerPoint,
    builds: series.builds.map((build) => buildOf(build, metric)),
    changes,
    excluded: series.builds.flatMap(excludedOf),
    left: all - counted,
  });
}

function buildOf(build: Cohort, metric: Metric): HistoryBuild {
  const sample = clusteredSampleOf(valuesOf(build, metric));
  return {
    name: build.name,
    updates: build.updates.length,
    notCompleted: build.updates.filter(({ outcome }) => outcome !== "completed").length,
    firstAtMs: build.updates[0]?.takenAtMs ?? null,
    distribution: sample.ok ? distributionOf(sample.value) : null,
  };
}

/** One value an update, or of a long series the median of as many neighbours of one build as keep it short. */
function pointsOf(
  { builds }: Series,
  metric: Metric,
): { readonly points: readonly Point[]; readonly updatesPerPoint: number } {
  const measured = builds.map((build) =>
    build.updates.flatMap((update): readonly Point["updates"][number][] => (isMeasured(update) ? [update] : [])),
  );
  const total = measured.reduce((sum, updates) => sum + updates.length, 0);
  const each = Math.max(1, Math.ceil(total / MAX_POINTS));
  const points: Point[] = [];
  for (const [build, updates] of measured.entries()) {
    for (let i = 0; i < updates.length; i += each) {
      const members = updates.slice(i, i + each);
      const sample = clusteredSampleOf(valuesOf({ name: "", updates: members }, metric));
      if (sample.ok) points.push({ value: median(oneValuePerCluster(sample.value)), build, updates: members });
    }
  }
  return { points, updatesPerPoint: each };
}

/**
 * The builds that a change at `index` lies between. One that is found within a build but as near to its edge as a fifth
 * of it is that edge's: the place of a change is known to a few values only.
 */
function rangeOf(points: readonly Point[], index: number, builds: readonly Cohort[]): readonly [string, string] {
  const name = (build: number): string => builds[build]?.name ?? "";
  const [left, right] = [points[index - 1]!.build, points[index]!.build];
  if (left !== right) return [name(left), name(right)];
  const first = points.findIndex(({ build }) => build === right);
  const end = points.findLastIndex(({ build }) => build === right) + 1;
  const near = Math.max(1, Math.floor((end - first) / 5));
  if (index - first <= near && first > 0) return [name(points[first - 1]!.build), name(right)];
  if (end - index <= near && end < points.length) return [name(right), name(points[end]!.build)];
  return [name(right), name(right)];
}

const CAUSES_NAMED = 5;

function changeOf(
  before: readonly Point[],
  after: readonly Point[],
  pValue: number,
  [from, to]: readonly [string, string],
  metric: Metric,
  floors: Floors,
  seed: number,
): HistoryChange {
  const sample = (points: readonly Point[]) => {
    const made = sampleOf(points.map(({ value }) => value));
    // A segment has at least one value, all finite, or it would not have been divided.
    if (!made.ok) throw new Error(made.error.message);
    return made.value;
  };
  const [b, c] = [sample(before), sample(after)];
  const { shift, interval } = hodgesLehmann(b, c, SHIFT_CONFIDENCE);
  const cohort = (points: readonly Point[]): Cohort => ({
    name: "",
    updates: points.flatMap(({ updates }) => updates),
  });
  const breakdown =
    metric.kind === "blackout"
      ? breakdownOf(cohort(before), cohort(after), { listedFromNs: floors.absoluteNs / 2, seed })
      : null;
  const causes = (breakdown?.causes ?? []).filter(({ lowerNs, upperNs }) => lowerNs > 0 || upperNs < 0);
  const base = median(b);
  return {
    after: from,
    notAfter: to,
    direction: shift >= 0 ? "longer" : "shorter",
    shiftNs: Math.round(shift),
    shiftIntervalNs: interval.kind === "known" ? [Math.floor(interval.lower), Math.ceil(interval.upper)] : null,
    shiftRelative: base === 0 ? null : shift / base,
    pValue,
    belowFloor: Math.abs(shift) < floorOf(floors, base),
    causes: causes.slice(0, CAUSES_NAMED).map(({ kind, id, shiftNs, presence }) => ({
      kind,
      id,
      name: causeName({ kind, id }),
      shiftNs,
      share: breakdown === null || breakdown.totalNs === 0 ? 0 : shiftNs / breakdown.totalNs,
      presence,
    })),
  };
}
