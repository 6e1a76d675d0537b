/**
 * An event's text as a program: steps in one array of numbers, run by one loop, so that a record costs no call for each
 * piece. Each step copies the literal text before it, then writes one value.
 */
import {
  type ByteWriter,
  HOST_IS_LITTLE,
  hexDigits,
  isPlain,
  OVERHANG,
  packedTexts,
  writeDecimal,
  writeHex,
} from "./byte-writer.js";
import type { RecordCursor } from "./record-cursor.js";

export const PrintStep = {
  /** Only the literal. */
  literal: 0,
  /** `width` hexadecimal digits. */
  pointer: 1,
  /** An integer as it is signed: `size` with the field's sign, cut to `bits`. */
  signed: 2,
  unsigned: 3,
  /** Hexadecimal without zeros; with 0x before it if `flag`. */
  hex: 4,
  /** What `made[index]` makes, kept by the field's value. */
  remembered: 5,
  /** Characters of a fixed field up to a NUL. */
  characters: 6,
  /** Characters that a data location points to. */
  located: 7,
  /** The rest of the record, without the newline at its end. */
  rest: 8,
  /** What `made[index]` makes, each time. */
  made: 9,
  /** An integer of 8 bytes as JSON has it: in quotes beyond 2^53. */
  json64: 10,
} as const;
export type PrintStep = (typeof PrintStep)[keyof typeof PrintStep];

/** One step before it is put into a program. */
export interface StepDraft {
  readonly step: PrintStep;
  readonly offset?: number;
  readonly size?: number;
  readonly width?: number;
  /** 0x30 or 0x20: what fills the width. */
  readonly fill?: number;
  /** Sign of the field, or the 0x before a hexadecimal number. */
  readonly flag?: boolean;
  /** Bits of the conversion: 32 or 64. */
  readonly bits?: number;
  /** Makes the part as text; null if the record does not hold it. */
  readonly make?: (record: RecordCursor) => string | null;
  /** A quoted part, of which quotes and backslashes cannot be copied. */
  readonly isQuoted?: boolean;
}

const STRIDE = 10;
/** Values that are remembered for each step, and the room of each. */
const SLOTS = 1 << 10;
const SLOT_BYTES = 64;
const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
/** More than any number with its padding. */
const NUMBER_BYTES = 96;

/** Texts by a field's value: direct-mapped, so that it is bounded and never cleared. */
class Memo {
  readonly high = new Int32Array(SLOTS);
  readonly low = new Int32Array(SLOTS);
  readonly lengths = new Uint8Array(SLOTS);
  readonly words = new Float64Array((SLOTS * SLOT_BYTES) / 8);
  readonly bytes = new Uint8Array(this.words.buffer);
  /** Those longer than a slot. */
  readonly long: (Uint8Array | undefined)[] = [];
}

export class Program {
  readonly #code: Int32Array;
  readonly #steps: number;
  readonly #literals: Float64Array;
  readonly #make: readonly ((record: RecordCursor) => string | null)[];
  readonly #memos: readonly (Memo | null)[];
  /** Room that all literals and numbers take. */
  readonly #room: number;

  constructor(parts: readonly (string | StepDraft)[]) {
    const code: number[] = [];
    const make: ((record: RecordCursor) => string | null)[] = [];
    const memos: (Memo | null)[] = [];
    const literals: string[] = [];
    let literal = "";
    const add = (draft: StepDraft): void => {
      const { step, offset = 0, size = 0, width = 0, fill = 0x20, flag = false, bits = 32, isQuoted = false } = draft;
      code.push(
        step,
        0,
        literal.length,
        offset,
        size,
        width,
        fill,
        (flag ? 1 : 0) | (isQuoted ? 2 : 0),
        bits,
        make.length,
      );
      literals.push(literal);
      literal = "";
      if (draft.make === undefined) return;
      make.push(draft.make);
      memos.push(step === PrintStep.remembered ? new Memo() : null);
    };
    for (const part of parts) {
      if (typeof part === "string") literal += part;
      else add(part);
    }
    if (literal !== "") add({ step: PrintStep.literal });
    const { words, starts } = packedTexts(literals);
    for (const [i, start] of starts.entries()) code[i * STRIDE + 1] = start;
    this.#code = Int32Array.from(code);
    this.#steps = literals.length;
    this.#literals = words;
    this.#make = make;
    this.#memos = memos;
    this.#room = words.length * 8 + this.#steps * NUMBER_BYTES + OVERHANG;
  }

  /** Writes the record's text; false if it is too short for it, or holds more than plain characters. */
  write(out: ByteWriter, record: RecordCursor): boolean {
    const code = this.#code;
    const literals = this.#literals;
    const end = this.#steps * STRIDE;
    const { length } = record;
    out.reserve(this.#room);
    let { bytes, view, at } = out;
    for (let pc = 0; pc < end; pc += STRIDE) {
      const literal = code[pc + 2] as number;
      for (let i = 0, word = code[pc + 1] as number; i < literal; i += 8) {
        view.setFloat64(at + i, literals[word++] as number, HOST_IS_LITTLE);
      }
      at += literal;
      const offset = code[pc + 3] as number;
      const size = code[pc + 4] as number;
      if (offset + size > length) return false;
      switch (code[pc] as PrintStep) {
        case PrintStep.literal:
          break;
        case PrintStep.pointer:
          at = writeHex(view, at, record.high(offset, size), record.low(offset, size), code[pc + 5] as number);
          break;
        case PrintStep.signed:
        case PrintStep.unsigned:
          at = this.#integer(bytes, at, record, pc, offset, size);
          if (at < 0) return false;
          break;
        case PrintStep.hex: {
          const high = (code[pc + 8] as number) === 64 ? record.high(offset, size) : 0;
          const low = record.low(offset, size);
          const digits = hexDigits(high, low);
          const fill = code[pc + 6] as number;
          const prefix = ((code[pc + 7] as number) & 1) * 2;
          const room = (code[pc + 5] as number) - digits - prefix;
          if (fill !== 0x30) for (let i = 0; i < room; i++) bytes[at++] = fill;
          if (prefix > 0) {
            bytes[at++] = 0x30;
            bytes[at++] = 0x78;
          }
          if (fill === 0x30) for (let i = 0; i < room; i++) bytes[at++] = fill;
          at = writeHex(view, at, high, low, digits);
          break;
        }
        case PrintStep.remembered: {
          const memo = this.#memos[code[pc + 9] as number] as Memo;
          const high = record.high(offset, size);
          const low = record.low(offset, size);
          const slot = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 22;
          if (memo.lengths[slot] === 0 || memo.high[slot] !== high || memo.low[slot] !== low) {
            if (!this.#learn(memo, slot, high, low, code[pc + 9] as number, record)) return false;
          }
          const kept = memo.lengths[slot] as number;
          if (kept <= SLOT_BYTES + 1) {
            const known = memo.words;
            for (let i = 0, word = slot * (SLOT_BYTES / 8); i < kept - 1; i += 8) {
              view.setFloat64(at + i, known[word++] as number, HOST_IS_LITTLE);
            }
            at += kept - 1;
            break;
          }
          out.at = at;
          const long = memo.long[slot] ?? NOTHING;
          out.reserve(long.length + this.#room);
          out.put(long);
          ({ bytes, view, at } = out);
          break;
        }
        case PrintStep.json64:
          at = writeJson64(
            view,
            at,
            record.high(offset, size),
            record.low(offset, size),
            (code[pc + 7] as number) !== 0,
          );
          break;
        case PrintStep.characters:
          out.at = at;
          if (!copyText(out, record, offset, offset + size, (code[pc + 7] as number) !== 0)) return false;
          out.reserve(this.#room);
          ({ bytes, view, at } = out);
          break;
        case PrintStep.located: {
          const location = record.low(offset, 4);
          const first = location & 0xffff;
          const last = first + (location >>> 16);
          out.at = at;
          if (last > length || !copyText(out, record, first, last, (code[pc + 7] as number) !== 0)) return false;
          out.reserve(this.#room);
          ({ bytes, view, at } = out);
          break;
        }
        case PrintStep.rest:
          out.at = at;
          if (!copyRest(out, record, offset, (code[pc + 7] as number) !== 0)) return false;
          out.reserve(this.#room);
          ({ bytes, view, at } = out);
          break;
        case PrintStep.made: {
          const text = this.#make[code[pc + 9] as number]?.(record) ?? null;
          if (text === null) return false;
          out.at = at;
          out.text(text);
          if (!isPlain(out.bytes, at, out.at)) return false;
          out.reserve(this.#room);
          ({ bytes, view, at } = out);
        }
      }
    }
    out.at = at;
    return true;
  }

  #learn(memo: Memo, slot: number, high: number, low: number, index: number, record: RecordCursor): boolean {
    const text = this.#make[index]?.(record) ?? null;
    if (text === null) return false;
    const made = encoder.encode(text);
    for (const byte of made) if (byte < 0x20 || byte > 0x7e) return false;
    memo.high[slot] = high;
    memo.low[slot] = low;
    if (made.length > SLOT_BYTES) {
      memo.lengths[slot] = 255;
      memo.long[slot] = made;
    } else {
      // One more than the length, so that 0 stands for an empty slot.
      memo.lengths[slot] = made.length + 1;
      memo.bytes.set(made, slot * SLOT_BYTES);
    }
    return true;
  }

  /** Returns where it ends; -1 for what a double does not hold, or a wrap-around that is rare. */
  #integer(bytes: Uint8Array, at: number, record: RecordCursor, pc: number, offset: number, size: number): number {
    const code = this.#code;
    const isSignedText = code[pc] === PrintStep.signed;
    const isSignedField = ((code[pc + 7] as number) & 1) !== 0;
    const isWide = (code[pc + 8] as number) === 64;
    const width = code[pc + 5] as number;
    const fill = code[pc + 6] as number;
    let value = record.low(offset, size);
    if (size === 8 && isWide) {
      const high = record.high(offset, size);
      if (high !== 0 || value < 0) {
        if (isSignedText ? high < -0x20_0000 || high >= 0x20_0000 : high < 0 || high >= 0x20_0000) return -1;
        const whole = high * 0x1_0000_0000 + (value >>> 0);
        if (whole >= 0) return writeDecimal(bytes, at, whole, width, fill);
        if (width > 0) return -1;
        bytes[at] = 0x2d;
        return writeDecimal(bytes, at + 1, -whole, 0, fill);
      }
    } else if (size >= 4) {
      // A conversion of 32 bits shows the lower half by its own sign; one of 64 keeps the field's.
      if (value < 0 && (isWide ? !isSignedField : !isSignedText))
        return writeDecimal(bytes, at, value >>> 0, width, fill);
    } else if (isSignedField) {
      const shift = 32 - size * 8;
      value = (value << shift) >> shift;
      if (value < 0 && !isSignedText && !isWide) return writeDecimal(bytes, at, value >>> 0, width, fill);
    }
    if (value >= 0) return writeDecimal(bytes, at, value, width, fill);
    if (!isSignedText || width > 0) return -1;
    bytes[at] = 0x2d;
    return writeDecimal(bytes, at + 1, -value, 0, fill);
  }
}

/** Decimal digits of a 64-bit integer, by divisions that stay on integers of 32 bits; in quotes beyond 2^53. */
function writeJson64(view: DataView, from: number, high: number, low: number, isSigned: boolean): number {
  let [h, l] = [high, low];
  let at = from;
  const isNegative = isSigned && high < 0;
  if (isNegative) {
    l = -low | 0;
    h = l === 0 ? -high | 0 : ~high;
  }
  const isLarge = h >>> 0 >= 0x20_0000;
  if (isLarge) view.setUint8(at++, 0x22);
  if (isNegative) view.setUint8(at++, 0x2d);
  let [a, b, c, d] = [h >>> 16, h & 0xffff, l >>> 16, l & 0xffff];
  let count = 0;
  do {
    let rest = a;
    a = (rest / 10_000) | 0;
    rest = (rest - a * 10_000) * 65_536 + b;
    b = (rest / 10_000) | 0;
    rest = (rest - b * 10_000) * 65_536 + c;
    c = (rest / 10_000) | 0;
    rest = (rest - c * 10_000) * 65_536 + d;
    d = (rest / 10_000) | 0;
    GROUPS[count++] = rest - d * 10_000;
  } while ((a | b | c | d) !== 0);
  for (let group = count - 1; group >= 0; group--) {
    const value = GROUPS[group] as number;
    const isFirst = group === count - 1;
    if (!isFirst || value >= 1000) view.setUint8(at++, 0x30 + ((value / 1000) | 0));
    if (!isFirst || value >= 100) view.setUint8(at++, 0x30 + (((value / 100) | 0) % 10));
    if (!isFirst || value >= 10) view.setUint8(at++, 0x30 + (((value / 10) | 0) % 10));
    view.setUint8(at++, 0x30 + (value % 10));
  }
  if (isLarge) view.setUint8(at++, 0x22);
  return at;
}
/** Scratch of four decimal digits each: a 64-bit integer has at most twenty. */
const GROUPS = new Int32Array(5);

/** Characters up to a NUL; false if one is not plain, or is a quote or a backslash within quotes. */
function copyText(out: ByteWriter, record: RecordCursor, from: number, to: number, isQuoted: boolean): boolean {
  out.reserve(to - from);
  const source = record.bytes;
  const into = out.bytes;
  let { at } = out;
  const end = record.begin + to;
  for (let place = record.begin + from; place < end; place++) {
    const byte = source[place] as number;
    if (byte === 0) break;
    if (byte < 0x20 || byte > 0x7e || (isQuoted && (byte === 0x22 || byte === 0x5c))) return false;
    into[at++] = byte;
  }
  out.at = at;
  return true;
}

function copyRest(out: ByteWriter, record: RecordCursor, offset: number, isQuoted: boolean): boolean {
  let end = record.begin + offset;
  const limit = record.begin + record.length;
  while (end < limit && record.bytes[end] !== 0) end++;
  let to = end - record.begin;
  if (to > offset && record.bytes[end - 1] === 0x0a) to -= 1;
  return copyText(out, record, offset, to, isQuoted);
}
