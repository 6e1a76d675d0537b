/**
 * Perfetto traces: their ftrace bundles as a source of events. Typed, generic and self-describing events, compact
 * scheduling, interned kernel symbols, packed packets. Bundles come CPU by CPU, so that events are held until
 * no packet that is still to come has an earlier one. Of a trace with many events the times are therefore read first;
 * memory then grows with how far they are out of order, by some 60 bytes an event and what it holds. Schema: Perfetto
 * v58.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { StringTable } from "../../base/bytes/string-table.js";
import { WireReader } from "../../base/bytes/wire.js";
import type { DefectInput } from "../../base/defect.js";
import { DefectLog } from "../../base/defect.js";
import { ok, type Result } from "../../base/result.js";
import type { Boot } from "../../base/time.js";
import { type EventFields, EventKind, type EventSource, type TraceClock } from "../../model/collected.js";
import { GENERIC, numberOfEvent } from "../../model/traces/perfetto-ftrace.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { unpackZstd } from "../unpack/zstd.js";
import { CompactScheduling } from "./compact-scheduling.js";
import { EventSchemas } from "./event-schemas.js";
import { HeldEvents } from "./held-events.js";
import { inflated, unpackedTrace } from "./packed.js";
import { type Foresight, PacketTimes } from "./packet-times.js";
import { eachPacket } from "./packets.js";

const PRINT = numberOfEvent("print");
const SCHED_SWITCH = numberOfEvent("sched_switch");
const FUNCGRAPH_ENTRY = numberOfEvent("funcgraph_entry");
const FUNCGRAPH_EXIT = numberOfEvent("funcgraph_exit");
const ROWS = 16_384;
/** Events, and bytes of what they hold, that are sorted at once without the times being read first: some 30 MB. */
const HELD_EVENTS = 200_000;
const HELD_BYTES = 12 << 20;
/** More packets than these are combined, so that the facts kept about them do not grow with the trace: 1 MiB. */
const MOST_GROUPS = 1 << 16;

/**
 * The error says why it cannot be read at all. `holding`: what is held while it is read. Defects: `perfetto-damaged`,
 * `perfetto-truncated`, `perfetto-lost-events`, `perfetto-too-many`, `perfetto-unknown-event`.
 */
export function openPerfetto(
  source: ByteSource,
  boot: Boot,
  limits: ReaderLimits = USUAL_READER_LIMITS,
  holding: PerfettoHolding = { events: HELD_EVENTS, groups: MOST_GROUPS },
): Result<PerfettoEvents, string> {
  const unpacked = unpackedTrace(source, limits);
  if (!unpacked.ok) return unpacked;
  const clock = firstClock(unpacked.value, limits["perfetto-packet-bytes"]);
  const events = (filter: RecordFilter | null): EventSource => ({
    boot,
    dialect: "perfetto",
    files: [source.name],
    clock,
    read: (sink) => {
      const reader = new PerfettoReader(unpacked.value, boot, filter, limits, holding);
      return reader.read(sink);
    },
  });
  return ok({ clock, source: (filter) => events(filter ?? null) });
}

export interface PerfettoHolding {
  /** Above this many held events, the times are read first. */
  readonly events: number;
  /** Of packets whose earliest time is known; an even number. */
  readonly groups: number;
}

/** A Perfetto trace's events: all, or those that a filter may want. */
export interface PerfettoEvents {
  readonly clock: TraceClock;
  source(filter?: RecordFilter): EventSource;
}

/** FtraceClock: unspecified is boot. */
const CLOCKS: readonly TraceClock[] = ["boot", "unknown", "global", "local", "mono_raw"];

/** Looked for in the first megabytes: a file has one clock. */
function firstClock(source: ByteSource, mostBytes: number): TraceClock {
  let clock: TraceClock = "boot";
  let seen = 0;
  eachPacket(source, mostBytes, (packet) => {
    const reader = new WireReader(packet, 0, packet.length);
    while (reader.next()) {
      if (reader.field !== 1 || reader.type !== 2) continue;
      const bundle = reader.message();
      while (bundle.next()) {
        if (bundle.field === 5 && bundle.type === 0) clock = CLOCKS[bundle.value] ?? "unknown";
      }
      seen += 1;
    }
    return seen === 0;
  });
  return clock;
}

const KINDS: ReadonlyMap<number, number> = new Map([
  [PRINT, EventKind.marker],
  [FUNCGRAPH_ENTRY, EventKind.graphEntry],
  [FUNCGRAPH_EXIT, EventKind.graphExit],
]);

class PerfettoReader {
  readonly #strings = new StringTable();
  readonly #defects = new DefectLog();
  #comms: ReadonlyMap<number, string> & Partial<Pick<Map<number, string>, "set">> = new Map([[0, "<idle>"]]);
  /** By sequence: iid to kernel symbol. */
  readonly #symbols = new Map<number, Map<number, string>>();
  /** Symbol tables are replaced, not changed, when a sequence's state is cleared: events keep theirs. */
  readonly #tables: Map<number, string>[] = [];
  readonly #schemas = new EventSchemas();
  readonly #scheduling = new CompactScheduling();
  readonly #held = new HeldEvents();
  #base: bigint | null = null;
  #lost = 0;
  #undecoded = 0;
  #left = 0;
  /** Handed on. */
  #events = 0;
  /** As many held events, and bytes of them, as are next looked at for what can be handed on. */
  #lookAtEvents: number;
  #lookAtBytes = HELD_BYTES;
  #foresight: Foresight | null = null;
  /** The packet of the foresight that is read next. */
  #ahead = 0;
  /** Only the times are read. */
  #times: PacketTimes | null = null;
  #at = 0;

  constructor(
    readonly source: ByteSource,
    readonly boot: Boot,
    readonly filter: RecordFilter | null,
    readonly limits: ReaderLimits,
    readonly holding: PerfettoHolding,
  ) {
    this.#lookAtEvents = holding.events;
  }

  /**
   * Whether an event may match; a generic event's name is in its message, and is read only if all events are requested.
   */
  #wants(time: bigint, cpu: number, pid: number, what: number): boolean {
    if (this.filter === null) return true;
    const { names, pids, cpus, from, to } = this.filter;
    if (time < from || time > to) return false;
    if (cpus !== null && !cpus.has(cpu)) return false;
    if (pids !== null && !pids.has(pid)) return false;
    if (names === null || what === GENERIC) return true;
    return names.has(this.#schemas.schemaName(what));
  }

  read(sink: Parameters<EventSource["read"]>[0]): ReturnType<EventSource["read"]> {
    const end = eachPacket(this.source, this.limits["perfetto-packet-bytes"], (packet, at) => {
      this.#at = at;
      this.#packet(packet, 0);
      if (this.#held.count >= this.#lookAtEvents || this.#held.bytes >= this.#lookAtBytes) this.#handOn(sink);
      return true;
    });
    if (end.at !== null)
      this.#defect("perfetto-truncated", "error", `${end.message}; what comes after is not read.`, end.at);
    if (this.#left > 0) {
      this.#defect(
        "perfetto-too-many",
        "error",
        `${this.#left} events were left out: to sort them, more than ${this.limits["perfetto-events"]} would be held in memory (--reader-limit perfetto-events=…).`,
        0,
      );
    }
    this.#deliver(sink, Number.POSITIVE_INFINITY);
    for (const found of this.#defects.all()) sink.defect(found);
    return {
      lines: 0,
      events: this.#events,
      continuations: 0,
      structural: 0,
      undecoded: this.#undecoded,
      lostEvents: this.#lost,
    };
  }

  /** Hands on what no later packet can precede; if that is little, looks again only when twice as much is held. */
  #handOn(sink: Parameters<EventSource["read"]>[0]): void {
    if (this.#foresight === null) {
      const reader = new PerfettoReader(this.source, this.boot, null, this.limits, this.holding);
      this.#foresight = reader.#foresee(this.#base ?? 0n);
      // Of a task that had several names the last counts, whenever its events are handed on.
      this.#comms = this.#foresight.comms;
    }
    const { at, earliest } = this.#foresight;
    while (this.#ahead < at.length && (at[this.#ahead] as number) <= this.#at) this.#ahead += 1;
    this.#deliver(sink, earliest[this.#ahead] ?? Number.POSITIVE_INFINITY);
    this.#lookAtEvents = Math.max(this.holding.events, 2 * this.#held.count);
    this.#lookAtBytes = Math.max(HELD_BYTES, 2 * this.#held.bytes);
  }

  #foresee(base: bigint): Foresight {
    const times = new PacketTimes(this.holding.groups);
    this.#times = times;
    this.#base = base;
    eachPacket(this.source, this.limits["perfetto-packet-bytes"], (packet, at) => {
      this.#at = at;
      this.#packet(packet, 0);
      return true;
    });
    return times.foresight(this.#comms);
  }

  /** Once the whole trace is foreseen, all names are known. */
  #name(pid: number, name: string): void {
    if (this.#foresight === null) this.#comms.set?.(pid, name);
  }

  #defect(code: string, severity: DefectInput["severity"], message: string, byte: number): void {
    this.#defects.add({
      code,
      severity,
      file: this.source.name,
      byte,
      boot: this.boot,
      message,
      advice: "Copy the file again, or record again with larger buffers.",
    });
  }

  /** `depth`: packets may hold packed packets, but those no further ones. */
  #packet(bytes: Uint8Array, depth: number): void {
    const reader = new WireReader(bytes, 0, bytes.length);
    const bundles: WireReader[] = [];
    let sequence = 0;
    let flags = 0;
    let interned: WireReader | null = null;
    while (reader.next()) {
      if (reader.type === 0) {
        if (reader.field === 10) sequence = reader.value;
        else if (reader.field === 13) flags = reader.value;
        continue;
      }
      if (reader.type !== 2) continue;
      switch (reader.field) {
        case 1:
          bundles.push(reader.message());
          break;
        case 2:
          this.#processTree(reader.message());
          break;
        case 12:
          interned = reader.message();
          break;
        case 50:
        case 133:
          if (depth === 0) this.#packed(bytes.subarray(reader.begin, reader.end), reader.field === 133);
      }
    }
    if (reader.damaged) {
      this.#undecoded += 1;
      this.#defect(
        "perfetto-damaged",
        "error",
        "A packet's fields do not fit it; what it holds after them is lost.",
        this.#at,
      );
    }
    if ((flags & 1) !== 0) this.#symbols.delete(sequence);
    if (interned !== null) this.#intern(sequence, interned);
    for (const bundle of bundles) this.#bundle(bundle, sequence);
  }

  #packed(bytes: Uint8Array, zstd: boolean): void {
    const most = this.limits["perfetto-packed-bytes"];
    const found = zstd ? unpackZstd(bytes, most) : inflated(bytes, most);
    if (!found.ok) {
      this.#undecoded += 1;
      this.#defect("perfetto-damaged", "error", `Packed packets cannot be unpacked: ${found.error}.`, this.#at);
      return;
    }
    const unpacked = found.value;
    const reader = new WireReader(unpacked, 0, unpacked.length);
    while (reader.next()) {
      if (reader.field === 1 && reader.type === 2) this.#packet(unpacked.subarray(reader.begin, reader.end), 1);
    }
    if (reader.damaged) this.#defect("perfetto-damaged", "error", "Packed packets end early.", this.#at);
  }

  #processTree(tree: WireReader): void {
    while (tree.next()) {
      if (tree.field !== 2 || tree.type !== 2) continue;
      const thread = tree.message();
      let tid = -1;
      let name = "";
      while (thread.next()) {
        if (thread.field === 1 && thread.type === 0) tid = thread.value;
        else if (thread.field === 2 && thread.type === 2) name = thread.text();
      }
      if (tid > 0 && name !== "") this.#name(tid, name);
    }
  }

  #intern(sequence: number, data: WireReader): void {
    while (data.next()) {
      if (data.field !== 26 || data.type !== 2) continue;
      const entry = data.message();
      let iid = 0;
      let text = "";
      while (entry.next()) {
        if (entry.field === 1 && entry.type === 0) iid = entry.value;
        else if (entry.field === 2 && entry.type === 2) text = entry.text();
      }
      let symbols = this.#symbols.get(sequence);
      if (symbols === undefined) {
        symbols = new Map();
        this.#symbols.set(sequence, symbols);
        this.#tables.push(symbols);
      }
      symbols.set(iid, text);
    }
  }

  #bundle(bundle: WireReader, sequence: number): void {
    const symbols = this.#symbols.get(sequence);
    const table = symbols === undefined ? -1 : this.#tables.lastIndexOf(symbols);
    const events: WireReader[] = [];
    let cpu = -1;
    let compact: WireReader | null = null;
    let lost = false;
    while (bundle.next()) {
      if (bundle.type === 0) {
        if (bundle.field === 1) cpu = bundle.value;
        else if (bundle.field === 3) lost = bundle.value !== 0;
      } else if (bundle.type === 2) {
        if (bundle.field === 2) events.push(bundle.message());
        else if (bundle.field === 4) compact = bundle.message();
        else if (bundle.field === 11) this.#schemas.describe(bundle.message());
      }
    }
    if (bundle.damaged) {
      this.#undecoded += 1;
      this.#defect("perfetto-damaged", "error", `A bundle of CPU ${cpu} ends early.`, this.#at);
    }
    if (cpu < 0 || cpu > 32_767) cpu = -1;
    if (lost) {
      this.#defect(
        "perfetto-lost-events",
        "warning",
        `An unknown number of events were lost on CPU ${cpu} before this bundle.`,
        this.#at,
      );
    }
    for (const event of events) this.#event(event, cpu, table);
    if (compact !== null) {
      this.#scheduling.read(compact, cpu, (time, pid, what, message) => this.#add(time, cpu, pid, what, -1, message));
    }
  }

  #event(event: WireReader, cpu: number, table: number): void {
    let time: bigint | null = null;
    let pid = -1;
    let what = 0;
    let begin = 0;
    let end = 0;
    while (event.next()) {
      if (event.type === 0) {
        if (event.field === 1) time = event.unsigned();
        else if (event.field === 2) pid = event.value | 0;
      } else if (event.type === 2) {
        what = event.field;
        begin = event.begin;
        end = event.end;
      }
    }
    if (time === null || what === 0 || event.damaged) {
      this.#undecoded += 1;
      this.#defect("perfetto-damaged", "warning", "An ftrace event without time or content was passed over.", this.#at);
      return;
    }
    if (!this.#schemas.has(what)) {
      this.#undecoded += 1;
      this.#defect(
        "perfetto-unknown-event",
        "note",
        `Event ${what} is not in the schema that is known here; it was passed over.`,
        this.#at,
      );
      return;
    }
    this.#add(time, cpu, pid, what, table, event.bytes.subarray(begin, end));
  }

  #add(time: bigint, cpu: number, pid: number, what: number, table: number, message: Uint8Array): void {
    if (this.#times !== null) {
      this.#times.add(this.#at, Number(time - (this.#base ?? 0n)));
      if (what === SCHED_SWITCH) this.#learn(message);
      return;
    }
    if (!this.#wants(time, cpu, pid, what)) {
      if (what === SCHED_SWITCH) this.#learn(message);
      return;
    }
    if (this.#held.count >= this.limits["perfetto-events"]) {
      this.#left += 1;
      return;
    }
    this.#base ??= time;
    this.#held.add(Number(time - this.#base), cpu, pid, what, table, this.#at, message);
    if (what === SCHED_SWITCH) this.#learn(message);
  }

  /** Task names, from the switches. */
  #learn(message: Uint8Array): void {
    const reader = new WireReader(message, 0, message.length);
    const names = new Map<number, string>();
    const pids = new Map<number, number>();
    while (reader.next()) {
      if (reader.type === 2 && (reader.field === 1 || reader.field === 5)) names.set(reader.field, reader.text());
      else if (reader.type === 0 && (reader.field === 2 || reader.field === 6))
        pids.set(reader.field - 1, reader.value | 0);
    }
    for (const [field, pid] of pids) {
      const name = names.get(field);
      if (pid > 0 && name !== undefined && name !== "") this.#name(pid, name);
    }
  }

  /** Hands on, in order, what is held up to the time `until`, and keeps the rest. */
  #deliver(sink: Parameters<EventSource["read"]>[0], until: number): void {
    const held = this.#held;
    const order = held.rowsUntil(until);
    const count = order.length;
    const rows = Math.min(ROWS, count);
    const chunk = {
      time: new Float64Array(rows),
      cpu: new Int16Array(rows),
      pid: new Int32Array(rows),
      comm: new Uint32Array(rows),
      name: new Uint32Array(rows),
      kind: new Uint8Array(rows),
      place: new Float64Array(rows),
    };
    for (let from = 0; from < count; from += ROWS) {
      const length = Math.min(ROWS, count - from);
      for (let row = 0; row < length; row++) {
        const i = order[from + row] as number;
        const what = held.what[i] as number;
        chunk.time[row] = held.time[i] as number;
        chunk.cpu[row] = held.cpu[i] as number;
        const pid = held.pid[i] as number;
        chunk.pid[row] = pid;
        chunk.comm[row] = pid < 0 ? 0 : this.#strings.idOf(this.#comms.get(pid) ?? "<...>");
        const name = this.#nameOf(i);
        chunk.name[row] = this.#strings.idOf(name);
        chunk.kind[row] = name === "print" ? EventKind.marker : (KINDS.get(what) ?? EventKind.event);
        chunk.place[row] = held.place[i] as number;
      }
      sink.chunk({
        boot: this.boot,
        fileOf: () => this.source.name,
        inInterrupt: () => false,
        base: this.#base ?? 0n,
        count: length,
        ...chunk,
        strings: this.#strings,
        fields: (row) => this.#fields(order[from + row] as number),
        text: (row) => {
          const i = order[from + row] as number;
          const fields = this.#fields(i);
          if (this.#nameOf(i) === "print") return String(fields.get("buf") ?? "").trimEnd();
          return [...fields].map(([key, value]) => `${key}=${value}`).join(" ");
        },
      });
    }
    this.#events += count;
    held.keepAfter(until);
  }

  #nameOf(row: number): string {
    return this.#schemas.nameOf(this.#held.what[row] as number, this.#held.message(row));
  }

  #fields(row: number): EventFields {
    const symbols = this.#tables[this.#held.table[row] as number];
    return this.#schemas.fieldsOf(this.#held.what[row] as number, this.#held.message(row), symbols);
  }
}
