/**
 * Recordings with one thing changed: a byte, a line, a record, a file, a clock's name, a part of another update. The
 * change is described, so that a finding can be read and made again from its seed.
 */

import { seededRandom } from "../../base/numbers/random.js";
import { type HeldFiles, withClock, withFolder } from "../samples/held-files.js";

export interface Mutated {
  readonly files: HeldFiles;
  readonly what: string;
}

const CLOCKS = ["local", "global", "counter", "uptime", "perf", "mono", "mono_raw", "boot", "tai", "x86-tsc"];
/** Files that no duration rests on, and those whose unpacking would take most of the time. */
const PASSED_OVER = /^(?:capture|observed)\.json$|kallsyms\.gz$/;
const PAGE = 4_096;
const isPages = (path: string): boolean => path.endsWith("trace_pipe_raw");
const isText = (path: string): boolean => !isPages(path) && !path.endsWith(".gz");

type Below = (limit: number) => number;
type Change = (files: HeldFiles, other: HeldFiles, below: Below) => Mutated | null;

const pick = <T>(of: readonly T[], below: Below): T | undefined => of[below(of.length)];
const pathsOf = (files: HeldFiles, wanted: (path: string) => boolean = () => true): readonly string[] =>
  Object.keys(files).filter(
    (path) => !PASSED_OVER.test(path) && wanted(path) && (files[path] as Uint8Array).length > 0,
  );

/** A file with some bytes changed in a copy of its own. */
function changed(files: HeldFiles, path: string, what: string, change: (bytes: Uint8Array) => Uint8Array): Mutated {
  return { files: { ...files, [path]: change((files[path] as Uint8Array).slice()) }, what: `${path}: ${what}` };
}

const flipByte: Change = (files, _, below) => {
  const path = pick(pathsOf(files), below);
  if (path === undefined) return null;
  const at = below((files[path] as Uint8Array).length);
  const bit = 1 << below(8);
  return changed(files, path, `bit ${bit} of byte ${at}`, (bytes) => {
    bytes[at] = (bytes[at] as number) ^ bit;
    return bytes;
  });
};

/** Where each line begins; the last ends with the file. */
function linesOf(bytes: Uint8Array): readonly string[] {
  return Buffer.from(bytes).toString("latin1").split("\n");
}

const changeLine: Change = (files, _, below) => {
  const path = pick(pathsOf(files, isText), below);
  if (path === undefined) return null;
  const lines = [...linesOf(files[path] as Uint8Array)];
  const at = below(lines.length);
  const line = lines[at] as string;
  const digits = [...line.matchAll(/\d/g)].map(({ index }) => index);
  const how = below(4);
  let what = "";
  if (how === 0) {
    lines.splice(at, 1);
    what = "left out";
  } else if (how === 1) {
    lines.splice(below(lines.length), 0, line);
    what = "copied elsewhere";
  } else if (how === 2 && digits.length > 0) {
    const digit = pick(digits, below) as number;
    const other = String((Number(line[digit]) + 1 + below(9)) % 10);
    lines[at] = line.slice(0, digit) + other + line.slice(digit + 1);
    what = `now ${JSON.stringify(lines[at].slice(0, 160))}`;
  } else {
    const cut = below(line.length + 1);
    lines[at] = line.slice(0, cut);
    what = `cut to ${cut} characters`;
  }
  const bytes = new Uint8Array(Buffer.from(lines.join("\n"), "latin1"));
  return {
    files: { ...files, [path]: bytes },
    what: `${path}:${at + 1} ${JSON.stringify(line.slice(0, 160))} ${what}`,
  };
};

const changeRecord: Change = (files, _, below) => {
  const path = pick(pathsOf(files, isPages), below);
  if (path === undefined) return null;
  const { length } = files[path] as Uint8Array;
  const word = below(length >> 2) * 4;
  const page = below(Math.max(1, Math.floor(length / PAGE))) * PAGE;
  switch (below(5)) {
    case 0:
      return changed(files, path, `word ${word} random`, (bytes) => {
        for (let i = 0; i < 4; i++) bytes[word + i] = below(256);
        return bytes;
      });
    case 1:
      return changed(files, path, `word ${word} one bit`, (bytes) => {
        const at = word + below(4);
        bytes[at] = (bytes[at] as number) ^ (1 << below(8));
        return bytes;
      });
    case 2:
      return changed(files, path, `stamp of the page at ${page}`, (bytes) => {
        const at = page + below(6);
        bytes[at] = (bytes[at] as number) ^ (1 << below(8));
        return bytes;
      });
    case 3:
      return changed(files, path, `without the page at ${page}`, (bytes) =>
        Uint8Array.from([...bytes.subarray(0, page), ...bytes.subarray(page + PAGE)]),
      );
    default:
      return changed(files, path, `the page at ${page} twice`, (bytes) =>
        Uint8Array.from([...bytes.subarray(0, page + PAGE), ...bytes.subarray(page)]),
      );
  }
};

const changeFile: Change = (files, other, below) => {
  const path = pick(pathsOf(files), below);
  if (path === undefined) return null;
  const { [path]: bytes, ...rest } = files;
  const replaced = other[path];
  switch (below(4)) {
    case 0:
      return { files: rest, what: `${path}: left out` };
    case 1:
      return { files: { ...files, [path]: new Uint8Array(0) }, what: `${path}: empty` };
    case 2: {
      const length = below((bytes as Uint8Array).length);
      return { files: { ...files, [path]: (bytes as Uint8Array).slice(0, length) }, what: `${path}: cut to ${length}` };
    }
    default:
      return replaced === undefined
        ? null
        : { files: { ...files, [path]: replaced }, what: `${path}: of another update` };
  }
};

const renameClock: Change = (files, _, below) => {
  const path = pick(
    pathsOf(files, (name) => name.endsWith("/trace_clock")),
    below,
  );
  const clock = pick(CLOCKS, below) as string;
  return path === undefined ? null : { files: withClock(files, path, clock), what: `${path}: ${clock}` };
};

const mixFolder: Change = (files, other, below) => {
  const folder = pick(["old", "new", "ring", "marks"], below) as string;
  return { files: withFolder(files, folder, other), what: `${folder}: of another update` };
};

/** Lines and files hold most of what a duration rests on; names and mixes are few. */
const CHANGES: readonly Change[] = [
  flipByte,
  flipByte,
  changeLine,
  changeLine,
  changeLine,
  changeRecord,
  changeRecord,
  changeFile,
  renameClock,
  mixFolder,
];

/** The `run`-th mutation of a seed; `other` is another update, to take parts of. Null if it would change nothing. */
export function mutation(files: HeldFiles, other: HeldFiles, seed: number): Mutated | null {
  const { below } = seededRandom(seed);
  const change = pick(CHANGES, below) as Change;
  try {
    return change(files, other, below);
  } catch {
    // The clock has that name already.
    return null;
  }
}
