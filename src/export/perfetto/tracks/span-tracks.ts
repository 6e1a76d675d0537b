/** The span table's rows as slices: sessions and files on their own tracks, tasks' calls below their threads. */

import { assertNever } from "../../../base/result.js";
import type { Boot } from "../../../base/time.js";
import { VMM_EVIDENCE } from "../../../model/collected.js";
import { SPAN_KINDS, SpanFlag, type SpanKind, type SpanTable } from "../../../model/span-table.js";
import { type Tasks, tidOf } from "../packets/tasks.js";
import type { TraceTime } from "../packets/trace-time.js";
import type { TraceWriter, TrackInput } from "../packets/trace-writer.js";
import type { DocumentTracks } from "./document-tracks.js";
import { compareRows, layOut } from "./lanes.js";
import { fileKey } from "./session-tracks.js";
import { Rank } from "./track-order.js";

/** What the rows of one track, or of several that overlap, have in common. */
interface Group {
  readonly id: number;
  readonly firstRow: number;
  size: number;
}

/** Kinds shown by the document's own tracks. */
const SHOWN_BY_DOCUMENT: ReadonlySet<SpanKind> = new Set(["phase", "blackout", "seam"]);

type Place = "document" | "named" | "device" | "kind" | "task" | "cpu";

/**
 * What distinguishes a row's track from others of the same kind: its name, whether a VMM logged it, nothing, its task,
 * or its CPU.
 */
function placeOf(kind: SpanKind): Place {
  switch (kind) {
    case "phase":
    case "blackout":
    case "seam":
      return "document";
    case "session":
    case "file":
      return "named";
    case "device":
      return "device";
    case "initcall":
    case "cpu":
    case "notifier":
    case "marker":
    case "printk":
    case "unattributed":
      return "kind";
    case "function":
    case "userspace":
    case "syscall":
      return "task";
    case "task":
    case "irq":
    case "softirq":
      return "cpu";
    default:
      return assertNever(kind);
  }
}

const KIND_TITLES: Readonly<Partial<Record<SpanKind, string>>> = {
  device: "Devices",
  initcall: "Initcalls",
  cpu: "CPU hotplug",
  notifier: "Notifiers",
  function: "Functions",
  syscall: "System calls",
  userspace: "User space",
  marker: "Markers",
  printk: "printk",
  unattributed: "Unattributed",
  task: "running",
};

const NO_GROUP = -1;
const FILE = SPAN_KINDS.indexOf("file");
const FILE_FLOWS = 1_000_000_000;
/** The calls of one file that arrows connect, in this order; a second call of the same kind only looks up. */
const FILE_STEPS: readonly string[] = ["preserve", "freeze", "retrieve", "finish"];

/** The rows that one file's arrow passes: flow id, negative at its end. Only arrows that cross the kexec. */
function fileFlows(table: SpanTable, time: TraceTime): ReadonlyMap<number, number> {
  const flows = new Map<number, number>();
  if (!time.joint) return flows;
  const files = new Map<string, Map<string, number>>();
  for (let row = 0; row < table.count; row++) {
    if (table.kind[row] !== FILE) continue;
    const action = table.strings[table.action[row] as number] ?? "";
    if (!FILE_STEPS.includes(action)) continue;
    const id = table.strings[table.id[row] as number] ?? "";
    const steps = files.get(id) ?? new Map<string, number>();
    files.set(id, steps);
    if (!steps.has(action)) steps.set(action, row);
  }
  let next = FILE_FLOWS;
  for (const steps of files.values()) {
    const rows = FILE_STEPS.flatMap((action) => steps.get(action) ?? []);
    if (!rows.some((row) => table.boot[row] === 1) || !rows.some((row) => table.boot[row] === 2)) continue;
    const flow = next++;
    rows.forEach((row, i) => {
      flows.set(row, i === rows.length - 1 ? -flow : flow);
    });
  }
  return flows;
}

/** Writes the table's rows; returns how many could not be placed in time. */
export function writeSpans(
  writer: TraceWriter,
  table: SpanTable,
  document: DocumentTracks,
  tasks: Tasks,
  time: TraceTime,
): number {
  const places = SPAN_KINDS.map(placeOf);
  const { groups, groupOf, unplaced } = groupRows(table, places, time);

  const starts = new Int32Array(groups.length + 1);
  for (const { id, size } of groups) starts[id + 1] = size;
  for (let id = 0; id < groups.length; id++) starts[id + 1] = (starts[id] as number) + (starts[id + 1] as number);
  const rows = new Int32Array(starts[groups.length] as number);
  const next = starts.slice();
  for (let row = 0; row < table.count; row++) {
    const id = groupOf[row] as number;
    if (id !== NO_GROUP) {
      rows[next[id] as number] = row;
      next[id] = (next[id] as number) + 1;
    }
  }

  const intervals = { begin: table.beginNs, end: table.endNs, parent: table.parent };
  const drawRow = rowWriter(writer, table, time, places);
  const trackOf = trackFinder(writer, table, document, tasks);
  for (const group of groups) {
    const own = rows.subarray(starts[group.id], starts[group.id + 1]);
    sortRows(intervals, own);
    const track = trackOf(group.firstRow);
    layOut(intervals, own, {
      track,
      begin: drawRow.begin,
      end: drawRow.end,
    });
  }
  return unplaced;
}

function sortRows(intervals: Parameters<typeof compareRows>[0], rows: Int32Array): void {
  for (let i = 1; i < rows.length; i++) {
    if (compareRows(intervals, rows[i - 1] as number, rows[i] as number) > 0) {
      rows.sort((a, b) => compareRows(intervals, a, b));
      return;
    }
  }
}

interface Grouped {
  readonly groups: readonly Group[];
  readonly groupOf: Int32Array;
  readonly unplaced: number;
}

function groupRows(table: SpanTable, places: readonly Place[], time: TraceTime): Grouped {
  const groups: Group[] = [];
  const groupOf = new Int32Array(table.count).fill(NO_GROUP);
  const known = new Map<number, Map<number, Group>>();
  let unplaced = 0;
  const logged = table.strings.indexOf(VMM_EVIDENCE);
  const identities = new Map<string, number>();
  const byName = [new Map<number, number>(), new Map<number, number>()] as const;
  /** Names that stand for one file, or one session, share a number. */
  const identityOf = (which: 0 | 1, nameId: number): number => {
    const found = byName[which].get(nameId);
    if (found !== undefined) return found;
    const name = table.strings[nameId] ?? "";
    const key = which === 1 ? `file ${fileKey(name)}` : `session ${name}`;
    const identity = identities.get(key) ?? identities.size;
    identities.set(key, identity);
    byName[which].set(nameId, identity);
    return identity;
  };
  for (let row = 0; row < table.count; row++) {
    const place = places[table.kind[row] as number];
    if (place === undefined || place === "document") continue;
    const begin = table.beginNs[row] as number;
    const end = table.endNs[row] as number;
    const boot = table.boot[row] as number;
    const shift = boot === 2 ? time.zeroNs.new : time.zeroNs.old;
    if (
      !Number.isSafeInteger(begin) ||
      !Number.isSafeInteger(end + shift) ||
      end < begin ||
      begin + shift < 0 ||
      (boot === 0 && !time.joint)
    ) {
      unplaced += 1;
      continue;
    }
    let outer = (table.kind[row] as number) * 4 + boot;
    let inner = 0;
    if (place === "named") {
      // One track for both boots' calls; if the axes are not joint they are drawn apart and cannot overlap.
      if (time.joint) outer -= boot;
      // A file's name may contain more than session and token.
      const file = table.kind[row] === FILE;
      inner = identityOf(file ? 1 : 0, (file ? table.id : table.name)[row] as number);
    } else if (place === "device") inner = table.evidence[row] === logged ? 1 : 0;
    else if (place === "task" || place === "cpu") {
      const pid = place === "task" ? (table.pid[row] as number) : -1;
      const cpu = table.cpu[row] as number;
      inner = pid > 0 ? pid : cpu >= 0 ? -2 - cpu : -1;
    }
    let byInner = known.get(outer);
    if (byInner === undefined) {
      byInner = new Map();
      known.set(outer, byInner);
    }
    let group = byInner.get(inner);
    if (group === undefined) {
      group = { id: groups.length, firstRow: row, size: 0 };
      byInner.set(inner, group);
      groups.push(group);
    }
    group.size += 1;
    groupOf[row] = group.id;
  }
  return { groups, groupOf, unplaced };
}

/** The hot part: interned ids by the table's own string ids, so that a row costs no string. */
function rowWriter(
  writer: TraceWriter,
  table: SpanTable,
  time: TraceTime,
  places: readonly Place[],
): { begin(row: number, uuid: number): void; end(row: number, uuid: number): void } {
  const names = new Uint32Array(table.strings.length);
  const texts = new Uint32Array(table.strings.length);
  const nameIid = (id: number): number => {
    const known = names[id] as number;
    if (known !== 0) return known;
    const iid = writer.intern("name", table.strings[id] ?? "");
    names[id] = iid;
    return iid;
  };
  const textIid = (id: number): number => {
    const known = texts[id] as number;
    if (known !== 0) return known;
    const iid = writer.intern("annotationText", table.strings[id] ?? "");
    texts[id] = iid;
    return iid;
  };
  const categories = SPAN_KINDS.map((kind) => (SHOWN_BY_DOCUMENT.has(kind) ? 0 : writer.intern("category", kind)));
  const key = {
    cpu: writer.intern("annotationName", "cpu"),
    pid: writer.intern("annotationName", "pid"),
    task: writer.intern("annotationName", "task"),
    detail: writer.intern("annotationName", "detail"),
    evidence: writer.intern("annotationName", "evidence"),
    action: writer.intern("annotationName", "action"),
    object: writer.intern("annotationName", "object"),
    beginUnseen: writer.intern("annotationName", "begin_unseen"),
    endUnseen: writer.intern("annotationName", "end_unseen"),
    inferred: writer.intern("annotationName", "inferred"),
  };
  const flows = fileFlows(table, time);
  const shifts = [time.zeroNs.old, time.zeroNs.old, time.zeroNs.new];
  const markerKind = SPAN_KINDS.indexOf("marker");
  const isInstant = (row: number): boolean =>
    table.kind[row] === markerKind && table.beginNs[row] === table.endNs[row] && table.flags[row] === 0;

  return {
    begin: (row, uuid) => {
      const kind = table.kind[row] as number;
      const step = stepName(table, row);
      const name = step === null ? nameIid(table.name[row] as number) : writer.intern("name", step);
      const objectIid = step === null ? 0 : textIid(table.name[row] as number);
      const detail = table.detail[row] as number;
      const detailIid = detail === 0 ? 0 : textIid(detail);
      // On a task's track, the task is that of the track.
      const bare = places[kind] === "task";
      const task = table.task[row] as number;
      const taskIid = bare || task === 0 ? 0 : textIid(task);
      const evidence = table.evidence[row] as number;
      const evidenceIid = evidence === 0 ? 0 : textIid(evidence);
      const action = table.action[row] as number;
      const actionIid = action === 0 ? 0 : textIid(action);
      const at = (table.beginNs[row] as number) + (shifts[table.boot[row] as number] as number);
      const event = writer.beginEvent(isInstant(row) ? "instant" : "slice", at, uuid, name, categories[kind] as number);
      const cpu = table.cpu[row] as number;
      if (cpu >= 0) writer.annotateInt(key.cpu, cpu);
      if (detailIid > 0) writer.annotateInterned(key.detail, detailIid);
      if (!bare) {
        const pid = table.pid[row] as number;
        if (pid >= 0) writer.annotateInt(key.pid, pid);
        if (taskIid > 0) writer.annotateInterned(key.task, taskIid);
      }
      if (objectIid > 0) writer.annotateInterned(key.object, objectIid);
      if (evidenceIid > 0) writer.annotateInterned(key.evidence, evidenceIid);
      if (actionIid > 0) writer.annotateInterned(key.action, actionIid);
      const flags = table.flags[row] as number;
      if (flags !== 0) {
        if ((flags & SpanFlag.beginUnseen) !== 0) writer.annotateTrue(key.beginUnseen);
        if ((flags & SpanFlag.endUnseen) !== 0) writer.annotateTrue(key.endUnseen);
        if ((flags & SpanFlag.inferred) !== 0) writer.annotateTrue(key.inferred);
      }
      const flow = flows.get(row);
      if (flow !== undefined) writer.flows(Math.abs(flow), flow < 0);
      writer.endEvent(event);
    },
    end: (row, uuid) => {
      if (isInstant(row)) return;
      writer.endSlice((table.endNs[row] as number) + (shifts[table.boot[row] as number] as number), uuid);
    },
  };
}

const SESSION = SPAN_KINDS.indexOf("session");
const DEVICE = SPAN_KINDS.indexOf("device");

/**
 * What a slice says that its track does not: of a file or a session what was done to it, of a device, which shares its
 * track with others, both. Null for all else, and if the action is not known.
 */
function stepName(table: SpanTable, row: number): string | null {
  const action = table.strings[table.action[row] as number] ?? "";
  if (action === "") return null;
  switch (table.kind[row]) {
    case FILE:
    case SESSION:
      return action;
    case DEVICE:
      return `${table.strings[table.name[row] as number] ?? ""} ${action}`;
    default:
      return null;
  }
}

/** For a group's first row: creates its tracks, the first one and those for overlaps. */
function trackFinder(
  writer: TraceWriter,
  table: SpanTable,
  document: DocumentTracks,
  tasks: Tasks,
): (row: number) => () => number {
  const { roots, sessions } = document;
  const text = (ids: Uint32Array, row: number): string => table.strings[ids[row] as number] ?? "";
  const cpuGroups = new Map<number, number>();
  const fresh = (input: TrackInput) => () => writer.track(input);
  /** The first exists already; further ones are next to it. */
  const reuse = (uuid: number, more: TrackInput): (() => number) => {
    let used = false;
    return () => {
      if (used) return writer.track(more);
      used = true;
      return uuid;
    };
  };
  const cpuGroup = (root: number): number => {
    const known = cpuGroups.get(root);
    if (known !== undefined) return known;
    const uuid = writer.track({
      parent: root,
      name: "CPUs",
      rank: Rank.cpus,
      description: "By CPU: what ran, interrupts, and calls of the idle tasks and of tasks that are not known.",
    });
    cpuGroups.set(root, uuid);
    return uuid;
  };

  return (row) => {
    const kind = SPAN_KINDS[table.kind[row] as number] as SpanKind;
    const boot: Boot | null = table.boot[row] === 1 ? "old" : table.boot[row] === 2 ? "new" : null;
    const root = roots[boot ?? "old"];
    const suffix = boot === null ? "" : ` (${boot})`;
    const name = text(table.name, row);
    switch (placeOf(kind)) {
      case "document":
      case "named": {
        if (kind === "session") {
          const parent = sessions.bySession.get(name);
          return parent === undefined
            ? fresh({ parent: sessions.group, name })
            : fresh({ parent, name: "calls", rank: 0, description: `LUO's calls for session ${name}.` });
        }
        const known = sessions.byFile.get(fileKey(text(table.id, row)));
        return known === undefined ? fresh({ parent: sessions.group, name }) : reuse(known.uuid, known.input);
      }
      case "device":
      case "kind": {
        const isLogged = text(table.evidence, row) === VMM_EVIDENCE;
        const title = isLogged ? "VMM: devices saved and loaded" : (KIND_TITLES[kind] ?? kind);
        const base =
          kind === "initcall"
            ? Rank.initcalls
            : kind === "marker"
              ? Rank.markers
              : Rank.kinds + 2 * SPAN_KINDS.indexOf(kind);
        return fresh({ parent: root, name: `${title}${suffix}`, rank: base + (boot === "new" ? 1 : 0) });
      }
      case "task": {
        const pid = table.pid[row] as number;
        const tid = boot === null ? null : tidOf(boot, pid);
        const title = KIND_TITLES[kind] ?? kind;
        if (boot !== null && tid !== null && tid > 0) {
          const task = text(table.task, row);
          return fresh({
            parent: tasks.track(boot, tid, task),
            name: title,
            description: `${kind} slices of pid ${pid}${task === "" ? "" : ` ${task}`} in the ${boot} boot.`,
          });
        }
        const where = pid > 0 ? `pid ${pid}` : cpuTitle(table.cpu[row] as number);
        return fresh({ parent: cpuGroup(root), name: `${where} ${title}${suffix}` });
      }
      case "cpu": {
        const title = KIND_TITLES[kind] ?? kind;
        const evidence = text(table.evidence, row);
        return fresh({
          parent: cpuGroup(root),
          name: `${cpuTitle(table.cpu[row] as number)} ${title}${suffix}`,
          description: `${kind} slices, read from: ${evidence}.`,
        });
      }
    }
  };
}

function cpuTitle(cpu: number): string {
  return cpu >= 0 ? `CPU ${cpu}` : "unknown CPU";
}
