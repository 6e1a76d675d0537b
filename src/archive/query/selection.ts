/** Which updates of an archive a cohort argument means: `fleet/?kernel=7.3.4&label.fleet=canary&since=7d`. */
import { err, ok, type Result } from "../../base/result.js";
import { didYouMean } from "../../base/text/suggest.js";
import { sqlText } from "../engine.js";
import type { Segment } from "../format.js";
import { partitionCanHold } from "../store/partition.js";

/** What each key is of the table `updates`. */
const KEYS: Readonly<Record<string, string>> = {
  id: "update_id",
  kernel: "kernel_new",
  "new-kernel": "kernel_new",
  "old-kernel": "kernel_old",
  host: "host",
  name: "name",
  level: "probe_level",
  "probe-level": "probe_level",
  workload: "workload",
  outcome: "outcome",
  basis: "basis",
  day: "CAST(day AS VARCHAR)",
};
const TIMES = ["since", "until"] as const;
/** The key of the layout (PARTITION_KEYS) that a folder's name answers each by. */
const LAYOUT_KEYS: Readonly<Record<string, string>> = {
  kernel_new: "kernel",
  kernel_old: "kernel_old",
  probe_level: "probe_level",
  workload: "workload",
  [KEYS.day as string]: "day",
};
const SELECTION_KEYS: readonly string[] = [...Object.keys(KEYS), "label.NAME", ...TIMES];

const UNITS_MS: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Splits an argument at its first `?`; null if it has none. */
export function splitSelection(argument: string): { readonly path: string; readonly query: string } | null {
  const at = argument.indexOf("?");
  return at < 0 ? null : { path: argument.slice(0, at), query: argument.slice(at + 1) };
}

export interface UpdateSelection {
  /** A condition on the table `updates`, in DuckDB's SQL. */
  readonly where: string;
  /** Whether a segment can match the selection, judged by its folder: others need not be read. */
  canHold(segment: Pick<Segment, "partition">, partitionBy: readonly string[]): boolean;
}

/** A test that a folder's value of a key must pass. */
interface FolderTest {
  readonly key: string;
  readonly test: (value: string | null) => boolean;
}

/**
 * What a query string selects; the error is a sentence. A key given twice means either; `*` in a value stands for any
 * text; `%` with two hexadecimal digits is a byte, as in a URL. `since` and `until` take an age (`7d`, `36h`, `2w`,
 * before `nowMs`) or a date, UTC.
 */
export function parseSelection(query: string, nowMs: number): Result<UpdateSelection, string> {
  const byKey = new Map<string, string[]>();
  for (const part of query.split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const key = decoded(at < 0 ? part : part.slice(0, at));
    const value = at < 0 ? null : decoded(part.slice(at + 1));
    if (key === null || value === null) return err(`${part}: expected KEY=VALUE, with ${SELECTION_KEYS.join(", ")}`);
    byKey.set(key, [...(byKey.get(key) ?? []), value]);
  }
  const conditions: string[] = [];
  const folders: FolderTest[] = [];
  for (const [key, values] of byKey) {
    if (key === "since" || key === "until") {
      const [value = "", more] = values;
      const time = parseTime(value, nowMs);
      if (more !== undefined) return err(`${key}: is given twice`);
      if (time === null)
        return err(`${key}=${value}: expected an age like 7d, 36h, 2w, 30min, or a date like 2026-11-24`);
      conditions.push(`taken_ms ${key === "since" ? ">=" : "<"} ${time}`);
      folders.push({ key: "day", test: (day) => dayCanHold(day, key, time) });
      continue;
    }
    const column = columnOf(key);
    if (column === null) {
      return err(`${key}: expected ${SELECTION_KEYS.join(", ")}${didYouMean(key, SELECTION_KEYS)}`);
    }
    conditions.push(`(${values.map((value) => matches(column, value)).join(" OR ")})`);
    const label = labelOf(key);
    const layoutKey = label === null ? LAYOUT_KEYS[column] : `label.${label}`;
    if (layoutKey !== undefined) {
      // The folder of those without a value has those of the empty text, too.
      folders.push({ key: layoutKey, test: (value) => values.some((pattern) => fits(pattern, value ?? "")) });
    }
  }
  return ok({
    where: conditions.length === 0 ? "true" : conditions.join(" AND "),
    canHold: ({ partition }, partitionBy) =>
      folders.every(({ key, test }) => partitionCanHold(partition, partitionBy, key, test)),
  });
}

const DAY_MS = 86_400_000;

/** Null: no time is known, or one beyond the days that are folders (`dayOf`). */
function dayCanHold(day: string | null, bound: "since" | "until", time: number): boolean {
  const begin = day === null ? Number.NaN : Date.parse(day);
  if (Number.isNaN(begin)) return true;
  return bound === "since" ? begin + DAY_MS > time : begin < time;
}

/** As SQL's LIKE does, in linear time: the first place is the best one for what stands between two stars. */
function fits(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function columnOf(key: string): string | null {
  if (Object.hasOwn(KEYS, key)) return KEYS[key] as string;
  const label = labelOf(key);
  if (label === null) return null;
  // RFC 6901: `~` and `/` are written ~0 and ~1.
  const pointer = `/${label.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return `json_extract_string(labels, ${sqlText(pointer)})`;
}

function labelOf(key: string): string | null {
  return /^labels?\.(.+)$/s.exec(key)?.[1] ?? null;
}

function matches(column: string, value: string): string {
  if (!value.includes("*")) return `${column} = ${sqlText(value)}`;
  const pattern = value.replaceAll(/[\\%_]/g, "\\$&").replaceAll("*", "%");
  return `${column} LIKE ${sqlText(pattern)} ESCAPE '\\'`;
}

/** Milliseconds since 1970. */
function parseTime(value: string, nowMs: number): number | null {
  const age = /^(\d{1,6})(min|h|d|w)$/.exec(value);
  if (age !== null) return nowMs - Number(age[1]) * (UNITS_MS[age[2] as string] as number);
  if (!/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z?)?$/.test(value)) return null;
  const time = Date.parse(value.length === 10 ? value : `${value.replace(/Z$/, "")}Z`);
  return Number.isNaN(time) ? null : time;
}
