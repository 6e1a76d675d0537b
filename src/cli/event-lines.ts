/** Rows of the event table as lines: for a person, and as JSON for a program. */
import { type EventChunk, EventKind, type FieldValue } from "../collect/types.js";
import { escapeControls } from "./terminal-text.js";

/** What a row's line is; without the newline. `atNs` is NaN where the source shows order, but no time. */
export type EventFormat = (chunk: EventChunk, row: number, atNs: number) => string;

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
export const eventText: EventFormat = (chunk, row, atNs) => {
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
export const eventJson: EventFormat = (chunk, row, atNs) => {
  const [cpu, pid] = [chunk.cpu[row] as number, chunk.pid[row] as number];
  const kind = EVENT_KIND_NAMES[chunk.kind[row] as EventKind];
  const task = chunk.strings.stringOf(chunk.comm[row] as number);
  const name = chunk.strings.stringOf(chunk.name[row] as number);
  const fields: string[] = [];
  for (const [key, value] of chunk.fields(row)) fields.push(`${JSON.stringify(key)}:${fieldJson(value)}`);
  return `{"atNs":${Number.isNaN(atNs) ? null : atNs},"boot":"${chunk.boot}","cpu":${cpu < 0 ? null : cpu},"pid":${pid < 0 ? null : pid},"task":${task === "" ? null : JSON.stringify(task)},"name":${JSON.stringify(name)},"kind":"${kind}","fields":{${fields.join(",")}},"file":${JSON.stringify(fileOf(chunk, cpu))},"place":${chunk.place[row]}}`;
};

/** Integers that a double cannot hold are texts; readers of JSON would round them unasked. */
function fieldJson(value: FieldValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "null";
  return Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`;
}

/** A chunk merged from all CPUs' pages names one file for all: a row's place is in its own CPU's. */
function fileOf({ file }: EventChunk, cpu: number): string {
  return cpu < 0 ? file : file.replace(/(?<=\/per_cpu\/cpu)\d+(?=\/trace_pipe_raw$)/, String(cpu));
}

/** Which events are wanted. */
export interface EventSelection {
  /** Both included; infinite where not limited. An event without a time is wanted only if both are infinite. */
  readonly fromNs: number;
  readonly toNs: number;
  /** Null: whatever its name. */
  readonly nameMatches: ((name: string) => boolean) | null;
}

/**
 * Writes the lines of selected events, in blocks of 64 KiB, until `limit` are written or `write` says that nobody reads
 * any more. The reader is stopped by an exception of its own: it pushes, and cannot be asked to stop.
 */
export class EventLineWriter {
  written = 0;
  /** In case that names are asked for which no event has. */
  readonly namesSeen = new Set<string>();
  readonly #format: EventFormat;
  readonly #selection: EventSelection;
  readonly #limit: number;
  readonly #write: (text: string) => boolean;
  #wanted: Int8Array = new Int8Array(0);
  #block = "";

  constructor(format: EventFormat, selection: EventSelection, limit: number, write: (text: string) => boolean) {
    this.#format = format;
    this.#selection = selection;
    this.#limit = limit;
    this.#write = write;
  }

  /** Whether there is more to write; false once the limit is reached or the reader has left. */
  run(feed: (sink: (chunk: EventChunk, axisNs: Float64Array) => void) => void): boolean {
    this.#wanted = new Int8Array(0);
    try {
      if (this.written < this.#limit) feed((chunk, axisNs) => this.#chunk(chunk, axisNs));
      if (this.written >= this.#limit) throw STOP;
    } catch (thrown) {
      if (thrown !== STOP) throw thrown;
      this.#flush();
      return false;
    }
    return this.#flush();
  }

  #chunk(chunk: EventChunk, axisNs: Float64Array): void {
    const { fromNs, toNs, nameMatches } = this.#selection;
    const always = fromNs === Number.NEGATIVE_INFINITY && toNs === Number.POSITIVE_INFINITY;
    for (let row = 0; row < chunk.count; row++) {
      const at = axisNs[row] as number;
      if (!always && !(at >= fromNs && at <= toNs)) continue;
      if (nameMatches !== null && !this.#isWanted(chunk, chunk.name[row] as number, nameMatches)) continue;
      this.#block += `${this.#format(chunk, row, at)}\n`;
      this.written += 1;
      if (this.#block.length >= BLOCK_CHARS && !this.#flush()) throw STOP;
      if (this.written >= this.#limit) throw STOP;
    }
  }

  /** Each name is matched once. */
  #isWanted(chunk: EventChunk, id: number, nameMatches: (name: string) => boolean): boolean {
    if (id >= this.#wanted.length) {
      const grown = new Int8Array(2 * id + 64);
      grown.set(this.#wanted);
      this.#wanted = grown;
    }
    const known = this.#wanted[id] as number;
    if (known !== 0) return known > 0;
    const name = chunk.strings.stringOf(id);
    if (this.namesSeen.size < NAMES_KEPT) this.namesSeen.add(name);
    const wanted = nameMatches(name);
    this.#wanted[id] = wanted ? 1 : -1;
    return wanted;
  }

  #flush(): boolean {
    const block = this.#block;
    this.#block = "";
    return this.#write(block);
  }
}

const BLOCK_CHARS = 64 * 1024;
const NAMES_KEPT = 4096;
const STOP = Symbol("enough");
