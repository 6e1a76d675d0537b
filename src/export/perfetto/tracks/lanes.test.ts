import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareRows, type Intervals, layOut, MAX_SEARCHED } from "./lanes.js";

interface Laid {
  readonly tracks: number;
  /** Track and depth of each row. */
  readonly at: ReadonlyMap<number, { readonly uuid: number; readonly depth: number }>;
}

function lay(intervals: Intervals): Laid {
  const rows = Array.from(intervals.begin, (_, row) => row).sort((a, b) => compareRows(intervals, a, b));
  const open = new Map<number, number[]>();
  const last = new Map<number, number>();
  const at = new Map<number, { uuid: number; depth: number }>();
  let tracks = 0;
  const forward = (uuid: number, time: number): void => {
    assert.ok(time >= (last.get(uuid) ?? Number.NEGATIVE_INFINITY), "time falls on a track");
    last.set(uuid, time);
  };
  layOut(intervals, rows, {
    track: () => ++tracks,
    begin: (row, uuid) => {
      forward(uuid, intervals.begin[row] as number);
      const stack = open.get(uuid) ?? [];
      open.set(uuid, stack);
      at.set(row, { uuid, depth: stack.length });
      stack.push(row);
    },
    end: (row, uuid) => {
      forward(uuid, intervals.end[row] as number);
      assert.equal(open.get(uuid)?.pop(), row, "an end does not match the innermost begin");
    },
  });
  for (const stack of open.values()) assert.equal(stack.length, 0, "an interval stays open");
  return { tracks, at };
}

test("any set of intervals is laid out in nesting order, each once", () => {
  const interval = fc.tuple(fc.integer({ min: -20, max: 20 }), fc.nat(12));
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 60 }), (list) => {
      const begin = list.map(([from]) => from);
      const end = list.map(([from, length]) => from + length);
      const { at } = lay({ begin, end, parent: list.map(() => -1) });
      assert.equal(at.size, list.length);
    }),
  );
});

test("a call stack stays on one track, an empty call at its caller's end inside it", () => {
  const { tracks, at } = lay({ begin: [0, 1, 5, 10, 10], end: [10, 5, 9, 10, 12], parent: [-1, 0, 0, 0, -1] });
  assert.equal(tracks, 1);
  assert.deepEqual(
    [0, 1, 2, 3].map((row) => at.get(row)?.depth),
    [0, 1, 1, 1],
  );
});

test("overlapping intervals get separate tracks, as many as overlap", () => {
  assert.equal(lay({ begin: [0, 2, 4, 11], end: [10, 12, 9, 13], parent: [-1, -1, -1, -1] }).tracks, 2);
});

test("more overlap than is searched for costs one track each", () => {
  const begin = Array.from({ length: MAX_SEARCHED * 3 }, (_, i) => i);
  const { tracks, at } = lay({ begin, end: begin.map((from) => from + 10_000), parent: begin.map(() => -1) });
  assert.equal(tracks, MAX_SEARCHED * 3);
  assert.equal(at.size, begin.length);
});
