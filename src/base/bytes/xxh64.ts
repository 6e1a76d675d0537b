/**
 * XXH64 (Yann Collet, xxHash specification 0.2), seed 0: zstd's content checksum is its low 32 bits. 64-bit numbers are
 * halves of 32 bits, as bigints are ten times slower.
 */

/** The five primes as bigints, and the first two as halves, which the loop over stripes needs. */
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const P1_HIGH = 0x9e3779b1 | 0;
const P1_LOW = 0x85ebca87 | 0;
const P2_HIGH = 0xc2b2ae3d | 0;
const P2_LOW = 0x27d4eb4f | 0;

const STRIPE_BYTES = 32;
const MASK = (1n << 64n) - 1n;

const rotated = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & MASK;

/** Upper 32 bits of the product of two unsigned 32-bit numbers. */
function productHigh(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const [low, left, right] = [a0 * b0, a0 * b1, a1 * b0];
  const middle = (low >>> 16) + (left & 0xffff) + (right & 0xffff);
  return (a1 * b1 + (left >>> 16) + (right >>> 16) + (middle >>> 16)) | 0;
}

/** The hash of bytes that come piece by piece. */
export class Xxh64 {
  /** Four lanes: low half, high half. */
  readonly #lanes = new Int32Array(8);
  readonly #held = new Uint8Array(STRIPE_BYTES);
  #heldBytes = 0;
  #length = 0;

  constructor() {
    for (const [lane, value] of [P1 + P2, P2, 0n, -P1].entries()) {
      this.#lanes[2 * lane] = Number(BigInt.asIntN(32, value));
      this.#lanes[2 * lane + 1] = Number(BigInt.asIntN(32, value >> 32n));
    }
  }

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    let at = 0;
    if (this.#heldBytes > 0) {
      at = Math.min(STRIPE_BYTES - this.#heldBytes, bytes.length);
      this.#held.set(bytes.subarray(0, at), this.#heldBytes);
      this.#heldBytes += at;
      if (this.#heldBytes < STRIPE_BYTES) return;
      this.#stripes(this.#held, 0, STRIPE_BYTES);
      this.#heldBytes = 0;
    }
    const whole = at + Math.floor((bytes.length - at) / STRIPE_BYTES) * STRIPE_BYTES;
    this.#stripes(bytes, at, whole);
    this.#held.set(bytes.subarray(whole));
    this.#heldBytes = bytes.length - whole;
  }

  /** Each lane: rotate(lane + input * P2, 31) * P1. */
  #stripes(bytes: Uint8Array, from: number, to: number): void {
    const lanes = this.#lanes;
    for (let at = from; at < to; at += STRIPE_BYTES) {
      for (let lane = 0; lane < 4; lane++) {
        const i = at + 8 * lane;
        const low =
          (bytes[i] as number) |
          ((bytes[i + 1] as number) << 8) |
          ((bytes[i + 2] as number) << 16) |
          ((bytes[i + 3] as number) << 24);
        const high =
          (bytes[i + 4] as number) |
          ((bytes[i + 5] as number) << 8) |
          ((bytes[i + 6] as number) << 16) |
          ((bytes[i + 7] as number) << 24);
        const timesHigh = (productHigh(low, P2_LOW) + Math.imul(low, P2_HIGH) + Math.imul(high, P2_LOW)) | 0;
        const sumLow = ((lanes[2 * lane] as number) >>> 0) + (Math.imul(low, P2_LOW) >>> 0);
        const carry = sumLow > 0xffff_ffff ? 1 : 0;
        const sumHigh = ((lanes[2 * lane + 1] as number) + timesHigh + carry) | 0;
        const turnedLow = (sumLow << 31) | (sumHigh >>> 1) | 0;
        const turnedHigh = (sumHigh << 31) | ((sumLow | 0) >>> 1) | 0;
        lanes[2 * lane] = Math.imul(turnedLow, P1_LOW);
        lanes[2 * lane + 1] =
          (productHigh(turnedLow, P1_LOW) + Math.imul(turnedLow, P1_HIGH) + Math.imul(turnedHigh, P1_LOW)) | 0;
      }
    }
  }

  #lane(index: number): bigint {
    const [low, high] = [this.#lanes[2 * index] as number, this.#lanes[2 * index + 1] as number];
    return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  }

  /** The hash of all bytes so far. */
  digest(): bigint {
    const round = (lane: bigint, input: bigint): bigint => (rotated((lane + input * P2) & MASK, 31n) * P1) & MASK;
    let hash = P5;
    if (this.#length >= STRIPE_BYTES) {
      const lanes = [0, 1, 2, 3].map((index) => this.#lane(index));
      hash = lanes.reduce((sum, lane, i) => sum + rotated(lane, [1n, 7n, 12n, 18n][i] as bigint), 0n) & MASK;
      for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
    }
    hash = (hash + BigInt(this.#length)) & MASK;
    const view = new DataView(this.#held.buffer);
    let at = 0;
    for (; at + 8 <= this.#heldBytes; at += 8) {
      hash = (rotated(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK;
    }
    if (at + 4 <= this.#heldBytes) {
      hash = (rotated(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK;
      at += 4;
    }
    for (; at < this.#heldBytes; at++) {
      hash = (rotated(hash ^ ((BigInt(this.#held[at] as number) * P5) & MASK), 11n) * P1) & MASK;
    }
    hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
    hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
    return hash ^ (hash >> 32n);
  }
}
