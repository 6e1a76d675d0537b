/**
 * Reads raw ring-buffer pages (`per_cpu/cpuN/trace_pipe_raw`) with the event formats of the boot that wrote them: the
 * only honest source of an old boot's events, whose ids and symbols the new kernel does not know. Layout: kernel
 * include/linux/ring_buffer.h, kernel/trace/ring_buffer.c; reference section 5.5.
 *
 * Pages are walked in place; an event costs a few integers in columns. CPUs are merged in time order, run by run.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { StringTable } from "../../base/bytes/string-table.js";
import type { DefectInput } from "../../base/defect.js";
import { DefectLog } from "../../base/defect.js";
import { Heap } from "../../base/numbers/heap.js";
import { formatDuration } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import {
  type EventInterest,
  EventKind,
  type EventSink,
  type EventSource,
  type ReadCounts,
  type TraceClock,
} from "../../model/collected.js";
import { COUNTING_CLOCKS } from "../../model/machine.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { EventText } from "../event-text/event-text.js";
import type { EventFormat, ParsedFormats } from "../formats/event-format.js";
import type { SymbolTable } from "../formats/kallsyms.js";
import { type CursorReports, END_OF_TIME, IdUse, PageCursor, type RecordUse, TimeBase } from "./page-cursor.js";
import { DEFAULT_LAYOUT, isLittleEndian, type PageLayout, parseHeaderPage } from "./page-layout.js";
import { commOf, FieldsByName, RecordChunk, type RecordTable } from "./record-chunk.js";
import { RowMemory } from "./row-memory.js";

export { DEFAULT_LAYOUT, END_OF_TIME, type PageLayout, parseHeaderPage };

export interface RingBufferInput {
  readonly boot: Boot;
  readonly cpus: readonly RingCpu[];
  readonly formats: ParsedFormats;
  readonly layout: PageLayout;
  /** Called only if a symbol is needed. */
  readonly symbols: () => SymbolTable | null;
  /** Task names by pid. */
  readonly comms: ReadonlyMap<number, string>;
  readonly clock: TraceClock;
  /** `printk_formats`: address to string; none unless given. */
  readonly strings?: ReadonlyMap<bigint, string>;
  /** Of the machine that wrote the pages; from the first page unless given. */
  readonly littleEndian?: boolean;
  /** What is wanted of the events; all unless given. */
  readonly filter?: RecordFilter;
  /** How the pages' counts become those that are handed on; as they are unless given. */
  readonly retime?: Retime;
  /** What the pages came in, for the report; `ring-buffer` unless given. */
  readonly dialect?: EventSource["dialect"];
}

export interface RingCpu {
  readonly cpu: number;
  /** Null if this CPU's pages are missing. */
  readonly source: ByteSource | null;
  /** The kernel's own count of entries, to check against. */
  readonly entries: number | null;
}

/** A count of the trace clock, on a CPU, as it is to be shown. It must not turn time round. */
export type Retime =
  | { readonly kind: "shift"; readonly by: bigint }
  | { readonly kind: "map"; readonly of: (count: bigint, cpu: number) => bigint };

/** `saved_cmdlines`: pid, blank, task name (which may hold blanks). */
export function parseSavedCmdlines(text: string): ReadonlyMap<number, string> {
  const comms = new Map<number, string>([[0, "<idle>"]]);
  for (const line of text.split("\n", 1_000_000)) {
    const match = /^(\d{1,10}) (.{1,64})$/.exec(line);
    if (match !== null) comms.set(Number(match[1]), match[2] as string);
  }
  return comms;
}

/** The events of one boot's pages, in chunks of raw records. Defects: `ring-*`, listed in docs/capture-format.md. */
export function ringBufferSource(input: RingBufferInput): EventSource {
  return {
    boot: input.boot,
    dialect: input.dialect ?? "ring-buffer",
    files: input.cpus.flatMap(({ source }) => (source === null ? [] : [source.name])),
    clock: input.clock,
    read: (sink) => new RingReader(input, sink).read(),
  };
}

/** Sub-buffers of 4 MiB, the largest there are, of as many CPUs as this together allows. */
const MAX_BLOCKS_BYTES = 1 << 30;

/** Trace clocks whose unit is not the nanosecond, or not known. */
const COUNTING: ReadonlySet<string> = new Set([...COUNTING_CLOCKS, "unknown"]);

class RingReader {
  readonly #input: RingBufferInput;
  readonly #sink: EventSink;
  readonly #defects = new DefectLog();
  readonly #table: RecordTable;
  /** Null: every row is wanted that the filter wants. */
  readonly #interest: EventInterest | null;
  readonly #base = new TimeBase();
  readonly #memory: RowMemory;
  readonly #cursors: readonly PageCursor[];
  readonly #file: string;
  #events = 0;
  #undecoded = 0;
  #unknownRecords = 0;
  #lost = 0;

  constructor(input: RingBufferInput, sink: EventSink) {
    this.#input = input;
    this.#sink = sink;
    const cpus = input.filter?.cpus ?? null;
    const present = input.cpus.flatMap(({ cpu, source }) =>
      source !== null && source.size > 0 && (cpus === null || cpus.has(cpu)) ? [{ cpu, source }] : [],
    );
    this.#file = (present[0]?.source ?? input.cpus.find(({ source }) => source !== null)?.source)?.name ?? "";
    const { layout } = input;
    // A file shorter than a page is reported and takes no room: hundreds of CPUs may have only a header's worth.
    const most = Math.floor(MAX_BLOCKS_BYTES / layout.pageBytes / 2);
    const whole = present.filter(({ source }) => source.size >= layout.pageBytes);
    const cut = present.filter(({ source }) => source.size < layout.pageBytes);
    for (const { cpu, source } of whole.splice(most)) this.#leftOut(cpu, source);
    this.#memory = new RowMemory({
      layout,
      littleEndian: input.littleEndian ?? orderOf(present, layout),
      sizes: whole.map(({ source }) => source.size),
      ids: [...input.formats.byId.keys()].reduce((most, id) => Math.max(most, id + 1), 0),
    });
    this.#table = tableOf(input);
    this.#interest = input.filter === undefined ? (sink.interest ?? null) : null;
    const use = recordUse(input, this.#memory, this.#table.strings, this.#interest);
    const reports: CursorReports = {
      unknown: (cursor, payload, id) => this.#unknown(cursor, payload, id),
      overrun: (cursor) => this.#overrun(cursor),
      overfull: (cursor, bytes) => this.#overfull(cursor, bytes),
      partial: (cursor, bytes) => this.#partial(cursor, bytes),
      backwards: (cursor, counts) => this.#backwards(cursor, counts),
      missed: (cursor, lost) => this.#missed(cursor, lost),
      leaving: () => this.#flush(),
    };
    this.#cursors = [...whole, ...cut].map(
      ({ cpu, source }, index) => new PageCursor(index, cpu, source, this.#memory, this.#base, use, reports),
    );
  }

  read(): ReadCounts {
    const { cpus, filter } = this.#input;
    this.#merge();
    for (const cursor of filter === undefined ? this.#cursors : []) {
      const entries = cpus.find(({ source }) => source === cursor.source)?.entries ?? null;
      if (entries === null || entries === cursor.records || cursor.broken) continue;
      this.#defect({
        code: "ring-count-mismatch",
        severity: "warning",
        message: `CPU ${cursor.cpu}: ${cursor.records} events in the pages, ${entries} entries by the kernel's count.`,
        advice: "Stop tracing before reading the pages, and read them to their end.",
      });
    }
    for (const found of this.#defects.all()) this.#sink.defect(found);
    return {
      lines: 0,
      events: this.#events,
      continuations: 0,
      structural: 0,
      undecoded: this.#undecoded,
      lostEvents: this.#lost,
    };
  }

  /** The CPU that is behind writes its rows, up to the next one's time; of equal times the lower CPU first. */
  #merge(): void {
    const memory = this.#memory;
    const begun = this.#cursors.filter((cursor) => cursor.begin());
    if (this.#interest !== null) this.#tellBegins(this.#interest);
    const behind = new Heap<PageCursor>((a, b) => a.now - b.now || a.index - b.index, begun);
    for (let cursor = behind.peek(); cursor !== undefined; cursor = behind.peek()) {
      const next = behind.second();
      // Times are whole numbers.
      const until = next === undefined ? Number.POSITIVE_INFINITY : next.now - (cursor.index < next.index ? 0 : 1);
      if (cursor.write(until)) behind.sink();
      else behind.pop();
      if (memory.count === memory.capacity) this.#flush();
    }
    this.#flush();
    if (this.#interest !== null) this.#tellEnds(this.#interest);
  }

  #shownBase(): bigint {
    const base = this.#base.value ?? 0n;
    const { retime } = this.#input;
    return retime === undefined ? base : retime.kind === "shift" ? base + retime.by : retime.of(base, 0);
  }

  /** Counts since the shown base. */
  #shownTime(time: number, cpu: number): number {
    const { retime } = this.#input;
    if (retime?.kind !== "map") return time;
    return Number(retime.of((this.#base.value ?? 0n) + BigInt(Math.trunc(time)), cpu) - this.#shownBase());
  }

  #tellBegins(interest: EventInterest): void {
    const begun = this.#cursors.filter(({ firstTime }) => !Number.isNaN(firstTime));
    const times = begun.map(({ firstTime, cpu }) => ({ cpu, time: this.#shownTime(firstTime, cpu) }));
    for (const { cpu, time } of times.sort((a, b) => a.time - b.time)) interest.begins(cpu, this.#shownBase(), time);
  }

  /** What was passed over are events too. */
  #tellEnds(interest: EventInterest): void {
    for (const { cpu, lastTime, lastPid } of this.#cursors) {
      if (Number.isNaN(lastTime)) continue;
      interest.ends(cpu, this.#shownTime(lastTime, cpu), lastPid, commOf(this.#table, lastPid));
    }
    this.#events = this.#cursors.reduce((sum, { records }) => sum + records, 0) - this.#unknownRecords;
  }

  #flush(): void {
    const { count } = this.#memory;
    if (count === 0) return;
    this.#memory.count = 0;
    this.#events += count;
    const { retime } = this.#input;
    const shown = this.#shownBase();
    const chunk = new RecordChunk(shown, count, this.#table, this.#memory, this.#cursors);
    if (retime?.kind === "map") {
      const { time, cpu } = chunk;
      const base = this.#base.value ?? 0n;
      for (let row = 0; row < count; row++) {
        const at = base + BigInt(Math.trunc(time[row] as number));
        time[row] = Number(retime.of(at, cpu[row] as number) - shown);
      }
    }
    this.#sink.chunk(chunk);
  }

  #defect(
    part: Pick<DefectInput, "code" | "severity" | "message" | "advice">,
    cursor?: PageCursor,
    word?: number,
  ): void {
    const base = this.#base.value;
    const { retime } = this.#input;
    const at =
      cursor === undefined || base === null || !Number.isFinite(cursor.now)
        ? null
        : base + BigInt(Math.trunc(cursor.now));
    this.#defects.add({
      ...part,
      file: cursor?.source.name ?? this.#file,
      byte: cursor === undefined ? null : cursor.byteOf(word ?? cursor.at),
      boot: this.#input.boot,
      time:
        at === null || retime === undefined
          ? at
          : retime.kind === "shift"
            ? at + retime.by
            : retime.of(at, cursor?.cpu ?? 0),
    });
  }

  #unknown(cursor: PageCursor, payload: number, id: number): void {
    this.#undecoded += 1;
    this.#unknownRecords += 1;
    this.#defect(
      {
        code: "ring-unknown-event",
        severity: "warning",
        message: `Event id ${id} has no format file; the record was skipped.`,
        advice: "Save the event formats in the boot that wrote the pages, after all probes are defined.",
      },
      cursor,
      payload,
    );
  }

  /** The rest of the page is skipped: if one record's length is wrong, the next record's begin is not known. */
  #overrun(cursor: PageCursor): void {
    this.#undecoded += 1;
    cursor.broken = true;
    this.#defect(
      {
        code: "ring-record-overrun",
        severity: "error",
        message: "A record runs past the end of its page's data; the rest of the page was skipped.",
        advice: "The pages were damaged or cut when they were saved: read whole sub-buffers.",
      },
      cursor,
    );
  }

  #overfull(cursor: PageCursor, bytes: number): void {
    const { pageBytes, dataOffset } = this.#input.layout;
    this.#undecoded += 1;
    cursor.broken = true;
    this.#defect(
      {
        code: "ring-page-overfull",
        severity: "error",
        message: `A page says it holds ${bytes} bytes, but has room for ${pageBytes - dataOffset}; it was skipped.`,
        advice: "Check that header_page is of the boot that wrote the pages.",
      },
      cursor,
    );
  }

  #leftOut(cpu: number, source: ByteSource): void {
    this.#undecoded += 1;
    this.#defects.add({
      code: "ring-too-many-cpus",
      severity: "error",
      file: source.name,
      boot: this.#input.boot,
      message: `CPU ${cpu} is left out: with sub-buffers of ${this.#input.layout.pageBytes} bytes the CPUs before it need all the memory there is for them.`,
      advice: "Read fewer CPUs at a time: convert --cpu 0, or events --filter cpu=0.",
    });
  }

  #partial(cursor: PageCursor, bytes: number): void {
    cursor.broken = true;
    this.#defect(
      {
        code: "ring-page-partial",
        severity: "warning",
        message: `The file ends ${bytes} bytes into a page of ${this.#input.layout.pageBytes}; that page was not read.`,
        advice: "The file was cut: read whole sub-buffers.",
      },
      cursor,
    );
  }

  /** A CPU's buffer is written in the order of its clock, so that a time on the page before, or this stamp, is wrong. */
  #backwards(cursor: PageCursor, counts: number): void {
    const by = COUNTING.has(this.#input.clock) ? `${counts.toLocaleString("en")} counts` : formatDuration(counts);
    this.#defect(
      {
        code: "ring-time-backwards",
        severity: "error",
        message: `CPU ${cursor.cpu}: time goes back by ${by}: times from the page before on are wrong by up to as much.`,
        advice: "The pages were damaged when they were saved, or are not in the order in which they were written.",
      },
      cursor,
    );
  }

  #missed(cursor: PageCursor, lost: number): void {
    this.#lost += lost;
    this.#defect(
      {
        code: "ring-lost-events",
        severity: "warning",
        message: `${lost > 0 ? lost.toLocaleString("en") : "An unknown number of"} events were lost on CPU ${cursor.cpu} before this page.`,
        advice: "Use a larger buffer, or record fewer events.",
      },
      cursor,
    );
  }
}

function orderOf(cpus: readonly Pick<RingCpu, "source">[], layout: PageLayout): boolean {
  for (const { source } of cpus) {
    if (source === null || source.size < layout.dataOffset) continue;
    const head = new Uint8Array(layout.dataOffset);
    source.read(head, 0);
    return isLittleEndian(head, layout);
  }
  return true;
}

function tableOf({ boot, formats, symbols, strings, comms, layout }: RingBufferInput): RecordTable {
  const facts = { symbols, strings: strings ?? new Map<bigint, string>(), longBytes: layout.commitBytes };
  const common = [...formats.byId.values()][0]?.commonFields ?? [];
  const offset = (name: string, usual: number): number => common.find((field) => field.name === name)?.offset ?? usual;
  return {
    boot,
    strings: new StringTable(),
    fieldsByName: new FieldsByName(),
    eventText: new EventText(formats, facts, comms),
    comms,
    commonOffsets: {
      flags: offset("common_flags", 2),
      preemptCount: offset("common_preempt_count", 3),
      pid: formats.pidOffset,
    },
  };
}

/** Fills the memory's tables by event id. */
function recordUse(
  { formats, filter }: RingBufferInput,
  memory: RowMemory,
  strings: StringTable,
  interest: EventInterest | null,
): RecordUse {
  const names = filter?.names ?? null;
  for (const format of formats.byId.values()) {
    const { id, name, fields } = format;
    const kind = kindOf(format);
    const { printFmt } = format;
    const hasField = (field: string): boolean => fields.some((each) => each.name === field);
    // A duration is what recordFields adds; `action=` of softirq_raise is only the printed text's.
    const mayHave = (field: string): boolean =>
      field === "duration" || hasField(field) || printFmt.includes(`${field}=`);
    const isWanted =
      (names === null || names.has(name)) &&
      (filter?.fields?.(mayHave) ?? true) &&
      (interest === null || kind !== EventKind.event || interest.wants(name, hasField));
    memory.use[id] = isWanted ? IdUse.wanted : IdUse.skipped;
    memory.names[id] = strings.idOf(name);
    memory.kinds[id] = kind;
  }
  const { pids, from, to } = filter ?? { pids: null, from: 0n, to: END_OF_TIME };
  return { pids, from, to, pidWord: Math.floor(formats.pidOffset / 4) };
}

function kindOf(format: EventFormat): number {
  if (format.system !== "ftrace") return EventKind.event;
  switch (format.name) {
    case "funcgraph_entry":
      return EventKind.graphEntry;
    case "funcgraph_exit":
      return EventKind.graphExit;
    case "print":
    case "bputs":
      return EventKind.marker;
    default:
      return EventKind.event;
  }
}
