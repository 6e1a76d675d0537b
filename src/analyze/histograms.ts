/** The durations of many live updates: per phase and for the blackout, as exact samples and as HDR histograms. */
import { build, type Histogram } from "hdr-histogram-js";
import { type LiveUpdateDocument, PHASES, type PhaseName } from "./live-update.js";

/** What is measured of an update. */
export const MEASURES = ["blackout", ...PHASES] as const;
export type MeasureName = "blackout" | PhaseName;

/**
 * Every histogram has one layout, so that any two add up without loss: from 1 ns, since a phase may last microseconds,
 * to 24 h, which no live update reaches; 3 significant digits (at most 1/1,024 of a value is lost to its bucket) are
 * finer than any clock link's ±. That takes 37 x 1,024 counts, 300 KiB.
 */
export const HISTOGRAM_LOWEST_NS = 1;
export const HISTOGRAM_HIGHEST_NS = 24 * 3600 * 1e9;
export const HISTOGRAM_DIGITS = 3;

export function durationHistogram(): Histogram {
  return build({
    bitBucketSize: 64,
    autoResize: false,
    lowestDiscernibleValue: HISTOGRAM_LOWEST_NS,
    highestTrackableValue: HISTOGRAM_HIGHEST_NS,
    numberOfSignificantValueDigits: HISTOGRAM_DIGITS,
  });
}

/** An update, and where it was read from: a path, or a file and line. Names alone tell cohort members not apart. */
export interface NamedUpdate {
  readonly from: string;
  readonly document: LiveUpdateDocument;
}

/** An update, or one value of it, that does not count, and why. */
export interface NotCounted {
  readonly from: string;
  readonly name: string;
  readonly reason: string;
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
  readonly counted: readonly NamedUpdate[];
  readonly excluded: readonly NotCounted[];
  /** In the order of MEASURES. */
  readonly measures: readonly MeasureSample[];
}

/**
 * Samples of the updates that completed, each counted once. Every other update, and every value that is not known, is
 * named with its reason: none is dropped silently.
 */
export function sampleUpdates(updates: readonly NamedUpdate[]): UpdateSamples {
  const counted: NamedUpdate[] = [];
  const excluded: NotCounted[] = [];
  const seen = new Map<string, string>();
  for (const update of updates) {
    const { document, from } = update;
    const leaveOut = (reason: string): void => void excluded.push({ from, name: document.capture.name, reason });
    const identity = JSON.stringify(document);
    const twin = seen.get(identity);
    if (twin !== undefined) {
      leaveOut(`the same update as ${twin}`);
      continue;
    }
    seen.set(identity, from);
    if (document.outcome === "completed") counted.push(update);
    else leaveOut(`${document.outcome}: ${document.outcomeReason}`);
  }
  return { counted, excluded, measures: MEASURES.map((name) => sampleMeasure(name, counted)) };
}

function sampleMeasure(name: MeasureName, updates: readonly NamedUpdate[]): MeasureSample {
  const valuesNs: number[] = [];
  const unknown: NotCounted[] = [];
  const histogram = durationHistogram();
  for (const { from, document } of updates) {
    const found = durationOf(document, name);
    if (typeof found === "string") {
      unknown.push({ from, name: document.capture.name, reason: found });
      continue;
    }
    valuesNs.push(found);
    histogram.recordValue(found);
  }
  return { name, valuesNs: valuesNs.sort((a, b) => a - b), histogram, unknown };
}

/** The duration in nanoseconds, or why there is none that a histogram can hold. */
function durationOf({ blackout, phases }: LiveUpdateDocument, name: MeasureName): number | string {
  const part = name === "blackout" ? blackout : phases.find((phase) => phase.name === name);
  if (part === undefined) return "not in the document";
  const { beginNs, endNs, durationNs } = part;
  if (durationNs === null) {
    if (beginNs === null) return endNs === null ? "neither begin nor end was seen" : "its begin was not seen";
    return endNs === null ? "its end was not seen" : "no clock link joins its ends";
  }
  if (durationNs < 0) return `it lasts ${durationNs} ns: its ends are in the wrong order`;
  if (durationNs > HISTOGRAM_HIGHEST_NS) return `it lasts ${durationNs} ns, more than the 24 h that a histogram holds`;
  return durationNs;
}
