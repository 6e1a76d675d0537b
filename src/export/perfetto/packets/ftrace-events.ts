/**
 * The trace events that Perfetto has a message for, and how each is encoded; the numbers are those of
 * model/perfetto-ftrace.ts. Fields are read by the kernel's own names; a dialect may hand them over as numbers or as
 * the text the kernel prints.
 */
import type { EventFields, FieldValue } from "../../../model/collected.js";
import { numberOfEvent, numberOfField } from "../../../model/traces/perfetto-ftrace.js";

/** `hex`: an integer that text prints in hexadecimal without `0x`, as %p and %lx do. */
export type PartType = "int" | "hex" | "text" | "pid" | "state" | "symbol" | "flag";

export interface EventPart {
  readonly field: number;
  readonly type: PartType;
  /** The kernel's names for it: the format file's, then what its text prints. */
  readonly keys: readonly string[];
  /** Without it the event has no content. */
  readonly required: boolean;
}

/** What an event opens or closes on its CPU's track. */
export type Bracket = "irq" | "softirq" | "cpuhp" | "hrtimer";

export interface TypedEvent {
  readonly field: number;
  readonly parts: readonly EventPart[];
  /** Pairs of fields: a pid and that task's name. */
  readonly names: readonly (readonly [pid: string, comm: string])[];
  readonly opens?: Bracket;
  readonly closes?: Bracket;
  /** The fields by name in the kernel's own text, if it has no `key=value`. */
  readonly fromText?: RegExp;
}

/** `name` is Perfetto's, and the kernel's in most cases; `printed`: what the kernel's text calls it. */
interface PartSpec {
  readonly name: string;
  readonly type: PartType;
  readonly printed: readonly string[];
  readonly required: boolean;
}

const part = (type: PartType, name: string, ...printed: readonly string[]): PartSpec => ({
  name,
  type,
  printed,
  required: true,
});
const extra = (type: PartType, name: string, ...printed: readonly string[]): PartSpec => ({
  ...part(type, name, ...printed),
  required: false,
});

function typed(
  event: string,
  parts: readonly PartSpec[],
  more: Partial<Pick<TypedEvent, "names" | "opens" | "closes" | "fromText">> = {},
): [string, TypedEvent] {
  return [
    event,
    {
      field: numberOfEvent(event),
      parts: parts.map(({ name, type, printed, required }) => ({
        field: numberOfField(event, name),
        type,
        keys: [name, ...printed],
        required,
      })),
      names: [],
      ...more,
    },
  ];
}

const TASK = { names: [["pid", "comm"]] } as const;
const WAKEUP = [extra("text", "comm"), part("pid", "pid"), extra("int", "prio"), extra("int", "target_cpu")];
const VECTOR = [part("int", "vec")];
const WORK = [extra("hex", "work"), extra("symbol", "function")];
const WORK_TEXT = { fromText: /^work struct (?<work>(?:0x)?[0-9a-f]{1,16})(?:: function (?<function>\S.*))?$/ };
// Without `fun`: trace_processor resolves an interned symbol in a few fields only, and this is not one of them.
const CPUHP = [part("int", "cpu"), part("int", "idx", "step"), extra("int", "target")];

/** By the event's name. `print` is apart, below. */
export const TYPED_EVENTS: ReadonlyMap<string, TypedEvent> = new Map([
  typed(
    "sched_switch",
    [
      extra("text", "prev_comm"),
      part("pid", "prev_pid"),
      extra("int", "prev_prio"),
      part("state", "prev_state"),
      extra("text", "next_comm"),
      part("pid", "next_pid"),
      extra("int", "next_prio"),
    ],
    {
      names: [
        ["prev_pid", "prev_comm"],
        ["next_pid", "next_comm"],
      ],
    },
  ),
  typed("sched_wakeup", WAKEUP, TASK),
  typed("sched_waking", WAKEUP, TASK),
  typed("sched_wakeup_new", WAKEUP, TASK),
  typed("sched_process_exit", [extra("text", "comm"), part("pid", "pid"), extra("int", "prio")], TASK),
  typed("sched_process_fork", [
    extra("text", "parent_comm", "comm"),
    part("pid", "parent_pid", "pid"),
    extra("text", "child_comm"),
    part("pid", "child_pid"),
  ]),
  typed("sched_process_free", [extra("text", "comm"), part("pid", "pid"), extra("int", "prio")], TASK),
  typed(
    "sched_migrate_task",
    [
      extra("text", "comm"),
      part("pid", "pid"),
      extra("int", "prio"),
      extra("int", "orig_cpu"),
      extra("int", "dest_cpu"),
    ],
    TASK,
  ),
  typed("cpu_frequency", [part("int", "state"), part("int", "cpu_id")]),
  typed("sched_blocked_reason", [part("pid", "pid"), extra("symbol", "caller"), part("int", "io_wait", "iowait")]),
  typed(
    "task_newtask",
    [part("pid", "pid"), extra("text", "comm"), extra("hex", "clone_flags"), extra("int", "oom_score_adj")],
    TASK,
  ),
  typed(
    "task_rename",
    [part("pid", "pid"), extra("text", "oldcomm"), extra("text", "newcomm"), extra("int", "oom_score_adj")],
    { names: [["pid", "newcomm"]] },
  ),
  typed("suspend_resume", [part("text", "action"), part("int", "val"), part("flag", "start")], {
    fromText: /^(?<action>.*)\[(?<val>-?\d{1,10})\] (?<start>begin|end)$/,
  }),
  typed("cpu_idle", [part("int", "state"), part("int", "cpu_id")]),
  typed("softirq_entry", VECTOR, { opens: "softirq" }),
  typed("softirq_exit", VECTOR, { closes: "softirq" }),
  typed("softirq_raise", VECTOR),
  typed("irq_handler_entry", [part("int", "irq"), extra("text", "name")], { opens: "irq" }),
  typed("irq_handler_exit", [part("int", "irq"), extra("flag", "ret")], { closes: "irq" }),
  typed("workqueue_execute_start", WORK, WORK_TEXT),
  typed("workqueue_execute_end", WORK, WORK_TEXT),
  typed("sys_enter", [part("int", "id", "NR")]),
  typed("sys_exit", [part("int", "id", "NR"), extra("int", "ret")]),
  typed("cpuhp_enter", CPUHP, { opens: "cpuhp" }),
  typed("cpuhp_multi_enter", CPUHP, { opens: "cpuhp" }),
  typed("cpuhp_exit", [part("int", "cpu"), part("int", "idx", "step"), extra("int", "ret"), extra("int", "state")], {
    closes: "cpuhp",
  }),
  typed("hrtimer_expire_entry", [part("hex", "hrtimer"), extra("int", "now"), extra("symbol", "function")], {
    opens: "hrtimer",
  }),
  typed("hrtimer_expire_exit", [part("hex", "hrtimer")], { closes: "hrtimer" }),
]);

/** `25`, `-1`, `0x19`, `0019` (decimal), `0x19 (25)`. */
const INTEGER = /^(-?)(0x[0-9a-f]{1,16}|\d{1,19})(?: \(-?\d+\))?$/i;

/** A field as an integer whose text is hexadecimal, with `0x` or without; null if it is not one. */
export function hexOf(value: FieldValue | undefined): number | bigint | null {
  if (typeof value !== "string") return integerOf(value);
  if (!/^(?:0x)?[0-9a-f]{1,16}$/i.test(value)) return null;
  const big = BigInt(value.startsWith("0x") || value.startsWith("0X") ? value : `0x${value}`);
  const small = Number(big);
  return Number.isSafeInteger(small) ? small : big;
}

/** A field as an integer; null if it is not one. */
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

/** prev_state as the kernel's bits, from the number or from its letters (`D`, `R+`, `S|D`); null for anything else. */
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

/** The kernel's words for a field that is zero or not: irq_handler_exit's ret, suspend_resume's start. */
const FLAG_WORDS: ReadonlyMap<FieldValue | undefined, number> = new Map([
  ["handled", 1],
  ["unhandled", 0],
  ["begin", 1],
  ["end", 0],
]);

/** A field that the kernel's text prints as a word, and all others as a number. */
export function flagOf(value: FieldValue | undefined): number | bigint | null {
  return FLAG_WORDS.get(value) ?? integerOf(value);
}

/** The fields that an event's message is made of: as they were read, or taken from the kernel's own text. */
export function typedFields({ fromText }: TypedEvent, fields: EventFields): EventFields {
  const text = fields.get("text");
  const groups = fromText === undefined || typeof text !== "string" ? undefined : fromText.exec(text)?.groups;
  return groups === undefined ? fields : new Map(Object.entries(groups));
}

/** The first of a part's fields that the event has. */
export function fieldOf(fields: EventFields, part: EventPart): FieldValue | undefined {
  for (const key of part.keys) {
    const value = fields.get(key);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** `print`, for text in atrace's syntax only: Perfetto takes every print for that, and reports all else as errors. */
export const ATRACE_PRINT: TypedEvent = {
  field: numberOfEvent("print"),
  parts: [{ field: numberOfField("print", "buf"), type: "text", keys: ["buf"], required: true }],
  names: [],
};

/** What makes slices, counters and instants of user space: `B|PID|NAME`, `E|PID`, `C|PID|NAME|VALUE`, `E` alone. */
const ATRACE = /^(?:[BCSFNIGHE]\|\d{1,10}(?:\||\s*$)|E\s*$)/;

/** Whether what user space wrote to the marker file is in atrace's syntax. */
export function isAtrace(text: string): boolean {
  return ATRACE.test(text);
}
