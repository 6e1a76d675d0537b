/**
 * A filter of events, used in two places: by the readers, which get the part that lets them skip an event without
 * decoding it, and on the rows that they deliver, where all of it is evaluated.
 */

import type { StringTable } from "../../base/bytes/string-table.js";
import { err, ok, type Result } from "../../base/result.js";
import { globMatcher } from "../../base/text/glob.js";
import { type EventChunk, EventKind, type FieldValue } from "../../model/collected.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { printedFields } from "../ftrace-text/fields.js";
import { END_OF_TIME } from "../ring-buffer/ring-buffer.js";
import {
  type CompareOp,
  type FilterExpression,
  type FilterKey,
  type FilterTerm,
  type FilterValue,
  parseEventFilter,
  TIME,
} from "./expression.js";

export { type FilterExpression, type FilterTerm, parseEventFilter };

/**
 * What a row's time is compared in: nanoseconds of a trace's own clock, whose last printed digit is a microsecond;
 * nanoseconds on the axis of a live update; or a clock's bare counts.
 */
export type FilterTime = "trace" | "axis" | "counts";

export interface BoundFilter {
  /** For the readers: what it leaves out cannot be wanted. */
  readonly records: RecordFilter;
  /** Outside of it nothing is wanted, in nanoseconds on the axis; infinite if the rows' time is not on one. */
  readonly axisNs: { readonly from: number; readonly to: number };
  /** Whether a row is wanted; `at` is its time if that is on an axis. */
  matches(chunk: EventChunk, row: number, at: number): boolean;
}

/** Terms that must all be true; null if there are none. */
export function allOf(terms: readonly (FilterExpression | null)[]): FilterExpression | null {
  const of = terms.filter((term) => term !== null);
  return of.length === 0 ? null : of.length === 1 ? (of[0] as FilterExpression) : { kind: "and", of };
}

/** `key` is one of the texts; null if there are none. */
export function oneOf(key: FilterKey, texts: readonly string[]): FilterExpression | null {
  if (texts.length === 0) return null;
  return { kind: "term", key, field: "", op: "=", values: texts.map((text) => ({ kind: "text", text })) };
}

/** The names of events that it mentions, as written: for a suggestion if no event has them. */
export function eventNamesIn(expression: FilterExpression): readonly string[] {
  switch (expression.kind) {
    case "and":
    case "or":
      return expression.of.flatMap(eventNamesIn);
    case "not":
      return [];
    case "term": {
      const { key, op, values } = expression;
      return key === "event" && op === "="
        ? values.flatMap((value) => (value.kind === "text" ? [value.text] : []))
        : [];
    }
  }
}

/** The filter for rows whose time is of this kind. The error completes "the filter cannot be used: …". */
export function bindFilter(expression: FilterExpression, time: FilterTime): Result<BoundFilter, string> {
  try {
    const test = compile(expression, time);
    return ok({
      records: recordFilter(expression, time),
      axisNs: axisSpan(expression, time),
      matches: (chunk, row, at) => test({ chunk, row, at }),
    });
  } catch (error) {
    if (error instanceof Unbound) return err(error.message);
    throw error;
  }
}

class Unbound extends Error {}

interface Row {
  readonly chunk: EventChunk;
  readonly row: number;
  readonly at: number;
}

type Test<T> = (value: T) => boolean;

function compile(expression: FilterExpression, time: FilterTime): Test<Row> {
  switch (expression.kind) {
    case "and": {
      const tests = expression.of.map((each) => compile(each, time));
      return (row) => tests.every((test) => test(row));
    }
    case "or": {
      const tests = expression.of.map((each) => compile(each, time));
      return (row) => tests.some((test) => test(row));
    }
    case "not": {
      const test = compile(expression.of, time);
      return (row) => !test(row);
    }
    case "term":
      return compileTerm(expression, time);
  }
}

function compileTerm(term: FilterTerm, time: FilterTime): Test<Row> {
  switch (term.key) {
    case "event": {
      const test = byString(textTest(term));
      return ({ chunk, row }) => {
        const id = chunk.name[row] as number;
        const kind = chunk.kind[row] as number;
        return test(chunk.strings, id, kind === EventKind.event || kind === EventKind.marker ? "" : graphName(kind));
      };
    }
    case "task": {
      const test = byString(textTest(term));
      return ({ chunk, row }) => test(chunk.strings, chunk.comm[row] as number, "");
    }
    case "cpu": {
      const test = numberTest(term);
      return ({ chunk, row }) => test(chunk.cpu[row] as number);
    }
    case "pid": {
      const test = numberTest(term);
      return ({ chunk, row }) => test(chunk.pid[row] as number);
    }
    case "time": {
      const test = timeTest(term, time);
      if (time === "axis") return ({ at }) => !Number.isNaN(at) && test(BigInt(Math.round(at)));
      return ({ chunk, row }) => {
        const since = chunk.time[row] as number;
        return !Number.isNaN(since) && test(chunk.base + BigInt(Math.round(since)));
      };
    }
    case null: {
      const { field, op } = term;
      const equals = fieldTest(op === "!=" ? { ...term, op: "=" } : term);
      const wordy = term.values.some((value) => value.kind === "text" && numberOf(value.text) === null);
      return ({ chunk, row }) => {
        const value = fieldOf(chunk, row, field);
        const printed =
          value === undefined || (wordy && typeof value !== "string") ? printedOf(chunk, row, field) : undefined;
        if (value === undefined && printed === undefined) return false;
        const matches =
          (value !== undefined && equals(value)) ||
          (printed !== undefined && equals(printed)) ||
          (!wordy && field.endsWith("prev_state") && typeof value === "string" && equals(stateBits(value)));
        return matches === (op !== "!=");
      };
    }
  }
}

/** `text` is a payload as the source prints it, if the event has no field of that name. */
function fieldOf(chunk: EventChunk, row: number, field: string): FieldValue | undefined {
  const value = chunk.field === undefined ? chunk.fields(row).get(field) : chunk.field(row, field);
  return value ?? (field === "text" ? chunk.text(row).trim() : undefined);
}

/** What the kernel prints for a field of a raw record, so that the same ring is filtered alike as text and as pages. */
function printedOf(chunk: EventChunk, row: number, field: string): FieldValue | undefined {
  if (chunk.kind[row] !== EventKind.event) return undefined;
  const name = chunk.strings.stringOf(chunk.name[row] as number);
  return printedFields(name, chunk.text(row)).get(field);
}

/** A task's state in letters as its number: TASK_STATE_TO_CHAR_STR, and `+` is TASK_REPORT_MAX (linux/sched.h). */
function stateBits(letters: string): number {
  const preempted = letters.endsWith("+") ? 0x100 : 0;
  const bits = ["S", "D", "T", "t", "X", "Z", "P", "I"];
  return letters
    .replace("+", "")
    .split("|")
    .reduce((sum, letter) => {
      const bit = bits.indexOf(letter);
      return letter === "R" ? sum : bit < 0 ? Number.NaN : sum + 2 ** bit;
    }, preempted);
}

/** The kernel's text names no event of the function graph: here they are called what the pages call them. */
function graphName(kind: number): string {
  return kind === EventKind.graphExit ? "funcgraph_exit" : "funcgraph_entry";
}

/** Each string is matched once; `otherwise` stands for an empty one. */
function byString(test: Test<string>): (strings: StringTable, id: number, otherwise: string) => boolean {
  const tables = new WeakMap<StringTable, Int8Array>();
  return (strings, id, otherwise) => {
    let known = tables.get(strings);
    if (known === undefined || id >= known.length) {
      const grown = new Int8Array(2 * id + 64);
      if (known !== undefined) grown.set(known);
      known = grown;
      tables.set(strings, known);
    }
    const text = strings.stringOf(id);
    if (text === "") return test(otherwise);
    if (known[id] === 0) known[id] = test(text) ? 1 : -1;
    return (known[id] as number) > 0;
  };
}

function textTest({ op, values }: FilterTerm): Test<string> {
  const matchers = values.map((value) =>
    globMatcher(value.kind === "text" ? value.text : `${value.low}..${value.high}`),
  );
  const any: Test<string> = (text) => matchers.some((matches) => matches(text));
  return op === "!=" ? (text) => !any(text) : any;
}

function compared(op: CompareOp, value: number | bigint, limit: number | bigint): boolean {
  switch (op) {
    case "=":
      return value >= limit && value <= limit;
    case "!=":
      return value < limit || value > limit;
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
  }
}

/** The values of an `=`, as intervals with both ends included. */
function intervals(values: readonly FilterValue[]): readonly (readonly [number, number])[] {
  return values.map((value) =>
    value.kind === "text"
      ? [Number(value.text), Number(value.text)]
      : [
          value.low === "" ? Number.NEGATIVE_INFINITY : Number(value.low),
          value.high === "" ? Number.POSITIVE_INFINITY : Number(value.high),
        ],
  );
}

function numberTest({ op, values }: FilterTerm): Test<number> {
  if (op === "=" || op === "!=") {
    const wanted = intervals(values);
    const inside: Test<number> = (value) => wanted.some(([low, high]) => value >= low && value <= high);
    return op === "=" ? inside : (value) => !inside(value);
  }
  const limit = Number((values[0] as FilterValue & { kind: "text" }).text);
  return (value) => compared(op, value, limit);
}

/** Numbers are compared as numbers, all else as text; an event without the field is not wanted. */
function fieldTest({ op, values }: FilterTerm): Test<FieldValue> {
  const tests = values.map((value): Test<FieldValue> => {
    if (value.kind === "range") {
      const [low, high] = [numberOf(value.low), numberOf(value.high)];
      if ((value.low !== "" && low === null) || (value.high !== "" && high === null)) {
        const matches = globMatcher(`${value.low}..${value.high}`);
        return (field) => matches(String(field));
      }
      return (field) => {
        const number = typeof field === "string" ? numberOf(field) : field;
        return number !== null && (low === null || number >= low) && (high === null || number <= high);
      };
    }
    const limit = numberOf(value.text);
    const matches = globMatcher(value.text);
    return (field) => {
      const number = typeof field === "string" ? (limit === null ? null : numberOf(field)) : field;
      if (limit !== null && number !== null) return compared(op === "!=" ? "=" : op, number, limit);
      return op === "=" || op === "!=" ? matches(String(field)) : false;
    };
  });
  const any: Test<FieldValue> = (field) => tests.some((test) => test(field));
  return op === "!=" ? (field) => !any(field) : any;
}

function numberOf(text: string): bigint | number | null {
  if (/^-?\d{1,30}$|^0x[0-9a-f]{1,16}$/i.test(text)) return BigInt(text);
  return /^-?\d{1,15}\.\d{1,15}$/.test(text) ? Number(text) : null;
}

const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  min: 60_000_000_000n,
};

/**
 * The counts that a written time stands for, both included: one, but for six decimals without a unit, which is how the
 * kernel prints: all that it would round to them.
 */
function countsOf(text: string, time: FilterTime): readonly [bigint, bigint] {
  const [, sign = "", whole = "0", decimals = "", unit = ""] = TIME.exec(text) ?? [];
  if (time === "counts") {
    if (decimals !== "" || unit !== "") {
      throw new Unbound(
        `time ${text}: this trace's clock counts, it knows no seconds; give a whole count as it is printed`,
      );
    }
    return [BigInt(`${sign}${whole}`), BigInt(`${sign}${whole}`)];
  }
  const scale = UNIT_NS[unit === "" ? "s" : unit] as bigint;
  const parts = BigInt(whole + decimals) * scale;
  const ns = (parts / 10n ** BigInt(decimals.length)) * (sign === "-" ? -1n : 1n);
  return time === "trace" && unit === "" && decimals.length === 6 ? [ns - 500n, ns + 499n] : [ns, ns];
}

/** The interval of times that one value of a term allows if it is `=`; null at an end that is open. */
function timeInterval(value: FilterValue, time: FilterTime): readonly [bigint | null, bigint | null] {
  if (value.kind === "text") return countsOf(value.text, time);
  return [
    value.low === "" ? null : countsOf(value.low, time)[0],
    value.high === "" ? null : countsOf(value.high, time)[1],
  ];
}

function orderedInterval(op: CompareOp, text: string, time: FilterTime): readonly [bigint | null, bigint | null] {
  const [first, last] = countsOf(text, time);
  switch (op) {
    case "<":
      return [null, first - 1n];
    case "<=":
      return [null, last];
    case ">":
      return [last + 1n, null];
    default:
      return [first, null];
  }
}

function timeIntervals(
  { op, values }: FilterTerm,
  time: FilterTime,
): readonly (readonly [bigint | null, bigint | null])[] {
  if (op === "=" || op === "!=") return values.map((value) => timeInterval(value, time));
  return [orderedInterval(op, (values[0] as FilterValue & { kind: "text" }).text, time)];
}

function timeTest(term: FilterTerm, time: FilterTime): Test<bigint> {
  const wanted = timeIntervals(term, time);
  const inside: Test<bigint> = (at) =>
    wanted.some(([low, high]) => (low === null || at >= low) && (high === null || at <= high));
  return term.op === "!=" ? (at) => !inside(at) : inside;
}

function recordFilter(expression: FilterExpression, time: FilterTime): RecordFilter {
  const keys = keysOf(expression);
  const column = <T>(key: FilterKey, testOf: (term: FilterTerm) => Test<T>): { has(value: T): boolean } | null => {
    if (!keys.has(key)) return null;
    const possible = possibility(expression, key, testOf);
    const known = new Map<T, boolean>();
    return {
      has(value) {
        let may = known.get(value);
        if (may === undefined) {
          may = possible(value) !== false;
          if (known.size < MAX_REMEMBERED) known.set(value, may);
        }
        return may;
      },
    };
  };
  const [from, to] = keys.has("time") && time !== "axis" ? hull(expression, time, true) : [null, null];
  return {
    names: column("event", textTest),
    pids: column("pid", numberTest),
    cpus: column("cpu", numberTest),
    fields: keys.has(null) ? (has) => mayHave(expression, has) !== false : null,
    from: from === null || from < 0n ? 0n : from,
    to: to === null || to > END_OF_TIME ? END_OF_TIME : to < 0n ? 0n : to,
  };
}

function axisSpan(expression: FilterExpression, time: FilterTime): BoundFilter["axisNs"] {
  const [from, to] = time === "axis" ? hull(expression, time, true) : EVER;
  return {
    from: from === null ? Number.NEGATIVE_INFINITY : Number(from),
    to: to === null ? Number.POSITIVE_INFINITY : Number(to),
  };
}

/** As `possibility`, if only the names of an event's fields are known. */
function mayHave(expression: FilterExpression, has: (field: string) => boolean): boolean | null {
  switch (expression.kind) {
    case "and": {
      const all = expression.of.map((each) => mayHave(each, has));
      return all.includes(false) ? false : all.includes(null) ? null : true;
    }
    case "or": {
      const all = expression.of.map((each) => mayHave(each, has));
      return all.includes(true) ? true : all.includes(null) ? null : false;
    }
    case "not": {
      const may = mayHave(expression.of, has);
      return may === null ? null : !may;
    }
    case "term":
      return expression.key === null && expression.field !== "text" && !has(expression.field) ? false : null;
  }
}

/** Pids are at most 4,194,304 (PID_MAX_LIMIT); those of a damaged file need not be remembered. */
const MAX_REMEMBERED = 100_000;

function keysOf(expression: FilterExpression): ReadonlySet<FilterKey | null> {
  switch (expression.kind) {
    case "and":
    case "or":
      return new Set(expression.of.flatMap((each) => [...keysOf(each)]));
    case "not":
      return keysOf(expression.of);
    case "term":
      return new Set([expression.key]);
  }
}

/** Whether an event can match, if only the value of one column is known: true, false, or null for "it depends". */
function possibility<T>(
  expression: FilterExpression,
  key: FilterKey,
  testOf: (term: FilterTerm) => Test<T>,
): (value: T) => boolean | null {
  switch (expression.kind) {
    case "and": {
      const all = expression.of.map((each) => possibility(each, key, testOf));
      return (value) => {
        let known: boolean | null = true;
        for (const each of all) {
          const may = each(value);
          if (may === false) return false;
          if (may === null) known = null;
        }
        return known;
      };
    }
    case "or": {
      const all = expression.of.map((each) => possibility(each, key, testOf));
      return (value) => {
        let known: boolean | null = false;
        for (const each of all) {
          const may = each(value);
          if (may === true) return true;
          if (may === null) known = null;
        }
        return known;
      };
    }
    case "not": {
      const inner = possibility(expression.of, key, testOf);
      return (value) => {
        const may = inner(value);
        return may === null ? null : !may;
      };
    }
    case "term":
      return expression.key === key ? testOf(expression) : () => null;
  }
}

type Hull = readonly [from: bigint | null, to: bigint | null];
const EVER: Hull = [null, null];

/** The narrowest span of time outside which nothing is wanted. */
function hull(expression: FilterExpression, time: FilterTime, wanted: boolean): Hull {
  switch (expression.kind) {
    case "not":
      return hull(expression.of, time, !wanted);
    case "and":
    case "or": {
      const hulls = expression.of.map((each) => hull(each, time, wanted));
      return (expression.kind === "and") === wanted ? hulls.reduce(within, EVER) : around(hulls);
    }
    case "term": {
      if (expression.key !== "time") return EVER;
      const spans = timeIntervals(expression, time);
      if ((expression.op !== "!=") === wanted) return around(spans);
      // What is left beside one half-open span is one too; beside others, anything may be.
      const [only] = spans;
      if (spans.length !== 1 || only === undefined) return EVER;
      if (only[0] === null && only[1] !== null) return [only[1] + 1n, null];
      return only[1] === null && only[0] !== null ? [null, only[0] - 1n] : EVER;
    }
  }
}

function within(a: Hull, b: Hull): Hull {
  return [
    a[0] === null ? b[0] : b[0] === null || a[0] > b[0] ? a[0] : b[0],
    a[1] === null ? b[1] : b[1] === null || a[1] < b[1] ? a[1] : b[1],
  ];
}

function around(hulls: readonly Hull[]): Hull {
  return hulls.reduce((a, b) => [
    a[0] === null || b[0] === null ? null : a[0] < b[0] ? a[0] : b[0],
    a[1] === null || b[1] === null ? null : a[1] > b[1] ? a[1] : b[1],
  ]);
}
