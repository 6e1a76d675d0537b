/**
 * notifier_run: a notifier callback begins. No event ends it: it ended before the next callback of its chain, or the
 * next traced function of its task, was called. If neither follows, its end is not seen.
 *
 * Chains that the timekeeper calls at every tick run in whatever task the tick interrupts: these are not the task's.
 */
import type { EventChunk } from "../../../model/collected.js";
import { FUNCTIONS } from "../../../model/luo.js";
import { TICK_NOTIFIERS } from "../../../model/machine.js";
import { symbolName } from "../symbols.js";
import { type Recording, stackOf, type Tracer, textField, timeOf } from "./tracer.js";

export interface Notifiers extends Tracer {
  /** The callback that the row's task runs, if there is one, ended before this row. */
  ended(chunk: EventChunk, row: number): void;
}

export function notifiers(recording: Recording): Notifiers {
  const { spans } = recording;
  /** Stacks of callbacks that run, by task. */
  const running = new Map<number, string>();
  const ended = (chunk: EventChunk, row: number): void => {
    if (running.size === 0 || chunk.inInterrupt(row)) return;
    const pid = chunk.pid[row] as number;
    const stack = running.get(pid);
    if (stack === undefined) return;
    running.delete(pid);
    spans.exit(stack, null, timeOf(chunk, row), null, "", true);
  };
  const run = (chunk: EventChunk, row: number): void => {
    const fields = chunk.fields(row);
    const cb = textField(fields, "cb");
    if (chunk.inInterrupt(row) || TICK_NOTIFIERS.has(symbolName(cb) ?? cb)) return;
    ended(chunk, row);
    const stack = stackOf("notifier", chunk, row);
    const span = recording.span(chunk, row, "notifier", symbolName(cb) ?? cb, "", "notifier events");
    spans.enter(stack, span, timeOf(chunk, row));
    running.set(chunk.pid[row] as number, stack);
    recording.keep(chunk, row, { what: "call", name: FUNCTIONS.notifierRun.name, fields, source: "kprobe" });
  };
  return {
    events: new Map([[FUNCTIONS.notifierRun.name, run]]),
    ended,
    finish: () => {
      for (const stack of running.values()) spans.abandon(stack);
    },
  };
}
