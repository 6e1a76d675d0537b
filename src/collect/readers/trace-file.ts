/**
 * A trace in one file, whatever wrote it: recognized by its first bytes, and delivered as sources of events. A new
 * dialect is one reader and one row of `DIALECTS`.
 */

import { statSync } from "node:fs";
import { basename } from "node:path";
import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import type { TraceFile } from "../../model/traces/trace-file.js";
import { isQemuLog, openQemuLog } from "../agents/qemu-log.js";
import { fileSource } from "../files/file-source.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { CaptureReadError } from "../files/whole-file.js";
import { ftraceTextSource } from "../ftrace-text/ftrace-text.js";
import { isKernelLog, openKernelLog } from "../kernel-log/kernel-log.js";
import { isPerfetto, openPerfetto } from "../perfetto-trace/perfetto-trace.js";
import { isTraceDat, openTraceDat } from "../trace-dat/trace-dat.js";
import { isPagesFile, openRawPages } from "./raw-pages.js";

interface Dialect {
  /** `head` is the file's first bytes, up to HEAD_BYTES. */
  matches(head: Uint8Array): boolean;
  open(source: ByteSource, sink: DefectSink, limits: ReaderLimits): Result<TraceFile, string>;
}

const HEAD_BYTES = 64 * 1024;

const DIALECTS: readonly Dialect[] = [
  {
    matches: isTraceDat,
    open(source, sink, limits) {
      const found = openTraceDat(source, "old", sink, limits);
      if (!found.ok) return found;
      const { version, facts, instances } = found.value;
      const { traceId, timeShift } = facts;
      const session = traceId === null ? null : { id: traceId, peer: timeShift?.peer ?? null };
      return ok({ what: `trace.dat, version ${version}`, uname: facts.uname, parts: instances, session });
    },
  },
  // Before Perfetto: a blank line is also how a packet begins.
  {
    matches: isFtraceText,
    open: (source) =>
      ok({
        what: "ftrace text",
        uname: null,
        session: null,
        parts: [
          {
            name: "",
            clock: "local",
            source: (filter) => ftraceTextSource({ boot: "old", source, clock: "local", eventNames: null, filter }),
          },
        ],
      }),
  },
  { matches: isKernelLog, open: openKernelLog },
  { matches: isQemuLog, open: openQemuLog },
  {
    matches: isPerfetto,
    open(source, _sink, limits) {
      const found = openPerfetto(source, "old", limits);
      if (!found.ok) return found;
      const events = found.value;
      return ok({
        what: "Perfetto trace",
        uname: null,
        session: null,
        parts: [{ name: "", clock: events.clock, source: (filter) => events.source(filter) }],
      });
    },
  },
];

/** The kernel's header, or a line with `[CPU] … TIME: ` as trace_pipe and trace-cmd's report print it. */
function isFtraceText(head: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(head.subarray(0, 8192));
  if (text.includes("\0")) return false;
  return (
    /^# tracer: /m.test(text) || /^cpus=\d+\n/.test(text) || /-\d+ +(?:\(.{7}\) +)?\[\d{3,}\] .*?[\d.]+: /.test(text)
  );
}

/** An open trace; the caller that opens it closes it. */
export type OpenTrace = TraceFile & { close(): void };

/**
 * Opens a trace: a file of any dialect, or raw pages (a folder, or one CPU's file), whose event formats may lie in the
 * folder `formats`. The error says why it cannot be read.
 */
export function openTraceFile(
  path: string,
  sink: DefectSink,
  formats: string | null = null,
  limits: ReaderLimits = USUAL_READER_LIMITS,
): Result<OpenTrace, string> {
  try {
    if (statSync(path).isDirectory() || isPagesFile(path)) return openPages(path, formats, sink, limits);
    const source = fileSource(basename(path), path);
    const found = source.isRegular ? readTrace(source, sink, limits) : err("it is not a regular file");
    if (found.ok) return ok({ ...found.value, close: () => source.close() });
    source.close();
    return found;
  } catch (error) {
    const isOfTheWorld = error instanceof CaptureReadError || (error as NodeJS.ErrnoException).code !== undefined;
    if (!isOfTheWorld) throw error;
    return err((error as Error).message);
  }
}

function openPages(
  path: string,
  formats: string | null,
  sink: DefectSink,
  limits: ReaderLimits,
): Result<OpenTrace, string> {
  const found = openRawPages(path, formats, sink, limits);
  if (!found.ok) return found;
  const { clock, uname, source, close } = found.value;
  return ok({ what: "raw pages", uname, session: null, parts: [{ name: "", clock, source }], close });
}

/** As openTraceFile, of bytes from anywhere. */
export function readTrace(
  source: ByteSource,
  sink: DefectSink,
  limits: ReaderLimits = USUAL_READER_LIMITS,
): Result<TraceFile, string> {
  const head = new Uint8Array(Math.min(HEAD_BYTES, source.size));
  source.read(head, 0);
  const dialect = DIALECTS.find(({ matches }) => matches(head));
  if (dialect === undefined)
    return err("unrecognized format; supported: trace.dat, Perfetto, ftrace text, kernel log, QEMU log");
  return dialect.open(source, sink, limits);
}
