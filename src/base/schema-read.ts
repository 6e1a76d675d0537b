/**
 * Reads documents from elsewhere by their declaration: nothing in them is believed before it is checked. What is read
 * has the declared fields and no others.
 */
import { err, ok, type Result } from "./result.js";
import type { FieldNode, Schema, SchemaNode } from "./schema.js";
import { quotedValue } from "./text/quote.js";

/** What a document from elsewhere may take. */
export interface ReadLimits {
  /** Characters of a text. */
  readonly text: number;
  /** Items of a list. */
  readonly items: number;
  /** Keys of a map. */
  readonly keys: number;
}

/** Longer names would fill every table. */
const LIMITS: ReadLimits = { text: 4_096, items: 100_000, keys: 1_000 };

/** Thrown and caught in this file only: a check that fails ends the whole document. */
class Refused extends Error {
  /** Keys and indexes, innermost first. */
  readonly path: (string | number)[] = [];
}

function refuse(found: unknown, expected: string): never {
  return refuseAs(quotedValue(found), expected);
}

/** Of a text, list or object it is the size that is wrong. */
function refuseAs(found: string, expected: string): never {
  throw new Refused(`found ${found}, expected ${expected}`);
}

type Reader = (value: unknown) => unknown;

/** A function that reads values of the declaration; the error says where, what was found, and what was expected. */
export function readerOf<T>(schema: Schema<T>, limits: ReadLimits = LIMITS): (value: unknown) => Result<T, string> {
  const read = reader(schema.node, limits);
  return (value) => {
    try {
      return ok(read(value) as T);
    } catch (thrown) {
      // A recursive declaration follows the document's own nesting, which may exhaust the stack.
      if (thrown instanceof RangeError) return err("found a document nested too deeply, expected fewer levels");
      if (!(thrown instanceof Refused)) throw thrown;
      const where = placeText(thrown.path.reverse());
      return err(where === "" ? thrown.message : `${where}: ${thrown.message}`);
    }
  };
}

/** `causes[3].totalNs` */
function placeText(path: readonly (string | number)[]): string {
  return path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("");
}

function inside(step: string | number, read: Reader, value: unknown): unknown {
  try {
    return read(value);
  } catch (thrown) {
    if (thrown instanceof Refused) thrown.path.push(step);
    throw thrown;
  }
}

function reader(node: SchemaNode, limits: ReadLimits): Reader {
  switch (node.kind) {
    case "text":
      return textReader(node.pattern === undefined ? null : new RegExp(node.pattern), limits.text);
    case "number":
      return node.whole ? wholeReader(node.min ?? -Infinity, node.max ?? Infinity) : numberReader(node.min, node.max);
    case "flag":
      return (value) => (typeof value === "boolean" ? value : refuse(value, "true or false"));
    case "choice": {
      const { values } = node;
      return (value) => {
        const found = values.find((one) => one === value);
        return found === undefined ? refuse(value, `one of ${values.join(", ")}`) : found;
      };
    }
    case "list":
      return listReader(reader(node.item, limits), node.min ?? 0, Math.min(node.max ?? limits.items, limits.items));
    case "map":
      return mapReader(textReader(null, limits.text), reader(node.value, limits), limits.keys);
    case "record":
      return recordReader(node.fields, limits);
    case "nullable": {
      const inner = reader(node.inner, limits);
      return (value) => (value === null || value === undefined ? null : inner(value));
    }
    case "either": {
      const options = node.options.map((option) => readerOf({ node: option }, limits));
      return (value) => {
        for (const option of options) {
          const read = option(value);
          if (read.ok) return read.value;
        }
        return refuse(value, "a value of another type");
      };
    }
    case "shared": {
      // Made when it is first needed: a definition may refer to itself.
      let inner: Reader | null = null;
      return (value) => {
        inner ??= reader(node.inner(), limits);
        return inner(value);
      };
    }
  }
}

function textReader(pattern: RegExp | null, longest: number): Reader {
  return (value) => {
    if (typeof value !== "string") return refuse(value, "a text");
    if (value.length > longest) return refuseAs(`${value.length} characters`, `at most ${longest}`);
    return pattern === null || pattern.test(value) ? value : refuse(value, `a text that matches ${pattern.source}`);
  };
}

function wholeReader(min: number, max: number): Reader {
  const expected =
    min === -Infinity
      ? "a whole number of at most 2^53 - 1 in size"
      : `a whole number from ${min} to ${max === Infinity ? "2^53 - 1" : max}`;
  return (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : refuse(value, expected);
}

function numberReader(min = -Infinity, max = Infinity): Reader {
  return (value) =>
    typeof value === "number" && value >= min && value <= max ? value : refuse(value, "a number in range");
}

function listReader(item: Reader, min: number, max: number): Reader {
  return (value) => {
    if (!Array.isArray(value)) return refuse(value, "a list");
    if (value.length > max) return refuseAs(`${value.length} items`, `at most ${max}`);
    if (value.length < min) return refuseAs(`${value.length} items`, `at least ${min}`);
    return value.map((each, i) => inside(i, item, each));
  };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(value, "an object");
  return value as Readonly<Record<string, unknown>>;
}

function mapReader(key: Reader, item: Reader, most: number): Reader {
  return (value) => {
    const entries = Object.entries(objectOf(value));
    if (entries.length > most) return refuseAs(`${entries.length} keys`, `at most ${most}`);
    return Object.fromEntries(entries.map(([name, each]) => [key(name), inside(name, item, each)]));
  };
}

function recordReader(fields: Readonly<Record<string, FieldNode>>, limits: ReadLimits): Reader {
  const readers = Object.entries(fields).map(([name, { node, presence, fallback }]) => ({
    name,
    read: reader(node, limits),
    presence,
    fallback,
  }));
  return (value) => {
    const given = objectOf(value);
    const record: Record<string, unknown> = {};
    for (const { name, read, presence, fallback } of readers) {
      const each = Object.hasOwn(given, name) ? given[name] : undefined;
      if (each === undefined && presence === "optional") continue;
      record[name] = each === undefined && presence === "late" ? fallback : inside(name, read, each);
    }
    return record;
  };
}
