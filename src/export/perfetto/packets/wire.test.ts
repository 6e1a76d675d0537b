import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import protobuf from "protobufjs";
import { lengthKey, varintKey, WireBuffer } from "./wire.js";

const bytesOf = (write: (buffer: WireBuffer) => void): Uint8Array => {
  const buffer = new WireBuffer(1);
  write(buffer);
  return buffer.take();
};

test("a varint reads back as it was written, in the fewest bytes", () => {
  const check = (value: number): void => {
    const bytes = bytesOf((buffer) => buffer.varint(value));
    assert.equal(Number(protobuf.Reader.create(bytes).uint64()), value);
    assert.equal(bytes.length, Math.max(1, Math.ceil(value.toString(2).length / 7)));
  };
  for (const value of [0, 1, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 35, Number.MAX_SAFE_INTEGER]) {
    check(value);
  }
  fc.assert(fc.property(fc.maxSafeNat(), check));
});

test("a signed integer reads back, negative and beyond 2^53 too", () => {
  const read = (value: number | bigint): bigint => {
    const reader = protobuf.Reader.create(bytesOf((buffer) => buffer.int(value)));
    const { low, high } = reader.int64() as unknown as { low: number; high: number };
    assert.equal(reader.pos, reader.len);
    return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
  };
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => assert.equal(read(value), BigInt(value))));
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => assert.equal(read(value), value)),
  );
});

test("messages of any length nest, and grow the buffer", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.nat(40_000), (text, pad) => {
      const bytes = bytesOf((buffer) => {
        const outer = buffer.begin(lengthKey(1));
        buffer.textField(lengthKey(2), text);
        buffer.textField(lengthKey(3), "x".repeat(pad));
        buffer.end(outer);
        buffer.varintField(varintKey(126), 7);
      });
      const reader = protobuf.Reader.create(bytes);
      assert.equal(reader.uint32(), 10);
      const outerEnd = reader.uint32() + reader.pos;
      assert.equal(reader.uint32(), 18);
      assert.equal(reader.string(), Buffer.from(text).toString());
      assert.equal(reader.uint32(), 26);
      assert.equal(reader.string().length, pad);
      assert.equal(reader.pos, outerEnd);
      assert.equal(reader.uint32(), 126 * 8);
      assert.equal(reader.uint32(), 7);
      assert.equal(reader.pos, reader.len);
    }),
    { numRuns: 30 },
  );
});
