import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "./heap.js";

const ascending = (a: number, b: number): number => a - b;

test("items leave in ascending order, however they came in", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.array(fc.nat(50)), (given, pushed) => {
      const heap = new Heap(ascending, given);
      for (const item of pushed) heap.push(item);
      const sorted = [...given, ...pushed].sort(ascending);
      assert.deepEqual([heap.size, heap.peek(), heap.second()], [sorted.length, sorted[0], sorted[1]]);
      assert.deepEqual(
        sorted.map(() => heap.pop()),
        sorted,
      );
      assert.deepEqual([heap.size, heap.peek(), heap.second(), heap.pop()], [0, undefined, undefined, undefined]);
    }),
  );
});

test("an item whose order has grown sinks to its place", () => {
  const items = [3, 1, 2].map((key) => ({ key }));
  const heap = new Heap<{ key: number }>((a, b) => a.key - b.key, items);
  (heap.peek() as { key: number }).key = 9;
  heap.sink();
  assert.deepEqual(
    items.map(() => heap.pop()?.key),
    [2, 3, 9],
  );
});
