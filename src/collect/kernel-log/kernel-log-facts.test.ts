import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Boot } from "../../base/time.js";
import type { PrintkLine } from "../../model/collected.js";
import { factOf, handoverOff, kernelLogFacts, logVerdicts } from "./kernel-log-facts.js";
import { FACT_ROWS } from "./kernel-log-facts-table.js";
import { linePrefix } from "./kmsg.js";

const lineOf = (text: string, line = 1, boot: Boot = "new"): PrintkLine => ({
  boot,
  file: "new/dmesg",
  line,
  ...linePrefix(text),
});
const log = (text: string): readonly PrintkLine[] => text.split("\n").map((line, i) => lineOf(line, i + 1));
/** The values of a fact, without its place. */
function said(text: string): unknown {
  const fact = factOf(lineOf(text));
  if (fact === null) return null;
  const { stampNs: _s, file: _f, line: _l, text: _t, ...values } = fact;
  return values;
}

test("each line that matters is recognised as kernels print it", () => {
  for (const [text, expected] of [
    ["Linux version 7.3.4-luo (gcc) #2", { id: "linux-version", release: "7.3.4-luo", build: "(gcc) #2" }],
    ["tsc: Detected 2441.344 MHz processor", { id: "tsc-detected", khz: 2_441_344, of: "processor" }],
    ["tsc: Refined TSC clocksource calibration: 2445.404 MHz", { id: "tsc-refined", khz: 2_445_404 }],
    [
      "sched_clock: Marking stable (1912138522, -43108068)->(1881453813, -12423359)",
      { id: "sched-clock-stable", a: 1_912_138_522, b: -43_108_068, c: 1_881_453_813, d: -12_423_359 },
    ],
    ["kvm-clock: using sched offset of 8017542013 cycles", { id: "kvm-clock-offset", offsetNs: 8_017_542_013n }],
    [
      "rtc_cmos 00:04: setting system clock to 2026-11-23T09:54:41 UTC (1795427681)",
      { id: "rtc", device: "rtc_cmos 00:04", epochSeconds: 1_795_427_681 },
    ],
    ["kexec_core: Starting new kernel", { id: "kexec-start" }],
    ["KHO: found kexec handover data.", { id: "kho-found" }],
    ["KHO: exec from: 7.2.13-luo (count 3)", { id: "kho-exec-from", release: "7.2.13-luo", count: 3 }],
    ["KHO: disabling KHO revival", { id: "kho-disabled", reason: "disabling KHO revival" }],
    ["luo: Retrieved live update data, liveupdate number: 4", { id: "luo-retrieved", number: 4 }],
    [
      "luo: Freeze failed for token[0x1] handler[memfd-v2] err[-EBUSY]",
      { id: "luo-freeze-failed", token: "0x1", handler: "memfd-v2", error: "-EBUSY" },
    ],
    ["luo: Switched from [normal] to [prepared] state", { id: "luo-switched", from: "normal", to: "prepared" }],
    ["luo: Can't switch to [frozen] from [normal] state", { id: "luo-switch-refused", from: "normal", to: "frozen" }],
    [
      "luo: File count mismatch: expected 4, found 3",
      { id: "luo-restore-failed", reason: "File count mismatch: expected 4, found 3" },
    ],
    [
      "Ring buffer meta [1] is from previous boot! (2 pages discarded)",
      { id: "ring-recovered", cpu: 1, discardedPages: 2 },
    ],
    ["smp: Brought up 1 node, 2 CPUs", { id: "smp-end", nodes: 1, cpus: 2 }],
    ["Kernel panic - not syncing: VFS", { id: "panic", reason: "VFS" }],
    ["Run /init as init process", { id: "init-process", path: "/init" }],
    ["pci 0000:00:03.0: nothing that matters", null],
  ] as const) {
    assert.deepEqual(said(text), expected, text);
  }
});

test("a TSC rate that cannot be one is no fact: nothing is divided by it", () => {
  assert.equal(said("tsc: Detected 0.000 MHz processor"), null);
  assert.equal(said("tsc: Refined TSC clocksource calibration: 0.999 MHz"), null);
  assert.equal(said("tsc: Detected 99999999999.000 MHz processor"), null);
});

test("what other parts ask for: the TSC's own rate, the last mark of stability, resets of the stamp", () => {
  const facts = kernelLogFacts(
    log(
      "[    0.000000] tsc: Detected 2441.000 MHz processor\n[    0.100000] tsc: Detected 2440.000 MHz TSC\n" +
        "[    0.044000] sched_clock: Marking stable (1, 2)->(3, -4000)\n[    1.900000] sched_clock: Marking stable (1, 2)->(3, -5000)",
    ),
  );
  assert.equal(facts.tscDetectedKhz, 2_440_000);
  assert.deepEqual(facts.markedStable, { stampNs: 1_900_000_000, offsetNs: -5_000 });
  assert.deepEqual(facts.stampResets, [3]);
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

test("verdicts: a panic once, refusals, KHO off; nothing where all went well", () => {
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
  const words = FACT_ROWS.map(({ pattern }) => pattern.source.replace(/[\\^$()?:[\]{}|*+]/g, " ").slice(0, 40));
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...words), fc.string(), fc.nat().map(String)), { maxLength: 6 }),
      (parts) => {
        const fact = factOf(lineOf(parts.join("")));
        for (const value of Object.values(fact ?? {}))
          if (typeof value === "number") assert.ok(Number.isSafeInteger(value));
      },
    ),
    { numRuns: 500 },
  );
});
