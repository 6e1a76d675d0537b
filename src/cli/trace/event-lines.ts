/** Rows of the event table as lines: for a person, and as JSON for a program. */

import { escapeControls } from "../../base/text/controls.js";
import { fieldJson } from "../../collect/event-bytes/json-lines.js";
import { type EventChunk, EventKind } from "../../model/collected.js";

/** What a row's line is; without the newline. `atNs` is NaN if the source shows order, but no time. */
export type EventLineFormat = (chunk: EventChunk, row: number, atNs: number) => string;

/** The same, or null if the line is handed to the writer's `line` when it is known. */
export type LateEventFormat = (chunk: EventChunk, row: number, atNs: number) => string | null;

export const EVENT_KIND_NAMES: Readonly<Record<EventKind, string>> = {
  [EventKind.event]: "event",
  [EventKind.graphEntry]: "graph-entry",
  [EventKind.graphExit]: "graph-exit",
  [EventKind.graphLeaf]: "graph-leaf",
  [EventKind.marker]: "marker",
};

export const EVENT_LINE_HEADER = "#       time (s) boot   cpu             task-pid event: fields";

/** Seconds with all nine decimals: `-0.005123456`. Exact below 2^53 ns. */
export function secondsText(ns: number): string {
  if (Number.isNaN(ns)) return "?";
  const magnitude = Math.abs(ns);
  const seconds = Math.floor(magnitude / 1e9);
  return `${ns < 0 ? "-" : ""}${seconds}.${String(magnitude - seconds * 1e9).padStart(9, "0")}`;
}

/** `-0.005123456 old [001]  init-1  name: fields`, the fields as the source prints them. */
export const eventTextLine: EventLineFormat = (chunk, row, atNs) => {
  const [cpu, pid] = [chunk.cpu[row] as number, chunk.pid[row] as number];
  const task = chunk.strings.stringOf(chunk.comm[row] as number);
  const who = `${task === "" ? "<...>" : task}-${pid < 0 ? "?" : pid}`.padStart(20);
  const name = chunk.strings.stringOf(chunk.name[row] as number);
  const where = cpu < 0 ? "[  ?]" : `[${String(cpu).padStart(3, "0")}]`;
  const rest = payloadText(chunk, row);
  const event = name === "" ? rest : rest === "" ? name : `${name}: ${rest}`;
  return `${secondsText(atNs).padStart(16)} ${chunk.boot}  ${where} ${safe(`${who} ${event}`)}`;
};

function payloadText(chunk: EventChunk, row: number): string {
  if (chunk.kind[row] !== EventKind.marker) return chunk.text(row).trim();
  return String(chunk.fields(row).get("buf") ?? "").trimEnd();
}

/** Nearly every line is plain: one test is far cheaper than a replacement that finds nothing. */
function safe(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : escapeControls(text);
}

/** docs/event.schema.json */
export const eventJsonLine: EventLineFormat = (chunk, row, atNs) => {
  const [cpu, pid] = [chunk.cpu[row] as number, chunk.pid[row] as number];
  const kind = EVENT_KIND_NAMES[chunk.kind[row] as EventKind];
  const task = chunk.strings.stringOf(chunk.comm[row] as number);
  const name = chunk.strings.stringOf(chunk.name[row] as number);
  const fields: string[] = [];
  for (const [key, value] of chunk.fields(row)) fields.push(`${JSON.stringify(key)}:${fieldJson(value)}`);
  return `{"atNs":${Number.isNaN(atNs) ? null : atNs},"boot":"${chunk.boot}","cpu":${cpu < 0 ? null : cpu},"pid":${pid < 0 ? null : pid},"task":${task === "" ? null : JSON.stringify(task)},"name":${JSON.stringify(name)},"kind":"${kind}","fields":{${fields.join(",")}},"file":${JSON.stringify(chunk.fileOf(row))},"place":${chunk.place[row]}}`;
};

/** Whether a row is wanted. */
export type RowTest = (chunk: EventChunk, row: number, atNs: number) => boolean;

/**
 * Writes the lines of selected events, in blocks of 64 KiB, until `limit` are written or `write` says that nobody reads
 * any more. The reader is stopped by an exception of its own: it pushes, and cannot be asked to stop.
 */
export class EventLineWriter {
  written = 0;
  readonly #format: LateEventFormat;
  readonly #matches: RowTest | null;
  readonly #limit: number;
  readonly #write: (text: string) => boolean;
  #block = "";

  /** Null: every row. */
  constructor(format: LateEventFormat, matches: RowTest | null, limit: number, write: (text: string) => boolean) {
    this.#format = format;
    this.#matches = matches;
    this.#limit = limit;
    this.#write = write;
  }

  /** Whether there is more to write; false once the limit is reached or the reader has left. */
  run(feed: (sink: (chunk: EventChunk, axisNs: Float64Array) => void) => void): boolean {
    try {
      if (this.written < this.#limit) feed((chunk, axisNs) => this.#chunk(chunk, axisNs));
      if (this.written >= this.#limit) throw STOP;
    } catch (thrown) {
      if (thrown !== STOP) throw thrown;
      this.flush();
      return false;
    }
    return this.flush();
  }

  line(text: string): void {
    this.#block += `${text}\n`;
  }

  #chunk(chunk: EventChunk, axisNs: Float64Array): void {
    const matches = this.#matches;
    for (let row = 0; row < chunk.count; row++) {
      const at = axisNs[row] as number;
      if (matches !== null && !matches(chunk, row, at)) continue;
      const line = this.#format(chunk, row, at);
      if (line !== null) this.line(line);
      this.written += 1;
      if (this.#block.length >= BLOCK_CHARS && !this.flush()) throw STOP;
      if (this.written >= this.#limit) throw STOP;
    }
  }

  flush(): boolean {
    const block = this.#block;
    this.#block = "";
    return this.#write(block);
  }
}

const BLOCK_CHARS = 64 * 1024;
const STOP = Symbol("enough");
