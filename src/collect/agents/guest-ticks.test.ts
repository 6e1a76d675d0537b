import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { DefectInput } from "../../base/defect.js";
import type { TickLog } from "../../model/collected.js";
import { parseTicks } from "./guest-ticks.js";

const MS = 1_000_000;

function parse(text: string): TickLog & { readonly defects: readonly DefectInput[] } {
  const defects: DefectInput[] = [];
  const log = parseTicks(new TextEncoder().encode(text), "vm.ticks", { defect: (found) => defects.push(found) });
  return { ...log, defects };
}

test("both forms, a header, comments and blanks", () => {
  const { vm, clock, interval, sinceFirstNs, defects } = parse(
    "# vm=7 clock=boottime interval=10ms vm=8\r\n\n 13.5\r\n13.510000001\n# a note\n\t14.0",
  );
  assert.deepEqual(
    [vm, clock, interval, [...sinceFirstNs], defects],
    ["7", "boottime", "10ms", [0, 10_000_001, 500 * MS], []],
  );
  const realtime = parse("1795431740226790871\n1795431740236790872\n");
  assert.deepEqual([...realtime.sinceFirstNs], [0, 10 * MS + 1], "exact, although above 2^53");
});

test("lines without a stamp are left out and reported; a clock that goes backwards begins a new series", () => {
  const { sinceFirstNs, breaks, defects } = parse(
    "10.0\nten\n10.\n.5\n1e9\n-3.0\n10.1\n10200000000\n5.0\n5.1\n99999999999.0\n9999999999.0\n",
  );
  assert.deepEqual([[...sinceFirstNs], breaks], [[0, 100 * MS, -5_000 * MS, -4_900 * MS], [2]]);
  assert.deepEqual(
    defects.map(({ code, line }) => `${line} ${code}`),
    ["2", "3", "4", "5", "6"]
      .map((line) => `${line} ticks-undecoded`)
      .concat("8 ticks-mixed", "9 ticks-backwards", "11 ticks-undecoded", "12 ticks-undecoded"),
  );
});

test("anything at all: never a crash, and stamps ascend but at the breaks", () => {
  const line = fc.oneof(
    fc.constantFrom("# interval=1us", "1.0", "1.5", "2", "", "1795431740226790871"),
    fc.string({ unit: "binary" }),
    fc.bigInt({ min: 0n, max: 10n ** 20n }).map(String),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      const { sinceFirstNs, breaks, defects } = parse(lines.join("\n"));
      sinceFirstNs.forEach((ns, row) => {
        assert.ok(Number.isSafeInteger(ns));
        if (row > 0) assert.equal(ns < (sinceFirstNs[row - 1] as number), breaks.includes(row));
      });
      assert.equal(defects.filter(({ code }) => code === "ticks-backwards").length, breaks.length);
    }),
  );
});
