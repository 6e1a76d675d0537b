/**
 * How a live update travels inside a report: whole, in a compact binary form that a viewer decodes only when it is
 * opened. Both ends stand here so that they cannot drift apart.
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

import type { AttributedUpdate, Wakeups } from "../analyze/attribution/update.js";
import { unzigzag, VarintReader, WireBuffer, zigzag } from "../base/bytes/wire.js";
import { err, ok, type Result } from "../base/result.js";
import { UNKNOWN_IMAGE } from "../model/collected.js";
import type { LiveUpdate, LiveUpdateDocument, PlacedPrintk } from "../model/live-update.js";
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
  const out = new WireBuffer(json.length + spans.count * 24 + 64);
  for (let i = 0; i < 4; i++) out.byte((MAGIC >>> (8 * i)) & 0xff);
  out.byte(VERSION);
  out.varint(json.length);
  out.raw(json);
  for (const name of COLUMNS) writeColumn(out, spans[name], spans.count, (row) => prediction(name, row, spans));
  if (isAttributed(update)) {
    for (const name of WAKEUP_COLUMNS) {
      const column = update.wakeups[name];
      writeColumn(out, column, update.wakeups.count, (row) => (row === 0 ? 0 : (column[row - 1] as number)));
    }
  }
  return out.view().slice();
}

type AttributionHeader = Pick<
  AttributedUpdate,
  | "path"
  | "restorerSinceNs"
  | "schedClockZeroNs"
  | "imageStampsNs"
  | "nextImage"
  | "armsGraphAtBoot"
  | "recording"
  | "devices"
  | "sessions"
> & { readonly wakeups: number };

function attributionHeader(update: AttributedUpdate): AttributionHeader {
  const { path, restorerSinceNs, schedClockZeroNs, imageStampsNs, nextImage } = update;
  const { armsGraphAtBoot, recording, devices, sessions, wakeups } = update;
  return {
    path,
    restorerSinceNs,
    schedClockZeroNs,
    imageStampsNs,
    nextImage,
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
    return ok(decode(new UpdateReader(bytes)));
  } catch (error) {
    if (error instanceof Damaged) return err(error.message);
    throw error;
  }
}

/** Internal to this module: unwinds the decoder to `decodeLiveUpdate`, which returns it as a value. */
class Damaged extends Error {}

function decode(reader: UpdateReader): LiveUpdate {
  let magic = 0;
  for (let i = 0; i < 4; i++) magic += reader.byte() * 2 ** (8 * i);
  if (magic !== MAGIC) throw new Damaged("a live update in the report does not begin with BLKU");
  const version = reader.byte();
  if (version !== VERSION) throw new Damaged(`a live update is of version ${version}; this viewer reads ${VERSION}`);
  const header = parseHeader(reader.part(reader.varint()));
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
  const attributed: AttributedUpdate = {
    ...update,
    ...NO_IMAGE,
    ...attribution,
    wakeups: readWakeups(reader, wakeups),
  };
  return attributed;
}

/** A report from before the image was recorded. */
const NO_IMAGE = { imageStampsNs: null, nextImage: UNKNOWN_IMAGE };

function readWakeups(reader: UpdateReader, count: number): Wakeups {
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
    throw new Damaged("a live update's span count is not a count");
  const { attribution = null } = header;
  if (attribution !== null) {
    const { path, devices, sessions, wakeups } = attribution;
    if (![path, devices, sessions].every(Array.isArray) || !Number.isSafeInteger(wakeups) || wakeups < 0)
      throw new Damaged("a live update's attribution lacks path, devices, sessions or wake-ups");
  }
  return { ...(header as Header), document: { ...WITHOUT_HEALTH, ...header.document }, attribution };
}

/** Of an update that was written before documents listed what was lost and what the kernels complained of. */
const WITHOUT_HEALTH = { losses: [], notSeen: [], health: { counts: [], events: [] } } as const;

/** What the coder expects in row `row`, so that the difference is small. */
function prediction(name: ColumnName, row: number, spans: SpanTable): number {
  if (name === "endNs") return spans.beginNs[row] as number;
  if (name === "parent") return row;
  return row === 0 ? 0 : (spans[name][row - 1] as number);
}

function writeColumn(out: WireBuffer, column: NumberColumn, count: number, predicted: (row: number) => number): void {
  const part = new WireBuffer(count * 2 + 16);
  for (let row = 0; row < count; row++) {
    const difference = (column[row] as number) - predicted(row);
    if (!Number.isInteger(difference) || Math.abs(difference) > LARGEST_DIFFERENCE) {
      const view = new DataView(new ArrayBuffer(count * 8));
      for (let i = 0; i < count; i++) view.setFloat64(i * 8, column[i] as number, true);
      out.byte(1);
      out.varint(view.byteLength);
      out.raw(new Uint8Array(view.buffer));
      return;
    }
    part.varint(zigzag(difference));
  }
  out.byte(0);
  out.varint(part.length);
  out.raw(part.view());
}

/**
 * `from`: what differences count from: the row's begin, its own number, or the value before. `scratch`: room for it.
 */
function readColumn(
  reader: UpdateReader,
  name: string,
  column: NumberColumn,
  from: "begin" | "row" | "before",
  begin: Float64Array,
  scratch: Float64Array,
): void {
  const coding = reader.byte();
  const part = reader.part(reader.varint());
  if (coding === 0) readDifferences(part, name, column, from, begin, scratch);
  else if (coding === 1) readFloats(part, name, column);
  else throw new Damaged(`column ${name} has the unknown coding ${coding}`);
}

function readFloats(part: Uint8Array, name: string, column: NumberColumn): void {
  if (part.length !== column.length * 8) throw new Damaged(`column ${name} has ${part.length} bytes, not 8 a row`);
  const view = new DataView(part.buffer, part.byteOffset, part.length);
  for (let row = 0; row < column.length; row++) column[row] = view.getFloat64(row * 8, true);
}

/** One loop without a call for most values: an update of five million spans has seventy million of them. */
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
  const reader = new VarintReader(part);
  let at = 0;
  let before = 0;
  for (let row = 0; row < count; row++) {
    let coded = part[at] as number;
    let difference: number;
    if (coded < 0x80) {
      at += 1;
      difference = (coded >>> 1) ^ -(coded & 1);
    } else {
      reader.at = at;
      coded = reader.varint();
      at = reader.at;
      if (coded < 0) throw new Damaged(`column ${name} ends before its last row`);
      if (coded > Number.MAX_SAFE_INTEGER) throw new Damaged(`a number in column ${name} is longer than 53 bits`);
      difference = unzigzag(coded);
    }
    if (from === "before") before += difference;
    else before = difference + (from === "row" ? row : (begin[row] as number));
    values[row] = before;
  }
  if (at < part.length) throw new Damaged(`column ${name} has ${part.length - at} bytes too many`);
  if (values !== column) column.set(values);
}

/** Reads an encoded update; what does not fit it is Damaged. */
class UpdateReader extends VarintReader {
  get left(): number {
    return this.limit - this.at;
  }

  byte(): number {
    if (this.left <= 0) throw new Damaged(`a live update ends early, at byte ${this.at}`);
    return this.bytes[this.at++] as number;
  }

  /** The next `count` bytes. */
  part(count: number): Uint8Array {
    if (count > this.left) throw new Damaged(`a live update ends early: ${count} bytes expected, ${this.left} left`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  override varint(): number {
    const value = super.varint();
    if (value < 0) throw new Damaged(`a live update ends early, at byte ${this.at}`);
    if (value > Number.MAX_SAFE_INTEGER) throw new Damaged("a number in a live update is longer than 53 bits");
    return value;
  }
}
