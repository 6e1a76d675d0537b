import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { PrintkLine } from "../../model/collected.js";
import { placeByStamp, placeLines, type StableSchedClock } from "./printk-clock.js";

const line = (stampNs: number | null, text: string): PrintkLine => ({
  boot: "new",
  file: "new/dmesg",
  line: 1,
  stampNs,
  level: null,
  text,
});
const MS = 1_000_000;
const stable = (offsetNs: number): StableSchedClock => ({
  stampNs: 1_000 * MS,
  offsetNs,
  axisNs: (ns) => ns + 7_000 * MS,
  uncertaintyNs: 300,
});

test("a line that is also a trace event is placed by it, whatever its stamp", () => {
  const [placed] = placeLines([line(500 * MS, "luo: here")], [{ ns: 42 * MS, text: "luo: here\n" }], null);
  assert.deepEqual([placed?.ns, placed?.uncertaintyNs], [42 * MS, 1_000]);
});

test("between two such lines the others are interpolated, with what the clocks wandered as their ±", () => {
  const lines = [line(100 * MS, "a"), line(150 * MS, "x"), line(200 * MS, "b")];
  const placed = placeLines(
    lines,
    [
      { ns: 1_000 * MS, text: "a" },
      { ns: 1_130 * MS, text: "b" },
    ],
    null,
  );
  assert.equal(placed[1]?.ns, 1_065 * MS);
  assert.equal(placed[1]?.uncertaintyNs, 30 * MS + 1_000);
});

test("of lines that read alike the nth is the nth event", () => {
  const lines = [line(1 * MS, "same"), line(2 * MS, "same")];
  const placed = placeLines(
    lines,
    [
      { ns: 11 * MS, text: "same" },
      { ns: 12 * MS, text: "same" },
    ],
    null,
  );
  assert.deepEqual(
    placed.map(({ ns }) => ns),
    [11 * MS, 12 * MS],
  );
});

test("after `Marking stable` a stamp less the mark's offset is sched_clock", () => {
  const placed = placeLines([line(1_500 * MS, "x")], [], stable(-12 * MS));
  assert.deepEqual([placed[0]?.ns, placed[0]?.uncertaintyNs], [8_512 * MS, 1_300]);
});

test("before it a line without an event near is placed by the nearest one, and says how far that may be off", () => {
  const placed = placeLines([line(100 * MS, "early"), line(200 * MS, "b")], [{ ns: 900 * MS, text: "b" }], null);
  assert.equal(placed[0]?.ns, 800 * MS);
  assert.ok((placed[0]?.uncertaintyNs ?? 0) >= 60 * MS);
});

test("stamps of zero, missing stamps, and those before the clock was set back do not show a time", () => {
  const lines = [line(40 * MS, "before"), line(0, "zero"), line(null, "rest"), line(1 * MS, "after")];
  const placed = placeLines(lines, [{ ns: 5 * MS, text: "after" }], null);
  assert.deepEqual(
    placed.map(({ ns }) => ns),
    [null, null, null, 5 * MS],
  );
  assert.deepEqual(
    placeByStamp(lines, null).map(({ ns }) => ns),
    [null, null, null, 1 * MS],
  );
});

test("without any event and any mark a line is nowhere; on an axis of its own it is at its stamp", () => {
  assert.equal(placeLines([line(5 * MS, "x")], [], null)[0]?.ns, null);
  const [early, settled] = placeByStamp([line(5 * MS, "x"), line(50 * MS, "y")], { stampNs: 20 * MS, offsetNs: 0 });
  assert.deepEqual([early?.ns, settled?.ns], [5 * MS, 50 * MS]);
  assert.deepEqual([(early?.uncertaintyNs ?? 0) > MS, settled?.uncertaintyNs], [true, 1_000]);
});

test("any lines and events: what is placed is a whole number with a ±, and anchors stay in order", () => {
  const text = fc.constantFrom("a", "b", "c", "");
  const stamp = fc.oneof(
    fc.constant(null),
    fc.integer({ min: 0, max: 10_000 }).map((ms) => ms * MS),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(stamp, text), { maxLength: 30 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 10_000 }), text), { maxLength: 30 }),
      fc.boolean(),
      (lines, events, marked) => {
        const sorted = [...events].sort(([a], [b]) => a - b).map(([ms, said]) => ({ ns: ms * MS, text: said }));
        const placed = placeLines(
          lines.map(([at, said]) => line(at, said)),
          sorted,
          marked ? stable(0) : null,
        );
        assert.equal(placed.length, lines.length);
        for (const { ns, uncertaintyNs } of placed) {
          assert.equal(ns === null, uncertaintyNs === null);
          if (ns !== null)
            assert.ok(Number.isSafeInteger(ns) && Number.isSafeInteger(uncertaintyNs) && (uncertaintyNs ?? 0) > 0);
        }
      },
    ),
  );
});

const CALIBRATING = "Calibrating delay loop (skipped), value calculated using timer frequency.. 1999.96 BogoMIPS";
const DETECTED = "tsc: Detected 999.984 MHz processor";
const raw = { axisNs: (ns: number): number => ns + 3_000 * MS, uncertaintyNs: 40_000 };

test("lines up to the delay loop's are placed by raw sched_clock itself, with its ±", () => {
  const lines = [
    line(0, DETECTED),
    line(12 * MS, "mem auto-init:"),
    line(40 * MS, "SLUB:"),
    line(80 * MS, CALIBRATING),
  ];
  const placed = placeLines(lines, [], null, raw).map(({ ns, uncertaintyNs }) => [ns, uncertaintyNs]);
  assert.deepEqual(placed.slice(0, 3), [
    [null, null],
    [3_012 * MS, 41_000],
    [3_040 * MS, 41_000],
  ]);
  // The clock wanders from there on.
  assert.ok((placed[3]?.[1] ?? 0) >= 60 * MS, `${placed[3]}`);
});

test("an event of a line of the same clock places such lines better than the clock's zero, if it is near", () => {
  const lines = [
    line(1 * MS, DETECTED),
    line(70 * MS, "rcu:"),
    line(71 * MS, "console on"),
    line(80 * MS, CALIBRATING),
  ];
  const events = [{ ns: 3_071 * MS + 5_000, text: "console on" }];
  const [, rcu] = placeLines(lines, events, null, raw);
  assert.deepEqual([rcu?.ns, rcu?.uncertaintyNs], [3_070 * MS + 5_000, 3_000]);
  const [, alone] = placeLines(lines, events, null);
  assert.deepEqual([alone?.ns, alone?.uncertaintyNs], [3_070 * MS + 5_000, 3_000]);
});

test("stamps of a clock that counted jiffies, before the TSC's rate was known, are never raw sched_clock", () => {
  const lines = [
    line(4 * MS, "APIC: Switch"),
    line(48 * MS, DETECTED),
    line(50 * MS, "tsc-early"),
    line(52 * MS, CALIBRATING),
  ];
  assert.deepEqual(
    placeLines(lines, [], null, raw).map(({ ns }) => ns),
    [null, null, 3_050 * MS, 3_052 * MS],
  );
  const again = [line(48 * MS, DETECTED), line(1 * MS, "tsc-early"), line(2 * MS, CALIBRATING)];
  assert.equal(placeLines(again, [], null, raw)[1]?.ns, 3_001 * MS);
});

test("without the delay loop's line nothing shows where raw sched_clock ends", () => {
  const lines = [line(12 * MS, "mem auto-init:"), line(40 * MS, "SLUB:")];
  assert.deepEqual(
    placeLines(lines, [], null, raw).map(({ ns }) => ns),
    [null, null],
  );
});
