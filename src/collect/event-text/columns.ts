/** The columns before an event's text, as trace_print_context and trace_print_lat_fmt write them (trace_output.c). */
import { COUNTING_CLOCKS } from "../../model/machine.js";

const IRQS_OFF = 0x01;
const NEED_RESCHED_LAZY = 0x02;
const NEED_RESCHED = 0x04;
const HARDIRQ = 0x08;
const SOFTIRQ = 0x10;
const PREEMPT_RESCHED = 0x20;
const NMI = 0x40;
const BH_OFF = 0x80;

/** `d..2.`: interrupts, reschedule, hard or soft interrupt, preempt depth, migration disabled. */
export function latencyColumns(flags: number, preemptCount: number): string {
  const irqs = (flags & IRQS_OFF) !== 0 ? ((flags & BH_OFF) !== 0 ? "D" : "d") : (flags & BH_OFF) !== 0 ? "b" : ".";
  const resched = reschedColumn(flags);
  const hard = (flags & HARDIRQ) !== 0;
  const soft = (flags & SOFTIRQ) !== 0;
  const context = (flags & NMI) !== 0 ? (hard ? "Z" : "z") : hard ? (soft ? "H" : "h") : soft ? "s" : ".";
  const depth = preemptCount & 0xf;
  const migrate = preemptCount >> 4;
  return `${irqs}${resched}${context}${depth === 0 ? "." : depth.toString(16)}${migrate === 0 ? "." : migrate.toString(16)}`;
}

function reschedColumn(flags: number): string {
  const need = (flags & NEED_RESCHED) !== 0;
  const lazy = (flags & NEED_RESCHED_LAZY) !== 0;
  const preempt = (flags & PREEMPT_RESCHED) !== 0;
  if (need && lazy && preempt) return "B";
  if (need && preempt) return "N";
  if (lazy && preempt) return "L";
  if (need && lazy) return "b";
  if (need) return "n";
  if (lazy) return "l";
  return preempt ? "p" : ".";
}

/** ` SSSSS.UUUUUU`, rounded (ns2usecs), or the count right-aligned in 13 columns (trace_print_time). */
export function timeColumn(count: bigint, clock: string): string {
  if (COUNTING_CLOCKS.has(clock)) return ` ${count.toString().padStart(12)}`;
  if (count < 0n) {
    const us = (500n - count) / 1000n;
    return ` ${`-${us / 1_000_000n}`.padStart(5)}.${(us % 1_000_000n).toString().padStart(6, "0")}`;
  }
  const us = (count + 500n) / 1000n;
  return ` ${(us / 1_000_000n).toString().padStart(5)}.${(us % 1_000_000n).toString().padStart(6, "0")}`;
}

export interface EventContext {
  readonly comm: string;
  readonly pid: number;
  readonly cpu: number;
  readonly flags: number;
  readonly preemptCount: number;
  readonly count: bigint;
}

/** `            init-1       [001] d..2.     4.073131: `. */
export function contextColumns(context: EventContext, clock: string): string {
  const { comm, pid, cpu, flags, preemptCount, count } = context;
  return (
    `${comm.padStart(16)}-${String(pid).padEnd(7)} [${String(cpu).padStart(3, "0")}] ` +
    `${latencyColumns(flags, preemptCount)}${timeColumn(count, clock)}: `
  );
}
