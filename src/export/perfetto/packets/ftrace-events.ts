/**
 * The trace events that Perfetto has a message for, and how each is encoded: message and field numbers of
 * protos/perfetto/trace/ftrace (v58). Fields are read by the kernel's own names; a dialect may hand them over as numbers
 * or as the text the kernel prints.
 */
import type { EventFields, FieldValue } from "../../../model/collected.js";

export type PartType = "int" | "text" | "pid" | "state" | "symbol" | "handled";

export interface Part {
  readonly field: number;
  readonly type: PartType;
  /** The kernel's names for it: the format file's, then what its text prints. */
  readonly keys: readonly string[];
  /** Without it the event says nothing. */
  readonly required: boolean;
}

/** What an event opens or closes on its CPU's track. */
export type Bracket = "irq" | "softirq" | "cpuhp" | "hrtimer";

export interface TypedEvent {
  readonly field: number;
  readonly parts: readonly Part[];
  /** Pairs of fields: a pid and that task's name. */
  readonly names: readonly (readonly [pid: string, comm: string])[];
  readonly opens?: Bracket;
  readonly closes?: Bracket;
}

const part = (field: number, type: PartType, ...keys: readonly string[]): Part => ({
  field,
  type,
  keys,
  required: true,
});
const extra = (field: number, type: PartType, ...keys: readonly string[]): Part => ({
  field,
  type,
  keys,
  required: false,
});

const wakeup = (field: number): TypedEvent => ({
  field,
  parts: [extra(1, "text", "comm"), part(2, "pid", "pid"), extra(3, "int", "prio"), extra(5, "int", "target_cpu")],
  names: [["pid", "comm"]],
});
const softirq = (field: number): TypedEvent => ({ field, parts: [part(1, "int", "vec")], names: [] });
const cpuhpEnter = (field: number): TypedEvent => ({
  field,
  parts: [part(1, "int", "cpu"), extra(2, "symbol", "fun"), part(3, "int", "idx", "step"), extra(4, "int", "target")],
  names: [],
  opens: "cpuhp",
});

export const SCHED_SWITCH: TypedEvent = {
  field: 4,
  parts: [
    extra(1, "text", "prev_comm"),
    part(2, "pid", "prev_pid"),
    extra(3, "int", "prev_prio"),
    part(4, "state", "prev_state"),
    extra(5, "text", "next_comm"),
    part(6, "pid", "next_pid"),
    extra(7, "int", "next_prio"),
  ],
  names: [
    ["prev_pid", "prev_comm"],
    ["next_pid", "next_comm"],
  ],
};

/** By the event's name. Plain text (`print`) is not here: Perfetto takes it for atrace's syntax and reports errors. */
export const TYPED_EVENTS: ReadonlyMap<string, TypedEvent> = new Map<string, TypedEvent>([
  ["sched_switch", SCHED_SWITCH],
  ["sched_wakeup", wakeup(17)],
  ["sched_waking", wakeup(20)],
  ["sched_wakeup_new", wakeup(114)],
  [
    "sched_process_exit",
    {
      field: 238,
      parts: [extra(1, "text", "comm"), part(2, "pid", "pid"), extra(4, "int", "prio")],
      names: [["pid", "comm"]],
    },
  ],
  [
    "sched_process_fork",
    {
      field: 239,
      parts: [
        extra(1, "text", "parent_comm", "comm"),
        part(2, "pid", "parent_pid", "pid"),
        extra(3, "text", "child_comm"),
        part(4, "pid", "child_pid"),
      ],
      names: [],
    },
  ],
  [
    "sched_process_free",
    { field: 240, parts: [extra(1, "text", "comm"), part(2, "pid", "pid"), extra(3, "int", "prio")], names: [] },
  ],
  [
    "sched_migrate_task",
    {
      field: 491,
      parts: [
        extra(1, "text", "comm"),
        part(2, "pid", "pid"),
        extra(3, "int", "prio"),
        extra(4, "int", "orig_cpu"),
        extra(5, "int", "dest_cpu"),
      ],
      names: [["pid", "comm"]],
    },
  ],
  ["cpu_idle", { field: 13, parts: [part(1, "int", "state"), part(2, "int", "cpu_id")], names: [] }],
  ["softirq_entry", { ...softirq(24), opens: "softirq" }],
  ["softirq_exit", { ...softirq(25), closes: "softirq" }],
  ["softirq_raise", softirq(26)],
  [
    "irq_handler_entry",
    { field: 36, parts: [part(1, "int", "irq"), extra(2, "text", "name")], names: [], opens: "irq" },
  ],
  [
    "irq_handler_exit",
    { field: 37, parts: [part(1, "int", "irq"), extra(2, "handled", "ret")], names: [], closes: "irq" },
  ],
  [
    "workqueue_execute_start",
    { field: 58, parts: [extra(1, "int", "work"), extra(2, "symbol", "function")], names: [] },
  ],
  ["workqueue_execute_end", { field: 57, parts: [extra(1, "int", "work"), extra(2, "symbol", "function")], names: [] }],
  ["sys_enter", { field: 329, parts: [part(1, "int", "id", "NR")], names: [] }],
  ["sys_exit", { field: 330, parts: [part(1, "int", "id", "NR"), extra(2, "int", "ret")], names: [] }],
  ["cpuhp_enter", cpuhpEnter(345)],
  ["cpuhp_multi_enter", cpuhpEnter(344)],
  [
    "cpuhp_exit",
    {
      field: 343,
      parts: [part(1, "int", "cpu"), part(2, "int", "idx", "step"), extra(3, "int", "ret"), extra(4, "int", "state")],
      names: [],
      closes: "cpuhp",
    },
  ],
  [
    "hrtimer_expire_entry",
    {
      field: 553,
      parts: [part(1, "int", "hrtimer"), extra(2, "int", "now"), extra(3, "symbol", "function")],
      names: [],
      opens: "hrtimer",
    },
  ],
  ["hrtimer_expire_exit", { field: 554, parts: [part(1, "int", "hrtimer")], names: [], closes: "hrtimer" }],
]);

/** `25`, `-1`, `0x19`, `0019` (decimal), `0x19 (25)`. */
const INTEGER = /^(-?)(0x[0-9a-f]{1,16}|\d{1,19})(?: \(-?\d+\))?$/i;

/** A field as an integer; null where it is none. */
export function integerOf(value: FieldValue | undefined): number | bigint | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : null;
  const match = value === undefined ? null : INTEGER.exec(value);
  if (match === null) return null;
  const magnitude = BigInt(match[2] as string);
  const signed = match[1] === "-" ? -magnitude : magnitude;
  const small = Number(signed);
  return Number.isSafeInteger(small) ? small : signed;
}

/** Bits of sched_switch's prev_state and their letters, since Linux 4.14: include/trace/events/sched.h. */
const STATE_BITS: ReadonlyMap<string, number> = new Map([
  ["R", 0],
  ["S", 0x01],
  ["D", 0x02],
  ["T", 0x04],
  ["t", 0x08],
  ["X", 0x10],
  ["Z", 0x20],
  ["P", 0x40],
  ["I", 0x80],
]);
/** `+`: preempted while runnable. */
const PREEMPTED = 0x100;

/** prev_state as the kernel's bits, from the number or from its letters (`D`, `R+`, `S|D`); null where it is neither. */
export function taskStateOf(value: FieldValue | undefined): number | bigint | null {
  const number = integerOf(value);
  if (number !== null || typeof value !== "string") return number;
  const preempted = value.endsWith("+");
  let bits = preempted ? PREEMPTED : 0;
  for (const letter of (preempted ? value.slice(0, -1) : value).split("|")) {
    const bit = STATE_BITS.get(letter);
    if (bit === undefined) return null;
    bits |= bit;
  }
  return bits;
}

/** irq_handler_exit's ret: the kernel prints any non-zero as `handled`. */
export function handledOf(value: FieldValue | undefined): number | bigint | null {
  return value === "handled" ? 1 : value === "unhandled" ? 0 : integerOf(value);
}

/** The first of a part's fields that the event has. */
export function fieldOf(fields: EventFields, part: Part): FieldValue | undefined {
  for (const key of part.keys) {
    const value = fields.get(key);
    if (value !== undefined) return value;
  }
  return undefined;
}
