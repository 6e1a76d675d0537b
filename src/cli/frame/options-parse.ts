/**
 * Reads a command's arguments against its description. The syntax is that of getopt_long(3), without abbreviations:
 * `--name value`, `--name=value`, `-o value`, `-ovalue`, flags together as `-ab`, and `--` before arguments that only
 * look like options. Options and positionals mix freely.
 */
import { err, ok, type Result } from "../../base/result.js";
import { escapeControls } from "../../base/text/controls.js";
import { quoted } from "../../base/text/quote.js";
import { didYouMean } from "../../base/text/suggest.js";
import type { Option, Options, OptionValues, Positionals, PositionalValues } from "./options.js";

/** Characters of an argument that a message shows: a longer one would drown it. */
const SHOWN = 60;

export interface Parsed<O extends Options, P extends Positionals> {
  readonly options: OptionValues<O>;
  readonly positionals: PositionalValues<P>;
}

/** Whether `--help` or `-h` is among the arguments, before any `--`: it is answered whatever else is wrong. */
export function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

/** The values of `args`, or one sentence that says what is wrong with them. */
export function parseArguments<O extends Options, P extends Positionals>(
  options: O,
  positionals: P,
  args: readonly string[],
): Result<Parsed<O, P>, string> {
  const sorted = sortArguments(options, args);
  if (!sorted.ok) return sorted;
  const values = readOptions(options, sorted.value.given);
  if (!values.ok) return values;
  const places = readPositionals(positionals, sorted.value.loose);
  if (!places.ok) return places;
  // The two readers fill in exactly the keys of the descriptions, each with what its own `read` returned.
  return ok({ options: values.value, positionals: places.value } as Parsed<O, P>);
}

interface Sorted {
  /** The texts of each option that was given, in order; a flag's text is empty. */
  readonly given: ReadonlyMap<string, readonly string[]>;
  readonly loose: readonly string[];
}

function sortArguments(options: Options, args: readonly string[]): Result<Sorted, string> {
  const byShort = new Map<string, string>();
  for (const [name, option] of Object.entries(options)) if (option.short !== null) byShort.set(option.short, name);
  const given = new Map<string, string[]>();
  const loose: string[] = [];
  const add = (name: string, value: string): void => {
    const texts = given.get(name);
    if (texts === undefined) given.set(name, [value]);
    else texts.push(value);
  };

  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") {
      loose.push(...args.slice(at + 1));
      break;
    }
    if (arg === "-" || !arg.startsWith("-")) {
      loose.push(arg);
      continue;
    }

    const equals = arg.indexOf("=");
    let name: string | undefined;
    let label: string;
    /** What follows in the same argument. */
    let attached: string | null;
    if (arg.startsWith("--")) {
      label = equals < 0 ? arg : arg.slice(0, equals);
      name = Object.hasOwn(options, label.slice(2)) ? label.slice(2) : undefined;
      attached = equals < 0 ? null : arg.slice(equals + 1);
    } else {
      let letter = 1;
      // All but the last of `-abc` are flags; what follows an option that takes a value is its value.
      for (;;) {
        const short = String.fromCodePoint(arg.codePointAt(letter)!);
        label = `-${short}`;
        letter += short.length;
        name = byShort.get(short);
        if (name === undefined || options[name]!.valueName !== null || letter >= arg.length) break;
        add(name, "");
      }
      attached = letter < arg.length ? arg.slice(letter) : null;
    }
    if (name === undefined) return err(unknownOption(label, options, byShort));

    const option = options[name]!;
    if (option.valueName === null) {
      if (attached !== null) return err(`${label} takes no value, found ${quoted(attached, SHOWN)}`);
      add(name, "");
    } else if (attached !== null) {
      add(name, attached);
    } else {
      const next = args[at + 1];
      // A value that looks like an option is far more often a value forgotten. Numbers may be negative.
      if (next === undefined || (/^-[^\d.]/.test(next) && next !== "-")) return err(missingValue(label, option, next));
      add(name, next);
      at += 1;
    }
  }
  return ok({ given, loose });
}

function unknownOption(label: string, options: Options, byShort: ReadonlyMap<string, string>): string {
  const shown = escapeControls(label);
  if (!label.startsWith("--")) {
    const asLong = Object.keys(options).find((name) => `-${name}` === label);
    if (asLong !== undefined) return `unknown option ${shown}: did you mean --${asLong}?`;
    const otherCase = [...byShort.keys()].find((short) => `-${short}`.toLowerCase() === label.toLowerCase());
    return `unknown option ${shown}${otherCase === undefined ? "" : `: did you mean -${otherCase}?`}`;
  }
  const near = didYouMean(label.slice(2), Object.keys(options)).replace("did you mean ", "did you mean --");
  return `unknown option ${shown}${near}`;
}

function missingValue(label: string, option: Option<unknown>, next: string | undefined): string {
  const need = `${label} needs a value, ${option.valueName}: ${option.expected}`;
  if (next === undefined) return need;
  const joined = label.startsWith("--") ? `${label}=${next}` : `${label}${next}`;
  return `${need}; found the option ${escapeControls(next)} (if that is the value, write ${escapeControls(joined)})`;
}

function readOptions(
  options: Options,
  given: ReadonlyMap<string, readonly string[]>,
): Result<Record<string, unknown>, string> {
  const values: [string, unknown][] = [];
  for (const [name, option] of Object.entries(options)) {
    const texts = given.get(name) ?? [];
    if (option.required && texts.length === 0) {
      return err(`--${name} ${option.valueName} is missing: ${option.summary}`);
    }
    if (option.valueName !== null && !option.repeated && texts.length > 1) {
      return err(
        `--${name} is given ${texts.length} times, with ${texts.map((text) => quoted(text, SHOWN)).join(" and ")}: give it once`,
      );
    }
    const value = option.read(texts);
    if (!value.ok) {
      const near = didYouMean(value.error, option.choices);
      return err(`--${name} must be ${option.expected}, found ${quoted(value.error, SHOWN)}${near}`);
    }
    values.push([name, value.value]);
  }
  return ok(Object.fromEntries(values));
}

function readPositionals(positionals: Positionals, loose: readonly string[]): Result<Record<string, unknown>, string> {
  const values: [string, unknown][] = [];
  const entries = Object.entries(positionals);
  let at = 0;
  entries.forEach(([name, positional], i) => {
    const neededLater = entries.slice(i + 1).reduce((sum, [, later]) => sum + later.min, 0);
    const take = Math.max(0, Math.min(positional.max, loose.length - at - neededLater));
    values.push([name, take < positional.min ? undefined : positional.read(loose.slice(at, at + take))]);
    at += take;
  });
  // What is there fills them from the first on: the one that is missing is the first that it does not reach.
  let needed = 0;
  for (const [name, positional] of entries) {
    needed += positional.min;
    if (needed > loose.length) return err(`${name.toUpperCase()} is missing: ${positional.summary}`);
  }
  if (at < loose.length) {
    const takes = entries.length === 0 ? "none is taken here" : `at most ${at} can be given`;
    return err(`unexpected argument ${quoted(loose[at]!, SHOWN)}: ${takes}`);
  }
  return ok(Object.fromEntries(values));
}
