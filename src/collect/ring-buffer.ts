/**
 * Reads raw ring-buffer pages (`per_cpu/cpuN/trace_pipe_raw`) with the event formats of the boot that wrote them: the
 * only honest source of an old boot's events, whose ids and symbols the new kernel does not know. Layout: kernel
 * include/linux/ring_buffer.h, kernel/trace/ring_buffer.c; reference section 5.5.
 *
 * Pages are walked in place; an event costs a few integers in columns. CPUs are merged in time order, run by run.
 */
import type { ByteSource } from "../base/byte-source.js";
import type { DefectInput } from "../base/defect.js";
import { DefectLog } from "../base/defect.js";
import { StringTable } from "../base/string-table.js";
import type { Boot } from "../base/time.js";
import type { EventFormat, ParsedFormats } from "./event-format.js";
import { EventText } from "./event-text/event-text.js";
import type { SymbolTable } from "./kallsyms.js";
import { type CursorFilter, END_OF_TIME, IdUse, PageCursor, type TimeBase } from "./ring-buffer/page-cursor.js";
import { DEFAULT_LAYOUT, isLittleEndian, type PageLayout, parseHeaderPage } from "./ring-buffer/page-layout.js";
import { CommCache, RecordChunk, RecordColumns, type RecordTable } from "./ring-buffer/record-chunk.js";
import { EventKind, type EventSink, type EventSource, type ReadCounts, type TraceClock } from "./types.js";

export { DEFAULT_LAYOUT, END_OF_TIME, type PageLayout, parseHeaderPage };

export interface RingBufferInput {
  readonly boot: Boot;
  readonly cpus: readonly RingCpu[];
  readonly formats: ParsedFormats;
  readonly layout: PageLayout;
  /** Looked up only where a symbol is asked for. */
  readonly symbols: () => SymbolTable | null;
  /** Task names by pid. */
  readonly comms: ReadonlyMap<number, string>;
  readonly clock: TraceClock;
  /** `printk_formats`: address to string; none unless given. */
  readonly strings?: ReadonlyMap<bigint, string>;
  /** Of the machine that wrote the pages; told from the first page unless given. */
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
  /** Null where this CPU's pages are missing. */
  readonly source: ByteSource | null;
  /** The kernel's own count of entries, to check against. */
  readonly entries: number | null;
}

/** A count of the trace clock, on a CPU, as it is to be shown. It must not turn time round. */
export type Retime =
  | { readonly kind: "shift"; readonly by: bigint }
  | { readonly kind: "map"; readonly of: (count: bigint, cpu: number) => bigint };

/** Which events are read at all. Pages wholly before `from` are passed over, records of other events cost next to nothing. */
export interface RecordFilter {
  /** Null: all. */
  readonly names: ReadonlySet<string> | null;
  readonly pids: ReadonlySet<number> | null;
  readonly cpus: ReadonlySet<number> | null;
  /** Counts of the trace clock, both included. */
  readonly from: bigint;
  readonly to: bigint;
}

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

/** Runs of one CPU at least this long are handed on from its own columns, without a copy. */
const WHOLE_RUN = 512;

class RingReader {
  readonly #input: RingBufferInput;
  readonly #sink: EventSink;
  readonly #defects = new DefectLog();
  readonly #columns: RecordColumns;
  readonly #table: RecordTable;
  readonly #base: TimeBase = { value: null };
  readonly #cursors: readonly PageCursor[];
  readonly #file: string;
  #count = 0;
  #events = 0;
  #undecoded = 0;
  #lost = 0;

  constructor(input: RingBufferInput, sink: EventSink) {
    this.#input = input;
    this.#sink = sink;
    this.#file = input.cpus.find(({ source }) => source !== null)?.source?.name ?? "";
    this.#table = tableOf(input);
    const cpus = input.filter?.cpus ?? null;
    const present = input.cpus.filter(
      ({ cpu, source }) => source !== null && source.size > 0 && (cpus === null || cpus.has(cpu)),
    );
    const littleEndian = input.littleEndian ?? orderOf(present, input.layout);
    const filter = cursorFilter(input);
    this.#cursors = present.map(
      ({ cpu, source }) =>
        new PageCursor(
          cpu,
          source as ByteSource,
          input.layout,
          littleEndian,
          Math.floor(input.formats.pidOffset / 4),
          this.#base,
          filter,
          {
            unknown: (cursor, payload, id) => this.#unknown(cursor, payload, id),
            overrun: (cursor) => this.#overrun(cursor),
            overfull: (cursor, bytes) => this.#overfull(cursor, bytes),
            partial: (cursor, bytes) => this.#partial(cursor, bytes),
            missed: (cursor, lost) => this.#missed(cursor, lost),
          },
        ),
    );
    const rows = this.#cursors.reduce((most, { time }) => Math.max(most, time.length), 1);
    this.#columns = new RecordColumns(rows, this.#cursors);
  }

  read(): ReadCounts {
    const { cpus, filter } = this.#input;
    this.#merge(this.#cursors.filter((cursor) => cursor.scan()));
    this.#flush();
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

  /** Runs of the CPU that is behind, up to the time that the next one stands on; of equal times the lower CPU first. */
  #merge(cursors: PageCursor[]): void {
    const which = cursors.map((cursor) => this.#cursors.indexOf(cursor));
    const heads = Float64Array.from(cursors, (cursor) => cursor.time[0] as number);
    let live = cursors.length;
    while (live > 0) {
      if (live === 2) {
        this.#mergePair(cursors, which);
        live = cursors.length;
        heads[0] = cursors[0]?.time[cursors[0].next] ?? 0;
        continue;
      }
      let first = 0;
      let until = Number.POSITIVE_INFINITY;
      for (let i = 1; i < live; i++) {
        const head = heads[i] as number;
        if (head < (heads[first] as number)) {
          until = Math.min(until, heads[first] as number);
          first = i;
        } else if (head < until) until = head;
      }
      const cursor = cursors[first] as PageCursor;
      this.#run(cursor, which[first] as number, until);
      if (cursor.next < cursor.rows) {
        heads[first] = cursor.time[cursor.next] as number;
        continue;
      }
      // The next scan may overwrite the bytes that rows not yet handed on point to.
      this.#flush();
      if (cursor.scan()) heads[first] = cursor.time[0] as number;
      else {
        cursors.splice(first, 1);
        which.splice(first, 1);
        live -= 1;
        for (let i = first; i < live; i++) heads[i] = heads[i + 1] as number;
      }
    }
  }

  /**
   * The same for two, by far the most common where events come in short runs: row by row, until one of them ends, which
   * is then taken out.
   */
  #mergePair(cursors: PageCursor[], which: number[]): void {
    const [a, b] = cursors as [PageCursor, PageCursor];
    const [whichA, whichB] = which as [number, number];
    const { capacity, time, word, id, pid, cursor } = this.#columns;
    const { time: times, word: words, id: ids, pid: pids } = a;
    const { time: otherTimes, word: otherWords, id: otherIds, pid: otherPids } = b;
    for (;;) {
      let [i, j, at] = [a.next, b.next, this.#count];
      const [endA, endB] = [a.rows, b.rows];
      let now = times[i] as number;
      let other = otherTimes[j] as number;
      for (;;) {
        while (now <= other && i < endA && at < capacity) {
          time[at] = now;
          word[at] = words[i] as number;
          id[at] = ids[i] as number;
          pid[at] = pids[i] as number;
          cursor[at] = whichA;
          at += 1;
          i += 1;
          now = times[i] as number;
        }
        if (i >= endA || at >= capacity) break;
        while (other < now && j < endB && at < capacity) {
          time[at] = other;
          word[at] = otherWords[j] as number;
          id[at] = otherIds[j] as number;
          pid[at] = otherPids[j] as number;
          cursor[at] = whichB;
          at += 1;
          j += 1;
          other = otherTimes[j] as number;
        }
        if (j >= endB || at >= capacity) break;
      }
      a.next = i;
      b.next = j;
      this.#count = at;
      // What is handed on must be before the next scan overwrites the bytes that it points to.
      this.#flush();
      const ended = i === endA && !a.scan() ? 0 : j === endB && !b.scan() ? 1 : -1;
      if (ended >= 0) {
        cursors.splice(ended, 1);
        which.splice(ended, 1);
        return;
      }
    }
  }

  /** Hands on the cursor's rows from the one it stands on to the last before `until`. */
  #run(cursor: PageCursor, which: number, until: number): void {
    const { rows, time, word, id, pid } = cursor;
    let from = cursor.next;
    if (rows - from >= WHOLE_RUN && (time[rows - 1] as number) < until) {
      this.#flush();
      cursor.next = rows;
      this.#send(
        rows - from,
        { time: time.subarray(from), word: word.subarray(from), id: id.subarray(from), pid: pid.subarray(from) },
        cursor,
      );
      return;
    }
    const to = this.#columns;
    let at = this.#count;
    const end = Math.min(rows, from + to.capacity - at);
    let now = time[from] as number;
    do {
      to.time[at] = now;
      to.word[at] = word[from] as number;
      to.id[at] = id[from] as number;
      to.pid[at] = pid[from] as number;
      to.cursor[at] = which;
      at += 1;
      from += 1;
      now = time[from] as number;
    } while (from < end && now < until);
    cursor.next = from;
    this.#count = at;
    if (at === to.capacity) this.#flush();
  }

  #flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    this.#send(count, this.#columns, null);
  }

  #send(count: number, rows: Pick<RecordColumns, "time" | "word" | "id" | "pid">, single: PageCursor | null): void {
    this.#events += count;
    const file = single?.source.name ?? this.#file;
    const base = this.#base.value ?? 0n;
    const { retime } = this.#input;
    const shown = retime === undefined ? base : retime.kind === "shift" ? base + retime.by : retime.of(base, 0);
    const chunk = new RecordChunk(file, shown, count, this.#table, this.#cursors, this.#columns, rows, single);
    if (retime?.kind === "map") {
      const { time } = rows;
      const { cpu } = chunk;
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
      byte: cursor === undefined ? null : cursor.blockAt + 4 * (word ?? cursor.at),
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

  /** The rest of the page is skipped: where one record's length is wrong, the next record's begin is not known. */
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

function orderOf(cpus: readonly RingCpu[], layout: PageLayout): boolean {
  for (const { source } of cpus) {
    if (source === null || source.size < layout.dataOffset) continue;
    const head = new Uint8Array(layout.dataOffset);
    source.read(head, 0);
    return isLittleEndian(head, layout);
  }
  return true;
}

function tableOf({ boot, formats, symbols, strings, comms, layout }: RingBufferInput): RecordTable {
  const table = new StringTable();
  const ids = [...formats.byId.keys()].reduce((most, id) => Math.max(most, id + 1), 0);
  const names = new Uint32Array(ids);
  const kinds = new Uint8Array(ids);
  for (const format of formats.byId.values()) {
    names[format.id] = table.idOf(format.name);
    kinds[format.id] = kindOf(format);
  }
  const facts = { symbols, strings: strings ?? new Map<bigint, string>(), longBytes: layout.commitBytes };
  const common = [...formats.byId.values()][0]?.commonFields ?? [];
  const offset = (name: string, usual: number): number => common.find((field) => field.name === name)?.offset ?? usual;
  return {
    boot,
    strings: table,
    names,
    kinds,
    comms,
    comm: new CommCache(),
    eventText: new EventText(formats, facts, comms),
    commonOffsets: {
      flags: offset("common_flags", 2),
      preemptCount: offset("common_preempt_count", 3),
      pid: formats.pidOffset,
    },
  };
}

function cursorFilter({ formats, filter }: RingBufferInput): CursorFilter {
  const ids = new Uint8Array(65_536);
  for (const { id, name } of formats.byId.values()) {
    const names = filter?.names ?? null;
    ids[id] = names === null || names.has(name) ? IdUse.wanted : IdUse.skipped;
  }
  return { ids, pids: filter?.pids ?? null, from: filter?.from ?? 0n, to: filter?.to ?? END_OF_TIME };
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
