import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../../testing/places.js";
import { READER_LIMITS, type ReaderLimit } from "./reader-limits.js";

function valueText(unit: ReaderLimit["unit"], value: number): string {
  if (unit === "count") return value.toLocaleString("en");
  const [name, size] = (
    [
      ["TiB", 2 ** 40],
      ["GiB", 2 ** 30],
      ["MiB", 2 ** 20],
    ] as const
  ).find(([, each]) => value % each === 0) as readonly [string, number];
  return `${value / size} ${name}`;
}

test("docs/reader-limits.md names every adjustable limit with its values", () => {
  const text = readFileSync(join(projectRoot, "docs/reader-limits.md"), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  const expected = Object.entries(READER_LIMITS).map(
    ([name, { unit, usual, most, what, beyond }]) =>
      `| \`${name}\` | ${what} | ${valueText(unit, usual)} | ${valueText(unit, most)} | ${beyond} |`,
  );
  assert.deepEqual(rows, expected);
});

test("no limit can be lowered by raising it", () => {
  for (const [name, { usual, most }] of Object.entries(READER_LIMITS)) assert.ok(usual <= most && usual > 0, name);
});
