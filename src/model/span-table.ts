/**
 * The span table: every interval with a cause, in columns. Tree, blame, chain, what-if, viewer and Perfetto are
 * projections of it; none keeps a copy of its own.
 */
import type { Boot } from "../base/time.js";

export const SPAN_KINDS = [
  "phase",
  "blackout",
  "seam",
  "session",
  "file",
  "device",
  "initcall",
  "function",
  "cpu",
  "notifier",
  "irq",
  "softirq",
  "task",
  "userspace",
  "syscall",
  "marker",
  "printk",
  "unattributed",
] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/**
 * A kind's part in attribution. `countsAs`: the kind of cause that its spans are counted as. `cause`: its spans are
 * calls, which take their time from what encloses them. `paired`: collecting makes its spans from pairs of events.
 */
interface SpanRole {
  readonly countsAs: AttributedKind;
  readonly cause: boolean;
  readonly paired: boolean;
}

export const SPAN_ROLES = {
  phase: { countsAs: "function", cause: false, paired: false },
  blackout: { countsAs: "function", cause: false, paired: false },
  seam: { countsAs: "seam", cause: false, paired: false },
  session: { countsAs: "session", cause: true, paired: false },
  file: { countsAs: "file", cause: true, paired: false },
  /** Paired only if a VMM logged it. */
  device: { countsAs: "device", cause: true, paired: true },
  initcall: { countsAs: "initcall", cause: true, paired: true },
  function: { countsAs: "function", cause: true, paired: true },
  cpu: { countsAs: "cpu", cause: true, paired: true },
  notifier: { countsAs: "notifier", cause: true, paired: true },
  irq: { countsAs: "irq", cause: true, paired: true },
  softirq: { countsAs: "irq", cause: true, paired: true },
  /** What ran; a kernel thread counts as `kthread`. */
  task: { countsAs: "userspace", cause: false, paired: true },
  userspace: { countsAs: "userspace", cause: false, paired: false },
  syscall: { countsAs: "function", cause: true, paired: true },
  marker: { countsAs: "function", cause: false, paired: true },
  printk: { countsAs: "printk", cause: false, paired: false },
  unattributed: { countsAs: "function", cause: false, paired: false },
} as const satisfies Readonly<Record<SpanKind, SpanRole>>;

/** The kinds whose spans collecting makes. */
export type RawSpanKind = {
  [K in SpanKind]: (typeof SPAN_ROLES)[K]["paired"] extends true ? K : never;
}[SpanKind];

/** Bits of the `flags` column. */
export const SpanFlag = {
  /** The record of its begin was not seen; `begin` is the earliest it can have been. */
  beginUnseen: 1,
  /** The record of its end was not seen; `end` is the latest it can have been. */
  endUnseen: 2,
  /** Its cause is inferred, not recorded. */
  inferred: 4,
} as const;

export interface Span {
  /** Nanoseconds on the update's axis: zero is the blackout's begin. */
  readonly beginNs: number;
  readonly endNs: number;
  /** Row of the enclosing span of the same lane, -1 at the top. */
  readonly parent: number;
  readonly kind: SpanKind;
  /** The cause's name: function, initcall, `session token`, `irq name`, task. */
  readonly name: string;
  /**
   * What distinguishes its cause from others of its kind: session, `session token`, device address, function. The same
   * cause has one identity in both kernels and in all sources.
   */
  readonly id: string;
  /** The action: `shutdown`, `probe`, `preserve`, `freeze`, `retrieve`, `finish`, `create`; or empty. */
  readonly action: string;
  /** Further facts: token, bytes, return value; `key=value` pairs joined by blanks, or empty. */
  readonly detail: string;
  /** null for spans over both boots (phases, blackout, seam). */
  readonly boot: Boot | null;
  /** -1 if unknown. */
  readonly cpu: number;
  /** -1 if unknown. */
  readonly pid: number;
  readonly task: string;
  /** What it was read from, best first: `kprobe + function graph`, `initcall events`, `marker`. */
  readonly evidence: string;
  readonly flags: number;
}

/** Columns of equal length; strings are ids into `strings`. Plain arrays and typed arrays only: it travels as JSON. */
export interface SpanTable {
  readonly count: number;
  readonly beginNs: Float64Array;
  readonly endNs: Float64Array;
  readonly parent: Int32Array;
  /** Index into SPAN_KINDS. */
  readonly kind: Uint8Array;
  readonly name: Uint32Array;
  readonly id: Uint32Array;
  readonly action: Uint32Array;
  readonly detail: Uint32Array;
  /** 0 none, 1 old, 2 new. */
  readonly boot: Uint8Array;
  readonly cpu: Int16Array;
  readonly pid: Int32Array;
  readonly task: Uint32Array;
  readonly evidence: Uint32Array;
  readonly flags: Uint8Array;
  readonly strings: readonly string[];
}

/** Row `row` as an object, for code that is not hot. */
export function spanAt(table: SpanTable, row: number): Span {
  const text = (ids: Uint32Array): string => table.strings[ids[row] ?? 0] ?? "";
  const boot = table.boot[row];
  return {
    beginNs: table.beginNs[row] ?? 0,
    endNs: table.endNs[row] ?? 0,
    parent: table.parent[row] ?? -1,
    kind: SPAN_KINDS[table.kind[row] ?? 0] ?? "unattributed",
    name: text(table.name),
    id: text(table.id),
    action: text(table.action),
    detail: text(table.detail),
    boot: boot === 1 ? "old" : boot === 2 ? "new" : null,
    cpu: table.cpu[row] ?? -1,
    pid: table.pid[row] ?? -1,
    task: text(table.task),
    evidence: text(table.evidence),
    flags: table.flags[row] ?? 0,
  };
}

/** A row to add; without an identity its name is one, without an action it has none. */
export type NewSpan = Omit<Span, "id" | "action"> & Partial<Pick<Span, "id" | "action">>;

type NumberColumn = Float64Array | Int32Array | Uint32Array | Int16Array | Uint8Array;

/** Twice as long. */
function grown<A extends NumberColumn>(column: A): A {
  const longer = new (column.constructor as new (length: number) => A)(column.length * 2);
  longer.set(column);
  return longer;
}

const FIRST_ROWS = 1_024;

/** Grows a span table row by row, in columns. */
export class SpanTableBuilder {
  readonly #strings: string[] = [""];
  readonly #ids = new Map<string, number>([["", 0]]);
  #count = 0;
  #columns = {
    beginNs: new Float64Array(FIRST_ROWS),
    endNs: new Float64Array(FIRST_ROWS),
    parent: new Int32Array(FIRST_ROWS),
    kind: new Uint8Array(FIRST_ROWS),
    name: new Uint32Array(FIRST_ROWS),
    id: new Uint32Array(FIRST_ROWS),
    action: new Uint32Array(FIRST_ROWS),
    detail: new Uint32Array(FIRST_ROWS),
    boot: new Uint8Array(FIRST_ROWS),
    cpu: new Int16Array(FIRST_ROWS),
    pid: new Int32Array(FIRST_ROWS),
    task: new Uint32Array(FIRST_ROWS),
    evidence: new Uint32Array(FIRST_ROWS),
    flags: new Uint8Array(FIRST_ROWS),
  };

  get count(): number {
    return this.#count;
  }

  #idOf(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    this.#ids.set(text, this.#strings.length);
    this.#strings.push(text);
    return this.#strings.length - 1;
  }

  #grow(): void {
    const { beginNs, endNs, parent, kind, name, id, action, detail, boot, cpu, pid, task, evidence, flags } =
      this.#columns;
    this.#columns = {
      beginNs: grown(beginNs),
      endNs: grown(endNs),
      parent: grown(parent),
      kind: grown(kind),
      name: grown(name),
      id: grown(id),
      action: grown(action),
      detail: grown(detail),
      boot: grown(boot),
      cpu: grown(cpu),
      pid: grown(pid),
      task: grown(task),
      evidence: grown(evidence),
      flags: grown(flags),
    };
  }

  /** Adds a row and returns its number. */
  add(span: NewSpan): number {
    const row = this.#count;
    if (row === this.#columns.beginNs.length) this.#grow();
    const to = this.#columns;
    to.beginNs[row] = span.beginNs;
    to.endNs[row] = span.endNs;
    to.parent[row] = span.parent;
    to.kind[row] = KIND_NUMBERS.get(span.kind) ?? 0;
    to.name[row] = this.#idOf(span.name);
    to.id[row] = this.#idOf(span.id ?? span.name);
    to.action[row] = this.#idOf(span.action ?? "");
    to.detail[row] = this.#idOf(span.detail);
    to.boot[row] = span.boot === null ? 0 : span.boot === "old" ? 1 : 2;
    to.cpu[row] = span.cpu;
    to.pid[row] = span.pid;
    to.task[row] = this.#idOf(span.task);
    to.evidence[row] = this.#idOf(span.evidence);
    to.flags[row] = span.flags;
    this.#count += 1;
    return row;
  }

  build(): SpanTable {
    const count = this.#count;
    const to = this.#columns;
    return {
      count,
      beginNs: to.beginNs.slice(0, count),
      endNs: to.endNs.slice(0, count),
      parent: to.parent.slice(0, count),
      kind: to.kind.slice(0, count),
      name: to.name.slice(0, count),
      id: to.id.slice(0, count),
      action: to.action.slice(0, count),
      detail: to.detail.slice(0, count),
      boot: to.boot.slice(0, count),
      cpu: to.cpu.slice(0, count),
      pid: to.pid.slice(0, count),
      task: to.task.slice(0, count),
      evidence: to.evidence.slice(0, count),
      flags: to.flags.slice(0, count),
      strings: this.#strings,
    };
  }
}

const KIND_NUMBERS: ReadonlyMap<SpanKind, number> = new Map(SPAN_KINDS.map((kind, i) => [kind, i]));

/** What a nanosecond of the blackout is attributed to. */
export const ATTRIBUTED_KINDS = [
  "session",
  "file",
  "device",
  "initcall",
  "function",
  "cpu",
  "notifier",
  "irq",
  "userspace",
  "kthread",
  "idle",
  "printk",
  "seam",
] as const;
export type AttributedKind = (typeof ATTRIBUTED_KINDS)[number];
