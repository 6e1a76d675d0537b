/** Events of a trace or a capture, one after the other. */
import { type DefectInput, DefectLog } from "../base/defect.js";
import { bound, filterOfTrace } from "../cli/input/event-filter-option.js";
import { eventFeedOf, withCapture } from "../cli/input/load.js";
import { isCapture } from "../cli/input/trace-input.js";
import { eventJsonLine } from "../cli/trace/event-lines.js";
import { traceEventJson } from "../cli/trace/trace-events.js";
import { parseEventFilter } from "../collect/event-filter/event-filter.js";
import { USUAL_READER_LIMITS } from "../collect/files/reader-limits.js";
import { type OpenTrace, openTraceFile } from "../collect/readers/trace-file.js";
import type { EventChunk } from "../model/collected.js";
import type { EventDocument } from "../model/documents/event.js";
import { BlackoutProblem, captureOptionsFrom, type ReadOptions } from "./problem.js";

export interface ReadEventsOptions {
  /** Only events that match, as `blackout events --filter` takes it. Pages that cannot match are not read. */
  readonly filter?: string;
}

/** What could not be decoded, or is missing. */
export interface TraceDefect {
  readonly severity: "note" | "warning" | "error";
  readonly code: string;
  readonly message: string;
}

export interface Trace {
  /** What it is: `trace.dat, version 7`, `capture`. */
  readonly what: string;
  /** Each instance with its clock. A capture has one part, on the clock `axis`: nanoseconds from the blackout's begin. */
  readonly parts: readonly { readonly name: string; readonly clock: string }[];
  /**
   * Calls `event` with each event in order (docs/event.schema.json), until it returns false; resolves to their number.
   * Memory does not grow with the trace.
   */
  read(event: (event: EventDocument) => unknown, options?: ReadEventsOptions): Promise<number>;
  /** Defects found so far, by all that was read. */
  defects(): readonly TraceDefect[];
  close(): void;
}

/**
 * Opens a trace of any kind (trace.dat, Perfetto, raw pages, ftrace text, kernel logs, QEMU logs) or a capture.
 * Close it after use.
 */
export async function openAnyTrace(path: string, options: ReadOptions = {}): Promise<Trace> {
  return isCapture(path) ? await captureAsTrace(path, options) : fileAsTrace(path);
}

/** Stops a reader, which pushes. */
const ENOUGH = Symbol("enough");

type Line = (chunk: EventChunk, row: number, atNs: number) => string;
type Row = (chunk: EventChunk, row: number, atNs: number) => boolean;

interface Tally {
  events: number;
}

/** Hands on a chunk's matching rows, and counts them. Throws ENOUGH if `event` returns false. */
function handOn(
  chunk: EventChunk,
  times: Float64Array,
  matches: Row | null,
  line: Line,
  event: (event: EventDocument) => unknown,
  tally: Tally,
): void {
  for (let row = 0; row < chunk.count; row++) {
    const at = times[row] as number;
    if (matches !== null && !matches(chunk, row, at)) continue;
    tally.events += 1;
    if (event(JSON.parse(line(chunk, row, at)) as EventDocument) === false) throw ENOUGH;
  }
}

/** Runs a reader to its end, or until it is stopped. */
function untilEnough(read: () => void): boolean {
  try {
    read();
    return true;
  } catch (thrown) {
    if (thrown !== ENOUGH) throw thrown;
    return false;
  }
}

function parsedFilter(
  text: string | undefined,
): ReturnType<typeof parseEventFilter> | { readonly ok: true; readonly value: null } {
  return text === undefined ? { ok: true, value: null } : parseEventFilter(text);
}

function valid<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string },
): T {
  if (!result.ok) throw new BlackoutProblem("usage", result.error);
  return result.value;
}

function fileAsTrace(path: string): Trace {
  const log = new DefectLog();
  const sink = { defect: (input: DefectInput): void => log.add(input) };
  const opened = openTraceFile(path, sink, null, USUAL_READER_LIMITS);
  if (!opened.ok) throw new BlackoutProblem("unusable-input", `${path}: ${opened.error}`);
  const trace: OpenTrace = opened.value;
  return {
    what: trace.what,
    parts: trace.parts.map(({ name, clock }) => ({ name, clock })),
    read: async (event, { filter: text } = {}) => {
      const expression = valid(parsedFilter(text));
      const tally: Tally = { events: 0 };
      for (const part of trace.parts) {
        const filter = valid(filterOfTrace(expression, part.clock));
        const line = traceEventJson(part);
        const matches = filter?.matches ?? null;
        const more = untilEnough(() =>
          part.source(filter?.records).read({
            ...sink,
            chunk: (chunk) => handOn(chunk, chunk.time, matches, line, event, tally),
          }),
        );
        if (!more) break;
      }
      return tally.events;
    },
    defects: () => log.all(),
    close: () => trace.close(),
  };
}

async function captureAsTrace(path: string, options: ReadOptions): Promise<Trace> {
  const reading = captureOptionsFrom(options);
  const opened = await withCapture(path, reading, ({ update }) => update.document.defects);
  if (!opened.ok) throw new BlackoutProblem("unusable-input", opened.error);
  const defects = opened.value;
  return {
    what: "capture",
    parts: [{ name: "", clock: "axis" }],
    read: async (event, { filter: text } = {}) => {
      const filter = valid(bound(valid(parsedFilter(text)), "axis"));
      const tally: Tally = { events: 0 };
      const read = await withCapture(path, reading, (loaded) => {
        untilEnough(() => {
          for (const boot of ["old", "new"] as const) {
            const { collected } = loaded;
            if (collected.maps[boot] === null || collected.collected.extents[boot] === null) continue;
            eventFeedOf(
              loaded,
              [boot],
              filter,
            )((chunk, atNs) => handOn(chunk, atNs, filter?.matches ?? null, eventJsonLine, event, tally));
          }
        });
      });
      if (!read.ok) throw new BlackoutProblem("unusable-input", read.error);
      return tally.events;
    },
    defects: () => defects,
    close: () => {},
  };
}
