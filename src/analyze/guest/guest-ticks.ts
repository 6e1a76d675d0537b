/** What a guest's ticker says of the blackout: its longest gap, and the delays as its own timers saw them. */

import type { Duration } from "../../base/time.js";
import type { TickLog } from "../../model/collected.js";
import type { TickGap, TickPercentile } from "../../model/documents/guest.js";
import { durationHistogram } from "../cohort/histograms.js";
import { HISTOGRAM_HIGHEST_NS } from "../statistics/distributions/histogram-layout.js";

/** More expected ticks than this in one log: the interval is not this ticker's. */
export const MAX_EXPECTED_TICKS = 10_000_000;

const PERCENTS = [50, 90, 99, 99.9, 100] as const;

/** The gap, or a sentence that says why none can be read. `headerNs` is the header's interval, as parsed. */
export function tickGap(log: TickLog, givenNs: Duration | null, headerNs: Duration | null): TickGap | string {
  const { sinceFirstNs, breaks } = log;
  const gaps = new Float64Array(Math.max(0, sinceFirstNs.length - 1));
  const ends = new Int32Array(gaps.length);
  const anew = new Set(breaks);
  let count = 0;
  let longest = -1;
  let span = 0;
  for (let row = 1; row < sinceFirstNs.length; row++) {
    if (anew.has(row)) continue;
    const gap = (sinceFirstNs[row] as number) - (sinceFirstNs[row - 1] as number);
    gaps[count] = gap;
    ends[count] = row;
    span += gap;
    if (longest < 0 || gap > (gaps[longest] as number)) longest = count;
    count += 1;
  }
  if (longest < 0) return "it holds no two ticks in a row; a gap lies between two";
  const own = gaps.subarray(0, count);
  const intervalNs = givenNs ?? headerNs ?? medianOf(own);
  if (!(intervalNs > 0))
    return "most of its stamps are the same, so they are not ticks; give the time between ticks with --interval";
  if (span / intervalNs > MAX_EXPECTED_TICKS) {
    return `at one tick in ${intervalNs} ns it should hold more than ${MAX_EXPECTED_TICKS.toLocaleString("en")} ticks; check --interval`;
  }
  const gapNs = own[longest] as number;
  if (gapNs > HISTOGRAM_HIGHEST_NS) return "a gap is longer than 24 h; give the log of one update";
  const recorded = durationHistogram();
  const corrected = durationHistogram();
  for (const gap of own) {
    recorded.recordValue(gap);
    corrected.recordValueWithExpectedInterval(gap, intervalNs);
  }
  const endedBy = ends[longest] as number;
  const at = (histogram: typeof recorded): readonly TickPercentile[] =>
    PERCENTS.map((percent) => ({ percent, ns: Math.min(gapNs, histogram.getValueAtPercentile(percent)) }));
  return {
    intervalNs,
    intervalFrom: givenNs !== null ? "given" : headerNs !== null ? "header" : "median",
    ticks: sinceFirstNs.length,
    gapNs,
    endedBy,
    sinceFirstNs: sinceFirstNs[endedBy - 1] as number,
    coveredNs: span,
    missed: Math.max(0, Math.ceil(gapNs / intervalNs) - 1),
    stoodStillNs: { lowerNs: Math.max(0, gapNs - intervalNs), upperNs: gapNs },
    recorded: at(recorded),
    corrected: at(corrected),
  };
}

function medianOf(values: Float64Array): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[(sorted.length - 1) >> 1] ?? 0;
}
