/** Causes of many updates as lines of a heat map: those that vary most in time come first. */
import type { EntryCause } from "../../../src/analyze/report-data.js";

export interface HeatMap {
  readonly rows: readonly {
    readonly name: string;
    readonly kind: string;
    /** Of each update, null where it is not among its larger causes. */
    readonly ns: readonly (number | null)[];
    readonly least: number;
    readonly most: number;
    readonly median: number;
  }[];
}

const MOST_ROWS = 14;

/** Sorted by how far apart the updates are in each cause: the span from the 10th to the 90th percentile. */
export function heatMapOf(causes: readonly (readonly EntryCause[])[]): HeatMap {
  const lines = new Map<string, { name: string; kind: string; ns: (number | null)[] }>();
  causes.forEach((list, update) => {
    for (const { kind, name, ns } of list) {
      const key = `${kind} ${name}`;
      const line = lines.get(key) ?? { name, kind, ns: new Array<number | null>(causes.length).fill(null) };
      lines.set(key, line);
      line.ns[update] = (line.ns[update] ?? 0) + ns;
    }
  });
  const rows = [...lines.values()].map((line) => {
    const known = line.ns.filter((ns) => ns !== null).sort((a, b) => a - b);
    const at = (share: number) => known[Math.round((known.length - 1) * share)] as number;
    // A cause that only some updates have varies by all of itself.
    const from = known.length < causes.length ? 0 : at(0.1);
    return { ...line, least: at(0), most: at(1), median: at(0.5), apart: at(0.9) - from };
  });
  rows.sort((a, b) => b.apart - a.apart || (a.name < b.name ? -1 : 1));
  return { rows: rows.slice(0, MOST_ROWS) };
}
