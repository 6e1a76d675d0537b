/**
 * Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), read and written by hand: varints (LEB128),
 * zigzag, length-delimited and fixed fields. The one place of it: Perfetto's traces, reports and histogram logs use it.
 */

/** Key of a varint field. */
export const varintKey = (field: number): number => field * 8;
/** Key of a length-delimited field. */
export const lengthKey = (field: number): number => field * 8 + 2;
/** Key of a 64-bit little-endian field. */
export const fixed64Key = (field: number): number => field * 8 + 1;

/** The longest varint: 64 bits, seven a byte. */
const VARINT_BYTES = 10;

/** A place in bytes that varints are read from, up to `limit`. */
export class VarintReader {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly limit = bytes.length,
  ) {}

  /**
   * The varint that begins here, rounded above 2^53 as all numbers are; -1 if it has no end before the limit or in ten
   * bytes. Then `at` is behind what was looked at.
   */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_BYTES && this.at < this.limit; i++) {
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return -1;
  }
}

/** Signed integers as unsigned ones, small if they are near zero; up to 2^52 either way. */
export const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);
export const unzigzag = (coded: number): number => (coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2);

/** Reads a message field by field. What does not fit its message ends it: `damaged`. */
export class WireReader extends VarintReader {
  /** Of the field that `next` stands on. */
  field = 0;
  type = 0;
  /** A varint or fixed value; exact only if it is a safe integer: `big` has it whole. */
  value = 0;
  /** The value if it is not a safe integer, or fixed; else -1. */
  big = 0n;
  /** A length-delimited field's bytes. */
  begin = 0;
  end = 0;
  damaged = false;

  #value(): boolean {
    const from = this.at;
    this.value = this.varint();
    this.big = this.value > Number.MAX_SAFE_INTEGER ? this.#whole(from) : -1n;
    return this.value >= 0;
  }

  /** The varint from `from` to here, modulo 2^64. */
  #whole(from: number): bigint {
    let value = 0n;
    for (let at = this.at - 1; at >= from; at--) value = (value << 7n) | BigInt((this.bytes[at] as number) & 0x7f);
    return BigInt.asUintN(64, value);
  }

  /** Moves to the next field; false at the end, or if the message is damaged. */
  next(): boolean {
    if (this.at >= this.limit) return false;
    const key = this.varint();
    if (key < 0) return this.#fail();
    this.type = key & 7;
    this.field = Math.floor(key / 8);
    switch (this.type) {
      case 0:
        return this.#value() || this.#fail();
      case 1:
      case 5: {
        const size = this.type === 1 ? 8 : 4;
        if (this.at + size > this.limit) return this.#fail();
        let value = 0n;
        for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[this.at + i] as number);
        this.big = value;
        this.value = Number(value);
        this.at += size;
        return true;
      }
      case 2: {
        const length = this.varint();
        if (length < 0 || this.at + length > this.limit) return this.#fail();
        this.begin = this.at;
        this.end = this.at + length;
        this.at = this.end;
        return true;
      }
      default:
        return this.#fail();
    }
  }

  #fail(): boolean {
    this.damaged = true;
    this.at = this.limit;
    return false;
  }

  /** The field's message. */
  message(): WireReader {
    return new WireReader(this.bytes, this.begin, this.end);
  }

  text(): string {
    return decoder.decode(this.bytes.subarray(this.begin, this.end));
  }

  /** The value as an unsigned 64-bit integer. */
  unsigned(): bigint {
    return this.big >= 0n ? this.big : BigInt(this.value);
  }

  /** The value as an int32 or int64: negative ones have all 64 bits. */
  signed(): number | bigint {
    if (this.big < 0n) return this.value;
    const value = BigInt.asIntN(64, this.big);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** Packed varints of a length-delimited field, or the one of a varint field. */
  packed(): number[] {
    if (this.type === 0) return [Number(this.signed())];
    const values: number[] = [];
    const inner = this.message();
    while (inner.at < inner.limit && inner.#value()) values.push(Number(inner.signed()));
    return values;
  }
}

const decoder = new TextDecoder("utf-8");

const LOW_BITS = 2 ** 28;
const encoder = new TextEncoder();
const SHORT_TEXT = 48;

/**
 * Fields and values into one growing buffer. Lengths are written behind their message, so that nothing is sized twice.
 */
export class WireBuffer {
  #bytes: Uint8Array;
  #at = 0;

  constructor(readonly initial = 4096) {
    this.#bytes = new Uint8Array(initial);
  }

  get length(): number {
    return this.#at;
  }

  /** What was written, valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** What was written, given away: the buffer goes on with fresh memory. */
  take(): Uint8Array {
    const taken = this.view();
    this.#bytes = new Uint8Array(this.initial);
    this.#at = 0;
    return taken;
  }

  /** Forgets everything after `length` bytes. */
  rewind(length: number): void {
    this.#at = length;
  }

  #grow(room: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + room));
    grown.set(this.view());
    this.#bytes = grown;
  }

  /** A safe integer from zero up. */
  varint(value: number): void {
    if (this.#at + VARINT_BYTES > this.#bytes.length) this.#grow(VARINT_BYTES);
    const bytes = this.#bytes;
    let at = this.#at;
    if (value < 0x80) {
      bytes[at] = value;
      this.#at = at + 1;
      return;
    }
    let rest = value;
    if (value >= LOW_BITS) {
      rest = Math.floor(value / LOW_BITS);
      const low = value - rest * LOW_BITS;
      bytes[at++] = (low & 0x7f) | 0x80;
      bytes[at++] = ((low >>> 7) & 0x7f) | 0x80;
      bytes[at++] = ((low >>> 14) & 0x7f) | 0x80;
      bytes[at++] = (low >>> 21) | 0x80;
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#at = at;
  }

  /** An int32, int64 or uint64: negative ones in ten bytes of two's complement; bigints modulo 2^64. */
  int(value: number | bigint): void {
    if (typeof value === "bigint") {
      let rest = BigInt.asUintN(64, value);
      while (rest > 0x7fn) {
        this.#varintByte(Number(rest & 0x7fn) | 0x80);
        rest >>= 7n;
      }
      this.#varintByte(Number(rest));
    } else if (value >= 0) {
      this.varint(value);
    } else {
      const high = Math.floor(value / LOW_BITS);
      const low = value - high * LOW_BITS;
      for (let shift = 0; shift < 28; shift += 7) this.#varintByte(((low >>> shift) & 0x7f) | 0x80);
      for (let shift = 0; shift < 28; shift += 7) this.#varintByte(((high >> shift) & 0x7f) | 0x80);
      this.#varintByte(0xff);
      this.#varintByte(0x01);
    }
  }

  #varintByte(byte: number): void {
    if (this.#at + VARINT_BYTES > this.#bytes.length) this.#grow(VARINT_BYTES);
    this.#bytes[this.#at++] = byte;
  }

  varintField(key: number, value: number): void {
    this.varint(key);
    this.varint(value);
  }

  intField(key: number, value: number | bigint): void {
    this.varint(key);
    this.int(value);
  }

  /** Writes text of ASCII; false, and nothing written, if it holds anything else. */
  #ascii(text: string): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at + i] = code;
    }
    this.#at = at + text.length;
    return true;
  }

  /** Text as UTF-8; a lone surrogate becomes U+FFFD. */
  textField(key: number, text: string): void {
    const mark = this.begin(key);
    const room = text.length * 3;
    if (this.#at + room > this.#bytes.length) this.#grow(room);
    // A call of the encoder costs more than a short text.
    if (text.length > SHORT_TEXT || !this.#ascii(text)) {
      this.#at += encoder.encodeInto(text, this.#bytes.subarray(this.#at)).written;
    }
    this.end(mark);
  }

  doubleField(key: number, value: number): void {
    this.varint(key);
    this.#eight((view, at) => view.setFloat64(at, value, true));
  }

  /** A fixed64 that fits 2^53. */
  fixed64Field(key: number, value: number): void {
    this.varint(key);
    this.#eight((view, at) => view.setBigUint64(at, BigInt(value), true));
  }

  #eight(write: (view: DataView, at: number) => void): void {
    if (this.#at + 8 > this.#bytes.length) this.#grow(8);
    write(new DataView(this.#bytes.buffer, this.#bytes.byteOffset), this.#at);
    this.#at += 8;
  }

  /** Two varint fields whose keys and values are below 128: the constants that every packet begins with. */
  twoSmall(key: number, value: number, nextKey: number, nextValue: number): void {
    if (this.#at + VARINT_BYTES > this.#bytes.length) this.#grow(VARINT_BYTES);
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = key;
    bytes[at + 1] = value;
    bytes[at + 2] = nextKey;
    bytes[at + 3] = nextValue;
    this.#at = at + 4;
  }

  byte(value: number): void {
    this.#varintByte(value);
  }

  /** Bytes as they are, without key or length. */
  raw(bytes: Uint8Array): void {
    if (this.#at + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Opens a message; hand the result to `end`. Most are shorter than 128 bytes, so one byte is kept for the length. */
  begin(key: number): number {
    this.varint(key);
    if (this.#at === this.#bytes.length) this.#grow(VARINT_BYTES);
    this.#at += 1;
    return this.#at;
  }

  end(mark: number): void {
    const length = this.#at - mark;
    if (length < 0x80) {
      this.#bytes[mark - 1] = length;
      return;
    }
    let more = 0;
    for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 0x80)) more++;
    if (this.#at + more > this.#bytes.length) this.#grow(more);
    this.#bytes.copyWithin(mark + more, mark, this.#at);
    const end = this.#at + more;
    this.#at = mark - 1;
    this.varint(length);
    this.#at = end;
  }
}
