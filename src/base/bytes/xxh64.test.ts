import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Xxh64 } from "./xxh64.js";

const hashOf = (...pieces: readonly Uint8Array[]): bigint => {
  const hash = new Xxh64();
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
};

/**
 * The specification's pseudo-random sanity buffer, and its checks of lengths 0, 1, 14 and 222 (xxHash's sanity_test).
 */
function sanityBuffer(length: number): Uint8Array {
  let generator = 2_654_435_761n;
  return Uint8Array.from({ length }, () => {
    const byte = Number(generator >> 56n);
    generator = BigInt.asUintN(64, generator * 11_400_714_785_074_694_797n);
    return byte;
  });
}

test("the hash of known texts is the published one", () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  assert.equal(hashOf(), 0xef46db3751d8e999n);
  assert.equal(hashOf(text("a")), 0xd24ec4f1a98c6e5bn);
  assert.equal(hashOf(text("abc")), 0x44bc2cf5ad770999n);
  assert.equal(hashOf(text("Nobody inspects the spammish repetition")), 0xfbcea83c8a378bf1n);
  assert.equal(hashOf(sanityBuffer(1)), 0xe934a84adb052768n);
  assert.equal(hashOf(sanityBuffer(14)), 0x8282dcc4994e35c8n);
  assert.equal(hashOf(sanityBuffer(222)), 0xb641ae8cb691c174n);
});

test("the hash does not depend on how the bytes are cut", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(300), (bytes, a, b) => {
      const [first, second] = a < b ? [a, b] : [b, a];
      assert.equal(hashOf(bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)), hashOf(bytes));
    }),
  );
});
