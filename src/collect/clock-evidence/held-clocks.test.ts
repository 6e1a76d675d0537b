/** Recorded updates whose clocks are changed, renamed or mixed: each is found, and no wrong number is given. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { madeCapture, markLine, memoryCapture } from "../../testing/fakes/capture-memory.js";
import { projectRoot, traces } from "../../testing/places.js";
import { readUpdate, updateOfCapture } from "../../testing/samples/captures.js";
import {
  type HeldFiles,
  heldFiles,
  heldUpdate,
  withClock,
  withFolder,
  withSteppedTsc,
  withText,
} from "../../testing/samples/held-files.js";

const base = async (name: string): Promise<HeldFiles> => heldFiles(join(traces, "cohorts/base", `${name}.tar.gz`));
const plain = await heldFiles(join(traces, "plain.tar.gz"));
const first = await base("01");
const second = await base("02");

const documentOf = (files: HeldFiles): LiveUpdateDocument => heldUpdate(files).update.document;
const codesOf = ({ defects }: LiveUpdateDocument, severity = "error"): readonly string[] =>
  defects.filter((found) => found.severity === severity).map(({ code }) => code);

function assertWithdrawn(document: LiveUpdateDocument, code: string): void {
  assert.equal(document.blackout.durationNs, null);
  assert.equal(document.seam.durationNs, null);
  assert.equal(document.phases.find(({ name }) => name === "kexec")?.durationNs, null);
  assert.notEqual(document.outcome, "completed");
  assert.ok(codesOf(document).includes(code), JSON.stringify(document.defects));
  assert.ok(document.clock.rejected.length > 0);
}

test("recordings as they are keep their link, their clocks and their blackout", () => {
  for (const [files, blackoutNs] of [
    [first, 4_382_411_533],
    [plain, 5_215_552_033],
  ] as const) {
    const document = documentOf(files);
    assert.equal(document.clock.method, "clock-pairs");
    assert.equal(document.blackout.durationNs, blackoutNs);
    assert.deepEqual([codesOf(document), codesOf(document, "warning")], [[], []]);
  }
});

test("a TSC that was stepped at the kexec by more than realtime can hide gives no duration across it", () => {
  for (const counts of [-20_000_000_000n, -5_000_000_000n, 7_000_000_000n, 30_000_000_000n]) {
    assertWithdrawn(documentOf(withSteppedTsc(plain, counts)), "clock-link-contradicted");
  }
  const stepped = documentOf(withSteppedTsc(plain, -5_000_000_000n));
  assert.match(stepped.clock.rejected.find(({ method }) => method === "clock-pairs")?.reason ?? "", /realtime clock/);
  assert.ok((stepped.phases.find(({ name }) => name === "restore")?.durationNs ?? 0) > 0, "within a boot all holds");
});

test("a boot whose events begin before the oldest that its kernel counted gives no duration across the kexec", () => {
  const stats = Object.fromEntries(
    Object.entries(plain).filter(([path]) => /^new\/per_cpu\/cpu\d+\/stats$/.test(path)),
  );
  assert.equal(Object.keys(stats).length, 2);
  const stepped = documentOf({ ...withSteppedTsc(plain, -1_000_000_000n), ...stats });
  assertWithdrawn(stepped, "clock-link-contradicted");
  assert.ok(codesOf(stepped).includes("ring-first-stamp"));
});

test("halves of two updates are refused, whichever came first", () => {
  assertWithdrawn(documentOf(withFolder(first, "new", second)), "halves-apart");
  assertWithdrawn(documentOf(withFolder(second, "new", first)), "halves-apart");
  assertWithdrawn(documentOf(withFolder(first, "ring", second)), "halves-apart");
});

test("what the old kernel saved of another update does not place this one's ring", () => {
  const mixed = documentOf(withFolder(first, "old", second));
  assert.equal(mixed.blackout.durationNs, null);
  assert.ok(codesOf(mixed).includes("trace-clock-contradicted"));
});

test("pairs of the other boot contradict the marks, and nothing is placed by them", () => {
  const swapped = documentOf({ ...first, "new/clock_pairs": first["old/clock_pairs"] as Uint8Array });
  assert.equal(swapped.blackout.durationNs, null);
  assert.notEqual(swapped.outcome, "completed");
  assert.ok(codesOf(swapped).includes("trace-clock-contradicted"));
});

const CLOCKS = ["local", "global", "counter", "uptime", "perf", "mono", "mono_raw", "boot", "tai", "x86-tsc"];

test("a wrong name of a trace clock is found, and the events are placed by what the evidence shows, or not at all", () => {
  for (const files of [first, plain]) {
    const right = documentOf(files).blackout;
    for (const [path, own] of [
      ["ring/trace_clock", "local"],
      ["new/trace_clock", "x86-tsc"],
    ] as const) {
      for (const clock of CLOCKS.filter((name) => name !== own)) {
        const { blackout, defects, clock: link } = documentOf(withClock(files, path, clock));
        const what = `${path} ${clock}: ${blackout.durationNs} ${link.method}`;
        if (blackout.durationNs === null) continue;
        const off = Math.abs(blackout.durationNs - (right.durationNs as number));
        assert.ok(off <= (blackout.uncertaintyNs as number), what);
        // Clocks that only a link of seconds can place need no word on their name.
        if (link.method === "realtime") continue;
        assert.ok(
          defects.some(({ code }) => code === "trace-clock-renamed"),
          what,
        );
      }
    }
  }
});

test("names of the two boots' clocks that are swapped are both found", () => {
  const swapped = withClock(withClock(first, "ring/trace_clock", "x86-tsc"), "new/trace_clock", "local");
  const document = documentOf(swapped);
  assert.equal(document.blackout.durationNs, documentOf(first).blackout.durationNs);
  assert.deepEqual(codesOf(document, "warning"), ["trace-clock-renamed", "trace-clock-renamed"]);
});

test("phases within the new kernel are not counted in another clock's unit", () => {
  const restore = (files: HeldFiles): number | null =>
    documentOf(files).phases.find(({ name }) => name === "restore")?.durationNs ?? null;
  for (const clock of ["mono_raw", "perf", "global"]) {
    assert.equal(restore(withClock(first, "new/trace_clock", clock)), restore(first), clock);
  }
});

const UNSTABLE = "[    2.100000] tsc: Marking TSC unstable due to clocksource watchdog\n";
const FORCED = "[    0.001000] [Firmware Bug]: TSC ADJUST: CPU0: -5000000000 force to 0\n";

test("a log that disproves the TSC takes its link, and the next one is used", () => {
  for (const [path, line] of [
    ["new/dmesg", FORCED],
    ["new/dmesg", UNSTABLE],
    ["old/dmesg", UNSTABLE],
    [
      "new/dmesg",
      "[    2.100000] clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable because the skew is too large:\n",
    ],
  ] as const) {
    const document = documentOf(withText(plain, path, (text) => text + line));
    assert.equal(document.clock.method, "realtime", path);
    assert.ok((document.blackout.uncertaintyNs ?? 0) >= 1e9);
    assert.ok(codesOf(document, "warning").includes("clock-link-contradicted"));
    assert.match(
      document.clock.rejected.find(({ method }) => method === "clock-pairs")?.reason ?? "",
      /disproves the TSC/,
    );
  }
});

test("a TSC that the old kernel wrote as it came up is as good as any", () => {
  const document = documentOf(withText(plain, "old/dmesg", (text) => text.replace(/\n/, `\n${FORCED}`)));
  assert.equal(document.clock.method, "clock-pairs");
});

test("rates of the TSC that differ between the kernels join nothing", () => {
  const rate = (text: string): string =>
    text
      .replace(/Detected [\d.]+ MHz/, "Detected 294.582 MHz")
      .replace(/calibration: [\d.]+ MHz/, "calibration: 294.582 MHz");
  const document = documentOf(withText(plain, "old/dmesg", rate));
  assert.equal(document.blackout.durationNs, null);
  assert.ok(codesOf(document).length > 0);
});

const shared = join(projectRoot, "../shared");
const absent = existsSync(shared) ? false : "the recordings beside the checkout are not there";

test("recordings whose clocks an observer contradicted give no number", { skip: absent }, async () => {
  for (const path of ["field/clock/clock-link-contradicted.tar.gz", "vm/capture-tsc-miscalibrated.tar.gz"]) {
    const document = documentOf(await heldFiles(join(shared, path)));
    assert.equal(document.blackout.durationNs, null, path);
    assert.notEqual(document.outcome, "completed", path);
    assert.ok(codesOf(document).length > 0, path);
  }
});

test("a blackout that ends before it begins is not known, also within the link's ±", () => {
  const clock = (at: number, seconds: string): string => markLine(at, `clock: realtime=${seconds}`);
  const made = (realtime: string): LiveUpdateDocument =>
    updateOfCapture(
      memoryCapture(
        madeCapture({
          old: { trace: clock(10, "1000.000000000") + markLine(10.5, "luo: vm_pause") },
          new: { trace: clock(0.2, realtime) + markLine(0.3, "luo: vm_resume") },
        }),
      ),
    ).update.document;
  assert.equal(made("1001.000000000").blackout.durationNs, 600_000_000);
  const negative = made("999.500000000");
  assert.deepEqual([negative.clock.method, negative.blackout.durationNs], ["realtime", null]);
  assert.equal(negative.outcome, "incomplete");
  assert.ok(codesOf(negative).includes("duration-negative"));
});

test("a kernel that took the TSC's rate from the wrong timer is placed by its counts of the TSC", async () => {
  // Its PIT showed 426.582 MHz, its HPET 2593.196; the old kernel's refined rate is 2596.080.
  const { update } = await readUpdate(join(traces, "dialects/async-probe.tar.gz"));
  const { blackout, clock, defects } = update.document;
  assert.equal(clock.method, "clock-pairs");
  assert.deepEqual(defects, []);
  // The clock outside saw 9,719,907,645 ns, to 1.4 ms.
  assert.ok(Math.abs((blackout.durationNs ?? 0) - 9_719_907_645) < 1_360_293 + (blackout.uncertaintyNs ?? 0));
});
