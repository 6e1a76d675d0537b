import assert from "node:assert/strict";
import test from "node:test";
import { fittedToColumns, sparkline } from "./sparkline.js";

test("bars from the least to the greatest, gaps for what is not known", () => {
  assert.equal(sparkline([1, 2, 3, 4, 5, 6, 7, 8]), "▁▂▃▄▅▆▇█");
  assert.equal(sparkline([5, null, 5]), "▄ ▄");
  assert.equal(sparkline([]), "");
});

test("a peak survives being fitted", () => {
  const values = Array.from({ length: 1000 }, (_, i) => (i === 777 ? 9 : 1));
  const short = fittedToColumns(values, 50);
  assert.equal(short.length, 50);
  assert.equal(Math.max(...short.flatMap((value) => value ?? [])), 9);
  assert.deepEqual(fittedToColumns([1, 2], 5), [1, 2]);
});
