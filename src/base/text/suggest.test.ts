import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { didYouMean, editDistance, suggest } from "./suggest.js";

test("distance counts insertions, deletions, substitutions and swaps", () => {
  assert.equal(editDistance("", ""), 0);
  assert.equal(editDistance("json", "json"), 0);
  assert.equal(editDistance("jsn", "json"), 1);
  assert.equal(editDistance("jsson", "json"), 1);
  assert.equal(editDistance("jzon", "json"), 1);
  assert.equal(editDistance("josn", "json"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
  // Restricted: what was swapped is not edited again (the unrestricted distance is 2).
  assert.equal(editDistance("ca", "abc"), 3);
});

test("suggests what was most likely meant", () => {
  const commands = ["analyze", "blame", "critical-chain", "compare", "gate", "report", "perfetto"];
  assert.equal(suggest("analzye", commands), "analyze");
  assert.equal(suggest("analyse", commands), "analyze");
  assert.equal(suggest("GATE", commands), "gate");
  assert.equal(suggest("critical", commands), "critical-chain");
  assert.equal(suggest("reprot", commands), "report");
  assert.equal(suggest("zebra", commands), null);
  assert.equal(suggest("", commands), null);
  assert.equal(suggest("x", ["y"]), null);
  assert.equal(suggest("com", ["compare", "combine"]), null, "two candidates are as likely");
  assert.equal(didYouMean("balme", commands), ": did you mean blame?");
  assert.equal(didYouMean("zebra", commands), "");
});

test("property: a distance", () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom("a", "b", "c", "-") });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance, editDistance(b, a));
      assert.equal(distance === 0, a === b);
      assert.ok(distance <= Math.max(a.length, b.length));
      assert.ok(distance >= Math.abs(a.length - b.length));
      assert.equal(suggest(a, [b]) === null || suggest(a, [b]) === b, true);
    }),
  );
});

test("a hostile word costs no more than a long one", () => {
  const hostile = "x".repeat(10_000_000);
  assert.equal(suggest(hostile, ["json", "output"]), null);
});
