/**
 * Writes TracePackets (perfetto.proto beside this folder), in two sequences that intern: one for track events, one for
 * ftrace bundles; descriptors and metadata are on a third that needs no state. A string is interned in a packet of its
 * own before the first packet that uses it, after the packet that clears the sequence's state.
 */
import { fixed64Key, lengthKey, varintKey, WireBuffer } from "../../../base/bytes/wire.js";
import { readableRelease } from "./system-release.js";

const PACKET = lengthKey(1);
const FTRACE_EVENTS = lengthKey(1);
const PROCESS_TREE = lengthKey(2);
const TIMESTAMP = varintKey(8);
const SEQUENCE = varintKey(10);
const TRACK_EVENT = lengthKey(11);
const INTERNED_DATA = lengthKey(12);
const SEQUENCE_FLAGS = varintKey(13);
const SYSTEM_INFO = lengthKey(45);
const TRACK_DESCRIPTOR = lengthKey(60);
const FIRST_ON_SEQUENCE = varintKey(87);
const TRACE_ATTRIBUTES = lengthKey(126);

/** Thread descriptors on the events' own sequence would give every event of it a stray argument. */
const DESCRIPTOR_SEQUENCE = 1;
const EVENT_SEQUENCE = 2;
const FTRACE_SEQUENCE = 3;
const STATE_CLEARED = 1;
const NEEDS_STATE = 2;

/** Fields of InternedData. */
const INTERNED = { category: 1, name: 2, annotationName: 3, symbol: 26, annotationText: 29 } as const;
type InternedKind = keyof typeof INTERNED;

const SLICE_BEGIN = 1;
const SLICE_END = 2;
const INSTANT = 3;

const EVENT_TYPE = varintKey(9);
const EVENT_CATEGORY = varintKey(3);
const EVENT_ANNOTATION = lengthKey(4);
const EVENT_NAME_IID = varintKey(10);
const EVENT_NAME = lengthKey(23);
const EVENT_TRACK = varintKey(11);
const EVENT_FLOW = fixed64Key(47);
const EVENT_TERMINATING_FLOW = fixed64Key(48);

const ANNOTATION_NAME = varintKey(1);
const ANNOTATION_BOOL = varintKey(2);
const ANNOTATION_INT = varintKey(4);
const ANNOTATION_DOUBLE = fixed64Key(5);
const ANNOTATION_TEXT = lengthKey(6);
const ANNOTATION_TEXT_IID = varintKey(17);

/** Passed on when this much is written; a packet is never cut. */
const CHUNK_BYTES = 256 * 1024;

/** Further data of a slice; null values are left out. */
export type Annotations = readonly (readonly [name: string, value: string | number | boolean | null])[];

export interface TrackInput {
  /** 0: at the top. */
  readonly parent: number;
  readonly name: string;
  readonly description?: string;
  /** Place among its siblings. */
  readonly rank?: number;
  /** Show children by rank. */
  readonly ordered?: boolean;
  readonly process?: { readonly pid: number; readonly name: string };
  readonly thread?: { readonly pid: number; readonly tid: number; readonly name: string | null };
}

export class TraceWriter {
  readonly wire = new WireBuffer(CHUNK_BYTES + CHUNK_BYTES / 4);
  readonly #out: (bytes: Uint8Array) => void;
  readonly #iids = new Map<InternedKind, Map<string, number>>();
  #tracks = 0;
  /** Bits of the sequences whose state is cleared. */
  #begun = 0;
  /** The packet of the open event. */
  #packet = 0;
  packets = 0;
  bytes = 0;
  slices = 0;
  instants = 0;

  constructor(out: (bytes: Uint8Array) => void) {
    this.#out = out;
  }

  get tracks(): number {
    return this.#tracks;
  }

  /** Passes on what is still held. */
  finish(): void {
    if (this.wire.length === 0) return;
    this.bytes += this.wire.length;
    this.#out(this.wire.take());
  }

  endPacket(mark: number): void {
    this.wire.end(mark);
    this.packets += 1;
    if (this.wire.length >= CHUNK_BYTES) this.finish();
  }

  #beginDescriptor(): number {
    const mark = this.wire.begin(PACKET);
    this.wire.varintField(SEQUENCE, DESCRIPTOR_SEQUENCE);
    return mark;
  }

  /** Opens a packet of a sequence that interns; the sequence's first packet clears its state. */
  #beginStateful(sequence: number): number {
    if ((this.#begun & (1 << sequence)) === 0) {
      this.#begun |= 1 << sequence;
      const first = this.wire.begin(PACKET);
      this.wire.varintField(SEQUENCE, sequence);
      this.wire.varintField(SEQUENCE_FLAGS, STATE_CLEARED | NEEDS_STATE);
      this.wire.varintField(FIRST_ON_SEQUENCE, 1);
      this.endPacket(first);
    }
    const mark = this.wire.begin(PACKET);
    this.wire.twoSmall(SEQUENCE, sequence, SEQUENCE_FLAGS, NEEDS_STATE);
    return mark;
  }

  /** The iid of a string on the sequence its kind belongs to. */
  intern(kind: InternedKind, text: string): number {
    const iids = this.#iids.get(kind) ?? new Map<string, number>();
    this.#iids.set(kind, iids);
    const known = iids.get(text);
    if (known !== undefined) return known;
    const iid = iids.size + 1;
    iids.set(text, iid);
    const { wire } = this;
    const packet = this.#beginStateful(kind === "symbol" ? FTRACE_SEQUENCE : EVENT_SEQUENCE);
    const data = wire.begin(INTERNED_DATA);
    const entry = wire.begin(lengthKey(INTERNED[kind]));
    wire.varintField(varintKey(1), iid);
    wire.textField(lengthKey(2), text);
    wire.end(entry);
    wire.end(data);
    this.endPacket(packet);
    return iid;
  }

  track(input: TrackInput): number {
    const uuid = ++this.#tracks;
    this.#descriptor(uuid, input);
    return uuid;
  }

  /** The root's own descriptor: processes are shown by rank. */
  orderProcesses(): void {
    const packet = this.#beginDescriptor();
    const body = this.wire.begin(TRACK_DESCRIPTOR);
    this.wire.varintField(varintKey(1), 0);
    this.wire.varintField(varintKey(11), 3);
    this.wire.varintField(varintKey(19), 1);
    this.wire.end(body);
    this.endPacket(packet);
  }

  #descriptor(uuid: number, { parent, name, description, rank, ordered, process, thread }: TrackInput): void {
    const { wire } = this;
    const packet = this.#beginDescriptor();
    const body = wire.begin(TRACK_DESCRIPTOR);
    wire.varintField(varintKey(1), uuid);
    if (process !== undefined) {
      const part = wire.begin(lengthKey(3));
      wire.varintField(varintKey(1), process.pid);
      wire.textField(lengthKey(6), process.name);
      wire.end(part);
    } else if (thread !== undefined) {
      const part = wire.begin(lengthKey(4));
      wire.varintField(varintKey(1), thread.pid);
      wire.varintField(varintKey(2), thread.tid);
      if (thread.name !== null) wire.textField(lengthKey(5), thread.name);
      wire.end(part);
    } else {
      wire.textField(lengthKey(2), name);
      if (parent !== 0) wire.varintField(varintKey(5), parent);
    }
    if (ordered === true) wire.varintField(varintKey(11), 3);
    if (rank !== undefined) wire.varintField(varintKey(12), rank);
    if (description !== undefined) wire.textField(lengthKey(14), description);
    wire.end(body);
    this.endPacket(packet);
  }

  attributes(list: Annotations): void {
    const { wire } = this;
    const packet = this.#beginDescriptor();
    const body = wire.begin(TRACE_ATTRIBUTES);
    for (const [key, value] of list) {
      if (value === null) continue;
      const attribute = wire.begin(lengthKey(1));
      wire.textField(lengthKey(1), key);
      if (typeof value === "number" && Number.isSafeInteger(value)) wire.intField(varintKey(2), value);
      else wire.textField(lengthKey(3), String(value));
      wire.end(attribute);
    }
    wire.end(body);
    this.endPacket(packet);
  }

  /** A packet that has only `bytes`, in the field of that key. */
  bytesField(key: number, bytes: Uint8Array): void {
    const packet = this.#beginDescriptor();
    const body = this.wire.begin(key);
    this.wire.raw(bytes);
    this.wire.end(body);
    this.endPacket(packet);
  }

  /** `release`: as the capture has it; null if unknown. */
  systemInfo(release: string | null, machine: string | null): void {
    const { wire } = this;
    const packet = this.#beginDescriptor();
    const body = wire.begin(SYSTEM_INFO);
    const uname = wire.begin(lengthKey(1));
    wire.textField(lengthKey(1), "Linux");
    wire.textField(lengthKey(3), readableRelease(release));
    if (machine !== null) wire.textField(lengthKey(4), machine);
    wire.end(uname);
    wire.end(body);
    this.endPacket(packet);
  }

  /** Names a thread, from `at` on. */
  threadName(at: number, tid: number, pid: number, name: string): void {
    const { wire } = this;
    const packet = this.#beginDescriptor();
    wire.varintField(TIMESTAMP, at);
    const body = wire.begin(PROCESS_TREE);
    const thread = wire.begin(lengthKey(2));
    wire.varintField(varintKey(1), tid);
    wire.textField(lengthKey(2), name);
    wire.varintField(varintKey(3), pid);
    wire.end(thread);
    wire.end(body);
    this.endPacket(packet);
  }

  /** One CPU's events, each already encoded with its key and length. */
  bundle(cpu: number, events: Uint8Array): void {
    const { wire } = this;
    const packet = this.#beginStateful(FTRACE_SEQUENCE);
    const body = wire.begin(FTRACE_EVENTS);
    wire.varintField(varintKey(1), cpu);
    wire.raw(events);
    wire.end(body);
    this.endPacket(packet);
  }

  /**
   * Opens a slice's begin, or an instant: the hot path. Annotations and flows may follow, then `endEvent`. Everything
   * that it names must have been interned before, for packets do not nest.
   */
  beginEvent(what: "slice" | "instant", at: number, track: number, nameIid: number, categoryIid: number): OpenEvent {
    const { wire } = this;
    const packet = this.#beginStateful(EVENT_SEQUENCE);
    wire.varintField(TIMESTAMP, at);
    const event = wire.begin(TRACK_EVENT);
    if (what === "slice") {
      this.slices += 1;
      wire.varintField(EVENT_TYPE, SLICE_BEGIN);
    } else {
      this.instants += 1;
      wire.varintField(EVENT_TYPE, INSTANT);
    }
    wire.varintField(EVENT_TRACK, track);
    wire.varintField(EVENT_CATEGORY, categoryIid);
    if (nameIid > 0) wire.varintField(EVENT_NAME_IID, nameIid);
    this.#packet = packet;
    return event;
  }

  endEvent(event: OpenEvent): void {
    this.wire.end(event);
    this.endPacket(this.#packet);
  }

  annotateInt(nameIid: number, value: number): void {
    const mark = this.wire.begin(EVENT_ANNOTATION);
    this.wire.varintField(ANNOTATION_NAME, nameIid);
    this.wire.intField(ANNOTATION_INT, value);
    this.wire.end(mark);
  }

  annotateTrue(nameIid: number): void {
    const mark = this.wire.begin(EVENT_ANNOTATION);
    this.wire.varintField(ANNOTATION_NAME, nameIid);
    this.wire.varintField(ANNOTATION_BOOL, 1);
    this.wire.end(mark);
  }

  annotateInterned(nameIid: number, textIid: number): void {
    const mark = this.wire.begin(EVENT_ANNOTATION);
    this.wire.varintField(ANNOTATION_NAME, nameIid);
    this.wire.varintField(ANNOTATION_TEXT_IID, textIid);
    this.wire.end(mark);
  }

  /** Arrows of the open event: to the next event of the flow, or the end of the flow. */
  flows(id: number, last: boolean): void {
    this.wire.fixed64Field(last ? EVENT_TERMINATING_FLOW : EVENT_FLOW, id);
  }

  endSlice(at: number, track: number): void {
    const { wire } = this;
    const packet = this.#beginStateful(EVENT_SEQUENCE);
    wire.varintField(TIMESTAMP, at);
    const event = wire.begin(TRACK_EVENT);
    wire.varintField(EVENT_TYPE, SLICE_END);
    wire.varintField(EVENT_TRACK, track);
    wire.end(event);
    this.endPacket(packet);
  }

  /** A slice's begin or an instant with texts of its own, for events that are not many. */
  event(
    what: "slice" | "instant",
    at: number,
    track: number,
    name: string,
    category: string,
    annotations: Annotations,
    flow: { readonly starts?: number; readonly ends?: number } = {},
  ): void {
    const { wire } = this;
    // Names are interned before the event is begun: they are packets of their own.
    for (const [key, value] of annotations) if (value !== null) this.intern("annotationName", key);
    const event = this.beginEvent(what, at, track, 0, this.intern("category", category));
    wire.textField(EVENT_NAME, name);
    for (const [key, value] of annotations) {
      if (value === null) continue;
      const mark = wire.begin(EVENT_ANNOTATION);
      wire.varintField(ANNOTATION_NAME, this.intern("annotationName", key));
      if (typeof value === "boolean") wire.varintField(ANNOTATION_BOOL, value ? 1 : 0);
      else if (typeof value === "string") wire.textField(ANNOTATION_TEXT, value);
      else if (Number.isSafeInteger(value)) wire.intField(ANNOTATION_INT, value as number);
      else wire.doubleField(ANNOTATION_DOUBLE, value as number);
      wire.end(mark);
    }
    if (flow.starts !== undefined) wire.fixed64Field(EVENT_FLOW, flow.starts);
    if (flow.ends !== undefined) wire.fixed64Field(EVENT_TERMINATING_FLOW, flow.ends);
    this.endEvent(event);
  }
}

/** Where an open event's body begins in the buffer. */
export type OpenEvent = number;
