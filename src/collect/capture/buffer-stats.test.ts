import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseBufferStats } from "./buffer-stats.js";

test("the kernel's counters, and the oldest stamp as it is printed", () => {
  const text =
    "entries: 194740\noverrun: 3\ncommit overrun: 1\nbytes: 12508820\noldest event ts:    13.123494\nnow ts:    25.170179\ndropped events: 2\nread events: 7\n";
  assert.deepEqual(parseBufferStats(text), {
    entries: 194_740,
    overrun: 3,
    commitOverrun: 1,
    bytes: 12_508_820,
    droppedEvents: 2,
    readEvents: 7,
    oldest: "13.123494",
    now: "25.170179",
  });
  assert.equal(parseBufferStats("oldest event ts: 12993836904\n").oldest, "12993836904");
});

test("`overrun` is not read from `commit overrun`, and what is absent or no number is null", () => {
  const stats = parseBufferStats("commit overrun: 5\nentries: many\nbytes: -1\nread events: 99999999999999999999\n");
  assert.deepEqual(
    [stats.overrun, stats.commitOverrun, stats.entries, stats.bytes, stats.readEvents],
    [null, 5, null, null, null],
  );
});

test("any text gives counters that are whole numbers or null", () => {
  const line = fc
    .tuple(fc.constantFrom("entries", "overrun", "bytes", "now ts"), fc.string())
    .map(([k, v]) => `${k}: ${v}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), (given) => {
      const { oldest, now, ...counters } = parseBufferStats(given.join("\n"));
      for (const value of Object.values(counters)) assert.ok(value === null || Number.isSafeInteger(value));
      for (const stamp of [oldest, now]) assert.ok(stamp === null || /^[\d.]+$/.test(stamp));
    }),
  );
});
