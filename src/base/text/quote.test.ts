import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import fc from "fast-check";
import { escapePattern, quoted, quotedValue, shellQuoted } from "./quote.js";

test("text of others stands in quotes in a message, with its controls escaped, and is cut", () => {
  assert.equal(quoted('a"b\n\x1b'), '"a\\"b\\n\\u001b"');
  assert.equal(quoted("abcdef", 3), '"abc…"');
});

test("a value's type is visible in a message: the text 5 is not the number 5", () => {
  assert.deepEqual([5, "5", null, undefined, [1], "", () => 0].map(quotedValue), [
    "5",
    '"5"',
    "null",
    "nothing",
    "[1]",
    '""',
    "?",
  ]);
  assert.equal(quotedValue("x".repeat(70)), `"${"x".repeat(60)}…"`);
  assert.equal(quotedValue(Array(40).fill(1)).length, 61);
});

test("a shell reads back each quoted word", () => {
  const words = ["plain", "it's", "", "a b\n", '$HOME `id` \\ "', "'", "''"];
  const script = `printf '%s\\0' ${words.map(shellQuoted).join(" ")}`;
  assert.deepEqual(execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1), words);
});

test("property: a pattern made of a text matches this text, and no other", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, other) => {
      const pattern = new RegExp(`^${escapePattern(text)}$`);
      assert.equal(pattern.test(text), true);
      assert.equal(pattern.test(other), other === text);
    }),
  );
});
