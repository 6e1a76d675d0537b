/**
 * How live updates travel inside a report: an index of all of them, and each one whole in a compact binary form that
 * a viewer decodes only when it is opened. Both ends live here so that they cannot drift apart.
 *
 * An encoded live update, version 1:
 *
 *     "BLKU"  u8 version  varint n  n bytes of JSON (UTF-8): { document, printk, kinds, count, strings, attribution }
 *     then the columns of the span table in COLUMNS' order: u8 coding  varint n  n bytes
 *     then, where `attribution` is not null, those of the wake-ups in WAKEUP_COLUMNS' order, in the same form
 *
 * Codings: 0, signed varints of the difference to a prediction (begin: the row before; end: its begin; parent: its own
 * row; others: the row before); 1, raw float64, little endian, for a column that holds what a difference cannot carry.
 * Varints are LEB128, signed ones zigzag, as in protobuf.
 */

import { buildTrees } from "../analyze/attribution/build.js";
import type { AttributedUpdate, Wakeups } from "../analyze/attribution/update.js";
import { criticalChain } from "../analyze/attribution/views/chain.js";
import { err, ok, type Result } from "../base/result.js";
import type { ClockMethod, LiveUpdate, LiveUpdateDocument, Outcome, PlacedPrintk } from "../model/live-update.js";
import { PHASES } from "../model/live-update.js";
import { SPAN_KINDS, type SpanTable } from "../model/span-table.js";

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
const WAKEUP_COLUMNS = ["ns", "boot", "woken", "waker"] as const;

/** Whether an update carries what attribution needs: trees, chain and what-if can be built from it. */
export function isAttributed(update: LiveUpdate): update is AttributedUpdate {
  return "wakeups" in update && "path" in update;
}

/** What a list of updates and its plots need of each, without decoding it. */
export interface ReportEntry {
  readonly name: string;
  readonly kernel: { readonly old: string | null; readonly new: string | null };
  readonly outcome: Outcome;
  readonly clockMethod: ClockMethod;
  readonly basis: "vm-marks" | "vcpu" | "kernel-observed" | null;
  readonly blackoutNs: number | null;
  readonly blackoutUncertaintyNs: number | null;
  /** In the order of PHASES. */
  readonly phaseNs: readonly (number | null)[];
  /** Counting each defect for what it stands for. */
  readonly defects: number;
  readonly spans: number;
  /** The critical chain by cause, the longest first, cut at MOST_CAUSES; empty where there is none. */
  readonly causes: readonly EntryCause[];
}

export interface EntryCause {
  readonly kind: string;
  readonly name: string;
  readonly ns: number;
}

/** What a list of updates keeps of each: enough for a heat map of what differs between them. */
const MOST_CAUSES = 24;

function entryCauses(update: LiveUpdate): readonly EntryCause[] {
  if (!isAttributed(update)) return [];
  const root = buildTrees(update).blackout;
  if (root === null) return [];
  const sums = new Map<string, { kind: string; name: string; ns: number }>();
  for (const { kind, id, name, durationNs } of criticalChain(update, root).steps) {
    const key = `${kind} ${id}`;
    const sum = sums.get(key) ?? { kind, name: name === "" ? id : name, ns: 0 };
    sum.ns += durationNs;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.ns - a.ns || (a.name < b.name ? -1 : 1)).slice(0, MOST_CAUSES);
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
    causes: entryCauses(update),
  };
}

/** `names` stand in the list where the captures' own do not tell them apart. */
export function reportIndex(updates: readonly LiveUpdate[], title: string, names?: readonly string[]): ReportIndex {
  const entries = updates.map((update, i) => {
    const entry = reportEntry(update);
    return { ...entry, name: names?.[i] ?? entry.name };
  });
  return { format: "blackout-report", version: 1, title, entries };
}

/** An index as it travels: names of causes stand once, and each update's causes are pairs of a number and a time. */
interface PackedIndex extends Omit<ReportIndex, "entries"> {
  readonly causes: readonly (readonly [kind: string, name: string])[];
  readonly entries: readonly (Omit<ReportEntry, "causes"> & { readonly causes: readonly number[] })[];
}

/** The index as JSON. Ten thousand updates name the same few causes: written out each time they would be most of it. */
export function packReportIndex(index: ReportIndex): string {
  const ids = new Map<string, number>();
  const causes: [string, string][] = [];
  const idOf = ({ kind, name }: EntryCause): number => {
    const key = `${kind} ${name}`;
    const known = ids.get(key);
    if (known !== undefined) return known;
    ids.set(key, causes.length);
    causes.push([kind, name]);
    return causes.length - 1;
  };
  const entries = index.entries.map((entry) => ({
    ...entry,
    causes: entry.causes.flatMap((cause) => [idOf(cause), cause.ns]),
  }));
  const packed: PackedIndex = { ...index, causes, entries };
  return JSON.stringify(packed);
}

/** What `packReportIndex` wrote, read back; the error says what is wrong with it. */
export function parseReportIndex(text: string): Result<ReportIndex, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err(`the report's index is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const index = value as Partial<PackedIndex> | null;
  if (index?.format !== "blackout-report") return err("the report's index does not say format blackout-report");
  if (index.version !== 1) return err(`the report is of version ${String(index.version)}; this viewer reads version 1`);
  const { entries, causes, format, version, title = "" } = index;
  if (!Array.isArray(entries)) return err("the report's index has no entries");
  if (!Array.isArray(causes)) return err("the report's index names no causes");
  const named = (pairs: readonly number[]): readonly EntryCause[] => {
    const list: EntryCause[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [kind, name] = causes[pairs[i] as number] ?? ["", ""];
      list.push({ kind, name, ns: pairs[i + 1] as number });
    }
    return list;
  };
  return ok({
    format,
    version,
    title,
    entries: entries.map((entry: PackedIndex["entries"][number]) => ({ ...entry, causes: named(entry.causes ?? []) })),
  });
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
      attribution: isAttributed(update) ? attributionHeader(update) : null,
    }),
  );
  const out = new ByteWriter(json.length + spans.count * 24 + 64);
  for (let i = 0; i < 4; i++) out.byte((MAGIC >>> (8 * i)) & 0xff);
  out.byte(VERSION);
  out.varint(json.length);
  out.bytes(json);
  for (const name of COLUMNS) writeColumn(out, spans[name], spans.count, (row) => prediction(name, row, spans));
  if (isAttributed(update)) {
    for (const name of WAKEUP_COLUMNS) {
      const column = update.wakeups[name];
      writeColumn(out, column, update.wakeups.count, (row) => (row === 0 ? 0 : (column[row - 1] as number)));
    }
  }
  return out.done();
}

type AttributionHeader = Pick<
  AttributedUpdate,
  "path" | "restorerSinceNs" | "schedClockZeroNs" | "armsGraphAtBoot" | "recording" | "devices" | "sessions"
> & { readonly wakeups: number };

function attributionHeader(update: AttributedUpdate): AttributionHeader {
  const { path, restorerSinceNs, schedClockZeroNs, armsGraphAtBoot, recording, devices, sessions, wakeups } = update;
  return {
    path,
    restorerSinceNs,
    schedClockZeroNs,
    armsGraphAtBoot,
    recording,
    devices,
    sessions,
    wakeups: wakeups.count,
  };
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
  const beginNs = new Float64Array(count);
  const scratch = new Float64Array(count);
  const rows = <T extends NumberColumn>(name: ColumnName, into: T): T => {
    readColumn(reader, name, into, name === "endNs" ? "begin" : name === "parent" ? "row" : "before", beginNs, scratch);
    return into;
  };
  rows("beginNs", beginNs);
  const endNs = rows("endNs", new Float64Array(count));
  const parent = rows("parent", new Int32Array(count));
  const kind = rows("kind", new Uint8Array(count));
  const unknown = SPAN_KINDS.indexOf("unattributed");
  const kinds = header.kinds.map((name) => {
    const at = (SPAN_KINDS as readonly string[]).indexOf(name);
    return at < 0 ? unknown : at;
  });
  for (let row = 0; row < count; row++) kind[row] = kinds[kind[row] as number] ?? unknown;
  for (let row = 0; row < count; row++) if ((parent[row] as number) >= count) parent[row] = -1;
  const text = (name: ColumnName) => rows(name, new Uint32Array(count));
  const spans: SpanTable = {
    count,
    beginNs,
    endNs,
    parent,
    kind,
    name: text("name"),
    id: text("id"),
    action: text("action"),
    detail: text("detail"),
    boot: rows("boot", new Uint8Array(count)),
    cpu: rows("cpu", new Int16Array(count)),
    pid: rows("pid", new Int32Array(count)),
    task: text("task"),
    evidence: text("evidence"),
    flags: rows("flags", new Uint8Array(count)),
    strings: header.strings,
  };
  const update: LiveUpdate = { document: header.document, printk: header.printk, spans };
  if (header.attribution === null) return update;
  const { wakeups, ...attribution } = header.attribution;
  const attributed: AttributedUpdate = { ...update, ...attribution, wakeups: readWakeups(reader, wakeups) };
  return attributed;
}

function readWakeups(reader: ByteReader, count: number): Wakeups {
  if (count * WAKEUP_COLUMNS.length > reader.left) {
    throw new Damaged(`${count} wake-ups are announced, and ${reader.left} bytes are left for them`);
  }
  const none = new Float64Array(0);
  const scratch = new Float64Array(count);
  const column = <T extends NumberColumn>(name: string, into: T): T => {
    readColumn(reader, name, into, "before", none, scratch);
    return into;
  };
  return {
    count,
    ns: column("ns", new Float64Array(count)),
    boot: column("boot", new Uint8Array(count)),
    woken: column("woken", new Int32Array(count)),
    waker: column("waker", new Int32Array(count)),
  };
}

type NumberColumn = Float64Array | Int32Array | Uint32Array | Int16Array | Uint8Array;

interface Header {
  readonly document: LiveUpdateDocument;
  readonly printk: readonly PlacedPrintk[];
  readonly kinds: readonly string[];
  readonly count: number;
  readonly strings: readonly string[];
  readonly attribution: AttributionHeader | null;
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
  const { attribution = null } = header;
  if (attribution !== null) {
    const { path, devices, sessions, wakeups } = attribution;
    if (![path, devices, sessions].every(Array.isArray) || !Number.isSafeInteger(wakeups) || wakeups < 0)
      throw new Damaged("a live update's attribution lacks path, devices, sessions or wake-ups");
  }
  return { ...(header as Header), attribution };
}

/** What the coder expects in row `row`, so that the difference is small. */
function prediction(name: ColumnName, row: number, spans: SpanTable): number {
  if (name === "endNs") return spans.beginNs[row] as number;
  if (name === "parent") return row;
  return row === 0 ? 0 : (spans[name][row - 1] as number);
}

function writeColumn(out: ByteWriter, column: NumberColumn, count: number, predicted: (row: number) => number): void {
  const part = new ByteWriter(count * 2 + 16);
  for (let row = 0; row < count; row++) {
    const difference = (column[row] as number) - predicted(row);
    if (!Number.isInteger(difference) || Math.abs(difference) > LARGEST_DIFFERENCE) {
      const view = new DataView(new ArrayBuffer(count * 8));
      for (let i = 0; i < count; i++) view.setFloat64(i * 8, column[i] as number, true);
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

/** `from`: what differences count from: the row's begin, its own number, or the value before. `scratch`: room for it. */
function readColumn(
  reader: ByteReader,
  name: string,
  column: NumberColumn,
  from: "begin" | "row" | "before",
  begin: Float64Array,
  scratch: Float64Array,
): void {
  const coding = reader.byte();
  const part = reader.bytes(reader.varint());
  if (coding === 0) readDifferences(part, name, column, from, begin, scratch);
  else if (coding === 1) readFloats(part, name, column);
  else throw new Damaged(`column ${name} has the unknown coding ${coding}`);
}

function readFloats(part: Uint8Array, name: string, column: NumberColumn): void {
  if (part.length !== column.length * 8) throw new Damaged(`column ${name} has ${part.length} bytes, not 8 a row`);
  const view = new DataView(part.buffer, part.byteOffset, part.length);
  for (let row = 0; row < column.length; row++) column[row] = view.getFloat64(row * 8, true);
}

/** One loop without a call a value: an update of five million spans has seventy million of them. */
function readDifferences(
  part: Uint8Array,
  name: string,
  column: NumberColumn,
  from: "begin" | "row" | "before",
  begin: Float64Array,
  scratch: Float64Array,
): void {
  // Into one type of array whatever the column's: stores into many types at one place are several times slower.
  const count = column.length;
  const values = column instanceof Float64Array ? column : scratch.subarray(0, count);
  let at = 0;
  let before = 0;
  for (let row = 0; row < count; row++) {
    let coded = part[at++] as number;
    let difference: number;
    if (coded < 0x80) difference = (coded >>> 1) ^ -(coded & 1);
    else {
      coded &= 0x7f;
      let scale = 0x80;
      for (;;) {
        const next = part[at++] as number;
        coded += (next & 0x7f) * scale;
        if (!(next >= 0x80)) break;
        scale *= 0x80;
        if (scale > 2 ** 53) throw new Damaged(`a number in column ${name} is longer than 53 bits`);
      }
      difference = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
    }
    if (from === "before") before += difference;
    else before = difference + (from === "row" ? row : (begin[row] as number));
    values[row] = before;
  }
  // Past the end bytes read as undefined, which ends each number: it is enough to look once.
  if (at > part.length) throw new Damaged(`column ${name} ends before its last row`);
  if (at < part.length) throw new Damaged(`column ${name} has ${part.length - at} bytes too many`);
  if (values !== column) column.set(values);
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
}
