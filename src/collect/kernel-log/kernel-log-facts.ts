/** What one kernel's log says of a live update: every recognised line, and the ones that other parts ask for by name. */
import type { Boot } from "../../base/time.js";
import type { LogVerdict, PrintkLine } from "../../model/collected.js";
import { FACT_ROWS, type Fact, type FactId, type FactValues } from "./kernel-log-facts-table.js";

export type { Fact, FactId } from "./kernel-log-facts-table.js";

export interface KernelLogFacts {
  /** In log order. */
  readonly all: readonly Fact[];
  readonly linuxVersion: Fact<"linux-version"> | null;
  readonly commandLine: string | null;
  /** The TSC's own rate where it differs from the processor's and the log says so. */
  readonly tscDetectedKhz: number | null;
  readonly tscRefined: Fact<"tsc-refined"> | null;
  readonly clocksourceSwitches: readonly Fact<"clocksource-switched">[];
  /** The last one. */
  readonly schedClockMarkingStable: Fact<"sched-clock-stable"> | null;
  /** What it means: from its stamp on, printk's clock is raw sched_clock plus `d` (kernel/sched/clock.c). */
  readonly markedStable: { readonly stampNs: number; readonly offsetNs: number } | null;
  readonly kvmClockOffsetNs: bigint | null;
  readonly rtc: Fact<"rtc"> | null;
  readonly startingNewKernel: Fact<"kexec-start"> | null;
  readonly khoFound: Fact<"kho-found"> | null;
  readonly khoExecFrom: Fact<"kho-exec-from"> | null;
  readonly luoRetrieved: Fact<"luo-retrieved"> | null;
  readonly luoTransitions: readonly Fact<"luo-switched">[];
  readonly freezeFailures: readonly Fact<"luo-freeze-failed">[];
  readonly ringsRecovered: readonly Fact<"ring-recovered">[];
  readonly ringsRejected: readonly Fact<"ring-rejected">[];
  readonly deferredPages: readonly Fact<"deferred-pages">[];
  readonly initProcess: Fact<"init-process"> | null;
  /** The first: what follows it is its echo. */
  readonly panic: Fact<"panic"> | null;
  readonly oopses: readonly Fact<"oops">[];
  /**
   * Lines whose stamp is at least `RESET_NS` below the one before: while clocks are set up, printk's stamps are zero,
   * or of jiffies, or start anew, and what was stamped before is in order but not in time.
   */
  readonly stampResets: readonly number[];
}

/**
 * Two CPUs that print at once may store their records in the other order, microseconds apart; that is no reset. The
 * smallest reset in the recordings is 35 ms, from a stamp of jiffies (1 to 10 ms each) to the real clock's first.
 */
export const RESET_NS = 100_000;

/**
 * A line that no row can match fails here at once, and most lines do: one test instead of one for each row. It holds
 * every row's pattern, so that it cannot fall behind the table.
 */
const ANY_ROW = new RegExp(FACT_ROWS.map(({ pattern }) => `(?:${pattern.source})`).join("|"));

/** The fact that a line states, or null. */
export function factOf(line: PrintkLine): Fact | null {
  if (!ANY_ROW.test(line.text)) return null;
  for (const { id, pattern, extract } of FACT_ROWS) {
    const match = pattern.exec(line.text);
    if (match === null) continue;
    const values = extract(match);
    if (values === null) return null;
    const place = { stampNs: line.stampNs, file: line.file, line: line.line, text: line.text };
    return { id, ...(values as FactValues[FactId]), ...place } as Fact;
  }
  return null;
}

/** Lines of one boot, in log order. */
export function kernelLogFacts(lines: readonly PrintkLine[]): KernelLogFacts {
  const all = lines.map(factOf).filter((fact) => fact !== null);
  const every = <I extends FactId>(id: I): readonly Fact<I>[] => all.filter((fact): fact is Fact<I> => fact.id === id);
  const first = <I extends FactId>(id: I): Fact<I> | null => every(id)[0] ?? null;
  const last = <I extends FactId>(id: I): Fact<I> | null => every(id).at(-1) ?? null;
  const detected = every("tsc-detected");
  const stable = last("sched-clock-stable");
  return {
    all,
    linuxVersion: first("linux-version"),
    // `Kernel command line` (start_kernel) comes last and is whole: the boot config is in it.
    commandLine: last("command-line")?.commandLine ?? null,
    tscDetectedKhz: (detected.find(({ of }) => of === "TSC") ?? detected[0])?.khz ?? null,
    tscRefined: last("tsc-refined"),
    clocksourceSwitches: every("clocksource-switched"),
    schedClockMarkingStable: stable,
    markedStable: stable === null || stable.stampNs === null ? null : { stampNs: stable.stampNs, offsetNs: stable.d },
    kvmClockOffsetNs: last("kvm-clock-offset")?.offsetNs ?? null,
    rtc: last("rtc"),
    startingNewKernel: last("kexec-start"),
    khoFound: first("kho-found"),
    khoExecFrom: first("kho-exec-from"),
    luoRetrieved: first("luo-retrieved"),
    luoTransitions: every("luo-switched"),
    freezeFailures: every("luo-freeze-failed"),
    ringsRecovered: every("ring-recovered"),
    ringsRejected: every("ring-rejected"),
    deferredPages: every("deferred-pages"),
    initProcess: first("init-process"),
    panic: first("panic"),
    oopses: every("oops"),
    stampResets: stampResets(lines),
  };
}

function stampResets(lines: readonly PrintkLine[]): readonly number[] {
  const resets: number[] = [];
  let before: number | null = null;
  for (const { stampNs, line } of lines) {
    if (stampNs === null) continue;
    if (before !== null && before - stampNs >= RESET_NS) resets.push(line);
    before = stampNs;
  }
  return resets;
}

/** What the log says of how the update went, in log order; empty where nothing went wrong that it tells. */
export function logVerdicts(facts: KernelLogFacts, boot: Boot): readonly LogVerdict[] {
  return facts.all.flatMap((fact): readonly LogVerdict[] => {
    const what = verdictOf(fact, facts, boot);
    const text = fact.id === "command-line" ? (handoverOff(fact.commandLine) ?? fact.text) : fact.text;
    return what === null ? [] : [{ what, boot, text, file: fact.file, line: fact.line }];
  });
}

function verdictOf(fact: Fact, facts: KernelLogFacts, boot: Boot): LogVerdict["what"] | null {
  switch (fact.id) {
    case "panic":
      return fact === facts.panic ? "panic" : null;
    case "luo-freeze-failed":
      return "freeze-failed";
    case "luo-event-failed":
      return fact.event === "freeze" ? "freeze-failed" : null;
    case "luo-disabled":
    case "luo-restore-failed":
    case "luo-switch-refused":
      return "luo-refused";
    case "kho-disabled":
      return "kho-off";
    case "command-line":
      return boot === "new" && isLast(fact, facts) && handoverOff(fact.commandLine) !== null ? "kho-off" : null;
    default:
      return null;
  }
}

function isLast(fact: Fact, facts: KernelLogFacts): boolean {
  return facts.all.findLast(({ id }) => id === fact.id) === fact;
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
