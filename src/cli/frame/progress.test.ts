import assert from "node:assert/strict";
import test from "node:test";
import { progressLine, progressText } from "./progress.js";

test("the line is drawn at most ten times a second, hidden for other text, and gone at the end", () => {
  const written: string[] = [];
  let now = 0;
  const line = progressLine(
    (text) => written.push(text),
    () => now,
    24,
  );
  const progress = line.start("reading", 200);
  now = 50;
  progress.update(50);
  now = 100;
  progress.update(86, "old/ring/trace");
  line.hide();
  line.hide();
  now = 250;
  progress.update(200);
  progress.end();
  progress.end();
  progress.update(1);
  assert.deepEqual(written, [
    "\r\x1b[Kreading 0 %",
    "\r\x1b[Kreading 43 % old/ring/…",
    "\r\x1b[K",
    "\r\x1b[Kreading 100 %",
    "\r\x1b[K",
  ]);
});

test("the text admits odd numbers and names", () => {
  assert.equal(progressText("reading", 1_234, null, ""), "reading 1,234");
  assert.equal(progressText("reading", 9, 3, ""), "reading 100 %");
  assert.equal(progressText("reading", Number.NaN, 0, "\x1b[2J"), "reading \\x1b[2J");
});
