/** From a capture's files to events on one axis: picks the sources, reads each once, links the clocks, places all. */

import { AXIS_EDGE_NS, axisNsOf, type ClockMap, placeColumn, uncertaintyOf } from "../base/clock-map.js";
import { type DefectInput, DefectLog, type DefectSink } from "../base/defect.js";
import { type Boot, instant } from "../base/time.js";
import type {
  Collected,
  EventChunk,
  Extent,
  KeyEvent,
  PlacedDefect,
  PlacedLine,
  RawSpans,
  RawWakeups,
  SourceCounts,
  Texts,
  VcpuSeen,
} from "../model/collected.js";
import { isLineFor } from "../model/kernel-lines.js";
import type { RecordFilter } from "../model/traces/trace-file.js";
import {
  markedClocks,
  pairedClocks,
  placeMessages,
  readAgents,
  realtimeByTai,
  type WallAnchor,
} from "./agents/agents.js";
import { placeVmmLogs, readVmmLogs, vmmSources, withVmmSpans } from "./agents/vmm.js";
import { type Capture, ringsOf } from "./capture/capture.js";
import { checkParts, type PartFolders } from "./capture/parts.js";
import { clockMarks, countOfEvent, heldTraceClock, traceClockDefect } from "./clock-evidence/boot-evidence.js";
import { countedDefect, type HeldBoot, judgeOf, linkDefects } from "./clock-evidence/link-evidence.js";
import {
  type BootClocks,
  type LinkedClocks,
  linkClocks,
  type RealtimeAnchor,
  taiAnchors,
} from "./clocks/clock-link.js";
import { placeImageStamps } from "./clocks/image-stamps.js";
import { placeByStamp, placeLines } from "./clocks/printk-clock.js";
import { EventCollector, type UnplacedKeyEvent } from "./events/event-collector.js";
import type { CaptureFiles } from "./files/files.js";
import { tscRateDoubted } from "./kernel-log/kernel-log-facts.js";
import { type BootLog, type BootLogs, bootLogs } from "./readers/kernel-logs.js";
import { eventSourceOf, processesOf } from "./readers/sources.js";
import { END_OF_TIME } from "./ring-buffer/ring-buffer.js";

export type TraceMap = ClockMap<"old:trace"> | ClockMap<"new:trace">;

/** One boot as read: its source, what was kept of its events, its log, and its clock by all evidence. */
interface ReadBoot extends HeldBoot {
  readonly counts: SourceCounts | null;
}

/** Progress of reading: `done` of `total` sources. */
export type CollectProgress = (done: number, total: number, note: string) => void;

/** What was collected, and each boot's trace clock on the axis, for those who read the events once more. */
export interface CollectedCapture {
  readonly collected: Collected;
  readonly maps: Readonly<Record<Boot, TraceMap | null>>;
}

export function collectCapture(
  capture: Capture,
  files: CaptureFiles,
  progress: CollectProgress = () => {},
): CollectedCapture {
  const defects = new DefectLog();
  for (const found of capture.defects) defects.add(found);
  const sink: DefectSink = { defect: (input: DefectInput) => defects.add(input) };
  const logs = bootLogs(capture, files, sink);
  const boots = (["old", "new"] as const).map((boot, i): ReadBoot => {
    progress(i, 2, `${boot} boot's events`);
    return readBoot(boot, capture, files, logs, defects);
  });
  const [old, fresh] = boots as [ReadBoot, ReadBoot];
  const firstCounts = { old: firstCount(old), new: firstCount(fresh) };
  const parts = checkParts(capture.parts, partFolders(capture), updateMarks(boots), files);
  for (const found of parts.defects) sink.defect(found);
  const judge = judgeOf(old, fresh, capture, parts.apart);
  const linked = linkClocks(clocksOf(old, capture), clocksOf(fresh, capture), firstCounts, judge);
  const maps = { old: linked.old, new: linked.new };
  for (const read of boots) for (const found of placeDefects(read, maps[read.boot])) sink.defect(found);
  for (const found of linkDefects(linked, parts.apart)) sink.defect(found);
  const counted = countedDefect(old, fresh);
  if (counted !== null) sink.defect(counted);
  const extents = { old: extentOf(old, maps.old), new: extentOf(fresh, maps.new) };
  const stamps = placeImageStamps(capture.nextImage.stamps, linked, extents);
  if (stamps.defect !== null) sink.defect(stamps.defect);
  const logged = boots.map((boot) => placeLog(boot, maps[boot.boot], linked));
  const agents = readAgents(files, sink);
  const vmms = readVmmLogs(files, sink);
  const placed = boots.map((read, i) => {
    const { boot } = read;
    const firstSpan = boot === "new" && maps.old !== null ? old.events.spans.count : 0;
    const traced = placeKeyEvents(read, maps[boot], logged[i] ?? [], firstSpan);
    const own = vmms.filter((each) => each.boot === boot);
    if (agents.messages[boot].length === 0 && own.length === 0) return { keyEvents: traced, spans: [] };
    const anchors = wallAnchors(read, maps[boot], traced, capture, linked.link.tscKhz);
    const messages = placeMessages(boot, agents.messages[boot], anchors, sink);
    const vmm = placeVmmLogs(own, anchors, sink);
    const keyEvents = [...traced, ...messages, ...vmm.keyEvents].sort((a, b) => a.at.ns - b.at.ns);
    return { keyEvents, spans: vmm.spans };
  });
  const collected: Collected = {
    name: capture.name,
    kernel: {
      old: capture.kernel.old ?? logs.old.facts.release,
      // An update that died left no uname: the console or pstore has the new kernel's first line, else the recorder
      // has read which kernel was loaded.
      new: capture.kernel.new ?? logs.new.facts.release ?? capture.boots.old?.imageRelease ?? null,
    },
    costs: capture.boots.old?.costs ?? null,
    labels: capture.labels,
    probeLevel: capture.labels.probe_level ?? null,
    link: linked.link,
    newBootReached: capture.boots.new !== null,
    keyEvents: placed.flatMap(({ keyEvents }) => keyEvents),
    extents,
    spans: withVmmSpans(
      placeSpans(boots, maps, linked),
      placed.flatMap(({ spans }) => spans),
    ),
    wakeups: placeWakeups(boots, maps),
    vcpus: boots.flatMap((boot) => placeVcpus(boot, maps[boot.boot])),
    processes: { old: processesOf(capture.boots.old, files, sink), new: processesOf(capture.boots.new, files, sink) },
    agents: agents.facts,
    schedClockZero: { old: schedClockZero(linked, "old"), new: schedClockZero(linked, "new") },
    nextImage: capture.nextImage.image,
    imageStamps: stamps.placed,
    printk: logged.flat(),
    verdicts: logs.verdicts,
    sources: [
      ...boots.flatMap((boot) => (boot.counts === null ? [] : [boot.counts])),
      ...logs.sources,
      ...agents.sources,
      ...vmmSources(vmms),
    ],
    defects: defects.all().map((defect): PlacedDefect => {
      const map = defect.boot === null ? null : maps[defect.boot];
      const at = defect.time === null || map === null ? null : placeCount(map, defect.time);
      return { defect, atNs: at };
    }),
  };
  return { collected, maps };
}

/** What of a capture's events is wanted when they are read again: for the readers, which may hand on more. */
export interface PlacedFilter {
  readonly records: RecordFilter;
  /** Nanoseconds on the axis of `maps`, both included; infinite if not limited. */
  readonly axisNs: { readonly from: number; readonly to: number };
}

/** Streams every event of a collected capture again, placed: for exports that want more than spans. */
export function placedEventFeed(
  capture: Capture,
  files: CaptureFiles,
  maps: Readonly<Record<Boot, TraceMap | null>>,
  filter: PlacedFilter | null = null,
): (sink: (chunk: EventChunk, axisNs: Float64Array) => void) => void {
  return (sink) => {
    for (const boot of ["old", "new"] as const) {
      const map = maps[boot];
      if (map === null) continue;
      const records = filter === null ? undefined : countedFilter(map, filter);
      const source = eventSourceOf(boot, capture, files, { defect: () => {} }, records);
      if (source === null) continue;
      let axisNs = new Float64Array(0);
      source.read({
        defect: () => {},
        chunk: (chunk) => {
          if (axisNs.length < chunk.count) axisNs = new Float64Array(chunk.count);
          placeColumn(map as ClockMap<"old:trace">, chunk.base, chunk.time, chunk.count, axisNs);
          sink(chunk, axisNs);
        },
      });
    }
  };
}

/** The span of the axis as counts of the trace clock: maps are monotone, so that halving finds its ends. */
function countedFilter(map: TraceMap, { records, axisNs }: PlacedFilter): RecordFilter {
  const firstFrom = (ns: number): bigint => {
    let [low, high] = [0n, END_OF_TIME];
    while (low < high) {
      const middle = (low + high) >> 1n;
      if (placeCount(map, middle) < ns) low = middle + 1n;
      else high = middle;
    }
    return low;
  };
  return {
    ...records,
    from: axisNs.from === Number.NEGATIVE_INFINITY ? 0n : firstFrom(axisNs.from),
    to: axisNs.to === Number.POSITIVE_INFINITY ? END_OF_TIME : firstFrom(axisNs.to + 1),
  };
}

function readBoot(boot: Boot, capture: Capture, files: CaptureFiles, logs: BootLogs, defects: DefectLog): ReadBoot {
  const log = logs[boot];
  const sink: DefectSink = { defect: (input: DefectInput) => defects.add(input) };
  const source = eventSourceOf(boot, capture, files, sink);
  const events = new EventCollector(sink.defect);
  if (source === null) {
    if (capture.boots[boot]?.buffer == null) sink.defect(noEvents(boot, capture, logs.new));
    return { boot, source, events, counts: null, log, clock: null };
  }
  const counts = source.read(events);
  events.finish();
  if (counts.events === 0) sink.defect(noEvents(boot, capture, logs.new));
  const own = capture.boots[boot];
  const held = heldTraceClock({ boot, source, events, log }, own);
  const defect = held === null ? null : traceClockDefect({ boot, source, events, log }, own, held);
  if (defect !== null) sink.defect(defect);
  const clock = held?.clock ?? null;
  return {
    boot,
    source,
    events,
    log,
    clock,
    counts: { boot, dialect: source.dialect, files: source.files, clock: clock ?? source.clock, ...counts },
  };
}

/** Stamps that lie beyond the axis: the file, or the clock's name, is not what it says. */
function placeDefects(read: ReadBoot, map: TraceMap | null): readonly DefectInput[] {
  const extent = extentOf(read, map);
  if (extent === null || Math.max(Math.abs(extent.firstNs), Math.abs(extent.lastNs)) < AXIS_EDGE_NS) return [];
  return [
    {
      code: "events-far-off",
      severity: "error",
      file: read.source?.files[0] ?? "",
      boot: read.boot,
      message: `Events of the ${read.boot} boot are stamped more than 52 days away from the others; those lie on the axis' edge, and what rests on them is wrong.`,
      advice: "Check that the file is whole, and that trace_clock is the clock it was recorded on.",
    },
  ];
}

function partFolders({ boots }: Capture): PartFolders {
  return {
    files: { old: boots.old?.files ?? null, new: boots.new?.files ?? null },
    rings: boots.old === null ? [] : ringsOf(boots.old).map((ring) => ring.folder),
  };
}

/** The update's id, as the recorder marks it in both boots' traces. */
const UPDATE_MARK = /^blackout: update=(\S{1,64})/;

function updateMarks(boots: readonly ReadBoot[]): readonly string[] {
  return boots.flatMap(({ events }) =>
    events.keyEvents.flatMap(({ what, name }) => {
      const id = what === "marker" ? UPDATE_MARK.exec(name)?.[1] : undefined;
      return id === undefined ? [] : [id];
    }),
  );
}

/** A boot without one event: no phase can be read from it. */
function noEvents(boot: Boot, capture: Capture, newLog: BootLog): DefectInput {
  const own = capture.boots[boot];
  const again =
    boot === "old"
      ? "Record into a persistent ring (reserve_mem= and trace_instance= on both kernels' command lines), and read it in the new kernel."
      : "Collect in the new kernel after the restore; if that never came up, save its console as console.log.";
  const part = { code: "events-missing", severity: "error", boot, advice: again } as const;
  if (own === null) {
    return { ...part, file: "capture.json", message: `The capture has no part of the ${boot} boot.` };
  }
  if (own.buffer === null) {
    const where = boot === "old" ? "boots.old.ring" : `${own.files}/trace and ${own.files}/per_cpu`;
    return {
      ...part,
      file: "capture.json",
      message: `The ${boot} boot's trace buffer is not in the capture (${where}).`,
    };
  }
  const rejected = boot === "old" ? newLog.facts.ringsRejected[0] : undefined;
  if (rejected !== undefined) {
    return {
      ...part,
      file: rejected.file,
      line: rejected.line,
      message: `The new kernel rejected the old one's trace buffer, and emptied it: '${rejected.text}'.`,
      advice:
        "Start the next kernel with the same number of CPUs and the same reserve_mem= and trace_instance=; a kernel built otherwise may lay the buffer out otherwise.",
    };
  }
  return { ...part, file: own.buffer.folder, message: `The ${boot} boot's trace buffer holds no event.` };
}

function firstCount({ events }: ReadBoot): bigint | null {
  return Number.isNaN(events.first) ? null : countOfEvent(events, events.first);
}

function placeCount(map: TraceMap, count: bigint): number {
  return map.domain === "old:trace"
    ? axisNsOf(map as ClockMap<"old:trace">, instant("old:trace", count))
    : axisNsOf(map as ClockMap<"new:trace">, instant("new:trace", count));
}

function placeWithSurety(map: TraceMap, count: bigint): { readonly ns: number; readonly uncertaintyNs: number } {
  const own = map as ClockMap<"old:trace">;
  return { ns: placeCount(map, count), uncertaintyNs: uncertaintyOf(own, instant("old:trace", count)) };
}

function extentOf({ events }: ReadBoot, map: TraceMap | null): Extent | null {
  if (map === null || Number.isNaN(events.first)) return null;
  return {
    firstNs: placeCount(map, countOfEvent(events, events.first)),
    lastNs: placeCount(map, countOfEvent(events, events.last)),
  };
}

/** Text cuts stamps to a microsecond (or, of a TSC in function_graph columns, to 1,000 counts); pages do not. */
const TEXT_STAMP_COUNTS = 1_000;

function clocksOf(read: ReadBoot, capture: Capture): BootClocks {
  const own = capture.boots[read.boot];
  const { facts } = read.log;
  const clocks: BootClocks = {
    boot: read.boot,
    traceClock: read.clock,
    pairs: own?.pairs ?? [],
    tscDetectedKhz:
      read.clock === "x86-tsc" ? (facts.tscByOtherTimerKhz ?? facts.tscDetectedKhz) : facts.tscDetectedKhz,
    tscRefinedKhz: facts.tscRefined?.khz ?? null,
    tscRefinedAtNs: facts.tscRefined?.stampNs ?? null,
    schedClockDoubted: tscRateDoubted(facts),
    kvmClockOffsetNs: facts.kvmClockOffsetNs,
    realtime: markedAnchors(read),
    stampCounts: read.source?.dialect === "ring-buffer" ? 1 : TEXT_STAMP_COUNTS,
  };
  return { ...clocks, realtime: [...clocks.realtime, ...taiAnchors(clocks)] };
}

/** An RTC read at boot is a whole second; a mark cannot say whether NTP or PTP has set the clock since. */
const MARKED_REALTIME_NS = 1_000_000_000;

/** Realtime readings that the workload marked: `clock: realtime=S.NNNNNNNNN monotonic=…`. */
function markedAnchors({ events }: ReadBoot): readonly RealtimeAnchor[] {
  return clockMarks(events).map(({ count, realtimeNs }) => ({
    traceCount: count,
    realtimeNs,
    uncertaintyNs: MARKED_REALTIME_NS,
    what: "the realtime clock that the workload marked",
  }));
}

function placeKeyEvents(
  read: ReadBoot,
  map: TraceMap | null,
  log: readonly PlacedLine[],
  firstSpan: number,
): readonly KeyEvent[] {
  const { boot, events } = read;
  const traced =
    map === null
      ? []
      : events.keyEvents.map((event: UnplacedKeyEvent): KeyEvent => {
          const { count, span, ...rest } = event;
          const task = events.taskNames.get(event.pid) ?? event.task;
          const placed = span === undefined ? {} : { span: span + firstSpan };
          return { ...rest, ...placed, task, at: { boot, ns: placeCount(map, countOfEvent(events, count)) } };
        });
  return [...traced, ...loggedKeyEvents(boot, traced, log)].sort((a, b) => a.at.ns - b.at.ns);
}

/** Readings of the boot's wall clocks: in clock_pairs, or in the workload's marks. */
function wallAnchors(
  { boot, clock }: ReadBoot,
  map: TraceMap | null,
  traced: readonly KeyEvent[],
  capture: Capture,
  tscKhz: number | null,
): readonly WallAnchor[] {
  const pairs = capture.boots[boot]?.pairs ?? [];
  const marked = markedClocks(traced);
  if (map === null || clock === null) return marked;
  const place = (count: bigint): { ns: number; uncertaintyNs: number } => placeWithSurety(map, count);
  const paired = pairedClocks(pairs, clock, place, tscKhz);
  return [...paired, ...realtimeByTai(pairs, clock, place, tscKhz, marked), ...marked];
}

/** The log's key lines that are not trace events, if they could be placed, with their ±. */
function loggedKeyEvents(boot: Boot, traced: readonly KeyEvent[], log: readonly PlacedLine[]): readonly KeyEvent[] {
  const known = new Set(traced.flatMap(({ what, name }) => (what === "printk" ? [name.trim()] : [])));
  return log.flatMap(({ line, ns, uncertaintyNs }): readonly KeyEvent[] => {
    if (ns === null || !isLineFor(line.text, "boundary") || known.has(line.text.trim())) return [];
    return [
      {
        at: { boot, ns, uncertaintyNs: uncertaintyNs ?? 0 },
        what: "printk",
        name: line.text,
        fields: new Map(),
        source: "printk",
        cpu: -1,
        pid: -1,
        task: "",
        file: line.file,
        place: line.line,
      },
    ];
  });
}

/**
 * printk lines on the axis, by the console events of the same lines; by sched_clock's stated offset if there is one.
 */
function placeLog({ boot, events, log }: ReadBoot, map: TraceMap | null, linked: LinkedClocks): readonly PlacedLine[] {
  if (Number.isNaN(events.first)) {
    return placeByStamp(log.lines, log.facts.markedStable, linked.schedClock[boot]?.axisNs ?? null);
  }
  const consoleEvents =
    map === null
      ? []
      : events.keyEvents
          .filter((event) => event.what === "printk")
          .map((event) => ({ ns: placeCount(map, countOfEvent(events, event.count)), text: event.name }));
  const schedClock = linked.schedClock[boot];
  const stable =
    log.facts.markedStable === null || schedClock === null
      ? null
      : { ...log.facts.markedStable, axisNs: schedClock.axisNs, uncertaintyNs: schedClock.uncertaintyNs };
  return placeLines(log.lines, consoleEvents, stable, schedClock);
}

function placeSpans(
  boots: readonly ReadBoot[],
  maps: Readonly<Record<Boot, TraceMap | null>>,
  linked: LinkedClocks,
): RawSpans {
  const placeable = boots.filter(({ boot }) => maps[boot] !== null);
  const count = placeable.reduce((sum, { events }) => sum + events.spans.count, 0);
  const beginNs = new Float64Array(count);
  const endNs = new Float64Array(count);
  const cpu = new Int16Array(count);
  const pid = new Int32Array(count);
  const flags = new Uint8Array(count);
  let from = 0;
  for (const { boot, events } of placeable) {
    const { spans, base } = events;
    const map = maps[boot] as ClockMap<"old:trace">;
    const own = (column: Float64Array): Float64Array => column.subarray(from, from + spans.count);
    placeColumn(map, base ?? 0n, spans.begin.array(), spans.count, own(beginNs));
    placeColumn(map, base ?? 0n, spans.end.array(), spans.count, own(endNs));
    const rate = linked.schedClock[boot]?.nsPerNs ?? ((): number => 1);
    for (const { row, durationNs, parent } of spans.leaves) {
      if (durationNs === null) continue;
      const begin = beginNs[from + row] as number;
      const end = begin + Math.round(durationNs * rate(begin));
      endNs[from + row] = parent < 0 ? end : Math.min(end, endNs[from + parent] as number);
    }
    cpu.set(spans.cpu.array(), from);
    pid.set(spans.pid.array(), from);
    flags.set(spans.flags.array(), from);
    from += spans.count;
  }
  const first = placeable[0]?.events.spans.count ?? 0;
  /** The boots' columns as one, none copied: there may be many thousands of rows. */
  const joined = <T extends string>(ofBoot: (read: ReadBoot, row: number) => T | undefined): Texts<T> => ({
    at: (row) => {
      const read = placeable[row < first ? 0 : 1];
      return read === undefined ? undefined : ofBoot(read, row < first ? row : row - first);
    },
  });
  return {
    count,
    beginNs,
    endNs,
    cpu,
    pid,
    flags,
    kind: joined(({ events }, row) => events.spans.kind.at(row)),
    name: joined(({ events }, row) => events.spans.name.at(row)),
    detail: joined(({ events }, row) => events.spans.detail.at(row)),
    task: joined(({ events }, row) => events.taskNames.get(events.spans.pid.at(row)) ?? events.spans.task.at(row)),
    evidence: joined(({ events }, row) => events.spans.evidence.at(row)),
    boot: joined(({ boot }) => boot),
  };
}

function placeWakeups(boots: readonly ReadBoot[], maps: Readonly<Record<Boot, TraceMap | null>>): RawWakeups {
  const placeable = boots.filter(({ boot }) => maps[boot] !== null);
  const count = placeable.reduce((sum, { events }) => sum + events.wakeups.time.length, 0);
  const ns = new Float64Array(count);
  const woken = new Int32Array(count);
  const waker = new Int32Array(count);
  const cpu = new Int16Array(count);
  const boot: Boot[] = [];
  let from = 0;
  for (const { boot: own, events } of placeable) {
    const { wakeups, base } = events;
    const length = wakeups.time.length;
    const map = maps[own] as ClockMap<"old:trace">;
    placeColumn(map, base ?? 0n, wakeups.time.array(), length, ns.subarray(from, from + length));
    woken.set(wakeups.woken.array(), from);
    waker.set(wakeups.waker.array(), from);
    cpu.set(wakeups.cpu.array(), from);
    for (let i = 0; i < length; i++) boot.push(own);
    from += length;
  }
  return { count, ns, boot, woken, waker, cpu };
}

function placeVcpus({ boot, events }: ReadBoot, map: TraceMap | null): readonly VcpuSeen[] {
  if (map === null) return [];
  return [...events.vcpus].map(([pid, { vcpu, task, first, last, strings, ...seen }]) => ({
    boot,
    pid,
    vcpu,
    task: events.taskNames.get(pid) ?? task,
    firstNs: placeCount(map, countOfEvent(events, first)),
    lastNs: placeCount(map, countOfEvent(events, last)),
    firstEvent: strings.stringOf(seen.firstName),
    lastEvent: strings.stringOf(seen.lastName),
    firstFile: seen.firstFile,
    lastFile: seen.lastFile,
    firstPlace: seen.firstPlace,
    lastPlace: seen.lastPlace,
  }));
}

function schedClockZero(linked: LinkedClocks, boot: Boot): { ns: number; uncertaintyNs: number } | null {
  const clock = linked.schedClock[boot];
  return clock === null ? null : { ns: clock.axisNs(0), uncertaintyNs: clock.uncertaintyNs };
}
