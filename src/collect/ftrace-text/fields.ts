/**
 * Decodes the payload of one row into fields, on demand. Sources of the formats: print_event_fields in
 * kernel/trace/trace_output.c, print_syscall_enter and __set_enter_print_fmt in kernel/trace/trace_syscalls.c,
 * print_kprobe_event and print_kretprobe_event in kernel/trace/trace_kprobe.c, TP_printk in include/trace/events/*.h.
 *
 * A value is a number if the dialect says that it is one: `0x1 (1)` of a field list, an unquoted number of a probe
 * (probe strings are quoted), a syscall's argument or result. All else stays text, as printed: `prev_state=1` could be
 * a name. An integer beyond 2^53 is a bigint. Names are those of the event's format file.
 */
import { assertNever } from "../../base/result.js";
import type { EventFields, FieldValue } from "../../model/collected.js";
import { Shape } from "./shape.js";
import { tracerFields } from "./tracer-lines.js";

/** What a row's fields are decoded from. */
export interface Payload {
  readonly shape: Shape;
  readonly name: string;
  readonly text: string;
  /** Function-graph depth; 0 for all other shapes. */
  readonly depth: number;
  /** Function-graph duration column as printed; empty if there is none. */
  readonly duration: string;
}

export function decodeFields(payload: Payload): EventFields {
  const fields = new Map<string, FieldValue>();
  const { shape, name, text } = payload;
  switch (shape) {
    case Shape.arguments:
      argumentFields(name, text, fields);
      return fields;
    case Shape.syscallEnter:
      syscallArguments(text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")), fields);
      return fields;
    case Shape.syscallExit:
      fields.set("ret", signed64(text.slice(text.lastIndexOf(" -> ") + 4)));
      return fields;
    case Shape.graph:
      graphFields(payload, fields);
      return fields;
    case Shape.marker:
      fields.set("buf", text);
      return fields;
    case Shape.call: {
      const arrow = text.indexOf(" <-");
      fields.set("ip", text.slice(0, arrow));
      fields.set("parent_ip", text.slice(arrow + 3).trimEnd());
      return fields;
    }
    case Shape.nameless: {
      const type = /^unknown type (\d{1,9})$/i.exec(text);
      if (type !== null) fields.set("type", Number(type[1]));
      return fields;
    }
    case Shape.stack:
      fields.set("caller", text.slice(text.indexOf("\n") + 1).trim());
      return fields;
    case Shape.sample:
      for (const [key, value] of tracerFields(name, text))
        fields.set(key, key === "dev" ? value : (integer(value) ?? value));
      if (fields.size === 0 || name === "blk") fields.set("text", text.trim());
      return fields;
    case Shape.rawData: {
      const raw = /^# ([0-9a-f]{1,16}) buf:(.*)$/s.exec(text);
      if (raw === null) return fields;
      fields.set("id", exact(BigInt(`0x${raw[1]}`)));
      fields.set("buf", (raw[2] as string).trim());
      return fields;
    }
    default:
      return assertNever(shape);
  }
}

/** The fields of an event's arguments as the kernel prints them, for events of any source. */
export function printedFields(name: string, text: string): EventFields {
  const fields = new Map<string, FieldValue>();
  argumentFields(name, text, fields);
  return fields;
}

const DECIMAL = /^-?(?:0|[1-9]\d{0,18})$/;
const HEXADECIMAL = /^0x[0-9a-f]{1,16}$/i;

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function integer(text: string): number | bigint | null {
  return DECIMAL.test(text) || HEXADECIMAL.test(text) ? exact(BigInt(text)) : null;
}

/** `0xffffffffffffffe7` to -25: a syscall's result is a long, printed as an unsigned one. */
function signed64(text: string): FieldValue {
  const value = text.trim();
  if (/^0x[0-9a-f]{1,16}$/i.test(value)) return exact(BigInt.asIntN(64, BigInt(value)));
  return integer(value) ?? value;
}

/** One value of a field list: `0x1 (1)` (the parentheses hold it signed), `'c'(99)`, `sym+0x0/0x110 (-126)`, text. */
function listedValue(text: string): FieldValue {
  if (!text.endsWith(")")) return text;
  const open = text.lastIndexOf("(");
  const inner = text.slice(open + 1, -1);
  if (!DECIMAL.test(inner)) return text;
  const before = text.slice(0, open);
  if (before === "" || /^'.'$/.test(before)) return exact(BigInt(inner));
  if (!before.endsWith(" ")) return text;
  const value = before.slice(0, -1);
  if (HEXADECIMAL.test(value)) return exact(BigInt(inner));
  return /\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[[^\] ]*\])?$/.test(value) ? value : text;
}

/** An unquoted number of a probe's arguments; a probe quotes its strings and prints symbols with their offset. */
function probeValue(text: string): FieldValue {
  return integer(text) ?? listedValue(text);
}

const KEY = /(?:^|[ [(])([A-Za-z_][A-Za-z0-9_]*)=/g;

/** A time in nanoseconds as the scheduler's events print it: `76593 [ns]`. */
const NANOSECONDS = /^(-?\d{1,19}) \[ns\]$/;

function argumentValue(text: string): FieldValue {
  const ns = text.endsWith(" [ns]") ? NANOSECONDS.exec(text) : null;
  return ns === null ? listedValue(text) : exact(BigInt(ns[1] as string));
}

/** A task's name is at most 15 bytes (TASK_COMM_LEN), and its number stands behind it. */
const MAX_COMM = 16;

/** Where the value of a `comm` ends: a name may hold ` y=`, and what follows it is the pid of the same prefix. */
function endOfComm(text: string, key: string, from: number): number {
  if (!key.endsWith("comm")) return -1;
  const pid = ` ${key.slice(0, -4)}pid=`;
  return text.lastIndexOf(pid, from + MAX_COMM) >= from ? text.lastIndexOf(pid, from + MAX_COMM) : -1;
}

/** `a=1 b=two words [c=3]`: a value runs up to the next ` name=`, because strings are printed without quotes. */
function pairs(text: string, value: (text: string) => FieldValue, fields: Map<string, FieldValue>): void {
  let key: string | null = null;
  let from = 0;
  const close = (end: number): void => {
    if (key === null) return;
    let found = text.slice(from, end).trimEnd();
    if (found.endsWith(" ==>")) found = found.slice(0, -4);
    if (found.endsWith("]") && text[from - key.length - 2] === "[") found = found.slice(0, -1);
    fields.set(key, value(found));
  };
  KEY.lastIndex = 0;
  for (let match = KEY.exec(text); match !== null; match = KEY.exec(text)) {
    close(match.index);
    key = match[1] as string;
    from = match.index + match[0].length;
    const comm = endOfComm(text, key, from);
    if (comm >= 0) KEY.lastIndex = comm;
    if (text[from] === '"') {
      const end = closingQuote(text, from + 1);
      fields.set(key, text.slice(from + 1, end));
      key = null;
      KEY.lastIndex = Math.min(end + 1, text.length);
    }
  }
  close(text.length);
}

/** The quote that ends a string begun before `from`: one followed by ` name=` or by nothing, else the last there is. */
function closingQuote(text: string, from: number): number {
  const END = /"(?=$| [A-Za-z_][A-Za-z0-9_]*=)/g;
  END.lastIndex = from;
  return END.exec(text)?.index ?? text.length;
}

/** `name: value, name: value "string"`; a user-space string becomes the field `__NAME_val`, as in the format file. */
function syscallArguments(text: string, fields: Map<string, FieldValue>): void {
  const names = /(?:^|, )(?:[A-Za-z_][\w *]* )?([A-Za-z_]\w*): /y;
  const found: [name: string, value: string, string: string | null][] = [];
  let at = 0;
  while (at < text.length) {
    names.lastIndex = at;
    const match = names.exec(text);
    if (match === null) break;
    const from = at + match[0].length;
    const quote = /[^", ]* "/y;
    quote.lastIndex = from;
    const quoted = quote.exec(text);
    if (quoted !== null) {
      const open = from + quoted[0].length;
      const END = /"(?=$|, [A-Za-z_]\w*: )/g;
      END.lastIndex = open;
      const close = END.exec(text)?.index ?? text.length;
      found.push([match[1] as string, text.slice(from, open - 2), text.slice(open, close)]);
      at = close + 1;
      continue;
    }
    const next = /, (?:[A-Za-z_][\w *]* )?[A-Za-z_]\w*: /g;
    next.lastIndex = from;
    const end = next.exec(text)?.index ?? text.length;
    found.push([match[1] as string, text.slice(from, end).trim(), null]);
    at = end;
  }
  // Kernels before 5.18 print every argument in hexadecimal without 0x; a letter in any of them gives that away.
  const bareHex =
    found.some(([, value]) => /^(?=[0-9a-f]*[a-f])[0-9a-f]{1,16}$/.test(value)) &&
    !found.some(([, value]) => value.startsWith("0x"));
  for (const [name, value, string] of found) {
    const number = bareHex && /^[0-9a-f]{1,16}$/.test(value) ? exact(BigInt(`0x${value}`)) : integer(value);
    fields.set(name, number ?? value);
    if (string !== null) fields.set(`__${name}_val`, string);
  }
}

/** Events whose TP_printk is one value without a name. */
const SOLE_FIELD: ReadonlyMap<string, string> = new Map([
  ["console", "msg"],
  ["notifier_register", "cb"],
  ["notifier_unregister", "cb"],
  ["notifier_run", "cb"],
]);

function argumentFields(name: string, text: string, fields: Map<string, FieldValue>): void {
  const sole = SOLE_FIELD.get(name);
  if (sole !== undefined) {
    const listed = text.startsWith(`${sole}=`) ? text.slice(sole.length + 1) : text;
    fields.set(sole, sole === "msg" ? listed : listedValue(listed));
    return;
  }
  if (text.startsWith("(")) {
    const close = text.indexOf(")");
    const place = text.slice(1, close < 0 ? text.length : close);
    const arrow = place.indexOf(" <- ");
    if (arrow < 0) fields.set("__probe_ip", place);
    else {
      fields.set("__probe_func", place.slice(arrow + 4));
      fields.set("__probe_ret_ip", place.slice(0, arrow));
    }
    if (close >= 0) pairs(text.slice(close + 1), probeValue, fields);
    return;
  }
  if (name.startsWith("sys_enter_")) {
    syscallArguments(text, fields);
    return;
  }
  if (name.startsWith("sys_exit_")) {
    const listed = text.startsWith("ret=") ? listedValue(text.slice(4)) : signed64(text);
    fields.set("ret", listed);
    return;
  }
  const cpuhp = name.startsWith("cpuhp_") && CPUHP.exec(text);
  if (cpuhp) {
    fields.set("cpu", Number(cpuhp[1]));
    fields.set(cpuhp[2] as string, Number(cpuhp[3]));
    fields.set("idx", Number(cpuhp[4]));
    if (cpuhp[5] !== undefined) fields.set("fun", cpuhp[5]);
    if (cpuhp[6] !== undefined) fields.set("ret", Number(cpuhp[6]));
    return;
  }
  const raw = name === "sys_enter" || name === "sys_exit" ? RAW_SYSCALL.exec(text) : null;
  if (raw !== null) {
    fields.set("id", Number(raw[1]));
    if (raw[2] !== undefined) fields.set("args", raw[2]);
    if (raw[3] !== undefined) fields.set("ret", integer(raw[3]) ?? raw[3]);
    return;
  }
  const plugin = name === "sched_switch" && text.length < 256 ? SCHED_PLUGIN.exec(text) : null;
  if (plugin !== null) {
    SCHED_FIELDS.forEach((field, i) => {
      fields.set(field, plugin[i + 1] as string);
    });
    return;
  }
  pairs(text, argumentValue, fields);
  // What no pair holds is kept as it is printed, so that no event is without its content.
  const first = text.search(KEY_BEGIN);
  if (text.trim() !== "" && (first < 0 || /\w/.test(text.slice(0, first)))) fields.set("text", text.trim());
}

const KEY_BEGIN = /(?:^|[ [(])[A-Za-z_][A-Za-z0-9_]*=/;

/** include/trace/events/cpuhp.h. */
const CPUHP =
  /^\s*cpu: (\d{1,9})\s+(target|state):\s*(-?\d{1,9})\s+step:\s*(-?\d{1,9})(?: \((.*)\)| ret: (-?\d{1,9}))?\s*$/;
/** include/trace/events/syscalls.h: `NR 1 (2, 3, …)` and `NR 1 = 2`. */
const RAW_SYSCALL = /^NR (-?\d{1,9}) (?:\((.*)\)|= (-?\d{1,19}))$/;
/** trace-cmd's plugin for sched_switch. */
const SCHED_PLUGIN = /^(.*):(\d+) \[(\d+)\] (\S+) ==> (.*):(\d+) \[(\d+)\]$/;
const SCHED_FIELDS = ["prev_comm", "prev_pid", "prev_prio", "prev_state", "next_comm", "next_pid", "next_prio"];

/**
 * `func() {`, `}`, `func();`, with funcgraph-tail's `} /* func *\/`, funcgraph-retval's `/* = 0x0 *\/` and
 * `/* func ret=0x0 *\/`, and funcgraph-args' arguments in the parentheses.
 */
function graphFields(payload: Payload, fields: Map<string, FieldValue>): void {
  let body = payload.text.trimEnd();
  const remarks: string[] = [];
  for (let match = REMARK.exec(body); match !== null; match = REMARK.exec(body)) {
    remarks.unshift((match[1] ?? match[2] ?? "").trim());
    body = body.slice(0, match.index).trimEnd();
  }
  // trace-cmd: `func() /* <-caller */ {`.
  const inside = /\) +\/\*(.*?)\*\/ \{$/.exec(body);
  if (inside !== null) {
    remarks.push((inside[1] as string).trim());
    body = body.slice(0, inside.index + 1);
  }
  const found = remarks.map(remarkOf);
  const named = found.find(({ func }) => func !== "")?.func;
  const value = found.find(({ ret }) => ret !== null)?.ret ?? null;
  const caller = found.find((remark) => remark.caller !== null)?.caller ?? null;
  if (body.startsWith("}")) {
    if (named !== undefined) fields.set("func", named);
  } else {
    const open = body.indexOf("(");
    fields.set("func", open < 0 ? body : body.slice(0, open));
    const args = body.slice(open + 1, body.lastIndexOf(")"));
    if (open >= 0 && args !== "") fields.set("args", args);
  }
  fields.set("depth", payload.depth);
  const duration = durationNs(payload.duration);
  if (duration !== null) fields.set("duration", duration);
  if (value !== null && value !== "") fields.set("retval", integer(value) ?? value);
  if (caller !== null) fields.set("retaddr", caller);
}

/** The last comment, or what stands in parentheses behind `{`, `}`, `;` or a comment. */
const REMARK = /\/\*((?:(?!\*\/).)*)\*\/$|(?<=[{};/]) +\(([^()]*)\)$/s;

interface Remark {
  readonly func: string;
  readonly ret: string | null;
  readonly caller: string | null;
}

/** `func`, `= 0x0`, `func ret=0x5`, `<-caller`, and these together. */
function remarkOf(remark: string): Remark {
  const caller = /<- ?(\S+)/.exec(remark)?.[1] ?? null;
  const ret = /(?:^|\s)ret=\s*(\S+)/.exec(remark)?.[1] ?? /(?:^|\s)= (\S+)/.exec(remark)?.[1] ?? null;
  const func = remark
    .replace(/<- ?\S+/, "")
    .replace(/(?:^|\s)(?:ret)?= ?\S+.*$/, "")
    .trim();
  return { func: /^\d+$|^Overruns:/.test(func) ? "" : func, ret, caller };
}

/** `! 628.832 us` to 628832: microseconds with up to three decimals, of sched_clock; null if there is none. */
export function durationNs(text: string): number | null {
  const match = /(\d{1,15})(?:\.(\d{1,9}))? us\s*$/.exec(text);
  if (match === null) return null;
  return Number(match[1]) * 1000 + Math.round(Number(`0.${match[2] ?? "0"}`) * 1000);
}
