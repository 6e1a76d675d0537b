import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { globMatcher } from "./glob.js";

test("a star is any text, a question mark one character", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["sched_*", "sched_switch", true],
    ["sched_*", "xsched_switch", false],
    ["*_enter_*", "sys_enter_ioctl", true],
    ["sched_?witch", "sched_switch", true],
    ["?", "🙂", true],
    ["a**b", "ab", true],
    ["*", "", true],
    ["", "a", false],
    ["a.c", "abc", false],
    ["print", "printk", false],
  ];
  for (const [pattern, text, expected] of cases)
    assert.equal(globMatcher(pattern)(text), expected, `${pattern} ${text}`);
});

test("a text without wildcards matches itself alone", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (text, other) => {
      const literal = text.replace(/[*?]/g, "");
      assert.ok(globMatcher(literal)(literal));
      assert.equal(globMatcher(literal)(other), literal === other);
      assert.ok(globMatcher(`*${literal}*`)(`${other}${literal}${other}`));
    }),
  );
});
