/** Lines that hold no event: the header's, and the notices between events. Pure functions of their text. */

/** Longer lines are not notices. */
export const MAX_NOTICE = 80;

/** Which columns function-graph lines have. */
export interface GraphColumns {
  readonly time: boolean;
  readonly relative: boolean;
  readonly cpu: boolean;
  readonly task: boolean;
  readonly latency: boolean;
  readonly duration: boolean;
}

/** The tracer's name from `# tracer: NAME`, or null. */
export function tracerOf(line: string): string | null {
  return /^# tracer: (\S{1,64})\s*$/.exec(line)?.[1] ?? null;
}

/**
 * How many entries the buffer held when it was printed, from `# entries-in-buffer/entries-written: 3641/3641   #P:2`
 * (print_event_info in trace.c; function_graph's header has no such line), or null.
 */
export function entriesOf(line: string): number | null {
  const match = /^# entries-in-buffer\/entries-written: (\d{1,15})\/\d{1,15}\s/.exec(line);
  return match === null ? null : Number(match[1]);
}

/** The columns from function_graph's header (print_graph_headers in trace_functions_graph.c), or null. */
export function graphColumns(line: string): GraphColumns | null {
  if (!line.includes("FUNCTION CALLS")) return null;
  return {
    time: /^# +TIME /.test(line),
    relative: line.includes("REL TIME"),
    cpu: line.includes("CPU"),
    task: line.includes("TASK/PID"),
    latency: line.includes("||||"),
    duration: line.includes("DURATION"),
  };
}

/**
 * `CPU:0 [LOST 12 EVENTS]`, `CPU:0 [LOST EVENTS]` (print_trace_line in trace.c), trace-cmd's
 * `CPU:0 [12 EVENTS DROPPED]`; `count` is 0 if the line does not say.
 */
export function lostEvents(line: string): { readonly cpu: number; readonly count: number } | null {
  const match = LOST.exec(line);
  return match === null ? null : { cpu: Number(match[1]), count: Number(match[2] ?? match[3] ?? 0) };
}
const LOST = /^CPU:(\d{1,5}) \[(?:LOST (?:(\d{1,15}) )?EVENTS|(?:(\d{1,15}) )?EVENTS DROPPED|MISSED EVENTS)\]\s*$/;

/** What trace-cmd report says of its file before the events. */
export function reportNotice(line: string): "cpus" | "other" | null {
  if (/^cpus=\d+\s*$/.test(line)) return "cpus";
  return /^(?:version = \d+|CPU \d+ is empty)\s*$/.test(line) ? "other" : null;
}
