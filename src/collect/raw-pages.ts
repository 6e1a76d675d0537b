/**
 * Raw pages outside a capture: a folder like an instance of tracefs, with `per_cpu/cpuN/trace_pipe_raw`, or one such
 * file; and beside it, or in a folder named by the user, what decodes them: the event formats as `formats.gz`,
 * `formats` or the tree `events/`, and where they were saved header_page, kallsyms, saved_cmdlines, printk_formats.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import type { DefectInput } from "../base/defect.js";
import { err, ok, type Result } from "../base/result.js";
import { type ParsedFormats, parseFormatFiles, parseFormats } from "./event-format.js";
import { parsePrintkFormats } from "./event-text/kernel-facts.js";
import { type FileSource, fileSource } from "./file-source.js";
import { parseKallsyms, type SymbolTable } from "./kallsyms.js";
import {
  DEFAULT_LAYOUT,
  parseHeaderPage,
  parseSavedCmdlines,
  type RecordFilter,
  ringBufferSource,
} from "./ring-buffer.js";
import { activeClockName } from "./trace-dat/options.js";
import { type EventSource, traceClockOf } from "./types.js";

/** Unpacked; as in a capture (docs/capture-format.md). */
const FORMATS_BYTES = 64 << 20;
const KALLSYMS_BYTES = 256 << 20;
const SMALL_BYTES = 16 << 20;
/** A kernel has some 3,000 events. */
const MAX_FORMAT_FILES = 100_000;
const PAGES = "trace_pipe_raw";

interface Sink {
  defect(input: DefectInput): void;
}

export interface RawPages {
  readonly clock: string;
  readonly uname: string | null;
  source(filter?: RecordFilter): EventSource;
  close(): void;
}

/** Whether a file is called as tracefs calls a CPU's pages: they have no first bytes to be told by. */
export function isPagesFile(path: string): boolean {
  return basename(path) === PAGES;
}

/** Opens a folder of pages, or one CPU's file; `formats` names the folder with what decodes them, where it is another. */
export function openRawPages(path: string, formats: string | null, sink: Sink): Result<RawPages, string> {
  const whole = resolve(path);
  const folder = isPagesFile(whole) ? dirname(dirname(dirname(whole))) : whole;
  const cpus = isPagesFile(whole) ? [whole] : pagesIn(whole);
  if (cpus.length === 0) {
    return err(`the folder holds neither a capture (capture.json) nor raw pages (per_cpu/cpuN/${PAGES})`);
  }
  const places = formats === null ? besides(folder) : [resolve(formats)];
  const found = formatsIn(places, sink);
  if (found === null) {
    return err(
      `there are no event formats in ${places.join(" or ")} (formats.gz, formats or events/), without which pages cannot be decoded: name their folder with --formats`,
    );
  }
  const header = textIn(places, ["header_page", "events/header_page"]);
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
  const clock = activeClockName(textIn([folder], ["trace_clock"]) ?? "") ?? "local";
  let symbols: SymbolTable | null | undefined;
  const pages = cpus.map((file): { cpu: number; source: FileSource } => ({
    cpu: cpuOf(file),
    source: fileSource(relative(dirname(folder), file), file),
  }));
  const comms = parseSavedCmdlines(textIn(places, ["saved_cmdlines"]) ?? "");
  const strings = parsePrintkFormats(textIn(places, ["printk_formats"]) ?? "");
  return ok({
    clock,
    uname: textIn(places, ["uname"])?.trim() ?? null,
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
            const bytes = bytesIn(places, ["kallsyms.gz", "kallsyms"], KALLSYMS_BYTES);
            symbols = bytes === null ? null : parseKallsyms(bytes);
          }
          return symbols;
        },
        ...(filter === undefined ? {} : { filter }),
      }),
    close: () => {
      for (const { source } of pages) source.close();
    },
  });
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

/** The first of the files that is there, unpacked; null where none is, or where it is larger than it may be. */
function bytesIn(places: readonly string[], names: readonly string[], limit: number): Uint8Array | null {
  for (const place of places) {
    for (const name of names) {
      const path = join(place, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined || !stat.isFile() || stat.size > limit) continue;
      const bytes = readFileSync(path);
      return name.endsWith(".gz") ? gunzipSync(bytes, { maxOutputLength: limit }) : bytes;
    }
  }
  return null;
}

function textIn(places: readonly string[], names: readonly string[]): string | null {
  const bytes = bytesIn(places, names, SMALL_BYTES);
  return bytes === null ? null : new TextDecoder("utf-8").decode(bytes);
}

function formatsIn(places: readonly string[], sink: Sink): ParsedFormats | null {
  for (const place of places) {
    for (const name of ["formats.gz", "formats"]) {
      const bytes = bytesIn([place], [name], FORMATS_BYTES);
      if (bytes !== null) return parseFormats(bytes, name, sink);
    }
    const files = formatTree(join(place, "events"));
    if (files.length > 0) return parseFormatFiles(files, "events", sink);
  }
  return null;
}

/** `events/SYSTEM/EVENT/format`. */
function formatTree(events: string): readonly { readonly system: string; readonly text: string }[] {
  const files: { system: string; text: string }[] = [];
  for (const system of foldersIn(events)) {
    for (const event of foldersIn(join(events, system))) {
      const text = textIn([join(events, system, event)], ["format"]);
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
