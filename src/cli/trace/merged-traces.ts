/**
 * `blackout events` of several traces on one clock, merged by time: a host's and its guests'. A trace need not be in
 * order itself.
 */
import { basename } from "node:path";
import { type DefectInput, DefectLog } from "../../base/defect.js";
import { escapeControls } from "../../base/text/controls.js";
import { type PrivateFolder, privateFolder } from "../../collect/files/private-folder.js";
import { type OpenTrace, openTraceFile } from "../../collect/readers/trace-file.js";
import { type Context, exit, misused, unusable } from "../frame/command.js";
import { filterOfTrace } from "../input/event-filter-option.js";
import { LineMerge } from "./line-merge.js";
import { safeLine, sayDefects, type WantedOfTrace } from "./trace-events.js";
import { traceLines } from "./trace-lines.js";

const BLOCK_CHARS = 1 << 16;

/** Prints the traces' wanted events, each with its file's name as `trace-cmd report` does; returns the exit code. */
export function printMerged(context: Context, paths: readonly string[], wanted: WantedOfTrace): number {
  if (wanted.json) return misused(context, "--json takes one trace at a time: its counts are each clock's own");
  let folder: PrivateFolder | null = null;
  const merge = new LineMerge({
    limit: wanted.limit,
    folder: () => {
      folder = privateFolder();
      return folder.path;
    },
  });
  const traces: { readonly path: string; readonly trace: OpenTrace; readonly log: DefectLog }[] = [];
  try {
    for (const path of paths) {
      const log = new DefectLog();
      const opened = openTraceFile(path, { defect: (input) => log.add(input) }, wanted.formats, wanted.limits);
      if (!opened.ok) return unusable(context, `${path}: ${opened.error}`);
      traces.push({ path, trace: opened.value, log });
    }
    const clocks = new Set(traces.flatMap(({ trace }) => trace.parts.map(({ clock }) => clock)));
    if (clocks.size > 1) {
      return misused(context, `the traces are on different clocks (${[...clocks].join(", ")}): no one axis holds them`);
    }
    for (const { path, trace } of traces) {
      if (
        !isTied(
          trace,
          traces.map((each) => each.trace),
        )
      ) {
        context.stderr.write(
          `${context.errorColour.warning("blackout:")} ${escapeControls(path)} is of no recording session with another of the traces: their times are compared as they stand\n`,
        );
      }
    }
    const width = Math.max(...paths.map((path) => basename(path).length));
    for (const { path, trace, log } of traces) {
      const label = basename(path).padStart(width);
      for (const part of trace.parts) {
        const filter = filterOfTrace(wanted.filter, part.clock);
        if (!filter.ok) return misused(context, filter.error);
        const printer = traceLines(part.clock, (text, count) => merge.add(count ?? 0n, `${label}: ${safeLine(text)}`));
        part.source(filter.value?.records).read({
          defect: (input: DefectInput) => log.add(input),
          chunk: (chunk) => {
            for (let row = 0; row < chunk.count; row++) {
              if (filter.value === null || filter.value.matches(chunk, row, Number.NaN)) printer.row(chunk, row);
            }
          },
        });
        printer.finish();
      }
    }
    let block = "";
    for (const line of merge.lines()) {
      block += `${line}\n`;
      if (block.length < BLOCK_CHARS) continue;
      context.stdout.write(block);
      block = "";
      if (context.stdout.closed) break;
    }
    context.stdout.write(block);
    for (const { path, log } of traces) sayDefects(context, path, log);
    return exit.success;
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    return unusable(
      context,
      `the lines could not be sorted on the disk: ${message}\n  Choose fewer with --filter, as time=4.07..4.08, or set TMPDIR to a folder with more room.`,
    );
  } finally {
    for (const { trace } of traces) trace.close();
    merge.close();
    (folder as PrivateFolder | null)?.remove();
  }
}

/** Whether a trace is on another's time, or another on its. */
function isTied({ session }: OpenTrace, all: readonly OpenTrace[]): boolean {
  return (
    session !== null &&
    all.some(({ session: other }) => other !== null && (other.peer === session.id || session.peer === other.id))
  );
}
