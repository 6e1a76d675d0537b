/** The updates that pass the filter, in the requested order: what plots and table show. */
import { PHASES } from "../../../src/model/live-update.js";
import type { ReportEntry } from "../../../src/report/report-index.js";
import { parseUpdateFilter } from "../model/updates/filter.js";
import type { Sort, State } from "./state.js";

export interface Listed {
  /** Indices into the entries, ascending: the order of the report. */
  readonly kept: readonly number[];
  /** The same in the order of the table. */
  readonly rows: readonly number[];
  /** Why the filter is not applied; null if it is. */
  readonly error: string | null;
}

const made = new WeakMap<readonly ReportEntry[], { filter: string; sort: Sort | null; listed: Listed }>();

export function listedOf({ entries, filter, sort }: State): Listed {
  const known = made.get(entries);
  if (known !== undefined && known.filter === filter && known.sort === sort) return known.listed;
  const parsed = parseUpdateFilter(filter);
  const all = [...entries.keys()];
  const kept = parsed.ok ? all.filter((index) => parsed.value(entries[index] as ReportEntry)) : all;
  const listed = { kept, rows: sorted(kept, entries, sort), error: parsed.ok ? null : parsed.error };
  made.set(entries, { filter, sort, listed });
  return listed;
}

function sorted(kept: readonly number[], entries: readonly ReportEntry[], sort: Sort | null): readonly number[] {
  if (sort === null) return kept;
  const sign = sort.descending ? -1 : 1;
  const value = columnValue(sort.by);
  const { compare } = new Intl.Collator("en", { numeric: true });
  return [...kept].sort((a, b) => {
    const [x, y] = [value(entries[a] as ReportEntry), value(entries[b] as ReportEntry)];
    // Unknown values come last in either direction.
    if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
    const by = typeof x === "number" && typeof y === "number" ? x - y : compare(String(x), String(y));
    return by * sign || a - b;
  });
}

function columnValue(column: string): (entry: ReportEntry) => number | string | null {
  const phase = (PHASES as readonly string[]).indexOf(column);
  if (phase >= 0) return (entry) => entry.phaseNs[phase] ?? null;
  switch (column) {
    case "update":
      return (entry) => entry.name;
    case "outcome":
      return (entry) => entry.outcome;
    case "blackout":
      return (entry) => entry.blackoutNs;
    case "clock link":
      return (entry) => entry.clockMethod;
    case "defects":
      return (entry) => entry.defects;
    default:
      return () => null;
  }
}
