/**
 * A cohort argument: a folder of captures, a pattern, one capture, a file of analysed updates (JSON lines, also
 * gzipped), an archive (all of it, or a part as in `fleet/?kernel=7.3.4`), or `@FILE`, a list of any of these, one a
 * line. Several joined by commas are one cohort.
 */
import { closeSync, createReadStream, existsSync, readFileSync, readSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { createGunzip } from "node:zlib";
import { type Cohort, unlikeSentence, unlikeTraits } from "../../analyze/cohort/cohort.js";
import { parseUpdateLine } from "../../analyze/cohort/parse-sample.js";
import { sharedSentence } from "../../analyze/cohort/shared.js";
import { ArchiveError, MANIFEST } from "../../archive/format.js";
import { parseSelection, splitSelection } from "../../archive/query/selection.js";
import { err, ok, type Result } from "../../base/result.js";
import { openFile, openInput } from "../../collect/files/open-file.js";
import { withTrustedDurations } from "../../model/trusted-durations.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { readBoundedText } from "../files/bounded-text.js";
import { capturesIn, isCapturePath } from "../files/capture-paths.js";
import { glob, isPattern } from "../files/glob.js";
import { statsOf } from "../files/path-stats.js";
import { type Context, warn } from "../frame/command.js";
import type { CaptureOptions } from "../input/capture-options.js";
import { captureSamples } from "./capture-samples.js";

export const COHORT_FORMS =
  "a folder or pattern of captures, a file of analysed updates (JSON lines), an archive (?KEY=VALUE&... selects a part), or @FILE with a list of these";

export interface LoadedCohort {
  readonly cohort: Cohort;
  /** A sentence for each capture of it that cannot be used. */
  readonly failures: readonly string[];
}

/** Where a cohort's updates come from, in order. */
type Source =
  | { readonly kind: "capture" | "lines"; readonly path: string }
  /** `query`: which updates of the archive, as in `fleet/?kernel=7.3.4&since=7d`. */
  | { readonly kind: "archive"; readonly path: string; readonly query: string };

const LINES = /\.(?:jsonl|ndjson|json)(?:\.gz)?$/;
const LIST_BYTES = 16 << 20;
/** A line is one update: with a thousand causes it has about 200 kB. */
const LINE_CHARACTERS = 64 << 20;

/** An update as it is read, or why there is none. `capture`: the path of the capture that it was read from. */
export type CohortItem =
  | { readonly kind: "update"; readonly update: UpdateSample; readonly capture: string | null }
  | { readonly kind: "unusable-capture"; readonly reason: string }
  /** The rest cannot be read: no such path, or a file of JSON lines with a line that is not an update. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Loads a cohort; captures are analysed one after the other, and an unusable one does not stop the rest. The error is a
 * sentence: no such path, a file of JSON lines with a line that is not an update, or no update at all.
 */
export async function loadCohort(
  context: Context,
  argument: string,
  reading: CaptureOptions,
): Promise<Result<LoadedCohort, string>> {
  const updates: UpdateSample[] = [];
  const failures: string[] = [];
  for await (const item of streamCohort(context, argument, reading)) {
    if (item.kind === "refused") return err(item.reason);
    if (item.kind === "update") updates.push(item.update);
    else failures.push(item.reason);
  }
  if (updates.length === 0) {
    return err([`${argument}: none of its captures can be used.`, ...failures].join("\n"));
  }
  return ok({ cohort: { name: argument, updates }, failures });
}

/** The same one after the other, for those who need not have all at once. */
export async function* streamCohort(
  context: Context,
  argument: string,
  reading: CaptureOptions,
): AsyncGenerator<CohortItem> {
  const sources = sourcesOf(argument, 0);
  if (!sources.ok) return yield { kind: "refused", reason: sources.error };
  const progress = context.progress(`Analysing ${argument}`, sources.value.length);
  const captures = sources.value.filter(({ kind }) => kind === "capture").map(({ path }) => path);
  const samples = captureSamples(captures, reading);
  try {
    for (const [i, source] of sources.value.entries()) {
      const { kind, path } = source;
      progress.update(i, path);
      if (kind === "capture") {
        const read = await samples.next();
        if (read.done !== true) yield itemOf(read.value, path);
        continue;
      }
      if (kind === "archive") {
        for await (const item of readArchive(path, source.query)) {
          yield item;
          if (item.kind === "refused") return;
        }
        continue;
      }
      for await (const read of readLines(path)) {
        if (!read.ok) return yield { kind: "refused", reason: read.error };
        yield { kind: "update", update: read.value, capture: null };
      }
    }
  } finally {
    await samples.return();
    progress.end();
  }
}

function itemOf(read: Result<UpdateSample, string>, capture: string): CohortItem {
  return read.ok ? { kind: "update", update: read.value, capture } : { kind: "unusable-capture", reason: read.error };
}

function sourcesOf(argument: string, depth: number): Result<readonly Source[], string> {
  const parts = existsSync(argument) || argument.startsWith("@") ? [argument] : topLevelParts(argument);
  const sources: Source[] = [];
  for (const part of parts) {
    const found = sourcesOfPart(part, depth);
    if (!found.ok) return found;
    sources.push(...found.value);
  }
  // The same capture named twice is one update, not two.
  const seen = new Set<string>();
  const once = sources.filter((source) => {
    const key = resolve(source.path) + (source.kind === "archive" ? `?${source.query}` : "");
    return seen.has(key) ? false : seen.add(key);
  });
  return ok(once);
}

/** Splits at commas that are not inside `{…}`. */
function topLevelParts(argument: string): readonly string[] {
  let depth = 0;
  let part = "";
  const parts: string[] = [];
  for (const character of argument) {
    if (character === "{") depth += 1;
    else if (character === "}") depth -= 1;
    if (character === "," && depth === 0) {
      parts.push(part);
      part = "";
    } else part += character;
  }
  return [...parts, part].filter((text) => text !== "");
}

function sourcesOfPart(part: string, depth: number): Result<readonly Source[], string> {
  if (part.startsWith("@")) return sourcesOfList(part.slice(1), depth);
  const stats = statsOf(part);
  const selection = stats === null ? splitSelection(part) : { path: part, query: "" };
  if (selection !== null && existsSync(join(selection.path, MANIFEST))) return ok([{ kind: "archive", ...selection }]);
  if (stats === null) {
    if (!isPattern(part)) return err(`${part}: found nothing there, expected ${COHORT_FORMS}`);
    const matched = glob(part).flatMap((path) => sourceOfPath(path) ?? capturesIn(path).map(captureSource));
    return matched.length > 0 ? ok(matched) : err(`${part}: matches no capture and no file of analysed updates`);
  }
  const single = sourceOfPath(part);
  if (single !== null) return ok([single]);
  if (!stats.isDirectory()) return ok([{ kind: "capture", path: part }]);
  const members = capturesIn(part);
  if (members.length > 0) return ok(members.map(captureSource));
  return err(`${part}: holds no captures (folders with a capture.json, .tar, .tar.gz, .tar.zst)`);
}

const captureSource = (path: string): Source => ({ kind: "capture", path });

/** Null for what is neither a capture nor a file of lines by its name or first byte. */
function sourceOfPath(path: string): Source | null {
  const stats = statsOf(path);
  if (stats === null) return null;
  if (isCapturePath(path)) return { kind: "capture", path };
  if (stats.isDirectory()) return null;
  // The shell's <(…): what is read of a pipe to see what it is, is gone. Any other FIFO is refused by its reader.
  if (stats.isFIFO()) return { kind: "lines", path };
  return LINES.test(path) || beginsWithBrace(path) ? { kind: "lines", path } : null;
}

/** Also after a byte order mark. */
function beginsWithBrace(path: string): boolean {
  const first = Buffer.alloc(4);
  try {
    const { fd: file } = openInput(path);
    try {
      const head = first.subarray(0, readSync(file, first, 0, first.length, 0)).toString();
      return head.replace(/^\ufeff/, "").startsWith("{");
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

/** Paths in a list are relative to the list; blank lines and lines that begin with # are skipped. */
function sourcesOfList(path: string, depth: number): Result<readonly Source[], string> {
  if (depth > 8) return err(`@${path}: lists name lists more than 8 deep`);
  const text = readBoundedText(path, LIST_BYTES);
  if (!text.ok) return err(`@${path}: ${text.error}`);
  const sources: Source[] = [];
  for (const line of text.value.split("\n").map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const nested = line.startsWith("@");
    const found = sourcesOf(
      nested ? `@${resolve(dirname(path), line.slice(1))}` : resolve(dirname(path), line),
      depth + 1,
    );
    if (!found.ok) return err(`@${path}: ${found.error}`);
    sources.push(...found.value);
  }
  return sources.length > 0 ? ok(sources) : err(`@${path}: lists nothing`);
}

/** The updates of an archive, by time. What reads archives is imported only here, if an archive was named. */
async function* readArchive(path: string, query: string): AsyncGenerator<CohortItem> {
  const refuse = (reason: string): CohortItem => ({ kind: "refused", reason });
  const selected = parseSelection(query, Date.now());
  if (!selected.ok) return yield refuse(`${path}?${query}: ${selected.error}`);
  const { where, canHold } = selected.value;
  try {
    const { openArchive } = await import("../../archive/store/archive.js");
    const { damageSentence } = await import("../../archive/store/soundness.js");
    const archive = await openArchive(path);
    try {
      const updates = await archive.list(where, (segment) => canHold(segment, archive.manifest.partitionBy));
      for (const damage of archive.damage) {
        yield { kind: "unusable-capture", reason: damageSentence(archive.root, damage) };
      }
      for (const { sample } of updates) yield { kind: "update", update: withTrustedDurations(sample), capture: null };
      if (updates.length === 0) yield refuse(`${path}?${query}: the archive holds no such update`);
    } finally {
      archive.close();
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    yield refuse(error.message);
  }
}

/** The updates of a file of JSON lines. One bad line rejects the whole file, as half a cohort is another cohort. */
async function* readLines(path: string): AsyncGenerator<Result<UpdateSample, string>> {
  let first = true;
  for await (const read of readEachLine(path)) {
    // A document that was reformatted (by jq, say) may have several lines.
    const whole = first && !read.ok && /\.json$/i.test(path) ? readWhole(path) : null;
    if (whole !== null) return yield ok(whole);
    first = false;
    yield read;
  }
}

/** The one document of a file, however it is laid out; null if the file is not one document. */
function readWhole(path: string): UpdateSample | null {
  const { fd, stats } = openFile(path);
  try {
    if (stats.size > LINE_CHARACTERS) return null;
    const parsed = parseUpdateLine(readFileSync(fd, "utf8").replace(/^\ufeff/, ""), path);
    return parsed.ok ? parsed.value : null;
  } finally {
    closeSync(fd);
  }
}

async function* readEachLine(path: string): AsyncGenerator<Result<UpdateSample, string>> {
  let number = 0;
  let found = 0;
  let rest = "";
  const take = (line: string): Result<UpdateSample, string> | null => {
    number += 1;
    const json = number === 1 ? line.replace(/^\ufeff/, "") : line;
    if (json.trim() === "") return null;
    // The marks of UTF-16, which are not valid UTF-8.
    if (number === 1 && json.startsWith("\ufffd\ufffd")) {
      return err(`${path}: it is not UTF-8 (UTF-16?), as JSON lines must be\n  Convert it: iconv -f UTF-16 -t UTF-8`);
    }
    const parsed = parseUpdateLine(json, `${path}:${number}`);
    found += 1;
    return parsed.ok ? parsed : err(`${path}:${number}: ${parsed.error}`);
  };
  try {
    const file = createReadStream("", { fd: openInput(path).fd, highWaterMark: 1 << 20 });
    const decoded = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
    // An error of the file does not reach the stream that it is piped into.
    if (decoded !== file) file.on("error", (error) => decoded.destroy(error));
    decoded.setEncoding("utf8");
    for await (const chunk of decoded) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LINE_CHARACTERS) return yield err(`${path}:${number + 1}: longer than any update's line is`);
      for (const line of lines) {
        const update = take(line);
        if (update !== null) yield update;
        if (update?.ok === false) return;
      }
    }
  } catch (error) {
    return yield err(`${path}: cannot be read: ${(error as Error).message}`);
  }
  const update = rest === "" ? null : take(rest);
  if (update !== null) yield update;
  if (found === 0) yield err(`${path}: no update found, expected one JSON document a line (blackout cohort --json)`);
}

/** Short names for a table: the last part of each path, or the whole if that would be the same. */
export function displayNames(cohorts: readonly Cohort[]): readonly Cohort[] {
  const short = cohorts.map(({ name }) => basename(name).replace(/\.(?:jsonl|ndjson|json)(?:\.gz)?$/, ""));
  const distinct = new Set(short).size === short.length && short.every((name) => name !== "" && !isPattern(name));
  return distinct ? cohorts.map((cohort, i) => ({ ...cohort, name: short[i] as string })) : cohorts;
}

/** Why cohorts may not be compared, with what to do about it; null if they may. */
export function refusalOf(cohorts: readonly Cohort[]): string | null {
  const unlike = unlikeTraits(cohorts);
  if (unlike.length === 0) return null;
  const what = cohorts.length > 1 ? "these cohorts are not comparable" : "these updates do not form one cohort";
  return `${what}: ${unlike.map(unlikeSentence).join("; ")}.\nCompare like with like, or give --force: the output is then marked.`;
}

/** Warns if updates stand on both sides. */
export function warnOfShared(context: Context, base: Cohort, candidate: Cohort): void {
  const shared = sharedSentence(base, candidate);
  if (shared !== null) warn(context, shared);
}
