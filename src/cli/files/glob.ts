/** File name patterns, for shells that left them alone (a quoted argument, a CI file): `*`, `?`, `[a-c]`, `{a,b}`. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { escapePattern } from "../../base/text/quote.js";
import { statsOf } from "./path-stats.js";

export function isPattern(text: string): boolean {
  return /[*?[{]/.test(text);
}

/** Beyond this many alternatives a pattern is an attack, not a name. */
const MAX_ALTERNATIVES = 1_000;

/** `a{b,c}d` becomes `abd` and `acd`, also nested; a brace without a comma or an end is itself. */
export function expandBraces(pattern: string): readonly string[] {
  const done: string[] = [];
  const open = [pattern];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const match = /\{([^{}]*,[^{}]*)\}/.exec(next);
    if (match === null || done.length + open.length > MAX_ALTERNATIVES) {
      done.push(next);
      continue;
    }
    const before = next.slice(0, match.index);
    const after = next.slice(match.index + match[0].length);
    for (const alternative of (match[1] as string).split(",").reverse()) open.push(before + alternative + after);
  }
  return done;
}

/** Whether a file name matches one segment of a pattern; a leading dot must be matched by a dot. */
export function matchesSegment(name: string, segment: string): boolean {
  if (name.startsWith(".") && !segment.startsWith(".")) return false;
  return new RegExp(`^${segmentSource(segment)}$`, "su").test(name);
}

function segmentSource(segment: string): string {
  let source = "";
  for (let i = 0; i < segment.length; i += 1) {
    const character = segment[i] as string;
    const end = character === "[" ? segment.indexOf("]", i + 2) : -1;
    if (character === "*") {
      // Several stars say no more than one, and would make matching slow.
      if (segment[i - 1] !== "*") source += ".*";
    } else if (character === "?") {
      source += ".";
    } else if (end > 0) {
      const inside = segment.slice(i + 1, end);
      const negated = /^[!^]/.test(inside);
      source += `[${negated ? "^" : ""}${inside.slice(negated ? 1 : 0).replace(/[\\\]^[]/g, "\\$&")}]`;
      i = end;
    } else {
      source += escapePattern(character);
    }
  }
  return source;
}

/** The paths that a pattern names, each once, in natural order (`9` before `10`); none if it matches nothing. */
export function glob(pattern: string): readonly string[] {
  const found = new Set(expandBraces(pattern).flatMap(globOne));
  return [...found].sort(naturalOrder);
}

function globOne(pattern: string): readonly string[] {
  const absolute = pattern.startsWith("/");
  const segments = pattern.split("/").filter((segment) => segment !== "");
  let paths: readonly string[] = [absolute ? "/" : ""];
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    paths = paths.flatMap((path) => {
      if (!isPattern(segment)) return [join(path, segment)].filter((next) => exists(next, !isLast));
      return namesIn(path === "" ? "." : path)
        .filter((name) => matches(name, segment))
        .map((name) => join(path, name))
        .filter((next) => exists(next, !isLast));
    });
  }
  return paths;
}

/** A pattern that is not a valid expression (`[z-a]`) matches nothing. */
function matches(name: string, segment: string): boolean {
  try {
    return matchesSegment(name, segment);
  } catch {
    return false;
  }
}

/** What a name's bytes that are not UTF-8 are decoded as: no path with it can be opened. */
const UNDECODED = "\ufffd";

/** Why a path cannot be read whose name is not UTF-8, or null. */
export function nameProblem(path: string): string | null {
  return path.includes(UNDECODED) && statsOf(path) === null ? "its name is not UTF-8: rename it" : null;
}

/** The names in a folder, in no order; an empty list if it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function exists(path: string, asFolder: boolean): boolean {
  const stats = statsOf(path);
  return stats !== null && (!asFolder || stats.isDirectory());
}

const collator = new Intl.Collator("en", { numeric: true });

export function naturalOrder(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}
