/** A trace's events as lines like those of the kernel's `trace` file. */

import { RecordLines } from "../../collect/event-bytes/record-lines.js";
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

/** Writes the lines of one part of a trace as bytes, in its rows' order. */
export interface TraceBytes {
  /** Writes the rows that `matches` accepts (null: all), up to `limit` of them; returns how many. */
  rows(chunk: EventChunk, matches: ((chunk: EventChunk, row: number) => boolean) | null, limit: number): number;
  /** Writes what still waited for a row after it. */
  finish(): void;
}

/**
 * Raw records take no string each. `safe` makes a line printable; `write` takes a block of lines, whose bytes are used
 * again.
 */
export function traceBytes(
  clock: string,
  safe: (line: string) => string,
  write: (block: Uint8Array) => void,
): TraceBytes {
  const records = new RecordLines({ clock, safe, write });
  let block = "";
  const flush = (): void => {
    const lines = block;
    block = "";
    if (lines !== "") write(Buffer.from(lines));
  };
  return {
    rows(chunk, matches, limit) {
      if (chunk instanceof RecordChunk) return records.rows(chunk, matches, limit);
      let written = 0;
      for (let row = 0; row < chunk.count && written < limit; row++) {
        if (matches !== null && !matches(chunk, row)) continue;
        const since = chunk.time[row] as number;
        const count = Number.isNaN(since) ? null : chunk.base + BigInt(Math.round(since));
        block += `${safe(plainLine(chunk, row, count, clock))}\n`;
        written += 1;
        if (block.length >= BLOCK_CHARS) flush();
      }
      return written;
    },
    finish() {
      records.finish();
      flush();
    },
  };
}

const BLOCK_CHARS = 1 << 16;

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
