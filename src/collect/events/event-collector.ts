/**
 * Reads one boot's event stream once and keeps what the analysis needs: key events (decoded), and the spans that pairs
 * of events make. Names are classified once each, so that the rows of all other events cost a table look-up.
 */

import type { StringTable } from "../../base/bytes/string-table.js";
import type { DefectInput } from "../../base/defect.js";
import {
  type EventChunk,
  type EventInterest,
  EventKind,
  type EventSink,
  type KeyEvent,
} from "../../model/collected.js";
import { CpuSights } from "./cpu-sights.js";
import { type OpenSpan, SpanCollector } from "./span-collector.js";
import { allTracers, type Tracers } from "./tracers/all-tracers.js";
import type { KeyPart, ReadRow, Recording } from "./tracers/tracer.js";
import type { VcpuSight } from "./tracers/vcpus.js";
import { WakeupCollector } from "./wakeup-collector.js";

/** A key event before its clock is linked: `count` is in counts of the trace clock since the source's base. */
export interface UnplacedKeyEvent extends Omit<KeyEvent, "at"> {
  readonly count: number;
}

/** Beyond this many key events a capture is not a live update but a flood; the rest is counted in a defect. */
const MAX_KEY_EVENTS = 500_000;

const ignored: ReadRow = () => {};

export class EventCollector implements EventSink {
  readonly defect: (input: DefectInput) => void;
  readonly keyEvents: UnplacedKeyEvent[] = [];
  readonly spans = new SpanCollector();
  readonly wakeups = new WakeupCollector();
  readonly interest: EventInterest = {
    wants: (name, hasField) => this.#readerOf(name, hasField) !== ignored,
    begins: (cpu, base, time) => {
      this.base ??= base;
      this.#begin(time);
      this.#cpus.begins(cpu, time);
    },
    ends: (cpu, time, pid, comm) => {
      if (!(this.last >= time)) this.last = time;
      this.spans.seen(this.last);
      this.#cpus.seen(cpu, time, pid, comm);
    },
  };
  /** First and last sight of each vCPU's thread in or out of the guest, in counts since the base. */
  readonly vcpus = new Map<number, VcpuSight>();
  /** Names of tasks that the trace itself shows, for those whose name the kernel's short list had forgotten. */
  readonly taskNames = new Map<number, string>();
  /** The source's base; null until its first event. */
  base: bigint | null = null;
  first = Number.NaN;
  last = Number.NaN;
  readonly #tracers: Tracers;
  /** By id of the event's name. */
  readonly #readers: ReadRow[] = [];
  /** Key calls not yet returned, by the row of their span. */
  readonly #calls = new Map<number, UnplacedKeyEvent>();
  readonly #cpus = new CpuSights();
  /** Tasks with key events of their own. */
  readonly #pathTasks = new Set<number>();
  #dropped = 0;
  #strings: StringTable | null = null;

  /** `report` takes the reader's defects and the collector's own. */
  constructor(report: (input: DefectInput) => void) {
    this.defect = report;
    const recording: Recording = {
      spans: this.spans,
      span: (chunk, row, kind, name, detail, evidence) => this.#span(chunk, row, kind, name, detail, evidence),
      keep: (chunk, row, part, spanRow = -1) => this.#keep(chunk, row, part, spanRow),
      keepReturn: (chunk, row, part, spanRow) => this.#keepReturn(chunk, row, part, spanRow),
      isKept: (spanRow) => this.#calls.has(spanRow),
      functionCalled: (chunk, row) => this.#tracers.notifiers.ended(chunk, row),
    };
    this.#tracers = allTracers(recording, {
      wakeups: this.wakeups,
      vcpus: this.vcpus,
      taskNames: this.taskNames,
      pathTasks: this.#pathTasks,
      cpus: this.#cpus,
      stringOf: (id) => this.#strings?.stringOf(id) ?? "",
    });
  }

  chunk(chunk: EventChunk): void {
    if (chunk.count === 0) return;
    this.base ??= chunk.base;
    const { kind, name, time, cpu, pid, comm } = chunk;
    this.#strings = chunk.strings;
    const { marks, graph } = this.#tracers;
    for (let row = 0; row < chunk.count; row++) {
      const at = time[row] as number;
      // A function graph printed without absolute time shows order, not when.
      if (Number.isNaN(at)) continue;
      if (Number.isNaN(this.first)) this.#begin(at);
      this.last = at;
      this.#cpus.seen(cpu[row] as number, at, pid[row] as number, comm[row] as number);
      switch (kind[row]) {
        case EventKind.event: {
          const id = name[row] as number;
          const read = this.#readers[id] ?? this.#classify(chunk, row, id);
          if (read !== ignored) read(chunk, row);
          break;
        }
        case EventKind.marker:
          marks(chunk, row);
          break;
        default:
          graph(chunk, row);
      }
    }
    if (!Number.isNaN(this.last)) this.spans.seen(this.last);
  }

  #begin(time: number): void {
    if (!Number.isNaN(this.first)) return;
    this.first = time;
    this.spans.seen(time);
  }

  finish(): void {
    this.#tracers.finish();
    this.spans.finish();
    if (this.#dropped > 0) {
      this.defect({
        code: "events-too-many",
        severity: "error",
        file: "",
        message: `${this.#dropped} further key events were left out: more than ${MAX_KEY_EVENTS} were found.`,
        advice: "Record fewer events, or only the time around the update.",
      });
    }
  }

  #readerOf(name: string, hasField: (field: string) => boolean): ReadRow {
    const known = this.#tracers.events.get(name);
    if (known !== undefined) return known;
    const { entry, exit } = this.#tracers.probes;
    if (hasField("__probe_ret_ip") || hasField("__probe_func")) return exit;
    return hasField("__probe_ip") ? entry : ignored;
  }

  #classify(chunk: EventChunk, row: number, id: number): ReadRow {
    const fields = chunk.fields(row);
    const found = this.#readerOf(chunk.strings.stringOf(id), (field) => fields.has(field));
    this.#readers[id] = found;
    return found;
  }

  #keep(chunk: EventChunk, row: number, part: KeyPart, spanRow: number): void {
    if (this.keyEvents.length >= MAX_KEY_EVENTS) {
      this.#dropped += 1;
      return;
    }
    const event: UnplacedKeyEvent = {
      ...part,
      ...(spanRow < 0 ? {} : { span: spanRow }),
      count: chunk.time[row] as number,
      cpu: chunk.cpu[row] as number,
      pid: chunk.pid[row] as number,
      task: chunk.strings.stringOf(chunk.comm[row] as number),
      file: chunk.fileOf(row),
      place: chunk.place[row] as number,
    };
    this.keyEvents.push(event);
    if (event.what === "call" && spanRow >= 0) this.#calls.set(spanRow, event);
    if (event.what !== "printk") this.#pathTasks.add(event.pid);
  }

  #keepReturn(chunk: EventChunk, row: number, part: Omit<KeyPart, "what">, spanRow: number): void {
    const call = this.#calls.get(spanRow);
    this.#calls.delete(spanRow);
    const fields = call === undefined ? part.fields : new Map([...call.fields, ...part.fields]);
    this.#keep(chunk, row, { ...part, fields, what: "return" }, spanRow);
  }

  #span(
    chunk: EventChunk,
    row: number,
    kind: OpenSpan["kind"],
    name: string,
    detail: string,
    evidence: string,
  ): OpenSpan {
    // Of an interrupt itself the task is who was interrupted; a function that it calls is not its work.
    const isInterrupts = kind === "function" && chunk.inInterrupt(row);
    return {
      kind,
      name,
      detail,
      evidence,
      cpu: chunk.cpu[row] as number,
      pid: isInterrupts ? -1 : (chunk.pid[row] as number),
      task: isInterrupts ? "" : chunk.strings.stringOf(chunk.comm[row] as number),
    };
  }
}
