/** Decodes one record's fields, on demand. */
import { assertNever } from "../../base/result.js";
import type { EventFields, FieldValue } from "../../model/collected.js";
import { type KernelFacts, symbolAlone, symbolWithOffset } from "../event-text/kernel-facts.js";
import { locatedAt, type RecordBytes, textAt } from "../event-text/record.js";
import type { EventFormat, FieldFormat } from "../formats/event-format.js";

/** Fields that hold an address of code, and whether the kernel prints them with an offset (%pS) or without (%ps). */
const SYMBOL_FIELDS: ReadonlyMap<string, "name" | "offset"> = new Map([
  ["func", "offset"],
  ["__probe_ip", "offset"],
  ["__probe_func", "offset"],
  ["__probe_ret_ip", "offset"],
  ["ip", "offset"],
  ["parent_ip", "offset"],
  ["fun", "offset"],
  ["function", "offset"],
  ["caller", "offset"],
  ["cb", "offset"],
]);

/** Field name to value, in the format's order; a field that the record is too short for is left out. */
export function recordFields(
  record: RecordBytes,
  format: EventFormat,
  facts: KernelFacts,
  symbols: SymbolTexts,
): EventFields {
  const fields = new Map<string, FieldValue>();
  for (const field of format.fields) {
    const value = isSymbolField(field) ? symbols.of(record, field, facts) : fieldValue(record, field);
    if (value !== null) fields.set(field.name, value);
  }
  if (format.system === "ftrace" && format.name === "funcgraph_exit") {
    const [call, ret] = [fields.get("calltime"), fields.get("rettime")];
    if (call !== undefined && ret !== undefined) fields.set("duration", Number(BigInt(ret) - BigInt(call)));
  }
  return fields;
}

/** One field's value; null if the record is too short for it. */
export function fieldOfRecord(record: RecordBytes, field: FieldFormat, facts: KernelFacts): FieldValue | null {
  const value = fieldValue(record, field);
  return value === null ? null : resolved(field, value, facts);
}

/** Whether the field holds an address of code, which is shown as a symbol. */
export function isSymbolField({ name, size }: FieldFormat): boolean {
  return size >= 4 && SYMBOL_FIELDS.has(name);
}

/** Symbols by address, so that a field's is not looked up by a bigint for each record. */
export class SymbolTexts {
  readonly #high = new Int32Array(SYMBOL_SLOTS);
  readonly #low = new Int32Array(SYMBOL_SLOTS);
  readonly #texts: (FieldValue | undefined)[] = new Array<FieldValue | undefined>(SYMBOL_SLOTS).fill(undefined);

  of(record: RecordBytes, field: FieldFormat, facts: KernelFacts): FieldValue | null {
    const { view, begin, littleEndian, length } = record;
    const { offset, size } = field;
    if (size !== 8 || offset + size > length) return fieldOfRecord(record, field, facts);
    const at = begin + offset;
    const high = view.getInt32(littleEndian ? at + 4 : at, littleEndian);
    const low = view.getInt32(littleEndian ? at : at + 4, littleEndian);
    const slot = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 20;
    if (this.#high[slot] !== high || this.#low[slot] !== low || this.#texts[slot] === undefined) {
      this.#texts[slot] = fieldOfRecord(record, field, facts) ?? undefined;
      this.#high[slot] = high;
      this.#low[slot] = low;
    }
    return this.#texts[slot] ?? null;
  }
}
const SYMBOL_SLOTS = 1 << 12;

/** Addresses of code become symbols; without a symbol table they stay hexadecimal. */
function resolved(field: FieldFormat, value: FieldValue, facts: KernelFacts): FieldValue {
  const style = SYMBOL_FIELDS.get(field.name);
  if (style === undefined || field.size < 4 || typeof value === "string") return value;
  const address = BigInt.asUintN(field.size * 8, BigInt(value));
  return style === "name" ? symbolAlone(facts, address) : symbolWithOffset(facts, address);
}

/** Null if the record is too short for the field. */
function fieldValue(record: RecordBytes, field: FieldFormat): FieldValue | null {
  if (field.offset + field.size > record.length) return null;
  switch (field.shape) {
    case "integer":
      return integerAt(record, field);
    case "text":
      return textAt(record, field.offset, field.offset + field.size);
    case "rest":
      return field.isText ? textAt(record, field.offset, record.length) : hexText(record, field.offset, record.length);
    case "bytes":
      return hexText(record, field.offset, field.offset + field.size);
    case "data-loc":
    case "rel-loc": {
      const place = locatedAt(record, field.offset, field.shape === "rel-loc");
      if (place === null) return null;
      return field.isText ? textAt(record, place.from, place.to) : hexText(record, place.from, place.to);
    }
    default:
      return assertNever(field.shape);
  }
}

function integerAt(record: RecordBytes, { offset, size, signed }: FieldFormat): FieldValue | null {
  const { view, littleEndian } = record;
  const at = record.begin + offset;
  switch (size) {
    case 1:
      return signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return signed ? view.getInt16(at, littleEndian) : view.getUint16(at, littleEndian);
    case 4:
      return signed ? view.getInt32(at, littleEndian) : view.getUint32(at, littleEndian);
    case 8: {
      // Halves are numbers: most values need no bigint.
      const upper = view.getInt32(littleEndian ? at + 4 : at, littleEndian);
      if (upper >= 0 && upper < 0x20_0000) {
        return upper * 0x1_0000_0000 + view.getUint32(littleEndian ? at : at + 4, littleEndian);
      }
      const value = signed ? view.getBigInt64(at, littleEndian) : view.getBigUint64(at, littleEndian);
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : value;
    }
    default:
      return null;
  }
}

function hexText(record: RecordBytes, from: number, to: number): string {
  const { bytes, begin } = record;
  const end = Math.min(bytes.length, begin + to);
  let text = "";
  for (let at = begin + from; at < end; at++) {
    text += `${text === "" ? "" : " "}${HEX[bytes[at] as number]}`;
  }
  return text;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
