/** The filter of events as the commands take it: one language, and the shorthands that say the same. */

import { err, ok, type Result } from "../../base/result.js";
import {
  allOf,
  type BoundFilter,
  bindFilter,
  type FilterExpression,
  type FilterTime,
  oneOf,
  parseEventFilter,
} from "../../collect/event-filter/event-filter.js";
import { traceClockOf } from "../../model/collected.js";
import { textOption } from "../frame/options.js";

export const filterOption = textOption("EXPR", "Print only events matching this expression (see above)");

/** For the help of the commands that take it. */
export const FILTER_HELP = [
  "A filter consists of terms KEY=VALUE; an event must match all of them. Also: && || ! ( ) and < <= > >= != ~ as in ftrace filters.",
  "Keys: event, task (both with * and ?), cpu, pid, time, and .FIELD for a field of the event. VALUE may be a list (cpu=0,2) or a range (pid=100..200, time=4.07..); quote a value with blanks or operators (task='<idle>').",
  "Time is in seconds, as printed, or has a unit (250us); for a counter clock it is a bare count.",
].join("\n");

/** The filter that --filter and the options for one term each make together; null: every event. */
export function filterFrom(given: {
  readonly filter: string | null;
  readonly name: readonly string[];
  readonly pid?: readonly number[];
  readonly cpu?: readonly number[];
}): Result<FilterExpression | null, string> {
  const parsed = given.filter === null ? ok(null) : parseEventFilter(given.filter);
  if (!parsed.ok) return err(unusableFilter(parsed.error));
  return ok(
    allOf([
      parsed.value,
      oneOf("event", given.name),
      oneOf("pid", (given.pid ?? []).map(String)),
      oneOf("cpu", (given.cpu ?? []).map(String)),
    ]),
  );
}

function unusableFilter(why: string): string {
  return `the filter cannot be used: ${why}`;
}

/** The filter for a trace on this clock. */
export function filterOfTrace(expression: FilterExpression | null, clock: string): Result<BoundFilter | null, string> {
  return bound(expression, timeOf(clock));
}

export function bound(expression: FilterExpression | null, time: FilterTime): Result<BoundFilter | null, string> {
  if (expression === null) return ok(null);
  const found = bindFilter(expression, time);
  return found.ok ? found : err(unusableFilter(found.error));
}

/** Clocks whose bare counts the kernel prints. */
function timeOf(clock: string): FilterTime {
  switch (traceClockOf(clock)) {
    case "counter":
    case "uptime":
    case "x86-tsc":
      return "counts";
    default:
      return "trace";
  }
}
