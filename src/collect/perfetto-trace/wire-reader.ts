/** Reads Protocol Buffers' wire format field by field. What does not fit its message ends it: `damaged`. */
export class WireReader {
  /** Of the field that `next` stands on. */
  field = 0;
  type = 0;
  /** A varint or fixed value; exact only where it is a safe integer: `big` has it whole. */
  value = 0;
  big = 0n;
  /** A length-delimited field's bytes. */
  begin = 0;
  end = 0;
  damaged = false;
  at: number;

  constructor(
    readonly bytes: Uint8Array,
    from: number,
    readonly limit: number,
  ) {
    this.at = from;
  }

  #varint(): boolean {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.limit) return false;
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.value = value;
        if (value > Number.MAX_SAFE_INTEGER) this.#whole(i + 1);
        else this.big = -1n;
        return true;
      }
      scale *= 128;
    }
    return false;
  }

  /** The varint that ends here, of so many bytes, modulo 2^64. */
  #whole(length: number): void {
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) {
      value = (value << 7n) | BigInt((this.bytes[this.at - length + i] as number) & 0x7f);
    }
    this.big = BigInt.asUintN(64, value);
  }

  /** Moves to the next field; false at the end, or where the message is damaged. */
  next(): boolean {
    if (this.at >= this.limit) return false;
    if (!this.#varint()) return this.#fail();
    this.type = this.value & 7;
    this.field = Math.floor(this.value / 8);
    switch (this.type) {
      case 0:
        return this.#varint() || this.#fail();
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
      case 2:
        if (!this.#varint() || this.at + this.value > this.limit) return this.#fail();
        this.begin = this.at;
        this.end = this.at + this.value;
        this.at = this.end;
        return true;
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
    while (inner.at < inner.limit) {
      if (!inner.#varint()) break;
      values.push(Number(inner.signed()));
    }
    return values;
  }
}

const decoder = new TextDecoder("utf-8");
