import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { DefectInput } from "../../base/defect.js";
import type { ClockPair } from "../../model/collected.js";
import { parseClockPairs } from "./clock-pairs.js";

function parse(text: string): { readonly pairs: readonly ClockPair[]; readonly defects: readonly DefectInput[] } {
  const defects: DefectInput[] = [];
  const pairs = parseClockPairs(text, "old/clock_pairs", { defect: (found) => defects.push(found) });
  return { pairs, defects };
}

const ROUND = [
  "now ts: 1000",
  "now ts:     4.469839",
  "now ts: 2000",
  "now ts:     4.501269",
  "now ts: 3000",
  "now ts:     4.501758",
  "now ts: 4000",
  "now ts: 1795431738.132229",
  "now ts: 5000",
];
const lines = (...rounds: readonly (readonly string[])[]): string => `${rounds.flat().join("\n")}\n`;

test("a round gives each clock its reading between the two of the TSC around it", () => {
  const { pairs, defects } = parse(lines(ROUND));
  assert.deepEqual(defects, []);
  assert.deepEqual(pairs, [
    { clock: "local", tscBefore: 1000n, tscAfter: 2000n, valueNs: 4_469_839_000n, resolutionNs: 1_000 },
    { clock: "mono", tscBefore: 2000n, tscAfter: 3000n, valueNs: 4_501_269_000n, resolutionNs: 1_000 },
    { clock: "boot", tscBefore: 3000n, tscAfter: 4000n, valueNs: 4_501_758_000n, resolutionNs: 1_000 },
    { clock: "tai", tscBefore: 4000n, tscAfter: 5000n, valueNs: 1_795_431_738_132_229_000n, resolutionNs: 1_000 },
  ]);
});

test("a round that cannot be used is a defect with its line, and the next one still counts", () => {
  const spoilt = (at: number, line: string): string => lines(ROUND.with(at, line), ROUND);
  for (const [text, why] of [
    [spoilt(2, "now ts: 999"), /TSC runs backwards at its line 3/],
    [spoilt(1, "now ts: 5000"), /line 2 should be SECONDS/],
    [spoilt(4, "now ts: 4.000001"), /line 5 should be a TSC count/],
    [spoilt(8, "entries: 0"), /line 9 is not 'now ts: NUMBER'/],
  ] as const) {
    const { pairs, defects } = parse(text);
    assert.equal(pairs.length, 4);
    assert.deepEqual(
      defects.map(({ code, line }) => [code, line]),
      [["clock-pairs-malformed", 1]],
    );
    assert.match(defects[0]?.message ?? "", why);
  }
});

test("a last round that was cut is a defect at its first line", () => {
  const { pairs, defects } = parse(lines(ROUND, ROUND.slice(0, 5)));
  assert.equal(pairs.length, 4);
  assert.deepEqual([defects[0]?.line, /5 lines of 9/.test(defects[0]?.message ?? "")], [10, true]);
});

test("an empty file has no pairs and no defect", () => {
  assert.deepEqual(parse("\n\n"), { pairs: [], defects: [] });
});

test("whatever the file holds, pairs ascend within brackets and their number is bounded", () => {
  const line = fc.oneof(
    fc.bigInt({ min: 0n, max: 10n ** 22n }).map((count) => `now ts: ${count}`),
    fc.tuple(fc.nat(), fc.nat(999_999)).map(([s, us]) => `now ts: ${s}.${String(us).padStart(6, "0")}`),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), (given) => {
      const { pairs, defects } = parse(given.join("\n"));
      for (const { tscBefore, tscAfter } of pairs) assert.ok(tscBefore <= tscAfter);
      assert.ok(pairs.length / 4 + defects.length <= Math.ceil(given.length / 9) + given.length);
    }),
  );
});
