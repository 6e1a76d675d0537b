/** Causes of many updates as lines of a heat map: those that vary most in time come first. */
import type { EntryCause } from "../../../../src/report/report-index.js";

export interface HeatMap {
  readonly rows: readonly {
    readonly name: string;
    readonly kind: string;
    /** For each update; NaN if the cause is not among its larger ones. */
    readonly ns: Float64Array;
    readonly least: number;
    readonly most: number;
    readonly median: number;
  }[];
}

const MOST_ROWS = 14;

/** Sorted by how far apart the updates are in each cause: the span from the 10th to the 90th percentile. */
export function heatMapOf(causes: readonly (readonly EntryCause[])[]): HeatMap {
  // By name, then kind: a joined key per cause of ten thousand updates takes longer than everything else.
  const byName = new Map<string, { name: string; kind: string; ns: Float64Array }[]>();
  causes.forEach((list, update) => {
    for (const { kind, name, ns } of list) {
      let lines = byName.get(name);
      if (lines === undefined) {
        lines = [];
        byName.set(name, lines);
      }
      let line = lines.find((other) => other.kind === kind);
      if (line === undefined) {
        line = { name, kind, ns: new Float64Array(causes.length).fill(Number.NaN) };
        lines.push(line);
      }
      const before = line.ns[update] as number;
      line.ns[update] = Number.isNaN(before) ? ns : before + ns;
    }
  });
  const rows = [...byName.values()].flat().map((line) => {
    const known = line.ns.filter((ns) => !Number.isNaN(ns)).sort();
    const at = (share: number) => known[Math.round((known.length - 1) * share)] as number;
    // A cause that only some updates have varies by its whole duration.
    const from = known.length < causes.length ? 0 : at(0.1);
    return { ...line, least: at(0), most: at(1), median: at(0.5), apart: at(0.9) - from };
  });
  rows.sort((a, b) => b.apart - a.apart || (a.name < b.name ? -1 : 1));
  return { rows: rows.slice(0, MOST_ROWS) };
}
