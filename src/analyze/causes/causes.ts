/**
 * From paired events to causes: each gets a kind and an identity, and the same cause seen by two sources becomes one
 * span with two pieces of evidence (a kprobe and the function graph on one function; a mark, the syscall inside it and
 * the probe inside that on one file).
 */
import { firstIndexWhere } from "../../base/numbers/search.js";
import type { Boot } from "../../base/time.js";
import type { RawSpans } from "../../model/collected.js";
import { captured } from "../../model/kernel-lines.js";
import type { PlacedPrintk } from "../../model/live-update.js";
import { FUNCTIONS, functionRow, LUO_IOCTLS, type LuoDialect, tokenText } from "../../model/luo.js";
import { deedOf, MARKS } from "../../model/marks.js";
import { SpanFlag, type SpanKind } from "../../model/span-table.js";
import type { Zero } from "../evidence/axis.js";
import { busOf, type DeviceFacts, nameProbes } from "../evidence/devices.js";
import { type PresetRow, presetFinder } from "./presets.js";
import { type HandledFile, HOST_SESSION } from "./sessions.js";

export interface Cause {
  kind: SpanKind;
  id: string;
  name: string;
  action: string;
  detail: string;
  beginNs: number;
  endNs: number;
  readonly boot: Boot;
  readonly cpu: number;
  readonly pid: number;
  readonly task: string;
  flags: number;
  /** Best first. Causes share it: it is replaced, never changed. */
  evidence: readonly string[];
  /** Spans of one lane nest. */
  readonly lane: string;
  /** The traced function, syscall or mark it was read from. */
  readonly record: string;
  rank: number;
}

export const RECORDER = "blackout-recorder";
/** What a file handler's callback does, by the end of its name; where it was called from shows that it is one. */
const HANDLER_CALL = /_(preserve|unpreserve|freeze|unfreeze|retrieve|finish)$/;
/** LUO's own functions have the same endings and are not handlers. */
const LUO_FUNCTION = /^(?:luo|liveupdate)_/;
/** Kernels with one state for the whole host have files and no sessions. */
const isStateFunction = (record: string): boolean => functionRow(record)?.kernels === "states";

/** What beats what if the same cause is seen by several: the nearer to the work, the better. */
const RANK: Readonly<Record<string, number>> = {
  kprobe: 4,
  "function graph": 3,
  "syscall events": 2,
  marker: 1,
};

/** Sources of a task's calls: they nest with one another. */
const CALLS = new Set(["kprobe", "function graph"]);

const NEXT_PAIR = / [A-Za-z_]\w*=/g;

/**
 * The value of `key` in `key=value` pairs joined by blanks. A value may hold blanks, as a session's name does: it ends
 * where the next pair begins.
 */
export function detailValue(detail: string, key: string): string | null {
  const pair = `${key}=`;
  const at = detail.startsWith(pair) ? 0 : detail.indexOf(` ${pair}`) + 1;
  if (at === 0 && !detail.startsWith(pair)) return null;
  const begin = at + pair.length;
  NEXT_PAIR.lastIndex = begin;
  const value = detail.slice(begin, NEXT_PAIR.exec(detail)?.index ?? detail.length);
  return value === "" ? null : value;
}

/** What agents call a file, by its identity. */
export type FileNames = ReadonlyMap<string, { readonly unit: string; readonly fdName: string }>;

export interface CauseSources {
  readonly raw: RawSpans;
  readonly names: FileNames;
  /** Files of handlers' calls, by the row of the span. */
  readonly files: ReadonlyMap<number, HandledFile>;
  readonly dialect: LuoDialect;
  readonly devices: ReadonlyMap<string, DeviceFacts>;
  readonly printk: readonly PlacedPrintk[];
}

/** Causes around another on one task, of all sources: more are calls whose returns were lost. */
const MAX_AROUND = 512;

/** Kinds that run beside a task's calls and never enclose them. */
const BESIDE = new Set<SpanKind>(["task", "irq", "softirq"]);

/** The causes, relative to `zero`, by boot, then begin, then the longer first. */
export function mergeCauses(sources: CauseSources, zero: Zero): readonly Cause[] {
  const { raw } = sources;
  const order = Uint32Array.from({ length: raw.count }, (_, row) => row).sort(
    (a, b) =>
      bootRank(raw, a) - bootRank(raw, b) ||
      (raw.beginNs[a] as number) - (raw.beginNs[b] as number) ||
      (raw.endNs[b] as number) - (raw.endNs[a] as number) ||
      a - b,
  );
  const known: Known = { presetOf: presetFinder(), names: sources.names, dialect: sources.dialect };
  const open = new Map<string, Cause[]>();
  const all: Cause[] = [];
  /** Causes that turned out to be another's twin after they were kept. */
  const twins = new Set<Cause>();
  const shared = new SharedParts();
  for (const row of order) {
    const cause = bareCause(raw, row, zero, shared);
    if (cause.kind === "device") {
      cause.action = detailValue(cause.detail, "action") ?? "";
      all.push(cause);
      continue;
    }
    if (BESIDE.has(cause.kind)) {
      all.push(cause);
      continue;
    }
    const task = cause.pid > 0 ? `${cause.boot} ${cause.pid}` : `${cause.boot} cpu${cause.cpu}`;
    const around = open.get(task) ?? [];
    open.set(task, around);
    while (around.length > 0 && (around.at(-1) as Cause).endNs <= cause.beginNs) {
      if ((around.at(-1) as Cause).endNs === cause.beginNs && cause.endNs === cause.beginNs) break;
      around.pop();
    }
    const joined = sources.files.get(row) ?? null;
    const same = around.findLast((outer) => isSameRecord(outer, cause));
    if (same !== undefined) {
      absorb(same, cause);
      // The source that saw the call first may carry no arguments: with both, it can be identified.
      if (same.kind !== "function") continue;
      const outers = around.slice(0, around.indexOf(same));
      identify(same, outers, joined, known);
      const twin = twinOf(same, outers);
      if (twin === undefined) continue;
      absorb(twin, same);
      twins.add(same);
      around.splice(around.indexOf(same), 1);
      continue;
    }
    identify(cause, around, joined, known);
    const twin = twinOf(cause, around);
    if (twin !== undefined) {
      absorb(twin, cause);
      continue;
    }
    all.push(cause);
    if (around.length < MAX_AROUND) around.push(cause);
  }
  const causes = twins.size === 0 ? all : all.filter((cause) => !twins.has(cause));
  nameDevices(causes, sources);
  causes.push(...loggedProbes(causes, sources));
  return causes.sort(
    (a, b) => (a.boot === b.boot ? 0 : a.boot === "old" ? -1 : 1) || a.beginNs - b.beginNs || b.endNs - a.endNs,
  );
}

function bootRank(raw: RawSpans, row: number): number {
  return raw.boot.at(row) === "old" ? 0 : 1;
}

/** What thousands of causes have in common, made once. */
class SharedParts {
  readonly #evidence = new Map<string, readonly string[]>();
  readonly #lanes = new Map<string, Map<number, string>>();

  evidence(text: string): readonly string[] {
    const known = this.#evidence.get(text);
    if (known !== undefined) return known;
    const made = [text];
    this.#evidence.set(text, made);
    return made;
  }

  /** Of a task, or of a CPU if no task is known: the idle tasks share a pid. */
  lane(boot: Boot, evidence: string, pid: number, cpu: number): string {
    const group = `${boot} ${CALLS.has(evidence) ? "calls" : evidence}`;
    let lanes = this.#lanes.get(group);
    if (lanes === undefined) {
      lanes = new Map();
      this.#lanes.set(group, lanes);
    }
    const number = pid > 0 ? pid : -1 - cpu;
    const known = lanes.get(number);
    if (known !== undefined) return known;
    const made = `${group} ${pid > 0 ? pid : `cpu${cpu}`}`;
    lanes.set(number, made);
    return made;
  }
}

function bareCause(raw: RawSpans, row: number, zero: Zero, shared: SharedParts): Cause {
  const boot = raw.boot.at(row) as Boot;
  const record = raw.name.at(row) as string;
  const pid = raw.pid[row] as number;
  const cpu = raw.cpu[row] as number;
  const evidence = raw.evidence.at(row) as string;
  return {
    kind: raw.kind.at(row) as SpanKind,
    id: record,
    name: record,
    action: "",
    detail: raw.detail.at(row) as string,
    beginNs: (raw.beginNs[row] as number) - zero[boot],
    endNs: (raw.endNs[row] as number) - zero[boot],
    boot,
    cpu,
    pid,
    task: raw.task.at(row) as string,
    flags: (raw.flags[row] as number) & (SpanFlag.beginUnseen | SpanFlag.endUnseen | SpanFlag.inferred),
    evidence: shared.evidence(evidence),
    lane: shared.lane(boot, evidence, pid, cpu),
    record,
    rank: RANK[evidence] ?? 2,
  };
}

/** One call seen by a kprobe and by the function graph. */
function isSameRecord(outer: Cause, inner: Cause): boolean {
  const [a, b] = [outer.evidence[0], inner.evidence[0]];
  const both = (a === "kprobe" && b === "function graph") || (a === "function graph" && b === "kprobe");
  return both && outer.evidence.length === 1 && outer.record === inner.record;
}

/** The cause around it that is the same work on the same file or session, seen by another source or by its caller. */
function twinOf(cause: Cause, around: readonly Cause[]): Cause | undefined {
  if (cause.kind !== "file" && cause.kind !== "session") return undefined;
  return around.findLast(
    (outer) => outer.kind === cause.kind && outer.id === cause.id && outer.action === cause.action,
  );
}

/**
 * `outer` takes what the second source knows: its evidence, its details, and its bounds if they are the better ones.
 */
function absorb(outer: Cause, inner: Cause): void {
  const better = inner.rank > outer.rank;
  if (better) {
    outer.beginNs = inner.beginNs;
    outer.endNs = inner.endNs;
    outer.flags = inner.flags;
    outer.rank = inner.rank;
  }
  outer.evidence = [
    ...new Set(better ? [...inner.evidence, ...outer.evidence] : [...outer.evidence, ...inner.evidence]),
  ];
  const known = new Set(outer.detail.split(" ").map((pair) => pair.split("=")[0]));
  const news = inner.detail.split(" ").filter((pair) => pair !== "" && !known.has(pair.split("=")[0]));
  if (news.length > 0) outer.detail = [outer.detail, ...news].filter((part) => part !== "").join(" ");
}

/** What a whole update contains about each of its causes. */
interface Known {
  readonly presetOf: (name: string) => PresetRow | null;
  readonly names: FileNames;
  readonly dialect: LuoDialect;
}

function identify(
  cause: Cause,
  around: readonly Cause[],
  joined: HandledFile | null,
  { presetOf, names, dialect }: Known,
): void {
  const { record, detail } = cause;
  if (record === MARKS.recorderArm.name) {
    Object.assign(cause, { kind: "userspace", id: RECORDER, name: RECORDER, action: "arm" });
    return;
  }
  const session = detailValue(detail, "session");
  const deed = deedOf(record);
  const handler = LUO_FUNCTION.test(record) ? null : HANDLER_CALL.exec(record);
  const ofFile = (name: string, token: string, action: string): void => {
    const id = `${name} ${tokenText(token) ?? token}`;
    const stored = names.get(id);
    const label = stored === undefined ? id : `${id} (${stored.unit} ${stored.fdName})`;
    Object.assign(cause, { kind: "file", id, name: label, action });
  };
  const token = detailValue(detail, "token");
  if (session !== null && deed !== null) {
    if (deed.of === "file") ofFile(session, token ?? "?", deed.action);
    else Object.assign(cause, { kind: "session", id: session, name: session, action: deed.action });
    return;
  }
  if (deed !== null && isStateFunction(record) && token !== null) {
    ofFile(HOST_SESSION, token, deed.action);
    return;
  }
  if (joined !== null) {
    ofFile(joined.session, joined.token, joined.action);
    return;
  }
  const ioctl =
    cause.kind === "syscall" ? LUO_IOCTLS[dialect].get(Number(detailValue(detail, "cmd") ?? Number.NaN)) : undefined;
  const action = deed?.action ?? handler?.[1] ?? ioctl?.action;
  const outer = action === undefined || action === "" ? undefined : around.findLast((each) => each.action === action);
  if (outer !== undefined && (outer.kind === "file" || outer.kind === "session")) {
    Object.assign(cause, { kind: outer.kind, id: outer.id, name: outer.name, action });
    return;
  }
  if (cause.kind === "syscall") {
    const name = ioctl === undefined ? record : `ioctl ${ioctl.name}`;
    Object.assign(cause, { id: name, name });
    return;
  }
  if (cause.kind === "cpu") {
    const [cpu, ...step] = record.split(" ");
    Object.assign(cause, { id: cpu, action: step.join(" ") });
    return;
  }
  if (record === FUNCTIONS.pciShutdown.name || record === FUNCTIONS.platformShutdown.name) {
    const device = detailValue(detail, "dev");
    if (device !== null) Object.assign(cause, { kind: "device", id: device, action: "shutdown" });
    return;
  }
  const preset = cause.kind === "function" ? presetOf(record) : null;
  if (preset !== null) {
    const id = preset.identity.map((key) => detailValue(detail, key)).find((value) => value !== null);
    // Without an argument that names it, a function is not a device or a file of the function's name.
    if (id !== undefined) Object.assign(cause, { kind: preset.kind, id, name: id, action: record });
  }
}

/** Finds the initcall that a call of the same task lies in. Initcalls run one after the other (init/main.c). */
function initcallFinder(causes: readonly Cause[]): (call: Cause) => Cause | undefined {
  const byTask = new Map<string, Cause[]>();
  for (const cause of causes) {
    if (cause.kind !== "initcall" || cause.record.startsWith("level ")) continue;
    const task = `${cause.boot} ${cause.pid}`;
    const list = byTask.get(task);
    if (list === undefined) byTask.set(task, [cause]);
    else list.push(cause);
  }
  for (const list of byTask.values()) list.sort((a, b) => a.beginNs - b.beginNs);
  return (call) => {
    const list = byTask.get(`${call.boot} ${call.pid}`) ?? [];
    const last = list[firstIndexWhere(list, ({ beginNs }) => beginNs > call.beginNs) - 1];
    return last !== undefined && last.endNs >= call.endNs ? last : undefined;
  };
}

/** What a line of the log says of a probe that no tracer saw. */
const LINE_EVIDENCE = "initcall_debug";

/**
 * Probes as `initcall_debug` logs them, with their length: of devices whose probe was not traced. A probe inside an
 * initcall of pid 1 ran there; any other ran beside the path, on a worker.
 */
function loggedProbes(causes: readonly Cause[], { devices, printk }: CauseSources): readonly Cause[] {
  const traced = new Map<string, Cause[]>();
  for (const cause of causes) {
    if (cause.kind !== "device" || cause.action !== "probe") continue;
    const key = `${cause.boot} ${cause.id}`;
    traced.set(key, [...(traced.get(key) ?? []), cause]);
  }
  const initcallAround = initcallFinder(causes);
  return printk.flatMap(({ boot, atNs, text }): readonly Cause[] => {
    const line = atNs === null ? null : captured("device-probed", text);
    if (atNs === null || line === null) return [];
    const id = line.device as string;
    const beginNs = atNs - Number(line.usecs) * 1_000;
    const overlaps = (each: Cause): boolean => each.beginNs < atNs && each.endNs > beginNs;
    if (beginNs >= atNs || traced.get(`${boot} ${id}`)?.some(overlaps)) return [];
    const driver = devices.get(id)?.driver ?? null;
    const probe: Cause = {
      kind: "device",
      id,
      name: driver === null ? id : `${driver} ${id}`,
      action: "probe",
      detail: [`ret=${line.ret}`, ...(driver === null ? [] : [`driver=${driver}`])].join(" "),
      beginNs,
      endNs: atNs,
      boot,
      cpu: -1,
      pid: 1,
      task: "",
      flags: 0,
      evidence: [LINE_EVIDENCE],
      lane: `${boot} ${LINE_EVIDENCE} ${id}`,
      record: LINE_EVIDENCE,
      rank: 1,
    };
    return [initcallAround(probe) === undefined ? { ...probe, pid: -1, task: "worker" } : probe];
  });
}

/** Probes get their devices, and devices the names that an engineer knows them by: driver and address. */
function nameDevices(causes: readonly Cause[], { devices, printk }: CauseSources): void {
  const probes = causes.filter((cause) => cause.record === FUNCTIONS.pciProbe.name);
  const initcallAround = initcallFinder(causes);
  const found = nameProbes(
    probes.map((probe) => ({
      boot: probe.boot,
      beginNs: probe.beginNs,
      endNs: probe.endNs,
      initcall: initcallAround(probe)?.record ?? null,
    })),
    devices,
    printk,
  );
  probes.forEach((probe, i) => {
    const own = detailValue(probe.detail, "dev");
    const device = own === null ? (found[i] ?? null) : { id: own, inferred: false };
    if (device === null) return;
    Object.assign(probe, { kind: "device", id: device.id, action: "probe" });
    if (device.inferred) probe.flags |= SpanFlag.inferred;
  });
  for (const cause of causes) {
    if (cause.kind !== "device") continue;
    const driver = devices.get(cause.id)?.driver ?? null;
    if (cause.name === cause.record) cause.name = driver === null ? cause.id : `${driver} ${cause.id}`;
    if (driver !== null && detailValue(cause.detail, "driver") === null) {
      cause.detail = [cause.detail, `driver=${driver}`].filter((part) => part !== "").join(" ");
    }
    const bus = busOf(cause.id);
    if (bus !== null) cause.detail = [cause.detail, `bus=${bus}`].filter((part) => part !== "").join(" ");
  }
}
