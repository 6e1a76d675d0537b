/**
 * The kernel log lines that matter to a live update, as data: one row for each, 6.19 to 7.3, and the 2025 series that
 * had a global state machine. To recognise a further line, add a row. Texts are those of the kernel's own sources,
 * named beside the groups.
 */

/** Where a fact was read. */
export interface FactPlace {
  readonly stampNs: number | null;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** The line's text, without stamp and level. */
  readonly text: string;
}

/** What each kind of line says. */
export interface FactValues {
  readonly "linux-version": { readonly release: string; readonly build: string };
  readonly "command-line": { readonly commandLine: string };
  readonly hypervisor: { readonly name: string };

  readonly "tsc-detected": { readonly khz: number; readonly of: "processor" | "TSC" };
  readonly "tsc-refined": { readonly khz: number };
  readonly "tsc-unstable": { readonly reason: string };
  readonly "tsc-adjusted": object;
  readonly "clocksource-switched": { readonly to: string };
  /** Signed nanoseconds: tick_gtod, __gtod_offset, tick_raw, __sched_clock_offset. */
  readonly "sched-clock-stable": SchedClockMark;
  readonly "sched-clock-unstable": SchedClockMark;
  readonly "sched-clock-source": { readonly bits: number; readonly rate: string };
  /** The line says cycles; kvm-clock's cycles are nanoseconds since the VM was made. */
  readonly "kvm-clock-offset": { readonly offsetNs: bigint };
  readonly rtc: { readonly device: string; readonly epochSeconds: number };

  readonly "kexec-start": object;
  readonly "cpus-stopped-by-nmi": object;
  readonly "device-shutdown": { readonly driver: string; readonly device: string; readonly stage: string };
  readonly "syscore-call": { readonly call: string };

  readonly "kho-found": object;
  readonly "kho-exec-from": { readonly release: string; readonly count: number };
  readonly "kho-scratch": { readonly sizes: string };
  readonly "kho-disabled": { readonly reason: string };
  readonly "kho-failed": { readonly reason: string };
  readonly "reservation-revived": { readonly name: string };
  readonly "reservation-refused": { readonly name: string; readonly reason: string };

  readonly "luo-retrieved": { readonly number: number };
  readonly "luo-disabled": { readonly reason: string };
  readonly "luo-freeze-failed": { readonly token: string; readonly handler: string; readonly error: string };
  readonly "luo-restore-failed": { readonly reason: string };
  readonly "luo-failed": { readonly reason: string };
  readonly "luo-switched": { readonly from: string; readonly to: string };
  readonly "luo-switch-refused": { readonly from: string; readonly to: string };
  readonly "luo-event-failed": { readonly event: string; readonly reason: string };
  readonly "memfd-luo-failed": { readonly reason: string };

  readonly "trace-instance-mapped": { readonly name: string; readonly address: string; readonly size: string };
  readonly "ring-recovered": { readonly cpu: number; readonly discardedPages: number };
  readonly "ring-rejected": { readonly cpu: number | null; readonly reason: string };
  readonly "ring-rewound": { readonly cpu: number; readonly pages: number };

  readonly "mem-init-begin": object;
  readonly "mem-init-end": object;
  readonly "smp-begin": object;
  readonly "smp-end": { readonly nodes: number; readonly cpus: number };
  readonly "deferred-pages": { readonly node: number; readonly ms: number };
  readonly "initcall-begin": { readonly initcall: string; readonly pid: number };
  readonly "initcall-end": { readonly initcall: string; readonly returned: number; readonly us: number };
  readonly "init-memory-freed": object;
  readonly "init-process": { readonly path: string };

  readonly panic: { readonly reason: string };
  readonly oops: { readonly reason: string };
  readonly stall: { readonly reason: string };
  readonly warning: { readonly reason: string };
  readonly restart: { readonly what: string };
}
export type FactId = keyof FactValues;

export interface SchedClockMark {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** A recognised line: which one, what it says, and where it stands. */
export type Fact<I extends FactId = FactId> = I extends FactId ? { readonly id: I } & FactValues[I] & FactPlace : never;

/** `extract` gives null where a number in the line is out of range: then the line is no fact. */
export interface FactRow<I extends FactId = FactId> {
  readonly id: I;
  readonly pattern: RegExp;
  readonly extract: (match: RegExpExecArray) => FactValues[I] | null;
}

function row<I extends FactId>(
  id: I,
  pattern: RegExp,
  extract: (match: RegExpExecArray) => FactValues[I] | null,
): FactRow {
  return { id, pattern, extract } as unknown as FactRow;
}

const group = (match: RegExpExecArray, index: number): string => (match[index] ?? "").trim();
const nothing = (): object => ({});
const reasonIn = (index: number) => (match: RegExpExecArray) => ({ reason: group(match, index) });

/** Integers of the groups from 1 on, or null where one is not a safe one. */
function integers(match: RegExpExecArray): readonly number[] | null {
  const numbers = match.slice(1).map((text) => Number(text ?? 0));
  return numbers.every(Number.isSafeInteger) ? numbers : null;
}

function fromIntegers<T>(make: (...numbers: readonly number[]) => T) {
  return (match: RegExpExecArray): T | null => {
    const numbers = integers(match);
    return numbers === null ? null : make(...numbers);
  };
}

/** A TSC of less than 1 MHz is no TSC: nothing is divided by what a damaged line says. */
function withRate<T>(match: RegExpExecArray, make: (khz: number) => T): T | null {
  const khz = Number(`${match[1]}${match[2]}`);
  return khz >= 1_000 ? make(khz) : null;
}

const mark = fromIntegers((a = 0, b = 0, c = 0, d = 0): SchedClockMark => ({ a, b, c, d }));

/** In order: the first row whose pattern matches names the line. */
export const FACT_ROWS: readonly FactRow[] = [
  // init/main.c, arch/*/kernel/setup.c
  row("linux-version", /^Linux version (\S+)(.*)$/, (m) => ({ release: group(m, 1), build: group(m, 2) })),
  row("command-line", /^(?:Kernel c|C)ommand line: (.*)$/, (m) => ({ commandLine: group(m, 1) })),
  row("hypervisor", /^Hypervisor detected: (.+)$/, (m) => ({ name: group(m, 1) })),

  // arch/x86/kernel/tsc.c, tsc_sync.c; kernel/time/clocksource.c; kernel/sched/clock.c; kernel/time/sched_clock.c
  row("tsc-detected", /^tsc: Detected (\d{1,6})\.(\d{3}) MHz (processor|TSC)/, (m) =>
    withRate(m, (khz) => ({ khz, of: m[3] === "TSC" ? "TSC" : "processor" })),
  ),
  row("tsc-refined", /^tsc: Refined TSC clocksource calibration: (\d{1,6})\.(\d{3}) MHz/, (m) =>
    withRate(m, (khz) => ({ khz })),
  ),
  row("tsc-unstable", /^tsc: Marking TSC unstable due to (.*)$/, reasonIn(1)),
  row("tsc-unstable", /^clocksource: (.*Marking clocksource 'tsc' as unstable.*)$/, reasonIn(1)),
  row("tsc-adjusted", /TSC ADJUST/, nothing),
  row("clocksource-switched", /^clocksource: Switched to clocksource (\S+)/, (m) => ({ to: group(m, 1) })),
  row("sched-clock-stable", /^sched_clock: Marking stable \((-?\d+), ?(-?\d+)\)->\((-?\d+), ?(-?\d+)\)/, mark),
  row("sched-clock-unstable", /^sched_clock: Marking unstable \((-?\d+), ?(-?\d+)\)<-\((-?\d+), ?(-?\d+)\)/, mark),
  row("sched-clock-source", /^sched_clock: (\d{1,3}) bits at (\S+),/, (m) => ({
    bits: Number(m[1]),
    rate: group(m, 2),
  })),
  // arch/x86/kernel/kvmclock.c; drivers/rtc/class.c
  row("kvm-clock-offset", /^kvm-clock: using sched offset of (\d{1,20}) cycles/, (m) => ({
    offsetNs: BigInt(group(m, 1)),
  })),
  row("rtc", /^(.{0,128}): setting system clock to \S+ UTC \((-?\d{1,15})\)/, (m) => ({
    device: group(m, 1),
    epochSeconds: Number(m[2]),
  })),

  // kernel/kexec_core.c, arch/x86/kernel/smp.c, drivers/base/core.c and syscore.c (initcall_debug)
  row("kexec-start", /^kexec(?:_core)?: Starting new kernel/, nothing),
  row("cpus-stopped-by-nmi", /^(?:smp: )?Shutting down cpus with NMI/, nothing),
  row("device-shutdown", /^(\S+) (\S+): (shutdown(?:_pre)?)$/, (m) => ({
    driver: group(m, 1),
    device: group(m, 2),
    stage: group(m, 3),
  })),
  row("syscore-call", /^PM: Calling (\S+)/, (m) => ({ call: group(m, 1) })),

  // kernel/liveupdate/kexec_handover.c, mm/memblock.c
  row("kho-found", /^KHO: found kexec handover data/, nothing),
  row("kho-exec-from", /^KHO: exec from: (.{1,65}) \(count (\d{1,10})\)/, (m) => ({
    release: group(m, 1),
    count: Number(m[2]),
  })),
  row("kho-scratch", /^KHO: scratch (?:areas: |scale is )(.*)$/, (m) => ({ sizes: group(m, 1) })),
  row("kho-disabled", /^KHO: (disabling KHO revival|disabled in the kdump kernel)/, reasonIn(1)),
  row("kho-failed", /^KHO: (.*(?:[Ff]ail|[Ii]nvalid|[Uu]nable|incompatible|mismatch).*)$/, reasonIn(1)),
  row("reservation-revived", /^Revived memory reservation '(.{0,64})' from KHO/, (m) => ({ name: group(m, 1) })),
  row("reservation-refused", /^KHO reserve-mem '(.{0,64})' (?:has )?(.*)$/, (m) => ({
    name: group(m, 1),
    reason: group(m, 2),
  })),

  // kernel/liveupdate/luo_*.c, mm/memfd_luo.c
  row("luo-retrieved", /^luo: Retrieved live update data, liveupdate number: (\d{1,15})/, (m) => ({
    number: Number(m[1]),
  })),
  row("luo-disabled", /^luo: (Disabling liveupdate.*)$/, reasonIn(1)),
  row("luo-freeze-failed", /^luo: Freeze failed for token\[(.*?)\] handler\[(.*?)\] err\[(.*?)\]/, (m) => ({
    token: group(m, 1),
    handler: group(m, 2),
    error: group(m, 3),
  })),
  row(
    "luo-restore-failed",
    /^luo: (No registered handler.*|File count mismatch.*|Failed to (?:deserialize|insert|retrieve|restore).*|.*The incoming tree failed.*)$/,
    reasonIn(1),
  ),
  // The 2025 series: kernel/liveupdate/luo_core.c, luo_set_state and its callers.
  row("luo-switched", /^luo: Switched from \[(\w+)\] to \[(\w+)\] state/, (m) => ({
    from: group(m, 1),
    to: group(m, 2),
  })),
  row("luo-switch-refused", /^luo: Can't switch to \[(\w+)\] from \[(\w+)\] state/, (m) => ({
    from: group(m, 2),
    to: group(m, 1),
  })),
  row("luo-event-failed", /^luo: \[(prepare|freeze|cancel|finish)\] (.*)$/, (m) => ({
    event: group(m, 1),
    reason: group(m, 2),
  })),
  row("luo-failed", /^luo: (.*)$/, reasonIn(1)),
  row("memfd-luo-failed", /^memfd_luo: (.*)$/, reasonIn(1)),

  // kernel/trace/trace.c, ring_buffer.c
  row("trace-instance-mapped", /^Tracing: mapped boot instance (\S+) at physical memory (\S+) of size (\S+)/, (m) => ({
    name: group(m, 1),
    address: group(m, 2),
    size: group(m, 3),
  })),
  row(
    "ring-recovered",
    /^Ring buffer meta \[(\d+)\] is from previous boot!(?: \((\d+) pages discarded\))?/,
    fromIntegers((cpu = 0, discardedPages = 0) => ({ cpu, discardedPages })),
  ),
  row("ring-rejected", /^Ring buffer boot meta(?: \[(\d{1,5})\])? (.*)$/, (m) => ({
    cpu: m[1] === undefined ? null : Number(m[1]),
    reason: group(m, 2),
  })),
  row(
    "ring-rewound",
    /^Ring buffer \[(\d+)\] rewound (\d+) pages/,
    fromIntegers((cpu = 0, pages = 0) => ({ cpu, pages })),
  ),

  // mm/mm_init.c, mm/slub.c (the two bound KHO's memory init), kernel/smp.c, init/main.c
  row("mem-init-begin", /^mem auto-init:/, nothing),
  row("mem-init-end", /^SLUB: HWalign=/, nothing),
  row("smp-begin", /^smp: Bringing up secondary CPUs/, nothing),
  row(
    "smp-end",
    /^smp: Brought up (\d+) nodes?, (\d+) CPUs?/,
    fromIntegers((nodes = 0, cpus = 0) => ({ nodes, cpus })),
  ),
  row(
    "deferred-pages",
    /^node (\d+) deferred pages initialised in (\d+)ms/,
    fromIntegers((node = 0, ms = 0) => ({ node, ms })),
  ),
  row("initcall-begin", /^calling +(\S+)(?: \[[^\]]{1,64}\])? @ (\d{1,10})/, (m) => ({
    initcall: group(m, 1),
    pid: Number(m[2]),
  })),
  row("initcall-end", /^initcall (\S+)(?: \[[^\]]{1,64}\])? returned (-?\d{1,10}) after (\d{1,15}) usecs/, (m) => ({
    initcall: group(m, 1),
    returned: Number(m[2]),
    us: Number(m[3]),
  })),
  row("init-memory-freed", /^Freeing unused kernel (?:image \(initmem\) )?memory:/, nothing),
  row("init-process", /^Run (\S+) as init process/, (m) => ({ path: group(m, 1) })),

  // kernel/panic.c, arch/*/kernel/traps.c and mm/fault.c, lib/bug.c, kernel/watchdog.c, kernel/rcu/tree_stall.h
  row("panic", /^Kernel panic - not syncing: (.*)$/, reasonIn(1)),
  row(
    "oops",
    /^((?:BUG: (?:unable to handle|kernel NULL|KASAN|sleeping|scheduling)|kernel BUG at|Oops:|general protection fault|Unable to handle kernel|Internal error: ).*)$/,
    reasonIn(1),
  ),
  row(
    "stall",
    /^(?:watchdog: BUG: |rcu: INFO: |INFO: task )(.*(?:lockup|detected.*stall|blocked for more).*)$/,
    reasonIn(1),
  ),
  row("warning", /^WARNING: (.*)$/, reasonIn(1)),
  // kernel/reboot.c
  row("restart", /^reboot: (.*)$/, (m) => ({ what: group(m, 1) })),
];
