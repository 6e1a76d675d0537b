/**
 * Reads a trace back as trace_processor does, and independently of the writer: packets by protobufjs from
 * perfetto.proto, interning by sequence, slices by a stack for each track. Fails on everything that that tool would
 * drop or report.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";
import { projectRoot } from "../places.js";

export const protoFolder = join(projectRoot, "src/export/perfetto");
export const protoFile = "perfetto.proto";

const schema = protobuf.parse(readFileSync(join(protoFolder, protoFile), "utf8"), { keepCase: true }).root;
const traceType = schema.lookupType("perfetto.protos.Trace");

// biome-ignore lint/suspicious/noExplicitAny: a decoded message is whatever the schema says.
type Message = any;

export interface ReadSlice {
  readonly name: string;
  readonly category: string;
  readonly beginNs: number;
  endNs: number | null;
  readonly depth: number;
  readonly annotations: Readonly<Record<string, string | number | boolean>>;
  readonly flows: readonly number[];
  readonly terminatingFlows: readonly number[];
}

export interface ReadTrack {
  readonly uuid: number;
  readonly name: string;
  readonly parent: number;
  readonly description: string;
  readonly rank: number | null;
  readonly ordered: boolean;
  readonly process: { readonly pid: number; readonly process_name: string } | null;
  readonly thread: { readonly pid: number; readonly tid: number; readonly thread_name?: string } | null;
  readonly slices: ReadSlice[];
  readonly instants: ReadSlice[];
}

export interface ReadFtraceEvent {
  readonly cpu: number;
  readonly at: number;
  readonly pid: number;
  readonly name: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

export interface ReadTrace {
  readonly packets: number;
  readonly tracks: ReadonlyMap<number, ReadTrack>;
  readonly ftrace: readonly ReadFtraceEvent[];
  readonly attributes: ReadonlyMap<string, string | number>;
  readonly uname: Readonly<Record<string, string>>;
  /** The last name each thread was given, and its process. */
  readonly threads: ReadonlyMap<number, { readonly name: string; readonly tgid: number }>;
}

const NEEDS_STATE = 2;
const STATE_CLEARED = 1;

interface Sequence {
  readonly names: Map<number, string>;
  readonly categories: Map<number, string>;
  readonly keys: Map<number, string>;
  readonly texts: Map<number, string>;
  readonly symbols: Map<number, string>;
}

const fresh = (): Sequence => ({
  names: new Map(),
  categories: new Map(),
  keys: new Map(),
  texts: new Map(),
  symbols: new Map(),
});

function looked(table: ReadonlyMap<number, string>, iid: number, what: string): string {
  const text = table.get(iid);
  assert.ok(text !== undefined, `${what} ${iid} is used before it is interned`);
  return text;
}

export function reread(bytes: Uint8Array): ReadTrace {
  if (bytes.length > 0) assert.equal(bytes[0], 0x0a, "the first byte identifies the file");
  assertFtraceOrder(bytes);
  const trace: Message = traceType.toObject(traceType.decode(bytes), { longs: Number, enums: String, bytes: String });
  const tracks = new Map<number, ReadTrack>();
  const stacks = new Map<number, ReadSlice[]>();
  const lastOnTrack = new Map<number, number>();
  const sequences = new Map<number, Sequence>();
  const ftrace: ReadFtraceEvent[] = [];
  const attributes = new Map<string, string | number>();
  const threads = new Map<number, { name: string; tgid: number }>();
  let uname: Record<string, string> = {};
  const packets: readonly Message[] = trace.packet ?? [];

  for (const packet of packets) {
    const id: number = packet.trusted_packet_sequence_id;
    assert.ok(id > 0, "a packet has no sequence");
    const flags: number = packet.sequence_flags ?? 0;
    if ((flags & STATE_CLEARED) !== 0) sequences.set(id, fresh());
    const sequence = sequences.get(id);
    if ((flags & NEEDS_STATE) !== 0) assert.ok(sequence, "state is needed before it was cleared");
    if (packet.interned_data !== undefined) intern(sequence as Sequence, packet.interned_data);
    if (packet.system_info !== undefined) uname = packet.system_info.utsname;
    for (const { key, long_value, string_value } of packet.trace_attributes?.attribute ?? []) {
      assert.ok(!attributes.has(key), `attribute ${key} twice`);
      attributes.set(key, long_value ?? string_value);
    }
    for (const { tid, name, tgid } of packet.process_tree?.threads ?? []) threads.set(tid, { name, tgid });
    if (packet.track_descriptor !== undefined) describe(tracks, packet.track_descriptor);
    if (packet.track_event !== undefined) {
      assert.ok((flags & NEEDS_STATE) !== 0 && sequence !== undefined);
      readEvent(packet, sequence, tracks, stacks, lastOnTrack);
    }
    if (packet.ftrace_events !== undefined) readBundle(packet.ftrace_events, sequence, ftrace);
  }
  for (const [uuid, stack] of stacks) assert.equal(stack.length, 0, `a slice of track ${uuid} never ends`);
  return { packets: packets.length, tracks, ftrace, attributes, uname, threads };
}

function intern(sequence: Sequence, data: Message): void {
  const text = (base64: string): string => Buffer.from(base64, "base64").toString();
  const put = (table: Map<number, string>, iid: number, value: string): void => {
    assert.ok(iid > 0 && !table.has(iid), `iid ${iid} is given twice`);
    table.set(iid, value);
  };
  for (const { iid, name } of data.event_names ?? []) put(sequence.names, iid, name);
  for (const { iid, name } of data.event_categories ?? []) put(sequence.categories, iid, name);
  for (const { iid, name } of data.debug_annotation_names ?? []) put(sequence.keys, iid, name);
  for (const { iid, str } of data.debug_annotation_string_values ?? []) put(sequence.texts, iid, text(str));
  for (const { iid, str } of data.kernel_symbols ?? []) put(sequence.symbols, iid, text(str));
}

function describe(tracks: Map<number, ReadTrack>, found: Message): void {
  const { uuid } = found;
  assert.ok(!tracks.has(uuid), `track ${uuid} is described twice`);
  const parent = found.parent_uuid ?? 0;
  if (parent !== 0) assert.ok(tracks.has(parent), `track ${uuid} comes before its parent`);
  tracks.set(uuid, {
    uuid,
    name: found.name ?? "",
    parent,
    description: found.description ?? "",
    rank: found.sibling_order_rank ?? null,
    ordered: found.child_ordering === "EXPLICIT",
    process: found.process ?? null,
    thread: found.thread ?? null,
    slices: [],
    instants: [],
  });
}

function readEvent(
  packet: Message,
  sequence: Sequence,
  tracks: ReadonlyMap<number, ReadTrack>,
  stacks: Map<number, ReadSlice[]>,
  lastOnTrack: Map<number, number>,
): void {
  const event = packet.track_event;
  const uuid: number = event.track_uuid;
  const track = tracks.get(uuid);
  assert.ok(track, `track ${uuid} has an event before its descriptor`);
  const at: number = packet.timestamp;
  assert.ok(at >= 0);
  // If times are equal, begins and ends are paired in file order; instants do not belong to a pair.
  if (event.type !== "TYPE_INSTANT") {
    assert.ok(at >= (lastOnTrack.get(uuid) ?? 0), `time falls on track ${track.name}`);
    lastOnTrack.set(uuid, at);
  }
  const stack = stacks.get(uuid) ?? [];
  stacks.set(uuid, stack);
  if (event.type === "TYPE_SLICE_END") {
    const slice = stack.pop();
    assert.ok(slice, `an end without a begin on track ${track.name}`);
    slice.endNs = at;
    return;
  }
  const annotations: Record<string, string | number | boolean> = {};
  for (const annotation of event.debug_annotations ?? []) {
    const { name_iid, bool_value, int_value, double_value, string_value, string_value_iid } = annotation;
    annotations[looked(sequence.keys, name_iid, "annotation name")] =
      bool_value ??
      int_value ??
      double_value ??
      string_value ??
      looked(sequence.texts, string_value_iid, "annotation text");
  }
  const slice: ReadSlice = {
    name: event.name ?? looked(sequence.names, event.name_iid, "name"),
    category: looked(sequence.categories, event.category_iids[0], "category"),
    beginNs: at,
    endNs: null,
    depth: stack.length,
    annotations,
    flows: event.flow_ids ?? [],
    terminatingFlows: event.terminating_flow_ids ?? [],
  };
  if (event.type === "TYPE_INSTANT") {
    track.instants.push({ ...slice, endNs: at });
    return;
  }
  assert.equal(event.type, "TYPE_SLICE_BEGIN");
  stack.push(slice);
  track.slices.push(slice);
}

/** Fields whose values are iids of kernel symbols. */
const SYMBOL_FIELDS = new Set(["caller", "function"]);

function readBundle(bundle: Message, sequence: Sequence | undefined, ftrace: ReadFtraceEvent[]): void {
  assert.ok(bundle.cpu !== undefined, "a bundle has no CPU");
  let last = 0;
  for (const event of bundle.event) {
    const { timestamp, pid, ...rest } = event;
    const names = Object.keys(rest);
    assert.equal(names.length, 1, `an event has the messages ${names}`);
    const name = names[0] as string;
    assert.ok(timestamp >= last, "time falls in a bundle");
    last = timestamp;
    const fields: Record<string, string | number> = {};
    if (name === "generic") {
      const generic: Message = rest[name];
      for (const { name: key, str_value, int_value, uint_value } of generic.field ?? []) {
        fields[key] = str_value ?? int_value ?? uint_value;
      }
      ftrace.push({ cpu: bundle.cpu, at: timestamp, pid, name: generic.event_name, fields });
      continue;
    }
    for (const [key, value] of Object.entries(rest[name] as Record<string, string | number>)) {
      fields[key] = SYMBOL_FIELDS.has(key) ? looked((sequence as Sequence).symbols, Number(value), "symbol") : value;
    }
    ftrace.push({ cpu: bundle.cpu, at: timestamp, pid, name, fields });
  }
}

/** Every ftrace event has its time, its pid, and one message, in this order; only atrace's syntax goes as `print`. */
function assertFtraceOrder(bytes: Uint8Array): void {
  const PRINT = 3;
  const fieldsIn = (part: Uint8Array): { field: number; body: Uint8Array }[] => {
    const reader = protobuf.Reader.create(part);
    const found: { field: number; body: Uint8Array }[] = [];
    while (reader.pos < reader.len) {
      const key = reader.uint32();
      if ((key & 7) === 2) found.push({ field: key >>> 3, body: reader.bytes() });
      else {
        reader.skipType(key & 7);
        found.push({ field: key >>> 3, body: new Uint8Array(0) });
      }
    }
    return found;
  };
  for (const packet of fieldsIn(bytes)) {
    assert.equal(packet.field, 1, "the file is a run of packets");
    for (const part of fieldsIn(packet.body)) {
      if (part.field !== 1) continue;
      for (const event of fieldsIn(part.body).filter(({ field }) => field === 2)) {
        const order = fieldsIn(event.body).map(({ field }) => field);
        assert.deepEqual(order.slice(0, 2), [1, 2], "an ftrace event does not begin with its time and pid");
        assert.equal(order.length, 3);
        const message = fieldsIn(event.body)[2];
        if (message?.field !== PRINT) continue;
        const text = Buffer.from(fieldsIn(message.body)[0]?.body ?? []).toString();
        assert.match(text, /^[BCSFNIGHE](\||\s*$)/, "plain text as print");
      }
    }
  }
}

/** The tracks of a name, in file order. */
export function tracksNamed(trace: ReadTrace, name: string): readonly ReadTrack[] {
  return [...trace.tracks.values()].filter((track) => track.name === name);
}

/** Names from the top down to a track. */
export function pathOf(trace: ReadTrace, track: ReadTrack): readonly string[] {
  const parent = trace.tracks.get(track.parent);
  const own = track.thread?.thread_name ?? track.name;
  return track.parent === 0 || parent === undefined ? [own] : [...pathOf(trace, parent), own];
}
