/** A trace's events as lines like those of the kernel's `trace` file. */
import { timeColumn } from "../../collect/event-text/columns.js";
import { KernelLines } from "../../collect/ring-buffer/kernel-lines.js";
import { RecordChunk } from "../../collect/ring-buffer/record-chunk.js";
import { type EventChunk, EventKind } from "../../model/collected.js";

/** Makes the lines of one part of a trace, in its rows' order. */
export interface TraceLines {
  row(chunk: EventChunk, row: number): void;
  /** Emits what still waited for a row after it. */
  finish(): void;
}

/** Raw records as the kernel prints them; rows of a dialect that does not hold the context, without that column. */
export function traceLines(clock: string, emit: (line: string, count: bigint | null) => void): TraceLines {
  // The width of function_graph's CPU column, which this layout has not.
  const kernel = new KernelLines({ layout: "nop", clock, previousBoot: false, cpus: 1 }, emit);
  return {
    row(chunk, row) {
      if (chunk instanceof RecordChunk) kernel.row(chunk, row);
      else {
        const since = chunk.time[row] as number;
        const count = Number.isNaN(since) ? null : chunk.base + BigInt(Math.round(since));
        emit(plainLine(chunk, row, count, clock), count);
      }
    },
    finish: () => kernel.finish(),
  };
}

function plainLine(chunk: EventChunk, row: number, count: bigint | null, clock: string): string {
  const [comm, pid, cpu] = [
    chunk.strings.stringOf(chunk.comm[row] as number),
    chunk.pid[row] as number,
    chunk.cpu[row] as number,
  ];
  const name = chunk.strings.stringOf(chunk.name[row] as number);
  const text = chunk.text(row);
  const named = chunk.kind[row] === EventKind.event && name !== "" && !/^sys_\w+(?:\(| -> )/.test(text);
  const where = cpu < 0 ? "[  ?]" : `[${String(cpu).padStart(3, "0")}]`;
  const who = `${comm.padStart(16)}-${(pid < 0 ? "?" : String(pid)).padEnd(7)}`;
  return `${who} ${where} ${count === null ? "?" : timeColumn(count, clock)}: ${named ? `${name}: ` : ""}${text}`;
}
