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
   * What tells its cause from others of its kind: session, `session token`, device address, function. The same cause has
   * one identity in both kernels and in all sources.
   */
  readonly id: string;
  /** What was done with it: `shutdown`, `probe`, `preserve`, `freeze`, `retrieve`, `finish`, `create`; or empty. */
  readonly action: string;
  /** What is known beside the name: token, bytes, return value; `key=value` pairs joined by blanks, or empty. */
  readonly detail: string;
  /** null for spans over both boots (phases, blackout, seam). */
  readonly boot: Boot | null;
  /** -1 where unknown. */
  readonly cpu: number;
  /** -1 where unknown. */
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

/** Grows a span table row by row. */
export class SpanTableBuilder {
  readonly #rows: Span[] = [];

  get count(): number {
    return this.#rows.length;
  }

  /** Adds a row and returns its number. */
  add(span: NewSpan): number {
    this.#rows.push({ id: span.name, action: "", ...span });
    return this.#rows.length - 1;
  }

  build(): SpanTable {
    const rows = this.#rows;
    const strings: string[] = [""];
    const ids = new Map<string, number>([["", 0]]);
    const idOf = (text: string): number => {
      const known = ids.get(text);
      if (known !== undefined) return known;
      ids.set(text, strings.length);
      strings.push(text);
      return strings.length - 1;
    };
    return {
      count: rows.length,
      beginNs: Float64Array.from(rows, (span) => span.beginNs),
      endNs: Float64Array.from(rows, (span) => span.endNs),
      parent: Int32Array.from(rows, (span) => span.parent),
      kind: Uint8Array.from(rows, (span) => SPAN_KINDS.indexOf(span.kind)),
      name: Uint32Array.from(rows, (span) => idOf(span.name)),
      id: Uint32Array.from(rows, (span) => idOf(span.id)),
      action: Uint32Array.from(rows, (span) => idOf(span.action)),
      detail: Uint32Array.from(rows, (span) => idOf(span.detail)),
      boot: Uint8Array.from(rows, (span) => (span.boot === null ? 0 : span.boot === "old" ? 1 : 2)),
      cpu: Int16Array.from(rows, (span) => span.cpu),
      pid: Int32Array.from(rows, (span) => span.pid),
      task: Uint32Array.from(rows, (span) => idOf(span.task)),
      evidence: Uint32Array.from(rows, (span) => idOf(span.evidence)),
      flags: Uint8Array.from(rows, (span) => span.flags),
      strings,
    };
  }
}
