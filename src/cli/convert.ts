import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname, extname } from "node:path";
import type { Defect, DefectInput } from "../base/defect.js";
import { DefectLog } from "../base/defect.js";
import { globMatcher } from "../base/glob.js";
import type { StringTable } from "../base/string-table.js";
import { END_OF_TIME, type RecordFilter } from "../collect/ring-buffer.js";
import { openTraceFile, type TraceFile } from "../collect/trace-file.js";
import type { EventChunk } from "../collect/types.js";
import { ChromeJson } from "../export/chrome-json.js";
import { writePerfettoEvents } from "../export/perfetto-events.js";
import { type Context, defineCommand, exit, misused, unusable } from "./command.js";
import { integer, one, repeated, required, text } from "./options.js";
import { outputProblem } from "./output-file.js";
import { escapeControls } from "./terminal-text.js";
import { traceLine } from "./trace-lines.js";

type Format = "pftrace" | "json" | "txt";
const FORMATS: ReadonlyMap<string, Format> = new Map([
  [".pftrace", "pftrace"],
  [".perfetto-trace", "pftrace"],
  [".json", "json"],
  [".txt", "txt"],
]);

interface Wanted {
  readonly names: ((name: string) => boolean) | null;
  readonly pids: ReadonlySet<number> | null;
  readonly cpus: ReadonlySet<number> | null;
}

const LARGEST = { min: 0, max: Number.MAX_SAFE_INTEGER };

export const convert = defineCommand({
  name: "convert",
  group: "Any trace",
  summary: "Turn a trace.dat, a Perfetto trace or an ftrace text into a Perfetto trace, JSON or text",
  usage: null,
  description:
    "Reads trace-cmd's files (versions 6 and 7, packed or not, all instances), the ftrace events of Perfetto traces, and what the kernel prints as trace and trace_pipe; a file cut short is read as far as it goes.\nThe output's name says what is written: .pftrace for the Perfetto UI and trace_processor, .json for Chrome's trace viewer, .txt as the kernel itself would print it, byte by byte where the input is trace.dat.",
  options: {
    output: required(text("FILE", "Where to write it: .pftrace, .json or .txt", "o")),
    name: repeated(text("GLOB", "Only events of this name: sched_*, irq_*")),
    pid: repeated(integer("PID", LARGEST, "Only this task's events")),
    cpu: repeated(integer("CPU", { min: 0, max: 32_767 }, "Only this CPU's events")),
  },
  positionals: { trace: one("A trace.dat, a Perfetto trace, or a text that ftrace printed") },
  examples: [
    {
      command: "blackout convert trace.dat -o trace.pftrace",
      what: "For the Perfetto UI, which cannot read trace.dat",
    },
    { command: "blackout convert trace.dat -o sched.txt --name 'sched_*' --cpu 0", what: "As the kernel prints it" },
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
    const log = new DefectLog();
    const opened = openTraceFile(positionals.trace, { defect: (input) => log.add(input) });
    if (!opened.ok) return unusable(context, `${positionals.trace}: ${opened.error}`);
    const progress = context.progress("Converting");
    try {
      const matchers = options.name.map(globMatcher);
      const wanted: Wanted = {
        names: matchers.length === 0 ? null : (name) => matchers.some((matches) => matches(name)),
        pids: options.pid.length === 0 ? null : new Set(options.pid),
        cpus: options.cpu.length === 0 ? null : new Set(options.cpu),
      };
      const said = write(opened.value, format, options.output, wanted, (input) => log.add(input));
      progress.end();
      sayDefects(context, log.all());
      context.stderr.write(`${options.output}: ${said}\n`);
      return exit.answered;
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

/**
 * Streams the file's parts one after the other; rows that are not wanted have the time NaN. Where counts exceed what a
 * double holds (stamps since 1970), they are counted from the first event.
 */
function feedOf(trace: TraceFile, wanted: Wanted, defect: (input: DefectInput) => void): Feed {
  const filtered = wanted.pids !== null || wanted.cpus !== null;
  const filter: RecordFilter = { names: null, pids: wanted.pids, cpus: wanted.cpus, from: 0n, to: END_OF_TIME };
  const wantedNames = new Map<StringTable, Uint8Array>();
  let told = false;
  let origin: bigint | null = null;
  return (sink) => {
    let axisNs = new Float64Array(0);
    for (const part of trace.parts) {
      part.source(filtered ? filter : undefined).read({
        // A second reading finds the same again.
        defect: (input) => {
          if (!told) defect(input);
        },
        chunk(chunk) {
          if (axisNs.length < chunk.count) axisNs = new Float64Array(chunk.count);
          origin ??= chunk.base > BigInt(Number.MAX_SAFE_INTEGER) ? chunk.base : 0n;
          const base = Number(chunk.base - origin);
          const names = wanted.names === null ? null : nameTable(chunk.strings, wanted.names, wantedNames);
          const { count, name, time } = chunk;
          for (let row = 0; row < count; row++) {
            const leave =
              (names !== null && names[name[row] as number] !== 1) ||
              (wanted.pids !== null && !wanted.pids.has(chunk.pid[row] as number)) ||
              (wanted.cpus !== null && !wanted.cpus.has(chunk.cpu[row] as number));
            axisNs[row] = leave ? Number.NaN : base + (time[row] as number);
          }
          sink(chunk, axisNs, part.clock, part.name);
        },
      });
    }
    told = true;
  };
}

/** By name id: 1 where the name is wanted. Made anew where the reader has met new names. */
function nameTable(
  strings: StringTable,
  matches: (name: string) => boolean,
  tables: Map<StringTable, Uint8Array>,
): Uint8Array {
  const known = tables.get(strings);
  if (known !== undefined && known.length === strings.size) return known;
  const table = Uint8Array.from({ length: strings.size }, (_, id) => (matches(strings.stringOf(id)) ? 1 : 0));
  tables.set(strings, table);
  return table;
}

const BLOCK_CHARS = 1 << 18;

/** Writes the file; returns what to say of it. What it throws is the system's refusal. */
function write(
  trace: TraceFile,
  format: Format,
  path: string,
  wanted: Wanted,
  defect: (input: DefectInput) => void,
): string {
  const feed = feedOf(trace, wanted, defect);
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, "w");
  let bytes = 0;
  const put = (part: Uint8Array): void => {
    for (let at = 0; at < part.length; ) at += writeSync(fd, part, at);
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
  try {
    switch (format) {
      case "pftrace": {
        const [, release = null, machine = null] = /^Linux \S+ (\S+) (\S+)/.exec(trace.uname ?? "") ?? [];
        const counts = writePerfettoEvents(feed, { name: trace.what, release, machine }, put);
        return `${number(bytes)} bytes, ${number(counts.ftraceEvents)} scheduler and interrupt events, ${number(counts.slices)} slices, ${number(counts.instants)} other events`;
      }
      case "json": {
        const json = new ChromeJson(putText);
        feed((chunk, axisNs) => json.chunk(chunk, axisNs));
        json.finish();
        put(Buffer.from(block));
        return `${number(bytes)} bytes, ${number(json.written)} events`;
      }
      case "txt": {
        let lines = 0;
        let current: string | null = null;
        feed((chunk, axisNs, clock, part) => {
          if (part !== current && (trace.parts.length > 1 || part !== "")) putText(`# instance: ${part || "(top)"}\n`);
          current = part;
          for (let row = 0; row < chunk.count; row++) {
            if (Number.isNaN(axisNs[row]) && !Number.isNaN(chunk.time[row])) continue;
            putText(`${traceLine(chunk, row, clock)}\n`);
            lines += 1;
          }
        });
        put(Buffer.from(block));
        return `${number(bytes)} bytes, ${number(lines)} events`;
      }
    }
  } finally {
    closeSync(fd);
  }
}

function sayDefects(context: Context, defects: readonly Defect[]): void {
  for (const { severity, code, file, message } of defects.slice(0, 20)) {
    const paint = severity === "error" ? context.errorColour.bad : context.errorColour.warning;
    context.stderr.write(`${paint(severity)} ${escapeControls(`${code} ${file}: ${message}`)}\n`);
  }
  if (defects.length > 20) context.stderr.write(`… and ${defects.length - 20} more defects\n`);
}
