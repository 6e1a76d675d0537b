/** Calls of key functions and syscalls, and marks that come in pairs, with what they were called with. */
import type { EventFields, KeyEvent, Placed } from "../../model/collected.js";
import { FUNCTIONS } from "../../model/luo.js";

export interface Call {
  /** Function, syscall, or a mark's label (`luo: preserve_fd`). */
  readonly name: string;
  readonly source: KeyEvent["source"];
  readonly begin: Placed;
  /** null where the return was not seen. */
  readonly end: Placed | null;
  readonly pid: number;
  /** The entry's fields, then the return's. */
  readonly fields: EventFields;
}

/** LUO's calls nest three deep, marks two: more are calls whose returns were lost. */
const MAX_OPEN = 64;

const MARK = /^(.*?) (begin|end)(?: |$)/;

/** Pairs entries with returns, per boot, source and task; entries without a return have a null end. Sorted by begin. */
export function pairCalls(events: readonly KeyEvent[]): readonly Call[] {
  const calls: Call[] = [];
  const open = new Map<string, { name: string; at: number }[]>();
  for (const event of events) {
    const step = stepOf(event);
    if (step === null) continue;
    const key = `${event.at.boot} ${event.source} ${event.pid}`;
    const stack = open.get(key) ?? [];
    open.set(key, stack);
    if (step.edge === "begin") {
      if (stack.length < MAX_OPEN) stack.push({ name: step.name, at: calls.length });
      calls.push({
        name: step.name,
        source: event.source,
        begin: event.at,
        end: null,
        pid: event.pid,
        fields: event.fields,
      });
      continue;
    }
    for (let i = stack.length - 1; i >= 0; i--) {
      const entry = stack[i];
      const call = entry === undefined ? undefined : calls[entry.at];
      if (entry?.name !== step.name || call === undefined) continue;
      stack.splice(i);
      calls[entry.at] = { ...call, end: event.at, fields: new Map([...call.fields, ...event.fields]) };
      break;
    }
  }
  return calls;
}

function stepOf(event: KeyEvent): { name: string; edge: "begin" | "end" } | null {
  switch (event.what) {
    case "call":
      return event.name === FUNCTIONS.notifierRun.name ? null : { name: event.name, edge: "begin" };
    case "syscall-enter":
      return { name: event.name, edge: "begin" };
    case "return":
    case "syscall-exit":
      return { name: event.name, edge: "end" };
    case "marker": {
      const match = MARK.exec(event.name);
      return match === null ? null : { name: match[1] as string, edge: match[2] as "begin" | "end" };
    }
    case "printk":
    case "message":
      return null;
  }
}
