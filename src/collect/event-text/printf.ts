/**
 * The kernel's printf formats (lib/vsprintf.c, Documentation/core-api/printk-formats.rst), parsed once into pieces.
 * Pointer formats (%p…) are in pointer-formats.ts.
 */

export interface Conversion {
  readonly kind: "conversion";
  /** The letter: d i u x X o c s p. */
  readonly letter: string;
  /** What follows `%p`: `S`, `I4`, `hN`. */
  readonly extension: string;
  readonly left: boolean;
  readonly plus: boolean;
  readonly space: boolean;
  readonly alternate: boolean;
  readonly zero: boolean;
  /** "*" if it is an argument; null if there is none. */
  readonly width: number | "*" | null;
  readonly precision: number | "*" | null;
  /** Bytes of an integer argument: 1 (hh), 2 (h), 4, 8 (l, ll, L, q, z, t, j on 64-bit kernels). */
  readonly size: (longBytes: 4 | 8) => 1 | 2 | 4 | 8;
}

export type FormatPiece = { readonly kind: "text"; readonly text: string } | Conversion;

const SPECIFIER = /%([-+ #0]*)(\*|\d{1,6})?(?:\.(\*|-?\d{0,6}))?(hh|h|ll|l|L|q|z|t|j|Z)?([diuxXocspn%])/y;
/** Wider fields than this are no print format but an attempt on memory. */
const MAX_WIDTH = 4096;

/** Pieces in order; everything but conversions stays text, as the kernel prints it. */
export function parseFormat(format: string): readonly FormatPiece[] {
  const pieces: FormatPiece[] = [];
  let text = "";
  for (let at = 0; at < format.length; ) {
    if (format[at] !== "%") {
      const next = format.indexOf("%", at);
      const end = next < 0 ? format.length : next;
      text += format.slice(at, end);
      at = end;
      continue;
    }
    SPECIFIER.lastIndex = at;
    const match = SPECIFIER.exec(format);
    if (match === null) {
      text += "%";
      at += 1;
      continue;
    }
    at = SPECIFIER.lastIndex;
    const [, flags = "", width, precision, length = "", letter = ""] = match;
    if (letter === "%") {
      text += "%";
      continue;
    }
    let extension = "";
    if (letter === "p") {
      // The kernel eats all letters and digits behind %p, whatever they mean.
      extension = /^[A-Za-z0-9]*/.exec(format.slice(at))?.[0] ?? "";
      at += extension.length;
    }
    if (text !== "") pieces.push({ kind: "text", text });
    text = "";
    const number = (found: string | undefined): number | "*" | null =>
      found === undefined ? null : found === "*" ? "*" : Math.min(MAX_WIDTH, Math.max(0, Number(found)));
    pieces.push({
      kind: "conversion",
      letter,
      extension,
      left: flags.includes("-"),
      plus: flags.includes("+"),
      space: flags.includes(" "),
      alternate: flags.includes("#"),
      zero: flags.includes("0"),
      width: number(width),
      precision: number(precision),
      size: sizeOf(length),
    });
  }
  if (text !== "") pieces.push({ kind: "text", text });
  return pieces;
}

function sizeOf(length: string): Conversion["size"] {
  switch (length) {
    case "hh":
      return () => 1;
    case "h":
      return () => 2;
    case "ll":
    case "L":
    case "q":
    case "j":
      return () => 8;
    case "l":
    case "z":
    case "Z":
    case "t":
      return (longBytes) => longBytes;
    default:
      return () => 4;
  }
}

/** Pads to the width with blanks; zeros are the number formats' own. */
export function padded(text: string, width: number, left: boolean): string {
  return text.length >= width ? text : left ? text.padEnd(width) : text.padStart(width);
}

export interface IntegerStyle {
  readonly base: 8 | 10 | 16;
  readonly upper: boolean;
  readonly alternate: boolean;
  readonly zero: boolean;
  readonly left: boolean;
  readonly plus: boolean;
  readonly space: boolean;
  readonly width: number;
  /** -1 if there is none. */
  readonly precision: number;
}

/** One integer, already cut to its size and sign, as number() of lib/vsprintf.c writes it. */
export function integerText(value: bigint | number, style: IntegerStyle): string {
  const negative = value < 0;
  let digits = (negative ? -value : value).toString(style.base);
  if (style.upper) digits = digits.toUpperCase();
  let sign = "";
  if (negative) sign = "-";
  else if (style.plus) sign = "+";
  else if (style.space) sign = " ";
  let prefix = "";
  // Unlike C's, the kernel's %#x writes 0x0.
  if (style.alternate && style.base === 16) prefix = style.upper ? "0X" : "0x";
  if (style.alternate && style.base === 8 && digits !== "0") prefix = "0";
  if (digits.length < style.precision) digits = digits.padStart(style.precision, "0");
  const room = style.width - sign.length - prefix.length - digits.length;
  if (room > 0 && style.zero && !style.left && style.precision < 0) digits = "0".repeat(room) + digits;
  return padded(sign + prefix + digits, style.width, style.left);
}
