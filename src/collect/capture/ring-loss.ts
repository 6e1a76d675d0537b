/**
 * What a trace buffer lost as a whole, by its counters and sizes: a CPU whose buffer came back empty, and buffers that
 * were full, so that their oldest events were overwritten. Pure.
 */
import type { DefectInput } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { CaptureBoot, CpuBuffer, TraceBuffer } from "./capture.js";

/** At trace_init only the boot CPU is online; it is logical CPU 0, and the one that ran the kexec (migrate_to_reboot_cpu). */
const BOOT_CPU = 0;
/** A buffer holds its data in whole sub-buffers, a page or two of which are being written or read: 99 % is full. */
const FULL = 0.98;

/** Bytes of a CPU's pages; null where the capture has no such file. */
export type PageBytes = (cpu: CpuBuffer) => number | null;

export function ringLosses(own: CaptureBoot, buffer: TraceBuffer, pageBytes: PageBytes): readonly DefectInput[] {
  return [...emptyCpus(own.boot, buffer, pageBytes), ...fullCpus(own, buffer)];
}

function isEmpty(cpu: CpuBuffer, pageBytes: PageBytes): boolean {
  const bytes = pageBytes(cpu);
  return bytes === null ? cpu.stats?.entries === 0 : bytes === 0;
}

function emptyCpus(boot: Boot, buffer: TraceBuffer, pageBytes: PageBytes): readonly DefectInput[] {
  return buffer.cpus.flatMap((cpu): readonly DefectInput[] => {
    if (!isEmpty(cpu, pageBytes)) return [];
    const why = lossOf(boot, buffer, cpu);
    if (why === null) return [];
    const folder = `${buffer.folder}/per_cpu/cpu${cpu.cpu}`;
    return [{ code: "ring-cpu-missing", file: cpu.pages ?? `${folder}/stats`, boot, ...why }];
  });
}

/** CPUs whose pages are not in the capture, although others' are and the kernel counted entries there. */
export function unsavedCpus({ cpus }: TraceBuffer): readonly CpuBuffer[] {
  if (!cpus.some(({ pages }) => pages !== null)) return [];
  return cpus.filter(({ pages, stats }) => pages === null && (stats?.entries ?? 0) > 0);
}

export function unsavedCpuDefects(boot: Boot, buffer: TraceBuffer, textInstead: boolean): readonly DefectInput[] {
  return unsavedCpus(buffer).map(({ cpu, stats }) => {
    const counted = `CPU ${cpu}'s pages are not in the capture, though the kernel counted ${stats?.entries} entries in its buffer`;
    return {
      code: "ring-cpu-missing",
      severity: textInstead ? "warning" : "error",
      file: `${buffer.folder}/per_cpu/cpu${cpu}/trace_pipe_raw`,
      boot,
      message: textInstead
        ? `${counted}: the kernel's text is read instead, to the microsecond.`
        : `${counted}: what ran there is lost.`,
      advice: "Save trace_pipe_raw of every CPU.",
    };
  });
}

/** Why an empty buffer is a loss; null where the CPU simply recorded nothing. */
function lossOf(
  boot: Boot,
  { clock }: TraceBuffer,
  { cpu, stats }: CpuBuffer,
): Pick<DefectInput, "severity" | "message" | "advice"> | null {
  const lost = (stats?.overrun ?? 0) + (stats?.commitOverrun ?? 0) + (stats?.droppedEvents ?? 0);
  if ((stats?.entries ?? 0) > 0) {
    return {
      severity: "error",
      message: `CPU ${cpu}'s buffer is empty, though the kernel counted ${stats?.entries} entries in it: what ran there is lost.`,
      advice: "Read trace_pipe_raw once, with tracing off, and save what was read.",
    };
  }
  // Reference: with any other clock than `local` the next kernel restores the clock, which resets the online CPUs' buffers.
  if (boot === "old" && cpu === BOOT_CPU && clock !== "local" && clock !== "unknown") {
    return {
      severity: "error",
      message: `CPU ${cpu}'s buffer is empty, and the ring's clock is ${clock}, not local: the next kernel reset its boot CPU's buffer when it restored that clock. What ran on CPU ${cpu}, the kexec's own path with it, is lost.`,
      advice:
        "Leave the persistent instance on the `local` clock, which needs no restoring, and let the recorder read clock_pairs in the old kernel.",
    };
  }
  if (lost > 0) {
    return {
      severity: "error",
      message: `CPU ${cpu}'s buffer is empty, and its counters say that ${lost} events were lost there.`,
      advice: "Use a larger buffer, or record fewer events.",
    };
  }
  if (stats?.entries === 0 && (boot === "new" || cpu !== BOOT_CPU || clock === "local")) return null;
  if (stats?.entries === 0) {
    return {
      severity: "warning",
      message: `CPU ${cpu}'s buffer is empty, and trace_clock does not say on which clock the ring was: with any but local the next kernel resets its boot CPU's buffer.`,
      advice: "Save the ring's trace_clock with it.",
    };
  }
  return {
    severity: "note",
    message: `CPU ${cpu}'s buffer is empty, and there are no counters to say whether it recorded anything.`,
    advice: `Save per_cpu/cpu${cpu}/stats with the pages.`,
  };
}

/** Bytes of `reserve_mem=SIZE:ALIGN:NAME` where `trace_instance=…@NAME` maps it; null where the command line has none. */
export function reservedBytes(cmdline: string): number | null {
  for (const [, flagged] of cmdline.matchAll(/(?:^|\s)trace_instance=(\S+)/g)) {
    const name = /@([^,\s]{1,32})/.exec(flagged ?? "")?.[1];
    for (const [, size, unit, of] of cmdline.matchAll(/(?:^|\s)reserve_mem=(\d{1,12})([KMG]?):[^:\s]*:(\S+)/gi)) {
      if (of !== name) continue;
      const shift = { "": 0, K: 10, M: 20, G: 30 }[(unit ?? "").toUpperCase() as "" | "K" | "M" | "G"];
      return Number(size) * 2 ** shift;
    }
  }
  return null;
}

/**
 * The boot resets a persistent ring's overrun counters, so that only a buffer's size tells that it had wrapped: the
 * reservation is divided among the CPUs.
 */
function fullCpus(own: CaptureBoot, buffer: TraceBuffer): readonly DefectInput[] {
  if (own.boot !== "old" || own.cmdline === null) return [];
  const reserved = reservedBytes(own.cmdline);
  if (reserved === null || buffer.cpus.length === 0) return [];
  const room = reserved / buffer.cpus.length;
  return buffer.cpus.flatMap(({ cpu, stats }): readonly DefectInput[] => {
    if (stats?.bytes === null || stats === null || stats.bytes < room * FULL) return [];
    const since = stats.oldest === null ? "its oldest event" : `${stats.oldest} on its clock`;
    return [
      {
        code: "ring-overwritten",
        severity: "warning",
        file: `${buffer.folder}/per_cpu/cpu${cpu}/stats`,
        boot: own.boot,
        message: `CPU ${cpu}'s buffer was full (${stats.bytes.toLocaleString("en")} bytes): what it recorded before ${since} was overwritten.`,
        advice: "Reserve more memory for the ring (reserve_mem=), or record fewer events.",
      },
    ];
  });
}
