import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import {
  captured,
  holdsKernelLine,
  isKernelLine,
  isLineFor,
  KERNEL_LINES,
  type KernelLineId,
  kernelLineOf,
} from "./kernel-lines.js";

/** A line of each row as a kernel prints it, and what is read of it. */
const SAMPLES: Readonly<Record<KernelLineId, readonly [text: string, values?: Readonly<Record<string, string>>]>> = {
  "linux-version": ["Linux version 7.3.4-luo (gcc (Debian 12.2.0-14) 12.2.0) #2 SMP", { release: "7.3.4-luo" }],
  "early-command-line": ["Command line: console=ttyS0 kho=on", { words: "console=ttyS0 kho=on" }],
  "command-line": ["Kernel command line: console=ttyS0 kho=on", { words: "console=ttyS0 kho=on" }],
  "tracer-started": ["Starting tracer 'function_graph'", { tracer: "function_graph" }],
  "tsc-detected": ["tsc: Detected 2441.344 MHz processor", { mhz: "2441", khz: "344", of: "processor" }],
  "tsc-refined": ["tsc: Refined TSC clocksource calibration: 2445.404 MHz", { mhz: "2445", khz: "404" }],
  "tsc-deviates": ["tsc: PIT calibration deviates from HPET: 426582 2593196", { pit: "426582", other: "2593196" }],
  "tsc-by-pit": ["tsc: Fast TSC calibration using PIT"],
  "tsc-unstable": ["tsc: Marking TSC unstable due to clocksource watchdog"],
  "tsc-adjusted": ["[Firmware Bug]: TSC ADJUST: CPU0: -5000000000 force to 0"],
  "sched-clock-stable": [
    "sched_clock: Marking stable (1912138522, -43108068)->(1881453813, -12423359)",
    { offset: "-12423359" },
  ],
  "kvm-clock-offset": ["kvm-clock: using sched offset of 8017542013 cycles", { ns: "8017542013" }],
  "rtc-read": [
    "rtc_cmos 00:04: setting system clock to 2026-11-23T09:54:41 UTC (1795427681)",
    { seconds: "1795427681" },
  ],
  "kexec-start": ["kexec_core: Starting new kernel"],
  "device-shut-down": ["e1000 0000:00:03.0: shutdown"],
  "syscore-shut-down": ["kvm: exiting hardware virtualization"],
  "cpus-stopped-by-nmi": ["Shutting down cpus with NMI"],
  "cpu-killed": ["psci: CPU1 killed (polled 0 ms)"],
  bye: ["Bye!"],
  restart: ["reboot: Restarting system"],
  "kho-found": ["KHO: found kexec handover data."],
  "kho-exec-from": ["KHO: exec from: 7.2.13-luo (count 3)", { release: "7.2.13-luo", count: "3" }],
  "kho-disabled": ["KHO: disabling KHO revival"],
  "luo-retrieved": ["luo: Retrieved live update data, liveupdate number: 4", { number: "4" }],
  "luo-disabled": ["luo: Disabling liveupdate because KHO is disabled"],
  "luo-freeze-failed": [
    "luo: Freeze failed for token[0x1] handler[memfd-v2] err[-EBUSY]",
    { token: "0x1", handler: "memfd-v2", error: "-EBUSY" },
  ],
  "luo-restore-failed": ["luo: File count mismatch: expected 4, found 3"],
  "device-probed": [
    "probe of 0000:00:04.0 returned 0 after 530000 usecs",
    { device: "0000:00:04.0", ret: "0", usecs: "530000" },
  ],
  "luo-switched": ["luo: Switched from [normal] to [prepared] state", { from: "normal", to: "prepared" }],
  "luo-switch-refused": ["luo: Can't switch to [frozen] from [normal] state"],
  "luo-event-failed": ["luo: [freeze] event failed", { event: "freeze" }],
  "ring-rejected": ["Ring buffer boot meta [1] buffer size out of range"],
  "smp-begin": ["smp: Bringing up secondary CPUs ..."],
  "devtmpfs-ready": ["devtmpfs: initialized"],
  "delay-calibrated": ["Calibrating delay loop (skipped), value calculated using timer frequency.. 1999.96 BogoMIPS"],
  "emulated-cpu": ["smpboot: CPU0: AMD QEMU TCG CPU version 2.5+ (family: 0xf, model: 0x6b, stepping: 0x1)"],
  ramdisk: ["RAMDISK: [mem 0x3d67d000-0x3d7effff]", { from: "3d67d000", to: "3d7effff" }],
  "memory-mapped": ["mem auto-init: stack:all(zero), heap alloc:off, heap free:off"],
  "slabs-made": ["SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=2, Nodes=1"],
  "ftrace-records": ["ftrace: allocating 29454 entries in 116 pages", { records: "29454" }],
  "rcu-begun": ["rcu: Preemptible hierarchical RCU implementation."],
  "irqs-set-up": ["NR_IRQS: 4352, nr_irqs: 440, preallocated irqs: 16"],
  "cpus-up": ["smp: Brought up 1 node, 2 CPUs", { cpus: "2" }],
  memory: ["Memory: 946276K/1048056K available (20480K kernel code)", { kib: "1048056" }],
  "deferred-pages": ["node 0 deferred pages initialised in 24ms", { ms: "24" }],
  "init-process": ["Run /init as init process", { path: "/init" }],
  "root-awaited": ["Waiting for root device /dev/nowhere...", { device: "/dev/nowhere" }],
  "pci-device": [
    "pci 0000:00:03.0: [8086:100e] type 00 class 0x020000 conventional PCI endpoint",
    { address: "0000:00:03.0", model: "8086:100e" },
  ],
  panic: ["Kernel panic - not syncing: VFS: Unable to mount root fs", { reason: "VFS: Unable to mount root fs" }],
  "kho-incompatible": ["KHO: setup: handover FDT (0x1fe00000) is incompatible with 'kho-v2': -22", { abi: "kho-v2" }],
  "luo-incompatible": ["luo: LUO state is incompatible with 'luo-v6'", { abi: "luo-v6" }],
  "luo-handler-unknown": ["luo: No registered handler for compatible [memfd-v3]", { abi: "memfd-v3" }],
  "handler-restore-failed": ["memfd_luo: Unable to restore folio at physical address: 48bf000"],
  "handler-failed": ["memfd_luo: failed to preserve folios: -12"],
  "freeze-refused": ["vfio-pci 0000:01:00.0: Freeze failed! Interrupts are still enabled."],
  "luo-failed": ["luo: Failed to allocate session"],
  "kho-restore-failed": ["KHO: failed to restore page at 0x48bf000"],
  "kho-failed": ["KHO: Failed to reserve lowmem scratch buffer"],
  "reservation-refused": ["KHO reserve-mem 'trace' has wrong alignment (0x1000, 0x2000)"],
  sanitizer: ["BUG: KASAN: slab-out-of-bounds in luo_session_retrieve+0x12/0x40"],
  "soft-lockup": [
    "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:0:65]",
    { cpu: "1", task: "kworker/1:0", pid: "65" },
  ],
  "hard-lockup": ["watchdog: CPU2: Watchdog detected hard LOCKUP on cpu 2", { cpu: "2" }],
  "rcu-stall": ["rcu: INFO: rcu_preempt self-detected stall on CPU"],
  "hung-task": ["INFO: task kworker/0:1:123 blocked for more than 120 seconds.", { task: "kworker/0:1", pid: "123" }],
  "general-protection": ["Oops: general protection fault, probably for non-canonical address 0xdead000000000100"],
  oops: ["Oops: Oops: 0000 [#1] SMP"],
  bug: ["BUG: unable to handle page fault for address: 0000000000001410"],
  warning: [
    "WARNING: CPU: 0 PID: 65 at kernel/liveupdate/kexec_handover.c:412 kho_restore_page+0x18a/0x1c0",
    { cpu: "0", pid: "65" },
  ],
  "machine-check": ["mce: [Hardware Error]: CPU 3: Machine Check: 0 Bank 4: b200000000070f0f", { cpu: "3" }],
  "iommu-fault": ["DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x1000 [fault reason 0x05]"],
  "pcie-error": ["pcieport 0000:00:1c.0: AER: Correctable error message received from 0000:01:00.0"],
  "cpu-lost": ["CPU1 failed to report alive state"],
  "allocation-failure": ["luolab: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL)", { task: "luolab" }],
  "acpi-error": ["ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0]"],
  "probe-failed": ["e1000 0000:00:03.0: probe with driver e1000 failed with error -110"],
  "transmit-timeout": ["e1000 0000:00:03.0 eth0: NETDEV WATCHDOG: CPU: 1: transmit queue 0 timed out 5008 ms"],
  "storage-error": ["I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2"],
  "context-line": [
    "CPU: 0 UID: 0 PID: 1 Comm: swapper/0 Not tainted 7.4.0-rc1-luo #1",
    { cpu: "0", pid: "1", task: "swapper/0" },
  ],
  "driver-failed": ["nvme nvme0: Device not ready; aborting reset, error"],
  "names-token": ["luo: Freeze failed for token[0x1]", { token: "0x1" }],
  "names-session": ["luo: Failed to insert session [vm-7] -EEXIST", { session: "vm-7" }],
  "names-error": ["luo: Failed to insert session [vm-7] -EEXIST", { name: "EEXIST" }],
  "fd-stores-preserved": ["systemd-shutdown[1]: Preserved fd stores in LUO session 'systemd' for kexec."],
  "luod-session-found": ["[INFO] Found preserved session 'luod-internal'.", { session: "luod-internal" }],
  "driver-of-device": [
    "e1000 0000:00:03.0: enabling device (0000 -> 0003)",
    { driver: "e1000", address: "0000:00:03.0" },
  ],
  "holds-command-line": [
    'Unknown kernel command line parameters "key=secret", will be passed to user space.',
    { head: "Unknown kernel command line parameters" },
  ],
  "holds-kernel-place": ["Kernel Offset: 0x1c000000 from 0xffffffff81000000", { head: "Kernel Offset:" }],
};

test("each row recognises its line as a kernel prints it, and captures what it declares", () => {
  for (const [id, [text, values = {}]] of Object.entries(SAMPLES) as [KernelLineId, (typeof SAMPLES)[KernelLineId]][]) {
    const row = KERNEL_LINES.get(id);
    assert.ok(row, id);
    const groups = [...row.pattern.source.matchAll(/\(\?<(\w+)>/g)].map(([, name]) => name as string);
    assert.deepEqual([...row.captures].sort(), [...new Set(groups)].sort(), id);
    const found: Readonly<Record<string, string | undefined>> = captured(id, text) ?? {};
    assert.deepEqual(Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)), values, id);
    assert.notEqual(captured(id, text), null, id);
    assert.equal(row.health !== undefined || id === "context-line", row.purposes.includes("health"), id);
    if (row.overlaps !== true) assert.equal(kernelLineOf(text), id);
    assert.ok(row.source.length > 0 && row.purposes.length > 0, id);
  }
});

test("handlers of any name complain, whether the prefix is their own or their device's", () => {
  for (const [text, id] of [
    ["guest_memfd_luo: failed to restore folio 12: -12", "handler-restore-failed"],
    ["vfio-pci 0000:01:00.0: liveupdate: restore failed: -19", "handler-restore-failed"],
    ["iommu: liveupdate: cannot restore domain 4", "handler-restore-failed"],
    ["PCI: liveupdate: Device 0000:01:00.0 not found in incoming state", "handler-failed"],
    ["cpu_preserve: CPU 3 did not come back", "handler-failed"],
    ["KHO: kexec-metadata blob too small", "kho-failed"],
    ["KHO: kexec-metadata version 3 not supported", "kho-failed"],
  ] as const)
    assert.equal(kernelLineOf(text), id, text);
  for (const text of ["PCI: liveupdate: preserving 3 devices", "memfd_luo: registered", "KHO: exec to 7.3"])
    assert.equal(kernelLineOf(text), null, text);
});

test("kernels before 4.3 print the kexec under another name, and a count may be missing", () => {
  assert.ok(isKernelLine("kexec: Starting new kernel", "kexec-start"));
  assert.deepEqual(captured("kho-exec-from", "KHO: exec from: 7.3.4"), { release: "7.3.4", count: undefined });
});

test("a line of no row is of none, whatever words of the rows it holds", () => {
  for (const text of [
    "",
    "pci 0000:00:03.0: nothing that matters",
    "user wrote: kexec_core: Starting new kernel",
    "random: Linux version 7",
  ])
    assert.equal(kernelLineOf(text), null, text);
});

test("a line is found in a console's text, behind stamp and caller", () => {
  const text = "[    0.000000][    T0] Linux version 7.3.4 (gcc)\n[    1.000000] Run /init as init process\n";
  assert.ok(holdsKernelLine(text, "linux-version"));
  assert.ok(!holdsKernelLine(text, "panic"));
  assert.ok(isLineFor("kexec_core: Starting new kernel", "boundary"));
  assert.ok(!isLineFor("smp: Bringing up secondary CPUs ...", "boundary"));
});

/** Production files of TypeScript, by path from the project's root. */
function productionFiles(): ReadonlyMap<string, string> {
  const files = ["src", "viewer/src"].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: "utf8" }).map((file) => join(room, file)),
  );
  const production = files.filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.startsWith(join("src", "testing")));
  return new Map(production.map((file) => [file, readFileSync(file, "utf8")]));
}

test("each line stands in one file of production code: this table", () => {
  const files = productionFiles();
  for (const words of [
    "Starting new kernel",
    "KHO: exec from",
    "KHO: found",
    "Switched from",
    "Retrieved live update data",
    "as init process",
    "Linux version",
    "Kernel command line",
    "Waiting for root",
    "Kernel panic",
    "Freeze failed for",
    "No registered handler",
    "deferred pages initialised",
    "setting system clock",
    "K available",
    "Bringing up secondary",
    "devtmpfs: ",
    "Marking stable",
    "Refined TSC",
    "Ring buffer boot meta",
    "Preserved fd stores",
    "Found preserved session",
    "Starting tracer",
    "Kernel Offset",
    "cpus with NMI",
    "reboot: ",
  ]) {
    const found = [...files].flatMap(([file, text]) => (codeOf(text).includes(words) ? [file] : []));
    assert.deepEqual(found, [join("src", "model", "kernel-lines.ts")], words);
  }
});

/** Without comments, which may quote a line. */
function codeOf(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(?<=^|\s)\/\/ .*$/gm, "");
}

test("no row stands in the table that nothing reads", () => {
  const readers = [...productionFiles()].flatMap(([file, text]) =>
    file === join("src", "model", "kernel-lines.ts") ? [] : [text],
  );
  for (const [id, { purposes }] of KERNEL_LINES) {
    if (purposes.includes("boundary") || purposes.includes("health") || purposes.includes("loss")) continue;
    assert.ok(
      readers.some((text) => text.includes(`"${id}"`)),
      `no reader names the row ${id}`,
    );
  }
});

test("a log of 900,000 lines is classified within seconds", () => {
  const lines = [
    "pci 0000:00:1f.2: reg 0x24: [mem 0xfebf1000-0xfebf1fff]",
    "systemd[1]: Started Journal Service with a text of some length that no row has anything to do with.",
    "e1000 0000:00:03.0 eth0: (PCI:33MHz:32-bit) 52:54:00:12:34:56",
    "ACPI: PRMT 0x000000007FE1F2A5 00013C (v01 LENOVO TP-N2O   00000000      00000000)",
  ];
  const begin = performance.now();
  let found = 0;
  for (let i = 0; i < 900_000; i++) if (kernelLineOf(lines[i & 3] as string) !== null) found += 1;
  assert.equal(found, 0);
  assert.ok(performance.now() - begin < 6_000, `${performance.now() - begin} ms`);
});
