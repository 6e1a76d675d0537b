/**
 * Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), written by hand: varints, length-delimited
 * fields and fixed64 into one growing buffer. Lengths are written behind their message, so that nothing is sized twice.
 */

/** Key of a varint field. */
export const varintKey = (field: number): number => field * 8;
/** Key of a length-delimited field. */
export const lengthKey = (field: number): number => field * 8 + 2;
/** Key of a 64-bit little-endian field. */
export const fixed64Key = (field: number): number => field * 8 + 1;

const LOW_BITS = 2 ** 28;
/** The longest varint: 64 bits, seven a byte. */
const VARINT_ROOM = 10;
const encoder = new TextEncoder();

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
    if (this.#at + VARINT_ROOM > this.#bytes.length) this.#grow(VARINT_ROOM);
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
        this.varintByte(Number(rest & 0x7fn) | 0x80);
        rest >>= 7n;
      }
      this.varintByte(Number(rest));
    } else if (value >= 0) {
      this.varint(value);
    } else {
      const high = Math.floor(value / LOW_BITS);
      const low = value - high * LOW_BITS;
      for (let shift = 0; shift < 28; shift += 7) this.varintByte(((low >>> shift) & 0x7f) | 0x80);
      for (let shift = 0; shift < 28; shift += 7) this.varintByte(((high >> shift) & 0x7f) | 0x80);
      this.varintByte(0xff);
      this.varintByte(0x01);
    }
  }

  private varintByte(byte: number): void {
    if (this.#at + VARINT_ROOM > this.#bytes.length) this.#grow(VARINT_ROOM);
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

  /** Text as UTF-8; a lone surrogate becomes U+FFFD. */
  textField(key: number, text: string): void {
    const mark = this.begin(key);
    const room = text.length * 3;
    if (this.#at + room > this.#bytes.length) this.#grow(room);
    this.#at += encoder.encodeInto(text, this.#bytes.subarray(this.#at)).written;
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
    if (this.#at + VARINT_ROOM > this.#bytes.length) this.#grow(VARINT_ROOM);
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = key;
    bytes[at + 1] = value;
    bytes[at + 2] = nextKey;
    bytes[at + 3] = nextValue;
    this.#at = at + 4;
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
    if (this.#at === this.#bytes.length) this.#grow(VARINT_ROOM);
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
