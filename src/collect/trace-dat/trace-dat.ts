/**
 * trace-cmd's files, versions 6 and 7: their buffers as sources of events. The pages are those of the ring buffer, read
 * by the same walk, packed chunks unpacked on the way, one at a time.
 */

import { type ByteSource, sliceSource } from "../../base/bytes/byte-source.js";
import type { DefectInput, DefectSink } from "../../base/defect.js";
import { ok, type Result } from "../../base/result.js";
import type { Boot } from "../../base/time.js";
import { type EventSource, traceClockOf } from "../../model/collected.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { parsePrintkFormats } from "../event-text/kernel-facts.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { type ParsedFormats, parseFormatFiles } from "../formats/event-format.js";
import { parseKallsyms, type SymbolTable } from "../formats/kallsyms.js";
import { ftraceTextSource } from "../ftrace-text/ftrace-text.js";
import {
  DEFAULT_LAYOUT,
  END_OF_TIME,
  parseHeaderPage,
  parseSavedCmdlines,
  type Retime,
  ringBufferSource,
} from "../ring-buffer/ring-buffer.js";
import { chunkSource, listChunks } from "./compression.js";
import { hostTime, type TraceDatFacts } from "./options.js";
import { readTraceDatFile, type TraceDatBuffer, type TraceDatFile } from "./trace-dat-file.js";

export { isTraceDat } from "./trace-dat-file.js";

/** One buffer of a trace.dat: the top one, or an instance's. */
export interface TraceDatInstance {
  /** Empty for the top instance. */
  readonly name: string;
  /** As the file names it: `local`, `x86-tsc`, or `tsc2nsec` if trace-cmd turned the TSC into nanoseconds. */
  readonly clock: string;
  source(filter?: RecordFilter): EventSource;
}

export interface TraceDat {
  readonly version: 6 | 7;
  readonly facts: TraceDatFacts;
  readonly formats: ParsedFormats;
  readonly instances: readonly TraceDatInstance[];
}

/**
 * Opens a trace.dat, whole or cut short; the error says why it cannot be read at all. Defects: `trace-dat-truncated`,
 * `trace-dat-damaged`, and those of the pages (`ring-*`).
 */
export function openTraceDat(
  source: ByteSource,
  boot: Boot,
  sink: DefectSink,
  limits: ReaderLimits = USUAL_READER_LIMITS,
): Result<TraceDat, string> {
  const found = readTraceDatFile(source, sink, limits["trace-dat-section-bytes"]);
  if (!found.ok) return found;
  const file = found.value;
  const formats = parseFormatFiles(file.formats, source.name, sink);
  let symbols: SymbolTable | null | undefined;
  const common: Common = {
    source,
    boot,
    file,
    formats,
    symbols: () => {
      if (symbols === undefined) symbols = file.kallsyms === null ? null : parseKallsyms(file.kallsyms);
      return symbols;
    },
    strings: parsePrintkFormats(file.printkFormats),
    comms: parseSavedCmdlines(file.cmdlines),
  };
  const instances = file.buffers
    // An instance that has records makes the empty top buffer beside it a matter of course.
    .filter(({ cpus, name }) => cpus.length > 0 || (name === "" && file.buffers.length === 1))
    .map((buffer): TraceDatInstance => {
      const clock = clockOf(file, buffer);
      return { name: buffer.name, clock, source: (filter) => bufferSource(common, buffer, clock, filter) };
    });
  const texts = file.texts.map((text): TraceDatInstance => {
    const clock = text.clock ?? file.facts.clock ?? "local";
    return {
      name: text.name,
      clock,
      source: (filter) =>
        ftraceTextSource({ boot, source: text.source, clock: traceClockOf(clock), eventNames: formats.names, filter }),
    };
  });
  return ok({ version: file.version, facts: file.facts, formats, instances: [...instances, ...texts] });
}

interface Common {
  readonly source: ByteSource;
  readonly boot: Boot;
  readonly file: TraceDatFile;
  readonly formats: ParsedFormats;
  readonly symbols: () => SymbolTable | null;
  readonly strings: ReadonlyMap<bigint, string>;
  readonly comms: ReadonlyMap<number, string>;
}

/** If the file has a rate for the TSC, its counts become nanoseconds. */
function clockOf({ facts }: TraceDatFile, buffer: TraceDatBuffer): string {
  const clock = buffer.clock ?? facts.clock ?? "local";
  return facts.tscRate !== null && (clock === "x86-tsc" || clock === "tsc2nsec") ? "tsc2nsec" : clock;
}

/** Host time of a guest's stamps, then nanoseconds of a TSC, then the file's offsets: trace-cmd's own order. */
function retimeOf({ facts }: TraceDatFile, clock: string): Retime | undefined {
  const { timeShift, tscRate, offsetNs } = facts;
  const rate = clock === "tsc2nsec" ? tscRate : null;
  if (timeShift === null && rate === null) return offsetNs === 0n ? undefined : { kind: "shift", by: offsetNs };
  return {
    kind: "map",
    of: (count, cpu) => {
      const samples = timeShift?.samples[cpu] ?? timeShift?.samples[0];
      const host = samples === undefined ? count : hostTime(count, samples, timeShift?.interpolate ?? false);
      return (rate === null ? host : (host * rate.mult) >> rate.shift) + offsetNs;
    },
  };
}

/** The filter's span of shown times as one of recorded counts; no span if the difference is not a plain shift. */
function recordedTimes(filter: RecordFilter, retime: Retime | undefined): RecordFilter {
  if (retime === undefined) return filter;
  if (retime.kind === "map") return { ...filter, from: 0n, to: END_OF_TIME };
  const counted = (shown: bigint): bigint => {
    const count = shown - retime.by;
    return count < 0n ? 0n : count > END_OF_TIME ? END_OF_TIME : count;
  };
  return { ...filter, from: counted(filter.from), to: filter.to === END_OF_TIME ? END_OF_TIME : counted(filter.to) };
}

function bufferSource(common: Common, buffer: TraceDatBuffer, clock: string, filter?: RecordFilter): EventSource {
  const { source, boot, file, formats, symbols, strings, comms } = common;
  const header = parseHeaderPage(file.headerPage) ?? DEFAULT_LAYOUT;
  const layout = validPage(buffer.pageBytes) ? { ...header, pageBytes: buffer.pageBytes } : header;
  const faults: DefectInput[] = [];
  const place = `${source.name}${buffer.name === "" ? "" : `:${buffer.name}`}`;
  const fault = (code: string, cpu: number, byte: number, message: string): void => {
    faults.push({
      code,
      severity: "error",
      file: place,
      byte,
      boot,
      message: `CPU ${cpu}: ${message}; its events end there.`,
      advice: "The file was cut or damaged: copy it again.",
    });
  };
  const cpus = buffer.cpus.map(({ cpu, offset, size }) => {
    const name = `${place}/cpu${cpu}`;
    if (!buffer.compressed) return { cpu, source: sliceSource(name, source, offset, size), entries: null };
    const list = listChunks(source, offset, file.littleEndian);
    if (list.fault !== null) fault("trace-dat-truncated", cpu, offset, list.fault);
    const damaged = (message: string): void => fault("trace-dat-damaged", cpu, offset, message);
    return { cpu, source: chunkSource(name, source, list, file.compression, damaged), entries: null };
  });
  const retime = retimeOf(file, clock);
  const pages = ringBufferSource({
    boot,
    cpus,
    formats,
    layout,
    symbols,
    comms,
    strings,
    clock: traceClockOf(clock),
    littleEndian: file.littleEndian,
    dialect: "trace-dat",
    ...(filter === undefined ? {} : { filter: recordedTimes(filter, retime) }),
    ...(retime === undefined ? {} : { retime }),
  });
  return {
    ...pages,
    files: [source.name],
    read: (sink) => {
      const counts = pages.read(sink);
      for (const found of faults.splice(0)) sink.defect(found);
      return counts;
    },
  };
}

function validPage(bytes: number): boolean {
  return bytes >= 64 && bytes <= 1 << 22 && bytes % 4 === 0;
}
