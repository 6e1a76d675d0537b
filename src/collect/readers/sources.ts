/** Which files a boot's events are read from, and why not from others. */

import type { DefectInput, DefectSink } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { EventSource } from "../../model/collected.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import {
  type Capture,
  type CaptureBoot,
  type CpuBuffer,
  ringsOf,
  sameBuild,
  type TraceBuffer,
} from "../capture/capture.js";
import { absentCpuDefects, ringLosses, unsavedCpuDefects, unsavedCpus } from "../capture/ring-loss.js";
import { countOfStamp } from "../clocks/trace-clock.js";
import { parsePrintkFormats } from "../event-text/kernel-facts.js";
import type { CaptureFiles } from "../files/files.js";
import { type ParsedFormats, parseFormats } from "../formats/event-format.js";
import { parseKallsyms, type SymbolTable } from "../formats/kallsyms.js";
import { ftraceTextSource } from "../ftrace-text/ftrace-text.js";
import { DEFAULT_LAYOUT, parseHeaderPage, parseSavedCmdlines, ringBufferSource } from "../ring-buffer/ring-buffer.js";

function textOf(path: string, files: CaptureFiles, sink: DefectSink): string | null {
  const bytes = files.bytes(path, files.limits["table-bytes"], sink);
  return bytes === null ? null : new TextDecoder("utf-8").decode(bytes);
}

/**
 * The source of a boot's events. Pages beat text: they hold nanoseconds and the boot's own event ids. The old boot's
 * text was printed by the new kernel with its own ids and symbols, so that it counts only if both boots ran the same
 * build; otherwise no phase may rest on it, and it is a defect. Of the events, `filter` may leave some out.
 */
export function eventSourceOf(
  boot: Boot,
  capture: Capture,
  files: CaptureFiles,
  sink: DefectSink,
  filter?: RecordFilter,
): EventSource | null {
  const own = capture.boots[boot];
  const buffer = own?.buffer ?? null;
  if (own === null || buffer === null) return null;
  const pageBytes = ({ pages }: CpuBuffer): number | null =>
    pages === null ? null : (files.open(pages)?.size ?? null);
  const rings = ringsOf(own);
  const side = rings.filter((ring) => ring !== buffer);
  for (const each of rings) for (const loss of ringLosses(own, each, pageBytes)) sink.defect(loss);
  for (const loss of absentCpuDefects(boot, rings)) sink.defect(loss);
  const formats = formatsOf(own, files, sink);
  const cpus = [...buffer.cpus, ...side.flatMap((ring) => cpusBeside(boot, ring, buffer, sink))];
  const hasPages = cpus.some((cpu) => cpu.pages !== null);
  if (formats !== null && hasPages) {
    // Text of every CPU is better than pages of some, if it can be trusted and no events are in other rings.
    const textInstead =
      unsavedCpus(buffer).length > 0 &&
      side.length === 0 &&
      buffer.text !== null &&
      (boot === "new" || printedByItsOwnBuild(capture, buffer, files, sink));
    for (const each of rings) for (const found of firstPageDefects(boot, each, files)) sink.defect(found);
    for (const each of rings) for (const loss of unsavedCpuDefects(boot, each, textInstead)) sink.defect(loss);
    if (!textInstead) return pagesSource(own, buffer, cpus, formats, files, sink, filter);
  }
  for (const ring of side) sink.defect(ringUnread(boot, ring));
  if (buffer.text === null) {
    sink.defect({
      code: "events-unreadable",
      severity: "error",
      file: buffer.folder,
      boot,
      message: "It holds neither text nor pages that can be decoded: this boot's events are missing.",
      advice: "Let the recorder save per_cpu/*/trace_pipe_raw, and the events' format files before the kexec.",
    });
    return null;
  }
  if (boot === "old" && !printedByItsOwnBuild(capture, buffer, files, sink)) {
    const { old, new: fresh } = capture.boots;
    const build = (of: CaptureBoot | null): string => [of?.release ?? "unknown", of?.build ?? ""].join(" ").trim();
    sink.defect({
      code: "ring-text-foreign",
      severity: "error",
      file: buffer.text,
      boot,
      message: `The ring was recorded by one build (${build(old)}) and printed by another (${build(fresh)}), with that one's event ids and symbols: its names cannot be trusted, and no phase rests on them.`,
      advice: "Save per_cpu/*/trace_pipe_raw of the ring, and the old kernel's event formats before the kexec.",
    });
    return null;
  }
  const source = files.open(buffer.text);
  if (source === null) return null;
  const text = ftraceTextSource({
    boot,
    source,
    clock: buffer.clock,
    eventNames: formats === null ? null : formats.names,
    filter,
  });
  return boot === "old" && capture.boots.new !== null ? withTaskNames(text, taskNames(own, files, sink)) : text;
}

/** Another ring's buffers, whose events are merged with the first's by their stamps: both must be on one clock. */
function cpusBeside(boot: Boot, ring: TraceBuffer, buffer: TraceBuffer, sink: DefectSink): readonly CpuBuffer[] {
  if (ring.clock === buffer.clock) return ring.cpus;
  sink.defect({
    code: "marks-clock-differs",
    severity: "error",
    file: `${ring.folder}/trace_clock`,
    boot,
    message: `The ring in ${ring.folder} is on the clock ${ring.clock}, the one in ${buffer.folder} on ${buffer.clock}: its events are left out.`,
    advice: "Leave all persistent instances on the local clock.",
  });
  return [];
}

/** Stamps are printed rounded to a microsecond. */
const PRINTED_NS = 1_000n;

/**
 * The kernel printed the stamp of each buffer's oldest page before its pages were read. No other page comes before the
 * first, so that nothing else would show that its stamp is wrong.
 */
function firstPageDefects(boot: Boot, { folder, cpus }: TraceBuffer, files: CaptureFiles): readonly DefectInput[] {
  return cpus.flatMap(({ cpu, pages, stats }): readonly DefectInput[] => {
    const oldest = stats?.oldest == null ? null : countOfStamp(stats.oldest);
    const source = pages === null ? null : files.open(pages);
    if (oldest === null || pages === null || source === null || source.size < 16) return [];
    const view = new DataView(new ArrayBuffer(8));
    source.read(new Uint8Array(view.buffer), 0);
    const exact = stats?.oldest?.includes(".") === true ? PRINTED_NS : 0n;
    const [little, big] = [true, false].map((order) => view.getBigUint64(0, order) - oldest) as [bigint, bigint];
    if ([little, big].some((off) => off <= exact && off >= -exact)) return [];
    const early = little < 0n;
    return [
      {
        code: "ring-first-stamp",
        severity: early ? "error" : "warning",
        file: pages,
        byte: 0,
        boot,
        message: `CPU ${cpu}'s first page begins ${early ? "before" : "after"} the oldest event that the kernel counted (${stats?.oldest} in ${folder}/per_cpu/cpu${cpu}/stats): times in it may be wrong by as much, or pages are missing.`,
        advice: "Read stats and pages with tracing off, and save both unchanged.",
      },
    ];
  });
}

/** Where the first ring can be read from its text alone, another one's events have no pages to be merged from. */
function ringUnread(boot: Boot, ring: TraceBuffer): DefectInput {
  const counted = ring.cpus.reduce((sum, { stats }) => sum + (stats?.entries ?? 0), 0);
  return {
    code: "events-unreadable",
    severity: "error",
    file: ring.folder,
    boot,
    message: `The ring in ${ring.folder} cannot be read without the boot's event formats and pages: its ${counted} events are left out.`,
    advice: "Let the recorder save per_cpu/*/trace_pipe_raw, and the events' format files before the kexec.",
  };
}

function taskNames(own: CaptureBoot, files: CaptureFiles, sink: DefectSink): ReadonlyMap<number, string> {
  return parseSavedCmdlines(textOf(`${own.files}/saved_cmdlines`, files, sink) ?? "");
}

/** Each thread's process, from `saved_tgids`; empty if it was not saved. Lines: thread, blank, process. */
export function processesOf(
  own: CaptureBoot | null,
  files: CaptureFiles,
  sink: DefectSink,
): ReadonlyMap<number, number> {
  const text = own === null ? "" : (textOf(`${own.files}/saved_tgids`, files, sink) ?? "");
  const processes = new Map<number, number>();
  for (const [, thread, process] of text.matchAll(/^(\d{1,7}) (\d{1,7})$/gm)) {
    processes.set(Number(thread), Number(process));
  }
  return processes;
}

/** The new kernel prints the old ring with the names that the pids have in the new boot; here they get their own. */
function withTaskNames(source: EventSource, names: ReadonlyMap<number, string>): EventSource {
  return {
    ...source,
    read: (sink) => {
      const ids = new Map<number, number>();
      return source.read({
        defect: (found) => sink.defect(found),
        chunk: (chunk) => {
          for (let row = 0; row < chunk.count; row++) {
            const pid = chunk.pid[row] as number;
            let id = ids.get(pid);
            if (id === undefined) {
              id = chunk.strings.idOf(names.get(pid) ?? "<...>");
              ids.set(pid, id);
            }
            chunk.comm[row] = id;
          }
          sink.chunk(chunk);
        },
      });
    },
  };
}

/**
 * Whether the old ring's text can be trusted. Without a new boot it was read in the old kernel itself (an update that
 * was aborted), unless its last_boot_info says that it is a previous boot's.
 */
function printedByItsOwnBuild(capture: Capture, buffer: TraceBuffer, files: CaptureFiles, sink: DefectSink): boolean {
  if (capture.boots.new !== null) return sameBuild(capture);
  const info = textOf(`${buffer.folder}/last_boot_info`, files, sink);
  return info === null || info.startsWith("# Current");
}

function pagesSource(
  own: CaptureBoot,
  buffer: TraceBuffer,
  cpus: readonly CpuBuffer[],
  formats: ParsedFormats,
  files: CaptureFiles,
  sink: DefectSink,
  filter?: RecordFilter,
): EventSource {
  let symbols: SymbolTable | null | undefined;
  const header = files.paths.includes(`${own.files}/header_page`)
    ? parseHeaderPage(textOf(`${own.files}/header_page`, files, sink) ?? "")
    : null;
  if (header === null) {
    sink.defect({
      code: "ring-layout-assumed",
      severity: "note",
      file: `${own.files}/header_page`,
      boot: own.boot,
      message: "It is missing or makes no sense: sub-buffers of 4,096 bytes of a 64-bit kernel are assumed.",
      advice: "Save events/header_page with the pages.",
    });
  }
  return ringBufferSource({
    boot: own.boot,
    formats,
    layout: header ?? DEFAULT_LAYOUT,
    clock: buffer.clock,
    cpus: cpus.map(({ cpu, pages, stats }) => ({
      cpu,
      source: pages === null ? null : files.open(pages),
      entries: stats?.entries ?? null,
    })),
    comms: taskNames(own, files, sink),
    strings: files.paths.includes(`${own.files}/printk_formats`)
      ? parsePrintkFormats(textOf(`${own.files}/printk_formats`, files, sink) ?? "")
      : new Map(),
    symbols: () => {
      if (symbols === undefined) {
        const bytes = files.bytes(`${own.files}/kallsyms.gz`, files.limits["kallsyms-bytes"], sink);
        symbols = bytes === null ? null : parseKallsyms(bytes);
      }
      return symbols;
    },
    ...(filter === undefined ? {} : { filter }),
  });
}

function formatsOf(own: CaptureBoot, files: CaptureFiles, sink: DefectSink): ParsedFormats | null {
  const path = `${own.files}/formats.gz`;
  const bytes = files.bytes(path, files.limits["formats-bytes"], sink);
  return bytes === null ? null : parseFormats(bytes, path, sink);
}
