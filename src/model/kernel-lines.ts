/**
 * The kernel log lines that blackout reads, one row each; no other file has a pattern for a kernel's line. To recognize
 * a further line, or new wording of a later kernel, change a row here: all readers of the line name the row. Texts are
 * those of the kernel's own sources, named in each row.
 */

/** What a line is used for; a row without a use does not belong in the table. */
export type LinePurpose =
  /** Places the two kernels' clocks, or refuses to. */
  | "clock"
  /** Bounds a phase, if no event does. */
  | "boundary"
  /** Begins a stage of the kexec. */
  | "stage"
  /** Shows how the update ended. */
  | "outcome"
  /** Complains: what of either kernel was not well. */
  | "health"
  /** Of the new kernel: something that was preserved could not be restored, or finished. */
  | "loss"
  /** Shows which kernel a log belongs to, and where one ends and the next begins. */
  | "boot"
  | "finding"
  /** Names a device, or its driver. */
  | "device"
  /** Describes the host, to compare like with like. */
  | "host"
  /** Is removed from everything that leaves the host. */
  | "redaction";

/**
 * What kernels complain about, by class. `severe`: the kernel's integrity, or what was handed over, is in doubt;
 * `minor`: something did not work, and the kernel went on without it.
 */
export const HEALTH_CLASSES = [
  "panic",
  "oops",
  "bug",
  "general-protection",
  "warning",
  "sanitizer",
  "rcu-stall",
  "soft-lockup",
  "hard-lockup",
  "hung-task",
  "machine-check",
  "iommu-fault",
  "pcie-error",
  "cpu-lost",
  "cpus-stopped-by-nmi",
  "allocation-failure",
  "handover",
  "clock",
  "acpi-error",
  "driver-error",
] as const;
export type HealthClass = (typeof HEALTH_CLASSES)[number];
export const HEALTH_SEVERITIES = ["severe", "minor"] as const;
export type HealthSeverity = (typeof HEALTH_SEVERITIES)[number];

export interface HealthMark {
  readonly class: HealthClass;
  readonly severity: HealthSeverity;
}

/** A row: the pattern's named groups are `captures`. Texts are matched without stamp and level. */
export interface KernelLineRow<C extends string = string> {
  readonly pattern: RegExp;
  readonly captures: readonly C[];
  /** The file that prints it, in the kernel's tree, or the program that writes it into the log. */
  readonly source: string;
  readonly purposes: readonly LinePurpose[];
  /** The first and the last release that print it in this form; absent if unknown. */
  readonly since?: string;
  readonly until?: string;
  /** The only architecture that prints it; absent: all. */
  readonly architecture?: "x86" | "arm64";
  /** Of rows for `health`. */
  readonly health?: HealthMark;
  /** Also matches lines of other rows: it is used only by name, and never classifies a line. */
  readonly overlaps?: true;
}

type RowFacts = Pick<KernelLineRow, "since" | "until" | "architecture" | "overlaps" | "health">;

function row<const C extends string = never>(
  source: string,
  purposes: readonly LinePurpose[],
  pattern: RegExp,
  captures: readonly C[] = [],
  facts: RowFacts = {},
): KernelLineRow<C> {
  return { pattern, captures, source, purposes, ...facts };
}

const X86 = { architecture: "x86" } as const;
const ARM64 = { architecture: "arm64" } as const;
/** LUO as merged, with sessions. */
const LUO = { since: "6.19" } as const;
/** LUO as posted in 2025 up to v4, with one state for the whole host; never merged. */
const LUO_STATES = { until: "the series of 2025, v4" } as const;
const severe = (name: HealthClass): { readonly health: HealthMark } => ({
  health: { class: name, severity: "severe" },
});
const minor = (name: HealthClass): { readonly health: HealthMark } => ({ health: { class: name, severity: "minor" } });
/** How kernels put that something did not work. */
const FAILURE =
  "[Ff]ail\\w*|[Uu]nable|[Cc]annot|[Cc]an't|[Cc]ould not|[Ii]nvalid|[Cc]orrupt\\w*|[Mm]ismatch\\w*|[Mm]issing";
/** The same of what is handed over, whose lines are few enough that weaker words are taken for failures too. */
const FAILS = `(?:${FAILURE}|[Bb]ad|[Tt]oo small|[Nn]ot (?:supported|found)|[Uu]nsupported|[Uu]nexpected|[Rr]efus\\w*|[Rr]eject\\w*|[Dd]id not|[Dd]oes not|[Ii]ncomplete)`;
/** What of a handover can be lost: the words of LUO's own functions. */
const RESTORING = "(?:[Rr]estor|[Rr]etriev|[Dd]eserial|[Ff]inish|[Rr]eviv)\\w*";
/** `memfd_luo`, `vfio_pci_liveupdate 0000:01:00.0`, `vfio-pci 0000:01:00.0: liveupdate`, `PCI: liveupdate`. */
const HANDLER = (() => {
  const device = "(?: [\\w:.-]{1,64})?";
  const named = "(?:[\\w-]*[_-])?(?:luo|liveupdate|cpu_preserve|caretaker)(?:[_-][\\w-]*)?";
  return `(?:${named}${device}|[\\w-]{1,32}${device}: (?:luo|liveupdate))`;
})();
const PCI = "[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]";

/** In order: the first row whose pattern matches classifies a line. */
const ROWS = {
  // Which kernel it is, and with what words it was started.
  "linux-version": row("init/version-timestamp.c", ["boot"], /^Linux version (?<release>\d\S*)/, ["release"]),
  "early-command-line": row("arch/x86/kernel/setup.c", ["outcome"], /^Command line: (?<words>.*)$/, ["words"], X86),
  // Comes last and is whole: the boot config is in it.
  "command-line": row("init/main.c, start_kernel", ["outcome", "finding"], /^Kernel command line: (?<words>.*)$/, [
    "words",
  ]),
  "tracer-started": row("kernel/trace/trace.c", ["finding"], /^Starting tracer '(?<tracer>[^']{1,64})'/, ["tracer"]),

  // Clocks.
  "tsc-detected": row(
    "arch/x86/kernel/tsc.c",
    ["clock"],
    /^tsc: Detected (?<mhz>\d{1,6})\.(?<khz>\d{3}) MHz (?<of>processor|TSC)/,
    ["mhz", "khz", "of"],
    X86,
  ),
  "tsc-refined": row(
    "arch/x86/kernel/tsc.c",
    ["clock"],
    /^tsc: Refined TSC clocksource calibration: (?<mhz>\d{1,6})\.(?<khz>\d{3}) MHz/,
    ["mhz", "khz"],
    X86,
  ),
  // The kernel measured the TSC against two timers, and takes the first ("Using PIT calibration value").
  "tsc-deviates": row(
    "arch/x86/kernel/tsc.c, pit_hpet_ptimer_calibrate_cpu",
    ["clock"],
    /^tsc: PIT calibration deviates from (?:HPET|PMTIMER): (?<pit>\d{4,10}) (?<other>\d{4,10})\b/,
    ["pit", "other"],
    X86,
  ),
  // Reading the PIT takes up to 50 ms (MAX_QUICK_PIT_MS); a rate from CPUID or an MSR takes nothing.
  "tsc-by-pit": row(
    "arch/x86/kernel/tsc.c, quick_pit_calibrate",
    ["clock"],
    /^tsc: (?:Fast TSC calibration|Using PIT calibration value)/,
    [],
    X86,
  ),
  "tsc-unstable": row(
    "arch/x86/kernel/tsc.c, kernel/time/clocksource.c",
    ["clock", "health"],
    /^(?:tsc: Marking TSC unstable due to |clocksource: .{0,64}Marking clocksource 'tsc(?:-early)?' as unstable|TSC synchronization \[.{1,40} turning off TSC clock)/,
    [],
    { ...X86, ...minor("clock") },
  ),
  // The kernel writes the register that is added to the TSC: `force to`, `differs`, `synchronize`, `compensate`.
  "tsc-adjusted": row(
    "arch/x86/kernel/tsc_sync.c",
    ["clock", "health"],
    /^(?:tsc: )?(?:\[Firmware Bug\]: )?TSC ADJUST\b/,
    [],
    { ...X86, ...minor("clock") },
  ),
  // From its stamp on printk's clock is raw sched_clock plus the last of the four (nanoseconds, signed).
  "sched-clock-stable": row(
    "kernel/sched/clock.c",
    ["clock"],
    /^sched_clock: Marking stable \(-?\d+, ?-?\d+\)->\(-?\d+, ?(?<offset>-?\d+)\)/,
    ["offset"],
    X86,
  ),
  // It prints cycles; kvm-clock's cycles are nanoseconds since the VM was made.
  "kvm-clock-offset": row(
    "arch/x86/kernel/kvmclock.c",
    ["clock"],
    /^kvm-clock: using sched offset of (?<ns>\d{1,20}) cycles/,
    ["ns"],
    X86,
  ),
  // Until then printk's clock is raw sched_clock: sched_clock_init() comes right before (init/main.c, start_kernel).
  "delay-calibrated": row("init/calibrate.c, calibrate_delay", ["clock"], /^Calibrating delay /),
  // QEMU's own CPU: with -icount its TSC counts instructions, 1,000,000 kHz of them.
  "emulated-cpu": row("arch/x86/kernel/smpboot.c", ["clock"], /^smpboot: CPU0: .{0,32}\bQEMU TCG CPU\b/, [], X86),
  "rtc-read": row("drivers/rtc/class.c", ["host"], /: setting system clock to .{1,40} UTC \((?<seconds>\d{1,12})\)/, [
    "seconds",
  ]),

  // The old kernel's end.
  "kexec-start": row(
    "kernel/kexec_core.c (kernel/kexec.c before 4.3)",
    ["boundary", "stage", "boot"],
    /^kexec(?:_core)?: Starting new kernel/,
  ),
  // With initcall_debug each device; else the drivers that report it: disks, mlx5, nvme.
  "device-shut-down": row(
    "drivers/base/core.c, device_shutdown; drivers/scsi/sd.c, sd_shutdown; drivers/net/ethernet/mellanox/mlx5",
    ["stage"],
    /^(?:\S{1,64} \S{1,64}: (?:shutdown(?:_pre)?$|Shutdown was called)|sd \S{1,32}: \[\w{1,32}\] Synchronizing SCSI cache)/,
  ),
  "syscore-shut-down": row("virt/kvm/kvm_main.c, kvm_shutdown", ["stage"], /^kvm: exiting hardware virtualization/),
  "cpus-stopped-by-nmi": row(
    "arch/x86/kernel/smp.c",
    ["boot", "health"],
    /^(?:\w+: )?Shutting down cpus with NMI/,
    [],
    { ...X86, ...minor("cpus-stopped-by-nmi") },
  ),
  "cpu-killed": row("drivers/firmware/psci/psci.c", ["boot"], /^(?:psci: CPU\d+ killed|CPU\d+: shutdown)/, [], ARM64),
  bye: row("arch/arm64/kernel/machine_kexec.c", ["boot"], /^(?:\w+: )?Bye!/, [], ARM64),
  restart: row(
    "kernel/reboot.c, kernel/panic.c",
    ["boot"],
    /^(?:reboot: (?:Restarting system|machine restart|Power down|System halted)|Rebooting in \d+ seconds)/,
  ),

  // What is handed over: kernel/liveupdate.
  "kho-found": row("kernel/liveupdate/kexec_handover.c", ["boot"], /^KHO: found kexec handover data/, [], {
    since: "6.16",
  }),
  "kho-exec-from": row(
    "kernel/liveupdate/kexec_handover.c",
    ["boundary", "boot"],
    /^KHO: exec from: (?<release>\S{1,65})(?: \(count (?<count>\d{1,10})\))?/,
    ["release", "count"],
    LUO,
  ),
  "kho-disabled": row(
    "kernel/liveupdate/kexec_handover.c",
    ["outcome", "health"],
    /^KHO: (?:disabling KHO revival|disabled in the kdump kernel)/,
    [],
    severe("handover"),
  ),
  "luo-retrieved": row(
    "kernel/liveupdate/luo_core.c",
    ["boundary", "boot"],
    /^luo: Retrieved live update data(?:, liveupdate number: (?<number>\d{1,15}))?/,
    ["number"],
    LUO,
  ),
  "luo-disabled": row("kernel/liveupdate/luo_core.c", ["outcome", "health"], /^luo: Disabling liveupdate/, [], {
    ...LUO,
    ...severe("handover"),
  }),
  "luo-freeze-failed": row(
    "kernel/liveupdate/luo_file.c",
    ["outcome", "health"],
    /^luo: Freeze failed for token\[(?<token>.*?)\] handler\[(?<handler>.*?)\] err\[(?<error>.*?)\]/,
    ["token", "handler", "error"],
    { ...LUO, ...severe("handover") },
  ),
  // An ABI of the other kernel's that this one does not have: KHO's tree, LUO's, a file handler's.
  "kho-incompatible": row(
    "kernel/liveupdate/kexec_handover.c",
    ["outcome", "health", "loss"],
    /^KHO: .*\bincompatible\b(?:.* with '(?<abi>[^']{1,64})')?/,
    ["abi"],
    severe("handover"),
  ),
  "luo-incompatible": row(
    "kernel/liveupdate/luo_core.c, luo_session.c",
    ["outcome", "health", "loss"],
    /^luo: .*\bincompatible\b(?:.* with '(?<abi>[^']{1,64})')?/,
    ["abi"],
    { ...LUO, ...severe("handover") },
  ),
  "luo-handler-unknown": row(
    "kernel/liveupdate/luo_file.c",
    ["outcome", "health", "loss"],
    /^luo: No registered handler(?: for (?:compatible(?: string)?)?[ :]*['[]?(?<abi>[\w.:-]{1,64}))?/,
    ["abi"],
    { ...LUO, ...severe("handover") },
  ),
  "luo-restore-failed": row(
    "kernel/liveupdate/luo_session.c, luo_file.c",
    ["outcome", "health", "loss"],
    new RegExp(
      `^luo: (?:File count mismatch|Failed to insert|.*${FAILS}.*${RESTORING}|.*${RESTORING}.*${FAILS}|.*The incoming tree failed)`,
    ),
    [],
    { ...LUO, ...severe("handover") },
  ),
  "device-probed": row(
    "drivers/base/dd.c, really_probe_debug (initcall_debug)",
    ["device"],
    /^probe of (?<device>\S+) returned (?<ret>-?\d+) after (?<usecs>\d{1,12}) usecs$/,
    ["device", "ret", "usecs"],
  ),
  "luo-switched": row(
    "kernel/liveupdate/luo_core.c, luo_set_state",
    ["boundary", "outcome"],
    /^luo: Switched from \[(?<from>\w+)\] to \[(?<to>\w+)\] state/,
    ["from", "to"],
    LUO_STATES,
  ),
  "luo-switch-refused": row(
    "kernel/liveupdate/luo_core.c",
    ["outcome", "health"],
    /^luo: Can't switch to \[\w+\] from \[\w+\] state/,
    [],
    { ...LUO_STATES, ...severe("handover") },
  ),
  "luo-event-failed": row(
    "kernel/liveupdate/luo_core.c",
    ["outcome"],
    /^luo: \[(?<event>prepare|freeze|cancel|finish)\] /,
    ["event"],
    LUO_STATES,
  ),
  // A file handler's own lines: memfd_luo, vfio's and others'; their prefix, or that of their device, has such a word.
  "handler-restore-failed": row(
    "mm/memfd_luo.c and other file handlers",
    ["health", "loss"],
    new RegExp(`^(?!luo:)${HANDLER}: (?:.*${FAILS}.*${RESTORING}|.*${RESTORING}.*${FAILS})`),
    [],
    { ...LUO, ...severe("handover") },
  ),
  "handler-failed": row(
    "mm/memfd_luo.c and other file handlers",
    ["health"],
    new RegExp(`^(?!luo:)${HANDLER}: .*${FAILS}`),
    [],
    { ...LUO, ...severe("handover") },
  ),
  // vfio_pci_core's freeze: what guests' devices still do would be lost.
  "freeze-refused": row("drivers/vfio/pci", ["health"], /^\S+(?: \S+)?: Freeze failed!/, [], severe("handover")),
  "luo-failed": row("kernel/liveupdate/luo_*.c", ["health"], new RegExp(`^luo: .*${FAILS}`), [], {
    ...LUO,
    ...severe("handover"),
  }),
  "kho-restore-failed": row(
    "kernel/liveupdate/kexec_handover.c",
    ["health", "loss"],
    new RegExp(`^KHO: (?:.*${FAILS}.*${RESTORING}|.*${RESTORING}.*${FAILS})`),
    [],
    severe("handover"),
  ),
  "kho-failed": row(
    "kernel/liveupdate/kexec_handover.c",
    ["health"],
    new RegExp(`^KHO: .*${FAILS}`),
    [],
    severe("handover"),
  ),
  "reservation-refused": row(
    "mm/memblock.c, reserve_mem_kho",
    ["health"],
    /^KHO reserve-mem '[^']{0,64}' /,
    [],
    severe("handover"),
  ),
  "ring-rejected": row("kernel/trace/ring_buffer.c", ["finding"], /^Ring buffer boot meta(?: \[\d{1,5}\])? /, [], {
    since: "6.10",
  }),

  // The new kernel's way to user space.
  // Where the new kernel's start_kernel has got to (init/main.c), before anything is traced.
  ramdisk: row(
    "arch/x86/kernel/setup.c, reserve_initrd",
    ["host"],
    /^RAMDISK: \[mem 0x(?<from>[0-9a-f]{8,16})-0x(?<to>[0-9a-f]{8,16})\]/,
    ["from", "to"],
    X86,
  ),
  "memory-mapped": row("mm/mm_init.c, report_meminit", ["stage"], /^mem auto-init: /),
  "slabs-made": row("mm/slub.c, kmem_cache_init", ["stage"], /^SLUB: HWalign=/),
  "ftrace-records": row(
    "kernel/trace/ftrace.c, ftrace_init",
    ["finding"],
    /^ftrace: allocating (?<records>\d{1,9}) entries/,
    ["records"],
  ),
  "rcu-begun": row(
    "kernel/rcu/tree_plugin.h, rcu_bootup_announce",
    ["stage"],
    /^rcu: (?:Preemptible h|H)ierarchical RCU implementation/,
  ),
  "irqs-set-up": row("kernel/irq/irqdesc.c, early_irq_init", ["stage"], /^NR_IRQS: /),
  "cpus-up": row("kernel/smp.c, smp_init", ["host"], /^smp: Brought up \d{1,5} nodes?, (?<cpus>\d{1,6}) CPUs?/, [
    "cpus",
  ]),
  "smp-begin": row("kernel/smp.c, smp_init", ["stage"], /^smp: Bringing up secondary CPUs/),
  // driver_init() prints it in do_basic_setup(), right before do_initcalls().
  "devtmpfs-ready": row("drivers/base/devtmpfs.c", ["stage"], /^devtmpfs: initialized/),
  // mem_init_print_info(): "Memory: 946276K/1048056K available (…".
  memory: row(
    "mm/mm_init.c",
    ["host"],
    /^Memory: \d{1,15}K\/(?<kib>\d{1,15})K available(?: \((?<code>\d{1,9})K kernel code, (?<rwdata>\d{1,9})K rwdata, (?<rodata>\d{1,9})K rodata, (?<init>\d{1,9})K init, (?<bss>\d{1,9})K bss)?/,
    ["kib", "code", "rwdata", "rodata", "init", "bss"],
  ),
  "deferred-pages": row(
    "mm/mm_init.c, deferred_init_memmap",
    ["finding"],
    /^node \d+ deferred pages initialised in (?<ms>\d{1,7})ms$/,
    ["ms"],
  ),
  "init-process": row("init/main.c, run_init_process", ["stage", "outcome"], /^Run (?<path>\S+) as init process/, [
    "path",
  ]),
  "root-awaited": row("init/do_mounts.c", ["boot"], /^Waiting for root device (?<device>[^\s.]+)/, ["device"]),
  "pci-device": row(
    "drivers/pci/probe.c",
    ["device"],
    new RegExp(`^pci (?<address>${PCI}): \\[(?<model>[0-9a-f]{4}:[0-9a-f]{4})\\]`),
    ["address", "model"],
  ),

  // Complaints, the special before the general: what of them names a task or a CPU is captured.
  panic: row(
    "kernel/panic.c",
    ["outcome", "health"],
    /^Kernel panic - not syncing: (?<reason>.*)$/,
    ["reason"],
    severe("panic"),
  ),
  sanitizer: row(
    "mm/kasan/report.c, kernel/kcsan/report.c, mm/kmsan/report.c, mm/kfence/report.c, lib/ubsan.c",
    ["health"],
    /^(?:BUG: K(?:A|C|M)SAN: |BUG: KFENCE: |UBSAN: )/,
    [],
    severe("sanitizer"),
  ),
  "soft-lockup": row(
    "kernel/watchdog.c",
    ["health"],
    /^(?:watchdog: )?BUG: soft lockup - CPU#(?<cpu>\d+)[^[]*(?:\[(?<task>.*):(?<pid>\d+)\])?/,
    ["cpu", "task", "pid"],
    severe("soft-lockup"),
  ),
  "hard-lockup": row(
    "kernel/watchdog.c",
    ["health"],
    /^(?:NMI )?watchdog: .*hard LOCKUP(?: on cpu (?<cpu>\d+))?/i,
    ["cpu"],
    severe("hard-lockup"),
  ),
  "rcu-stall": row(
    "kernel/rcu/tree_stall.h, tree_exp.h, tasks.h",
    ["health"],
    /^(?:rcu: )?INFO: \w+ (?:self-)?detected .*stall/,
    [],
    severe("rcu-stall"),
  ),
  "hung-task": row(
    "kernel/hung_task.c",
    ["health"],
    /^INFO: task (?<task>.+?):(?<pid>\d+) (?:<.*> )?(?:blocked|is blocked|.* blocked) .*for more than \d+ seconds/,
    ["task", "pid"],
    severe("hung-task"),
  ),
  "general-protection": row("arch/x86/kernel/traps.c", ["health"], /^(?:Oops: )?general protection fault/, [], {
    ...X86,
    ...severe("general-protection"),
  }),
  oops: row(
    "arch/x86/mm/fault.c, arch/x86/kernel/dumpstack.c, arch/arm64/kernel/traps.c, arch/arm64/mm/fault.c",
    ["health"],
    /^(?:Oops\b|Internal error: |Unable to handle kernel |double fault: |stack segment: |invalid opcode: |divide error: )/,
    [],
    severe("oops"),
  ),
  bug: row(
    "lib/bug.c, arch/x86/mm/fault.c, kernel/sched/core.c and others",
    ["health"],
    /^(?:BUG: |kernel BUG at )/,
    [],
    severe("bug"),
  ),
  warning: row(
    "kernel/panic.c, __warn",
    ["health"],
    /^WARNING: (?:.*?\bCPU(?:: |#)(?<cpu>\d+)(?: PID: (?<pid>\d+)|: (?<task>[^\s/]{1,15})\/\d+)?)?/,
    ["cpu", "pid", "task"],
    severe("warning"),
  ),
  "machine-check": row(
    "arch/x86/kernel/cpu/mce/core.c, drivers/acpi/apei/ghes.c, drivers/edac/edac_mc.c",
    ["health"],
    /^(?:mce: )?(?:\[Hardware Error\]: (?:CPU (?<cpu>\d+): )?Machine [Cc]heck|\{\d+\}\[Hardware Error\]: Hardware error from|EDAC \S+: \d+ (?:UE|CE) )/,
    ["cpu"],
    severe("machine-check"),
  ),
  "iommu-fault": row(
    "drivers/iommu/intel/dmar.c, drivers/iommu/amd/iommu.c, drivers/iommu/arm",
    ["health"],
    /^(?:DMAR: (?!DRHD: handling).*\b[Ff]ault\b|.*AMD-Vi: Event logged \[|arm-smmu\S* .*(?:context fault|event 0x[0-9a-f]+ received))/,
    [],
    severe("iommu-fault"),
  ),
  "pcie-error": row(
    "drivers/pci/pcie/aer.c",
    ["health"],
    /^\S+ [0-9a-f:.]+: (?:AER: (?:Multiple )?(?:Corrected|Uncorrected|Correctable|Uncorrectable)\b|PCIe Bus Error: )/,
    [],
    severe("pcie-error"),
  ),
  "cpu-lost": row(
    "arch/x86/kernel/smpboot.c, kernel/cpu.c, arch/arm64/kernel/smp.c",
    ["health"],
    /^(?:smpboot: |smp: |SMP: )?(?:do_boot_cpu failed.*CPU#?(?<cpu>\d+)|CPU ?#?\d+:? (?:failed to (?:come online|report alive|boot)|[Nn]ot responding|is stuck|never came alive|may be stuck)|[Ff]ailed to (?:stop secondary CPUs|bring up CPU))/,
    ["cpu"],
    severe("cpu-lost"),
  ),
  "allocation-failure": row(
    "mm/page_alloc.c, mm/oom_kill.c, mm/vmalloc.c",
    ["health"],
    /^(?:(?<task>\S{1,32}): page allocation failure: |(?:\S+ )?invoked oom-killer|Out of memory: |(?:\S+: )?vmalloc error: )/,
    ["task"],
    severe("allocation-failure"),
  ),
  "acpi-error": row(
    "drivers/acpi/acpica",
    ["health"],
    /^ACPI (?:BIOS )?(?:Error|Exception)\b/,
    [],
    minor("acpi-error"),
  ),
  "probe-failed": row(
    "drivers/base/dd.c, really_probe",
    ["health"],
    /^\S+(?: \S+)?: (?:probe of \S+ |probe with driver \S+ )?(?:failed|fails) with error -\d+/,
    [],
    minor("driver-error"),
  ),

  // A network device whose queue stands still: after an update, what a lost interrupt looks like.
  "transmit-timeout": row(
    "net/sched/sch_generic.c, dev_watchdog",
    ["health"],
    /^(?:[\w-]{1,32}(?: [\w:.-]{1,64}){1,2}: )?NETDEV WATCHDOG: /,
    [],
    minor("driver-error"),
  ),
  "storage-error": row(
    "block/blk-core.c, fs/buffer.c, fs/ext4/super.c, fs/xfs/xfs_error.c, fs/btrfs/messages.c",
    ["health"],
    /^(?:(?:blk_update_request: )?(?:I\/O|critical \w+) error, dev |Buffer I\/O error on |EXT4-fs error |XFS \(.{1,64}\): (?:Corruption|Metadata corruption|log I\/O error)|BTRFS (?:error|critical) )/,
    [],
    minor("driver-error"),
  ),

  // What user space's agents write into the kernel's log.
  "fd-stores-preserved": row(
    "systemd, systemd-shutdown",
    ["boundary"],
    /^systemd-shutdown\[1\]: Preserved fd stores in LUO session/,
    [],
    { since: "systemd 261" },
  ),
  "luod-session-found": row("luod", ["boundary"], /^\[INFO\] Found preserved session '(?<session>[^']{1,63})'/, [
    "session",
  ]),

  // After a complaint: the task and the CPU that it is of.
  "context-line": row(
    "lib/dump_stack.c, dump_stack_print_info",
    ["health"],
    /^CPU: (?<cpu>\d+) (?:UID: \d+ )?PID: (?<pid>\d+) Comm: (?<task>.{1,15}?)(?: (?:Not t|T)ainted|$)/,
    ["cpu", "pid", "task"],
    { overlaps: true },
  ),
  // A driver at the log level of errors: `e1000 0000:00:03.0: …`, `nvme nvme0: …`.
  "driver-failed": row(
    "drivers, dev_err",
    ["health"],
    new RegExp(`^[\\w-]{1,32}(?: [\\w:.-]{1,64})?: .*(?:${FAILURE}|[Ee]rror|[Tt]imed? ?out)`),
    [],
    { ...minor("driver-error"), overlaps: true },
  ),
  // What a line of LUO or of a handler names: a token, a session, an error.
  "names-token": row(
    "kernel/liveupdate/luo_*.c, file handlers",
    ["loss"],
    /\btoken\b[^0-9a-z]{0,4}(?<token>0x[0-9a-f]{1,16}|\d{1,20})/i,
    ["token"],
    { overlaps: true },
  ),
  "names-session": row(
    "kernel/liveupdate/luo_session.c",
    ["loss"],
    /\bsession[: ]{0,2}(?:['[](?<session>[^'\]]{1,63})['\]]|(?<bare>[^\s'[\]]{1,63}?)(?=[:;,.]?(?:\s|$)))/,
    ["session", "bare"],
    { overlaps: true },
  ),
  "names-error": row(
    "kernel/liveupdate/luo_*.c, file handlers; %pe and %d",
    ["loss"],
    /(?:^|[\s[(:])(?:-(?<name>E[A-Z0-9]{2,15})|(?:err(?:or)?[ :=[]{1,3}|\[)(?<number>-\d{1,4}))\b/,
    ["name", "number"],
    { overlaps: true },
  ),
  // Read by name only. dev_printk() of a driver: `e1000 0000:00:03.0: …`.
  "driver-of-device": row(
    "drivers/base/core.c, dev_printk",
    ["device"],
    new RegExp(`^(?<driver>[A-Za-z][\\w-]*) (?<address>${PCI})(?=[: ])`),
    ["driver", "address"],
    { overlaps: true },
  ),
  // `Command line: …`, `Kernel command line: …`, `Unknown kernel command line parameters "…"`.
  "holds-command-line": row(
    "init/main.c",
    ["redaction"],
    /^(?<head>.*?command line(?: parameters)?:?).*$/is,
    ["head"],
    { overlaps: true },
  ),
  // `Kernel Offset: 0x1c000000 from 0xffffffff81000000`, `KASLR …`, `Physical KASLR using RDRAND…`.
  "holds-kernel-place": row(
    "kernel/setup.c and kaslr.c of each architecture",
    ["redaction"],
    /^(?<head>.*?(?:Kernel Offset|relocation range|PHYS_OFFSET|KASLR)[^:0-9]*:?).*$/is,
    ["head"],
    { overlaps: true },
  ),
} as const satisfies Readonly<Record<string, KernelLineRow>>;

export type KernelLineId = keyof typeof ROWS;

/** The names that a row's pattern captures. */
export type CaptureOf<I extends KernelLineId> = (typeof ROWS)[I]["captures"][number];
export type Captured<I extends KernelLineId> = Readonly<Partial<Record<CaptureOf<I>, string>>>;

/** Every row, in the table's order. */
export const KERNEL_LINES: ReadonlyMap<KernelLineId, KernelLineRow> = new Map(
  Object.entries(ROWS) as [KernelLineId, KernelLineRow][],
);

export function kernelLineRow(id: KernelLineId): KernelLineRow {
  return ROWS[id];
}

/** What a row's pattern captures of a line, or null if the line is another. */
export function captured<I extends KernelLineId>(id: I, text: string): Captured<I> | null {
  const match = ROWS[id].pattern.exec(text);
  return match === null ? null : ({ ...match.groups } as Captured<I>);
}

/** The part of a line that a row's pattern matches; the whole line if it is another's. */
export function matchedText(id: KernelLineId, text: string): string {
  return ROWS[id].pattern.exec(text)?.[0] ?? text;
}

/** Whether a line is of one of these rows. */
export function isKernelLine(text: string, ...ids: readonly KernelLineId[]): boolean {
  return ids.some((id) => ROWS[id].pattern.test(text));
}

/** Whether a text of many lines, stamps and all, holds a line of this row; for what is looked at as it is printed. */
export function holdsKernelLine(text: string, id: KernelLineId): boolean {
  return new RegExp(ROWS[id].pattern.source.replace(/^\^/, "").replace(/\$$/, "(?=\\s|$)")).test(text);
}

const CLASSIFYING = [...KERNEL_LINES].filter(([, { overlaps }]) => overlaps !== true);

/**
 * Most lines are of no row, and fail here in one test: all anchored patterns in one, and all others in one. It is made
 * of the rows themselves, so that it cannot fall behind the table.
 */
function anyOf(anchored: boolean): RegExp {
  const sources = CLASSIFYING.map(([, { pattern }]) => pattern.source.replaceAll(/\(\?<\w+>/g, "(?:"));
  const own = sources.filter((source) => source.startsWith("^") === anchored);
  return new RegExp(anchored ? `^(?:${own.map((source) => source.slice(1)).join("|")})` : own.join("|"));
}
const ANCHORED = anyOf(true);
const ELSEWHERE = anyOf(false);

/** The first row that a line is of, or null. */
export function kernelLineOf(text: string): KernelLineId | null {
  if (!ANCHORED.test(text) && !ELSEWHERE.test(text)) return null;
  return CLASSIFYING.find(([, { pattern }]) => pattern.test(text))?.[0] ?? null;
}

/** Whether a line is of a row that is read for this purpose. */
export function isLineFor(text: string, purpose: LinePurpose): boolean {
  const id = kernelLineOf(text);
  return id !== null && ROWS[id].purposes.some((own) => own === purpose);
}
