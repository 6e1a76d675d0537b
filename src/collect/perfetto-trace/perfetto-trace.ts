/**
 * Perfetto traces: their ftrace bundles as a source of events. Typed, generic and self-describing events, compact
 * scheduling, interned kernel symbols, packed packets. Bundles come CPU by CPU, so that events are held until
 * no packet that is still to come has an earlier one. Of a trace with many events the times are therefore read first;
 * memory then grows with how far they are out of order, by some 60 bytes an event and what it holds. Schema: Perfetto
 * v58.
 */

import { gunzipSync, inflateSync } from "node:zlib";
import { type ByteSource, memorySource } from "../../base/bytes/byte-source.js";
import { StringTable } from "../../base/bytes/string-table.js";
import { lengthKey, VarintReader, varintKey, WireBuffer, WireReader } from "../../base/bytes/wire.js";
import type { DefectInput } from "../../base/defect.js";
import { DefectLog } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import type { Boot } from "../../base/time.js";
import {
  type EventFields,
  EventKind,
  type EventSource,
  type FieldValue,
  type TraceClock,
} from "../../model/collected.js";
import {
  EVENTS,
  type EventSchema,
  FIRST_DESCRIBED,
  GENERIC,
  numberOfEvent,
  SIGNED_TYPES,
  TYPE_STRING,
} from "../../model/traces/perfetto-ftrace.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { unpackZstd } from "../unpack/zstd.js";
import { isZstd } from "../unpack/zstd-header.js";

const PRINT = numberOfEvent("print");
const SCHED_SWITCH = numberOfEvent("sched_switch");
const SCHED_WAKING = numberOfEvent("sched_waking");
const FUNCGRAPH_ENTRY = numberOfEvent("funcgraph_entry");
const FUNCGRAPH_EXIT = numberOfEvent("funcgraph_exit");
/** Packets are some 100 bytes: the file is read in blocks of many. */
const BLOCK_BYTES = 1 << 18;
const ROWS = 16_384;
/** Events, and bytes of what they hold, that are sorted at once without the times being read first: some 30 MB. */
const HELD_EVENTS = 200_000;
const HELD_BYTES = 12 << 20;
/** More packets than these are combined, so that the facts kept about them do not grow with the trace: 1 MiB. */
const MOST_GROUPS = 1 << 16;

/** Whether a file begins as a Trace message, or is one packed by gzip or zstd (what is inside is looked at later). */
export function isPerfetto(head: Uint8Array): boolean {
  if (head[0] === 0x1f && head[1] === 0x8b) return true;
  if (isZstd(head)) return true;
  if (head[0] !== 0x0a) return false;
  // Text may begin with an empty line; a packet's first field has a wire type and a number.
  let at = 1;
  while (at < Math.min(6, head.length) && (head[at] as number) >= 0x80) at += 1;
  const key = head[at + 1];
  return head.length > at + 1 && key !== undefined && key >= 8 && [0, 1, 2, 5].includes(key & 7);
}

/** Packets that must follow each other before a file is taken for a trace whatever else its bytes could be. */
const CHAIN = 3;

/** Whether several whole packets follow each other at a file's begin, or the only ones of a short file do. */
export function isChainOfPackets(head: Uint8Array): boolean {
  let [at, packets] = [0, 0];
  while (at < head.length && packets < CHAIN) {
    if (head[at] !== 0x0a) return false;
    let [length, scale, to] = [0, 1, at + 1];
    for (let byte = head[to] ?? 0; ; byte = head[to] ?? 0) {
      length += (byte & 0x7f) * scale;
      scale *= 128;
      to += 1;
      if (byte < 0x80 || to - at > 10) break;
    }
    const key = head[to];
    if (length === 0 || (key !== undefined && (key < 8 || ![0, 1, 2, 5].includes(key & 7)))) return false;
    at = to + length;
    packets += 1;
  }
  return packets === CHAIN || (packets > 0 && at === head.length);
}

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
  const unpacked = whole(source, limits);
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

function whole(source: ByteSource, { "packed-trace-bytes": unpackedBytes }: ReaderLimits): Result<ByteSource, string> {
  const head = new Uint8Array(4);
  source.read(head, 0);
  const gzip = head[0] === 0x1f && head[1] === 0x8b;
  if (!gzip && !isZstd(head)) return ok(source);
  const first = `unpack it first (${gzip ? "gzip" : "zstd"} -d)`;
  if (source.size > unpackedBytes) return err(`it is packed and has ${source.size} bytes: ${first}`);
  const packed = new Uint8Array(source.size);
  source.read(packed, 0);
  const found = gzip ? gunzipped(packed, unpackedBytes) : unpackZstd(packed, unpackedBytes);
  if (!found.ok) return err(`it cannot be unpacked here: ${found.error}; ${first}`);
  return ok(memorySource(source.name, found.value));
}

function gunzipped(packed: Uint8Array, most: number): Result<Uint8Array, string> {
  try {
    return ok(gunzipSync(packed, { maxOutputLength: most }));
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    return err(tooLarge ? `it unpacks to more than ${most} bytes` : (error as Error).message);
  }
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

function inflated(packed: Uint8Array, most: number): Result<Uint8Array, string> {
  try {
    return ok(inflateSync(packed, { maxOutputLength: most }));
  } catch (error) {
    return err((error as Error).message);
  }
}

interface PacketEnd {
  /** Where the file ends early, or makes no sense; null where it ends well. */
  readonly at: number | null;
  readonly message: string;
}

/** Calls `use` with every packet, until it returns false. */
function eachPacket(
  source: ByteSource,
  mostBytes: number,
  use: (packet: Uint8Array, at: number) => boolean,
): PacketEnd {
  let block = new Uint8Array(Math.max(16, Math.min(BLOCK_BYTES, source.size)));
  let blockAt = 0;
  let held = 0;
  let at = 0;
  /** Makes `bytes` of the file from `from` on stand in the block; returns how many there are. */
  const hold = (from: number, bytes: number): number => {
    if (from < blockAt || from + bytes > blockAt + held) {
      if (bytes > block.length) block = new Uint8Array(Math.max(bytes, block.length * 2));
      blockAt = from;
      held = source.read(block, from);
    }
    return Math.min(bytes, blockAt + held - from);
  };
  while (at < source.size) {
    const got = hold(at, Math.min(6, source.size - at));
    const head = at - blockAt;
    const key = block[head];
    const length = new VarintReader(block, head + 1, head + got);
    const size = length.varint();
    if (key !== 0x0a || size < 0) return { at, message: "not a packet" };
    const begin = blockAt + length.at;
    if (size > mostBytes) {
      const most = `more than the ${mostBytes} allowed (--reader-limit perfetto-packet-bytes=…)`;
      return { at, message: `a packet announces ${size} bytes, ${most}` };
    }
    if (begin + size > source.size) return { at, message: `the file ends inside a packet of ${size} bytes` };
    if (hold(begin, size) < size) return { at, message: `the file ends inside a packet of ${size} bytes` };
    const from = begin - blockAt;
    if (!use(block.subarray(from, from + size), begin)) return { at: null, message: "" };
    at = begin + size;
  }
  return { at: null, message: "" };
}

/** Facts of a whole trace that are needed before its first events are delivered. */
interface Foresight {
  /** Packets that hold events, some together: byte of the last of each group. */
  readonly at: Float64Array;
  /** The earliest time of that group's events and of all after it, since the base. */
  readonly earliest: Float64Array;
  readonly comms: ReadonlyMap<number, string>;
}

/** Gathers the earliest time of each group of packets. */
class PacketTimes {
  readonly #at: Float64Array;
  readonly #earliest: Float64Array;
  #groups = 0;
  /** Packets of a group, and of the last one so far. */
  #each = 1;
  #inLast = 0;

  constructor(mostGroups: number) {
    this.#at = new Float64Array(mostGroups);
    this.#earliest = new Float64Array(mostGroups);
  }

  add(at: number, time: number): void {
    let last = this.#groups - 1;
    if (last < 0 || this.#at[last] !== at) {
      this.#inLast += 1;
      if (last < 0 || this.#inLast > this.#each) last = this.#begin();
      this.#at[last] = at;
    }
    if (time < (this.#earliest[last] as number)) this.#earliest[last] = time;
  }

  /** The new last group. */
  #begin(): number {
    if (this.#groups === this.#at.length) this.#pair();
    this.#inLast = 1;
    this.#earliest[this.#groups] = Number.POSITIVE_INFINITY;
    this.#groups += 1;
    return this.#groups - 1;
  }

  #pair(): void {
    this.#groups >>= 1;
    this.#each *= 2;
    for (let i = 0; i < this.#groups; i++) {
      this.#at[i] = this.#at[2 * i + 1] as number;
      this.#earliest[i] = Math.min(this.#earliest[2 * i] as number, this.#earliest[2 * i + 1] as number);
    }
  }

  foresight(comms: ReadonlyMap<number, string>): Foresight {
    const earliest = this.#earliest.subarray(0, this.#groups);
    for (let i = earliest.length - 2; i >= 0; i--) {
      earliest[i] = Math.min(earliest[i] as number, earliest[i + 1] as number);
    }
    return { at: this.#at.subarray(0, this.#groups), earliest, comms };
  }
}

class PerfettoReader {
  readonly #strings = new StringTable();
  readonly #defects = new DefectLog();
  #comms: ReadonlyMap<number, string> & Partial<Pick<Map<number, string>, "set">> = new Map([[0, "<idle>"]]);
  /** By sequence: iid to kernel symbol. */
  readonly #symbols = new Map<number, Map<number, string>>();
  /** Symbol tables are replaced, not changed, when a sequence's state is cleared: events keep theirs. */
  readonly #tables: Map<number, string>[] = [];
  readonly #described = new Map<number, EventSchema>();
  readonly #lastNext = new Map<number, { pid: number; comm: string; prio: number }>();
  #capacity = 1 << 8;
  #count = 0;
  #time = new Float64Array(this.#capacity);
  #cpu = new Int16Array(this.#capacity);
  #pid = new Int32Array(this.#capacity);
  #what = new Int32Array(this.#capacity);
  #table = new Int32Array(this.#capacity);
  #place = new Float64Array(this.#capacity);
  /** The events' own messages, one after the other. */
  #begin = new Float64Array(this.#capacity + 1);
  #bytes = new Uint8Array(1 << 12);
  #used = 0;
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
    return names.has((EVENTS.get(what) ?? this.#described.get(what))?.name ?? "");
  }

  read(sink: Parameters<EventSource["read"]>[0]): ReturnType<EventSource["read"]> {
    const end = eachPacket(this.source, this.limits["perfetto-packet-bytes"], (packet, at) => {
      this.#at = at;
      this.#packet(packet, 0);
      if (this.#count >= this.#lookAtEvents || this.#used >= this.#lookAtBytes) this.#handOn(sink);
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

  /** Hands on what no later packet can precede; where that is little, looks again only when twice as much is held. */
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
    this.#lookAtEvents = Math.max(this.holding.events, 2 * this.#count);
    this.#lookAtBytes = Math.max(HELD_BYTES, 2 * this.#used);
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
        else if (bundle.field === 11) this.#describe(bundle.message());
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
    if (compact !== null) this.#compact(compact, cpu);
  }

  #describe(descriptor: WireReader): void {
    let id = 0;
    let message: WireReader | null = null;
    while (descriptor.next()) {
      if (descriptor.field === 1 && descriptor.type === 0) id = descriptor.value;
      else if (descriptor.field === 2 && descriptor.type === 2) message = descriptor.message();
    }
    if (message === null || id < FIRST_DESCRIBED || this.#described.has(id)) return;
    let name = "";
    const fields = new Map<number, { name: string; kind: "int" | "uint" | "text" }>();
    while (message.next()) {
      if (message.type !== 2) continue;
      if (message.field === 1) name = message.text();
      else if (message.field === 2) {
        const field = message.message();
        let fieldName = "";
        let number = 0;
        let type = 0;
        while (field.next()) {
          if (field.field === 1 && field.type === 2) fieldName = field.text();
          else if (field.field === 3 && field.type === 0) number = field.value;
          else if (field.field === 5 && field.type === 0) type = field.value;
        }
        fields.set(number, {
          name: fieldName,
          kind: type === TYPE_STRING ? "text" : SIGNED_TYPES.has(type) ? "int" : "uint",
        });
      }
    }
    // FooBarFtraceEvent, as the schema names its own.
    this.#described.set(id, { name: name.replace(/FtraceEvent$/, ""), fields });
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
    if (!EVENTS.has(what) && what !== GENERIC && !this.#described.has(what)) {
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
    if (this.#count >= this.limits["perfetto-events"]) {
      this.#left += 1;
      return;
    }
    if (this.#count === this.#capacity) this.#grow();
    if (this.#used + message.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + message.length));
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    this.#base ??= time;
    const row = this.#count++;
    this.#time[row] = Number(time - this.#base);
    this.#cpu[row] = cpu;
    this.#pid[row] = pid;
    this.#what[row] = what;
    this.#table[row] = table;
    this.#place[row] = this.#at;
    this.#begin[row] = this.#used;
    this.#bytes.set(message, this.#used);
    this.#used += message.length;
    this.#begin[row + 1] = this.#used;
    if (what === SCHED_SWITCH) this.#learn(message);
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const grown = <T extends Float64Array | Int32Array | Int16Array>(
      column: T,
      make: (length: number) => T,
      more = 0,
    ): T => {
      const wider = make(capacity + more);
      wider.set(column as never);
      return wider;
    };
    const floats = (length: number): Float64Array<ArrayBuffer> => new Float64Array(length);
    const integers = (length: number): Int32Array<ArrayBuffer> => new Int32Array(length);
    this.#time = grown(this.#time, floats);
    this.#place = grown(this.#place, floats);
    this.#begin = grown(this.#begin, floats, 1);
    this.#pid = grown(this.#pid, integers);
    this.#what = grown(this.#what, integers);
    this.#table = grown(this.#table, integers);
    this.#cpu = grown(this.#cpu, (length): Int16Array<ArrayBuffer> => new Int16Array(length));
    this.#capacity = capacity;
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

  /** Scheduling without a message for each event: columns of deltas and of ids of names. */
  #compact(compact: WireReader, cpu: number): void {
    const columns = new Map<number, number[]>();
    const names: string[] = [];
    const out = new WireBuffer(256);
    const message = (fields: Parameters<typeof schedulingMessage>[1]) => schedulingMessage(out, fields);
    while (compact.next()) {
      if (compact.field === 5 && compact.type === 2) names.push(compact.text());
      else columns.set(compact.field, [...(columns.get(compact.field) ?? []), ...compact.packed()]);
    }
    const column = (field: number): readonly number[] => columns.get(field) ?? [];
    const stamps = (field: number): readonly bigint[] => {
      let time = 0n;
      return column(field).map((delta) => {
        time += BigInt(Math.max(0, delta));
        return time;
      });
    };
    const [switches, wakings] = [stamps(1), stamps(7)];
    let waking = 0;
    const wake = (before: bigint | null): void => {
      for (; waking < wakings.length; waking++) {
        const time = wakings[waking] as bigint;
        if (before !== null && time >= before) return;
        const body = message([
          [1, names[column(11)[waking] ?? -1] ?? ""],
          [2, (column(8)[waking] ?? -1) | 0],
          [3, column(10)[waking] ?? 0],
          [5, column(9)[waking] ?? 0],
        ]);
        this.#add(time, cpu, this.#lastNext.get(cpu)?.pid ?? -1, SCHED_WAKING, -1, body);
      }
    };
    for (const [i, time] of switches.entries()) {
      // Who wakes is who runs then.
      wake(time);
      const last = this.#lastNext.get(cpu) ?? { pid: -1, comm: "", prio: 0 };
      const next = {
        pid: (column(3)[i] ?? -1) | 0,
        comm: names[column(6)[i] ?? -1] ?? "",
        prio: column(4)[i] ?? 0,
      };
      const body = message([
        [1, last.comm],
        [2, Math.max(0, last.pid)],
        [3, last.prio],
        [4, column(2)[i] ?? 0],
        [5, next.comm],
        [6, next.pid],
        [7, next.prio],
      ]);
      this.#add(time, cpu, last.pid, SCHED_SWITCH, -1, body);
      this.#lastNext.set(cpu, next);
    }
    wake(null);
  }

  /** Hands on, in order, what is held up to the time `until`, and keeps the rest. */
  #deliver(sink: Parameters<EventSource["read"]>[0], until: number): void {
    const times = this.#time;
    let count = 0;
    for (let i = 0; i < this.#count; i++) count += (times[i] as number) <= until ? 1 : 0;
    const order = new Uint32Array(count);
    for (let i = 0, row = 0; i < this.#count; i++) if ((times[i] as number) <= until) order[row++] = i;
    // Stable: events of one time stay in the file's order.
    order.sort((a, b) => (times[a] as number) - (times[b] as number) || a - b);
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
        const what = this.#what[i] as number;
        chunk.time[row] = times[i] as number;
        chunk.cpu[row] = this.#cpu[i] as number;
        const pid = this.#pid[i] as number;
        chunk.pid[row] = pid;
        chunk.comm[row] = pid < 0 ? 0 : this.#strings.idOf(this.#comms.get(pid) ?? "<...>");
        const name = this.#nameOf(i);
        chunk.name[row] = this.#strings.idOf(name);
        chunk.kind[row] = name === "print" ? EventKind.marker : (KINDS.get(what) ?? EventKind.event);
        chunk.place[row] = this.#place[i] as number;
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
    this.#keepAfter(until);
  }

  /** Moves what was not handed on to the front. */
  #keepAfter(until: number): void {
    let kept = 0;
    let used = 0;
    for (let i = 0; i < this.#count; i++) {
      if ((this.#time[i] as number) <= until) continue;
      const [begin, end] = [this.#begin[i] as number, this.#begin[i + 1] as number];
      this.#bytes.copyWithin(used, begin, end);
      for (const column of [this.#time, this.#cpu, this.#pid, this.#what, this.#table, this.#place]) {
        column[kept] = column[i] as number;
      }
      this.#begin[kept] = used;
      used += end - begin;
      kept += 1;
    }
    this.#begin[kept] = used;
    this.#count = kept;
    this.#used = used;
  }

  #message(i: number): WireReader {
    return new WireReader(this.#bytes, this.#begin[i] as number, this.#begin[i + 1] as number);
  }

  #nameOf(i: number): string {
    const what = this.#what[i] as number;
    if (what !== GENERIC) return (EVENTS.get(what) ?? this.#described.get(what))?.name ?? "";
    const message = this.#message(i);
    while (message.next()) if (message.field === 1 && message.type === 2) return message.text();
    return "";
  }

  #fields(i: number): EventFields {
    const what = this.#what[i] as number;
    const fields = new Map<string, FieldValue>();
    const message = this.#message(i);
    if (what === GENERIC) {
      while (message.next()) {
        if (message.field === 2 && message.type === 2) genericField(message.message(), fields);
      }
      return fields;
    }
    const schema = EVENTS.get(what) ?? this.#described.get(what);
    const symbols = this.#tables[this.#table[i] as number];
    while (message.next()) {
      const field = schema?.fields.get(message.field);
      if (field === undefined) continue;
      switch (field.kind) {
        case "text":
          if (message.type === 2) fields.set(field.name, message.text());
          break;
        case "symbol":
          fields.set(field.name, symbols?.get(message.value) ?? `0x${message.unsigned().toString(16)}`);
          break;
        case "int":
          fields.set(field.name, message.signed());
          break;
        case "uint":
          fields.set(field.name, message.big >= 0n ? message.big : message.value);
          break;
        case "uints": {
          const before = fields.get(field.name);
          const more = message.packed().join(",");
          fields.set(field.name, before === undefined ? more : `${before},${more}`);
        }
      }
    }
    if (what === FUNCGRAPH_EXIT) {
      const [call, ret] = [fields.get("calltime"), fields.get("rettime")];
      if (call !== undefined && ret !== undefined) fields.set("duration", Number(BigInt(ret) - BigInt(call)));
    }
    return fields;
  }
}

const KINDS: ReadonlyMap<number, number> = new Map([
  [PRINT, EventKind.marker],
  [FUNCGRAPH_ENTRY, EventKind.graphEntry],
  [FUNCGRAPH_EXIT, EventKind.graphExit],
]);

/** GenericFtraceEvent.Field: name 1; str 3, int 4 or uint 5. */
function genericField(field: WireReader, fields: Map<string, FieldValue>): void {
  let name = "";
  let value: FieldValue | null = null;
  while (field.next()) {
    if (field.field === 1 && field.type === 2) name = field.text();
    else if (field.field === 3 && field.type === 2) value = field.text();
    else if (field.field === 4 && field.type === 0) value = field.signed();
    else if (field.field === 5 && field.type === 0) value = field.big >= 0n ? field.big : field.value;
  }
  if (name !== "" && value !== null) fields.set(name, value);
}

/**
 * A scheduling event's own message, so that compact ones are kept as all others are: its fields' numbers and values.
 */
function schedulingMessage(
  out: WireBuffer,
  fields: readonly (readonly [field: number, value: string | number])[],
): Uint8Array {
  out.rewind(0);
  for (const [field, value] of fields) {
    if (typeof value === "string") out.textField(lengthKey(field), value);
    else out.intField(varintKey(field), Number.isSafeInteger(value) ? value : BigInt(Math.trunc(value)));
  }
  return out.view();
}
