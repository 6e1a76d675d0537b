import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Boot } from "../../base/time.js";
import type { PrintkLine } from "../../model/collected.js";
import { KERNEL_LINES } from "../../model/kernel-lines.js";
import { factOf, handoverOff, kernelLogFacts, logVerdicts } from "./kernel-log-facts.js";
import { linePrefix } from "./kmsg.js";

const lineOf = (text: string, line = 1, boot: Boot = "new"): PrintkLine => ({
  boot,
  file: "new/dmesg",
  line,
  ...linePrefix(text),
});
const log = (text: string): readonly PrintkLine[] => text.split("\n").map((line, i) => lineOf(line, i + 1));

test("a fact has its row, what the row captures, and its place", () => {
  assert.deepEqual(factOf(lineOf("[    0.000001] KHO: exec from: 7.2.13-luo (count 3)", 7)), {
    id: "kho-exec-from",
    values: { release: "7.2.13-luo", count: "3" },
    stampNs: 1_000,
    file: "new/dmesg",
    line: 7,
    text: "KHO: exec from: 7.2.13-luo (count 3)",
  });
  assert.equal(factOf(lineOf("pci 0000:00:03.0: nothing that matters")), null);
});

test("an impossible TSC rate is ignored: nothing is divided by it", () => {
  const rates = (text: string): unknown => {
    const { tscDetectedKhz, tscRefined } = kernelLogFacts(log(text));
    return [tscDetectedKhz, tscRefined?.khz ?? null];
  };
  assert.deepEqual(rates("tsc: Detected 0.000 MHz processor"), [null, null]);
  assert.deepEqual(rates("tsc: Refined TSC clocksource calibration: 0.999 MHz"), [null, null]);
  assert.deepEqual(rates("tsc: Detected 99999999999.000 MHz processor"), [null, null]);
  assert.deepEqual(rates("tsc: Refined TSC clocksource calibration: 2445.404 MHz"), [null, 2_445_404]);
});

test("what other parts ask for: the TSC's own rate, the last mark of stability, kvm-clock's offset", () => {
  const facts = kernelLogFacts(
    log(
      "[    0.000000] tsc: Detected 2441.000 MHz processor\n[    0.100000] tsc: Detected 2440.000 MHz TSC\n" +
        "[    0.044000] sched_clock: Marking stable (1, 2)->(3, -4000)\n[    1.900000] sched_clock: Marking stable (1, 2)->(3, -5000)\n" +
        "kvm-clock: using sched offset of 8017542013 cycles",
    ),
  );
  assert.equal(facts.tscDetectedKhz, 2_440_000);
  assert.deepEqual(facts.markedStable, { stampNs: 1_900_000_000, offsetNs: -5_000 });
  assert.equal(facts.kvmClockOffsetNs, 8_017_542_013n);
  assert.equal(facts.tscRefined, null);
});

test("the last word on KHO and LUO counts, of those before ` -- `", () => {
  for (const [words, expected] of [
    ["quiet kho=off", "kho=off"],
    ["kho=on kho=0", "kho=0"],
    ["kho=off kho=on", null],
    ["liveupdate=n", "liveupdate=n"],
    ["kho=on -- kho=off", null],
    ["nokho=off xkho=off", null],
    ["", null],
  ] as const) {
    assert.equal(handoverOff(words), expected, words);
  }
});

test("verdicts: a panic once, refusals, KHO off; nothing if all went well", () => {
  const verdicts = (text: string, boot: Boot = "new"): unknown =>
    logVerdicts(kernelLogFacts(log(text)), boot).map(({ what, line }) => [what, line]);
  assert.deepEqual(verdicts("Kernel panic - not syncing: a\nKernel panic - not syncing: b"), [["panic", 1]]);
  assert.deepEqual(verdicts("luo: Failed to insert session [a] -EEXIST\nKHO: disabling KHO revival"), [
    ["luo-refused", 1],
    ["kho-off", 2],
  ]);
  assert.deepEqual(verdicts("luo: [freeze] event failed\nluo: [prepare] event canceled by user", "old"), [
    ["freeze-failed", 1],
  ]);
  assert.deepEqual(verdicts("Command line: kho=on\nKernel command line: quiet kho=off"), [["kho-off", 2]]);
  assert.deepEqual(verdicts("Kernel command line: quiet kho=off", "old"), [], "the old kernel's is not the update's");
  assert.deepEqual(verdicts("luo: Retrieved live update data, liveupdate number: 1"), []);
});

test("any text: a fact or none, and its numbers are whole", () => {
  const words = [...KERNEL_LINES.values()].map(({ pattern }) =>
    pattern.source.replace(/[\\^$()?:[\]{}|*+]/g, " ").slice(0, 40),
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...words), fc.string(), fc.nat().map(String)), { maxLength: 6 }),
      (parts) => {
        const { tscDetectedKhz, markedStable } = kernelLogFacts([lineOf(parts.join(""))]);
        assert.ok(tscDetectedKhz === null || Number.isSafeInteger(tscDetectedKhz));
        assert.ok(markedStable === null || Number.isSafeInteger(markedStable.offsetNs));
      },
    ),
    { numRuns: 500 },
  );
});
