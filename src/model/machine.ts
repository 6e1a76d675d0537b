/**
 * What of a live update is an architecture's own: a row for each that KHO runs on (ARCH_SUPPORTS_KEXEC_HANDOVER). What
 * the kernels of all have in common stands elsewhere.
 */
import type { TraceClock } from "./collected.js";
import type { KernelLineId } from "./kernel-lines.js";
import { FUNCTIONS } from "./luo.js";

export interface Machine {
  /** As `uname -m` prints it. */
  readonly name: string;
  /** The trace clock that is the counter which runs on through the kexec, in its own counts; null: there is none. */
  readonly traceClock: TraceClock | null;
  /** Lines with the counter's rate in MHz: as first detected, and as refined later. */
  readonly rateLines: { readonly detected: KernelLineId; readonly refined: KernelLineId } | null;
  /** What the old kernel prints after it starts the new one. */
  readonly lastLines: readonly KernelLineId[];
  /** Functions with which the old kernel stops its other CPUs, best first (arch/…/kernel, machine_shutdown). */
  readonly stopFunctions: readonly string[];
  /**
   * Notifiers that the timekeeper calls at every tick (pvclock_gtod_register_notifier), inside whatever the tick
   * interrupts. KVM hangs its own in as soon as it is loaded.
   */
  readonly tickNotifiers: readonly string[];
  /** What runs between the two kernels' traces, in order, and where the kernel has it. */
  readonly seam: { readonly steps: string; readonly source: string };
}

export const MACHINES = {
  x86_64: {
    name: "x86_64",
    traceClock: "x86-tsc",
    rateLines: { detected: "tsc-detected", refined: "tsc-refined" },
    lastLines: ["cpus-stopped-by-nmi"],
    stopFunctions: [FUNCTIONS.machineShutdown.name, FUNCTIONS.nativeMachineShutdown.name],
    tickNotifiers: ["pvclock_gtod_notify"],
    seam: { steps: "relocation, purgatory, decompression", source: "arch/x86/boot/compressed" },
  },
  aarch64: {
    name: "aarch64",
    traceClock: null,
    rateLines: null,
    lastLines: ["cpu-killed", "bye"],
    stopFunctions: [FUNCTIONS.machineShutdown.name],
    tickNotifiers: [],
    seam: { steps: "relocation", source: "arch/arm64/kernel/relocate_kernel.S" },
  },
} as const satisfies Readonly<Record<string, Machine>>;

const ALL: readonly Machine[] = Object.values(MACHINES);

/** The lines that an old kernel prints after it starts the new one, of every machine. */
export const LAST_LINES: readonly KernelLineId[] = ALL.flatMap(({ lastLines }) => lastLines);

export const STOP_FUNCTIONS: readonly string[] = [...new Set(ALL.flatMap(({ stopFunctions }) => stopFunctions))];

export const TICK_NOTIFIERS: ReadonlySet<string> = new Set(ALL.flatMap(({ tickNotifiers }) => tickNotifiers));

/** Trace clocks that count, and are printed in counts, not in seconds. */
export const COUNTING_CLOCKS: ReadonlySet<string> = new Set([
  "counter",
  "uptime",
  ...ALL.flatMap(({ traceClock }) => traceClock ?? []),
]);

/** The machine of an update by its clocks: only x86 has a TSC. Null: nothing shows it. */
export function machineWithTsc(tscKhz: number | null): Machine | null {
  return tscKhz === null ? null : MACHINES.x86_64;
}
