/** The durations of many live updates: per phase and for the blackout, as exact samples and as HDR histograms. */

import { build, type Histogram } from "hdr-histogram-js";
import { WORK_MEASURES } from "../../model/document-parts.js";
import { MEASURES, type MeasureName, type NotCounted } from "../../model/documents/percentiles.js";
import { doubtOf } from "../../model/trusted-durations.js";
import type { UpdateSample } from "../../model/update-sample.js";
import {
  HISTOGRAM_DIGITS,
  HISTOGRAM_HIGHEST_NS,
  HISTOGRAM_LOWEST_NS,
} from "../statistics/distributions/histogram-layout.js";
import { parseMetric, valuesOfUpdate } from "./metrics.js";

export function durationHistogram(): Histogram {
  return build({
    bitBucketSize: 64,
    autoResize: false,
    lowestDiscernibleValue: HISTOGRAM_LOWEST_NS,
    highestTrackableValue: HISTOGRAM_HIGHEST_NS,
    numberOfSignificantValueDigits: HISTOGRAM_DIGITS,
  });
}

/** What the counted updates say of one measure. */
export interface MeasureSample {
  readonly name: MeasureName;
  /** Nanoseconds, ascending. */
  readonly valuesNs: readonly number[];
  readonly histogram: Histogram;
  /** Counted updates that have no value here. */
  readonly unknown: readonly NotCounted[];
}

export interface UpdateSamples {
  readonly counted: readonly UpdateSample[];
  readonly excluded: readonly NotCounted[];
  /** In the order of MEASURES. */
  readonly measures: readonly MeasureSample[];
}

/**
 * Samples of the updates that completed, each counted once. Every other update, and every value that is not known, is
 * named with its reason: none is dropped silently.
 */
export function sampleUpdates(updates: readonly UpdateSample[]): UpdateSamples {
  const counted: UpdateSample[] = [];
  const excluded: NotCounted[] = [];
  const seen = new Map<string, string>();
  for (const update of updates) {
    const leaveOut = (reason: string): void => void excluded.push({ from: update.source, name: update.name, reason });
    const identity = identityOf(update);
    const twin = seen.get(identity);
    if (twin !== undefined) {
      leaveOut(`the same update as ${twin}`);
      continue;
    }
    seen.set(identity, update.source);
    if (update.outcome === "completed") counted.push(update);
    else leaveOut(`${update.outcome}: ${update.outcomeReason}`);
  }
  return { counted, excluded, measures: MEASURES.map((name) => sampleMeasure(name, counted)) };
}

/** What a capture and each document of it agree on: `analyze --json` has no causes, memory or date. */
function identityOf({ source: _, takenAtMs: _at, memoryKiB: _memory, causes: _causes, ...rest }: UpdateSample): string {
  return JSON.stringify(rest);
}

function sampleMeasure(name: MeasureName, updates: readonly UpdateSample[]): MeasureSample {
  const valuesNs: number[] = [];
  const unknown: NotCounted[] = [];
  const histogram = durationHistogram();
  for (const update of updates) {
    const found = durationOf(update, name);
    if (typeof found === "string") {
      unknown.push({ from: update.source, name: update.name, reason: found });
      continue;
    }
    valuesNs.push(found);
    histogram.recordValue(found);
  }
  return { name, valuesNs: valuesNs.sort((a, b) => a - b), histogram, unknown };
}

/** The duration in nanoseconds, or why there is none that a histogram can hold. */
function durationOf(update: UpdateSample, name: MeasureName): number | string {
  const metric = parseMetric(name);
  const [durationNs] = metric.ok ? valuesOfUpdate(update, metric.value) : [];
  if (durationNs === undefined) {
    const isWork = (WORK_MEASURES as readonly string[]).includes(name);
    return doubtOf(update) ?? (isWork ? "no call of LUO's is recorded" : "not both of its ends were seen on one axis");
  }
  if (durationNs < 0) return `it lasts ${durationNs} ns: its ends are in the wrong order`;
  if (durationNs > HISTOGRAM_HIGHEST_NS) return `it lasts ${durationNs} ns, more than the 24 h that a histogram holds`;
  return durationNs;
}
