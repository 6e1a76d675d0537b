import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { axisNsOf, type ClockSegment, clockMap, placeColumn, shiftMap, uncertaintyOf } from "./clock-map.js";
import { type Instant, instant } from "./time.js";

const D = "old:trace" as const;

test("readings of two boots cannot be mixed: the compiler refuses this", () => {
  const old: Instant<"old:trace"> = instant("old:trace", 5n);
  const fresh: Instant<"new:trace"> = instant("new:trace", 7n);
  // @ts-expect-error two boots' instants have no difference without a clock link
  void (old - fresh);
  // @ts-expect-error nor are they numbers
  assert.throws(() => void (old - 1));
  // @ts-expect-error nor can they be ordered
  void (old < fresh);
  // @ts-expect-error nor placed by the other boot's map
  axisNsOf(clockMap(D, [{ fromCount: 0n, axisNs: 0, nsPerCount: 1, uncertaintyNs: 0 }]), fresh);
});

test("a rate change bends the line and keeps it whole", () => {
  const map = clockMap(D, [
    { fromCount: 0n, axisNs: 0, nsPerCount: 0.5, uncertaintyNs: 30 },
    { fromCount: 1_000n, axisNs: 500, nsPerCount: 2, uncertaintyNs: 10 },
  ]);
  assert.equal(axisNsOf(map, instant(D, -100n)), -50);
  assert.equal(axisNsOf(map, instant(D, 999n)), 500);
  assert.equal(axisNsOf(map, instant(D, 1_000n)), 500);
  assert.equal(axisNsOf(map, instant(D, 1_010n)), 520);
  assert.equal(uncertaintyOf(map, instant(D, 999n)), 30);
  assert.equal(uncertaintyOf(map, instant(D, 1_000n)), 10);
  assert.equal(axisNsOf(shiftMap(map, 500), instant(D, 1_000n)), 0);
});

test("a map that would run backwards is refused", () => {
  const segment: ClockSegment = { fromCount: 0n, axisNs: 0, nsPerCount: 1, uncertaintyNs: 0 };
  assert.throws(() => clockMap(D, []), RangeError);
  assert.throws(() => clockMap(D, [{ ...segment, nsPerCount: 0 }]), RangeError);
  assert.throws(() => clockMap(D, [segment, { ...segment, fromCount: 0n }]), RangeError);
  assert.throws(() => clockMap(D, [segment, { ...segment, fromCount: 100n, axisNs: 99 }]), RangeError);
});

const segments = fc
  .array(
    fc.record({
      counts: fc.integer({ min: 1, max: 1_000_000_000 }),
      rate: fc.double({ min: 0.1, max: 10, noNaN: true }),
      slack: fc.integer({ min: 0, max: 1_000_000 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((steps) => {
    // A TSC that has run for a year is above 2^53.
    let fromCount = 2n ** 56n;
    let axisNs = -1_000_000;
    return steps.map((step): ClockSegment => {
      const segment = { fromCount, axisNs, nsPerCount: step.rate, uncertaintyNs: step.slack };
      fromCount += BigInt(step.counts);
      axisNs += Math.round(step.counts * step.rate) + step.slack;
      return segment;
    });
  });

test("property: monotone, integer, and the column agrees with the single reading", () => {
  fc.assert(
    fc.property(segments, fc.array(fc.integer({ min: -1e9, max: 9e9 }), { maxLength: 50 }), (parts, offsets) => {
      const map = clockMap(D, parts);
      const base = 2n ** 56n;
      const counts = Float64Array.from(offsets);
      const out = new Float64Array(offsets.length);
      placeColumn(map, base, counts, offsets.length, out);
      const single = offsets.map((offset) => axisNsOf(map, instant(D, base + BigInt(offset))));
      assert.deepEqual([...out], single);
      const sorted = [...offsets].sort((a, b) => a - b);
      const placed = sorted.map((offset) => axisNsOf(map, instant(D, base + BigInt(offset))));
      placed.forEach((ns, i) => {
        assert.ok(Number.isSafeInteger(ns));
        assert.ok(i === 0 || ns >= (placed[i - 1] as number));
      });
    }),
  );
});
