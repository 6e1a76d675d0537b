/**
 * Logs in which a stamp stands before each line, as sources of events: a line is a row, and what the stamp looks like
 * is
 * the dialect's. The file is streamed through one buffer, so that memory does not grow with it.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { StringTable } from "../../base/bytes/string-table.js";
import { type DefectInput, DefectLog } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import {
  type EventChunk,
  type EventFields,
  EventKind,
  type EventSink,
  type EventSource,
  type ReadCounts,
} from "../../model/collected.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { CARRIAGE_RETURN } from "../files/bytes.js";
import { MAX_LINE_BYTES, scanLines } from "../files/line-blocks.js";
import { cleanText } from "./kmsg-lines.js";

/** What a dialect found in a line: filled again for each line, so that no line makes an object. */
export class StampedLine {
  /** Seconds of the stamp; -1 if the line has none. */
  seconds = -1;
  /** Nanoseconds of the second. */
  nanos = 0;
  /** -1 if the line does not say. */
  pid = -1;
  /** Where the event's name stands in the buffer. */
  nameBegin = 0;
  nameEnd = 0;
  /** Where its text stands. */
  begin = 0;
  end = 0;
  /** Its text, if the buffer does not hold it as it is. */
  text: string | null = null;

  clear(): void {
    this.text = null;
    this.seconds = this.pid = -1;
    this.nanos = this.nameBegin = this.nameEnd = this.begin = this.end = 0;
  }
}

export type StampedLineKind = "event" | "structural" | "undecoded";

export interface StampedDialect {
  readonly name: EventSource["dialect"];
  /** What all events are called; null if each line names its own. */
  readonly eventName: string | null;
  /** Reads the line from `begin` to `end` into `line`, which is clear. */
  parse(buffer: Buffer, begin: number, end: number, line: StampedLine): StampedLineKind;
  /** It also takes blank lines, which end an entry of several lines. */
  readonly takesBlank?: boolean;
  /** The event that the file's end completes. */
  finish?(line: StampedLine): StampedLineKind;
  /** The fields of an event's text. */
  fields(name: string, text: string): EventFields;
  /** Of a line that is neither: a defect without file, line and count. */
  readonly undecoded: Pick<DefectInput, "code" | "severity" | "message" | "advice">;
  /** Of the log as a whole. */
  readonly notice?: Pick<DefectInput, "code" | "severity" | "message" | "advice"> | null;
  /** Of events without a stamp. */
  readonly untimed: Pick<DefectInput, "code" | "severity" | "message" | "advice">;
}

export interface StampedTextInput {
  readonly boot: Boot;
  readonly source: ByteSource;
  readonly dialect: StampedDialect;
  readonly filter?: RecordFilter | undefined;
  /** How much is read at a time, in bytes; 1 MiB unless given. The rows do not depend on it. */
  readonly blockBytes?: number;
}

const BLOCK_BYTES = 1024 * 1024;
const LEAST_BYTES = 4096;
const CAPACITY = 16_384;
/** Different names that are kept: QEMU has some thousands of trace events. */
const MAX_NAMES = 65_536;

/**
 * The events of one log, in its order; times are nanoseconds on the log's own clock, `base` the first one's. Rows of
 * lines without a stamp have the time NaN, and one defect counts them. Never throws.
 */
export function stampedTextSource(input: StampedTextInput): EventSource {
  const { boot, source, dialect } = input;
  return { boot, dialect: dialect.name, files: [source.name], clock: "unknown", read: (sink) => readText(input, sink) };
}

/** The rows that wait to be handed on; their bytes stay in the buffer until then. */
class Rows {
  count = 0;
  readonly time: Float64Array;
  readonly cpu: Int16Array;
  readonly pid: Int32Array;
  readonly comm: Uint32Array;
  readonly name: Uint32Array;
  readonly kind: Uint8Array;
  readonly place: Float64Array;
  readonly begin: Int32Array;
  readonly end: Int32Array;
  readonly texts: (string | null)[] = [];

  constructor(readonly capacity: number) {
    this.time = new Float64Array(capacity);
    this.cpu = new Int16Array(capacity).fill(-1);
    this.pid = new Int32Array(capacity);
    this.comm = new Uint32Array(capacity);
    this.name = new Uint32Array(capacity);
    this.kind = new Uint8Array(capacity).fill(EventKind.event);
    this.place = new Float64Array(capacity);
    this.begin = new Int32Array(capacity);
    this.end = new Int32Array(capacity);
  }

  add(found: StampedLine, time: number, name: number, line: number): void {
    const row = this.count++;
    this.time[row] = time;
    this.pid[row] = found.pid;
    this.name[row] = name;
    this.place[row] = line;
    this.begin[row] = found.begin;
    this.end[row] = found.end;
    this.texts[row] = found.text;
  }

  chunk(input: StampedTextInput, base: bigint, strings: StringTable, buffer: Buffer): EventChunk {
    const { boot, source, dialect } = input;
    const text = (row: number): string =>
      this.texts[row] ?? cleanText(buffer.toString("utf8", this.begin[row] as number, this.end[row] as number));
    return {
      ...{ boot, base, strings, text, count: this.count, fileOf: () => source.name, inInterrupt: () => false },
      ...{ time: this.time, cpu: this.cpu, pid: this.pid, comm: this.comm },
      ...{ name: this.name, kind: this.kind, place: this.place },
      fields: (row) => dialect.fields(strings.stringOf(this.name[row] as number), text(row)),
    };
  }
}

/** The filter's question of a line, each name asked once. */
class LineFilter {
  readonly #names = new Map<number, boolean>();

  constructor(
    readonly filter: RecordFilter,
    readonly strings: StringTable,
  ) {}

  wants(name: number, found: StampedLine): boolean {
    const { names, pids, cpus, from, to } = this.filter;
    if (cpus !== null && !cpus.has(-1)) return false;
    if (pids !== null && !pids.has(found.pid)) return false;
    let named = this.#names.get(name);
    if (named === undefined) {
      named = names?.has(this.strings.stringOf(name)) ?? true;
      this.#names.set(name, named);
    }
    if (!named) return false;
    // A line without a time is of no time that could be asked for.
    if (found.seconds < 0) return from === 0n;
    const ns = BigInt(found.seconds) * 1_000_000_000n + BigInt(found.nanos);
    return ns >= from && ns <= to;
  }
}

function readText(input: StampedTextInput, sink: EventSink): ReadCounts {
  const { boot, source, dialect } = input;
  const file = source.name;
  // A small log needs little, and a file of sysfs may say that it is empty.
  const size = Math.max(LEAST_BYTES, source.size);
  const block = Math.max(1, Math.min(input.blockBytes ?? BLOCK_BYTES, size));
  const buffer = Buffer.alloc(block + Math.min(MAX_LINE_BYTES, size) + 2);
  const strings = new StringTable();
  const filter = input.filter === undefined ? null : new LineFilter(input.filter, strings);
  const defects = new DefectLog(sink);
  // No line with an event is shorter than three bytes.
  const rows = new Rows(Math.min(CAPACITY, Math.ceil(size / 3)));
  const found = new StampedLine();
  const fixedName = dialect.eventName === null ? 0 : strings.idOf(dialect.eventName);
  let [line, events, structural, undecoded, untimed] = [0, 0, 0, 0, 0];
  let baseSeconds = -1;
  let baseNanos = 0;
  let base = 0n;

  const flush = (): void => {
    if (rows.count > 0) sink.chunk(rows.chunk(input, base, strings, buffer));
    rows.count = 0;
  };
  const takeUndecoded = (): void => {
    undecoded += 1;
    const at = line;
    defects.addOf(dialect.undecoded.code, file, 1, () => ({ ...dialect.undecoded, file, line: at, boot }));
  };
  const takeLine = (begin: number, newline: number): void => {
    line += 1;
    const end = newline > begin && buffer[newline - 1] === CARRIAGE_RETURN ? newline - 1 : newline;
    if (begin === end && dialect.takesBlank !== true) {
      structural += 1;
      return;
    }
    found.clear();
    const kind = newline - begin > MAX_LINE_BYTES ? "undecoded" : dialect.parse(buffer, begin, end, found);
    take(kind);
  };
  const take = (kind: StampedLineKind): void => {
    if (kind === "structural") {
      structural += 1;
      return;
    }
    const name =
      fixedName > 0 || kind === "undecoded" || strings.size >= MAX_NAMES
        ? fixedName
        : strings.idOfBytes(buffer, found.nameBegin, found.nameEnd);
    if (kind === "undecoded" || name === 0) {
      takeUndecoded();
      return;
    }
    if (filter !== null && !filter.wants(name, found)) {
      structural += 1;
      return;
    }
    let time = Number.NaN;
    if (found.seconds < 0) untimed += 1;
    else {
      if (baseSeconds < 0) {
        baseSeconds = found.seconds;
        baseNanos = found.nanos;
        // Rows before the first stamp have no time: the base is the same for all.
        flush();
        base = BigInt(baseSeconds) * 1_000_000_000n + BigInt(baseNanos);
      }
      time = (found.seconds - baseSeconds) * 1e9 + (found.nanos - baseNanos);
    }
    if (rows.count === rows.capacity) flush();
    rows.add(found, time, name, line);
    events += 1;
  };

  scanLines({
    ...{ source, buffer, block, takeLine },
    blockEnds(at) {
      flush();
      return at;
    },
  });
  found.clear();
  const rest = dialect.finish?.(found) ?? "structural";
  if (rest === "event") {
    // The lines of the entry were counted as its parts.
    structural -= 1;
    take(rest);
  }
  flush();
  defects.finish();
  if (dialect.notice != null) sink.defect({ ...dialect.notice, file, boot });
  if (untimed > 0) sink.defect({ ...dialect.untimed, file, boot, count: untimed });
  return { lines: line, events, continuations: 0, structural, undecoded, lostEvents: 0 };
}
