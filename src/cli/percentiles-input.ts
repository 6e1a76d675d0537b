/** What `blackout percentiles` reads: captures, documents of `analyze --json`, histogram logs. */
import { readFileSync, statSync } from "node:fs";
import type { NamedUpdate } from "../analyze/histograms.js";
import { type LiveUpdateDocument, PHASES } from "../analyze/live-update.js";
import { err, ok, type Result } from "../base/result.js";
import { HLOG_LIMITS, type Hlog, readHlog } from "../export/hlog.js";

export type InputKind = "capture" | "documents" | "log";

/** By the name alone, so that what is done does not depend on what a file happens to hold. */
export function inputKindOf(path: string): InputKind {
  if (/\.hlog$/i.test(path)) return "log";
  return /\.(?:json|jsonl|ndjson)$/i.test(path) ? "documents" : "capture";
}

/** A string of the engine holds at most 2^29 characters. */
const DOCUMENTS_BYTES = 256 << 20;

function readText(path: string, limit: number): Result<string, string> {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return err(`${path}: it is no file`);
    if (stat.size > limit) return err(`${path}: it has ${stat.size} bytes, more than the ${limit} that are read`);
    return ok(readFileSync(path, "utf8"));
  } catch (error) {
    return err(`${path} cannot be read: ${(error as Error).message}`);
  }
}

/** The documents of a file of `analyze --json`: one a line, or one alone however it is laid out. */
export function readDocuments(path: string): Result<readonly NamedUpdate[], string> {
  const text = readText(path, DOCUMENTS_BYTES);
  return text.ok ? parseDocuments(path, text.value) : text;
}

/** Exported for its test. */
export function parseDocuments(path: string, text: string): Result<readonly NamedUpdate[], string> {
  const updates: NamedUpdate[] = [];
  for (const [i, line] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    if (line.trim() === "") continue;
    const value = parseJson(line);
    // A document that was laid out anew (by jq, say) does not stand on one line.
    if (value === undefined && updates.length === 0) {
      const whole = parseJson(text);
      if (whole === undefined)
        return err(`${path}:${i + 1}: it is no JSON; expected lines of 'blackout analyze --json'`);
      return oneDocument(path, whole);
    }
    const problem = value === undefined ? "is no JSON" : problemOf(value);
    if (problem !== null) return err(`${path}:${i + 1}: ${problem}; expected lines of 'blackout analyze --json'`);
    updates.push({ from: `${path}:${i + 1}`, document: value as LiveUpdateDocument });
  }
  return updates.length === 0 ? err(`${path}: it holds no document`) : ok(updates);
}

function oneDocument(path: string, value: unknown): Result<readonly NamedUpdate[], string> {
  const problem = problemOf(value);
  if (problem !== null) return err(`${path}: ${problem}; expected lines of 'blackout analyze --json'`);
  return ok([{ from: path, document: value as LiveUpdateDocument }]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === "string";
const isTextOrNull = (value: unknown): boolean => value === null || isText(value);
const isNsOrNull = (value: unknown): boolean => value === null || Number.isSafeInteger(value);

/** What keeps a value from being a live-update document, as far as percentiles rest on it; null where nothing does. */
function problemOf(value: unknown): string | null {
  if (!isObject(value) || value.format !== "blackout-live-update") return "it is no blackout-live-update document";
  if (value.version !== 1) return `its version is ${JSON.stringify(value.version)?.slice(0, 20)}, expected 1`;
  const { capture, outcome, outcomeReason, blackout, phases } = value;
  if (!isObject(capture) || !isText(capture.name) || !isTextOrNull(capture.probeLevel) || !isObject(capture.labels)) {
    return "its capture is not as docs/live-update.schema.json says";
  }
  if (!Object.values(capture.labels).every(isText)) return "a label is no text";
  if (!isText(outcome) || !isText(outcomeReason)) return "its outcome is missing";
  if (!isObject(blackout) || !isTextOrNull(blackout.basis) || !hasTimes(blackout)) {
    return "its blackout is not as docs/live-update.schema.json says";
  }
  if (!Array.isArray(phases) || !phases.every((phase) => isObject(phase) && isText(phase.name) && hasTimes(phase))) {
    return "its phases are not as docs/live-update.schema.json says";
  }
  const missing = PHASES.find((name) => !phases.some((phase) => phase.name === name));
  return missing === undefined ? null : `its phase ${missing} is missing`;
}

function hasTimes({ beginNs, endNs, durationNs }: Loose): boolean {
  return isNsOrNull(beginNs) && isNsOrNull(endNs) && isNsOrNull(durationNs);
}

export function readLog(path: string): Result<Hlog, string> {
  const text = readText(path, HLOG_LIMITS.bytes);
  if (!text.ok) return text;
  const log = readHlog(text.value);
  return log.ok ? log : err(`${path}: ${log.error}`);
}
