import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseKallsyms, type SymbolTable } from "./kallsyms.js";

const parse = (text: string): SymbolTable | null => parseKallsyms(new TextEncoder().encode(text));

const TABLE = `ffffffff81000100 T second
ffffffff81000000 T _text
ffffffff81000000 T first
ffffffff81000180 t third\t[e1000]
garbage
ffffffff81000200 T fourth
`;

test("an address is named by the symbol at or below it", () => {
  const symbols = parse(TABLE);
  assert.equal(symbols?.count, 5);
  assert.equal(symbols?.symbol(0xffffffff81000100n), "second+0x0/0x80");
  assert.equal(symbols?.symbol(0xffffffff8100017fn), "second+0x7f/0x80");
  assert.equal(symbols?.name(0xffffffff8100017fn), "second");
  // Of two at one address the first of the file, as the kernel prints it.
  assert.equal(symbols?.symbol(0xffffffff81000004n), "_text+0x4/0x100");
  assert.equal(symbols?.symbol(0xffffffff80ffffffn), null);
  assert.equal(symbols?.symbol(0xffffffff90000000n), null);
});

test("a module's symbol names its module", () => {
  const symbols = parse(TABLE);
  assert.equal(symbols?.symbol(0xffffffff81000190n), "third+0x10/0x80 [e1000]");
  assert.equal(symbols?.name(0xffffffff81000190n), "third [e1000]");
});

test("hidden addresses are ignored", () => {
  assert.equal(parse("0000000000000000 T a\n0000000000000000 T b\n"), null);
  assert.equal(parse(""), null);
});

test("every symbol is found at its own address, whatever the order of the file", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.bigInt(1n, (1n << 64n) - 1n), { minLength: 1, maxLength: 100 }), (addresses) => {
      const text = addresses.map((address, i) => `${address.toString(16).padStart(16, "0")} T f${i}`).join("\n");
      const symbols = parse(text);
      for (const [i, address] of addresses.entries()) assert.equal(symbols?.name(address), `f${i}`);
    }),
  );
});

test("a name longer than the kernel's longest is ignored", () => {
  const [longest, longer] = ["f".repeat(512), "f".repeat(600)];
  const symbols = parse(`ffffffff81000000 T ${longest}\nffffffff81000010 T ${longer}\nffffffff81000100 T last\n`);
  assert.equal(symbols?.count, 2);
  assert.equal(symbols?.name(0xffffffff81000020n), longest);
});

test("half a million symbols at one address: look-ups stay logarithmic", () => {
  const symbols = parse(`${"ffffffff81000000 T same\n".repeat(500_000)}ffffffff81080000 T last\n`);
  const before = process.cpuUsage();
  for (let i = 0n; i < 20_000n; i++) assert.equal(symbols?.name(0xffffffff81000000n + i), "same");
  const { user } = process.cpuUsage(before);
  assert.ok(user < 1_000_000, `${user} us`);
});
