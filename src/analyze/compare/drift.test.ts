import assert from "node:assert/strict";
import test from "node:test";
import { driftWarnings, type TimedValue } from "./drift.js";

/** Every `step` ms from `begin` on; blackouts that rise by `slope` each. */
function series(begin: number, step: number, slope: number): readonly TimedValue[] {
  return Array.from({ length: 20 }, (_, i) => ({
    atMs: begin + i * step,
    valueNs: 1e9 + slope * (begin + i * step) + ((i * 7919) % 13) * 1e6,
  }));
}

const codes = (a: readonly TimedValue[], b: readonly TimedValue[]) => driftWarnings(a, b).map(({ code }) => code);
const untimed = (values: readonly TimedValue[]) => values.map(({ valueNs }) => ({ atMs: null, valueNs }));

test("taken in turn: nothing to say, drift or none", () => {
  assert.deepEqual(codes(series(0, 2, 0), series(1, 2, 0)), []);
  assert.deepEqual(codes(series(0, 2, 1e7), series(1, 2, 1e7)), []);
});

test("cohorts recorded one after the other are reported, and so is visible drift", () => {
  assert.deepEqual(codes(series(0, 1, 0), series(100, 1, 0)), ["sequential"]);
  assert.deepEqual(codes(series(100, 1, 0), series(0, 1, 0)), ["sequential"]);
  const [warning] = driftWarnings(series(0, 1, 1e7), series(100, 1, 1e7));
  assert.equal(warning?.code, "drift");
  assert.match(warning.message, /the baseline first.*rise.*in turn/s);
});

test("without times, only a trend is reason to doubt", () => {
  assert.deepEqual(codes(untimed(series(0, 1, 0)), untimed(series(100, 1, 0))), []);
  assert.deepEqual(codes(untimed(series(0, 1, 1e7)), untimed(series(100, 1, 1e7))), ["order-unknown"]);
});
