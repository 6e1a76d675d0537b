/**
 * How live updates travel inside a report: an index of all of them, and each one whole in a compact binary form that
 * a viewer decodes only when it is opened. Both ends live here so that they cannot drift apart.
 *
 * An encoded live update, version 1:
 *
 *     "BLKU"  u8 version  varint n  n bytes of JSON (UTF-8): { document, printk, kinds, count, strings }
 *     then the columns of the span table in COLUMNS' order: u8 coding  varint n  n bytes
 *
 * Codings: 0, signed varints of the difference to a prediction (begin: the row before; end: its begin; parent: its own
 * row; others: the row before); 1, raw float64, little endian, for a column that holds what a difference cannot carry.
 * Varints are LEB128, signed ones zigzag, as in protobuf..
 */
import { err, ok, type Result } from "../base/result.js";
import type { ClockMethod, LiveUpdate, LiveUpdateDocument, Outcome, PlacedPrintk } from "./live-update.js";
import { PHASES } from "./live-update.js";
import { SPAN_KINDS, type SpanTable } from "./span-table.js";

const MAGIC = 0x554b4c42; // "BLKU", little endian
const VERSION = 1;
/** Differences up to this zigzag without loss in a double (2 * 2^51 + 1 < 2^53). */
const LARGEST_DIFFERENCE = 2 ** 51;
const COLUMNS = [
  "beginNs",
  "endNs",
  "parent",
  "kind",
  "name",
  "id",
  "action",
  "detail",
  "boot",
  "cpu",
  "pid",
  "task",
  "evidence",
  "flags",
] as const;
type ColumnName = (typeof COLUMNS)[number];

/** What a list of updates and its plots need of each, without decoding it. */
export interface ReportEntry {
  readonly name: string;
  readonly kernel: { readonly old: string | null; readonly new: string | null };
  readonly outcome: Outcome;
  readonly clockMethod: ClockMethod;
  readonly basis: "vm-marks" | "kernel-observed" | null;
  readonly blackoutNs: number | null;
  readonly blackoutUncertaintyNs: number | null;
  /** In the order of PHASES. */
  readonly phaseNs: readonly (number | null)[];
  /** Counting each defect for what it stands for. */
  readonly defects: number;
  readonly spans: number;
}

export interface ReportIndex {
  readonly format: "blackout-report";
  readonly version: 1;
  readonly title: string;
  readonly entries: readonly ReportEntry[];
}

export function reportEntry(update: LiveUpdate): ReportEntry {
  const { document } = update;
  return {
    name: document.capture.name,
    kernel: document.capture.kernel,
    outcome: document.outcome,
    clockMethod: document.clock.method,
    basis: document.blackout.basis,
    blackoutNs: document.blackout.durationNs,
    blackoutUncertaintyNs: document.blackout.uncertaintyNs,
    phaseNs: PHASES.map((name) => document.phases.find((phase) => phase.name === name)?.durationNs ?? null),
    defects: document.defects.reduce((sum, found) => sum + found.count, 0),
    spans: update.spans.count,
  };
}

export function reportIndex(updates: readonly LiveUpdate[], title: string): ReportIndex {
  return { format: "blackout-report", version: 1, title, entries: updates.map(reportEntry) };
}

/** The index as read back from JSON; the error says what is wrong with it. */
export function parseReportIndex(text: string): Result<ReportIndex, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err(`the report's index is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const index = value as Partial<ReportIndex> | null;
  if (index?.format !== "blackout-report") return err("the report's index does not say format blackout-report");
  if (index.version !== 1) return err(`the report is of version ${String(index.version)}; this viewer reads version 1`);
  if (!Array.isArray(index.entries)) return err("the report's index has no entries");
  return ok(index as ReportIndex);
}

/** One live update, encoded. Throws nothing: a column that differences cannot carry travels as raw float64. */
export function encodeLiveUpdate(update: LiveUpdate): Uint8Array {
  const { spans } = update;
  const json = new TextEncoder().encode(
    JSON.stringify({
      document: update.document,
      printk: update.printk,
      kinds: SPAN_KINDS,
      count: spans.count,
      strings: spans.strings,
    }),
  );
  const out = new ByteWriter(json.length + spans.count * 24 + 64);
  for (let i = 0; i < 4; i++) out.byte((MAGIC >>> (8 * i)) & 0xff);
  out.byte(VERSION);
  out.varint(json.length);
  out.bytes(json);
  for (const name of COLUMNS) writeColumn(out, spans, name);
  return out.done();
}

/** Reads what `encodeLiveUpdate` wrote. The error is one sentence on what is damaged. */
export function decodeLiveUpdate(bytes: Uint8Array): Result<LiveUpdate, string> {
  try {
    return ok(decode(new ByteReader(bytes)));
  } catch (error) {
    if (error instanceof Damaged) return err(error.message);
    throw error;
  }
}

/** Internal to this module: unwinds the decoder to `decodeLiveUpdate`, which returns it as a value. */
class Damaged extends Error {}

function decode(reader: ByteReader): LiveUpdate {
  let magic = 0;
  for (let i = 0; i < 4; i++) magic += reader.byte() * 2 ** (8 * i);
  if (magic !== MAGIC) throw new Damaged("a live update in the report does not begin with BLKU");
  const version = reader.byte();
  if (version !== VERSION) throw new Damaged(`a live update is of version ${version}; this viewer reads ${VERSION}`);
  const header = parseHeader(reader.bytes(reader.varint()));
  const { count } = header;
  // A row takes at least one byte in each column, which bounds the count that a damaged header may claim.
  if (count * COLUMNS.length > reader.left) {
    throw new Damaged(`${count} spans are announced, and ${reader.left} bytes are left for them`);
  }
  const begin = new Float64Array(count);
  const rows = (name: ColumnName, into: { [row: number]: number; readonly length: number }) => {
    readColumn(reader, name, into, begin);
    return into;
  };
  rows("beginNs", begin);
  const endNs = rows("endNs", new Float64Array(count)) as Float64Array;
  const parent = rows("parent", new Int32Array(count)) as Int32Array;
  const kind = rows("kind", new Uint8Array(count)) as Uint8Array;
  const unknown = SPAN_KINDS.indexOf("unattributed");
  const kinds = header.kinds.map((name) => {
    const at = (SPAN_KINDS as readonly string[]).indexOf(name);
    return at < 0 ? unknown : at;
  });
  for (let row = 0; row < count; row++) kind[row] = kinds[kind[row] as number] ?? unknown;
  for (let row = 0; row < count; row++) if ((parent[row] as number) >= count) parent[row] = -1;
  return {
    document: header.document,
    printk: header.printk,
    spans: {
      count,
      beginNs: begin,
      endNs,
      parent,
      kind,
      name: rows("name", new Uint32Array(count)) as Uint32Array,
      id: rows("id", new Uint32Array(count)) as Uint32Array,
      action: rows("action", new Uint32Array(count)) as Uint32Array,
      detail: rows("detail", new Uint32Array(count)) as Uint32Array,
      boot: rows("boot", new Uint8Array(count)) as Uint8Array,
      cpu: rows("cpu", new Int16Array(count)) as Int16Array,
      pid: rows("pid", new Int32Array(count)) as Int32Array,
      task: rows("task", new Uint32Array(count)) as Uint32Array,
      evidence: rows("evidence", new Uint32Array(count)) as Uint32Array,
      flags: rows("flags", new Uint8Array(count)) as Uint8Array,
      strings: header.strings,
    },
  };
}

interface Header {
  readonly document: LiveUpdateDocument;
  readonly printk: readonly PlacedPrintk[];
  readonly kinds: readonly string[];
  readonly count: number;
  readonly strings: readonly string[];
}

function parseHeader(bytes: Uint8Array): Header {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Damaged("a live update's header is not JSON");
  }
  const header = value as Partial<Header> | null;
  if (header?.document?.format !== "blackout-live-update" || header.document.version !== 1) {
    throw new Damaged("a live update's header holds no blackout-live-update document of version 1");
  }
  const { printk, kinds, count, strings } = header;
  if (!Array.isArray(printk) || !Array.isArray(kinds) || !Array.isArray(strings)) {
    throw new Damaged("a live update's header lacks printk, kinds or strings");
  }
  if (!Number.isSafeInteger(count) || (count as number) < 0)
    throw new Damaged("a live update's span count is no count");
  return header as Header;
}

/** What the coder expects in row `row`, so that the difference is small. */
function prediction(
  name: ColumnName,
  row: number,
  column: { readonly [row: number]: number },
  begin: Float64Array,
): number {
  if (name === "endNs") return begin[row] as number;
  if (name === "parent") return row;
  return row === 0 ? 0 : (column[row - 1] as number);
}

function writeColumn(out: ByteWriter, spans: SpanTable, name: ColumnName): void {
  const column = spans[name];
  const part = new ByteWriter(spans.count * 2 + 16);
  for (let row = 0; row < spans.count; row++) {
    const difference = (column[row] as number) - prediction(name, row, column, spans.beginNs);
    if (!Number.isInteger(difference) || Math.abs(difference) > LARGEST_DIFFERENCE) {
      const raw = Float64Array.from(column.subarray(0, spans.count));
      const view = new DataView(new ArrayBuffer(raw.length * 8));
      raw.forEach((value, i) => {
        view.setFloat64(i * 8, value, true);
      });
      out.byte(1);
      out.varint(view.byteLength);
      out.bytes(new Uint8Array(view.buffer));
      return;
    }
    part.varint(difference >= 0 ? difference * 2 : -difference * 2 - 1);
  }
  const bytes = part.done();
  out.byte(0);
  out.varint(bytes.length);
  out.bytes(bytes);
}

function readColumn(
  reader: ByteReader,
  name: ColumnName,
  column: { [row: number]: number; readonly length: number },
  begin: Float64Array,
): void {
  const coding = reader.byte();
  const part = new ByteReader(reader.bytes(reader.varint()));
  for (let row = 0; row < column.length; row++) {
    if (coding === 0) {
      const coded = part.varint();
      const difference = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
      column[row] = prediction(name, row, column, begin) + difference;
    } else if (coding === 1) {
      column[row] = part.float64();
    } else {
      throw new Damaged(`column ${name} has the unknown coding ${coding}`);
    }
  }
  if (part.left > 0) throw new Damaged(`column ${name} has ${part.left} bytes too many`);
}

class ByteWriter {
  #bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(Math.max(16, size));
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  bytes(values: Uint8Array): void {
    this.#room(values.length);
    this.#bytes.set(values, this.#at);
    this.#at += values.length;
  }

  /** Non-negative, at most 2^53; divisions, since bit operators stop at 32 bits. */
  varint(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }
}

class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw new Damaged(`a live update ends early, at byte ${this.#at}`);
    return this.#bytes[this.#at++] as number;
  }

  bytes(count: number): Uint8Array {
    if (count > this.left) throw new Damaged(`a live update ends early: ${count} bytes expected, ${this.left} left`);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const next = this.byte();
      value += (next & 0x7f) * scale;
      if (next < 0x80) return value;
      scale *= 0x80;
      if (scale > 2 ** 53) throw new Damaged("a number in a live update is longer than 53 bits");
    }
  }

  float64(): number {
    const part = this.bytes(8);
    return new DataView(part.buffer, part.byteOffset, 8).getFloat64(0, true);
  }
}
