/**
 * One event's `print fmt`, compiled: from a record to the text that TP_printk gives. If an argument cannot be
 * computed from the record (a kernel variable, a function that only the kernel has), the event has no print format, and
 * the reason says why; its fields are printed instead.
 */
import { err, ok, type Result } from "../../base/result.js";
import type { EventFormat } from "../formats/event-format.js";
import { parseExpressions } from "./c-expression.js";
import { type Compiled, compileExpression, pointedBytes, type Value } from "./evaluate.js";
import type { KernelFacts } from "./kernel-facts.js";
import { pointerText } from "./pointer-formats.js";
import { type Conversion, type FormatPiece, integerText, padded, parseFormat } from "./printf.js";
import { type RecordBytes, textAt } from "./record.js";

export interface PrintFormat {
  /** Null if the record is too short for it, or points outside itself. */
  text(record: RecordBytes): string | null;
  /** The format's pieces, for events whose kernel code prints their head differently. */
  readonly pieces: readonly FormatPiece[];
}

/** What the kernel prints for a pointer before its hash key is drawn; here: if the address cannot be computed. */
const UNKNOWN_POINTER = "(____ptrval____)";

/** `skip` leaves out that many conversions, with the text before them and up to the blank after the last. */
export function compilePrintFormat(format: EventFormat, facts: KernelFacts, skip = 0): Result<PrintFormat, string> {
  const parsed = parseExpressions(format.printFmt);
  if (!parsed.ok) return parsed;
  const [head, ...rest] = parsed.value;
  if (head?.kind !== "string") return err("it does not begin with a format string");
  let pieces = parseFormat(head.value);
  const args: (Compiled | null)[] = [];
  const conversions = pieces.filter((piece): piece is Conversion => piece.kind === "conversion");
  const plain: boolean[] = [];
  for (const piece of conversions) {
    if (piece.width === "*") plain.push(false);
    if (piece.precision === "*") plain.push(false);
    plain.push(piece.letter === "p" && /^[xK]?$/.test(piece.extension));
  }
  for (const [i, expression] of rest.entries()) {
    const compiled = compileExpression(expression, format, facts);
    if (compiled.ok) args.push(compiled.value);
    // The kernel hashes such a pointer, so that its value is not in its own text either.
    else if (plain[i] === true) args.push(null);
    else return err(compiled.error);
  }
  if (args.length < plain.length) return err(`it has ${plain.length} conversions and ${args.length} arguments`);
  if (skip > 0) {
    let passed = 0;
    let at = 0;
    while (at < pieces.length && passed < skip) if (pieces[at++]?.kind === "conversion") passed += 1;
    const next = pieces[at];
    const text = next?.kind === "text" ? next.text : "";
    const blank = text.indexOf(" ");
    pieces = blank < 0 ? [] : [{ kind: "text", text: text.slice(blank) }, ...pieces.slice(at + 1)];
    args.splice(0, skip);
  }
  return ok({ pieces, text: (record) => printed(record, pieces, args, facts) });
}

function printed(
  record: RecordBytes,
  pieces: readonly FormatPiece[],
  args: readonly (Compiled | null)[],
  facts: KernelFacts,
): string | null {
  let text = "";
  let next = 0;
  for (const piece of pieces) {
    if (piece.kind === "text") {
      text += piece.text;
      continue;
    }
    const number = (): number | null => {
      const value = args[next++]?.run(record, NO_LOCALS) ?? null;
      return typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : null;
    };
    const width = piece.width === "*" ? number() : (piece.width ?? 0);
    const precision = piece.precision === "*" ? number() : (piece.precision ?? -1);
    if (width === null || precision === null) return null;
    const argument = args[next++];
    if (argument === null) {
      text += UNKNOWN_POINTER;
      continue;
    }
    const value = argument?.run(record, NO_LOCALS) ?? null;
    if (value === null) return null;
    const part = converted(record, piece, value, width, precision, facts);
    if (part === null) return null;
    text += part;
  }
  return text;
}
const NO_LOCALS: readonly (Value | null)[] = [];

/** A field of at most this many columns: wider ones (`%*s` with a hostile width) are cut. */
const MAX_WIDTH = 4096;

/** One conversion of one value; null if they do not fit each other. */
export function converted(
  record: RecordBytes,
  piece: Conversion,
  value: Value,
  width: number,
  precision: number,
  facts: KernelFacts,
): string | null {
  const left = piece.left || width < 0;
  const columns = Math.min(MAX_WIDTH, Math.abs(width));
  switch (piece.letter) {
    case "c":
      return typeof value === "bigint" ? padded(String.fromCharCode(Number(value & 0xffn)), columns, left) : null;
    case "s": {
      const text = stringOf(record, value, facts);
      return padded(precision >= 0 ? text.slice(0, precision) : text, columns, left);
    }
    case "p": {
      const pointer =
        typeof value === "bigint" ? value : typeof value === "string" ? null : pointedBytes(record, value);
      if (pointer === null) return null;
      const text = pointerText(piece.extension, pointer, columns, facts, record.littleEndian);
      if (text === null) return null;
      return /^[hb]/.test(piece.extension) ? text : padded(text, columns, left);
    }
    case "n":
      return null;
    default: {
      if (typeof value !== "bigint") return null;
      const bits = piece.size(facts.longBytes) * 8;
      const signed = piece.letter === "d" || piece.letter === "i";
      return integerText(signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value), {
        base: piece.letter === "o" ? 8 : piece.letter === "x" || piece.letter === "X" ? 16 : 10,
        upper: piece.letter === "X",
        alternate: piece.alternate,
        zero: piece.zero,
        left,
        plus: piece.plus,
        space: piece.space,
        width: columns,
        precision,
      });
    }
  }
}

/** %s: text; an array's; or what the kernel has at that address, if printk_formats lists it. */
function stringOf(record: RecordBytes, value: Value, facts: KernelFacts): string {
  if (typeof value === "string") return value;
  if (typeof value === "object") return textAt(record, value.from, value.to);
  const address = BigInt.asUintN(facts.longBytes * 8, value);
  if (address === 0n) return "(null)";
  return facts.strings.get(address) ?? `(0x${address.toString(16)})`;
}
