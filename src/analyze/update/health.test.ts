/** What the kernels complained about: by class, time, phase, task and CPU, on a shipped recording with lines added. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { HealthClass } from "../../model/kernel-lines.js";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { countHealth } from "../../model/update-sample.js";
import { hiding, readUpdate, replacing, updateOfCapture, withFiles } from "../../testing/samples/captures.js";
import { complaintOf } from "./health.js";

const SHIPPED = "traces/cohorts/base/01.tar.gz";

async function complaining(boot: "old" | "new", log: string): Promise<LiveUpdateDocument> {
  return withFiles(
    SHIPPED,
    (files) =>
      updateOfCapture(
        replacing(
          hiding(files, /trace_pipe_raw$/),
          new RegExp(`${boot}/dmesg$`),
          (whole) => `${whole.trimEnd()}\n${log}`,
        ),
      ).update.document,
  );
}

test("five complaints of the new kernel: completed, each with class, time, and who it was", async () => {
  const update = await complaining(
    "new",
    "[    2.410000] WARNING: CPU: 0 PID: 65 at kernel/liveupdate/kexec_handover.c:412 kho_restore_page+0x18a/0x1c0\n" +
      "[    2.420000] BUG: unable to handle page fault for address: 0000000000001410\n" +
      "[    2.430000] Oops: Oops: 0000 [#1] SMP\n" +
      "[    2.431000] CPU: 1 UID: 0 PID: 77 Comm: qemu Not tainted 7.3.4-luo #2\n" +
      "[    2.440000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n" +
      "[    2.450000] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [luolab:65]\n",
  );
  assert.equal(update.outcome, "completed");
  const { counts, events } = update.health;
  assert.deepEqual(
    counts.map(({ class: name, boot, count }) => [name, boot, count]),
    [
      ["oops", "new", 1],
      ["bug", "new", 1],
      ["warning", "new", 1],
      ["rcu-stall", "new", 1],
      ["soft-lockup", "new", 1],
    ],
  );
  assert.deepEqual(
    events.map(({ class: name, cpu, task, pid }) => [name, cpu, task, pid]),
    [
      ["warning", 0, "luolab", 65],
      ["bug", null, null, null],
      ["oops", 1, "qemu", 77],
      ["rcu-stall", null, null, null],
      ["soft-lockup", 1, "luolab", 65],
    ],
  );
  for (const { atNs, severity } of events) {
    assert.ok(atNs !== null);
    assert.equal(severity, "severe");
  }
});

test("the old kernel's complaints are its own, and one in a phase is in it", async () => {
  const update = await complaining("old", "[    2.900000] WARNING: CPU: 1 PID: 7 at mm/memory.c:1 f+0x1/0x2\n");
  assert.deepEqual(
    update.health.counts.map(({ boot, class: name }) => [boot, name]),
    [["old", "warning"]],
  );
  const restore = (await readUpdate(SHIPPED)).update.document.phases.find(({ name }) => name === "restore");
  const own = update.health.events[0];
  assert.equal(own?.boot, "old");
  assert.notEqual(restore?.durationNs, null);
});

test("each class by the lines that kernels print", () => {
  const lines: readonly (readonly [HealthClass, string])[] = [
    ["panic", "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b"],
    ["oops", "Internal error: Oops: 0000000096000004 [#1] SMP"],
    ["oops", "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008"],
    ["bug", "BUG: kernel NULL pointer dereference, address: 0000000000000000"],
    ["bug", "kernel BUG at mm/slub.c:418!"],
    ["bug", "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580"],
    ["bug", "BUG: scheduling while atomic: swapper/0/1/0x00000002"],
    ["bug", "BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 32s!"],
    ["general-protection", "general protection fault, probably for non-canonical address 0xdead: 0000 [#1]"],
    ["warning", "WARNING: kernel/liveupdate/luo_core.c:99 at luo_early_startup+0x1/0x2, CPU#1: swapper/0/1"],
    ["warning", "WARNING: possible circular locking dependency detected"],
    ["sanitizer", "BUG: KASAN: use-after-free in luo_file_finish+0x12/0x40"],
    ["sanitizer", "BUG: KCSAN: data-race in a / b"],
    ["sanitizer", "UBSAN: shift-out-of-bounds in kernel/foo.c:1:2"],
    ["rcu-stall", "rcu: INFO: rcu_sched self-detected stall on CPU"],
    ["rcu-stall", "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...D } 21 jiffies s: 1"],
    ["soft-lockup", "watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [swapper/3:0]"],
    ["hard-lockup", "watchdog: Watchdog detected hard LOCKUP on cpu 2"],
    ["hard-lockup", "NMI watchdog: Watchdog detected hard LOCKUP on cpu 2"],
    ["hung-task", "INFO: task jbd2/sda1-8:312 blocked for more than 122 seconds."],
    ["machine-check", "mce: [Hardware Error]: Machine check events logged"],
    ["machine-check", "{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 1"],
    ["machine-check", "EDAC MC0: 1 UE memory read error on CPU_SrcID#0"],
    ["iommu-fault", "DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x0 [fault reason 0x06]"],
    ["iommu-fault", "vfio-pci 0000:03:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0001 address=0x0]"],
    ["iommu-fault", "arm-smmu-v3 9050000.smmuv3: event 0x10 received:"],
    ["pcie-error", "pcieport 0000:00:01.1: PCIe Bus Error: severity=Uncorrectable (Fatal), type=Transaction Layer"],
    ["pcie-error", "pcieport 0000:00:1c.0: AER: Corrected error received: 0000:01:00.0"],
    ["cpu-lost", "smpboot: do_boot_cpu failed(-1) to wakeup CPU#1"],
    ["cpu-lost", "CPU3: failed to come online"],
    ["cpus-stopped-by-nmi", "Shutting down cpus with NMI"],
    ["allocation-failure", "qemu-system-x86: page allocation failure: order:9, mode:0xcc0(GFP_KERNEL)"],
    ["allocation-failure", "Out of memory: Killed process 123 (qemu) total-vm:1kB"],
    ["clock", "tsc: Marking TSC unstable due to clocksource watchdog"],
    ["clock", "clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable because the skew"],
    ["clock", "[Firmware Bug]: TSC ADJUST differs: Reference CPU0: -1 CPU1: -2"],
    ["acpi-error", "ACPI Error: Aborting method \\_SB.PCI0._OSC due to previous error (AE_NOT_FOUND)"],
    ["handover", "KHO: Failed to reserve lowmem scratch buffer"],
    ["handover", "luo: Disabling liveupdate because KHO is disabled"],
    ["handover", "memfd_luo: Unable to restore folio at physical address: 48bf000"],
    ["driver-error", "e1000: probe of 0000:00:03.0 failed with error -110"],
  ];
  for (const [name, text] of lines) assert.equal(complaintOf(text, null)?.class, name, text);
});

test("a driver's failure counts at the level of errors, and if no level is known not at all", () => {
  const line = "nvme nvme0: I/O tag 12 timed out, aborting";
  assert.equal(complaintOf(line, 3)?.class, "driver-error");
  assert.equal(complaintOf(line, 6), null);
  assert.equal(complaintOf(line, null), null);
});

test("lines that healthy kernels print are not complaints", () => {
  for (const text of [
    "acpi PNP0A03:00: fail to add MMCONFIG information, can't access extended configuration space under this bridge",
    'PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug',
    "tsc: Unable to calibrate against PIT",
    "calibrate_delay_direct() failed to get a good estimate for loops_per_jiffy.",
    "Failed to enable trace event: kprobes:*",
    "pcieport 0000:00:02.0: AER: enabled with IRQ 25",
    "DMAR: Host address width 46",
    "mce: CPU0: Thermal monitoring enabled (TM1)",
    "ACPI: LAPIC_NMI (acpi_id[0xff] dfl dfl lint[0x1])",
    "luo: Retrieved live update data, liveupdate number: 1",
    "KHO: scratch areas: lowmem: 64MiB global: 128MiB pernode: 64MiB",
    "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
    "rcu: Hierarchical RCU implementation.",
    "luolab[7]: error: my own business",
  ])
    assert.equal(complaintOf(text, null), null, text);
});

test("the recordings give no false alarm: what complains is there", async () => {
  const folders = ["traces", "traces/dialects", "traces/cohorts/base", "traces/cohorts/devices"].filter(existsSync);
  for (const path of folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))) {
    if (!path.endsWith(".tar.gz")) continue;
    const { document } = (await readUpdate(path)).update;
    // Its new kernel took the TSC's rate from the wrong timer, and says that the TSC is unstable.
    const complaints = path.endsWith("async-probe.tar.gz")
      ? ["tsc: Marking TSC unstable due to clocksource watchdog"]
      : [];
    assert.deepEqual(
      document.health?.events.map(({ text }) => text),
      complaints,
      path,
    );
    assert.deepEqual(document.losses, [], path);
    // systemd retrieves its own session before the recorder arms in the new kernel.
    const unseen = path.endsWith("systemd.tar.gz") ? ["systemd"] : [];
    assert.deepEqual(
      document.notSeen.map(({ session }) => session),
      unseen,
      path,
    );
  }
});

test("a sample keeps complaints by text, each with its number, and beyond a hundred texts by class", () => {
  const event = (text: string) => ({ class: "warning", severity: "severe", boot: "new", text }) as const;
  const events = [event("a"), event("b"), event("a")];
  assert.deepEqual(countHealth({ counts: [{ class: "warning", severity: "severe", boot: "new", count: 5 }], events }), [
    { ...event("a"), count: 2 },
    { ...event("b"), count: 1 },
    { ...event(""), count: 2 },
  ]);
  const many = Array.from({ length: 150 }, (_, i) => event(`line ${i}`));
  const kept = countHealth({
    counts: [{ class: "warning", severity: "severe", boot: "new", count: 150 }],
    events: many,
  });
  assert.deepEqual([kept.length, kept.at(-1)], [101, { ...event(""), count: 50 }]);
});
