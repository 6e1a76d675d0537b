import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { TickLog } from "../../model/collected.js";
import type { TickGap } from "../../model/documents/guest.js";
import { MAX_EXPECTED_TICKS, tickGap } from "./guest-ticks.js";

const MS = 1_000_000;
const log = (...sinceFirstNs: readonly number[]): TickLog => ({
  file: "vm.ticks",
  vm: null,
  clock: null,
  interval: null,
  sinceFirstNs: Float64Array.from(sinceFirstNs),
  breaks: [],
});
function gapOf(ticks: TickLog, interval: number | null = null): TickGap {
  const found = tickGap(ticks, interval, null);
  if (typeof found === "string") throw new Error(found);
  return found;
}

test("the gap is the blackout to one interval, whenever the guest was stopped", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: MS / 2, max: 50 * MS }),
      fc.integer({ min: 0, max: 20_000 * MS }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (interval, blackout, phase) => {
        const before = Array.from({ length: 20 }, (_, i) => i * interval);
        const stopped = 19 * interval + Math.floor(phase * interval);
        // The timer that was due while it stood still fires as soon as it runs again.
        const resumed = Math.max(stopped + blackout, 20 * interval);
        const after = Array.from({ length: 20 }, (_, i) => resumed + i * interval);
        if ((resumed + 20 * interval) / interval > MAX_EXPECTED_TICKS) return;
        const { stoodStillNs, gapNs } = gapOf(log(...before, ...after), interval);
        assert.ok(gapNs >= interval);
        if (blackout >= interval) assert.ok(stoodStillNs.lowerNs <= blackout && blackout <= stoodStillNs.upperNs);
      },
    ),
    { numRuns: 60 },
  );
});

test("corrected for coordinated omission: the ticks that never came count", () => {
  const ticks = log(...Array.from({ length: 500 }, (_, i) => i * 10 * MS), 4_990 * MS + 5_000 * MS);
  const { gapNs, missed, intervalFrom, recorded, corrected } = gapOf(ticks);
  assert.deepEqual([gapNs, missed, intervalFrom], [5_000 * MS, 499, "median"]);
  const at = (list: TickGap["recorded"], percent: number): number =>
    list.find((each) => each.percent === percent)?.ns ?? 0;
  assert.ok(at(recorded, 99) < 11 * MS, "as recorded, 99 of 100 ticks came in time");
  // 499 of 999 delays are even: 10 ms; the other 500 are 10 ms, 20 ms, … 5 s.
  assert.ok(Math.abs(at(corrected, 90) - 4_000 * MS) < 20 * MS, `${at(corrected, 90)}`);
  assert.equal(at(corrected, 100), 5_000 * MS);
});

test("logs that show no gap say why", () => {
  const why = (ticks: TickLog, interval: number | null = null): string => {
    const found = tickGap(ticks, interval, null);
    assert.equal(typeof found, "string");
    return found as string;
  };
  assert.match(why(log()), /no two ticks/);
  assert.match(why(log(7)), /no two ticks/);
  assert.match(why({ ...log(7, 3), breaks: [1] }), /no two ticks/);
  assert.match(why(log(7, 7, 7)), /most of its stamps are the same/);
  assert.match(why(log(0, 1e12), 1_000), /check --interval/);
  assert.match(why(log(0, 9e13, 9.1e13, 9.2e13), 1e12), /longer than 24 h/);
});

test("whatever the log: in bounded steps, and the gap is one of the log's, none across a break", () => {
  const stamp = fc.oneof(
    fc.integer({ min: 0, max: 10 }).map((n) => n * MS),
    fc.integer({ min: -(10 ** 15), max: 10 ** 15 }),
  );
  const logs = fc.array(stamp, { maxLength: 30 }).map(
    (stamps): TickLog => ({
      ...log(...stamps),
      breaks: stamps.flatMap((ns, row) => (row > 0 && ns < (stamps[row - 1] as number) ? [row] : [])),
    }),
  );
  fc.assert(
    fc.property(logs, fc.option(fc.integer({ min: MS, max: 10 ** 12 })), (ticks, interval) => {
      const found = tickGap(ticks, interval, null);
      if (typeof found === "string") return;
      const { endedBy, gapNs } = found;
      assert.equal((ticks.sinceFirstNs[endedBy] as number) - (ticks.sinceFirstNs[endedBy - 1] as number), gapNs);
      assert.ok(gapNs >= 0 && !ticks.breaks.includes(endedBy));
    }),
  );
});
