import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import { type KmsgLine, linePrefix, readKmsg } from "./kmsg.js";

function read(text: string): { readonly lines: readonly KmsgLine[]; readonly defects: readonly DefectInput[] } {
  const defects: DefectInput[] = [];
  const lines = readKmsg(memorySource("old/dmesg", Buffer.from(text)), "old", {
    defect: (found) => defects.push(found),
  });
  return { lines, defects };
}
const brief = ({ stampNs, level, caller, text }: KmsgLine): unknown[] => [stampNs, level, caller, text];

test("dmesg as it prints by default, with levels, callers, deltas", () => {
  const { lines, defects } = read(
    [
      "[    0.000000] Linux version 7.3.4",
      "[12345.678901] luo: a",
      "<6>[    1.000002] raw level",
      "<30>[    1.000002] raw facility and level",
      "kern  :warn  : [    2.500000] decoded level",
      "[    3.000001][    T1] caller",
      "[    3.000001] [ C0] caller as dmesg prints it",
      "[    4.000000 <    0.000123>] delta",
      "  the rest of a message",
    ].join("\n"),
  );
  assert.deepEqual(defects, []);
  assert.deepEqual(lines.map(brief), [
    [0, null, null, "Linux version 7.3.4"],
    [12_345_678_901_000, null, null, "luo: a"],
    [1_000_002_000, 6, null, "raw level"],
    [1_000_002_000, 6, null, "raw facility and level"],
    [2_500_000_000, 4, null, "decoded level"],
    [3_000_001_000, null, "T1", "caller"],
    [3_000_001_000, null, "C0", "caller as dmesg prints it"],
    [4_000_000_000, null, null, "delta"],
    [null, null, null, "  the rest of a message"],
  ]);
  assert.deepEqual([lines[1]?.file, lines[1]?.line, lines[1]?.boot], ["old/dmesg", 2, "old"]);
});

test("ISO stamps are the wall clock's, with their zone", () => {
  const at = (text: string): number | null => linePrefix(text).epochUs;
  const utc = Date.UTC(2026, 10, 23, 9, 54, 41) * 1_000 + 123_456;
  assert.equal(at("2026-11-23T09:54:41,123456+00:00 text"), utc);
  assert.equal(at("2026-11-23T11:54:41.123456+02:00 text"), utc);
  assert.equal(at("2026-11-23T04:24:41,123456-0530 text"), utc);
  assert.equal(linePrefix("2026-11-23T09:54:41,123456Z text").text, "text");
});

test("dmesg -T's wall clock has no zone: one defect, and no stamp", () => {
  const { lines, defects } = read("[Mon Nov 23 09:54:41 2026] one\n[Mon Nov 23 09:54:42 2026] two\n");
  assert.deepEqual(lines.map(brief), [
    [null, null, null, "one"],
    [null, null, null, "two"],
  ]);
  assert.deepEqual(
    defects.map(({ code, line }) => [code, line]),
    [["printk-wall-clock", 1]],
  );
});

test("/dev/kmsg's records: priority, stamp, caller, escapes, dictionary", () => {
  const { lines } = read(
    "6,1234,5140900,-,caller=T1;luo: one\\x0atwo \\xc3\\xbc\n SUBSYSTEM=pci\n DEVICE=+pci:0000\n30,1235,6000000,-;next\n",
  );
  assert.deepEqual(lines.map(brief), [
    [5_140_900_000, 6, "T1", "luo: one"],
    [5_140_900_000, 6, "T1", "two ü"],
    [6_000_000_000, 6, null, "next"],
  ]);
});

test("numbers in brackets inside a text are not stamps, and one out of range gives a note", () => {
  assert.equal(linePrefix("text [    1.000000] more").stampNs, null);
  const { lines, defects } = read("[9999999999.000000] far\n");
  assert.equal(lines[0]?.stampNs, null);
  assert.deepEqual(
    defects.map(({ code, severity }) => [code, severity]),
    [["printk-stamp-invalid", "note"]],
  );
});

test("every stamp and text that dmesg prints comes back", () => {
  const text = fc.stringMatching(/^[a-z][ -Z^-~]{0,40}$/);
  fc.assert(
    fc.property(fc.nat(9_000_000), fc.nat(999_999), text, (seconds, us, said) => {
      const printed = `[${String(seconds).padStart(5)}.${String(us).padStart(6, "0")}] ${said}`;
      const { stampNs, text: back } = linePrefix(printed);
      assert.deepEqual([stampNs, back], [seconds * 1e9 + us * 1_000, said]);
    }),
  );
});

test("any text: never a throw; a stamp is a whole number or null", () => {
  const piece = fc.constantFrom(
    "[",
    "]",
    "    1.000000",
    "<6>",
    ";",
    "6,1,2,-;",
    "\n",
    "\\x0a",
    "\\xff",
    " K=v",
    "T1",
    "2026-11-23T",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 40 }), (parts) => {
      for (const { stampNs, level } of read(parts.join("")).lines) {
        assert.ok(stampNs === null || (Number.isSafeInteger(stampNs) && stampNs >= 0));
        assert.ok(level === null || (level >= 0 && level <= 7));
      }
    }),
    { numRuns: 500 },
  );
});
