/** A growing buffer of bytes that lines are written into: no string per line, and one write per block. */

const LEAST_BYTES = 1 << 16;
const ZERO = 0x30;
const DIGITS = new TextEncoder().encode("0123456789abcdef");
const encoder = new TextEncoder();

/** Text is copied eight bytes at a time, in the host's order: no byte of plain text makes a double that is not one. */
export const HOST_IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
/** Copying eight bytes at a time writes up to this much behind the text; it is written over next. */
export const OVERHANG = 8;

/** Plain texts packed one after the other, each at a multiple of eight bytes. */
export function packedTexts(texts: readonly string[]): {
  readonly words: Float64Array;
  readonly starts: readonly number[];
} {
  const starts: number[] = [];
  let size = 0;
  for (const text of texts) {
    starts.push(size);
    size += Math.ceil(text.length / 8);
  }
  const words = new Float64Array(size + 1);
  const bytes = new Uint8Array(words.buffer);
  for (const [i, text] of texts.entries()) encoder.encodeInto(text, bytes.subarray((starts[i] as number) * 8));
  return { words, starts };
}

export class ByteWriter {
  bytes: Uint8Array = new Uint8Array(LEAST_BYTES);
  view: DataView = new DataView(this.bytes.buffer);
  /** Where the next byte is written. */
  at = 0;

  /** Makes room for `more` bytes. Whatever is written after is within them. */
  reserve(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + more));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  /** Copies `part`; room must be reserved. */
  put(part: Uint8Array): void {
    const { length } = part;
    if (length > 48) {
      this.bytes.set(part, this.at);
      this.at += length;
      return;
    }
    const { bytes } = this;
    let { at } = this;
    for (let i = 0; i < length; i++) bytes[at++] = part[i] as number;
    this.at = at;
  }

  /** Writes text of any length as UTF-8. */
  text(value: string): void {
    this.reserve(value.length * 3);
    this.at += encoder.encodeInto(value, this.bytes.subarray(this.at)).written;
  }

  /** As writeDecimal; room must be reserved. */
  decimal(value: number, width = 0, fill = 0x20): void {
    this.at = writeDecimal(this.bytes, this.at, value, width, fill);
  }
}

/** Writes a whole number from 0 to 2^53, right-aligned in `width` columns filled with `fill`; returns where it ends. */
export function writeDecimal(bytes: Uint8Array, from: number, value: number, width: number, fill: number): number {
  return value <= 0x7fff_ffff
    ? writeSmall(bytes, from, value | 0, width, fill)
    : writeLarge(bytes, from, value, width, fill);
}

function writeSmall(bytes: Uint8Array, from: number, value: number, width: number, fill: number): number {
  let count = 1;
  if (value >= 10) count = value < 100 ? 2 : value < 1000 ? 3 : digitsOf(value);
  let at = from;
  for (let i = count; i < width; i++) bytes[at++] = fill;
  const end = at + count;
  let rest = value;
  for (let place = end - 1; place >= at; place--) {
    const tenth = (rest / 10) | 0;
    bytes[place] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}

function digitsOf(value: number): number {
  let count = 4;
  for (let limit = 10_000; count < 10 && value >= limit; limit *= 10) count++;
  return count;
}

/** Beyond 2^31 a division is done on doubles: nine digits at a time keep the rest on integers. */
function writeLarge(bytes: Uint8Array, from: number, value: number, width: number, fill: number): number {
  const high = Math.floor(value / 1e9);
  const low = value - high * 1e9;
  const at = writeDecimal(bytes, from, high, Math.max(0, width - 9), fill);
  return writeSmall(bytes, at, low, 9, ZERO);
}

/** Two hexadecimal digits of each byte, as they lie in memory. */
const PAIRS = Uint16Array.from({ length: 256 }, (_, byte) => {
  const [first, second] = [DIGITS[byte >> 4] as number, DIGITS[byte & 15] as number];
  return HOST_IS_LITTLE ? first | (second << 8) : (first << 8) | second;
});

/** Writes the lower `count` hexadecimal digits of a 64-bit word in two halves; returns where they end. */
export function writeHex(view: DataView, from: number, high: number, low: number, count: number): number {
  const end = from + count;
  const middle = count > 8 ? end - 8 : from;
  writeHalf(view, middle, low, end - middle);
  if (count > 8) writeHalf(view, from, high, count - 8);
  return end;
}

function writeHalf(view: DataView, from: number, word: number, count: number): void {
  let rest = word;
  let place = from + count - 2;
  for (; place >= from; place -= 2) {
    view.setUint16(place, PAIRS[rest & 255] as number, HOST_IS_LITTLE);
    rest >>>= 8;
  }
  if (place === from - 1) view.setUint8(from, DIGITS[rest & 15] as number);
}

/** How many hexadecimal digits a 64-bit word has without zeros before it. */
export function hexDigits(high: number, low: number): number {
  const word = high !== 0 ? high : low;
  const digits = Math.max(1, (35 - Math.clz32(word)) >> 2);
  return high !== 0 ? digits + 8 : digits;
}

/** Whether all of [from, to) are printable ASCII, which a terminal shows as it stands. */
export function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte < 0x20 || byte > 0x7e) return false;
  }
  return true;
}
