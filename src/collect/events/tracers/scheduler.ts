/** sched: who ran on which CPU, and who woke whom. */
import type { EventChunk, EventFields, FieldValue } from "../../../model/collected.js";
import type { CpuSights } from "../cpu-sights.js";
import type { WakeupCollector } from "../wakeup-collector.js";
import { integerField, type ReadRow, type Recording, type Tracer, timeOf } from "./tracer.js";

/** What the kernel prints for a task whose name it has forgotten (trace.c, __trace_find_cmdline). */
const UNKNOWN_TASK = "<...>";
const MAX_TASK_NAMES = 65_536;
/** `prev_state` in pages: TASK_* bits (include/linux/sched.h), above them "preempted". */
const TASK_STATES = "SDTtXZPI";
/** Switches of the new boot whose state is decoded: an update's new kernel makes thousands until the VMs resume. */
const MAX_DECODED_SWITCHES = 100_000;
const EVIDENCE = "sched_switch";
const NO_FIELDS: EventFields = new Map();

/** `prev_state` as one letter, `R` if the task was preempted or stayed runnable; empty if it is not recorded. */
function taskState(value: FieldValue | undefined): string {
  if (value === undefined) return "";
  const state = integerField(value);
  if (state === null) return /^[A-Za-z]/.test(String(value)) ? String(value).slice(0, 1) : "";
  const bit = TASK_STATES.split("").findIndex((_, i) => (state & (1 << i)) !== 0);
  return bit < 0 ? "R" : (TASK_STATES[bit] as string);
}

export interface SchedulerParts {
  readonly wakeups: WakeupCollector;
  readonly cpus: CpuSights;
  /** Filled: names of tasks that the trace itself shows, for those whose name the kernel's short list had forgotten. */
  readonly taskNames: Map<number, string>;
  /** Tasks with key events of their own. */
  readonly pathTasks: ReadonlySet<number>;
  /** The text of an id of the rows read so far. */
  readonly stringOf: (id: number) => string;
}

export function scheduler(recording: Recording, parts: SchedulerParts): Tracer {
  const { spans } = recording;
  const { wakeups, cpus, taskNames, pathTasks } = parts;
  const runningSince = new Map<number, number>();
  let decoded = 0;
  /**
   * Decoding costs ten times the rest, and a busy trace is mostly switches: done for tasks that the update's path may
   * run through (those that marked or called something of the update, and what the new kernel runs to come up), and
   * for a task whose name is still unknown.
   */
  const isDecoded = (boot: EventChunk["boot"], pid: number, recorded: string): boolean => {
    if (pathTasks.has(pid) || (recorded === UNKNOWN_TASK && !taskNames.has(pid))) return true;
    if (boot === "old" || decoded >= MAX_DECODED_SWITCHES) return false;
    decoded += 1;
    return true;
  };
  /**
   * At a switch the row's own task stops and another starts. What ran from a CPU's first event to its first switch is
   * open at the front, and after its last one at the end. The idle task's runs are not kept. The state that the task
   * was left in says whether it was blocked or had to give way.
   */
  const switched: ReadRow = (chunk, row) => {
    const cpu = chunk.cpu[row] as number;
    const time = timeOf(chunk, row);
    const since = runningSince.get(cpu);
    runningSince.set(cpu, time);
    const pid = chunk.pid[row] as number;
    if (pid <= 0) return;
    const recorded = chunk.strings.stringOf(chunk.comm[row] as number);
    const fields = isDecoded(chunk.boot, pid, recorded) ? chunk.fields(row) : NO_FIELDS;
    const told = recorded === UNKNOWN_TASK ? fields.get("prev_comm") : undefined;
    const name = told === undefined || told === "" ? recorded : String(told);
    if (name !== recorded && taskNames.size < MAX_TASK_NAMES) taskNames.set(pid, name);
    const state = taskState(fields.get("prev_state"));
    const span = recording.span(chunk, row, "task", name, state === "" ? "" : `state=${state}`, EVIDENCE);
    if (since === undefined) spans.openedBefore(span, cpus.firstOf(cpu), time);
    else spans.whole(span, since, time);
  };
  const waking: ReadRow = (chunk, row) => {
    const woken = integerField(chunk.fields(row).get("pid"));
    if (woken !== null) wakeups.add(timeOf(chunk, row), woken, chunk.pid[row] as number, chunk.cpu[row] as number);
  };
  /** What ran when a CPU's records ended ran on: no switch ended it, but its own events show that it was there. */
  const finish = (): void => {
    for (const [cpu, since] of runningSince) {
      const { pid, comm, last } = cpus.lastOf(cpu);
      if (pid <= 0 || last <= since) continue;
      const recorded = parts.stringOf(comm);
      const task = recorded === UNKNOWN_TASK ? (taskNames.get(pid) ?? recorded) : recorded;
      spans.openAfter({ kind: "task", name: task, detail: "", evidence: EVIDENCE, cpu, pid, task }, since, last);
    }
  };
  return {
    events: new Map([
      ["sched_switch", switched],
      ["sched_waking", waking],
    ]),
    finish,
  };
}
