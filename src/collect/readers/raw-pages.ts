/**
 * Raw pages outside a capture: a folder like an instance of tracefs, with `per_cpu/cpuN/trace_pipe_raw`, or one such
 * file; and beside it, or in a folder named by the user, what decodes them: the event formats as `formats.gz`,
 * `formats` or the tree `events/`, and, if saved, header_page, kallsyms, saved_cmdlines, printk_formats.
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput, DefectSink } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import { type EventSource, traceClockOf } from "../../model/collected.js";
import { COUNTING_CLOCKS } from "../../model/machine.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { parsePrintkFormats } from "../event-text/kernel-facts.js";
import { type FileSource, fileSource } from "../files/file-source.js";
import { openFile } from "../files/open-file.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { wholeFile } from "../files/whole-file.js";
import { type ParsedFormats, parseFormatFiles, parseFormats } from "../formats/event-format.js";
import { parseKallsyms, type SymbolTable } from "../formats/kallsyms.js";
import { kernelLogFacts, tscKhzFor } from "../kernel-log/kernel-log-facts.js";
import { readKmsg } from "../kernel-log/kmsg.js";
import { DEFAULT_LAYOUT, parseHeaderPage, parseSavedCmdlines, ringBufferSource } from "../ring-buffer/ring-buffer.js";
import { activeClockName } from "../trace-dat/options.js";

/** A kernel has some 3,000 events. */
const MAX_FORMAT_FILES = 100_000;
const PAGES = "trace_pipe_raw";

export interface RawPages {
  readonly clock: string;
  /** As TracePart's: of a clock that counts, by the rate in the kernel's log beside the pages. */
  readonly nsPerCount: number | null;
  readonly uname: string | null;
  source(filter?: RecordFilter): EventSource;
  close(): void;
}

/** Whether a file has tracefs's name for a CPU's pages: their first bytes do not identify them. */
export function isPagesFile(path: string): boolean {
  return basename(path) === PAGES;
}

/**
 * Opens a folder of pages, or one CPU's file; `formats` names the folder with what decodes them, if it is another.
 */
export function openRawPages(
  path: string,
  formats: string | null,
  sink: DefectSink,
  limits: ReaderLimits = USUAL_READER_LIMITS,
): Result<RawPages, string> {
  const whole = resolve(path);
  const folder = isPagesFile(whole) ? dirname(dirname(dirname(whole))) : whole;
  const cpus = isPagesFile(whole) ? [whole] : pagesIn(whole);
  if (cpus.length === 0) {
    return err(`the folder holds neither a capture (capture.json) nor raw pages (per_cpu/cpuN/${PAGES})`);
  }
  if (formats !== null && !statSync(formats, { throwIfNoEntry: false })?.isDirectory()) {
    return err(`--formats ${formats} is not a folder: give the one that has formats.gz, formats or events/`);
  }
  const places = formats === null ? besides(folder) : [resolve(formats)];
  const read = formatsIn(places, sink, limits);
  if (!read.ok) return read;
  const found = read.value;
  if (found === null) {
    return err(
      `there are no event formats in ${places.join(" or ")} (formats.gz, formats or events/), without which pages cannot be decoded: name their folder with --formats`,
    );
  }
  const tableBytes = limits["table-bytes"];
  const header = textIn(sink, places, ["header_page", "events/header_page"], tableBytes);
  const layout = header === null ? null : parseHeaderPage(header);
  if (layout === null) {
    sink.defect({
      code: "ring-layout-assumed",
      severity: "note",
      file: "header_page",
      message: "It is missing or makes no sense: sub-buffers of 4,096 bytes of a 64-bit kernel are assumed.",
      advice: "Save events/header_page with the pages.",
    });
  }
  const clock = activeClockName(textIn(sink, [folder], ["trace_clock"], tableBytes) ?? "") ?? "local";
  let symbols: SymbolTable | null | undefined;
  const pages = cpus.map((file): { cpu: number; source: FileSource } => ({
    cpu: cpuOf(file),
    source: fileSource(relative(dirname(folder), file), file),
  }));
  const close = (): void => {
    for (const { source } of pages) source.close();
  };
  const strange = pages.find(({ source }) => !source.isRegular);
  if (strange !== undefined) {
    close();
    return err(`${strange.source.name} is not a regular file: save the pages of a live trace with 'cat' first`);
  }
  const comms = parseSavedCmdlines(textIn(sink, places, ["saved_cmdlines"], tableBytes) ?? "");
  const strings = parsePrintkFormats(textIn(sink, places, ["printk_formats"], tableBytes) ?? "");
  return ok({
    clock,
    nsPerCount: COUNTING_CLOCKS.has(clock) ? nsPerCountBeside(clock, places, sink, limits) : 1,
    uname: textIn(sink, places, ["uname"], tableBytes)?.trim() ?? null,
    source: (filter) =>
      ringBufferSource({
        boot: "old",
        formats: found,
        layout: layout ?? DEFAULT_LAYOUT,
        clock: traceClockOf(clock),
        cpus: pages.map((own) => ({ ...own, entries: null })),
        comms,
        strings,
        symbols: () => {
          if (symbols === undefined) {
            const bytes = bytesIn(sink, places, ["kallsyms.gz", "kallsyms"], limits["kallsyms-bytes"]);
            symbols = bytes === null ? null : parseKallsyms(bytes);
          }
          return symbols;
        },
        ...(filter === undefined ? {} : { filter }),
      }),
    close,
  });
}

/** By the rate that the boot's own log states, as `dmesg` or `dmesg.gz` beside the pages; null if there is none. */
function nsPerCountBeside(
  clock: string,
  places: readonly string[],
  sink: DefectSink,
  limits: ReaderLimits,
): number | null {
  const bytes = bytesIn(sink, places, ["dmesg", "dmesg.gz"], limits["table-bytes"]);
  if (bytes === null) return null;
  const lines = readKmsg(memorySource("dmesg", bytes), "old", { defect: () => {} });
  const khz = tscKhzFor(traceClockOf(clock), kernelLogFacts(lines));
  return khz === null ? null : 1e6 / khz;
}

/** A captured ring has its formats in the old kernel's part beside it. */
function besides(folder: string): readonly string[] {
  return [folder, dirname(folder), ...(basename(folder) === "ring" ? [join(dirname(folder), "old")] : [])];
}

function cpuOf(path: string): number {
  return Number(/(?:^|\/)cpu(\d{1,5})\/[^/]*$/.exec(path)?.[1] ?? 0);
}

function pagesIn(folder: string): readonly string[] {
  const place = join(folder, "per_cpu");
  if (!existsSync(place)) return [];
  return readdirSync(place)
    .filter((name) => /^cpu\d{1,4}$/.test(name))
    .sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)))
    .map((name) => join(place, name, PAGES))
    .filter((path) => existsSync(path));
}

/** The first of the files that exists, unpacked; null if none does, and, with a defect, if it cannot be used. */
function bytesIn(
  sink: DefectSink,
  places: readonly string[],
  names: readonly string[],
  limit: number,
): Uint8Array | null {
  for (const place of places) {
    for (const name of names) {
      const path = join(place, name);
      if (statSync(path, { throwIfNoEntry: false })?.isFile())
        return wholeFile(name, () => openFile(path), limit, sink);
    }
  }
  return null;
}

function textIn(sink: DefectSink, places: readonly string[], names: readonly string[], limit: number): string | null {
  const bytes = bytesIn(sink, places, names, limit);
  return bytes === null ? null : new TextDecoder("utf-8").decode(bytes);
}

/** Null if there are none; the error states why those that exist cannot be used. */
function formatsIn(
  places: readonly string[],
  sink: DefectSink,
  limits: ReaderLimits,
): Result<ParsedFormats | null, string> {
  for (const place of places) {
    for (const name of ["formats.gz", "formats"]) {
      const problems: string[] = [];
      const own = { defect: ({ message }: DefectInput) => void problems.push(`${join(place, name)}: ${message}`) };
      const bytes = bytesIn(own, [place], [name], limits["formats-bytes"]);
      if (bytes !== null) return ok(parseFormats(bytes, name, sink));
      if (problems[0] !== undefined) return err(problems[0]);
    }
    const files = formatTree(join(place, "events"), sink, limits["table-bytes"]);
    if (files.length > 0) return ok(parseFormatFiles(files, "events", sink));
  }
  return ok(null);
}

/** `events/SYSTEM/EVENT/format`. */
function formatTree(
  events: string,
  sink: DefectSink,
  limit: number,
): readonly { readonly system: string; readonly text: string }[] {
  const files: { system: string; text: string }[] = [];
  for (const system of foldersIn(events)) {
    for (const event of foldersIn(join(events, system))) {
      const text = textIn(sink, [join(events, system, event)], ["format"], limit);
      if (text !== null && files.length < MAX_FORMAT_FILES) files.push({ system, text });
    }
  }
  return files;
}

function foldersIn(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
