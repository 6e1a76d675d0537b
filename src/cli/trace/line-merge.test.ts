import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { LineMerge } from "./line-merge.js";

/** What comes out, and how many files were needed. */
function merged(lines: readonly (readonly [number, string])[], heldBytes: number, limit = Number.POSITIVE_INFINITY) {
  let folder: string | null = null;
  const merge = new LineMerge({
    limit,
    heldBytes,
    folder: () => {
      assert.equal(folder, null, "asked for once");
      folder = mkdtempSync(join(tmpdir(), "line-merge-"));
      return folder;
    },
  });
  try {
    for (const [count, text] of lines) merge.add(BigInt(count), text);
    return { lines: [...merge.lines()], files: merge.files };
  } finally {
    merge.close();
    if (folder !== null) rmSync(folder, { recursive: true });
  }
}

const sorted = (lines: readonly (readonly [number, string])[]): readonly string[] =>
  lines.toSorted(([a], [b]) => a - b).map(([, text]) => text);

test("property: however little is held, the lines come out as a stable sort has them", () => {
  const line = fc.tuple(fc.integer({ min: -20, max: 20 }), fc.string({ unit: "binary", maxLength: 12 }));
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 60 }),
      fc.integer({ min: 1, max: 200 }),
      fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat({ max: 20 })),
      (lines, heldBytes, limit) => {
        const wellFormed = lines.map(([count, text]): [number, string] => [count, text.toWellFormed()]);
        assert.deepEqual(merged(wellFormed, heldBytes, limit).lines, sorted(wellFormed).slice(0, limit));
      },
    ),
    { numRuns: 60 },
  );
});

test("streams that are in order take a file each, however many lines they have", () => {
  const stream = (offset: number): [number, string][] =>
    Array.from({ length: 2_000 }, (_, i) => [3 * i + offset, `${offset} ${i} ${"é".repeat(i % 40)}`]);
  const lines = [...stream(0), ...stream(1), ...stream(2)];
  const found = merged(lines, 1_000);
  assert.deepEqual(found.lines, sorted(lines));
  assert.ok(found.files >= 3 && found.files <= 5, `${found.files}: two more where what was held is of two streams`);
});

test("a line longer than a block, and a limit that keeps everything in memory", () => {
  const long = "x".repeat(200_000);
  const lines: [number, string][] = [...Array(20)].map((_, i) => [19 - i, `${i} ${long}`]);
  assert.deepEqual(merged(lines, 1_000_000).lines, sorted(lines));
  const few = merged(
    [...Array(10_000)].map((_, i) => [10_000 - i, `line ${i}`]),
    2_000,
    3,
  );
  assert.deepEqual(few, { lines: ["line 9999", "line 9998", "line 9997"], files: 0 });
});
