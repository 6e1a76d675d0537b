import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { partition, type TimedCause, unattributed } from "./partition.js";

const span = (beginNs: number, endNs: number): TimedCause => ({ beginNs, endNs });

test("enclosed causes nest, and what they leave over is the encloser's own", () => {
  const pieces = partition(0, 100, [span(10, 60), span(20, 30), span(40, 50), span(70, 90)]);
  assert.deepEqual(
    pieces.map(({ cause, parent }) => [cause, parent]),
    [
      [0, -1],
      [1, 0],
      [2, 0],
      [3, -1],
    ],
  );
  assert.deepEqual([unattributed(0, 100, pieces).top, ...unattributed(0, 100, pieces).pieces], [30, 30, 10, 10, 20]);
});

test("parallel work is counted once: the later one is inner while both run, and goes on alone", () => {
  const pieces = partition(0, 200, [span(0, 100), span(50, 150)]);
  assert.deepEqual(pieces, [
    { beginNs: 0, endNs: 100, cause: 0, parent: -1 },
    { beginNs: 50, endNs: 100, cause: 1, parent: 0 },
    { beginNs: 100, endNs: 150, cause: 1, parent: -1 },
  ]);
});

test("causes are clipped to the interval, and empty ones left out", () => {
  const pieces = partition(10, 20, [span(0, 12), span(15, 15), span(18, 99), span(30, 40)]);
  assert.deepEqual(
    pieces.map(({ beginNs, endNs, cause }) => [beginNs, endNs, cause]),
    [
      [10, 12, 0],
      [18, 20, 2],
    ],
  );
});

const causes = fc
  .array(fc.tuple(fc.integer({ min: -50, max: 1_050 }), fc.integer({ min: 0, max: 400 })), { maxLength: 60 })
  .map((list) => list.map(([begin, length]) => span(begin, begin + length)));

test("property: accounts close, pieces nest, and every covered nanosecond is covered still", () => {
  fc.assert(
    fc.property(causes, (list) => {
      const pieces = partition(0, 1_000, list);
      const left = unattributed(0, 1_000, pieces);
      assert.ok(left.top >= 0 && left.pieces.every((own) => own >= 0));
      assert.equal(left.top + left.pieces.reduce((sum, own) => sum + own, 0), 1_000);
      pieces.forEach((piece, i) => {
        const parent = pieces[piece.parent];
        assert.ok(piece.parent < i);
        if (parent !== undefined) assert.ok(parent.beginNs <= piece.beginNs && piece.endNs <= parent.endNs);
        const next = pieces.slice(i + 1).find((other) => other.parent === piece.parent);
        if (next !== undefined) assert.ok(next.beginNs >= piece.endNs, "siblings do not overlap");
      });
      list.forEach((cause, i) => {
        const length = Math.max(0, Math.min(1_000, cause.endNs) - Math.max(0, cause.beginNs));
        const own = pieces.filter((piece) => piece.cause === i);
        assert.equal(
          own.reduce((sum, piece) => sum + piece.endNs - piece.beginNs, 0),
          length,
        );
      });
    }),
  );
});
