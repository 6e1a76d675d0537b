/**
 * Reads one boot's event stream once and keeps what the analysis needs: key events (decoded), and the spans that pairs
 * of events make. Names are classified once each, so that the rows of all other events cost a table look-up.
 */

import type { StringTable } from "../../base/bytes/string-table.js";
import type { DefectInput } from "../../base/defect.js";
import {
  type EventChunk,
  type EventFields,
  type EventInterest,
  EventKind,
  type EventSink,
  type FieldValue,
  type KeyEvent,
} from "../../model/collected.js";
import { FUNCTIONS, KEY_FUNCTIONS, LIVEUPDATE_DEVICE, LUO_IOCTL_RANGE, REBOOT_CMD_KEXEC } from "../../model/luo.js";
import { float64Column, int32Column } from "./columns.js";
import { type OpenSpan, SpanCollector } from "./span-collector.js";
import { functionOfReturnProbe, symbolName } from "./symbols.js";

/** A key event before its clock is linked: `count` is in counts of the trace clock since the source's base. */
export interface UnplacedKeyEvent extends Omit<KeyEvent, "at"> {
  readonly count: number;
}

/** Beyond this many key events a capture is not a live update but a flood; the rest is counted in a defect. */
const MAX_KEY_EVENTS = 500_000;
/** Key functions nest three deep; more than this are calls whose returns were lost. */
const MAX_PENDING_CALLS = 64;

/** Softirqs by vector (include/linux/interrupt.h). */
const SOFTIRQS = ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];
/** A host has hundreds of vCPUs, not millions; beyond this their times are of no more use and are counted. */
const MAX_VCPUS = 65_536;
/** `prev_state` in pages: TASK_* bits (include/linux/sched.h), above them "preempted". */
const TASK_STATES = "SDTtXZPI";
/** Wake-ups decoded per boot: they explain waits of the path that carries the update, which is short. */
const MAX_WAKEUPS = 250_000;
/** Switches of the new boot whose state is decoded: an update's new kernel makes thousands until the VMs resume. */
const MAX_DECODED_SWITCHES = 100_000;
/** kvm_entry and kvm_exit as text (arch/x86/kvm/trace.h): `vcpu 0, rip 0x…`, `vcpu 0 reason HLT …`. */
const VCPU_TEXT = /^\s*vcpu (\d{1,5})\b/;
const NO_FIELDS: EventFields = new Map();

type NameClass =
  | "unknown"
  | "ignored"
  | "probe-entry"
  | "probe-return"
  | "initcall-level"
  | "initcall-start"
  | "initcall-finish"
  | "cpuhp-enter"
  | "cpuhp-exit"
  | "notifier"
  | "printk"
  | "syscall-enter"
  | "syscall-exit"
  | "sched-switch"
  | "sched-waking"
  | "irq-enter"
  | "irq-exit"
  | "softirq-enter"
  | "softirq-exit"
  | "vcpu";

const KNOWN: ReadonlyMap<string, NameClass> = new Map<string, NameClass>([
  ["initcall_level", "initcall-level"],
  ["initcall_start", "initcall-start"],
  ["sched_switch", "sched-switch"],
  ["sched_waking", "sched-waking"],
  ["irq_handler_entry", "irq-enter"],
  ["irq_handler_exit", "irq-exit"],
  ["softirq_entry", "softirq-enter"],
  ["softirq_exit", "softirq-exit"],
  ["kvm_entry", "vcpu"],
  ["kvm_exit", "vcpu"],
  ["kvm_userspace_exit", "vcpu"],
  ["initcall_finish", "initcall-finish"],
  ["cpuhp_enter", "cpuhp-enter"],
  ["cpuhp_multi_enter", "cpuhp-enter"],
  ["cpuhp_exit", "cpuhp-exit"],
  [FUNCTIONS.notifierRun.name, "notifier"],
  ["console", "printk"],
  ["sys_enter_ioctl", "syscall-enter"],
  ["sys_enter_reboot", "syscall-enter"],
  ["sys_enter_kexec_file_load", "syscall-enter"],
  ["sys_enter_openat", "syscall-enter"],
  ["sys_exit_ioctl", "syscall-exit"],
  ["sys_exit_reboot", "syscall-exit"],
  ["sys_exit_kexec_file_load", "syscall-exit"],
  ["sys_exit_openat", "syscall-exit"],
]);

function classOf(name: string, hasField: (field: string) => boolean): NameClass {
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  if (hasField("__probe_ret_ip") || hasField("__probe_func")) return "probe-return";
  return hasField("__probe_ip") ? "probe-entry" : "ignored";
}

/** `prev_state` as one letter, `R` where the task was preempted or stayed runnable; empty where it is not recorded. */
export function taskState(value: FieldValue | undefined): string {
  if (value === undefined) return "";
  const state = integerField(value);
  if (state === null) return /^[A-Za-z]/.test(String(value)) ? String(value).slice(0, 1) : "";
  const bit = TASK_STATES.split("").findIndex((_, i) => (state & (1 << i)) !== 0);
  return bit < 0 ? "R" : (TASK_STATES[bit] as string);
}

/** `key=value` pairs of the fields that are not the probe's own addresses. */
function detailOf(fields: EventFields): string {
  const parts: string[] = [];
  for (const [key, value] of fields) {
    if (!key.startsWith("__probe") && !key.startsWith("common_") && key !== "func") parts.push(`${key}=${value}`);
  }
  return parts.join(" ");
}

/** A field as an integer: a number as it is, text in decimal or 0x-hexadecimal; null where it is neither. */
export function integerField(value: FieldValue | undefined): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value === undefined || !/^-?(?:0x[0-9a-f]+|\d+)$/i.test(value)) return null;
  const magnitude = Number(value.replace("-", ""));
  return value.startsWith("-") ? -magnitude : magnitude;
}

export class EventCollector implements EventSink {
  readonly defect: (input: DefectInput) => void;
  readonly keyEvents: UnplacedKeyEvent[] = [];
  readonly spans = new SpanCollector();
  readonly wakeups = new WakeupCollector();
  readonly interest: EventInterest = {
    wants: (name, hasField) => classOf(name, hasField) !== "ignored",
    begins: (cpu, base, time) => {
      this.base ??= base;
      this.#begin(time);
      this.#cpus.begins(cpu, time);
    },
    ends: (cpu, time, pid, comm) => {
      if (!(this.last >= time)) this.last = time;
      this.spans.seen(this.last);
      this.#cpus.seen(cpu, time, pid, comm);
    },
  };
  /** First and last sight of each vCPU's thread in or out of the guest, in counts since the base. */
  readonly vcpus = new Map<number, VcpuSight>();
  /** Names of tasks that the trace itself tells, for those whose name the kernel's short list had forgotten. */
  readonly taskNames = new Map<number, string>();
  /** The source's base; null until its first event. */
  base: bigint | null = null;
  first = Number.NaN;
  last = Number.NaN;
  readonly #classes: NameClass[] = [];
  readonly #pendingSyscall = new Map<number, { readonly name: string; readonly fields: Map<string, FieldValue> }>();
  /** Key calls not yet returned, per source and task, so that a return knows what it was called with. */
  readonly #pendingCalls = new Map<string, UnplacedKeyEvent[]>();
  /** End of the level's last initcall so far. */
  #lastInitcall = Number.NaN;
  readonly #runningSince = new Map<number, number>();
  readonly #cpus = new CpuSights();
  #dropped = 0;
  /** Stacks of notifier callbacks that run, by task. */
  readonly #notifying = new Map<number, string>();
  /** Tasks with key events of their own. */
  readonly #pathTasks = new Set<number>();
  #decodedSwitches = 0;
  #strings: StringTable | null = null;

  /** `report` takes the reader's defects and the collector's own. */
  constructor(report: (input: DefectInput) => void) {
    this.defect = report;
  }

  chunk(chunk: EventChunk): void {
    if (chunk.count === 0) return;
    this.base ??= chunk.base;
    const { kind, name, time, cpu, pid, comm } = chunk;
    this.#strings = chunk.strings;
    for (let row = 0; row < chunk.count; row++) {
      const at = time[row] as number;
      // A function graph printed without absolute time shows order, not when.
      if (Number.isNaN(at)) continue;
      if (Number.isNaN(this.first)) this.#begin(at);
      this.last = at;
      this.#cpus.seen(cpu[row] as number, at, pid[row] as number, comm[row] as number);
      switch (kind[row]) {
        case EventKind.event: {
          const id = name[row] as number;
          const known = this.#classes[id] ?? this.#classify(chunk, row, id);
          if (known === "sched-switch") this.#switch(chunk, row);
          else if (known === "vcpu") this.#vcpu(chunk, row);
          else if (known !== "ignored") this.#event(chunk, row, known);
          break;
        }
        case EventKind.marker:
          this.#marker(chunk, row);
          break;
        default:
          this.#graph(chunk, row);
      }
    }
    if (!Number.isNaN(this.last)) this.spans.seen(this.last);
  }

  #begin(time: number): void {
    if (!Number.isNaN(this.first)) return;
    this.first = time;
    this.spans.seen(time);
  }

  finish(): void {
    this.#endLevel();
    for (const stack of this.#notifying.values()) this.spans.abandon(stack);
    this.#endRuns();
    this.spans.finish();
    if (this.#dropped > 0) {
      this.defect({
        code: "events-too-many",
        severity: "error",
        file: "",
        message: `${this.#dropped} further key events were left out: more than ${MAX_KEY_EVENTS} were found.`,
        advice: "Record fewer events, or only the time around the update.",
      });
    }
  }

  /** What ran when a CPU's records ended ran on: no switch ended it, but its own events say that it was there. */
  #endRuns(): void {
    for (const [cpu, since] of this.#runningSince) {
      const { pid, comm, last } = this.#cpus.lastOf(cpu);
      if (pid <= 0 || last <= since) continue;
      const recorded = this.#strings?.stringOf(comm) ?? "";
      const task = recorded === UNKNOWN_TASK ? (this.taskNames.get(pid) ?? recorded) : recorded;
      this.spans.openAfter(
        { kind: "task", name: task, detail: "", evidence: "sched_switch", cpu, pid, task },
        since,
        last,
      );
    }
  }

  /** A level ends with its last initcall: what runs between two levels (SMP bring-up, for one) is neither's. */
  #endLevel(): void {
    if (!Number.isNaN(this.#lastInitcall)) this.spans.exit("initcall level", null, this.#lastInitcall, null, "");
    this.#lastInitcall = Number.NaN;
  }

  #classify(chunk: EventChunk, row: number, id: number): NameClass {
    const fields = chunk.fields(row);
    const found = classOf(chunk.strings.stringOf(id), (field) => fields.has(field));
    this.#classes[id] = found;
    return found;
  }

  #keep(
    chunk: EventChunk,
    row: number,
    part: Pick<KeyEvent, "what" | "name" | "fields" | "source">,
  ): UnplacedKeyEvent | null {
    if (this.keyEvents.length >= MAX_KEY_EVENTS) {
      this.#dropped += 1;
      return null;
    }
    const event: UnplacedKeyEvent = {
      ...part,
      count: chunk.time[row] as number,
      cpu: chunk.cpu[row] as number,
      pid: chunk.pid[row] as number,
      task: chunk.strings.stringOf(chunk.comm[row] as number),
      file: chunk.fileOf(row),
      place: chunk.place[row] as number,
    };
    this.keyEvents.push(event);
    if (event.what !== "printk") this.#pathTasks.add(event.pid);
    return event;
  }

  #call(chunk: EventChunk, row: number, name: string, fields: EventFields, source: KeyEvent["source"]): void {
    const kept = this.#keep(chunk, row, { what: "call", name, fields, source });
    if (kept === null) return;
    const key = this.#stack(source, chunk, row);
    const pending = this.#pendingCalls.get(key);
    if (pending === undefined) this.#pendingCalls.set(key, [kept]);
    else if (pending.length < MAX_PENDING_CALLS) pending.push(kept);
  }

  #return(chunk: EventChunk, row: number, name: string, fields: EventFields, source: KeyEvent["source"]): void {
    const pending = this.#pendingCalls.get(this.#stack(source, chunk, row)) ?? [];
    let at = pending.length - 1;
    while (at >= 0 && pending[at]?.name !== name) at--;
    const call = at < 0 ? undefined : pending.splice(at)[0];
    const both = call === undefined ? fields : new Map([...call.fields, ...fields]);
    this.#keep(chunk, row, { what: "return", name, fields: both, source });
  }

  #open(
    chunk: EventChunk,
    row: number,
    kind: OpenSpan["kind"],
    name: string,
    detail: string,
    evidence: string,
  ): OpenSpan {
    return {
      kind,
      name,
      detail,
      evidence,
      cpu: chunk.cpu[row] as number,
      pid: chunk.pid[row] as number,
      task: chunk.strings.stringOf(chunk.comm[row] as number),
    };
  }

  /** One stack per task; the idle tasks share pid 0, so theirs is per CPU. */
  #stack(evidence: string, chunk: EventChunk, row: number): string {
    const pid = chunk.pid[row] as number;
    return pid > 0 ? `${evidence} ${pid}` : `${evidence} cpu${chunk.cpu[row]}`;
  }

  #event(chunk: EventChunk, row: number, known: NameClass): void {
    const time = chunk.time[row] as number;
    const fields = chunk.fields(row);
    const text = (key: string): string => String(fields.get(key) ?? "");
    switch (known) {
      case "probe-entry": {
        const name = symbolName(text("__probe_ip")) ?? chunk.strings.stringOf(chunk.name[row] as number);
        this.#endNotifier(chunk, row);
        if (KEY_FUNCTIONS.has(name)) this.#call(chunk, row, name, fields, "kprobe");
        const span = this.#open(chunk, row, "function", name, detailOf(fields), "kprobe");
        this.spans.enter(this.#stack("kprobe", chunk, row), span, time);
        return;
      }
      case "probe-return": {
        const event = chunk.strings.stringOf(chunk.name[row] as number);
        const name = symbolName(text("__probe_func")) ?? functionOfReturnProbe(event);
        if (KEY_FUNCTIONS.has(name)) this.#return(chunk, row, name, fields, "kprobe");
        const span = this.#open(chunk, row, "function", name, detailOf(fields), "kprobe");
        this.spans.exit(this.#stack("kprobe", chunk, row), name, time, span, detailOf(fields));
        return;
      }
      case "initcall-start": {
        const name = symbolName(text("func")) ?? text("func");
        this.spans.enter("initcall", this.#open(chunk, row, "initcall", name, "", "initcall events"), time);
        return;
      }
      case "initcall-finish": {
        const name = symbolName(text("func")) ?? text("func");
        const span = this.#open(chunk, row, "initcall", name, "", "initcall events");
        this.spans.exit("initcall", name, time, span, `ret=${text("ret")}`);
        this.#lastInitcall = time;
        return;
      }
      case "cpuhp-enter": {
        const step = symbolName(text("fun")) ?? text("fun");
        const span = this.#open(
          chunk,
          row,
          "cpu",
          `cpu${integerField(fields.get("cpu")) ?? "?"} ${step}`,
          "",
          "cpuhp events",
        );
        this.spans.enter(this.#stack("cpuhp", chunk, row), span, time);
        return;
      }
      case "cpuhp-exit":
        this.spans.exit(this.#stack("cpuhp", chunk, row), null, time, null, `ret=${text("ret")}`);
        return;
      case "notifier":
        this.#keep(chunk, row, { what: "call", name: FUNCTIONS.notifierRun.name, fields, source: "kprobe" });
        this.#notifier(chunk, row, symbolName(text("cb")) ?? text("cb"));
        return;
      case "irq-enter": {
        const number = integerField(fields.get("irq"));
        const name = `irq ${number ?? "?"} ${text("name")}`;
        this.spans.enter(`irq cpu${chunk.cpu[row]}`, this.#open(chunk, row, "irq", name, "", "irq events"), time);
        return;
      }
      case "irq-exit":
        this.spans.exit(`irq cpu${chunk.cpu[row]}`, null, time, null, "");
        return;
      case "softirq-enter": {
        const vector = integerField(fields.get("vec")) ?? integerField(text("vec").split(" ")[0]);
        const name = `softirq ${SOFTIRQS[vector ?? -1] ?? vector ?? "?"}`;
        this.spans.enter(
          `softirq cpu${chunk.cpu[row]}`,
          this.#open(chunk, row, "softirq", name, "", "irq events"),
          time,
        );
        return;
      }
      case "softirq-exit":
        this.spans.exit(`softirq cpu${chunk.cpu[row]}`, null, time, null, "");
        return;
      case "sched-waking": {
        const woken = integerField(fields.get("pid"));
        if (woken !== null) this.wakeups.add(time, woken, chunk.pid[row] as number, chunk.cpu[row] as number);
        return;
      }
      case "printk":
        this.#keep(chunk, row, { what: "printk", name: text("msg"), fields: new Map(), source: "printk" });
        return;
      case "syscall-enter":
        this.#syscallEnter(chunk, row, fields);
        return;
      case "syscall-exit": {
        const pid = chunk.pid[row] as number;
        const entered = this.#pendingSyscall.get(pid);
        const name = chunk.strings.stringOf(chunk.name[row] as number).slice("sys_exit_".length);
        if (entered === undefined || entered.name !== name) return;
        this.#pendingSyscall.delete(pid);
        // The entry learns what came of it too: no boundary may rest on a call that failed.
        const both = entered.fields.set("ret", integerField(fields.get("ret")) ?? 0);
        this.#keep(chunk, row, { what: "syscall-exit", name, fields: both, source: "syscall" });
        this.spans.exit(`syscall ${pid}`, name, time, null, `ret=${both.get("ret")}`);
        return;
      }
      case "initcall-level": {
        const level = text("level");
        this.#endLevel();
        const span = this.#open(chunk, row, "initcall", `level ${level}`, "", "initcall events");
        this.spans.enter("initcall level", span, time);
        return;
      }
      case "unknown":
      case "ignored":
      case "sched-switch":
      case "vcpu":
        return;
    }
  }

  #notifier(chunk: EventChunk, row: number, name: string): void {
    this.#endNotifier(chunk, row);
    const stack = this.#stack("notifier", chunk, row);
    const span = this.#open(chunk, row, "notifier", name, "", "notifier events");
    this.spans.enter(stack, span, chunk.time[row] as number);
    this.#notifying.set(chunk.pid[row] as number, stack);
  }

  /**
   * No event ends a notifier callback: it ended before the next callback of its chain, or the next traced function of
   * its task, was called. Where neither follows, its end is not seen.
   */
  #endNotifier(chunk: EventChunk, row: number): void {
    if (this.#notifying.size === 0) return;
    const pid = chunk.pid[row] as number;
    const stack = this.#notifying.get(pid);
    if (stack === undefined) return;
    this.#notifying.delete(pid);
    this.spans.exit(stack, null, chunk.time[row] as number, null, "", true);
  }

  #vcpu(chunk: EventChunk, row: number): void {
    const pid = chunk.pid[row] as number;
    const time = chunk.time[row] as number;
    const known = this.vcpus.get(pid);
    if (known !== undefined) {
      known.last = time;
      known.lastFile = chunk.fileOf(row);
      known.lastPlace = chunk.place[row] as number;
      known.lastName = chunk.name[row] as number;
      return;
    }
    if (this.vcpus.size >= MAX_VCPUS) return;
    const fields = chunk.fields(row);
    const printed = VCPU_TEXT.exec(chunk.text(row))?.[1];
    const vcpu = integerField(fields.get("vcpu_id") ?? fields.get("vcpu") ?? printed);
    const task = chunk.strings.stringOf(chunk.comm[row] as number);
    const place = chunk.place[row] as number;
    const name = chunk.name[row] as number;
    const file = chunk.fileOf(row);
    const first = { first: time, firstFile: file, firstPlace: place, firstName: name };
    const last = { last: time, lastFile: file, lastPlace: place, lastName: name };
    this.vcpus.set(pid, { vcpu, task, strings: chunk.strings, ...first, ...last });
  }

  /**
   * Who ran: at a switch the row's own task stops and another starts. What ran from a CPU's first event to its first
   * switch is open at the front, and after its last one at the end. The idle task's runs are not kept. The state it was left in says whether the task was
   * blocked or had to give way.
   */
  #switch(chunk: EventChunk, row: number): void {
    const cpu = chunk.cpu[row] as number;
    const time = chunk.time[row] as number;
    const since = this.#runningSince.get(cpu);
    this.#runningSince.set(cpu, time);
    const pid = chunk.pid[row] as number;
    if (pid <= 0) return;
    const recorded = chunk.strings.stringOf(chunk.comm[row] as number);
    const fields = this.#isSwitchDecoded(chunk.boot, pid, recorded) ? chunk.fields(row) : NO_FIELDS;
    const told = recorded === UNKNOWN_TASK ? fields.get("prev_comm") : undefined;
    const name = told === undefined || told === "" ? recorded : String(told);
    if (name !== recorded && this.taskNames.size < MAX_TASK_NAMES) this.taskNames.set(pid, name);
    const state = taskState(fields.get("prev_state"));
    const span = this.#open(chunk, row, "task", name, state === "" ? "" : `state=${state}`, "sched_switch");
    if (since === undefined) this.spans.openedBefore(span, this.#cpus.firstOf(cpu), time);
    else this.spans.whole(span, since, time);
  }

  /**
   * Decoding costs ten times the rest, and a busy trace is mostly switches: done for tasks that the update's path may
   * run through (those that marked or called something of the update, and what the new kernel runs to come up), and
   * where a name is still to be learnt.
   */
  #isSwitchDecoded(boot: EventChunk["boot"], pid: number, recorded: string): boolean {
    if (this.#pathTasks.has(pid) || (recorded === UNKNOWN_TASK && !this.taskNames.has(pid))) return true;
    if (boot === "old" || this.#decodedSwitches >= MAX_DECODED_SWITCHES) return false;
    this.#decodedSwitches += 1;
    return true;
  }

  #syscallEnter(chunk: EventChunk, row: number, fields: EventFields): void {
    const name = chunk.strings.stringOf(chunk.name[row] as number).slice("sys_enter_".length);
    const cmd = integerField(fields.get("cmd"));
    const wanted =
      name === "kexec_file_load" ||
      (name === "ioctl" && cmd !== null && cmd >= LUO_IOCTL_RANGE.first && cmd <= LUO_IOCTL_RANGE.last) ||
      (name === "reboot" && cmd === REBOOT_CMD_KEXEC) ||
      (name === "openat" && [...fields.values()].some((value) => String(value).includes(LIVEUPDATE_DEVICE)));
    if (!wanted) return;
    const normal = new Map(fields);
    if (cmd !== null) normal.set("cmd", cmd);
    const fd = integerField(fields.get("fd"));
    if (fd !== null) normal.set("fd", fd);
    const kept = this.#keep(chunk, row, { what: "syscall-enter", name, fields: normal, source: "syscall" });
    const pid = chunk.pid[row] as number;
    if (kept !== null) this.#pendingSyscall.set(pid, { name, fields: normal });
    const detail = name === "ioctl" ? `cmd=0x${(cmd ?? 0).toString(16)} fd=${fd}` : "";
    const span = this.#open(chunk, row, "syscall", name, detail, "syscall events");
    this.spans.enter(`syscall ${pid}`, span, chunk.time[row] as number);
  }

  #marker(chunk: EventChunk, row: number): void {
    const text = String(chunk.fields(row).get("buf") ?? "").trimEnd();
    const parsed = parseMarker(text);
    this.#keep(chunk, row, { what: "marker", name: text, fields: parsed.fields, source: "marker" });
    const time = chunk.time[row] as number;
    const span = this.#open(chunk, row, "marker", parsed.label, detailOf(parsed.fields), "marker");
    const stack = this.#stack("marker", chunk, row);
    switch (parsed.edge) {
      case "begin":
        this.spans.enter(stack, span, time);
        return;
      case "end":
        this.spans.exit(stack, parsed.label, time, null, "");
        return;
      case null:
        this.spans.whole(span, time, time);
    }
  }

  #graph(chunk: EventChunk, row: number): void {
    const time = chunk.time[row] as number;
    const fields = chunk.fields(row);
    const name = symbolName(String(fields.get("func") ?? ""));
    const key = name !== null && KEY_FUNCTIONS.has(name);
    const stack = this.#stack("graph", chunk, row);
    const open = (): OpenSpan => this.#open(chunk, row, "function", name ?? "?", "", "function graph");
    switch (chunk.kind[row]) {
      case EventKind.graphEntry:
        this.#endNotifier(chunk, row);
        if (key) this.#call(chunk, row, name, fields, "function-graph");
        this.spans.enter(stack, open(), time);
        return;
      case EventKind.graphExit: {
        const closed = this.spans.exit(stack, name, time, open(), "");
        const known = name ?? closed;
        if (known !== null && KEY_FUNCTIONS.has(known)) {
          this.#return(chunk, row, known, fields, "function-graph");
        }
        return;
      }
      case EventKind.graphLeaf: {
        if (key) this.#keep(chunk, row, { what: "call", name, fields, source: "function-graph" });
        // The entry is all that a folded leaf without a duration shows; with one, the collector's caller scales it.
        const duration = fields.get("duration");
        this.spans.leaf(stack, open(), time, typeof duration === "number" ? duration : null);
        return;
      }
      default:
        return;
    }
  }
}

interface LastOfCpu {
  readonly pid: number;
  readonly comm: number;
  readonly last: number;
}

/** The first event of each CPU, and the last: when, and of which task. Columns by CPU; the hot loop writes three numbers. */
class CpuSights {
  #first = new Float64Array(0);
  #last = new Float64Array(0);
  #pid = new Int32Array(0);
  #comm = new Uint32Array(0);

  seen(cpu: number, at: number, pid: number, comm: number): void {
    if (cpu < 0) return;
    if (cpu >= this.#first.length) this.#grow(cpu + 1);
    if (Number.isNaN(this.#first[cpu])) this.#first[cpu] = at;
    this.#last[cpu] = at;
    this.#pid[cpu] = pid;
    this.#comm[cpu] = comm;
  }

  begins(cpu: number, at: number): void {
    if (cpu < 0) return;
    if (cpu >= this.#first.length) this.#grow(cpu + 1);
    this.#first[cpu] = at;
  }

  firstOf(cpu: number): number {
    return this.#first[cpu] ?? Number.NaN;
  }

  lastOf(cpu: number): LastOfCpu {
    return { pid: this.#pid[cpu] ?? -1, comm: this.#comm[cpu] ?? 0, last: this.#last[cpu] ?? Number.NaN };
  }

  /** A CPU number is 15 bits in the event table, so that this ends at a megabyte. */
  #grow(least: number): void {
    const length = Math.max(64, 2 ** Math.ceil(Math.log2(least)));
    const [first, last] = [new Float64Array(length).fill(Number.NaN), new Float64Array(length)];
    const [pid, comm] = [new Int32Array(length).fill(-1), new Uint32Array(length)];
    first.set(this.#first);
    last.set(this.#last);
    pid.set(this.#pid);
    comm.set(this.#comm);
    this.#first = first;
    this.#last = last;
    this.#pid = pid;
    this.#comm = comm;
  }
}

export interface VcpuSight {
  readonly vcpu: number | null;
  readonly task: string;
  readonly strings: StringTable;
  /** Time, file, place and event name (an id in `strings`) of the first and the last sight. */
  readonly first: number;
  readonly firstFile: string;
  readonly firstPlace: number;
  readonly firstName: number;
  last: number;
  lastFile: string;
  lastPlace: number;
  lastName: number;
}

/** What the kernel prints where it has forgotten a task's name (trace.c, __trace_find_cmdline). */
const UNKNOWN_TASK = "<...>";
const MAX_TASK_NAMES = 65_536;

/** Wake-ups in columns: when, who was woken, by whom, on which CPU. */
export class WakeupCollector {
  readonly time = float64Column();
  readonly woken = int32Column();
  readonly waker = int32Column();
  readonly cpu = int32Column();
  /** Those beyond what is kept. */
  dropped = 0;

  add(time: number, woken: number, waker: number, cpu: number): void {
    if (this.time.length >= MAX_WAKEUPS) {
      this.dropped += 1;
      return;
    }
    this.time.push(time);
    this.woken.push(woken);
    this.waker.push(waker);
    this.cpu.push(cpu);
  }
}

export interface ParsedMarker {
  /** The text without its `begin` or `end` and its `key=value` pairs: `luo: preserve_fd`. */
  readonly label: string;
  readonly edge: "begin" | "end" | null;
  readonly fields: EventFields;
}

/** `luo: preserve_fd begin session=… token=0x100` into label, edge and fields. */
export function parseMarker(text: string): ParsedMarker {
  const fields = new Map<string, FieldValue>();
  const words: string[] = [];
  let edge: ParsedMarker["edge"] = null;
  for (const word of text.split(/\s+/)) {
    const equals = word.indexOf("=");
    if (equals > 0) fields.set(word.slice(0, equals), word.slice(equals + 1));
    else if (edge === null && fields.size === 0 && (word === "begin" || word === "end")) edge = word;
    else if (word !== "") words.push(word);
  }
  return { label: words.join(" "), edge, fields };
}
