/**
 * A record as the kernel lists it with options/fields, and always for a previous boot's ring: ` name=value` of every
 * field (print_fields, kernel/trace/trace_output.c).
 */
import { assertNever } from "../../base/result.js";
import type { EventFormat, FieldFormat } from "../formats/event-format.js";
import { type KernelFacts, symbolWithOffset } from "./kernel-facts.js";
import { locatedAt, type RecordBytes, textAt, unsignedAt } from "./record.js";

/** Fields one after the other, each with a blank before it. */
export function fieldListText(record: RecordBytes, format: EventFormat, facts: KernelFacts): string {
  let text = "";
  for (const field of format.fields) {
    text += ` ${field.name}=`;
    text += field.offset + field.size > record.length ? "<OVERFLOW>" : fieldText(record, field, facts);
  }
  return text;
}

function fieldText(record: RecordBytes, field: FieldFormat, facts: KernelFacts): string {
  switch (field.shape) {
    case "text":
      return textAt(record, field.offset, field.offset + field.size);
    case "data-loc":
    case "rel-loc": {
      const place = locatedAt(record, field.offset, field.shape === "rel-loc");
      if (place === null) return "<OVERFLOW>";
      if (field.isText) return textAt(record, place.from, place.to);
      return Array.from(record.bytes.subarray(record.begin + place.from, record.begin + place.to), (byte) =>
        byte.toString(16).padStart(2, "0"),
      ).join(",");
    }
    case "rest":
      // A flexible array of characters is a static string to the kernel, of no length: `%.0s`.
      return field.isText ? "" : "<INVALID-SIZE>";
    case "bytes":
    case "integer":
      return integerText(record, field, facts);
    default:
      return assertNever(field.shape);
  }
}

function integerText(record: RecordBytes, field: FieldFormat, facts: KernelFacts): string {
  const { size, offset } = field;
  const value = unsignedAt(record, offset, size);
  if (value === null) return "<INVALID-SIZE>";
  if (/^(?:const )?char \*(?: const)?$/.test(field.type)) {
    const string = facts.strings.get(value);
    const address = `0x${value.toString(16).padStart(facts.longBytes * 2, "0")}`;
    return string === undefined ? `(${address})` : `(${address}:${string})`;
  }
  switch (size) {
    case 1: {
      const printable = value >= 0x20n && value < 0x7fn;
      return `${printable ? `'${String.fromCharCode(Number(value))}'` : ""}(${value})`;
    }
    case 2:
      return `0x${value.toString(16)} (${value})`;
    default: {
      // A long may be an address of code: the kernel tries.
      const shown = size === facts.longBytes ? symbolWithOffset(facts, value) : `0x${value.toString(16)}`;
      return `${shown} (${BigInt.asIntN(size * 8, value)})`;
    }
  }
}
