/** Byte constants and tables of the text scanners. */

export const TAB = 0x09;
export const NEWLINE = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const SPACE = 0x20;
export const HASH = 0x23;
export const OPEN_PAREN = 0x28;
export const CLOSE_PAREN = 0x29;
export const STAR = 0x2a;
export const MINUS = 0x2d;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const NINE = 0x39;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const LESS = 0x3c;
export const GREATER = 0x3e;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const PIPE = 0x7c;
export const CLOSE_BRACE = 0x7d;

/** 1 for the bytes of a C identifier, which event, field and syscall names are made of. */
export const IDENTIFIER: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9_]/.test(String.fromCharCode(byte)) && byte < 0x80 ? 1 : 0,
);

export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

/** Lower case, as the kernel prints. */
export function isHexDigit(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x61 && byte <= 0x66);
}

/** The first position in [from, end) that does not hold a space, or `end`. */
export function skipSpaces(buffer: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && buffer[at] === SPACE) at++;
  return at;
}

/** The position after the last byte in [begin, end) that is not a space. */
export function trimRight(buffer: Uint8Array, begin: number, end: number): number {
  let at = end;
  while (at > begin && buffer[at - 1] === SPACE) at--;
  return at;
}

/** Whether [at, end) begins with `text`. */
export function startsWith(buffer: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (end - at < text.length) return false;
  for (let i = 0; i < text.length; i++) if (buffer[at + i] !== text[i]) return false;
  return true;
}

/** Where `text` first occurs in [from, end), or -1. */
export function find(buffer: Uint8Array, from: number, end: number, text: Uint8Array): number {
  const first = text[0] as number;
  for (let at = from; at + text.length <= end; at++) {
    if (buffer[at] === first && startsWith(buffer, at, end, text)) return at;
  }
  return -1;
}

const encoder = new TextEncoder();
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);
