/**
 * What a trace buffer lost as a whole, by its counters and sizes: a CPU whose buffer came back empty, and buffers that
 * were full, so that their oldest events were overwritten. Pure.
 */
import type { DefectInput } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { CaptureBoot, CpuBuffer, TraceBuffer } from "./capture.js";

/** At trace_init only the boot CPU is online: logical CPU 0, which ran the kexec (migrate_to_reboot_cpu). */
const BOOT_CPU = 0;
/** A buffer holds its data in whole sub-buffers, a page or two of which are being written or read: 99 % is full. */
const FULL = 0.98;
/** Sub-buffers of a CPU's share without data: the ring's tables, and alignment (5 of 8 hold data). */
const TABLE_BYTES = 4 * 4096;

const SUB_BUFFER_BYTES = 4096;

/** Bytes of a CPU's pages; null if the capture has no such file. */
export type PageBytes = (cpu: CpuBuffer) => number | null;

/** What `buffer`, the boot's ring or the one for its marks, lost of each CPU. */
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

/** CPUs whose pages are not in the capture, although the kernel counted entries there. */
export function unsavedCpus({ cpus }: TraceBuffer): readonly CpuBuffer[] {
  return cpus.filter(({ pages, stats }) => pages === null && (stats?.entries ?? 0) > 0);
}

/** One defect for each CPU of `buffer` whose pages are missing, if its boot's events are read from pages. */
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

/**
 * CPUs of which a boot's rings have no file at all: that one ring has and the other lacks (an error: its events are
 * missing), or below the highest that there is (a warning: it may have been offline).
 */
export function absentCpuDefects(boot: Boot, buffers: readonly TraceBuffer[]): readonly DefectInput[] {
  const present = new Set(buffers.flatMap(({ cpus }) => cpus.map(({ cpu }) => cpu)));
  const highest = Math.max(-1, ...present);
  return buffers.flatMap(({ folder, cpus }): readonly DefectInput[] => {
    const own = new Set(cpus.map(({ cpu }) => cpu));
    if (own.size === 0) return [];
    const absent = Array.from({ length: highest + 1 }, (_, cpu) => cpu).filter((cpu) => !own.has(cpu));
    return absent.map((cpu) => ({
      code: "ring-cpu-missing",
      severity: present.has(cpu) ? "error" : "warning",
      file: `${folder}/per_cpu/cpu${cpu}`,
      boot,
      message: `CPU ${cpu} has neither pages nor counters in ${folder}: what ran there is lost, if anything did.`,
      advice: "Save per_cpu/cpuN/trace_pipe_raw and stats of every CPU.",
    }));
  });
}

/** Why an empty buffer is a loss; null if the CPU simply recorded nothing. */
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
  // With any clock but `local` the next kernel restores the clock, which resets the online CPUs' buffers.
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

/**
 * Bytes of each `reserve_mem=SIZE:ALIGN:NAME` that a `trace_instance=…@NAME` maps, in the order of the instances: the
 * recorder names the ring first and the one for marks second.
 */
export function reservedBytes(cmdline: string): readonly number[] {
  const sizes = new Map<string, number>();
  for (const [, size, unit, of] of cmdline.matchAll(/(?:^|\s)reserve_mem=(\d{1,12})([KMG]?):[^:\s]*:(\S+)/gi)) {
    const shift = { "": 0, K: 10, M: 20, G: 30 }[(unit ?? "").toUpperCase() as "" | "K" | "M" | "G"];
    if (of !== undefined && !sizes.has(of)) sizes.set(of, Number(size) * 2 ** shift);
  }
  return [...cmdline.matchAll(/(?:^|\s)trace_instance=(\S+)/g)].flatMap(([, flagged]) => {
    const size = sizes.get(/@([^,\s]{1,32})/.exec(flagged ?? "")?.[1] ?? "");
    return size === undefined ? [] : [size];
  });
}

/**
 * Bytes for data of a CPU's share of what the command line reserves for `buffer`, for captures without
 * `buffer_size_kb`; null if it does not show that. Such captures have at most two rings.
 */
function reservedShare({ cmdline, marks, rings }: CaptureBoot, buffer: TraceBuffer): number | null {
  if (cmdline === null || rings.length > 0 || buffer.cpus.length === 0) return null;
  const reserved = reservedBytes(cmdline)[buffer === marks ? 1 : 0];
  if (reserved === undefined) return null;
  const share = reserved / buffer.cpus.length;
  return Math.max(share - TABLE_BYTES, share / 2);
}

/**
 * The boot resets a persistent ring's overrun counters, so that only a buffer's size shows that it had wrapped: the
 * reservation is divided among the CPUs.
 */
function fullCpus(own: CaptureBoot, buffer: TraceBuffer): readonly DefectInput[] {
  if (own.boot !== "old") return [];
  const share = reservedShare(own, buffer);
  return buffer.cpus.flatMap(({ cpu, stats, roomBytes }): readonly DefectInput[] => {
    // One sub-buffer is being written: after a wrap it is the only one that may be empty.
    const room = roomBytes === null ? share : roomBytes - SUB_BUFFER_BYTES;
    if (room === null || stats === null || stats.bytes === null || stats.bytes < room * FULL) return [];
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
