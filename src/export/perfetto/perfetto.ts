/**
 * A live update as a Perfetto trace (docs/perfetto-export.md): one file for ui.perfetto.dev or trace_processor, with
 * the analysed document and its spans as track events, and scheduling and interrupts of both boots as ftrace events.
 */
import type { LiveUpdate, LiveUpdateDocument } from "../../model/live-update.js";
import { machineWithTsc } from "../../model/machine.js";
import { writeCarriedUpdate } from "./carried-update.js";
import { extentsOf, type PerfettoEventFeed, writeFtrace } from "./packets/ftrace.js";
import { NEW_BOOT_TID_OFFSET, Tasks } from "./packets/tasks.js";
import { type TraceTime, traceTimeOf } from "./packets/trace-time.js";
import { type Annotations, TraceWriter } from "./packets/trace-writer.js";
import { type Attribution, writeAttribution } from "./tracks/attribution-tracks.js";
import { writeDocument } from "./tracks/document-tracks.js";
import { writeSpans } from "./tracks/span-tracks.js";

export type { PerfettoEventFeed } from "./packets/ftrace.js";
export { type Attribution, attributionOf } from "./tracks/attribution-tracks.js";

export interface PerfettoCounts {
  readonly bytes: number;
  readonly packets: number;
  readonly tracks: number;
  readonly slices: number;
  readonly instants: number;
  readonly ftraceEvents: number;
  /** Events without a message of their own, each with its name and fields. */
  readonly ftraceGeneric: number;
  /** Rows of the function graph; their calls are in the slices. */
  readonly ftraceGraph: number;
  /** Rows without a CPU, task or time. */
  readonly ftraceUndecoded: number;
  /** Added ftrace records, which end or begin what runs on a CPU on either side of the seam. */
  readonly ftraceClosing: number;
  /** Spans, log lines, defects and parts of the document that have no time, or none that a trace can hold. */
  readonly unplaced: number;
  /** Log lines more than a minute away from everything that was traced. */
  readonly printkOutside: number;
}

/** More labels than this are left out. */
const MAX_LABELS = 64;

/**
 * Writes the trace piece by piece; `out` owns each piece, and their concatenation is the file. Without `events` the
 * file has no CPU tracks, without `attribution` no tracks of where the time went, without `carried` (the update as a
 * report packs it) the viewer cannot open it. Does not throw.
 */
export function writePerfetto(
  update: LiveUpdate,
  events: PerfettoEventFeed | null,
  out: (bytes: Uint8Array) => void,
  attribution: Attribution | null = null,
  carried: Uint8Array | null = null,
): PerfettoCounts {
  const { document } = update;
  // Axes that no link joins are drawn one after the other, so the first one's length must be known beforehand.
  const early = events !== null && document.clock.method === "none" ? extentsOf(events) : { old: null, new: null };
  const time = traceTimeOf(update, early);
  const writer = new TraceWriter(out);
  const { kernel } = document.capture;
  writer.systemInfo(kernel.old ?? kernel.new, machineWithTsc(document.clock.tscKhz)?.name ?? null);
  writer.attributes(attributesOf(document, time));
  if (carried !== null) writeCarriedUpdate(writer, carried);
  const tasks = new Tasks(writer, kernel);
  const tracks = writeDocument(writer, update, time);
  const spansUnplaced = writeSpans(writer, update.spans, tracks, tasks, time);
  const ftrace =
    events === null
      ? { written: 0, generic: 0, graph: 0, undecoded: 0, closing: 0 }
      : writeFtrace(writer, events, tasks, time, true);
  const attributionUnplaced =
    attribution === null ? 0 : writeAttribution(writer, attribution, update.spans, tracks.roots, time);
  const unplaced = tracks.unplaced + spansUnplaced + attributionUnplaced;
  writer.attributes([
    ["blackout.left_out.unplaced", unplaced],
    ["blackout.left_out.printk_outside", tracks.printkOutside],
    ["blackout.left_out.events_graph", ftrace.graph],
    ["blackout.left_out.events_undecoded", ftrace.undecoded],
    ["blackout.added.closing_events", ftrace.closing],
  ]);
  writer.finish();
  return {
    bytes: writer.bytes,
    packets: writer.packets,
    tracks: writer.tracks,
    slices: writer.slices,
    instants: writer.instants,
    ftraceEvents: ftrace.written,
    ftraceGeneric: ftrace.generic,
    ftraceGraph: ftrace.graph,
    ftraceUndecoded: ftrace.undecoded,
    ftraceClosing: ftrace.closing,
    unplaced,
    printkOutside: tracks.printkOutside,
  };
}

function attributesOf(document: LiveUpdateDocument, time: TraceTime): Annotations {
  const { capture, clock, blackout } = document;
  const zero: Annotations = time.joint
    ? [["blackout.axis_zero_ns", time.zeroNs.old]]
    : [
        ["blackout.axis_zero_old_ns", time.zeroNs.old],
        ["blackout.axis_zero_new_ns", time.zeroNs.new],
      ];
  return [
    ...zero,
    ["blackout.capture", capture.name],
    ["blackout.kernel_old", capture.kernel.old],
    ["blackout.kernel_new", capture.kernel.new],
    ["blackout.probe_level", capture.probeLevel],
    ["blackout.outcome", document.outcome],
    ["blackout.outcome_reason", document.outcomeReason],
    ["blackout.clock_method", clock.method],
    ["blackout.clock_uncertainty_ns", clock.uncertaintyNs],
    ["blackout.basis", blackout.basis],
    ["blackout.duration_ns", blackout.durationNs],
    ["blackout.duration_uncertainty_ns", blackout.uncertaintyNs],
    ["blackout.defects", document.defects.reduce((sum, found) => sum + found.count, 0)],
    ["blackout.new_boot_tid_offset", NEW_BOOT_TID_OFFSET],
    ...Object.entries(capture.labels)
      .slice(0, MAX_LABELS)
      .map(([key, value]) => [`blackout.label.${key}`, value] as const),
  ];
}
