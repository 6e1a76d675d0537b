/**
 * Raw records as the lines of the kernel's `trace` file, in either of its layouts: the columns of the nop tracer, and
 * those of function_graph (kernel/trace/trace_functions_graph.c). A function that calls nothing traced is one line
 * (`f();`), so that an entry waits for the next record of its CPU before it can be printed.
 */

import { EventKind } from "../../model/collected.js";
import { contextColumns } from "../event-text/columns.js";
import { unsignedAt } from "../event-text/record.js";
import type { RecordChunk } from "./record-chunk.js";

export type TraceLayout = "nop" | "function_graph";

export interface KernelLinesOptions {
  readonly layout: TraceLayout;
  /** The trace clock's name. */
  readonly clock: string;
  /** A previous boot's buffer: events are listed field by field. */
  readonly previousBoot: boolean;
  /** How many CPUs the kernel can have, for the width of function_graph's CPU column. */
  readonly cpus: number;
}

/** function_graph indents each call by this. */
const INDENT = 2;
/** What waits for an entry to be decided; beyond it the entry is taken for one that calls something. */
const MAX_WAITING = 100_000;
/** FTRACE_RETFUNC_DEPTH: deeper calls are not traced. */
const MAX_DEPTH = 50;

interface Line {
  text: string | null;
  readonly count: bigint;
}

/** A function's entry that may turn out to be a leaf. */
interface OpenEntry {
  readonly line: Line;
  readonly head: string;
  readonly func: bigint;
  readonly name: string;
  readonly pid: number;
  readonly depth: number;
}

interface CpuState {
  entry: OpenEntry | null;
  lastPid: number;
  /** Where comments are indented to. */
  depth: number;
  readonly entered: bigint[];
}

export class KernelLines {
  readonly #options: KernelLinesOptions;
  readonly #emit: (line: string, count: bigint) => void;
  readonly #cpus = new Map<number, CpuState>();
  #waiting: Line[] = [];

  /** `emit` is given a line and the count of the record that begins it. */
  constructor(options: KernelLinesOptions, emit: (line: string, count: bigint) => void) {
    this.#options = options;
    this.#emit = emit;
  }

  chunk(chunk: RecordChunk): void {
    for (let row = 0; row < chunk.count; row++) this.row(chunk, row);
  }

  finish(): void {
    for (const state of this.#cpus.values()) this.#close(state, null);
    this.#drain();
  }

  #state(cpu: number): CpuState {
    let state = this.#cpus.get(cpu);
    if (state === undefined) {
      state = { entry: null, lastPid: -1, depth: 0, entered: [] };
      this.#cpus.set(cpu, state);
    }
    return state;
  }

  /** One row; its line may be emitted later, when it is known how a function's entry goes on. */
  row(chunk: RecordChunk, row: number): void {
    const state = this.#state(chunk.cpu[row] as number);
    const kind = chunk.kind[row];
    if (kind === EventKind.graphExit && state.entry !== null) {
      const { entry } = state;
      if (entry.pid === chunk.pid[row] && entry.func === this.#number(chunk, row, "func")) {
        const duration = this.#number(chunk, row, "rettime") - this.#number(chunk, row, "calltime");
        this.#close(state, { duration });
        return;
      }
    }
    this.#close(state, null);
    if (kind === EventKind.graphEntry) this.#enter(chunk, row, state);
    else {
      const text =
        kind === EventKind.graphExit
          ? this.#exit(chunk, row, state)
          : this.#options.layout === "nop"
            ? this.#event(chunk, row)
            : this.#comment(chunk, row, state);
      this.#push(text, this.#count(chunk, row));
    }
    if (this.#waiting.length > MAX_WAITING) for (const each of this.#cpus.values()) this.#close(each, null);
  }

  #push(text: string, count: bigint): void {
    if (this.#waiting.length === 0) this.#emit(text, count);
    else this.#waiting.push({ text, count });
  }

  #drain(): void {
    let done = 0;
    while (done < this.#waiting.length && this.#waiting[done]?.text !== null) {
      const { text, count } = this.#waiting[done] as Line;
      this.#emit(text as string, count);
      done += 1;
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done);
  }

  #number(chunk: RecordChunk, row: number, name: string): bigint {
    const field = chunk.table.eventText.formats.byId
      .get(chunk.id[row] as number)
      ?.fields.find((each) => each.name === name);
    return field === undefined ? 0n : (unsignedAt(chunk.record(row), field.offset, field.size) ?? 0n);
  }

  #symbol(chunk: RecordChunk, address: bigint): string {
    return chunk.table.eventText.facts.symbols()?.name(address) ?? `0x${address.toString(16)}`;
  }

  #event(chunk: RecordChunk, row: number): string {
    const { eventText } = chunk.table;
    const id = chunk.id[row] as number;
    const record = chunk.record(row);
    const listed = this.#options.previousBoot && eventText.isListed(id);
    return this.#columns(chunk, row) + (listed ? eventText.fieldList(id, record) : eventText.text(id, record));
  }

  #count(chunk: RecordChunk, row: number): bigint {
    return chunk.base + BigInt(Math.trunc(chunk.time[row] as number));
  }

  #columns(chunk: RecordChunk, row: number): string {
    return contextColumns(
      {
        comm: chunk.strings.stringOf(chunk.comm[row] as number),
        pid: chunk.pid[row] as number,
        cpu: chunk.cpu[row] as number,
        flags: chunk.flags(row),
        preemptCount: chunk.preemptCount(row),
        count: this.#count(chunk, row),
      },
      this.#options.clock,
    );
  }

  #enter(chunk: RecordChunk, row: number, state: CpuState): void {
    const line: Line = { text: null, count: this.#count(chunk, row) };
    const func = this.#number(chunk, row, "func");
    state.entry = {
      line,
      head: this.#head(chunk, row, state),
      func,
      name: this.#symbol(chunk, func),
      pid: chunk.pid[row] as number,
      depth: Number(this.#number(chunk, row, "depth")),
    };
    this.#waiting.push(line);
  }

  /** Decides the CPU's open entry: a leaf if its return follows, else a call that something follows inside. */
  #close(state: CpuState, leaf: { readonly duration: bigint } | null): void {
    const { entry } = state;
    if (entry === null) return;
    state.entry = null;
    const indent = " ".repeat(INDENT * Math.min(MAX_DEPTH, entry.depth));
    const nop = this.#options.layout === "nop";
    if (leaf === null) {
      state.depth = entry.depth;
      if (entry.depth < MAX_DEPTH) state.entered[entry.depth] = entry.func;
      entry.line.text = `${entry.head}${nop ? "" : EMPTY_DURATION}${indent}${entry.name}() {`;
    } else {
      // Comments keep the depth of the line above a leaf.
      state.depth = entry.depth - 1;
      state.entered[entry.depth] = 0n;
      entry.line.text = `${entry.head}${nop ? "" : durationColumn(leaf.duration)}${indent}${entry.name}();`;
    }
    this.#drain();
  }

  #exit(chunk: RecordChunk, row: number, state: CpuState): string {
    const depth = Number(this.#number(chunk, row, "depth"));
    const func = this.#number(chunk, row, "func");
    const head = this.#head(chunk, row, state);
    state.depth = depth - 1;
    const indent = " ".repeat(INDENT * Math.min(MAX_DEPTH, depth));
    if (this.#options.layout === "nop") return `${head}${indent}}`;
    const matches = state.entered[depth] === func;
    state.entered[depth] = 0n;
    const duration = this.#number(chunk, row, "rettime") - this.#number(chunk, row, "calltime");
    const name = matches ? "" : ` /* ${this.#symbol(chunk, func)} */`;
    return `${head}${durationColumn(duration)}${indent}}${name}`;
  }

  #comment(chunk: RecordChunk, row: number, state: CpuState): string {
    const { eventText } = chunk.table;
    const id = chunk.id[row] as number;
    const record = chunk.record(row);
    const head = this.#head(chunk, row, state);
    const indent = state.depth > 0 ? " ".repeat(INDENT * (state.depth + 1)) : "";
    const text =
      chunk.kind[row] === EventKind.marker ? eventText.messageOnly(id, record) : (eventText.text(id, record) ?? "");
    return `${head}${EMPTY_DURATION}${indent}/* ${text} */`;
  }

  /** What stands before the duration column: in function_graph with the rule that marks a change of task. */
  #head(chunk: RecordChunk, row: number, state: CpuState): string {
    if (this.#options.layout === "nop") return this.#columns(chunk, row);
    const cpu = chunk.cpu[row] as number;
    const pid = chunk.pid[row] as number;
    let rule = "";
    if (state.lastPid !== pid && state.lastPid !== -1) {
      rule = `${RULE}\n${this.#cpuColumn(cpu)}${this.#task(chunk, state.lastPid)} => ${this.#task(chunk, pid)}\n${RULE}\n\n`;
    }
    state.lastPid = pid;
    const count = this.#count(chunk, row);
    const seconds = (count / 1_000_000_000n).toString().padStart(5);
    const micros = ((count % 1_000_000_000n) / 1000n).toString().padStart(6, "0");
    return `${rule}${seconds}.${micros} |  ${this.#cpuColumn(cpu)}${this.#task(chunk, pid)} | `;
  }

  #cpuColumn(cpu: number): string {
    return ` ${String(cpu).padStart(String(Math.max(0, this.#options.cpus - 1)).length)}) `;
  }

  /** Centred in 14 columns, the name cut to 7 characters (print_graph_proc). */
  #task(chunk: RecordChunk, pid: number): string {
    const comm = (chunk.table.comms.get(pid) ?? "<...>").slice(0, 7);
    const text = `${comm}-${pid}`;
    const spaces = Math.max(0, 14 - text.length);
    const before = spaces >> 1;
    return " ".repeat(before) + text + " ".repeat(spaces - before);
  }
}

const RULE = " ------------------------------------------";
const EMPTY_DURATION = "              |  ";

/** `$ 1234.567 us |  `: a mark for what takes long, at most seven figures (trace_print_graph_duration). */
export function durationColumn(ns: bigint): string {
  const duration = BigInt.asUintN(64, ns);
  const mark = MARKS.find(([least]) => duration > least)?.[1] ?? " ";
  const us = (duration / 1000n).toString();
  let text = us;
  if (us.length < 7)
    text += `.${(duration % 1000n)
      .toString()
      .padStart(3, "0")
      .slice(0, Math.min(4, 7 - us.length))}`;
  return `${mark} ${text} us ${" ".repeat(Math.max(0, 8 - text.length))}|  `;
}

/** trace_find_mark, kernel/trace/trace_output.c. */
const MARKS: readonly (readonly [bigint, string])[] = [
  [1_000_000_000n, "$"],
  [100_000_000n, "@"],
  [10_000_000n, "*"],
  [1_000_000n, "#"],
  [100_000n, "!"],
  [10_000n, "+"],
];
