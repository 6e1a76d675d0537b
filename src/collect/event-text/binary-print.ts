/**
 * trace_printk's binary records (event `bprint`): the format is an address in printk_formats, the arguments are packed
 * by vbin_printf and unpacked as bstr_printf does (lib/vsprintf.c): 32-bit words, 8-byte values on 4-byte boundaries,
 * strings inline and padded.
 */
import type { KernelFacts } from "./kernel-facts.js";
import { converted } from "./print-format.js";
import { parseFormat } from "./printf.js";
import { type RecordBytes, textAt, unsignedAt } from "./record.js";

/** Pointer formats that vbin_printf stores as the pointer itself; of all others it stores the finished text. */
const STORED_AS_POINTER = /^(?:[SsxKeFfB]|$)/;

/** `at` is where the packed arguments begin in the record; null if they do not fit the format. */
export function binaryPrintText(record: RecordBytes, format: string, at: number, facts: KernelFacts): string | null {
  let text = "";
  let place = at;
  const take = (size: number): bigint | null => {
    // get_arg aligns to 4 what is smaller than 8, and 8-byte values to 4 as well.
    place = align(place, Math.min(size, 4));
    const value = unsignedAt(record, place, size);
    place += size;
    return value;
  };
  const string = (): string | null => {
    if (place >= record.length) return null;
    const found = textAt(record, place, record.length);
    const end = record.bytes.indexOf(0, record.begin + place);
    if (end < 0 || end >= record.begin + record.length) return null;
    place = end + 1 - record.begin;
    return found;
  };
  for (const piece of parseFormat(format)) {
    if (piece.kind === "text") {
      text += piece.text;
      continue;
    }
    const star = (part: number | "*" | null): number | null | undefined => {
      if (part !== "*") return part ?? undefined;
      const value = take(4);
      return value === null ? null : Number(BigInt.asIntN(32, value));
    };
    const width = star(piece.width);
    const precision = star(piece.precision);
    if (width === null || precision === null) return null;
    let part: string | null;
    if (piece.letter === "s" || (piece.letter === "p" && !STORED_AS_POINTER.test(piece.extension))) {
      const value = string();
      part =
        value === null ? null : converted(record, { ...piece, letter: "s" }, value, width ?? 0, precision ?? -1, facts);
    } else {
      const size = piece.letter === "p" ? facts.longBytes : piece.letter === "c" ? 1 : piece.size(facts.longBytes);
      const value = take(size);
      part = value === null ? null : converted(record, piece, value, width ?? 0, precision ?? -1, facts);
    }
    if (part === null) return null;
    text += part;
  }
  return text;
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
