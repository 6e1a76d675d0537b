import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { formatBytes, formatDuration, formatSigned, formatSize, formatUncertainty } from "./format.js";

test("four digits, in the unit that fits", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 ns"],
    [812, "812 ns"],
    [12_300, "12.30 us"],
    [999_960, "1.000 ms"],
    [179_142_000, "179.1 ms"],
    [5_214_506_369, "5.215 s"],
    [-1_190_000, "-1.190 ms"],
    [99_996, "100.0 us"],
    [640_000_000_000, "640.0 s"],
  ];
  for (const [ns, text] of cases) assert.equal(formatDuration(ns), text);
});

test("a bound is rounded up, to two digits", () => {
  assert.equal(formatUncertainty(0), "± 0 ns");
  assert.equal(formatUncertainty(7), "± 7 ns");
  assert.equal(formatUncertainty(231_001), "± 240 us");
  assert.equal(formatUncertainty(999_001), "± 1 ms");
});

const SCALE: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
const inNs = (text: string): number => {
  const [value, unit] = text.replace("± ", "").split(" ");
  return Number(value) * (SCALE[unit ?? ""] ?? Number.NaN);
};

test("property: a duration is within half a digit, a bound is never below itself", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 46 }), (ns) => {
      assert.ok(Math.abs(inNs(formatDuration(ns)) - ns) <= ns * 0.0006 + 0.5);
      assert.ok(inNs(formatUncertainty(ns)) >= ns * (1 - 1e-9));
      assert.ok(inNs(formatUncertainty(ns)) <= ns * 1.11 + 1);
    }),
  );
});

test("a signed duration shows its sign, and zero has none", () => {
  assert.deepEqual([0, 1_230_000, -120_000_000].map(formatSigned), ["0", "+1.230 ms", "-120.0 ms"]);
});

test("sizes have three digits in a binary unit, and exact counts their thousands", () => {
  const sizes = [0, 812, 1_023, 1_024, 655_360, 4 << 20, 13_107_200, 3.5 * 2 ** 40];
  assert.deepEqual(sizes.map(formatSize), [
    "0 bytes",
    "812 bytes",
    "1,023 bytes",
    "1 KiB",
    "640 KiB",
    "4 MiB",
    "12.5 MiB",
    "3.5 TiB",
  ]);
  assert.equal(formatSize(2 ** 20 - 1), "1 MiB");
  assert.equal(formatBytes(3_594_240), "3,594,240 bytes");
});
