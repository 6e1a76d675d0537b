/** From a collected capture to a live update: boundaries, phases, blackout, sessions, outcome, spans. Pure. */
import { formatDuration } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import {
  type Collected,
  type ImageStamps,
  type KeyEvent,
  type Placed,
  type PlacedDefect,
  VMMS,
} from "../../model/collected.js";
import type { LuoFacts, StateChangeDocument } from "../../model/documents/sessions.js";
import { captured, isKernelLine } from "../../model/kernel-lines.js";
import type {
  AbandonedDocument,
  AxisName,
  BlackoutDocument,
  DefectDocument,
  LiveUpdateDocument,
  PhaseDocument,
  PhaseName,
  PlacedPrintk,
} from "../../model/live-update.js";
import { FUNCTIONS } from "../../model/luo.js";
import { isMark } from "../../model/marks.js";
import type { SpanTable } from "../../model/span-table.js";
import { NEGATIVE_DURATION } from "../../model/trusted-durations.js";
import type { AttributedUpdate, RecordingEstimate, Wakeups } from "../attribution/update.js";
import { fileOfSpan, sessionDocuments, sessionRows, sessionStates, storedNames } from "../causes/sessions.js";
import { buildSpans } from "../causes/spans.js";
import { type AbandonedLife, abandonedLives, withoutAbandoned } from "../evidence/abandoned.js";
import { type Axis, axisOf, type Zero } from "../evidence/axis.js";
import {
  type Boundary,
  boundaryTable,
  DEFAULT_SPELLING,
  EventIndex,
  type FoundBoundary,
  findBoundary,
  type MarkSpelling,
} from "../evidence/boundaries.js";
import { callsOf } from "../evidence/calls.js";
import { deviceOpens } from "../evidence/device-opens.js";
import { findDevices } from "../evidence/devices.js";
import { luoDialect, namedStateEvents, withoutCancelled } from "../evidence/dialect.js";
import { findPath, firstOf, type PathTask } from "../evidence/path.js";
import { type WorkRecords, workIn, workRecords } from "../evidence/work.js";
import { contradictedMarks } from "../vms/contradicted-marks.js";
import { type VcpuVm, vcpuBlackout, vcpuVms } from "../vms/vcpus.js";
import { findVms, type MarkedVm, markedVms } from "../vms/vms.js";
import { healthOf } from "./health.js";
import { outcomeOf } from "./outcome.js";
import { restorationOf } from "./restoration.js";

/** Which boundaries begin and end each phase. kexec has none of its own: it lies between its neighbours. */
const PHASE_BOUNDARIES: Readonly<Record<PhaseName, readonly [Boundary, Boundary]>> = {
  prepare: ["prepare.begin", "prepare.end"],
  freeze: ["freeze.begin", "freeze.end"],
  kexec: ["freeze.end", "restore.begin"],
  restore: ["restore.begin", "restore.end"],
  finish: ["finish.begin", "finish.end"],
};

const placed = (found: FoundBoundary): Placed | null =>
  found.ns === null ? null : { boot: found.boot, ns: found.ns, uncertaintyNs: found.uncertaintyNs };

const PAST_FREEZE = new Set<string>([FUNCTIONS.restartPrepare.name, FUNCTIONS.machineKexec.name]);

/** What only follows a freeze that succeeded: the old kernel going on to the kexec, or anything of the new one. */
function wentOn(collected: Collected): boolean {
  return (
    collected.newBootReached ||
    collected.keyEvents.some(
      (event) =>
        (event.what === "call" && PAST_FREEZE.has(event.name)) ||
        (event.what === "printk" && isKernelLine(event.name, "kexec-start")),
    )
  );
}

/**
 * If the new kernel was reached, marks of an earlier attempt that was aborted (paused, refused, resumed in the old
 * kernel) are not this update's: pauses up to the old kernel's last resume are left out.
 */
function ofThisAttempt(all: Collected, spelling: MarkSpelling): Collected {
  if (!all.newBootReached) return all;
  const collected = { ...all, keyEvents: withoutCancelled(all.keyEvents) };
  const isOldMark = (event: KeyEvent, text: string): boolean =>
    event.at.boot === "old" && event.what === "marker" && isMark(event.name, text);
  const resumed = collected.keyEvents.filter((event) => isOldMark(event, spelling.resume)).at(-1);
  if (resumed === undefined) return collected;
  const keyEvents = collected.keyEvents.filter(
    (event) =>
      !isOldMark(event, spelling.resume) && !(isOldMark(event, spelling.pause) && event.at.ns <= resumed.at.ns),
  );
  return { ...collected, keyEvents };
}

/** A live update, and what was subtracted from each boot's axis so that zero is the blackout's begin. */
export interface AnchoredUpdate extends AttributedUpdate {
  readonly zeroNs: Zero;
  /** VMs by their marks, and by their vCPUs: each boot's instants on its own axis, before zero was subtracted. */
  readonly marks: ReadonlyMap<string, MarkedVm>;
  readonly vcpus: readonly VcpuVm[];
  readonly luo: LuoFacts;
}

/** The live update a capture shows. `spelling` says how the VMM's pause and resume marks read. */
export function analyzeUpdate(all: Collected, spelling: MarkSpelling = DEFAULT_SPELLING): AnchoredUpdate {
  const attempt = ofThisAttempt(all, spelling);
  const lives = abandonedLives(attempt.keyEvents);
  const collected = { ...attempt, keyEvents: withoutAbandoned(attempt.keyEvents, lives) };
  const axis = axisOf(collected.link);
  const dialect = luoDialect(collected.keyEvents);
  const table = boundaryTable(spelling, dialect);
  const events = namedStateEvents(collected.keyEvents, dialect);
  const indexed = new EventIndex(events);
  const on = wentOn(collected);
  const find = (boundary: Boundary): FoundBoundary => findBoundary(boundary, table, indexed, on);
  const found = {
    pause: find("pause"),
    resume: find("resume"),
    freezeBegin: find("freeze.begin"),
    restoreEnd: find("restore.end"),
  };
  const paused = found.pause.ns !== null && found.resume.ns !== null;
  // A VMM's log is placed to milliseconds, where a vCPU is seen to the microsecond.
  const isLogged = ({ evidence }: FoundBoundary): boolean => evidence?.confidence === "agent";
  const marked = paused && !isLogged(found.pause) && !isLogged(found.resume);
  const observed = found.freezeBegin.ns !== null && found.restoreEnd.ns !== null;
  const marks = markedVms(collected.keyEvents, spelling);
  const vcpus = vcpuVms(collected.vcpus, collected.keyEvents, collected.processes);
  const stood = marked ? null : vcpuBlackout(vcpus);
  const basis =
    marked || (paused && stood === null) ? "vm-marks" : stood !== null ? "vcpu" : observed ? "kernel-observed" : null;
  const [begin, end] =
    stood !== null
      ? [stood.begin, stood.end]
      : basis === "kernel-observed"
        ? [found.freezeBegin, found.restoreEnd]
        : [found.pause, found.resume];
  const zero = zeroOf(collected, begin, end);
  const measured = blackoutOf(basis, begin, end, axis, zero);
  const isNegative = measured.durationNs !== null && measured.durationNs < 0;
  // No link and no stamps give a blackout that ends before it begins: which of the two is wrong is not known.
  const blackout = isNegative ? { ...measured, durationNs: null, uncertaintyNs: null } : measured;
  const work = workRecords(callsOf(collected.keyEvents), collected.spans, zero, dialect);
  const phases = Object.entries(PHASE_BOUNDARIES).map(([name, [from, to]]) =>
    withWork(phaseOf(name as PhaseName, find(from), find(to), axis, zero, collected), work),
  );
  const sessions = sessionRows(collected.keyEvents);
  const restoration = restorationOf(
    sessions,
    collected.keyEvents,
    collected.printk,
    dialect,
    collected.newBootReached,
    zero,
  );
  const { outcome, reason } = outcomeOf(collected, found, blackout.durationNs !== null, restoration);
  const abandoned = lives.map((life) => abandonedDocument(life, axis, zero));
  const document: LiveUpdateDocument = {
    format: "blackout-live-update",
    version: 1,
    capture: {
      name: collected.name,
      kernel: collected.kernel,
      probeLevel: collected.probeLevel,
      labels: collected.labels,
    },
    outcome,
    outcomeReason: reason,
    clock: {
      method: collected.link.method,
      uncertaintyNs: collected.link.uncertaintyNs,
      parts: collected.link.parts,
      tscKhz: collected.link.tscKhz,
      rejected: collected.link.rejected,
    },
    blackout,
    phases,
    vms: findVms(collected.keyEvents, marks, vcpus, axis, zero),
    sessions: sessionDocuments(sessions, axis, zero),
    ...(abandoned.length === 0 ? {} : { abandoned }),
    losses: restoration.losses,
    notSeen: restoration.notSeen,
    health: healthOf(collected.printk, collected.keyEvents, phases, axis, zero),
    seam: seamOf(collected, axis, zero),
    sources: collected.sources,
    defects: [
      ...collected.defects
        .filter(({ defect }) => !(outcome === "aborted" && defect.code === "events-missing" && defect.boot === "new"))
        .map((found) => defectDocument(found, zero)),
      ...(outcome === "failed" && found.resume.ns === null ? [] : markDefects(found, collected)),
      ...(basis === "vm-marks" ? contradictedMarks(marks, vcpus, axis, zero) : []),
      ...(isNegative ? [negativeDefect(begin, end, -(measured.durationNs as number))] : []),
    ],
  };
  const logged = collected.printk.map(({ line, ns, uncertaintyNs }) => ({
    boot: line.boot,
    atNs: ns === null ? null : ns - zero[line.boot],
    uncertaintyNs,
    stampNs: line.stampNs,
    level: line.level,
    text: line.text,
  }));
  const printk = withTracedLines(logged, collected.keyEvents, zero);
  const devices = findDevices(collected.printk);
  const sources = {
    raw: collected.spans,
    names: storedNames(collected.agents),
    files: new Map(
      [sessions, ...lives.map((life) => sessionRows([...life.events]))].flatMap((rows) => [...fileOfSpan(rows)]),
    ),
    dialect,
    devices,
    printk,
  };
  const path = findPath(collected.keyEvents, spelling).map((each) => ({ ...each, task: taskNameOf(collected, each) }));
  const schedClock = collected.schedClockZero.new;
  // Made when it is first asked for: the document alone needs none, and of a busy trace it is most of the work.
  let spans: SpanTable | null = null;
  return {
    document,
    zeroNs: zero,
    marks,
    vcpus,
    get spans() {
      spans ??= buildSpans(sources, document, zero);
      return spans;
    },
    printk,
    path,
    restorerSinceNs: firstOf(collected, path, zero),
    schedClockZeroNs: schedClock === null ? null : { ...schedClock, ns: schedClock.ns - zero.new },
    imageStampsNs: collected.imageStamps === null ? null : anchoredStamps(collected.imageStamps, zero.new),
    nextImage: collected.nextImage,
    armsGraphAtBoot: printk.some(({ boot, text }) => boot === "new" && armsGraph(text)),
    recording: recordingEstimate(collected, document, zero),
    wakeups: anchoredWakeups(collected, zero),
    devices: [...devices.values()],
    sessions: sessionStates(sessions, collected.keyEvents, axis, zero, collected.agents),
    luo: {
      abandoned,
      device: deviceOpens(attempt.keyEvents).map(({ at, ...open }) => ({
        boot: at.boot,
        atNs: at.ns - zero[at.boot],
        ...open,
      })),
      states: stateChanges(all, zero),
    },
  };
}

function abandonedDocument(life: AbandonedLife, axis: Axis, zero: Zero): AbandonedDocument {
  const { session, pid, task, begin, end, workNs, files, evidence } = life;
  const [beginNs, endNs] = [begin.ns - zero[begin.boot], end.ns - zero[end.boot]];
  return { session, pid, task, beginNs, endNs, durationNs: axis.between(begin, end), workNs, files, evidence };
}

/** Each change of state that a kernel reported: in its log, or in the trace alone. */
function stateChanges({ keyEvents, printk }: Collected, zero: Zero): readonly StateChangeDocument[] {
  const change = (boot: Boot, text: string, ns: number | null): readonly StateChangeDocument[] => {
    const switched = captured("luo-switched", text);
    return switched === null
      ? []
      : [{ boot, from: switched.from ?? "?", to: switched.to ?? "?", atNs: ns === null ? null : ns - zero[boot] }];
  };
  const traced = keyEvents.flatMap(({ what, name, at }) => (what === "printk" ? change(at.boot, name, at.ns) : []));
  const logged = printk.flatMap(({ line, ns }) => change(line.boot, line.text, ns));
  return (["old", "new"] as const).flatMap((boot) => {
    const seen = traced.filter((each) => each.boot === boot);
    return seen.length > 0 ? seen : logged.filter((each) => each.boot === boot);
  });
}

/** Dialects of logs, which cost the host nothing that the recording is to blame for. */
const LOGS = new Set(["luod", "pstore", ...VMMS.map((vmm) => `${vmm}-log`)]);

/** Every event of the new kernel counts, although recording goes on after the resume: it is the most that can be. */
function recordingEstimate(
  { costs, keyEvents, sources }: Collected,
  { blackout }: LiveUpdateDocument,
  zero: Readonly<Record<Boot, number>>,
): RecordingEstimate | null {
  if (costs === null || blackout.beginNs === null || blackout.endNs === null) return null;
  const [from, to] = [blackout.beginNs, blackout.endNs];
  const probes = keyEvents.filter(({ what, at }) => {
    const ns = at.ns - zero[at.boot];
    return (what === "call" || what === "return") && ns >= from && ns <= to;
  });
  const inNew = probes.filter(({ at }) => at.boot === "new").length;
  const traced = sources.filter(({ boot, dialect }) => boot === "new" && !LOGS.has(dialect));
  const all = traced.reduce((sum, source) => sum + source.events, 0);
  const events = Math.max(0, all - inNew);
  const probeNs = probes.reduce(
    (sum, { what }) => sum + ((what === "call" ? costs.callNs : costs.returnNs) ?? costs.eventNs),
    0,
  );
  return { events, probes: probes.length, ns: Math.round(events * costs.eventNs + probeNs) };
}

/** A kernel prints on when its log has been saved: the old one's last lines may be in its trace alone. */
function withTracedLines(
  logged: readonly PlacedPrintk[],
  keyEvents: readonly KeyEvent[],
  zero: Zero,
): readonly PlacedPrintk[] {
  const left = new Map<string, number>();
  for (const { boot, text } of logged) {
    const key = `${boot} ${text.trim()}`;
    left.set(key, (left.get(key) ?? 0) + 1);
  }
  const traced = keyEvents.flatMap(({ what, name, at }): readonly PlacedPrintk[] => {
    if (what !== "printk") return [];
    const text = (name.split("\n")[0] ?? "").trim();
    const key = `${at.boot} ${text}`;
    const known = left.get(key) ?? 0;
    if (known > 0) left.set(key, known - 1);
    if (known > 0 || text === "") return [];
    const { boot, ns, uncertaintyNs = 0 } = at;
    return [{ boot, atNs: ns - zero[boot], uncertaintyNs, stampNs: null, level: null, text }];
  });
  if (traced.length === 0) return logged;
  const of = (boot: Boot, lines: readonly PlacedPrintk[]): readonly PlacedPrintk[] =>
    lines.filter((line) => line.boot === boot);
  return (["old", "new"] as const).flatMap((boot) => [...of(boot, logged), ...of(boot, traced)]);
}

function anchoredStamps({ entryNs, exitNs }: ImageStamps, zeroNs: number): ImageStamps {
  const from = (ns: number | null): number | null => (ns === null ? null : ns - zeroNs);
  return { entryNs: from(entryNs), exitNs: from(exitNs) };
}

/** The function-graph tracer started from the command line, and the line that the kernel then prints. */
function armsGraph(text: string): boolean {
  if (captured("tracer-started", text)?.tracer === "function_graph") return true;
  return /\bftrace=function_graph\b/.test(captured("command-line", text)?.words ?? "");
}

function taskNameOf({ spans }: Collected, { boot, pid, task }: PathTask): string {
  const row = spans.pid.findIndex(
    (own, i) => own === pid && spans.boot.at(i) === boot && !["", "<...>"].includes(spans.task.at(i) ?? ""),
  );
  return row < 0 ? task : (spans.task.at(row) as string);
}

function anchoredWakeups({ wakeups }: Collected, zero: Zero): Wakeups {
  const boot = Uint8Array.from(wakeups.boot, (own) => (own === "old" ? 1 : 2));
  const ns = wakeups.ns.map((at, i) => at - (boot[i] === 1 ? zero.old : zero.new));
  return { count: wakeups.count, ns, boot, woken: wakeups.woken, waker: wakeups.waker };
}

/** Zero of the axis is the blackout's begin; if that is not seen, its end, then the first event there is. */
function zeroOf(collected: Collected, begin: FoundBoundary, end: FoundBoundary): Zero {
  const first = (boot: Boot): number => collected.extents[boot]?.firstNs ?? 0;
  if (collected.link.joint) {
    // A boot whose log alone is joined has no first event.
    const known = [collected.extents.old, collected.extents.new].flatMap((extent) => extent?.firstNs ?? []);
    const at = begin.ns ?? (known.length === 0 ? 0 : Math.min(...known, end.ns ?? Number.POSITIVE_INFINITY));
    return { old: at, new: at };
  }
  return { old: (begin.boot === "old" ? begin.ns : null) ?? first("old"), new: first("new") };
}

function blackoutOf(
  basis: BlackoutDocument["basis"],
  begin: FoundBoundary,
  end: FoundBoundary,
  axis: Axis,
  zero: Zero,
): BlackoutDocument {
  const [from, to] = [placed(begin), placed(end)];
  const durationNs = from === null || to === null ? null : axis.between(from, to);
  return {
    basis,
    beginNs: from === null ? null : from.ns - zero[from.boot],
    endNs: to === null ? null : to.ns - zero[to.boot],
    durationNs,
    uncertaintyNs: from === null || to === null ? null : axis.uncertainty(from, to),
    evidence: { begin: begin.evidence, end: end.evidence },
  };
}

/** What the recorder can do so that the next update shows the mark. */
function markAdvice(lost: "pause" | "resume", collected: Collected): string {
  const boot = lost === "pause" ? "old" : "new";
  const own = collected.defects.filter(({ defect }) => defect.boot === boot && defect.severity === "error");
  const codes = new Set(own.map(({ defect }) => defect.code));
  if (codes.has("trace-clock-unknown")) return `The ${boot} boot's events cannot be placed: see trace-clock-unknown.`;
  if (codes.has("ring-cpu-missing"))
    return "It may have been recorded on a CPU whose buffer is lost: see ring-cpu-missing.";
  if (codes.has("events-missing")) return `The ${boot} boot's events are not in the capture: see events-missing.`;
  if (codes.has("events-unreadable")) return `The ${boot} boot's events cannot be read: see events-unreadable.`;
  if (codes.has("ring-text-foreign")) return `The ${boot} boot's events cannot be trusted: see ring-text-foreign.`;
  if (lost === "resume") return "Mark the resume in the new kernel before collecting.";
  return "Keep marks in a ring buffer of their own, or record fewer events: noise overwrites the oldest ones.";
}

/**
 * A mark without its counterpart: the VMs' own blackout cannot be stated, and the reader must know why. Not if the
 * update failed: then nothing resumed.
 */
function markDefects(
  found: { readonly pause: FoundBoundary; readonly resume: FoundBoundary },
  collected: Collected,
): readonly DefectDocument[] {
  if ((found.pause.ns === null) === (found.resume.ns === null)) return [];
  const lost = found.pause.ns === null ? "pause" : "resume";
  return [
    {
      code: lost === "pause" ? "vm-pause-unseen" : "vm-resume-unseen",
      severity: "error",
      file: "",
      line: null,
      byte: null,
      boot: lost === "pause" ? "old" : "new",
      count: 1,
      atNs: null,
      message: `The VMs' ${lost} mark was not seen although the other end's was: their blackout is not known.`,
      advice: markAdvice(lost, collected),
    },
  ];
}

function negativeDefect(begin: FoundBoundary, end: FoundBoundary, byNs: number): DefectDocument {
  const of = ({ evidence, boot }: FoundBoundary): string =>
    evidence === null ? `the ${boot} kernel` : `${evidence.file}:${evidence.place}`;
  return {
    code: NEGATIVE_DURATION,
    severity: "error",
    file: end.evidence?.file ?? "",
    line: null,
    byte: null,
    boot: end.boot,
    count: 1,
    atNs: null,
    message: `The blackout's end (${of(end)}) lies ${formatDuration(byNs)} before its begin (${of(begin)}): it is not known.`,
    advice: "Check that the marks are of this update, and that each boot's trace, trace_clock and pages are its own.",
  };
}

function axisName(begin: FoundBoundary, end: FoundBoundary, collected: Collected): AxisName | null {
  if (collected.link.joint) return "joint";
  return begin.boot === end.boot ? begin.boot : null;
}

/** If records are missing, the first one seen of a phase may lie after its end: then its begin was not seen. */
function notAfter(begin: FoundBoundary, end: FoundBoundary, axis: Axis): FoundBoundary {
  const [from, to] = [placed(begin), placed(end)];
  const length = from === null || to === null ? null : axis.between(from, to);
  if (to === null || length === null || length >= 0) return begin;
  return { ...begin, ns: null, evidence: null, earliest: null, latest: begin.boot === end.boot ? to.ns : null };
}

function phaseOf(
  name: PhaseName,
  seenBegin: FoundBoundary,
  end: FoundBoundary,
  axis: Axis,
  zero: Zero,
  collected: Collected,
): PhaseDocument {
  const begin = notAfter(seenBegin, end, axis);
  const [from, to] = [placed(begin), placed(end)];
  const range = (found: FoundBoundary): readonly [number | null, number | null] | null =>
    found.ns !== null
      ? null
      : [
          found.earliest === null ? null : found.earliest - zero[found.boot],
          found.latest === null ? null : found.latest - zero[found.boot],
        ];
  return {
    name,
    axis: axisName(begin, end, collected),
    beginNs: from === null ? null : from.ns - zero[from.boot],
    endNs: to === null ? null : to.ns - zero[to.boot],
    durationNs: from === null || to === null ? null : axis.between(from, to),
    uncertaintyNs: from === null || to === null ? null : axis.uncertainty(from, to),
    beginRangeNs: range(begin),
    endRangeNs: range(end),
    evidence: { begin: begin.evidence, end: end.evidence },
  };
}

/** Beside its envelope, what LUO worked in a phase, and what lay between. */
function withWork(phase: PhaseDocument, records: WorkRecords): PhaseDocument {
  const { beginNs, endNs, durationNs } = phase;
  const found = beginNs === null || endNs === null || durationNs === null ? null : workIn(records, beginNs, endNs);
  if (found === null) return { ...phase, workNs: null };
  const { workNs, between } = found;
  return { ...phase, workNs, ...(between.length === 0 ? {} : { between }) };
}

function seamOf(collected: Collected, axis: Axis, zero: Zero): LiveUpdateDocument["seam"] {
  const { old, new: fresh } = collected.extents;
  const begin: Placed | null = old === null ? null : { boot: "old", ns: old.lastNs };
  const end: Placed | null = fresh === null ? null : { boot: "new", ns: fresh.firstNs };
  return {
    beginNs: begin === null ? null : begin.ns - zero.old,
    endNs: end === null ? null : end.ns - zero.new,
    durationNs: begin === null || end === null ? null : axis.between(begin, end),
    uncertaintyNs: begin === null || end === null ? null : axis.uncertainty(begin, end),
  };
}

function defectDocument({ defect, atNs }: PlacedDefect, zero: Zero): DefectDocument {
  const { code, severity, file, line, byte, message, advice, boot, count } = defect;
  const at = atNs === null || boot === null ? null : atNs - zero[boot];
  return { code, severity, file, line, byte, message, advice, boot, count, atNs: at };
}
