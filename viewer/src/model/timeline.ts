/**
 * The timeline: a live update sorted into axes, groups, tracks and lanes, once, when it is opened. With a clock link
 * there is one axis. Without, each boot has its own axis, and its events are never drawn on the other.
 */
import type { AxisName, LiveUpdate, LiveUpdateDocument, PhaseName } from "../../../src/model/live-update.js";
import { SPAN_KINDS, type SpanKind, type SpanTable } from "../../../src/model/span-table.js";
import { analyseWhole, analysisOf, type Bands } from "./analysis.js";
import { visibleText } from "./format.js";
import { type Lane, type PointLane, packLanes, packPoints, unplacedDepths } from "./lanes.js";
import { drawingOrder } from "./updates/order.js";

export interface PhaseBand {
  readonly name: PhaseName;
  /** Index into the document's phases. */
  readonly index: number;
  readonly beginNs: number;
  readonly endNs: number;
}

/** An interval whose ends are each known to ± `softNs`. */
export interface SeamBand {
  readonly beginNs: number;
  readonly endNs: number;
  readonly softNs: number;
}

export type Track =
  | {
      readonly what: "spans";
      readonly boot: number;
      readonly label: string;
      readonly lanes: readonly Lane[];
      /** Spans nested too deeply for the lanes; they are not drawn. */
      readonly deeper: number;
    }
  | {
      readonly what: "printk" | "defects";
      readonly boot: number;
      readonly label: string;
      readonly points: PointLane;
    }
  | BandTrack
  | SilenceTrack;

/** An interrupt line across the kexec: from the last time it was served before to the first time after. */
export interface SilenceTrack {
  readonly what: "silence";
  readonly boot: number;
  readonly label: string;
  /** Index into the analysis' silences. */
  readonly item: number;
  readonly beginNs: number;
  readonly endNs: number;
}

/** A row of bands: the blackout's accounts at one level of its tree. */
export interface BandTrack {
  readonly what: "bands";
  readonly boot: number;
  readonly label: string;
  readonly bands: Bands;
}

export interface Group {
  readonly id: GroupId;
  readonly label: string;
  /** Spans or instants in it. */
  readonly count: number;
  readonly tracks: readonly Track[];
}

export interface TimelineAxis {
  readonly name: AxisName;
  readonly phases: readonly PhaseBand[];
  readonly blackout: { readonly beginNs: number; readonly endNs: number } | null;
  readonly seam: SeamBand | null;
  readonly groups: readonly Group[];
  /** First begin and last end of everything drawn. */
  readonly boundsNs: readonly [number, number];
  /** The first view: the phases and the blackout, with a margin. */
  readonly homeNs: readonly [number, number];
  /** What the minimap shows: the bounds, but no further from home than home's own length; logs cover weeks. */
  readonly mapNs: readonly [number, number];
}

export interface Timeline {
  readonly update: LiveUpdate;
  readonly axes: readonly TimelineAxis[];
  /** Rows of the longest spans that touch the blackout (or, if it is unknown, of all), the longest first. */
  readonly longest: readonly number[];
}

export type GroupId =
  | "accounts"
  | "sessions"
  | "devices"
  | "initcalls"
  | "functions"
  | "cpus"
  | "userspace"
  | "scheduling"
  | "interrupts"
  | "silence"
  | "printk"
  | "defects";

/** In the order they are drawn. */
export const GROUPS: readonly { readonly id: GroupId; readonly label: string }[] = [
  { id: "accounts", label: "Accounts" },
  { id: "sessions", label: "Sessions" },
  { id: "devices", label: "Devices" },
  { id: "initcalls", label: "Initcalls" },
  { id: "functions", label: "Functions" },
  { id: "userspace", label: "User space" },
  { id: "cpus", label: "CPUs" },
  { id: "scheduling", label: "Scheduling" },
  { id: "interrupts", label: "Interrupts" },
  { id: "silence", label: "Interrupt silence" },
  { id: "printk", label: "Kernel log" },
  { id: "defects", label: "Defects" },
];

const GROUP_OF_KIND: Readonly<Record<SpanKind, GroupId | null>> = {
  // The head draws these, above all lanes.
  phase: null,
  blackout: null,
  seam: null,
  unattributed: "accounts",
  session: "sessions",
  file: "sessions",
  device: "devices",
  initcall: "initcalls",
  function: "functions",
  cpu: "cpus",
  notifier: "cpus",
  task: "scheduling",
  irq: "interrupts",
  softirq: "interrupts",
  userspace: "userspace",
  syscall: "userspace",
  marker: "userspace",
  printk: "printk",
};

/** Whether times of both boots may share an axis: if there is a link, and both boots have a clock. */
export function hasJointAxis(document: LiveUpdateDocument): boolean {
  return document.clock.method !== "none" && document.clock.method !== "single";
}

export function buildTimeline(update: LiveUpdate): Timeline {
  const names: readonly AxisName[] = hasJointAxis(update.document) ? ["joint"] : ["old", "new"];
  const { spans } = update;
  const order = drawingOrder(spans.beginNs, spans.endNs, spans.count);
  const axes = names.map((name) => buildAxis(update, name, order));
  const used = axes.filter((axis) => axis.groups.length > 0 || axis.phases.length > 0);
  return { update, axes: used.length > 0 ? used : axes.slice(0, 1), longest: longestSpans(update, 14) };
}

function bandTracks(update: LiveUpdate): readonly BandTrack[] {
  const { stages, causes } = analysisOf(update);
  return [stages, causes].flatMap((bands) =>
    bands === null ? [] : [{ what: "bands", boot: 0, label: bands.label, bands } as const],
  );
}

function countOfBands(tracks: readonly BandTrack[]): number {
  return tracks.reduce((sum, { bands }) => sum + bands.begin.length, 0);
}

/** The timeline with the accounts that were not built when it was opened; its lanes are kept. */
export function withAnalysis(timeline: Timeline): Timeline {
  const { update } = timeline;
  analyseWhole(update);
  const bands = bandTracks(update);
  if (bands.length === 0) return { ...timeline };
  const axes = timeline.axes.map((axis): TimelineAxis => {
    if (axis.name !== "joint") return axis;
    const own = axis.groups.find(({ id }) => id === "accounts");
    const accounts: Group = {
      id: "accounts",
      label: "Accounts",
      count: (own?.count ?? 0) + countOfBands(bands),
      tracks: [...(own?.tracks ?? []), ...bands],
    };
    return { ...axis, groups: [accounts, ...axis.groups.filter(({ id }) => id !== "accounts")] };
  });
  return { ...timeline, axes };
}

const FRAMES = kindSet("phase", "blackout", "seam", "unattributed", "printk", "task");

/** A byte for each kind of SPAN_KINDS: 1 for those named. */
export function kindSet(...kinds: readonly SpanKind[]): Uint8Array {
  return Uint8Array.from(SPAN_KINDS, (kind) => (kinds.includes(kind) ? 1 : 0));
}

function longestSpans(update: LiveUpdate, keep: number): readonly number[] {
  const { spans, document } = update;
  const { beginNs, endNs } = document.blackout;
  const from = beginNs ?? Number.NEGATIVE_INFINITY;
  const to = endNs ?? Number.POSITIVE_INFINITY;
  const length = (row: number) => (spans.endNs[row] as number) - (spans.beginNs[row] as number);
  const best: number[] = [];
  for (let row = 0; row < spans.count; row++) {
    const begin = spans.beginNs[row] as number;
    const end = spans.endNs[row] as number;
    if (best.length === keep && end - begin <= length(best[keep - 1] as number)) continue;
    if (FRAMES[spans.kind[row] as number] === 1 || end <= from || begin >= to) continue;
    const at = best.findIndex((other) => length(other) < end - begin);
    best.splice(at < 0 ? best.length : at, 0, row);
    if (best.length > keep) best.pop();
  }
  return best;
}

function buildAxis(update: LiveUpdate, name: AxisName, order: Uint32Array): TimelineAxis {
  const { document, spans } = update;
  const boot = name === "joint" ? null : name;
  const sorted = sortRows(spans, name, order);
  const depths = unplacedDepths(spans.count);
  const groups: Group[] = [];
  for (const { id, label: heading } of GROUPS) {
    const tracks: Track[] = [];
    let count = 0;
    for (const [track, rows] of sorted.tracks.entries()) {
      if (sorted.groups[track] !== id) continue;
      const { lanes, deeper } = packLanes(spans, rows, depths, sorted.trackOf);
      const first = rows[0] as number;
      const label = trackLabel(spans, id, first);
      tracks.push({ what: "spans", boot: spans.boot[first] as number, label, lanes, deeper });
      count += rows.length;
    }
    if (id === "printk" || id === "defects") {
      for (const track of id === "printk" ? printkTracks(update, boot) : defectTracks(update, boot)) {
        tracks.push(track);
        if (track.what === "printk" || track.what === "defects") count += track.points.at.length;
      }
    }
    if (id === "silence" && name === "joint") {
      for (const [item, { irq, lastOldNs, firstNewNs }] of analysisOf(update).silences.entries()) {
        tracks.push({
          what: "silence",
          boot: 0,
          label: visibleText(irq),
          item,
          beginNs: lastOldNs,
          endNs: firstNewNs,
        });
        count += 1;
      }
    }
    if (id === "accounts" && name === "joint") {
      const bands = bandTracks(update);
      tracks.push(...bands);
      count += countOfBands(bands);
    }
    const ordered =
      id === "accounts" || id === "silence" ? tracks : id === "sessions" ? byFirstBegin(tracks) : sortTracks(tracks);
    if (count > 0) groups.push({ id, label: heading, count, tracks: ordered });
  }
  const phases = document.phases.flatMap((phase, index): PhaseBand[] =>
    phase.axis === name && phase.beginNs !== null && phase.endNs !== null
      ? [{ name: phase.name, index, beginNs: phase.beginNs, endNs: phase.endNs }]
      : [],
  );
  const interval = (of: { readonly beginNs: number | null; readonly endNs: number | null }) =>
    name === "joint" && of.beginNs !== null && of.endNs !== null ? { beginNs: of.beginNs, endNs: of.endNs } : null;
  const blackout = interval(document.blackout);
  const seam = interval(document.seam);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  const include = (begin: number, end: number) => {
    low = Math.min(low, begin);
    high = Math.max(high, end);
  };
  for (const band of [...phases, ...(blackout ? [blackout] : []), ...(seam ? [seam] : [])])
    include(band.beginNs, band.endNs);
  const marked = low <= high ? ([low, high] as const) : null;
  for (const group of groups) {
    for (const track of group.tracks) {
      if (track.what === "spans") {
        for (const lane of track.lanes)
          if (lane.rows.length > 0) include(lane.begin[0] as number, lane.end.at(-1) as number);
      } else if (track.what === "silence") {
        include(track.beginNs, track.endNs);
      } else if (track.what !== "bands") {
        include(track.points.at[0] as number, track.points.at.at(-1) as number);
      }
    }
  }
  const bounds: readonly [number, number] = low <= high ? [low, Math.max(high, low + 1)] : [0, 1e9];
  const home = withAir(marked ?? bounds);
  const around = home[1] - home[0];
  return {
    name,
    phases,
    blackout,
    seam: seam === null ? null : { ...seam, softNs: document.seam.uncertaintyNs ?? 0 },
    groups,
    boundsNs: bounds,
    homeNs: home,
    mapNs: [Math.max(bounds[0], home[0] - around), Math.min(bounds[1], home[1] + around)],
  };
}

function withAir([begin, end]: readonly [number, number]): readonly [number, number] {
  const air = Math.max((end - begin) * 0.02, 10);
  return [begin - air, end + air];
}

interface SortedRows {
  /** Rows of each track, in drawing order. */
  readonly tracks: readonly Uint32Array[];
  readonly groups: readonly GroupId[];
  /** Track of each row of the table. */
  readonly trackOf: Uint32Array;
}

const GROUP_IDS = GROUPS.map(({ id }) => id);
const NO_GROUP = 255;
const GROUP_OF_KIND_INDEX = Uint8Array.from(SPAN_KINDS, (kind) => {
  const group = GROUP_OF_KIND[kind];
  return group === null ? NO_GROUP : GROUP_IDS.indexOf(group);
});
const NO_TRACK = 0xffffffff;

/** The group a row of the table is drawn in; null for what the head draws. */
export function groupOfKind(kind: number): GroupId | null {
  return GROUP_IDS[GROUP_OF_KIND_INDEX[kind] ?? NO_GROUP] ?? null;
}

/** Every row of the axis by group and track. Keys are numbers: a text for each of millions of rows takes seconds. */
function sortRows(spans: SpanTable, axis: AxisName, order: Uint32Array): SortedRows {
  const trackOf = new Uint32Array(spans.count).fill(NO_TRACK);
  const groups: GroupId[] = [];
  const sizes: number[] = [];
  const known = new Map<number, Map<number, number>>();
  const sessionIds = new Map<string, number>();
  const only = axis === "old" ? 1 : 2;
  for (let row = 0; row < spans.count; row++) {
    const boot = spans.boot[row] as number;
    // Without a link, a span over both boots has no place on either axis: the phase table shows it.
    if (axis !== "joint" && boot !== only) continue;
    const groupIndex = GROUP_OF_KIND_INDEX[spans.kind[row] as number] as number;
    if (groupIndex === NO_GROUP) continue;
    const group = GROUP_IDS[groupIndex] as GroupId;
    // Which track of the group: by these two numbers.
    let first = 0;
    let second = 0;
    switch (group) {
      case "accounts":
        break;
      case "sessions":
        first = idOf(sessionIds, sessionName(spans, row));
        break;
      case "devices":
      case "initcalls":
      case "silence":
      case "printk":
      case "defects":
        first = boot;
        break;
      case "functions":
      case "userspace":
        first = ((spans.pid[row] as number) + 1) * 4 + boot;
        second = spans.pid[row] === -1 ? (spans.task[row] as number) + 1 : 0;
        break;
      case "cpus":
      case "scheduling":
      case "interrupts":
        first = ((spans.cpu[row] as number) + 1) * 4 + boot;
        break;
    }
    const firstKey = first * 16 + groupIndex;
    let seconds = known.get(firstKey);
    if (seconds === undefined) {
      seconds = new Map();
      known.set(firstKey, seconds);
    }
    let track = seconds.get(second);
    if (track === undefined) {
      track = groups.length;
      seconds.set(second, track);
      groups.push(group);
      sizes.push(0);
    }
    trackOf[row] = track;
    sizes[track] = (sizes[track] as number) + 1;
  }
  const tracks = sizes.map((size) => new Uint32Array(size));
  sizes.fill(0);
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    const track = trackOf[row] as number;
    if (track === NO_TRACK) continue;
    const at = sizes[track] as number;
    (tracks[track] as Uint32Array)[at] = row;
    sizes[track] = at + 1;
  }
  return { tracks, groups, trackOf };
}

function idOf(ids: Map<string, number>, text: string): number {
  const known = ids.get(text);
  if (known !== undefined) return known;
  ids.set(text, ids.size);
  return ids.size - 1;
}

/** A file belongs to its enclosing session; if that is not recorded, to the one in its name, `session token`. */
function sessionName(spans: SpanTable, row: number): string {
  const text = spans.strings[spans.name[row] as number] ?? "";
  if (SPAN_KINDS[spans.kind[row] as number] === "file") {
    const parent = spans.parent[row] as number;
    if (parent >= 0 && SPAN_KINDS[spans.kind[parent] as number] === "session") {
      return spans.strings[spans.name[parent] as number] ?? "";
    }
    return text.slice(0, Math.max(0, text.lastIndexOf(" ")));
  }
  return text;
}

function trackLabel(spans: SpanTable, group: GroupId, row: number): string {
  const boot = spans.boot[row] === 1 ? "old" : spans.boot[row] === 2 ? "new" : "";
  const pid = spans.pid[row] as number;
  const cpu = spans.cpu[row] as number;
  const task = visibleText(spans.strings[spans.task[row] as number] ?? "");
  switch (group) {
    case "accounts":
      return "no cause seen";
    case "sessions":
      return visibleText(sessionName(spans, row)) || "session";
    case "functions":
    case "userspace": {
      const name = task === "" || task === "<...>" ? (pid >= 0 ? "pid" : "task") : task;
      return `${name}${pid >= 0 && !task.endsWith(`${pid}`) ? ` ${pid}` : ""} · ${boot}`;
    }
    case "cpus":
    case "scheduling":
    case "interrupts":
      return `${cpu >= 0 ? `cpu ${cpu}` : "cpu unknown"} · ${boot}`;
    default:
      return boot === "" ? "both kernels" : `${boot} kernel`;
  }
}

/** Sessions in the order they came: their names are hexadecimal, and a staircase is easier to read than an alphabet. */
function byFirstBegin(tracks: readonly Track[]): readonly Track[] {
  const first = (track: Track) => (track.what === "spans" ? (track.lanes[0]?.begin[0] ?? 0) : 0);
  return [...tracks].sort((a, b) => first(a) - first(b));
}

/** Old boot before new, then by label, numbers by value. */
function sortTracks(tracks: readonly Track[]): readonly Track[] {
  const { compare } = new Intl.Collator("en", { numeric: true });
  return [...tracks].sort((a, b) => a.boot - b.boot || compare(a.label, b.label));
}

/** Severity of a printk level (0..7, null unknown), as PointLane has it. */
function printkSeverity(level: number | null): number {
  if (level === null) return 2;
  return level <= 3 ? 0 : level === 4 ? 1 : level <= 6 ? 2 : 3;
}

function printkTracks(update: LiveUpdate, boot: "old" | "new" | null): Track[] {
  const tracks: Track[] = [];
  for (const of of ["old", "new"] as const) {
    if (boot !== null && boot !== of) continue;
    const placed = update.printk
      .map((line, item) => ({ line, item }))
      .filter(({ line }) => line.boot === of && line.atNs !== null);
    if (placed.length === 0) continue;
    const points = packPoints(
      placed.map(({ line }) => ({ at: line.atNs as number, severity: printkSeverity(line.level) })),
    );
    const items = points.items.map((at) => placed[at]?.item as number);
    tracks.push({
      what: "printk",
      boot: of === "old" ? 1 : 2,
      label: `${of} kernel's log`,
      points: { ...points, items },
    });
  }
  return tracks;
}

const DEFECT_SEVERITY = { error: 0, warning: 1, note: 2 } as const;

function defectTracks(update: LiveUpdate, boot: "old" | "new" | null): Track[] {
  const placed = update.document.defects
    .map((found, item) => ({ found, item }))
    .filter(({ found }) => found.atNs !== null && (boot === null || found.boot === boot));
  if (placed.length === 0) return [];
  const points = packPoints(
    placed.map(({ found }) => ({ at: found.atNs as number, severity: DEFECT_SEVERITY[found.severity] ?? 2 })),
  );
  const items = points.items.map((at) => placed[at]?.item as number);
  return [{ what: "defects", boot: 0, label: "placed on the axis", points: { ...points, items } }];
}
