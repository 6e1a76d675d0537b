/** Calls of key functions and syscalls, and marks that come in pairs, with what they were called with. */
import type { EventFields, KeyEvent, Placed } from "../../model/collected.js";
import { parseMark } from "../../model/marks.js";

export interface Call {
  /** Function, syscall, or a mark's label (`luo: preserve_fd`). */
  readonly name: string;
  readonly source: KeyEvent["source"];
  readonly begin: Placed;
  /** null if the return was not seen. */
  readonly end: Placed | null;
  readonly pid: number;
  /** The entry's fields, then the return's. */
  readonly fields: EventFields;
  /** Row of its span, in the collected spans. */
  readonly span: number;
}

/** The calls that the collector paired, by begin; those without a return have a null end. */
export function callsOf(events: readonly KeyEvent[]): readonly Call[] {
  const calls: Call[] = [];
  const bySpan = new Map<number, number>();
  for (const { what, name, source, at, pid, fields, span } of events) {
    if (span === undefined) continue;
    const mark = what === "marker" ? parseMark(name) : null;
    if (what === "call" || what === "syscall-enter" || mark?.edge === "begin") {
      bySpan.set(span, calls.length);
      calls.push({ name: mark?.label ?? name, source, begin: at, end: null, pid, fields, span });
      continue;
    }
    const row = bySpan.get(span);
    const call = row === undefined ? undefined : calls[row];
    if (row === undefined || call === undefined) continue;
    calls[row] = { ...call, end: at, fields: new Map([...call.fields, ...fields]) };
  }
  return calls;
}
