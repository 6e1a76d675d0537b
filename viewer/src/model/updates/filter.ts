/**
 * The filter of the table of updates: terms that must all be true.
 *
 *     kexec > 4s            a phase, or `blackout`, or `defects`, compared (also spelt phase:kexec > 4s)
 *     device:e1000          one of its larger causes has that kind and name
 *     device:e1000 > 200ms  … and takes that long in all
 *     outcome:completed     kernel:7.3  clock:tsc  name:base
 *     word                  the name, or a kernel's release, contains it
 *     -term                 the term is not true
 */

import { err, ok, type Result } from "../../../../src/base/result.js";
import { PHASES } from "../../../../src/model/live-update.js";
import type { ReportEntry } from "../../../../src/report/report-index.js";

export type Filter = (entry: ReportEntry) => boolean;

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  min: 60e9,
};
const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
};
const TERM = /^\s*(-?)((?:"[^"]*"|[^\s<>="])+)(?:\s*(<=|>=|<|>|=)\s*([\d.]+)\s*([a-zµμ]*))?(?=\s|$)/u;

/** The error names the part that is not understood, and what was expected. */
export function parseUpdateFilter(text: string): Result<Filter, string> {
  const terms: Filter[] = [];
  let rest = text;
  while (rest.trim() !== "") {
    const match = TERM.exec(rest);
    if (match === null)
      return err(`“${rest.trim()}” is not understood: expected a term like kexec > 4s, device:e1000 or a word`);
    rest = rest.slice(match[0].length);
    const [, minus, subject = "", comparison, number, unit = ""] = match;
    const term = termOf(subject.replaceAll('"', ""), comparison, number, unit);
    if (!term.ok) return term;
    const holds = term.value;
    terms.push(minus === "-" ? (entry) => !holds(entry) : holds);
  }
  return ok((entry) => terms.every((term) => term(entry)));
}

function termOf(
  subject: string,
  comparison: string | undefined,
  number: string | undefined,
  unit: string,
): Result<Filter, string> {
  const colon = subject.indexOf(":");
  const [key, value] = colon < 0 ? ["", subject] : [subject.slice(0, colon), subject.slice(colon + 1)];
  const compare = comparison === undefined ? null : (COMPARISONS[comparison] as (a: number, b: number) => boolean);
  const measure = measureOf(key, value);
  if (measure !== null) {
    if (compare === null) return err(`“${subject}” needs a comparison, as in ${value} > 4s`);
    const limit = limitOf(number ?? "", unit, value === "defects");
    if (!limit.ok) return limit;
    return ok((entry) => {
      const ns = measure(entry);
      return ns !== null && compare(ns, limit.value);
    });
  }
  const words = value.toLowerCase();
  const holds = (text: string | null) => text?.toLowerCase().includes(words) ?? false;
  const plain: Readonly<Record<string, Filter>> = {
    "": (entry) => holds(entry.name) || holds(entry.kernel.old) || holds(entry.kernel.new),
    name: (entry) => holds(entry.name),
    outcome: (entry) => holds(entry.outcome),
    kernel: (entry) => holds(entry.kernel.old) || holds(entry.kernel.new),
    clock: (entry) => holds(entry.clockMethod),
  };
  const known = plain[key];
  if (known !== undefined) {
    if (compare !== null) return err(`“${subject}” cannot be compared with a number`);
    return ok(known);
  }
  if (value === "") return err(`“${subject}” is incomplete: expected a name after the colon`);
  const taken = (entry: ReportEntry) =>
    entry.causes.reduce((sum, cause) => (cause.kind === key && holds(cause.name) ? sum + cause.ns : sum), 0);
  if (compare === null) return ok((entry) => taken(entry) > 0);
  const limit = limitOf(number ?? "", unit, false);
  return limit.ok ? ok((entry) => compare(taken(entry), limit.value)) : limit;
}

/** The measure of an update that a subject names; null if it is not a measure. */
function measureOf(key: string, value: string): ((entry: ReportEntry) => number | null) | null {
  if (key !== "" && key !== "phase") return null;
  const phase = (PHASES as readonly string[]).indexOf(value);
  if (phase >= 0) return (entry) => entry.phaseNs[phase] ?? null;
  if (key === "" && value === "blackout") return (entry) => entry.blackoutNs;
  return key === "" && value === "defects" ? (entry) => entry.defects : null;
}

function limitOf(number: string, unit: string, isCount: boolean): Result<number, string> {
  const value = Number(number);
  if (!Number.isFinite(value)) return err(`“${number}” is not a number`);
  if (isCount) return unit === "" ? ok(value) : err("defects are a count: remove the unit");
  const scale = UNITS[unit];
  return scale === undefined ? err(`“${number}${unit}” needs a unit: ns, us, ms, s or min`) : ok(value * scale);
}
