/**
 * A trace in one file, whatever wrote it: recognized by its content (`recognize.ts`), and delivered as sources of
 * events. A new dialect is one reader and one line of `readTrace`.
 */

import { statSync } from "node:fs";
import { basename } from "node:path";
import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import type { EventSource } from "../../model/collected.js";
import { COUNTING_CLOCKS } from "../../model/machine.js";
import type { RecordFilter, TraceFile, TracePart } from "../../model/traces/trace-file.js";
import { openQemuLog } from "../agents/qemu-log.js";
import { fileSource } from "../files/file-source.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { CaptureReadError } from "../files/whole-file.js";
import { ftraceTextSource } from "../ftrace-text/ftrace-text.js";
import { openKernelLog } from "../kernel-log/kernel-log.js";
import { isChainOfPackets, isPerfetto } from "../perfetto-trace/packets.js";
import { openPerfetto } from "../perfetto-trace/perfetto-trace.js";
import { isTraceDat, openTraceDat } from "../trace-dat/trace-dat.js";
import { packerOf, packerOfFile, type UnpackedFile, unpackFile, unpackInMemory } from "../unpack/packed-file.js";
import { isPagesFile, openRawPages } from "./raw-pages.js";
import {
  HEAD_SIZES,
  knownButUnread,
  type TextEvidence,
  textEvidence,
  unreadableOption,
  unrecognized,
} from "./recognize.js";

type Opened = Result<TraceFile, string>;

function openDat(source: ByteSource, sink: DefectSink, limits: ReaderLimits): Opened {
  const found = openTraceDat(source, "old", sink, limits);
  if (!found.ok) return found;
  const { version, facts, instances } = found.value;
  const { traceId, timeShift } = facts;
  const session = traceId === null ? null : { id: traceId, peer: timeShift?.peer ?? null };
  return ok({ what: `trace.dat, version ${version}`, uname: facts.uname, parts: instances.map(withRate), session });
}

/** A trace.dat holds no kernel's log, so that the rate of a clock that counts is not known. */
function withRate<T extends { readonly clock: string }>(part: T): T & Pick<TracePart, "nsPerCount"> {
  return { ...part, nsPerCount: COUNTING_CLOCKS.has(part.clock) ? null : 1 };
}

function openFtraceText(source: ByteSource, before: number): Opened {
  const part = (filter?: RecordFilter): EventSource =>
    ftraceTextSource({ boot: "old", source, clock: "local", eventNames: null, linesBefore: before, filter });
  return ok({
    what: "ftrace text",
    uname: null,
    session: null,
    parts: [{ name: "", clock: "local", nsPerCount: 1, source: part }],
  });
}

function openPerfettoTrace(source: ByteSource, limits: ReaderLimits): Opened {
  const found = openPerfetto(source, "old", limits);
  if (!found.ok) return found;
  const events = found.value;
  const part = {
    name: "",
    clock: events.clock,
    nsPerCount: 1,
    source: (filter?: RecordFilter) => events.source(filter),
  };
  return ok({ what: "Perfetto trace", uname: null, session: null, parts: [part] });
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
    const file = openFile(path, sink, limits);
    if (!file.ok) return file;
    const found = readTrace(file.value, sink, limits);
    if (found.ok) return ok({ ...found.value, close: () => file.value.close() });
    file.value.close();
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
  const { clock, nsPerCount, uname, source, close } = found.value;
  return ok({ what: "raw pages", uname, session: null, parts: [{ name: "", clock, nsPerCount, source }], close });
}

/** A regular file's bytes, unpacked if it is packed. */
function openFile(path: string, sink: DefectSink, limits: ReaderLimits): Result<UnpackedFile, string> {
  const name = basename(path);
  const source = fileSource(name, path);
  if (!source.isRegular) {
    source.close();
    return err("it is not a regular file");
  }
  const packer = packerOfFile(path);
  if (packer === null) return ok(source);
  source.close();
  return unpackFile(name, path, packer, limits["packed-trace-bytes"], sink);
}

/** As openTraceFile, of bytes from anywhere. */
export function readTrace(source: ByteSource, sink: DefectSink, limits: ReaderLimits = USUAL_READER_LIMITS): Opened {
  const first = headOf(source, HEAD_SIZES[0] as number);
  const packer = packerOf(first);
  if (packer !== null) {
    const unpacked = unpackInMemory(source, packer, limits["packed-trace-bytes"]);
    if (!unpacked.ok) return unpacked;
    const isPackedAgain = packerOf(headOf(unpacked.value, 8)) !== null;
    return isPackedAgain
      ? err(`packed twice; unpack it first: ${packer} -dk FILE`)
      : readTrace(unpacked.value, sink, limits);
  }
  if (isTraceDat(first)) return openDat(source, sink, limits);
  if (isChainOfPackets(first)) return openPerfettoTrace(source, limits);
  const known = knownButUnread(first);
  if (known !== null) return err(known);
  let evidence: TextEvidence | null = null;
  for (const [i, size] of HEAD_SIZES.entries()) {
    const head = i === 0 ? first : headOf(source, size);
    evidence = textEvidence(head, head.length >= source.size);
    const { ftrace, kernelLog, qemu, before, events, sample, hasKernelClock } = evidence;
    // A QEMU log's stamps look like journalctl's.
    const isLog = kernelLog > 0 && (qemu === 0 || (hasKernelClock && kernelLog >= qemu));
    if (ftrace > 0 && ftrace >= Math.max(kernelLog, qemu)) {
      if (events === 0) {
        const option = unreadableOption(sample);
        if (option !== null) return err(option);
      }
      return openFtraceText(source, before);
    }
    if (isLog) return openKernelLog(source, sample);
    if (qemu > 0) return openQemuLog(source);
    if (i === 0 && isPerfetto(first)) return openPerfettoTrace(source, limits);
    if (head.length >= source.size) break;
  }
  return err(unrecognized(evidence));
}

function headOf(source: ByteSource, most: number): Uint8Array {
  const head = new Uint8Array(Math.min(most, Math.max(0, source.size)));
  return head.subarray(0, source.read(head, 0));
}
