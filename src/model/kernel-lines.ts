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
  /** Shows which kernel a log belongs to, and where one ends and the next begins. */
  | "boot"
  | "finding"
  /** Names a device, or its driver. */
  | "device"
  /** Describes the host, to compare like with like. */
  | "host"
  /** Is removed from everything that leaves the host. */
  | "redaction";

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
  /** Also matches lines of other rows: it is used only by name, and never classifies a line. */
  readonly overlaps?: true;
}

type RowFacts = Pick<KernelLineRow, "since" | "until" | "architecture" | "overlaps">;

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
  "tsc-unstable": row(
    "arch/x86/kernel/tsc.c, kernel/time/clocksource.c",
    ["clock"],
    /^(?:tsc: Marking TSC unstable due to |clocksource: .{0,64}Marking clocksource 'tsc(?:-early)?' as unstable|TSC synchronization \[.{1,40} turning off TSC clock)/,
    [],
    X86,
  ),
  // The kernel writes the register that is added to the TSC: `force to`, `differs`, `synchronize`, `compensate`.
  "tsc-adjusted": row(
    "arch/x86/kernel/tsc_sync.c",
    ["clock"],
    /^(?:tsc: )?(?:\[Firmware Bug\]: )?TSC ADJUST\b/,
    [],
    X86,
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
  "rtc-read": row("drivers/rtc/class.c", ["host"], /: setting system clock to .{1,40} UTC \((?<seconds>\d{1,12})\)/, [
    "seconds",
  ]),

  // The old kernel's end.
  "kexec-start": row(
    "kernel/kexec_core.c (kernel/kexec.c before 4.3)",
    ["boundary", "stage", "boot"],
    /^kexec(?:_core)?: Starting new kernel/,
  ),
  "cpus-stopped-by-nmi": row("arch/x86/kernel/smp.c", ["boot"], /^(?:\w+: )?Shutting down cpus with NMI/, [], X86),
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
    ["outcome"],
    /^KHO: (?:disabling KHO revival|disabled in the kdump kernel)/,
  ),
  "luo-retrieved": row(
    "kernel/liveupdate/luo_core.c",
    ["boundary", "boot"],
    /^luo: Retrieved live update data(?:, liveupdate number: (?<number>\d{1,15}))?/,
    ["number"],
    LUO,
  ),
  "luo-disabled": row("kernel/liveupdate/luo_core.c", ["outcome"], /^luo: Disabling liveupdate/, [], LUO),
  "luo-freeze-failed": row(
    "kernel/liveupdate/luo_file.c",
    ["outcome"],
    /^luo: Freeze failed for token\[(?<token>.*?)\] handler\[(?<handler>.*?)\] err\[(?<error>.*?)\]/,
    ["token", "handler", "error"],
    LUO,
  ),
  "luo-restore-failed": row(
    "kernel/liveupdate/luo_session.c, luo_file.c",
    ["outcome"],
    /^luo: (?:No registered handler|File count mismatch|Failed to (?:deserialize|insert|retrieve|restore)|.*The incoming tree failed)/,
    [],
    LUO,
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
    ["outcome"],
    /^luo: Can't switch to \[\w+\] from \[\w+\] state/,
    [],
    LUO_STATES,
  ),
  "luo-event-failed": row(
    "kernel/liveupdate/luo_core.c",
    ["outcome"],
    /^luo: \[(?<event>prepare|freeze|cancel|finish)\] /,
    ["event"],
    LUO_STATES,
  ),
  "ring-rejected": row("kernel/trace/ring_buffer.c", ["finding"], /^Ring buffer boot meta(?: \[\d{1,5}\])? /, [], {
    since: "6.10",
  }),

  // The new kernel's way to user space.
  "smp-begin": row("kernel/smp.c, smp_init", ["stage"], /^smp: Bringing up secondary CPUs/),
  // driver_init() prints it in do_basic_setup(), right before do_initcalls().
  "devtmpfs-ready": row("drivers/base/devtmpfs.c", ["stage"], /^devtmpfs: initialized/),
  // mem_init_print_info(): "Memory: 946276K/1048056K available (…".
  memory: row("mm/mm_init.c", ["host"], /^Memory: \d{1,15}K\/(?<kib>\d{1,15})K available/, ["kib"]),
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

  panic: row("kernel/panic.c", ["outcome"], /^Kernel panic - not syncing: (?<reason>.*)$/, ["reason"]),

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

/** What a row's pattern captures of a line, or null where the line is another. */
export function captured<I extends KernelLineId>(id: I, text: string): Captured<I> | null {
  const match = ROWS[id].pattern.exec(text);
  return match === null ? null : ({ ...match.groups } as Captured<I>);
}

/** The part of a line that a row's pattern matches; the whole line where it is another's. */
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
