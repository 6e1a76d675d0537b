/**
 * Trace events as FtraceEventBundles, one CPU each, from which Perfetto draws its own CPU and thread tracks. Rows are
 * encoded as they come; only what is not yet bundled is held.
 */
import type { StringTable } from "../../../base/bytes/string-table.js";
import { lengthKey, varintKey, WireBuffer } from "../../../base/bytes/wire.js";
import type { Boot } from "../../../base/time.js";
import { type EventChunk, type EventFields, EventKind } from "../../../model/collected.js";
import { GENERIC } from "../../../model/traces/perfetto-ftrace.js";
import {
  ATRACE_PRINT,
  type Bracket,
  type EventPart,
  fieldOf,
  flagOf,
  hexOf,
  integerOf,
  isAtrace,
  TYPED_EVENTS,
  type TypedEvent,
  taskStateOf,
  typedFields,
} from "./ftrace-events.js";
import { PID_LIMIT, type Tasks, tidOf } from "./tasks.js";
import type { Extents, TraceTime } from "./trace-time.js";
import type { TraceWriter } from "./trace-writer.js";

/**
 * Streams the events of an update once, the old boot's first, and may be called again: `axisNs[i]` is row i's time in
 * nanoseconds on the update's axis (on the axis of the row's boot, if no clock link joins the two).
 */
export type PerfettoEventFeed = (sink: (chunk: EventChunk, axisNs: Float64Array) => void) => void;

export interface FtraceCounts {
  /** Events in a message of their own. */
  readonly written: number;
  /** Events in Perfetto's message for all others, with their names and fields. */
  readonly generic: number;
  /** Rows of the function graph, which are not written as events: their calls are slices. */
  readonly graph: number;
  /** Rows without a CPU, a task or a time. */
  readonly undecoded: number;
  /** Added records: they end, at its boot's last event, what was running on a CPU. */
  readonly closing: number;
}

/** Perfetto refuses bundles of higher CPUs. */
const MAX_CPU = 1023;
const BUNDLE_BYTES = 16 * 1024;
/** Flush an idle CPU's bundle after this many events overall, so that a sequential reader's lag stays bounded. */
const BUNDLE_LAG = 16_384;
const EVENT = lengthKey(2);
const EVENT_TIMESTAMP = varintKey(1);
const EVENT_PID = varintKey(2);
const GENERIC_NAME = lengthKey(1);
const GENERIC_FIELD = lengthKey(2);
const GENERIC_TEXT = lengthKey(3);
const GENERIC_SIGNED = varintKey(4);
const GENERIC_UNSIGNED = varintKey(5);
const LARGEST_SIGNED = 2n ** 63n - 1n;
/** Entries open at the same time on one CPU; more are entries whose exits were lost. */
const MAX_OPEN = 64;
/** Dead, in prev_state's bits: the state of a task whose kernel is gone. */
const STATE_DEAD = 0x10;
const IDLE_COMM = "swapper";

interface OpenBracket {
  readonly bracket: Bracket;
  readonly closing: TypedEvent;
  readonly fields: EventFields;
  readonly pid: number;
}

/** One CPU's unwritten events, and what is still running on it. */
interface CpuState {
  readonly cpu: number;
  readonly bundle: WireBuffer;
  /** Events of all CPUs before the bundle's first. */
  since: number;
  lastAt: number;
  /** The boot whose task it last switched to. */
  boot: Boot | null;
  /** Its pid there; 0: idle. */
  running: number;
  comm: string;
  open: OpenBracket[];
}

const SCHED_SWITCH = TYPED_EVENTS.get("sched_switch");
const CLOSING: Readonly<Record<Bracket, TypedEvent | undefined>> = {
  irq: TYPED_EVENTS.get("irq_handler_exit"),
  softirq: TYPED_EVENTS.get("softirq_exit"),
  cpuhp: TYPED_EVENTS.get("cpuhp_exit"),
  hrtimer: TYPED_EVENTS.get("hrtimer_expire_exit"),
};

/** First and last time of each boot's rows. */
export function extentsOf(feed: PerfettoEventFeed): Extents {
  const extents: Record<Boot, { firstNs: number; lastNs: number } | null> = { old: null, new: null };
  feed((chunk, axisNs) => {
    for (let row = 0; row < chunk.count; row++) {
      const ns = axisNs[row] as number;
      if (!Number.isSafeInteger(ns)) continue;
      const extent = extents[chunk.boot];
      if (extent === null) extents[chunk.boot] = { firstNs: ns, lastNs: ns };
      else if (ns < extent.firstNs) extent.firstNs = ns;
      else if (ns > extent.lastNs) extent.lastNs = ns;
    }
  });
  return extents;
}

/** Whether a row becomes an ftrace event, if its time can be written: one of a CPU and of a task, not of the graph. */
export function isFtraceRow(chunk: EventChunk, row: number): boolean {
  const cpu = chunk.cpu[row] as number;
  const pid = chunk.pid[row] as number;
  const kind = chunk.kind[row];
  return (kind === EventKind.event || kind === EventKind.marker) && cpu >= 0 && cpu <= MAX_CPU && pid < PID_LIMIT;
}

/**
 * Writes all rows but the function graph's. `ends`: whether what ran on a CPU ended with the boot's last event, as
 * where other parts of the trace go on after it.
 */
export function writeFtrace(
  writer: TraceWriter,
  feed: PerfettoEventFeed,
  tasks: Pick<Tasks, "name">,
  time: TraceTime,
  ends: boolean,
): FtraceCounts {
  const bundles = new FtraceBundles(writer, tasks, time);
  feed((chunk, axisNs) => bundles.add(chunk, axisNs));
  return bundles.end(ends);
}

class FtraceBundles {
  readonly #writer: TraceWriter;
  readonly #tasks: Pick<Tasks, "name">;
  readonly #time: TraceTime;
  readonly #cpus = new Map<number, CpuState>();
  /** By string table and name's id. */
  readonly #typed = new Map<StringTable, (TypedEvent | null)[]>();
  readonly #counts = { written: 0, generic: 0, graph: 0, undecoded: 0, closing: 0 };
  /** Trace time of the last row of each CPU, typed or not. */
  readonly #lastSeen = new Float64Array(MAX_CPU + 1);
  #oldEnded = false;
  /** Events written when bundles that lag were last looked for. */
  #swept = 0;

  constructor(writer: TraceWriter, tasks: Pick<Tasks, "name">, time: TraceTime) {
    this.#writer = writer;
    this.#tasks = tasks;
    this.#time = time;
  }

  add(chunk: EventChunk, axisNs: Float64Array): void {
    if (chunk.boot === "new" && !this.#oldEnded) this.#endOldBoot();
    let known = this.#typed.get(chunk.strings);
    if (known === undefined) {
      known = [];
      this.#typed.set(chunk.strings, known);
    }
    for (let row = 0; row < chunk.count; row++) this.#row(chunk, row, axisNs[row] as number, known);
  }

  end(closes: boolean): FtraceCounts {
    if (closes) {
      const last = this.#lastSeen.reduce((latest, at) => Math.max(latest, at), 0);
      for (const state of this.#cpus.values()) this.#close(state, state.boot ?? "new", last);
    }
    for (const state of this.#cpus.values()) this.#flush(state);
    return this.#counts;
  }

  #row(chunk: EventChunk, row: number, axisNs: number, known: (TypedEvent | null)[]): void {
    const { boot, strings } = chunk;
    const cpu = chunk.cpu[row] as number;
    const at = this.#time.at(boot, axisNs);
    if (at !== null && cpu >= 0 && cpu <= MAX_CPU) this.#lastSeen[cpu] = at;
    const kind = chunk.kind[row];
    if (kind !== EventKind.event && kind !== EventKind.marker) {
      this.#counts.graph += 1;
      return;
    }
    const fields = chunk.fields(row);
    const event =
      kind === EventKind.event
        ? typedEvent(chunk, row, known)
        : isAtrace(String(fields.get("buf") ?? ""))
          ? ATRACE_PRINT
          : null;
    const pid = chunk.pid[row] as number;
    const tid = tidOf(boot, pid < 0 ? Number(integerOf(fields.get("prev_pid")) ?? -1) : pid);
    if (at === null || tid === null || cpu < 0 || cpu > MAX_CPU) {
      this.#counts.undecoded += 1;
      return;
    }
    const state = this.#stateOf(cpu);
    const isSwitch = event === SCHED_SWITCH;
    if (isSwitch && boot === "new" && state.boot === "old") this.#enterNewBoot(state, at, fields);
    // An event whose message lacks a field that it needs is written as all events without a message are.
    const isTyped = event !== null && this.#encode(state, boot, at, tid, event, fields);
    if (isTyped) this.#counts.written += 1;
    else this.#generic(state, at, tid, strings.stringOf(chunk.name[row] as number), fields);
    this.#sweep();
    this.#tasks.name(boot, tid, strings.stringOf(chunk.comm[row] as number), at);
    if (!isTyped) return;
    for (const [pidKey, commKey] of event.names) {
      const named = tidOf(boot, Number(integerOf(fields.get(pidKey)) ?? -1));
      if (named !== null) this.#tasks.name(boot, named, String(fields.get(commKey) ?? ""), at);
    }
    if (isSwitch) {
      state.boot = boot;
      state.running = Number(integerOf(fields.get("next_pid")) ?? 0);
      state.comm = String(fields.get("next_comm") ?? "");
    } else noteBracket(state, event, fields, tid);
  }

  #stateOf(cpu: number): CpuState {
    const known = this.#cpus.get(cpu);
    if (known !== undefined) return known;
    const bundle = new WireBuffer();
    const state: CpuState = { cpu, bundle, since: 0, lastAt: 0, boot: null, running: 0, comm: "", open: [] };
    this.#cpus.set(cpu, state);
    return state;
  }

  #flush(state: CpuState): void {
    if (state.bundle.length === 0) return;
    this.#writer.bundle(state.cpu, state.bundle.view());
    state.bundle.rewind(0);
  }

  /** Writes the bundles that lag behind. */
  #sweep(): void {
    const written = this.#counts.written + this.#counts.generic;
    if (written - this.#swept < BUNDLE_LAG) return;
    this.#swept = written;
    for (const state of this.#cpus.values()) if (written - state.since >= BUNDLE_LAG) this.#flush(state);
  }

  /** Encodes one event into its CPU's bundle; false, and nothing written, if a needed field is missing. */
  #encode(state: CpuState, boot: Boot, at: number, tid: number, event: TypedEvent, fields: EventFields): boolean {
    const { bundle } = state;
    const outer = this.#beginEvent(state, at, tid);
    const start = outer.start;
    const body = bundle.begin(lengthKey(event.field));
    const named = typedFields(event, fields);
    for (const part of event.parts) {
      if (!encodePart(this.#writer, bundle, boot, part, named) && part.required) {
        bundle.rewind(start);
        return false;
      }
    }
    bundle.end(body);
    bundle.end(outer.mark);
    state.lastAt = at;
    return true;
  }

  #beginEvent(state: CpuState, at: number, tid: number): { readonly start: number; readonly mark: number } {
    // Within a bundle times ascend: a row from before begins another.
    if (at < state.lastAt || state.bundle.length >= BUNDLE_BYTES) this.#flush(state);
    const { bundle } = state;
    const start = bundle.length;
    if (start === 0) state.since = this.#counts.written + this.#counts.generic;
    const mark = bundle.begin(EVENT);
    bundle.varintField(EVENT_TIMESTAMP, at);
    bundle.varintField(EVENT_PID, tid);
    return { start, mark };
  }

  /** An event without a message of its own: its name, and each field's name and value. */
  #generic(state: CpuState, at: number, tid: number, name: string, fields: EventFields): void {
    const { bundle } = state;
    const { mark } = this.#beginEvent(state, at, tid);
    const body = bundle.begin(lengthKey(GENERIC));
    bundle.textField(GENERIC_NAME, name);
    for (const [key, value] of fields) {
      const field = bundle.begin(GENERIC_FIELD);
      bundle.textField(lengthKey(1), key);
      if (typeof value === "bigint" && value > LARGEST_SIGNED) bundle.intField(GENERIC_UNSIGNED, value);
      else if (typeof value === "bigint" || Number.isSafeInteger(value))
        bundle.intField(GENERIC_SIGNED, value as number);
      else bundle.textField(GENERIC_TEXT, String(value));
      bundle.end(field);
    }
    bundle.end(body);
    bundle.end(mark);
    state.lastAt = at;
    this.#counts.generic += 1;
  }

  /** A switch that was not recorded. */
  #switchTo(state: CpuState, boot: Boot, at: number, prev: Switched, next: Switched): void {
    if (SCHED_SWITCH === undefined) return;
    this.#counts.closing += 1;
    const fields = new Map<string, string | number>([
      ["prev_comm", prev.comm],
      ["prev_pid", prev.pid],
      ["prev_state", prev.state],
      ["next_comm", next.comm],
      ["next_pid", next.pid],
    ]);
    this.#encode(state, boot, at, 0, SCHED_SWITCH, fields);
  }

  /** The old kernel is gone: what ran on its CPUs ends with each CPU's last event. */
  #endOldBoot(): void {
    this.#oldEnded = true;
    for (const state of this.#cpus.values()) {
      this.#close(state, "old", Math.max(state.lastAt, this.#lastSeen[state.cpu] as number));
      this.#flush(state);
    }
  }

  /** Nothing that a CPU was running, and no interrupt that it was in, goes on after its boot's end. */
  #close(state: CpuState, boot: Boot, at: number): void {
    for (const { closing, fields, pid } of state.open.reverse()) {
      this.#counts.closing += 1;
      this.#encode(state, boot, at, pid, closing, fields);
    }
    state.open = [];
    if (state.boot === boot && state.running > 0) {
      this.#switchTo(state, boot, at, { comm: state.comm, pid: state.running, state: STATE_DEAD }, idle(state.cpu));
    }
  }

  /** Perfetto checks each switch against the one before: the new kernel's first comes from idle, for no time. */
  #enterNewBoot(state: CpuState, at: number, fields: EventFields): void {
    const pid = Number(integerOf(fields.get("prev_pid")) ?? 0);
    if (pid <= 0) return;
    this.#switchTo(state, "new", at, idle(state.cpu), { comm: String(fields.get("prev_comm") ?? ""), pid, state: 0 });
  }
}

/** A task that a switch leaves, or enters. */
interface Switched {
  readonly comm: string;
  readonly pid: number;
  readonly state: number;
}

const idle = (cpu: number): Switched => ({ comm: `${IDLE_COMM}/${cpu}`, pid: 0, state: 0 });

/** How a row's event is encoded; null if Perfetto has no message for it. `known`: by the name's id. */
function typedEvent(chunk: EventChunk, row: number, known: (TypedEvent | null)[]): TypedEvent | null {
  const id = chunk.name[row] as number;
  let event = known[id];
  if (event === undefined) {
    event = TYPED_EVENTS.get(chunk.strings.stringOf(id)) ?? null;
    known[id] = event;
  }
  return event;
}

function noteBracket(state: CpuState, event: TypedEvent, fields: EventFields, tid: number): void {
  if (event.opens !== undefined) {
    const closing = CLOSING[event.opens];
    if (closing !== undefined && state.open.length < MAX_OPEN) {
      state.open.push({ bracket: event.opens, closing, fields, pid: tid });
    }
  } else if (event.closes !== undefined) {
    const at = state.open.findLastIndex(({ bracket }) => bracket === event.closes);
    if (at >= 0) state.open.splice(at, 1);
  }
}

/** Writes one field; false if the event lacks it or it has the wrong type. */
function encodePart(
  writer: TraceWriter,
  bundle: WireBuffer,
  boot: Boot,
  part: EventPart,
  fields: EventFields,
): boolean {
  const value = fieldOf(fields, part);
  if (value === undefined) return false;
  switch (part.type) {
    case "text":
      bundle.textField(lengthKey(part.field), String(value));
      return true;
    case "symbol":
      bundle.varintField(varintKey(part.field), writer.intern("symbol", symbolText(value)));
      return true;
    case "pid": {
      const tid = tidOf(boot, Number(integerOf(value) ?? -1));
      if (tid === null) return false;
      bundle.varintField(varintKey(part.field), tid);
      return true;
    }
    case "int":
    case "hex":
    case "state":
    case "flag": {
      const number = INTEGERS[part.type](value);
      if (number === null) return false;
      bundle.intField(varintKey(part.field), number);
      return true;
    }
  }
}

const INTEGERS = { int: integerOf, hex: hexOf, state: taskStateOf, flag: flagOf } as const;

/** `name+0x0/0x110 [module] (-1269421872)` to `name`, as Perfetto's own recordings have it; a number in hexadecimal. */
function symbolText(value: string | number | bigint): string {
  if (typeof value !== "string") return `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
  const end = value.search(/\+0x| \[| \(-?\d+\)$/);
  return end <= 0 ? value : value.slice(0, end);
}
