import assert from "node:assert/strict";
import test from "node:test";
import { packetOf, returned } from "./debugger.js";

test("a packet carries its checksum", () => {
  assert.equal(packetOf("OK"), "$OK#9a");
  assert.equal(packetOf("g"), "$g#67");
  assert.equal(packetOf(""), "$#00");
});

test("a function that returns at once changes only rax, rsp and rip", () => {
  const registers = Array.from({ length: 24 }, (_, i) => BigInt(i) << 8n);
  const hex = (values: readonly bigint[]): string =>
    values
      .map((value) => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
        return bytes.toString("hex");
      })
      .join("");
  const after = [...registers];
  after[0] = -16n;
  after[7] = (7n << 8n) + 8n;
  after[16] = 0xffffffff81234567n;
  assert.equal(returned(hex(registers), hex([0xffffffff81234567n]), -16n), hex(after));
});
