/** Which updates of an archive a cohort argument means: `fleet/?kernel=7.3.4&label.fleet=canary&since=7d`. */
import { err, ok, type Result } from "../base/result.js";
import { didYouMean } from "../base/suggest.js";
import { sqlText } from "./engine.js";

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
export const SELECTION_KEYS: readonly string[] = [...Object.keys(KEYS), "label.NAME", ...TIMES];

const UNITS_MS: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Splits an argument at its first `?`; null where it has none. */
export function splitSelection(argument: string): { readonly path: string; readonly query: string } | null {
  const at = argument.indexOf("?");
  return at < 0 ? null : { path: argument.slice(0, at), query: argument.slice(at + 1) };
}

/**
 * The condition on `updates` of a query string; the error is a sentence. A key given twice means either; `*` in a value
 * stands for any text; `%` with two hexadecimal digits is a byte, as in a URL. `since` and `until` take an age (`7d`,
 * `36h`, `2w`, before `nowMs`) or a date, UTC.
 */
export function selectionSql(query: string, nowMs: number): Result<string, string> {
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
  for (const [key, values] of byKey) {
    if (key === "since" || key === "until") {
      const [value = "", more] = values;
      const time = parseTime(value, nowMs);
      if (more !== undefined) return err(`${key}: is given twice`);
      if (time === null)
        return err(`${key}=${value}: expected an age like 7d, 36h, 2w, 30min, or a date like 2026-11-24`);
      conditions.push(`taken_ms ${key === "since" ? ">=" : "<"} ${time}`);
      continue;
    }
    const column = columnOf(key);
    if (column === null) {
      return err(`${key}: expected ${SELECTION_KEYS.join(", ")}${didYouMean(key, SELECTION_KEYS)}`);
    }
    conditions.push(`(${values.map((value) => matches(column, value)).join(" OR ")})`);
  }
  return ok(conditions.length === 0 ? "true" : conditions.join(" AND "));
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
  const label = /^labels?\.(.+)$/s.exec(key)?.[1];
  if (label === undefined) return null;
  // RFC 6901: `~` and `/` are written ~0 and ~1.
  const pointer = `/${label.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return `json_extract_string(labels, ${sqlText(pointer)})`;
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
