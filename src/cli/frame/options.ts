/**
 * What a command takes: its options and positionals, described as data. The types of what a command receives follow
 * from the description: `{ top: withDefault(integer("N", …), 20) }` gives `options.top: number`.
 */
import { err, ok, type Result } from "../../base/result.js";
import { windowText } from "../../base/text/window.js";
import type { Duration } from "../../base/time.js";
import { durationText, parseDuration, parseSignedDuration } from "./options-duration.js";
import { parseSize, parseWindow, sizeText } from "./options-window.js";

/** An option whose value, once parsed, is a `T`. Its name is its key among the command's options. */
export interface Option<T> {
  /** Half a sentence for the help, without a full stop. */
  readonly summary: string;
  /** One letter: `o` for `-o`. */
  readonly short: string | null;
  /** What the help calls the value, in capitals; null if the option takes none. */
  readonly valueName: string | null;
  /** Whether it may be given more than once. */
  readonly repeated: boolean;
  readonly required: boolean;
  /** Completes "must be …": what a value must look like. */
  readonly expected: string;
  /** The values it is chosen from, if they are few; for the suggestion and the help. */
  readonly choices: readonly string[];
  /** The default as the user would type it, or null. */
  readonly defaultText: string | null;
  /** The value of the texts given, in order (none: the default). The error is the first text that is not as expected. */
  read(texts: readonly string[]): Result<T, string>;
}

/** An option that takes one value, before its default is set; without one, its absence is null. */
export interface SingleOption<T> extends Option<T | null> {
  readonly valueName: string;
  readOne(text: string): Result<T, string>;
  textOf(value: T): string;
}

export type Options = { readonly [name: string]: Option<unknown> };
export type OptionValues<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

interface Kind<T> {
  readonly expected: string;
  readonly choices?: readonly string[];
  readonly parse: (text: string) => T | null;
  readonly textOf: (value: T) => string;
}

function single<T>(kind: Kind<T>, valueName: string, summary: string, short: string | null): SingleOption<T> {
  const readOne = (text: string): Result<T, string> => {
    const value = kind.parse(text);
    return value === null ? err(text) : ok(value);
  };
  return {
    summary,
    short,
    valueName,
    repeated: false,
    required: false,
    expected: kind.expected,
    choices: kind.choices ?? [],
    defaultText: null,
    readOne,
    textOf: kind.textOf,
    read: (texts) => (texts[0] === undefined ? ok(null) : readOne(texts[0])),
  };
}

/** Takes no value; true if given. */
export function flagOption(summary: string, short: string | null = null): Option<boolean> {
  return {
    summary,
    short,
    valueName: null,
    repeated: false,
    required: false,
    expected: "given without a value",
    choices: [],
    defaultText: null,
    read: (texts) => ok(texts.length > 0),
  };
}

/** Any text but the empty one. */
export function textOption(valueName: string, summary: string, short: string | null = null): SingleOption<string> {
  const kind: Kind<string> = {
    expected: "a text that is not empty",
    parse: (given) => (given === "" ? null : given),
    textOf: (value) => value,
  };
  return single(kind, valueName, summary, short);
}

/** Bounds of a number, both included. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

/** A whole number in decimal digits. */
export function integerOption(
  valueName: string,
  range: NumberRange,
  summary: string,
  short: string | null = null,
): SingleOption<number> {
  const kind: Kind<number> = {
    expected: `a whole number from ${range.min} to ${range.max}`,
    parse: (given) => numberIn(/^-?\d{1,16}$/, given, range),
    textOf: String,
  };
  return single(kind, valueName, summary, short);
}

/** A number, with or without decimals. */
export function decimalOption(
  valueName: string,
  range: NumberRange,
  summary: string,
  short: string | null = null,
): SingleOption<number> {
  const kind: Kind<number> = {
    expected: `a number from ${range.min} to ${range.max}`,
    parse: (given) => numberIn(/^-?(?:\d{1,16}(?:\.\d{0,20})?|\.\d{1,20})(?:e-?\d{1,3})?$/i, given, range),
    textOf: String,
  };
  return single(kind, valueName, summary, short);
}

function numberIn(form: RegExp, given: string, { min, max }: NumberRange): number | null {
  if (!form.test(given)) return null;
  const value = Number(given);
  // `+ 0` makes -0 a plain zero.
  return value >= min && value <= max ? value + 0 : null;
}

/** A duration with its unit; its value is in integer nanoseconds. */
export function durationOption(
  valueName: string,
  summary: string,
  short: string | null = null,
): SingleOption<Duration> {
  const kind: Kind<Duration> = {
    expected: "a duration with its unit, like 250us, 2.5ms, 1s or 2min",
    parse: parseDuration,
    textOf: durationText,
  };
  return single(kind, valueName, summary, short);
}

/** A length of time by the calendar; its value is in whole seconds. */
export function windowOption(valueName: string, summary: string, short: string | null = null): SingleOption<number> {
  const kind: Kind<number> = {
    expected: "a whole number with its unit, like 45s, 90min, 36h or 7d",
    parse: parseWindow,
    textOf: windowText,
  };
  return single(kind, valueName, summary, short);
}

/** An amount of memory or of a file; its value is in bytes. */
export function sizeOption(valueName: string, summary: string, short: string | null = null): SingleOption<number> {
  const kind: Kind<number> = {
    expected: "a whole number with its unit, like 512MiB or 2GiB",
    parse: parseSize,
    textOf: sizeText,
  };
  return single(kind, valueName, summary, short);
}

/** An instant on the axis, as a duration from its zero; its value is in integer nanoseconds. */
export function axisTimeOption(valueName: string, summary: string, short: string | null = null): SingleOption<number> {
  const kind: Kind<number> = {
    expected: "a time from the axis' zero with its unit, like -5ms, 250us or 1.2s",
    parse: parseSignedDuration,
    textOf: durationText,
  };
  return single(kind, valueName, summary, short);
}

/** One of a few words. */
export function choiceOption<const C extends string>(
  valueName: string,
  choices: readonly C[],
  summary: string,
  short: string | null = null,
): SingleOption<C> {
  const kind: Kind<C> = {
    expected: `one of ${choices.join(", ")}`,
    choices,
    parse: (given) => choices.find((known) => known === given) ?? null,
    textOf: (value) => value,
  };
  return single(kind, valueName, summary, short);
}

/** The same option with a value if it is not given. */
export function withDefault<T>(option: SingleOption<T>, value: NoInfer<T>): Option<T> {
  return {
    ...option,
    defaultText: option.textOf(value),
    read: (texts) => (texts[0] === undefined ? ok(value) : option.readOne(texts[0])),
  };
}

/** The same option, refused if it is not given. */
export function required<T>(option: SingleOption<T>): Option<T> {
  return {
    ...option,
    required: true,
    read: (texts) => (texts[0] === undefined ? err("") : option.readOne(texts[0])),
  };
}

/** The same option, any number of times; its value is a list in the order given. */
export function repeated<T>(option: SingleOption<T>): Option<readonly T[]> {
  return {
    ...option,
    repeated: true,
    read: (texts) => {
      const values: T[] = [];
      for (const given of texts) {
        const value = option.readOne(given);
        if (!value.ok) return value;
        values.push(value.value);
      }
      return ok(values);
    },
  };
}

/** An argument that is known by its place. Its name, in capitals in the help, is its key. */
export interface Positional<T> {
  readonly summary: string;
  readonly min: number;
  /** Infinity: as many as there are. */
  readonly max: number;
  /** The words it is chosen from, if they are few; for completion. */
  readonly choices: readonly string[];
  /** The value of `min` to `max` texts. */
  read(texts: readonly string[]): T;
}

export type Positionals = { readonly [name: string]: Positional<unknown> };
export type PositionalValues<P extends Positionals> = {
  readonly [K in keyof P]: P[K] extends Positional<infer T> ? T : never;
};

export function one(summary: string, choices: readonly string[] = []): Positional<string> {
  return { summary, min: 1, max: 1, choices, read: (texts) => texts[0] ?? "" };
}

/** Null if it is not given. */
export function atMostOne(summary: string, choices: readonly string[] = []): Positional<string | null> {
  return { summary, min: 0, max: 1, choices, read: (texts) => texts[0] ?? null };
}

export function oneOrMore(summary: string): Positional<readonly string[]> {
  return { summary, min: 1, max: Number.POSITIVE_INFINITY, choices: [], read: (texts) => texts };
}

export function anyNumber(summary: string): Positional<readonly string[]> {
  return { summary, min: 0, max: Number.POSITIVE_INFINITY, choices: [], read: (texts) => texts };
}
