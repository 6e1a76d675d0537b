import assert from "node:assert/strict";
import test from "node:test";
import { errnoName, errnoOf } from "./errno.js";

test("an error is read from a return value as traces print it: signed, or unsigned of 32 or 64 bits", () => {
  for (const value of [-12, "-12", -12n, 0xfffffff4, "0xfffffff4", 0xfffffffffffffff4n, "18446744073709551604"])
    assert.equal(errnoOf(value), 12, String(value));
});

test("success, counts, addresses, text and missing values are not read as errors", () => {
  for (const value of [0, 5, "0x1", -4096, 0xffff888000000000n, "void", "", undefined, null])
    assert.equal(errnoOf(value), null, String(value));
});

test("an error has its name, or its number", () => {
  assert.equal(errnoName(12), "ENOMEM");
  assert.equal(errnoName(110), "ETIMEDOUT");
  assert.equal(errnoName(4000), "4000");
});
