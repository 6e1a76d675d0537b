import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Collected } from "../model/collected.js";
import {
  callLine,
  type MadeBoot,
  madeCapture,
  markLine,
  memoryCapture,
  returnLine,
  traceLine,
} from "../testing/fakes/capture-memory.js";
import { documentFaults } from "../testing/fakes/document-faults.js";
import { updateOfCapture } from "../testing/samples/captures.js";
import { placedEventFeed } from "./collect.js";

const collected = (boots: { readonly old?: MadeBoot; readonly new?: MadeBoot }): Collected =>
  updateOfCapture(memoryCapture(madeCapture(boots))).collected.collected;
const KVM = (offset: bigint): string => `[    0.000000] kvm-clock: using sched offset of ${offset} cycles\n`;

test("events of both boots lie on one axis, and the extents are theirs", () => {
  const { link, extents, keyEvents } = collected({
    old: { trace: markLine(10, "luo: vm_pause") + traceLine(11, "sched_waking: x=1"), dmesg: KVM(1_000_000_000n) },
    new: { trace: markLine(2, "luo: vm_resume"), dmesg: KVM(12_000_000_000n) },
  });
  assert.equal(link.joint, true);
  assert.deepEqual(
    keyEvents.map(({ at, name }) => [at.boot, at.ns, name]),
    [
      ["old", 10_000_000_000, "luo: vm_pause"],
      ["new", 13_000_000_000, "luo: vm_resume"],
    ],
  );
  assert.deepEqual(extents.old, { firstNs: 10_000_000_000, lastNs: 11_000_000_000 });
});

test("a key line of the log that is not a trace event is a key event, once, with its ±", () => {
  const said = "kexec_core: Starting new kernel";
  const dmesg = `[    9.000000] sched_clock: Marking stable (1, 2)->(3, 4)\n[   12.000000] ${said}\n`;
  const logged = collected({ old: { dmesg } }).keyEvents;
  assert.deepEqual(
    logged.map(({ at, what, file, place }) => [at.ns, at.uncertaintyNs, what, `${file}:${place}`]),
    [[12_000_000_000, 1_000, "printk", "old/dmesg:2"]],
  );
  const traced = collected({ old: { dmesg, trace: traceLine(11.9, `console: ${said}`) } }).keyEvents;
  assert.deepEqual(
    traced.map(({ at, file }) => [at.ns, file]),
    [[0, "ring/trace"]],
    "on the trace's own axis, from its first event",
  );
});

test("a boot without an event is reported, with what is missing", () => {
  const told = (boots: { readonly old?: MadeBoot; readonly new?: MadeBoot }): readonly string[] =>
    collected(boots).defects.flatMap(({ defect }) =>
      defect.code === "events-missing" ? [`${defect.boot} ${defect.file}: ${defect.message}`] : [],
    );
  assert.deepEqual(told({ old: { trace: markLine(1, "x") }, new: { trace: markLine(1, "x") } }), []);
  const [old, fresh] = told({ old: {} });
  assert.match(old ?? "", /^old capture\.json: .*boots\.old\.ring/);
  assert.match(fresh ?? "", /^new capture\.json: The capture has no part of the new boot/);
  assert.match(told({ old: { trace: "" }, new: { trace: markLine(1, "x") } })[0] ?? "", /^old ring: .*holds no event/);
  const dmesg = "[    0.000000] Ring buffer boot meta [0] invalid nr_subbufs\n";
  const rejected = told({ old: { trace: "" }, new: { trace: markLine(1, "x"), dmesg } })[0] ?? "";
  assert.match(rejected, /^old new\/dmesg: The new kernel rejected .*'Ring buffer boot meta \[0\] invalid nr_subbufs'/);
});

test("the events are fed again, placed as they were collected", () => {
  const files = memoryCapture(madeCapture({ old: { trace: markLine(10, "a") + markLine(11, "b") } }));
  const { capture, collected: read } = updateOfCapture(files);
  const times: number[] = [];
  placedEventFeed(capture, files, read.maps)((chunk, axisNs) => times.push(...axisNs.subarray(0, chunk.count)));
  assert.deepEqual(times, [0, 1_000_000_000]);
});

const when = fc.oneof(
  fc.nat(30),
  fc.double({ min: 0, max: 1e12, noNaN: true }),
  fc.constantFrom(0, 9_007_199, 99_999_999_999),
);
const traceText = fc
  .array(
    fc.oneof(
      fc
        .tuple(
          when,
          fc.constantFrom(
            "luo: vm_pause",
            "luo: vm_resume vm=a",
            "luo: preserve_fd begin token=0x1",
            "clock: realtime=999999999999.000000000",
          ),
        )
        .map(([at, text]) => markLine(at, text)),
      fc
        .tuple(when, fc.constantFrom("kernel_kexec", "liveupdate_reboot", "luo_open", "luo_retrieve_file"))
        .map(([at, name]) => callLine(at, name)),
      fc
        .tuple(when, fc.constantFrom("liveupdate_reboot", "luo_retrieve_file"), fc.integer({ min: -20, max: 0 }))
        .map(([at, name, ret]) => returnLine(at, name, ret)),
      fc.string({ maxLength: 30 }).map((text) => `${text}\n`),
    ),
    { maxLength: 12 },
  )
  .map((lines) => lines.join(""));
const dmesgText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "[    0.040000] tsc: Detected 2441.344 MHz processor\n",
        "[    0.000000] tsc: Detected 0.000 MHz processor\n",
        "[    1.841868] tsc: Refined TSC clocksource calibration: 2445.404 MHz\n",
        "[    1.870769] sched_clock: Marking stable (1912138522, -43108068)->(1881453813, -12423359)\n",
        "[    9.000000] luo: Switched from [normal] to [prepared] state\n",
        "[9000000.000000] kexec_core: Starting new kernel\n",
        KVM(5n),
        KVM(99_999_999_999_999_999_999n),
      ),
      fc.string({ maxLength: 30 }).map((text) => `${text}\n`),
    ),
    { maxLength: 8 },
  )
  .map((lines) => lines.join(""));
const pairsText = fc
  .array(fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }), fc.nat(1_000_000_000), fc.boolean()), { maxLength: 3 })
  .map((rounds) =>
    rounds
      .map(([tsc, ns, far]) =>
        Array.from({ length: 9 }, (_, i) =>
          i % 2 === 0 ? `now ts: ${tsc + BigInt(i) * 1_000n}` : `now ts: ${far ? "99999999999999999999" : ns}.000001`,
        ).join("\n"),
      )
      .join("\n"),
  );
const boot = fc.record(
  {
    trace: traceText,
    dmesg: dmesgText,
    pairs: pairsText,
    clock: fc.constantFrom("local", "x86-tsc", "mono", "tai", "sundial"),
    cmdline: fc.constantFrom("kho=off", "reserve_mem=1K:1:t trace_instance=b@t", ""),
  },
  { requiredKeys: [] },
);

test("whatever the files hold, the answer is a sound document: no throw, no broken promise", () => {
  fc.assert(
    fc.property(
      fc.record({ old: boot, new: boot }, { requiredKeys: ["old"] }),
      fc.option(dmesgText),
      (boots, console_) => {
        const files = madeCapture(boots, console_ === null ? {} : { "console.log": console_ });
        const { document } = updateOfCapture(memoryCapture(files)).update;
        assert.deepEqual(documentFaults(document), []);
      },
    ),
    { numRuns: 600 },
  );
});

test("a clock link by which the new kernel begins before the old one ends is contradicted", () => {
  const link = (offset: bigint): readonly string[] =>
    collected({
      old: { trace: markLine(10, "a") + markLine(11, "b"), dmesg: KVM(1_000_000_000n) },
      new: { trace: markLine(2, "c"), dmesg: KVM(offset) },
    }).defects.flatMap(({ defect }) => (defect.code.startsWith("clock-link") ? [defect.message] : []));
  assert.deepEqual(link(12_000_000_000n), []);
  assert.match(link(9_000_000_000n)[0] ?? "", /kvm-clock.* 1\.000 s before the old kernel's last/);
});

test("two kernel logs without one trace event are joined by the kvm-clock", () => {
  const stable = "[    1.000000] sched_clock: Marking stable (1, 2)->(3, 4000)\n";
  const boots = {
    old: { dmesg: `${KVM(1_000_000_000n)}${stable}[   10.000004] kexec_core: Starting new kernel\n` },
    new: {
      dmesg: `${KVM(12_000_000_000n)}[    0.500000] luo: Retrieved live update data, liveupdate number: 1\n${stable}`,
    },
  };
  const { link, keyEvents, printk, extents, schedClockZero } = collected(boots);
  assert.deepEqual([link.method, link.joint, extents.old, extents.new], ["kvm-clock", true, null, null]);
  assert.ok(link.uncertaintyNs !== null && link.uncertaintyNs <= 2_000);
  // Once sched_clock is marked stable printk's stamp is d beyond it; before, it wanders.
  assert.deepEqual(
    keyEvents.map(({ at, name }) => [at.boot, at.ns, (at.uncertaintyNs ?? 0) < 10_000, name.slice(0, 8)]),
    [
      ["old", 10_000_000_000, true, "kexec_co"],
      ["new", 11_500_000_000, false, "luo: Ret"],
    ],
  );
  assert.equal(schedClockZero.new?.ns, 11_000_000_000);
  assert.equal(printk.filter(({ ns }) => ns === null).length, 2, "the lines stamped zero");
  assert.deepEqual(documentFaults(updateOfCapture(memoryCapture(madeCapture(boots))).update.document), []);
});

test("a boot with events and a log without any are joined alike", () => {
  const boots = {
    old: { dmesg: `${KVM(1_000_000_000n)}[   10.000000] kexec_core: Starting new kernel\n` },
    new: { trace: markLine(2, "luo: vm_resume"), dmesg: KVM(12_000_000_000n) },
  };
  const { link, keyEvents } = collected(boots);
  assert.deepEqual([link.method, link.joint], ["kvm-clock", true]);
  assert.deepEqual(
    keyEvents.map(({ at }) => [at.boot, at.ns]),
    [
      ["old", 10_000_000_000],
      ["new", 13_000_000_000],
    ],
  );
  // On a clock that is not sched_clock they are not.
  const { link: apart } = collected({ ...boots, new: { ...boots.new, clock: "mono" } });
  assert.equal(apart.joint, false);
});
