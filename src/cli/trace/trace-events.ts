/** `blackout events` of a trace that is not a capture: its lines as the kernel prints them, or JSON. */

import { type DefectInput, DefectLog, type DefectSink } from "../../base/defect.js";
import { escapeControls } from "../../base/text/controls.js";
import { globMatcher } from "../../base/text/glob.js";
import { didYouMean } from "../../base/text/suggest.js";
import { JsonLines } from "../../collect/event-bytes/json-lines.js";
import { type BoundFilter, eventNamesIn, type FilterExpression } from "../../collect/event-filter/event-filter.js";
import type { ReaderLimits } from "../../collect/files/reader-limits.js";
import { openTraceFile } from "../../collect/readers/trace-file.js";
import { RecordChunk } from "../../collect/ring-buffer/record-chunk.js";
import type { EventChunk, EventKind, EventSource } from "../../model/collected.js";
import type { TraceFile, TracePart } from "../../model/traces/trace-file.js";
import { type Context, exit, misused, unusable } from "../frame/command.js";
import { filterOfTrace } from "../input/event-filter-option.js";
import { EVENT_KIND_NAMES, type EventLineFormat, EventLineWriter, eventJsonLine } from "./event-lines.js";
import { traceBytes } from "./trace-lines.js";

export interface WantedOfTrace {
  readonly filter: FilterExpression | null;
  readonly limit: number;
  readonly json: boolean;
  /** The folder of the event formats of raw pages; null if it is beside them. */
  readonly formats: string | null;
  readonly limits: ReaderLimits;
}

/** Prints a trace's wanted events; returns the exit code. */
export function printTrace(context: Context, path: string, wanted: WantedOfTrace): number {
  const log = new DefectLog();
  const sink = { defect: (input: DefectInput): void => log.add(input) };
  const opened = openTraceFile(path, sink, wanted.formats, wanted.limits);
  if (!opened.ok) return unusable(context, `${path}: ${opened.error}`);
  const trace = opened.value;
  try {
    let written = 0;
    for (const part of trace.parts) {
      const filter = filterOfTrace(wanted.filter, part.clock);
      if (!filter.ok) return misused(context, filter.error);
      if (!wanted.json && (trace.parts.length > 1 || part.name !== "")) {
        context.stdout.write(`${context.colour.quiet(escapeControls(`# instance: ${part.name || "(top)"}`))}\n`);
      }
      const limit = wanted.limit - written;
      const source = part.source(filter.value?.records);
      const found = wanted.json
        ? printJson(context, part, source, filter.value, limit, sink)
        : printLines(context, part, source, filter.value, limit, sink);
      written += found;
      const more = !context.stdout.closed && found < limit;
      if (!more) break;
    }
    if (!context.stdout.closed) {
      sayDefects(context, path, log);
      if (written === 0) sayNoEvent(context, trace, wanted);
    }
    return exit.success;
  } finally {
    trace.close();
  }
}

/** Prints a part's events as the kernel's lines; returns how many. */
function printLines(
  context: Context,
  part: TracePart,
  source: EventSource,
  filter: BoundFilter | null,
  limit: number,
  sink: DefectSink,
): number {
  let written = 0;
  const lines = traceBytes(part.clock, safeLine, (block) => context.stdout.write(block));
  const matches = filter === null ? null : (chunk: EventChunk, row: number) => filter.matches(chunk, row, Number.NaN);
  readWhile(source, sink, (chunk) => {
    written += lines.rows(chunk, matches, limit - written);
    return written < limit && !context.stdout.closed;
  });
  if (!context.stdout.closed) lines.finish();
  return written;
}

function printJson(
  context: Context,
  part: TracePart,
  source: EventSource,
  filter: BoundFilter | null,
  limit: number,
  sink: DefectSink,
): number {
  const line = traceEventJson(part);
  const records = new JsonLines({
    tail: `,"clock":${JSON.stringify(part.clock)},"instance":${JSON.stringify(part.name)}}`,
    kindOf: (kind) => EVENT_KIND_NAMES[kind as EventKind],
    slow: (chunk, row) => line(chunk, row, Number.NaN),
    write: (block) => context.stdout.write(block),
  });
  const matches = filter === null ? null : (chunk: EventChunk, row: number) => filter.matches(chunk, row, Number.NaN);
  let written = 0;
  readWhile(source, sink, (chunk) => {
    if (chunk instanceof RecordChunk) written += records.rows(chunk, matches, limit - written);
    else {
      const wanted = limit - written;
      const lines = new EventLineWriter(line, matches, wanted, (block) => {
        if (block !== "") context.stdout.write(block);
        return !context.stdout.closed;
      });
      lines.run((write) => write(chunk, chunk.time));
      written += lines.written;
    }
    return written < limit && !context.stdout.closed;
  });
  records.finish();
  return written;
}

const ENOUGH = Symbol("enough");

/** Reads until `take` returns false. A reader pushes its chunks, so that an exception of our own ends it. */
function readWhile(source: EventSource, sink: DefectSink, take: (chunk: EventChunk) => boolean): void {
  try {
    source.read({
      ...sink,
      chunk(chunk) {
        if (!take(chunk)) throw ENOUGH;
      },
    });
  } catch (thrown) {
    if (thrown !== ENOUGH) throw thrown;
  }
}

/** Nearly every line is plain: one test is far cheaper than a replacement that finds nothing. */
export function safeLine(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : escapeControls(text);
}

/** docs/event.schema.json, of a trace: no boot, and the clock's own count. */
export function traceEventJson(part: TracePart): EventLineFormat {
  const tail = `,"clock":${JSON.stringify(part.clock)},"instance":${JSON.stringify(part.name)}}`;
  return (chunk, row) => {
    const since = chunk.time[row] as number;
    const count = Number.isNaN(since) ? null : chunk.base + BigInt(Math.round(since));
    const shown = count === null ? "null" : Number.isSafeInteger(Number(count)) ? String(count) : `"${count}"`;
    return `${eventJsonLine(chunk, row, Number.NaN).replace('"boot":"old"', '"boot":null').slice(0, -1)},"count":${shown}${tail}`;
  };
}

const MAX_SAID = 20;

export function sayDefects(context: Context, path: string, log: DefectLog): void {
  const defects = log.all();
  for (const { severity, code, message } of defects.slice(0, MAX_SAID)) {
    const paint = severity === "error" ? context.errorColour.bad : context.errorColour.warning;
    context.stderr.write(`${paint(severity)} ${escapeControls(`${code} ${path}: ${message}`)}\n`);
  }
  if (defects.length > MAX_SAID) context.stderr.write(`… and ${defects.length - MAX_SAID} more defects\n`);
}

/** Why nothing was printed. */
function sayNoEvent(context: Context, trace: TraceFile, wanted: WantedOfTrace): void {
  const names = new Set<string>();
  for (const part of trace.parts) {
    part.source().read({ defect: () => {}, chunk: (chunk) => addNames(chunk, names) });
  }
  context.stderr.write(
    `${context.errorColour.warning("blackout:")} ${escapeControls(noSuchEvent(wanted.filter, names))}\n`,
  );
}

/** Names kept for a suggestion. */
const NAMES_KEPT = 4096;

export function addNames(chunk: EventChunk, names: Set<string>): void {
  if (names.size >= NAMES_KEPT) return;
  for (let row = 0; row < chunk.count; row++) names.add(chunk.strings.stringOf(chunk.name[row] as number));
}

/** The message if none of the events present matches. */
export function noSuchEvent(filter: FilterExpression | null, present: ReadonlySet<string>): string {
  const names = [...present].filter((name) => name !== "").sort();
  const shown = `${names.slice(0, 12).join(", ")}${names.length > 12 ? `, … (${names.length})` : ""}`;
  if (names.length === 0) return "there is no event there";
  const asked = filter === null ? [] : eventNamesIn(filter).filter((name) => !names.some(globMatcher(name)));
  if (asked.length === 0) return `no event there is as the filter wants it; there are ${shown}`;
  const near = asked.map((name) => didYouMean(name, names)).find((hint) => hint !== "") ?? "";
  return `no event there is named ${asked.join(" or ")}${near}; there are ${shown}`;
}
