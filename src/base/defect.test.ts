import assert from "node:assert/strict";
import { test } from "node:test";
import { type DefectInput, DefectLog } from "./defect.js";

const found = (line: number, count = 1): DefectInput => ({
  code: "text-undecoded",
  severity: "warning",
  file: "ring/trace",
  line,
  count,
  message: `Line ${line}.`,
  advice: "Copy it again.",
});

test("beyond the first few, defects of one code in one file are counted in one more", () => {
  const log = new DefectLog(null, 2);
  for (let line = 1; line <= 2_002; line++) log.add(found(line));
  log.add({ ...found(1), file: "new/trace" });
  assert.equal(log.total(), 2_003);
  assert.deepEqual(
    log.all().map(({ file, line, count, message }) => [file, line, count, message]),
    [
      ["ring/trace", 1, 1, "Line 1."],
      ["ring/trace", 2, 1, "Line 2."],
      ["new/trace", 1, 1, "Line 1."],
      ["ring/trace", 3, 2_000, "2,000 more of the same, the first: Line 3."],
    ],
  );
});

test("a log that passes on to another says only once how many there were", () => {
  const outer = new DefectLog(null, 2);
  const inner = new DefectLog({ defect: (input) => outer.add(input) }, 2);
  let made = 0;
  for (let line = 1; line <= 50; line++) {
    inner.addOf("text-undecoded", "ring/trace", 1, () => {
      made += 1;
      return found(line);
    });
  }
  assert.equal(outer.total(), 2, "what is kept is passed on at once");
  inner.finish();
  assert.equal(outer.total(), 50);
  assert.equal(outer.all().at(-1)?.message, "48 more of the same, the first: Line 3.");
  assert.equal(made, 3, "a text that nobody reads is not made");
});
