/**
 * Any trace's events as a Perfetto trace, without an analysis: events with a Perfetto message as ftrace events, so that
 * it draws CPUs and threads, and all others as ftrace events with their names and fields; function graphs as slices of
 * their task; marks, and events without a CPU or a task, as instants. `docs/perfetto-export.md` describes the file of a
 * live update, which has more.
 */
import { type EventChunk, EventKind } from "../../model/collected.js";
import { isFtraceRow, type PerfettoEventFeed, writeFtrace } from "./packets/ftrace.js";
import { isAtrace } from "./packets/ftrace-events.js";
import { PID_LIMIT } from "./packets/tasks.js";
import type { TraceTime } from "./packets/trace-time.js";
import { TraceWriter } from "./packets/trace-writer.js";

export interface PerfettoEventCounts {
  readonly bytes: number;
  readonly packets: number;
  /** Ftrace events in a message of their own, and all others. */
  readonly ftraceEvents: number;
  readonly genericEvents: number;
  readonly slices: number;
  readonly instants: number;
}

export interface PerfettoEventsOptions {
  /** The name of the process of all tasks. */
  readonly name: string;
  readonly release: string | null;
  readonly machine: string | null;
  /** What is unusual about its times; null: they are nanoseconds. */
  readonly clockNote: string | null;
}

/** The process of all tasks: traces do not record which thread belongs to which process. Beyond every thread's id. */
const PROCESS = 2 * PID_LIMIT;
const UNKNOWN_COMM = "<...>";

/** `feed` streams the rows with their time in nanoseconds, from 0 up (NaN: skip the row), and is called twice. */
export function writePerfettoEvents(
  feed: PerfettoEventFeed,
  options: PerfettoEventsOptions,
  out: (bytes: Uint8Array) => void,
): PerfettoEventCounts {
  const writer = new TraceWriter(out);
  writer.systemInfo(options.release, options.machine);
  if (options.clockNote !== null) writer.attributes([["blackout.clock_note", options.clockNote]]);
  writer.track({ parent: 0, name: "", process: { pid: PROCESS, name: options.name } });
  const names = new Map<number, string>();
  const tasks = {
    name(_boot: unknown, tid: number, comm: string, at: number): void {
      if (tid === 0 || comm === "" || comm === UNKNOWN_COMM || names.get(tid) === comm) return;
      names.set(tid, comm);
      writer.threadName(at, tid, PROCESS, comm);
    },
  };
  const placed = (_boot: unknown, ns: number): number | null => (Number.isSafeInteger(ns) && ns >= 0 ? ns : null);
  const time: TraceTime = { joint: true, zeroNs: { old: 0, new: 0 }, bounds: null, at: placed, nearTraced: () => true };
  const ftrace = writeFtrace(writer, feed, tasks, time, false);
  const others = new OtherEvents(writer);
  feed((chunk, axisNs) => others.chunk(chunk, axisNs));
  others.finish();
  writer.finish();
  return {
    bytes: writer.bytes,
    packets: writer.packets,
    ftraceEvents: ftrace.written,
    genericEvents: ftrace.generic,
    slices: writer.slices,
    instants: writer.instants,
  };
}

/** A task's track, and how deep in functions it is there. */
interface TaskTrack {
  readonly uuid: number;
  depth: number;
  lastAt: number;
}

class OtherEvents {
  readonly #writer: TraceWriter;
  readonly #tracks = new Map<number, TaskTrack>();

  constructor(writer: TraceWriter) {
    this.#writer = writer;
  }

  /** A thread's own; the idle tasks share pid 0, so theirs is the CPU's. */
  #track(pid: number, cpu: number, comm: string): TaskTrack {
    const key = pid > 0 ? pid : -1 - cpu;
    const known = this.#tracks.get(key);
    if (known !== undefined) return known;
    const name = comm === "" || comm === UNKNOWN_COMM ? null : comm;
    const uuid =
      pid > 0 && pid < PID_LIMIT
        ? this.#writer.track({ parent: 0, name: "", thread: { pid: PROCESS, tid: pid, name } })
        : this.#writer.track({ parent: 0, name: `CPU ${cpu}, idle` });
    const track = { uuid, depth: 0, lastAt: 0 };
    this.#tracks.set(key, track);
    return track;
  }

  chunk(chunk: EventChunk, axisNs: Float64Array): void {
    for (let row = 0; row < chunk.count; row++) {
      const at = axisNs[row] as number;
      if (!Number.isSafeInteger(at) || at < 0) continue;
      const name = chunk.strings.stringOf(chunk.name[row] as number);
      const kind = chunk.kind[row];
      if (kind === EventKind.event && isFtraceRow(chunk, row)) continue;
      const comm = chunk.strings.stringOf(chunk.comm[row] as number);
      const track = this.#track(chunk.pid[row] as number, chunk.cpu[row] as number, comm);
      this.#row(chunk, row, at, name, track);
      track.lastAt = at;
    }
  }

  #row(chunk: EventChunk, row: number, at: number, name: string, track: TaskTrack): void {
    const fields = chunk.fields(row);
    switch (chunk.kind[row]) {
      case EventKind.graphEntry:
        track.depth += 1;
        this.#writer.event("slice", at, track.uuid, functionName(String(fields.get("func") ?? "?")), "function", []);
        return;
      case EventKind.graphExit:
        // A return whose call was not recorded ends nothing.
        if (track.depth === 0) return;
        track.depth -= 1;
        this.#writer.endSlice(at, track.uuid);
        return;
      case EventKind.graphLeaf: {
        this.#writer.event("slice", at, track.uuid, functionName(String(fields.get("func") ?? "?")), "function", []);
        const duration = fields.get("duration");
        this.#writer.endSlice(
          at + (typeof duration === "number" && duration > 0 ? Math.round(duration) : 0),
          track.uuid,
        );
        return;
      }
      case EventKind.marker:
        if (isFtraceRow(chunk, row) && isAtrace(String(fields.get("buf") ?? ""))) return;
        this.#writer.event("instant", at, track.uuid, String(fields.get("buf") ?? "").trimEnd(), "marker", []);
        return;
      default: {
        const annotations: [string, string | number][] = [];
        for (const [key, value] of fields) {
          annotations.push([key, typeof value === "bigint" ? `0x${BigInt.asUintN(64, value).toString(16)}` : value]);
        }
        this.#writer.event("instant", at, track.uuid, name, "event", annotations);
      }
    }
  }

  /** Functions that had not returned end with their task's last event. */
  finish(): void {
    for (const track of this.#tracks.values()) {
      for (; track.depth > 0; track.depth--) this.#writer.endSlice(track.lastAt, track.uuid);
    }
  }
}

function functionName(symbol: string): string {
  const end = symbol.search(/\+0x| \[/);
  return end < 0 ? symbol : symbol.slice(0, end);
}
