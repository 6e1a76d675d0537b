import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type ByteSource, memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import { cleanText, forEachLogLine, LOG_LIMITS, type LogLimits } from "./kmsg-lines.js";

function read(
  source: ByteSource,
  limits: LogLimits = LOG_LIMITS,
): { readonly lines: readonly (readonly [number, string])[]; readonly defects: readonly DefectInput[] } {
  const lines: [number, string][] = [];
  const defects: DefectInput[] = [];
  forEachLogLine(source, "old", limits, { defect: (found) => defects.push(found) }, (text, line) =>
    lines.push([line, text]),
  );
  return { lines, defects };
}
const bytes = (text: string, encoding: BufferEncoding = "utf8"): ByteSource =>
  memorySource("dmesg", Buffer.from(text, encoding));

test("lines keep their numbers, blank ones are passed over, a last one needs no newline", () => {
  assert.deepEqual(read(bytes("a\n\n  \r\nb\r\nc")).lines, [
    [1, "a"],
    [4, "b"],
    [5, "c"],
  ]);
  assert.deepEqual(read(bytes("")), { lines: [], defects: [] });
});

test("a line may lie across the chunks that are read", () => {
  const long = "x".repeat(10_000);
  const many = Array.from({ length: 20 }, (_, i) => `${i}${long}`);
  assert.deepEqual(
    read(bytes(many.join("\n"))).lines.map(([, text]) => text),
    many,
  );
});

test("terminal control is gone and other control characters are shown", () => {
  assert.equal(cleanText("\u001b[1;31mred\u001b[0m\u001b]0;title\u0007 plain"), "red plain");
  assert.equal(cleanText("bell\u0007 \u009b2J"), "bell\\x07 \\x9b2J");
  assert.equal(cleanText("tab\tstays\0\0"), "tab\tstays");
});

test("what is cut is a defect: a long line, many lines, many bytes", () => {
  const limits = { bytes: 60, lines: 3, lineBytes: 8 };
  const long = read(bytes("0123456789\nshort\n"), limits);
  assert.deepEqual(long.lines, [
    [1, "01234567"],
    [2, "short"],
  ]);
  assert.deepEqual(
    long.defects.map(({ code, line }) => [code, line]),
    [["printk-line-cut", 1]],
  );
  const many = read(bytes("a\nb\nc\nd\ne\n"), limits);
  assert.equal(many.lines.length, 3);
  assert.deepEqual(
    many.defects.map(({ code }) => code),
    ["printk-log-cut"],
  );
  assert.deepEqual(
    read(bytes("abcd\n".repeat(2) + "x".repeat(60)), limits).defects.map(({ code }) => code),
    ["printk-line-cut", "printk-log-cut"],
  );
});

test("bytes that are not UTF-8 give a note, and a written U+FFFD does not", () => {
  assert.deepEqual(
    read(bytes("caf\xe9\n", "latin1")).defects.map(({ code, severity }) => [code, severity]),
    [["printk-not-utf8", "note"]],
  );
  assert.deepEqual(read(bytes("a\uFFFDb\n")).defects, []);
});

test("any bytes, however they are cut: never a throw, and no control character in what comes out", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 64 }), (given, piece) => {
      const whole = memorySource("dmesg", given);
      const short: ByteSource = { ...whole, read: (into, at) => whole.read(into.subarray(0, piece), at) };
      const found = read(whole);
      assert.deepEqual(read(short).lines, found.lines);
      for (const [, text] of found.lines) assert.doesNotMatch(text, /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/);
    }),
    { numRuns: 300 },
  );
});
