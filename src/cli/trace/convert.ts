import { extname } from "node:path";
import type { Defect, DefectInput } from "../../base/defect.js";
import { DefectLog } from "../../base/defect.js";
import { ok, type Result } from "../../base/result.js";
import { escapeControls } from "../../base/text/controls.js";
import type { BoundFilter, FilterExpression } from "../../collect/event-filter/event-filter.js";
import { openTraceFile } from "../../collect/readers/trace-file.js";
import { ChromeJson } from "../../export/chrome-json.js";
import { writePerfettoEvents } from "../../export/perfetto/perfetto-events.js";
import type { EventChunk } from "../../model/collected.js";
import type { TraceFile } from "../../model/traces/trace-file.js";
import { systemOfUname } from "../../model/traces/uname.js";
import { outputProblem } from "../files/output-file.js";
import { type Put, writingAtomically } from "../files/write-atomically.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { integerOption, one, repeated, required, textOption } from "../frame/options.js";
import { FILTER_HELP, filterFrom, filterOfTrace, filterOption } from "../input/event-filter-option.js";
import { readerLimitOption } from "../input/reader-limit-option.js";
import { type TraceBytes, traceBytes } from "./trace-lines.js";

type Format = "pftrace" | "json" | "txt";
const FORMATS: ReadonlyMap<string, Format> = new Map([
  [".pftrace", "pftrace"],
  [".perfetto-trace", "pftrace"],
  [".json", "json"],
  [".txt", "txt"],
]);

const LARGEST = { min: 0, max: Number.MAX_SAFE_INTEGER };

export const convertCommand = defineCommand({
  usage: null,
  description: `Reads trace.dat (versions 6 and 7, compressed or not, all instances), raw pages (a folder with per_cpu/cpuN/trace_pipe_raw and the event formats), the ftrace events of Perfetto traces, ftrace text (trace and trace_pipe), kernel logs and QEMU logs. A truncated file is read up to the truncation.\nThe suffix of the output selects the format: .pftrace for the Perfetto UI and trace_processor, .json for Chrome's trace viewer, .txt for text as the kernel prints it (byte for byte, if the input is trace.dat or raw pages).\n${FILTER_HELP}`,
  options: {
    output: required(textOption("FILE", "Write to this file: .pftrace, .json or .txt", "o")),
    filter: filterOption,
    name: repeated(textOption("GLOB", "Convert only events of this name: sched_*, irq_*")),
    pid: repeated(integerOption("PID", LARGEST, "Convert only events of this task")),
    cpu: repeated(integerOption("CPU", { min: 0, max: 32_767 }, "Convert only events of this CPU")),
    formats: textOption("FOLDER", "Folder with the event formats of raw pages, if not beside them"),
    "reader-limit": readerLimitOption,
  },
  positionals: { trace: one("A trace.dat, a Perfetto trace, a text that ftrace printed, or raw pages") },
  examples: [
    {
      command: "blackout convert trace.dat -o trace.pftrace",
      what: "Convert for the Perfetto UI, which cannot read trace.dat",
    },
    {
      command: "blackout convert trace.dat -o sched.txt --filter 'event=sched_* cpu=0 time=4.07..4.08'",
      what: "Print ten milliseconds of one CPU as the kernel would",
    },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const problem = outputProblem(options.output, [positionals.trace]);
    if (problem !== null) return misused(context, problem);
    const format = FORMATS.get(extname(options.output));
    if (format === undefined) {
      return misused(
        context,
        `${options.output}: its name must end in .pftrace, .json or .txt, which says what to write`,
      );
    }
    const asked = filterFrom(options);
    if (!asked.ok) return misused(context, asked.error);
    const log = new DefectLog();
    const opened = openTraceFile(
      positionals.trace,
      { defect: (input) => log.add(input) },
      options.formats,
      options["reader-limit"],
    );
    if (!opened.ok) return unusable(context, `${positionals.trace}: ${opened.error}`);
    const filters = filtersOf(opened.value, asked.value);
    if (!filters.ok) {
      opened.value.close();
      return misused(context, filters.error);
    }
    const progress = context.progress("Converting");
    try {
      const note = format === "txt" ? null : clockNoteOf(opened.value);
      if (note !== null) {
        const advice = "put the boot's dmesg, from which the clock's rate is read, beside the pages";
        context.stderr.write(`${context.errorColour.warning("warning")} ${positionals.trace}: ${note}: ${advice}\n`);
      }
      const said = write(opened.value, format, options.output, filters.value, (input) => log.add(input));
      progress.end();
      sayDefects(context, log.all());
      context.stderr.write(`${options.output}: ${said}\n`);
      return exit.success;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      return unusable(context, `${options.output} cannot be written: ${(error as Error).message}`);
    } finally {
      progress.end();
      opened.value.close();
    }
  },
});

type Feed = (sink: (chunk: EventChunk, axisNs: Float64Array, clock: string, part: string) => void) => void;

/** By part: which of its events are wanted; null for all. */
type Filters = readonly (BoundFilter | null)[];

function filtersOf(trace: TraceFile, expression: FilterExpression | null): Result<Filters, string> {
  const filters: (BoundFilter | null)[] = [];
  for (const { clock } of trace.parts) {
    const filter = filterOfTrace(expression, clock);
    if (!filter.ok) return filter;
    filters.push(filter.value);
  }
  return ok(filters);
}

/**
 * Streams the file's parts one after the other; rows that are not wanted have the time NaN. If counts exceed what a
 * double holds (stamps since 1970), they are counted from the first event.
 */
function feedOf(trace: TraceFile, filters: Filters, defect: (input: DefectInput) => void): Feed {
  let told = false;
  let origin: bigint | null = null;
  return (sink) => {
    let axisNs = new Float64Array(0);
    for (const [i, part] of trace.parts.entries()) {
      const filter = filters[i] ?? null;
      const scale = part.nsPerCount ?? 1;
      part.source(filter?.records).read({
        // A second reading finds the same again.
        defect: (input) => {
          if (!told) defect(input);
        },
        chunk(chunk) {
          if (axisNs.length < chunk.count) axisNs = new Float64Array(chunk.count);
          origin ??= chunk.base > BigInt(Number.MAX_SAFE_INTEGER) ? chunk.base : 0n;
          const base = Number(chunk.base - origin);
          const { count: rows, time } = chunk;
          for (let row = 0; row < rows; row++) {
            const leave = filter !== null && !filter.matches(chunk, row, Number.NaN);
            const count = base + (time[row] as number);
            axisNs[row] = leave ? Number.NaN : scale === 1 ? count : Math.round(count * scale);
          }
          sink(chunk, axisNs, part.clock, part.name);
        },
      });
    }
    told = true;
  };
}

/** Of a trace with a clock whose rate is not known; null: all times are nanoseconds. */
function clockNoteOf({ parts }: TraceFile): string | null {
  const clock = parts.find(({ nsPerCount }) => nsPerCount === null)?.clock;
  return clock === undefined ? null : `times are counts of the clock ${clock}, not nanoseconds`;
}

const BLOCK_CHARS = 1 << 18;

/** Writes the file; returns what to say of it. What it throws is the system's refusal. */
function write(
  trace: TraceFile,
  format: Format,
  path: string,
  filters: Filters,
  defect: (input: DefectInput) => void,
): string {
  const feed = feedOf(trace, filters, defect);
  return writingAtomically(path, (write) => converted(trace, format, feed, write));
}

/** Puts the whole file; returns what to print of it. */
function converted(trace: TraceFile, format: Format, feed: ReturnType<typeof feedOf>, write: Put): string {
  let bytes = 0;
  const put = (part: Uint8Array): void => {
    write(part);
    bytes += part.length;
  };
  let block = "";
  const putText = (part: string): void => {
    block += part;
    if (block.length < BLOCK_CHARS) return;
    put(Buffer.from(block));
    block = "";
  };
  const number = (value: number): string => value.toLocaleString("en");
  switch (format) {
    case "pftrace": {
      const { release, machine } = systemOfUname(trace.uname);
      const clockNote = clockNoteOf(trace);
      const name = clockNote === null ? trace.what : `${trace.what} (${clockNote})`;
      const counts = writePerfettoEvents(feed, { name, release, machine, clockNote }, put);
      return `${number(bytes)} bytes, ${number(counts.ftraceEvents)} scheduler and interrupt events, ${number(counts.genericEvents)} other events, ${number(counts.slices)} slices, ${number(counts.instants)} marks`;
    }
    case "json": {
      const json = new ChromeJson(putText);
      feed((chunk, axisNs) => json.chunk(chunk, axisNs));
      json.finish();
      put(Buffer.from(block));
      return `${number(bytes)} bytes, ${number(json.written)} events`;
    }
    case "txt": {
      let written = 0;
      let current: string | null = null;
      let lines: TraceBytes | null = null;
      feed((chunk, axisNs, clock, part) => {
        if (part !== current || lines === null) {
          lines?.finish();
          lines = traceBytes(clock, (line) => line, put);
        }
        if (part !== current && (trace.parts.length > 1 || part !== "")) {
          put(Buffer.from(`# instance: ${part || "(top)"}\n`));
        }
        current = part;
        const isWanted = (_: EventChunk, row: number): boolean =>
          !Number.isNaN(axisNs[row]) || Number.isNaN(chunk.time[row]);
        written += lines.rows(chunk, isWanted, Number.POSITIVE_INFINITY);
      });
      (lines as TraceBytes | null)?.finish();
      return `${number(bytes)} bytes, ${number(written)} events`;
    }
  }
}

function sayDefects(context: Context, defects: readonly Defect[]): void {
  for (const { severity, code, file, message } of defects.slice(0, 20)) {
    const paint = severity === "error" ? context.errorColour.bad : context.errorColour.warning;
    context.stderr.write(`${paint(severity)} ${escapeControls(`${code} ${file}: ${message}`)}\n`);
  }
  if (defects.length > 20) context.stderr.write(`… and ${defects.length - 20} more defects\n`);
}
