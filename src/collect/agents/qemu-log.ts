/**
 * QEMU's log of its trace events (`-D FILE --trace PATTERN -msg timestamp=on`, the log backend): what a VMM does in the
 * blackout, and when its VM stood still. `TID@SECONDS.MICROS:event text` by gettimeofday
 * (scripts/tracetool/backend/log.py), in newer ones `2026-11-29T19:47:01.919843Z event text` (qemu_log, util/log.c);
 * without `-msg timestamp=on` no stamp at all. Events: system/trace-events (in older ones softmmu/),
 * migration/trace-events; `vmstate_downtime_*` since QEMU 8.2.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import { ok, type Result } from "../../base/result.js";
import type { Boot } from "../../base/time.js";
import type { EventFields, EventSource, FieldValue } from "../../model/collected.js";
import type { TraceFile } from "../../model/traces/trace-file.js";
import { COLON, DOT, IDENTIFIER, isDigit, MINUS, SPACE, ZERO } from "../files/bytes.js";
import {
  type StampedDialect,
  type StampedLine,
  type StampedLineKind,
  stampedTextSource,
} from "../kernel-log/stamped-text.js";
import type { VmmDeviceSpan, VmmFacts, VmmLogName, VmmTransition } from "./vmm-log.js";

const NAME = /^qemu(?:-([A-Za-z0-9][\w.-]{0,63}?))?\.(old|new)\.log$/;

/** `qemu.old.log`, `qemu-web1.new.log`: of which VM and boot; null for other files. */
export function qemuLogName(file: string): VmmLogName | null {
  const match = NAME.exec(file);
  return match === null ? null : { vm: match[1] ?? null, boot: match[2] as Boot };
}

const AT = 0x40;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;
const UNDERSCORE = 0x5f;
/** A thread's id, and a second since 1970, have at most ten digits. */
const MAX_DIGITS = 10;
/** `2026-11-29T19:47:01` */
const ISO_CHARS = 19;

/** Where the digits from `at` on end. */
function digitsEnd(buffer: Buffer, at: number, end: number): number {
  let to = at;
  while (to < end && isDigit(buffer[to] as number)) to++;
  return to;
}

function numberOf(buffer: Buffer, begin: number, end: number): number {
  let value = 0;
  for (let at = begin; at < end; at++) value = value * 10 + (buffer[at] as number) - ZERO;
  return value;
}

/** Reads `TID@SECONDS.MICROS:`; the position after it, or -1. */
function threadStamp(buffer: Buffer, begin: number, end: number, line: StampedLine): number {
  const at = digitsEnd(buffer, begin, end);
  if (at === begin || at - begin > MAX_DIGITS || buffer[at] !== AT) return -1;
  const dot = digitsEnd(buffer, at + 1, end);
  if (dot === at + 1 || dot - at - 1 > MAX_DIGITS || buffer[dot] !== DOT) return -1;
  const colon = digitsEnd(buffer, dot + 1, end);
  if (colon - dot !== 7 || colon >= end || buffer[colon] !== COLON) return -1;
  line.pid = numberOf(buffer, begin, at) | 0;
  line.seconds = numberOf(buffer, at + 1, dot);
  line.nanos = numberOf(buffer, dot + 1, colon) * 1_000;
  return colon + 1;
}

/** Reads `YYYY-MM-DDTHH:MM:SS.MICROSZ ` (the fraction is left out if it is zero); the position after it, or -1. */
function isoStamp(buffer: Buffer, begin: number, end: number, line: StampedLine): number {
  const second = begin + ISO_CHARS;
  if (second + 1 >= end || buffer[begin + 4] !== MINUS || buffer[begin + 10] !== LETTER_T) return -1;
  const ms = Date.parse(`${buffer.toString("latin1", begin, second)}Z`);
  if (!(ms >= 0)) return -1;
  const to = buffer[second] === DOT ? digitsEnd(buffer, second + 1, end) : second;
  if ((to !== second && to - second !== 7) || buffer[to] !== LETTER_Z || buffer[to + 1] !== SPACE) return -1;
  line.seconds = ms / 1_000;
  line.nanos = to === second ? 0 : numberOf(buffer, second + 1, to) * 1_000;
  return to + 2;
}

function parse(buffer: Buffer, begin: number, end: number, line: StampedLine): StampedLineKind {
  const digit = isDigit(buffer[begin] as number);
  const stamped = digit ? threadStamp(buffer, begin, end, line) : -1;
  const at = stamped >= 0 || !digit ? stamped : isoStamp(buffer, begin, end, line);
  const from = at < 0 ? begin : at;
  let to = from;
  let hasUnderscore = false;
  while (to < end && IDENTIFIER[buffer[to] as number] === 1) {
    hasUnderscore ||= buffer[to] === UNDERSCORE;
    to++;
  }
  const isEvent = hasUnderscore && (to === end || buffer[to] === SPACE);
  if (!isEvent) return at < 0 ? "undecoded" : "structural";
  line.nameBegin = from;
  line.nameEnd = to;
  line.begin = Math.min(end, to + 1);
  line.end = end;
  return "event";
}

type TextFields = readonly [pattern: RegExp, ...names: readonly string[]];

const DOWNTIME: TextFields = [
  /^type=([\w-]+) idstr=(.{1,255}) instance_id=(-?\d{1,10}) downtime=(-?\d{1,15})$/,
  ...["type", "idstr", "instance", "downtime_us"],
];
const DEVICE_STATE: TextFields = [/^(.{1,255}), (.{1,255})$/, "idstr", "vmsd"];

/** What the texts of the events that are understood hold, by the formats of QEMU's trace-events. */
const FIELDS: ReadonlyMap<string, TextFields> = new Map<string, TextFields>([
  ["runstate_set", [/^current_run_state -?\d+ \(([\w-]+)\) new_state -?\d+ \(([\w-]+)\)$/, "from", "to"]],
  ["vm_state_notify", [/^running (\d+) reason \d+ \(([\w-]+)\)$/, "running", "reason"]],
  ["migrate_set_state", [/^new state ([\w-]+)$/, "state"]],
  ["savevm_section_start", [/^(.{1,255}), section_id (\d{1,10})$/, "idstr", "section"]],
  ["savevm_section_end", [/^(.{1,255}), section_id (\d{1,10}) -> (-?\d{1,10})$/, "idstr", "section", "ret"]],
  ["vmstate_save", DEVICE_STATE],
  ["vmstate_load", DEVICE_STATE],
  ["qemu_loadvm_state_section", [/^(\d{1,3})$/, "type"]],
  [
    "qemu_loadvm_state_section_startfull",
    [/^(\d{1,10})\((.{1,255})\) (\d{1,10}) (\d{1,10})$/, "section", "idstr", "instance", "version"],
  ],
  ["qemu_loadvm_state_section_partend", [/^(\d{1,10})$/, "section"]],
  ["vmstate_load_state", [/^(.{1,255}) v(-?\d{1,10})$/, "vmsd", "version"]],
  ["vmstate_load_state_end", [/^(.{1,255}) (.{1,255})\/(-?\d{1,10})$/, "vmsd", "reason", "ret"]],
  ["vmstate_downtime_save", DOWNTIME],
  ["vmstate_downtime_load", DOWNTIME],
  ["vmstate_downtime_checkpoint", [/^([\w-]+)$/, "checkpoint"]],
]);

const NUMBER = /^-?\d{1,15}$/;

/** An event's fields; those of an event that is not understood are its text. */
export function qemuFields(name: string, text: string): EventFields {
  const said = text.trimEnd();
  const [pattern, ...names] = FIELDS.get(name) ?? [];
  const match = pattern?.exec(said) ?? null;
  if (match === null) return said === "" ? new Map() : new Map([["text", said]]);
  return new Map(
    names.map((field, i): readonly [string, FieldValue] => {
      const value = match[i + 1] as string;
      return [field, NUMBER.test(value) && field !== "idstr" && field !== "vmsd" ? Number(value) : value];
    }),
  );
}

const DIALECT: StampedDialect = {
  name: "qemu-log",
  eventName: null,
  parse,
  fields: qemuFields,
  undecoded: {
    code: "qemu-log-undecoded",
    severity: "note",
    message: "Not a QEMU trace event.",
    advice: "Nothing, if QEMU also logs other things; else compare it with the log itself.",
  },
  untimed: {
    code: "qemu-log-no-time",
    severity: "error",
    message: "Events carry no stamp: when they happened is not known.",
    advice: "Start QEMU with -msg timestamp=on.",
  },
};

const STAMPED_EVENT = /^(?:\d{1,10}@\d{1,10}\.\d{6}:|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z )\w*_\w*(?: |$)/;
/** Without stamps a log is recognized by the events that blackout reads. */
const KNOWN_EVENT =
  /^(?:runstate_set|vm_state_notify|migrate_set_state|savevm_\w+|vmstate_\w+|(?:qemu_)?loadvm_\w+)(?: |$)/;

/** How many of the lines are events with QEMU's stamp, or without stamps, of migration. */
export function qemuLogLines(lines: readonly string[]): number {
  const stamped = lines.filter((line) => STAMPED_EVENT.test(line)).length;
  return stamped > 0 ? stamped : lines.filter((line) => KNOWN_EVENT.test(line)).length;
}

export function openQemuLog(source: ByteSource): Result<TraceFile, string> {
  return ok({
    what: "QEMU log",
    uname: null,
    session: null,
    parts: [{ name: "", clock: "realtime", nsPerCount: 1, source: (filter) => qemuLogSource(source, "old", filter) }],
  });
}

/** The log's events, on the host's CLOCK_REALTIME, cut to microseconds. */
function qemuLogSource(
  source: ByteSource,
  boot: Boot,
  filter?: Parameters<TraceFile["parts"][0]["source"]>[0],
): EventSource {
  return stampedTextSource({ boot, source, dialect: DIALECT, filter });
}

/** A guest has some dozens of devices; RAM is sent in some thousand parts at most. */
const MAX_SPANS = 100_000;

/** Reads one boot's log of one VM; never throws. Stamps are cut to `QEMU_STAMP_NS`. */
export function readQemuLog(source: ByteSource, boot: Boot, sink: DefectSink): VmmFacts {
  const devices = new DeviceSpans();
  const transitions = new Transitions(boot);
  const counts = qemuLogSource(source, boot).read({
    defect: sink.defect,
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        const since = chunk.time[row] as number;
        const name = chunk.strings.stringOf(chunk.name[row] as number);
        if (Number.isNaN(since) || !INTEREST.has(name)) continue;
        const fields = FIELDS.has(name) && !NESTED.has(name) ? chunk.fields(row) : NO_FIELDS;
        const at = { ns: chunk.base + BigInt(since), tid: chunk.pid[row] as number, line: chunk.place[row] as number };
        devices.take(name, fields, at);
        transitions.take(name, fields, at);
      }
    },
  });
  devices.finish();
  if (devices.dropped > 0) {
    sink.defect({
      code: "qemu-log-cut",
      severity: "warning",
      file: source.name,
      boot,
      count: devices.dropped,
      message: `More than ${MAX_SPANS.toLocaleString("en")} saves and loads; the others are left out.`,
      advice: "Cut the log to the live update it belongs to.",
    });
  }
  return { file: source.name, transition: transitions.decisive, spans: devices.spans, counts };
}

/** `gettimeofday` counts microseconds. */
export const QEMU_STAMP_NS = 1_000;

interface At {
  readonly ns: bigint;
  readonly tid: number;
  readonly line: number;
}

const NO_FIELDS: EventFields = new Map();
/** There may be thousands of these: only their order counts. */
const NESTED = new Set(["vmstate_load_state", "vmstate_load_state_end"]);
const INTEREST = new Set([...NESTED, ...FIELDS.keys(), "loadvm_state_cleanup"]);

/** Pairs saves and loads, of each thread by itself. */
class DeviceSpans {
  readonly spans: VmmDeviceSpan[] = [];
  dropped = 0;
  readonly #saves = new Map<number, { readonly device: string; readonly at: At }>();
  readonly #loads = new Map<number, OpenLoad>();
  /** The names of sections that come in parts. */
  readonly #sections = new Map<number, string>();

  take(name: string, fields: EventFields, at: At): void {
    const device = String(fields.get("idstr") ?? "");
    switch (name) {
      case "savevm_section_start":
        this.#saves.set(at.tid, { device, at });
        return;
      case "savevm_section_end": {
        const open = this.#saves.get(at.tid);
        this.#saves.delete(at.tid);
        if (open?.device === device) this.#add("save", device, open.at, at.ns, false);
        return;
      }
      case "vmstate_downtime_save":
        this.#timed("save", device, fields, at);
        return;
      case "vmstate_downtime_load":
        this.#close(at, at.ns);
        this.#timed("load", device, fields, at);
        return;
      case "qemu_loadvm_state_section":
      case "loadvm_state_cleanup":
        this.#close(at, null);
        return;
      case "qemu_loadvm_state_section_startfull":
        if (this.#sections.size < MAX_SPANS) this.#sections.set(Number(fields.get("section") ?? -1), device);
        this.#open(device, at);
        return;
      case "qemu_loadvm_state_section_partend":
        this.#open(this.#sections.get(Number(fields.get("section") ?? -1)) ?? "", at);
        return;
      case "vmstate_load_state":
      case "vmstate_load_state_end": {
        const open = this.#loads.get(at.tid);
        if (open === undefined) return;
        open.depth += name === "vmstate_load_state" ? 1 : -1;
        if (open.depth === 0) open.doneNs = at.ns;
        return;
      }
    }
  }

  finish(): void {
    this.#loads.clear();
  }

  #open(device: string, at: At): void {
    this.#close(at, null);
    if (device !== "") this.#loads.set(at.tid, { device, at, depth: 0, doneNs: null });
  }

  /**
   * A load ends where its last state was read; if that is not logged, where the thread goes on to the next section.
   */
  #close(at: At, toldNs: bigint | null): void {
    const open = this.#loads.get(at.tid);
    this.#loads.delete(at.tid);
    if (open === undefined) return;
    const endNs = toldNs ?? open.doneNs;
    this.#add("load", open.device, open.at, endNs ?? at.ns, endNs === null);
  }

  /** `downtime` microseconds up to the stamp; nothing new if the same work was seen begin and end. */
  #timed(action: "save" | "load", device: string, fields: EventFields, at: At): void {
    const us = Number(fields.get("downtime_us") ?? Number.NaN);
    if (!(us >= 0)) return;
    const beginNs = at.ns - BigInt(us) * 1_000n;
    const seen = this.spans.findLast((span) => span.tid === at.tid && span.action === action);
    if (seen !== undefined && seen.device === device && seen.endNs > beginNs) return;
    this.#add(action, device, { ...at, ns: beginNs }, at.ns, false);
  }

  #add(action: "save" | "load", device: string, begin: At, endNs: bigint, inferred: boolean): void {
    if (endNs < begin.ns) return;
    if (this.spans.length === MAX_SPANS) this.dropped += 1;
    else this.spans.push({ action, device, beginNs: begin.ns, endNs, inferred, tid: begin.tid, line: begin.line });
  }
}

interface OpenLoad {
  readonly device: string;
  readonly at: At;
  depth: number;
  doneNs: bigint | null;
}

/**
 * When the VM stood still: in the old kernel its last stop, if it did not run again; in the new one its first run. Run
 * states say it to the event; if they are not logged, migration's checkpoints do.
 */
class Transitions {
  #state: VmmTransition | null = null;
  #checkpoint: VmmTransition | null = null;

  constructor(readonly boot: Boot) {}

  get decisive(): VmmTransition | null {
    return this.#state ?? this.#checkpoint;
  }

  take(name: string, fields: EventFields, at: At): void {
    const [from, to, checkpoint] = [fields.get("from"), fields.get("to"), String(fields.get("checkpoint") ?? "")];
    const told = { realtimeNs: at.ns, tid: at.tid, line: at.line };
    if (name === "runstate_set" && from !== undefined && to !== undefined) {
      const event = `runstate_set ${from} → ${to}`;
      if (this.boot === "new") {
        if (to === "running") this.#state ??= { what: "resumed", event, ...told };
      } else if (to === "running") this.#state = this.#checkpoint = null;
      else if (from === "running") this.#state = { what: "stopped", event, ...told };
    } else if (checkpoint !== "") {
      const what = this.boot === "old" ? "stopped" : "resumed";
      const wanted = this.boot === "old" ? /^src-vm-stopped$/ : /^dst-(?:precopy|postcopy)-bh-vm-started$/;
      if (wanted.test(checkpoint)) this.#checkpoint ??= { what, event: `${name} ${checkpoint}`, ...told };
    }
  }
}
