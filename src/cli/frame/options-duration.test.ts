import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { durationText, parseDuration, parseSignedDuration } from "./options-duration.js";

test("durations carry their unit", () => {
  assert.equal(parseDuration("250us"), 250_000);
  assert.equal(parseDuration("250µs"), 250_000);
  assert.equal(parseDuration("250μs"), 250_000);
  assert.equal(parseDuration("2.5ms"), 2_500_000);
  assert.equal(parseDuration("0.1s"), 100_000_000);
  assert.equal(parseDuration("1 s"), 1_000_000_000);
  assert.equal(parseDuration("2min"), 120_000_000_000);
  assert.equal(parseDuration("1h"), 3_600_000_000_000);
  assert.equal(parseDuration("0s"), 0);
  assert.equal(parseDuration("9007199254740991ns"), Number.MAX_SAFE_INTEGER);
});

test("a time on the axis may lie before its zero", () => {
  assert.equal(parseSignedDuration("-5ms"), -5_000_000);
  assert.equal(parseSignedDuration("+1.2s"), 1_200_000_000);
  assert.equal(parseSignedDuration("250us"), 250_000);
  assert.ok(Object.is(parseSignedDuration("-0s"), 0));
  for (const wrong of ["--5ms", "-", "- 5ms", "-5", "+-5ms", "5"]) assert.equal(parseSignedDuration(wrong), null);
  assert.equal(durationText(-1_500_000), "-1500us");
});

test("a text that is not an exact duration is refused", () => {
  for (const wrong of [
    "",
    "5",
    "ms",
    "-1ms",
    "1.ms",
    ".5ms",
    "1e3ms",
    "0.5ns",
    "9007199254740992ns",
    "9999999h",
    "1m",
    "1  ms",
  ])
    assert.equal(parseDuration(wrong), null, wrong);
});

test("property: written and read back the same; nothing throws", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (ns) => {
      assert.equal(parseDuration(durationText(ns)), ns);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void parseDuration(text)));
  assert.equal(durationText(0), "0s");
  assert.equal(durationText(1_500_000), "1500us");
});
