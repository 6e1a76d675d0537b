/**
 * Pairs begins with ends: kprobe entry and return, function-graph entry and exit, initcall, cpuhp and marker pairs.
 * Spans are kept in columns, in counts of the boot's trace clock, until the clock link is known.
 */

import type { RawSpanKind } from "../../model/span-table.js";
import { float64Column, int32Column, TextColumn } from "./columns.js";

/** As SpanFlag in the analysed span table: the record of the begin, or of the end, was not seen. */
const BEGIN_UNSEEN = 1;
const END_UNSEEN = 2;
/** As SpanFlag.inferred: what one record shows of another's end. */
const INFERRED = 4;

export interface OpenSpan {
  readonly kind: RawSpanKind;
  readonly name: string;
  readonly detail: string;
  readonly cpu: number;
  readonly pid: number;
  readonly task: string;
  readonly evidence: string;
}

/**
 * Beyond this depth a stack is a broken trace, not a call chain (the kernel's own limit is 50: FTRACE_RETFUNC_DEPTH).
 */
const MAX_DEPTH = 256;

export class SpanCollector {
  readonly begin = float64Column();
  readonly end = float64Column();
  readonly cpu = int32Column();
  readonly pid = int32Column();
  readonly flags = int32Column();
  readonly kind = new TextColumn<RawSpanKind>();
  readonly name = new TextColumn();
  readonly detail = new TextColumn();
  readonly task = new TextColumn();
  readonly evidence = new TextColumn();
  /** Leaves whose end is still to be reckoned from their duration. */
  readonly leaves: { readonly row: number; readonly durationNs: number | null; readonly parent: number }[] = [];
  readonly #open = new Map<string, number[]>();
  #first = Number.NaN;
  #last = Number.NaN;

  get count(): number {
    return this.kind.length;
  }

  /** Notes that an event was seen at `time`; unpaired ends and begins are clipped to what was seen. */
  seen(time: number): void {
    if (Number.isNaN(this.#first)) this.#first = time;
    this.#last = time;
  }

  #row(span: OpenSpan, begin: number, end: number, flags: number): number {
    this.begin.push(begin);
    this.end.push(end);
    this.cpu.push(span.cpu);
    this.pid.push(span.pid);
    this.flags.push(flags);
    this.kind.push(span.kind);
    this.name.push(span.name);
    this.detail.push(span.detail);
    this.task.push(span.task);
    this.evidence.push(span.evidence);
    return this.kind.length - 1;
  }

  /** A span that began before `begin`, the first event that shows its task. */
  openedBefore(span: OpenSpan, begin: number, end: number): void {
    this.#row(span, begin, end, BEGIN_UNSEEN);
  }

  /** A span that went on after `end`, the last event that shows its task. */
  openAfter(span: OpenSpan, begin: number, end: number): void {
    this.#row(span, begin, end, END_UNSEEN);
  }

  /** A span known from one record; returns its row. */
  whole(span: OpenSpan, begin: number, end: number): number {
    return this.#row(span, begin, end, 0);
  }

  /** Opens a span on `stack` (one stack per kind of evidence and task), and returns its row. */
  enter(stack: string, span: OpenSpan, time: number): number {
    const open = this.#open.get(stack);
    if (open !== undefined && open.length >= MAX_DEPTH) {
      // Its exit will not be found, and with an end at the last event thousands of these would nest.
      return this.#row(span, time, time, END_UNSEEN);
    }
    const row = this.#row(span, time, Number.NaN, END_UNSEEN);
    if (open === undefined) this.#open.set(stack, [row]);
    else open.push(row);
    return row;
  }

  /**
   * Closes the innermost open span of that name on `stack` (any name if `name` is null). Spans opened inside it and
   * never closed end with it, unseen. An end without a begin becomes a span from the first event on, begin unseen.
   * `inferred`: no record says that it ended here. Returns the row of the span that was closed, -1 if its begin was not
   * seen.
   */
  exit(
    stack: string,
    name: string | null,
    time: number,
    orphan: OpenSpan | null,
    detail: string,
    inferred = false,
  ): number {
    const open = this.#open.get(stack) ?? [];
    for (let i = open.length - 1; i >= 0; i--) {
      const row = open[i] as number;
      if (name !== null && this.name.at(row) !== name) continue;
      for (const inner of open.splice(i)) {
        this.end.set(inner, time);
        if (inner !== row) continue;
        this.flags.set(inner, (this.flags.at(inner) & ~END_UNSEEN) | (inferred ? INFERRED : 0));
      }
      if (detail !== "") {
        const before = this.detail.at(row) ?? "";
        this.detail.set(row, before === "" ? detail : `${before} ${detail}`);
      }
      return row;
    }
    if (orphan !== null) this.#row(orphan, this.#first, time, BEGIN_UNSEEN);
    return -1;
  }

  /** What is open on `stack` has an end that nothing bounds: as long as nothing, its end unseen. */
  abandon(stack: string): void {
    for (const row of this.#open.get(stack) ?? []) this.end.set(row, this.begin.at(row));
    this.#open.delete(stack);
  }

  /**
   * A function-graph entry and exit folded into one line. Its end is `durationNs` of sched_clock after its entry if
   * that is printed (the clock link scales it and clips it to the enclosing span); otherwise it is not seen, and the
   * span is as long as nothing. Returns its row.
   */
  leaf(stack: string, span: OpenSpan, time: number, durationNs: number | null): number {
    const row = this.#row(span, time, time, durationNs === null ? END_UNSEEN : 0);
    const open = this.#open.get(stack);
    this.leaves.push({ row, durationNs, parent: open?.[open.length - 1] ?? -1 });
    return row;
  }

  /** Ends what is still open at the last event seen, marked unseen. */
  finish(): void {
    for (const open of this.#open.values()) for (const row of open) this.end.set(row, this.#last);
    for (let row = 0; row < this.count; row++) {
      if (Number.isNaN(this.end.at(row))) this.end.set(row, this.#last);
    }
    this.#open.clear();
  }
}
