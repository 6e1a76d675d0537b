/** What one kernel's log shows of a live update: every line of the table, and what other parts ask for by name. */
import type { Boot } from "../../base/time.js";
import type { LogVerdict, PrintkLine, TraceClock } from "../../model/collected.js";
import { type Captured, captured, type KernelLineId, kernelLineOf } from "../../model/kernel-lines.js";
import { MACHINES } from "../../model/machine.js";

/** A line of the log that the table has: which row, what its pattern captured, and the line with its place. */
export interface LogFact<I extends KernelLineId = KernelLineId> extends Omit<PrintkLine, "boot" | "level"> {
  readonly id: I;
  readonly values: Captured<I>;
}

export interface KernelLogFacts {
  /** In log order. */
  readonly all: readonly LogFact[];
  /** As `Linux version` names it; the last, as a log may begin with another kernel's end. */
  readonly release: string | null;
  /** The TSC's own rate if it differs from the processor's and the log has both; in kHz, 1 MHz at the least. */
  readonly tscDetectedKhz: number | null;
  /**
   * The TSC's rate by the HPET or the PM timer, in kHz, if the kernel measured another by the PIT and took that: on a
   * machine that stood still while the PIT was read, it is off by any factor. Null if the log has no such line.
   */
  readonly tscByOtherTimerKhz: number | null;
  readonly tscRefined: { readonly khz: number; readonly stampNs: number | null } | null;
  /** From its stamp on, printk's clock is raw sched_clock plus the offset (kernel/sched/clock.c). */
  readonly markedStable: { readonly stampNs: number; readonly offsetNs: number } | null;
  readonly kvmClockOffsetNs: bigint | null;
  readonly ringsRejected: readonly LogFact<"ring-rejected">[];
}

/** The row that a line is of, with what it captures; null if it is of none. */
export function factOf({ stampNs, file, line, text }: PrintkLine): LogFact | null {
  const id = kernelLineOf(text);
  return id === null ? null : { id, values: captured(id, text) ?? {}, stampNs, file, line, text };
}

/** A TSC of less than 1 MHz is impossible: nothing is divided by the number in a damaged line. */
function rateOf({ values: { mhz, khz } }: LogFact<"tsc-detected" | "tsc-refined">): number | null {
  const rate = Number(`${mhz}${khz}`);
  return rate >= 1_000 ? rate : null;
}

/** The kernel took a rate of the TSC that another timer contradicts, and refined none: its clocks ran at that rate. */
export function tscRateDoubted({ tscByOtherTimerKhz, tscRefined }: KernelLogFacts): boolean {
  return tscRefined === null && tscByOtherTimerKhz !== null;
}

/**
 * The TSC's rate in kHz as a trace on `clock` needs it. Clocks that a kernel derives from the TSC run at the rate that
 * it took, right or wrong; counts of the TSC itself do not.
 */
export function tscKhzFor(clock: TraceClock | null, facts: KernelLogFacts): number | null {
  const byOther = clock === "x86-tsc" ? facts.tscByOtherTimerKhz : null;
  return facts.tscRefined?.khz ?? byOther ?? facts.tscDetectedKhz;
}

/** Lines of one boot, in log order. */
export function kernelLogFacts(lines: readonly PrintkLine[]): KernelLogFacts {
  const all = lines.map(factOf).filter((fact) => fact !== null);
  const every = <I extends KernelLineId>(id: I): readonly LogFact<I>[] =>
    all.filter((fact): fact is LogFact<I> => fact.id === id);
  const rates = MACHINES.x86_64.rateLines;
  const detected = every(rates.detected).filter((fact) => rateOf(fact) !== null);
  const own = detected.find(({ values }) => values.of === "TSC") ?? detected[0];
  const refined = every(rates.refined).findLast((fact) => rateOf(fact) !== null);
  const detectedKhz = own === undefined ? null : rateOf(own);
  const deviates = every("tsc-deviates").findLast(({ values }) => Number(values.pit) === detectedKhz);
  const stable = every("sched-clock-stable").findLast(({ values }) => Number.isSafeInteger(Number(values.offset)));
  const kvmClock = every("kvm-clock-offset").at(-1)?.values.ns;
  return {
    all,
    release: every("linux-version").at(-1)?.values.release ?? null,
    tscDetectedKhz: detectedKhz,
    tscByOtherTimerKhz: deviates === undefined ? null : Number(deviates.values.other),
    tscRefined: refined === undefined ? null : { khz: rateOf(refined) as number, stampNs: refined.stampNs },
    markedStable:
      stable === undefined || stable.stampNs === null
        ? null
        : { stampNs: stable.stampNs, offsetNs: Number(stable.values.offset) },
    kvmClockOffsetNs: kvmClock === undefined ? null : BigInt(kvmClock),
    ringsRejected: every("ring-rejected"),
  };
}

/** What the log shows about the update's end, in log order; empty if nothing went wrong. */
export function logVerdicts({ all }: KernelLogFacts, boot: Boot): readonly LogVerdict[] {
  /** The first: what follows it is its echo. */
  const panic = all.find(({ id }) => id === "panic");
  const words = all.findLast(({ id }) => id === "command-line" || id === "early-command-line");
  return all.flatMap((fact): readonly LogVerdict[] => {
    const { text, file, line } = fact;
    const off = boot === "new" && fact === words ? handoverOff(fact.values.words ?? "") : null;
    const what = off !== null ? "kho-off" : fact.id === "panic" && fact !== panic ? null : verdictOf(fact);
    return what === null ? [] : [{ what, boot, text: off ?? text, file, line }];
  });
}

function verdictOf({ id, values }: LogFact): LogVerdict["what"] | null {
  switch (id) {
    case "panic":
      return "panic";
    case "luo-freeze-failed":
      return "freeze-failed";
    case "luo-event-failed":
      return values.event === "freeze" ? "freeze-failed" : null;
    case "kho-incompatible":
    case "luo-incompatible":
    case "luo-handler-unknown":
      return "abi-refused";
    case "luo-disabled":
    case "luo-restore-failed":
    case "luo-switch-refused":
      return "luo-refused";
    case "kho-disabled":
      return "kho-off";
    default:
      return null;
  }
}

/**
 * The word of a command line that turns KHO or LUO off, or null. Of several the kernel obeys the last; words after
 * ` -- ` are init's.
 */
export function handoverOff(commandLine: string): string | null {
  const words = (commandLine.split(" -- ")[0] ?? "").split(/\s+/);
  for (const name of ["kho=", "liveupdate="]) {
    const last = words.findLast((word) => word.startsWith(name));
    if (last !== undefined && FALSE.test(last.slice(name.length))) return last;
  }
  return null;
}

/** kstrtobool's words for false (lib/kstrtox.c): it looks at no more than the first two letters. */
const FALSE = /^(?:[nNfF0]|[oO][fF])/;
