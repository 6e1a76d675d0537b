import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import protobuf from "protobufjs";
import { lengthKey, unzigzag, VarintReader, varintKey, WireBuffer, WireReader, zigzag } from "./wire.js";

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

test("what the writer writes, the reader reads, field by field", () => {
  const value = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
  fc.assert(
    fc.property(fc.array(fc.oneof(value, fc.string({ unit: "grapheme", maxLength: 300 }))), (values) => {
      const buffer = new WireBuffer(1);
      values.forEach((each, i) => {
        if (typeof each === "string") buffer.textField(lengthKey(i + 1), each);
        else buffer.intField(varintKey(i + 1), each);
      });
      const reader = new WireReader(buffer.view());
      const found: unknown[] = [];
      while (reader.next()) {
        assert.equal(reader.field, found.length + 1);
        found.push(reader.type === 2 ? reader.text() : BigInt(reader.signed()));
      }
      assert.equal(reader.damaged, false);
      assert.deepEqual(
        found,
        values.map((each) => (typeof each === "string" ? Buffer.from(each).toString() : BigInt(each))),
      );
    }),
  );
});

test("a varint without an end, or of more than ten bytes, is reported and stays within its limit", () => {
  assert.equal(new VarintReader(Uint8Array.of(0x96, 0x01)).varint(), 150);
  assert.equal(new VarintReader(Uint8Array.of(0x96)).varint(), -1);
  assert.equal(new VarintReader(Uint8Array.of(0x96, 0x01), 0, 1).varint(), -1);
  const long = new VarintReader(new Uint8Array(20).fill(0x80));
  assert.deepEqual([long.varint(), long.at], [-1, 10]);
});

test("zigzag keeps numbers near zero small, and loses none", () => {
  assert.deepEqual([0, -1, 1, -2, 2].map(zigzag), [0, 1, 2, 3, 4]);
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (value) => {
      assert.equal(unzigzag(zigzag(value)) + 0, value);
    }),
  );
});
