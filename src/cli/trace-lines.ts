/** A trace file's events as lines like those of the kernel's `trace` file. */
import { contextColumns, timeColumn } from "../collect/event-text/columns.js";
import { RecordChunk } from "../collect/ring-buffer/record-chunk.js";
import { type EventChunk, EventKind } from "../collect/types.js";

/** Row `row` as the kernel prints it; from a dialect that does not hold the context, without that column. */
export function traceLine(chunk: EventChunk, row: number, clock: string): string {
  const [comm, pid, cpu] = [
    chunk.strings.stringOf(chunk.comm[row] as number),
    chunk.pid[row] as number,
    chunk.cpu[row] as number,
  ];
  const since = chunk.time[row] as number;
  const count = Number.isNaN(since) ? null : chunk.base + BigInt(Math.round(since));
  if (chunk instanceof RecordChunk && count !== null) {
    const context = { comm, pid, cpu, flags: chunk.flags(row), preemptCount: chunk.preemptCount(row), count };
    return (
      contextColumns(context, clock) + (chunk.table.eventText.text(chunk.id[row] as number, chunk.record(row)) ?? "")
    );
  }
  const name = chunk.strings.stringOf(chunk.name[row] as number);
  const text = chunk.text(row);
  const named = chunk.kind[row] === EventKind.event && name !== "" && !/^sys_\w+(?:\(| -> )/.test(text);
  const where = cpu < 0 ? "[  ?]" : `[${String(cpu).padStart(3, "0")}]`;
  const who = `${comm.padStart(16)}-${(pid < 0 ? "?" : String(pid)).padEnd(7)}`;
  return `${who} ${where} ${count === null ? "?" : timeColumn(count, clock)}: ${named ? `${name}: ` : ""}${text}`;
}
