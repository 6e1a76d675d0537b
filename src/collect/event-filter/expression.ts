/**
 * The filter language: which events are wanted, as one line of text. It is ftrace's own (`&&`, `||`, `!`, `==`, `~`)
 * with lists and ranges; terms that stand side by side must both hold.
 *
 *     filter  = all ( ("||" | "or") all )*
 *     all     = one ( ("&&" | "and")? one )*
 *     one     = ("!" | "not") one | "(" filter ")" | KEY op value ("," value)*
 *     op      = "=" | "==" | "~" | "!=" | "!~" | "<" | "<=" | ">" | ">="
 *     value   = TEXT | "quoted" | 'quoted' | LOW ".." HIGH, either of which may be left out
 */
import { err, ok, type Result } from "../../base/result.js";
import { didYouMean } from "../../base/text/suggest.js";

/** What a term asks of: a column of the event table, or a field of the event, written with a dot before it. */
export type FilterKey = "event" | "task" | "cpu" | "pid" | "time";

export type CompareOp = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** As written; a range has both ends, of which one may be empty. */
export type FilterValue =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "range"; readonly low: string; readonly high: string };

export interface FilterTerm {
  readonly kind: "term";
  readonly key: FilterKey | null;
  /** The event's field that the term compares, if `key` is null. */
  readonly field: string;
  readonly op: CompareOp;
  /** At least one; exactly one of kind text for an ordering. */
  readonly values: readonly FilterValue[];
}

export type FilterExpression =
  | { readonly kind: "and"; readonly of: readonly FilterExpression[] }
  | { readonly kind: "or"; readonly of: readonly FilterExpression[] }
  | { readonly kind: "not"; readonly of: FilterExpression }
  | FilterTerm;

const KEYS: ReadonlyMap<string, FilterKey> = new Map([
  ["event", "event"],
  ["name", "event"],
  ["task", "task"],
  ["comm", "task"],
  ["cpu", "cpu"],
  ["pid", "pid"],
  ["time", "time"],
]);
const NUMERIC: ReadonlySet<FilterKey | null> = new Set<FilterKey | null>(["cpu", "pid", "time"]);

/** A filter is typed by a person: more is a mistake, and would only nest the parser. */
const MAX_LENGTH = 10_000;
const MAX_DEPTH = 100;

interface Token {
  readonly kind: "word" | "quoted" | "op" | "mark" | "end";
  readonly text: string;
  readonly at: number;
}

/** Leaves this module as an error's text alone. */
class Fault extends Error {}

const LEXEME =
  /\s*(?:(?<quoted>"[^"]*"|'[^']*')|(?<op>==|!=|!~|<=|>=|=|~|<|>)|(?<mark>&&|\|\||[!(),])|(?<word>[^\s"'=~!<>&|(),]+))/y;

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    LEXEME.lastIndex = at;
    const match = LEXEME.exec(text);
    if (match === null) {
      const rest = text.slice(at).trimStart();
      if (rest !== "") {
        const quote = rest.startsWith('"') || rest.startsWith("'");
        throw new Fault(quote ? `the quotation ${shown(rest)} has no end` : `${shown(rest)} cannot stand here`);
      }
      tokens.push({ kind: "end", text: "", at: text.length });
      return tokens;
    }
    const { quoted, op, mark, word } = match.groups as Record<string, string | undefined>;
    const begin = LEXEME.lastIndex - (quoted ?? op ?? mark ?? word ?? "").length;
    if (quoted !== undefined) tokens.push({ kind: "quoted", text: quoted.slice(1, -1), at: begin });
    else if (op !== undefined) tokens.push({ kind: "op", text: op, at: begin });
    else if (mark !== undefined) tokens.push({ kind: "mark", text: mark, at: begin });
    else tokens.push({ kind: "word", text: word as string, at: begin });
    at = LEXEME.lastIndex;
  }
}

function shown(text: string): string {
  return `'${text.length > 40 ? `${text.slice(0, 40)}…` : text}'`;
}

class Parser {
  #at = 0;
  constructor(readonly tokens: readonly Token[]) {}

  get #next(): Token {
    return this.tokens[this.#at] as Token;
  }

  #take(): Token {
    const token = this.#next;
    if (token.kind !== "end") this.#at += 1;
    return token;
  }

  /** A mark, or the word that means the same. */
  #is(mark: string, word: string): boolean {
    const { kind, text } = this.#next;
    return (kind === "mark" && text === mark) || (kind === "word" && text === word && !this.#isKey());
  }

  /** A word before an operator is a key, even if it is called `or`. */
  #isKey(): boolean {
    return this.tokens[this.#at + 1]?.kind === "op";
  }

  #ends(): boolean {
    const { kind, text } = this.#next;
    return kind === "end" || (kind === "mark" && text === ")");
  }

  whole(): FilterExpression {
    if (this.#next.kind === "end") throw new Fault("it is empty; an example: event=sched_* cpu=0");
    const found = this.#any(0);
    if (this.#at < this.tokens.length - 1) throw new Fault(`${shown(this.#next.text)} cannot stand here`);
    return found;
  }

  #any(depth: number): FilterExpression {
    const of = [this.#all(depth)];
    while (this.#is("||", "or")) {
      this.#take();
      of.push(this.#all(depth));
    }
    return of.length === 1 ? (of[0] as FilterExpression) : { kind: "or", of };
  }

  #all(depth: number): FilterExpression {
    const of = [this.#one(depth)];
    for (;;) {
      if (this.#is("&&", "and")) this.#take();
      else if (this.#ends() || this.#is("||", "or")) break;
      of.push(this.#one(depth));
    }
    return of.length === 1 ? (of[0] as FilterExpression) : { kind: "and", of };
  }

  #one(depth: number): FilterExpression {
    if (depth > MAX_DEPTH) throw new Fault(`it is nested more than ${MAX_DEPTH} deep`);
    if (this.#is("!", "not")) {
      this.#take();
      return { kind: "not", of: this.#one(depth + 1) };
    }
    if (this.#next.kind === "mark" && this.#next.text === "(") {
      this.#take();
      const inside = this.#any(depth + 1);
      if (this.#take().text !== ")") throw new Fault("a parenthesis is not closed");
      return inside;
    }
    return this.#term();
  }

  #term(): FilterTerm {
    const word = this.#take();
    if (word.kind !== "word") {
      throw new Fault(
        word.kind === "end" ? "it ends where a term is expected" : `${shown(word.text)} cannot stand here`,
      );
    }
    const key = word.text.startsWith(".") ? null : (KEYS.get(word.text) ?? undefined);
    const field = word.text.slice(1);
    if (key === undefined) throw new Fault(unknownKey(word.text));
    if (key === null && !/^\w+$/.test(field))
      throw new Fault(`${shown(word.text)} is not the name of an event's field`);
    const op = this.#take();
    if (op.kind !== "op")
      throw new Fault(`${word.text} is followed by no comparison: ${word.text}=…, !=, <, <=, > or >=`);
    const values = [this.#value(word.text)];
    while (this.#next.kind === "mark" && this.#next.text === ",") {
      this.#take();
      values.push(this.#value(word.text));
    }
    const compare = COMPARISONS.get(op.text) as CompareOp;
    if (compare !== "=" && compare !== "!=") {
      if (values.length > 1) throw new Fault(`${word.text} ${op.text} takes one value`);
      if (values[0]?.kind === "range")
        throw new Fault(`${word.text} ${op.text} takes no range: write ${word.text}=LOW..HIGH`);
      if (key === "event" || key === "task") throw new Fault(`${word.text} is a text: compare it with = or !=`);
    }
    return { kind: "term", key, field: key === null ? field : "", op: compare, values };
  }

  #value(key: string): FilterValue {
    const token = this.#take();
    if (token.kind === "quoted") return { kind: "text", text: token.text };
    if (token.kind !== "word") throw new Fault(`${key} is compared with nothing`);
    const range = key === "event" || key === "task" ? -1 : token.text.indexOf("..");
    if (range < 0) return { kind: "text", text: token.text };
    const [low, high] = [token.text.slice(0, range), token.text.slice(range + 2)];
    if (low === "" && high === "") throw new Fault(`${key}=..: a range has at least one end`);
    return { kind: "range", low, high };
  }
}

const COMPARISONS: ReadonlyMap<string, CompareOp> = new Map([
  ["=", "="],
  ["==", "="],
  ["~", "="],
  ["!=", "!="],
  ["!~", "!="],
  ["<", "<"],
  ["<=", "<="],
  [">", ">"],
  [">=", ">="],
]);

function unknownKey(word: string): string {
  const near = didYouMean(word, KEYS.keys());
  const hint =
    near === ""
      ? `: they are event, task, cpu, pid and time; a field of the event is written .${word.replace(/\W.*/, "")}`
      : near;
  return `unknown key ${shown(word)}${hint}`;
}

/** Whether a text is a number as the key takes it; the message says what is expected. */
function numberFault(key: FilterKey, text: string): string | null {
  if (key === "time") {
    return TIME.test(text)
      ? null
      : `time ${shown(text)} must be seconds as printed, like 4.073131, or have a unit, like 250us`;
  }
  return /^(?:-?\d{1,15}|0x[0-9a-f]{1,12})$/i.test(text) ? null : `${key} ${shown(text)} must be a whole number`;
}

/** Digits, decimals, unit. */
export const TIME = /^(-?)(\d{1,20})(?:\.(\d{0,12}))?(ns|us|ms|s|min)?$/;

function checkNumbers(expression: FilterExpression): string | null {
  switch (expression.kind) {
    case "and":
    case "or":
      return expression.of.map(checkNumbers).find((fault) => fault !== null) ?? null;
    case "not":
      return checkNumbers(expression.of);
    case "term": {
      const { key, values } = expression;
      if (key === null || !NUMERIC.has(key)) return null;
      const texts = values.flatMap((value) =>
        value.kind === "text" ? [value.text] : [value.low, value.high].filter((end) => end !== ""),
      );
      return texts.map((each) => numberFault(key, each)).find((fault) => fault !== null) ?? null;
    }
  }
}

/** The error completes "the filter cannot be used: …". */
export function parseEventFilter(text: string): Result<FilterExpression, string> {
  if (text.length > MAX_LENGTH) return err(`it is longer than ${MAX_LENGTH} characters`);
  try {
    const expression = new Parser(tokensOf(text)).whole();
    const fault = checkNumbers(expression);
    return fault === null ? ok(expression) : err(fault);
  } catch (error) {
    if (error instanceof Fault) return err(error.message);
    throw error;
  }
}
