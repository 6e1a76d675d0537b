/** Outcomes, clock links and VMs, on small captures made here: what no recording shows. */
import assert from "node:assert/strict";
import test from "node:test";
import type { LiveUpdateDocument, PhaseDocument, PhaseName } from "../../model/live-update.js";
import {
  callLine,
  type MadeBoot,
  madeCapture,
  markLine,
  memoryCapture,
  returnLine,
  traceLine,
} from "../../testing/fakes/capture-memory.js";
import { updateOfCapture } from "../../testing/samples/captures.js";

const SECOND = 1_000_000_000;
const analyzed = (
  boots: { readonly old?: MadeBoot; readonly new?: MadeBoot },
  more: Readonly<Record<string, string>> = {},
): LiveUpdateDocument => updateOfCapture(memoryCapture(madeCapture(boots, more))).update.document;
const phase = (update: LiveUpdateDocument, name: PhaseName): PhaseDocument =>
  update.phases.find((each) => each.name === name) as PhaseDocument;

const PREPARE =
  markLine(9, "luo: prepare begin") +
  callLine(9.1, "luo_session_create", 'session="a"') +
  callLine(9.2, "luo_preserve_file", 'session="a" token=0x1') +
  returnLine(9.25, "luo_preserve_file", 0);
const PAUSE = markLine(10, "luo: vm_pause");
const FREEZE =
  callLine(10.1, "kernel_kexec") + callLine(10.2, "liveupdate_reboot") + returnLine(10.3, "liveupdate_reboot", 0);
const OLD = PREPARE + PAUSE + FREEZE + callLine(10.35, "kernel_restart_prepare") + callLine(10.4, "machine_kexec");
const NEW =
  callLine(2, "luo_open") +
  callLine(2.1, "luo_retrieve_file", 'session="a" token=0x1') +
  returnLine(2.2, "luo_retrieve_file", 0) +
  markLine(2.5, "luo: vm_resume") +
  callLine(2.6, "luo_file_finish", 'session="a"') +
  returnLine(2.7, "luo_file_finish");
const KVM_OLD = "[    0.000000] kvm-clock: using sched offset of 1000000000 cycles\n";
const KVM_NEW = "[    0.000000] kvm-clock: using sched offset of 12000000000 cycles\n";

test("failed: a new kernel whose log ends before user space, and says where", () => {
  const log = (last: string): string =>
    `[   10.000000] kexec_core: Starting new kernel\n[    0.000000] Linux version 7.3.4\n[    1.000000] ${last}\n`;
  const hung = analyzed({ old: {} }, { "console.log": log("Waiting for root device /dev/nowhere...") });
  assert.equal(hung.outcome, "failed");
  assert.match(
    hung.outcomeReason,
    /never reached user space: its log ends with 'Waiting for root .*\(console\.log:3\)/,
  );
  const ran = analyzed({ old: {} }, { "console.log": log("Run /init as init process") });
  assert.equal(ran.outcome, "incomplete", "what was not collected may have been a success");
});

test("aborted: one boot, marks on one clock, a duration without any link", () => {
  const trace =
    PREPARE +
    PAUSE +
    callLine(10.1, "kernel_kexec") +
    callLine(10.2, "liveupdate_reboot") +
    returnLine(10.3, "liveupdate_reboot", -16) +
    returnLine(10.31, "kernel_kexec", -16) +
    markLine(10.5, "luo: vm_resume");
  const update = analyzed({ old: { trace } });
  assert.equal(update.outcome, "aborted");
  assert.match(update.outcomeReason, /liveupdate_reboot returned -16/);
  assert.deepEqual([update.clock.method, update.clock.uncertaintyNs], ["single", null]);
  assert.deepEqual([update.blackout.basis, update.blackout.durationNs], ["vm-marks", SECOND / 2]);
  assert.equal(phase(update, "prepare").durationNs, 150_000_000);
  assert.equal(phase(update, "freeze").beginNs, 100_000_000);
  assert.equal(phase(update, "freeze").endNs, null, "a freeze that failed has no end");
  for (const name of ["kexec", "restore", "finish"] as const) assert.equal(phase(update, name).durationNs, null);
});

test("aborted by the log alone: the handler that refused is named", () => {
  const dmesg = "[   10.250000] luo: Freeze failed for token[0x1] handler[memfd-v2] err[-EBUSY]\n";
  const update = analyzed({ old: { trace: PREPARE + PAUSE + markLine(10.5, "luo: vm_resume"), dmesg } });
  assert.equal(update.outcome, "aborted");
  assert.match(update.outcomeReason, /memfd-v2.*old\/dmesg:1/);
});

test("an attempt that was aborted before the one that went through is not this update's", () => {
  const earlier =
    markLine(5, "luo: vm_pause") +
    callLine(5.1, "kernel_kexec") +
    callLine(5.2, "liveupdate_reboot") +
    returnLine(5.3, "liveupdate_reboot", -16) +
    markLine(5.5, "luo: vm_resume");
  const update = analyzed({ old: { trace: earlier + OLD, dmesg: KVM_OLD }, new: { trace: NEW, dmesg: KVM_NEW } });
  assert.equal(update.blackout.durationNs, 3.5 * SECOND);
  assert.equal(update.outcome, "completed");
});

test("failed: the new kernel panicked, and only the console knows", () => {
  const console_ =
    "[   10.360000] kexec_core: Starting new kernel\n[    0.000000] Linux version 7.3.4 (gcc)\n" +
    "[    0.900000] Kernel panic - not syncing: VFS: Unable to mount root fs\n";
  const update = analyzed(
    { old: { dmesg: "[    1.000000] Linux version 7.3.4 (gcc)\n" } },
    { "console.log": console_ },
  );
  assert.equal(update.outcome, "failed");
  assert.match(update.outcomeReason, /new kernel panicked: .*VFS.*console\.log:3/);
  assert.equal(update.blackout.durationNs, null);
  assert.deepEqual(
    update.defects.filter(({ code }) => code === "events-missing").map(({ boot }) => boot),
    ["old", "new"],
  );
  const [, latest] = phase(update, "freeze").endRangeNs ?? [];
  assert.ok(latest !== null && latest !== undefined && latest >= 10.36 * SECOND, "the log bounds the freeze");
});

test("failed: the new kernel refused LUO's state", () => {
  const refusal = "[    2.000000] luo: Failed to deserialize files for session [a] -EINVAL\n";
  const update = analyzed({
    old: { trace: OLD, dmesg: KVM_OLD },
    new: { trace: callLine(2, "luo_open"), dmesg: KVM_NEW + refusal },
  });
  assert.equal(update.outcome, "failed");
  assert.match(update.outcomeReason, /refused the live update's state/);
  assert.ok(
    !update.defects.some(({ code }) => code === "vm-resume-unseen"),
    "nothing resumed: its mark is not missing",
  );
});

test("failed: the new kernel was started with KHO or LUO off", () => {
  for (const off of ["kho=off", "liveupdate=0"]) {
    const update = analyzed({
      old: { trace: OLD },
      new: { trace: traceLine(1, "sched_waking: x=1"), cmdline: `quiet ${off}` },
    });
    assert.equal(update.outcome, "failed");
    assert.match(update.outcomeReason, new RegExp(`'${off}' \\(new/cmdline:1\\)`));
  }
});

test("incomplete: it says which evidence is missing", () => {
  const clocks = { old: { dmesg: KVM_OLD }, new: { dmesg: KVM_NEW } };
  const noPause = analyzed({ old: { trace: PREPARE, ...clocks.old }, new: { trace: NEW, ...clocks.new } });
  assert.equal(noPause.outcome, "incomplete");
  assert.match(noPause.outcomeReason, /pause and the freeze's begin/);
  const noEnd = analyzed({
    old: { trace: OLD, ...clocks.old },
    new: { trace: callLine(2, "luo_open"), ...clocks.new },
  });
  assert.match(noEnd.outcomeReason, /the restore's end and the VMs' resume/);
});

test("kvm-clock's offsets in both dmesgs join two kernels on `local`", () => {
  const update = analyzed({ old: { trace: OLD, dmesg: KVM_OLD }, new: { trace: NEW, dmesg: KVM_NEW } });
  assert.equal(update.clock.method, "kvm-clock");
  assert.equal(update.blackout.durationNs, 3.5 * SECOND);
  assert.equal(phase(update, "kexec").durationNs, 2.7 * SECOND);
  assert.deepEqual(
    update.clock.rejected.map(({ method }) => method),
    ["x86-tsc", "clock-pairs"],
  );
});

test("realtime marks join them within seconds, and this is stated", () => {
  const clock = (at: number, realtime: number): string =>
    markLine(at, `clock: realtime=${realtime}.500000000 monotonic=1.0`);
  const update = analyzed({
    old: { trace: clock(8, 1_795_431_738) + OLD },
    new: { trace: clock(1, 1_795_431_742) + NEW },
  });
  assert.equal(update.clock.method, "realtime");
  assert.equal(update.blackout.durationNs, 3.5 * SECOND);
  assert.ok((update.blackout.uncertaintyNs ?? 0) >= SECOND);
});

test("no link: no duration across the kexec is given at all, and each kernel's own are", () => {
  const update = analyzed({ old: { trace: OLD }, new: { trace: NEW } });
  assert.equal(update.clock.method, "none");
  assert.deepEqual(
    [update.clock.uncertaintyNs, update.blackout.durationNs, update.seam.durationNs],
    [null, null, null],
  );
  assert.equal(phase(update, "kexec").durationNs, null);
  assert.deepEqual(
    update.vms.map(({ durationNs }) => durationNs),
    [null],
  );
  assert.equal(phase(update, "freeze").durationNs, 200_000_000);
  assert.deepEqual([phase(update, "freeze").axis, phase(update, "restore").axis], ["old", "new"]);
  assert.equal(update.outcome, "incomplete");
  assert.match(update.outcomeReason, /clock link/);
});

test("each VM has its own blackout; the host's is from the first pause to the last resume", () => {
  const pauses = markLine(10, "luo: vm_pause vm=web") + markLine(10.05, "luo: vm_pause vm=db");
  const resumes = markLine(2.4, "luo: vm_resume vm=db") + markLine(2.8, "luo: vm_resume vm=web");
  const update = analyzed({
    old: { trace: PREPARE + pauses + FREEZE, dmesg: KVM_OLD },
    new: { trace: callLine(2, "luo_open") + resumes, dmesg: KVM_NEW },
  });
  assert.deepEqual(
    update.vms.map(({ id, beginNs, durationNs }) => [id, beginNs, durationNs]),
    [
      ["db", 50_000_000, 3.35 * SECOND],
      ["web", 0, 3.8 * SECOND],
    ],
  );
  assert.equal(update.blackout.durationNs, 3.8 * SECOND);
});

test("a VM that never resumed has no blackout, and the others keep theirs", () => {
  const update = analyzed({
    old: { trace: markLine(10, "luo: vm_pause vm=a") + markLine(10.1, "luo: vm_pause vm=b") + FREEZE, dmesg: KVM_OLD },
    new: { trace: markLine(2.5, "luo: vm_resume vm=b"), dmesg: KVM_NEW },
  });
  assert.deepEqual(
    update.vms.map(({ id, durationNs }) => [id, durationNs]),
    [
      ["a", null],
      ["b", 3.4 * SECOND],
    ],
  );
});

test("the 2025 series by its dmesg alone: states bound what they do not show", () => {
  const dmesg =
    "[    1.000000] sched_clock: Marking stable (1,2)->(3,4)\n" +
    "[    9.500000] luo: Switched from [normal] to [prepared] state\n" +
    "[   10.300000] luo: Switched from [prepared] to [frozen] state\n";
  const update = analyzed({
    old: { dmesg },
    new: { dmesg: "[    3.000000] luo: Switched from [updated] to [normal] state\n" },
  });
  assert.equal(phase(update, "prepare").endNs, 9.5 * SECOND);
  assert.equal(phase(update, "freeze").endNs, 10.3 * SECOND);
  assert.equal(phase(update, "freeze").beginNs, null);
  assert.deepEqual(phase(update, "freeze").evidence.end?.confidence, "printk");
  assert.equal(phase(update, "finish").endNs, 3 * SECOND);
  assert.equal(phase(update, "kexec").durationNs, null, "two logs are two clocks");
  assert.equal(update.blackout.durationNs, null);
});

test("failed by its ABI: the reason names the line and both kernels, and the new one is named by its console", () => {
  for (const line of [
    "luo: LUO state is incompatible with 'luo-v6'",
    "KHO: setup: handover FDT (0x1fe00000) is incompatible with 'kho-v2': -22",
    "luo: No registered handler for compatible [memfd-v3]",
  ]) {
    const console =
      "[    0.000000] Linux version 7.3.4-old\n[   10.000000] kexec_core: Starting new kernel\n" +
      `[    0.000000] Linux version 7.4.0-rc1 (gcc)\n[    0.900000] ${line}\n` +
      "[    0.901000] Kernel panic - not syncing: The incoming tree failed to initialize properly\n";
    const update = analyzed({ old: { trace: OLD } }, { "console.log": console });
    assert.equal(update.outcome, "failed");
    assert.equal(update.capture.kernel.new, "7.4.0-rc1");
    assert.ok(update.outcomeReason.includes(line), update.outcomeReason);
    assert.match(update.outcomeReason, /^The new kernel, 7\.4\.0-rc1, does not have the ABI/);
    assert.deepEqual(
      update.health.counts.map(({ class: name, boot }) => [name, boot]),
      [
        ["panic", "new"],
        ["handover", "new"],
      ],
    );
  }
});

test("failed: a panic after the restore, before the VMs resumed", () => {
  const trace = NEW.slice(0, NEW.indexOf(markLine(2.5, "luo: vm_resume")));
  const dmesg = `${KVM_NEW}[    2.300000] Kernel panic - not syncing: Fatal exception\n`;
  const update = analyzed({ old: { trace: OLD, dmesg: KVM_OLD }, new: { trace, dmesg } });
  assert.equal(update.outcome, "failed");
  assert.match(update.outcomeReason, /The new kernel panicked: .*Fatal exception/);
});
