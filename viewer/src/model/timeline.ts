/**
 * The timeline: a live update sorted into axes, groups, tracks and lanes, once, when it is opened. With a clock link
 * there is one axis; without, each boot has its own, and nothing of one is ever drawn on the other.
 */
import type { AxisName, LiveUpdate, LiveUpdateDocument, PhaseName } from "../../../src/analyze/live-update.js";
import { SPAN_KINDS, type SpanKind, type SpanTable } from "../../../src/analyze/span-table.js";
import { visibleText } from "./format.js";
import { type Lane, type PointLane, packLanes, packPoints } from "./lanes.js";

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
  | { readonly what: "spans"; readonly key: string; readonly label: string; readonly lanes: readonly Lane[] }
  | { readonly what: "printk" | "defects"; readonly key: string; readonly label: string; readonly points: PointLane };

export interface Group {
  readonly id: GroupId;
  readonly label: string;
  /** Spans or instants in it. */
  readonly count: number;
  readonly tracks: readonly Track[];
}

export interface Axis {
  readonly name: AxisName;
  readonly phases: readonly PhaseBand[];
  readonly blackout: { readonly beginNs: number; readonly endNs: number } | null;
  readonly seam: SeamBand | null;
  readonly groups: readonly Group[];
  /** First begin and last end of all that is drawn. */
  readonly boundsNs: readonly [number, number];
  /** Where to look first: the phases and the blackout, with some air. */
  readonly homeNs: readonly [number, number];
}

export interface Timeline {
  readonly update: LiveUpdate;
  readonly axes: readonly Axis[];
  /** Rows of the longest spans that touch the blackout (or, where it is unknown, of all), the longest first. */
  readonly longest: readonly number[];
}

export type GroupId =
  | "blackout"
  | "sessions"
  | "devices"
  | "initcalls"
  | "functions"
  | "cpus"
  | "userspace"
  | "scheduling"
  | "interrupts"
  | "printk"
  | "defects";

/** In the order they are drawn. */
export const GROUPS: readonly { readonly id: GroupId; readonly label: string }[] = [
  { id: "blackout", label: "Blackout" },
  { id: "sessions", label: "Sessions" },
  { id: "devices", label: "Devices" },
  { id: "initcalls", label: "Initcalls" },
  { id: "functions", label: "Functions" },
  { id: "userspace", label: "User space" },
  { id: "cpus", label: "CPUs and notifiers" },
  { id: "scheduling", label: "Scheduling" },
  { id: "interrupts", label: "Interrupts" },
  { id: "printk", label: "Kernel log" },
  { id: "defects", label: "Defects" },
];

const GROUP_OF_KIND: Readonly<Record<SpanKind, GroupId>> = {
  phase: "blackout",
  blackout: "blackout",
  seam: "blackout",
  unattributed: "blackout",
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

/** Whether times of both boots may stand on one axis: with a link, and not where only one boot has a clock. */
export function hasJointAxis(document: LiveUpdateDocument): boolean {
  return document.clock.method !== "none" && document.clock.method !== "single";
}

export function buildTimeline(update: LiveUpdate): Timeline {
  const names: readonly AxisName[] = hasJointAxis(update.document) ? ["joint"] : ["old", "new"];
  const axes = names.map((name) => buildAxis(update, name));
  const used = axes.filter((axis) => axis.groups.length > 0 || axis.phases.length > 0);
  return { update, axes: used.length > 0 ? used : axes.slice(0, 1), longest: longestSpans(update, 14) };
}

const FRAMES: ReadonlySet<SpanKind> = new Set(["phase", "blackout", "seam", "unattributed", "printk", "task"]);

function longestSpans(update: LiveUpdate, keep: number): readonly number[] {
  const { spans, document } = update;
  const { beginNs, endNs } = document.blackout;
  const length = (row: number) => (spans.endNs[row] as number) - (spans.beginNs[row] as number);
  const best: number[] = [];
  for (let row = 0; row < spans.count; row++) {
    if (FRAMES.has(SPAN_KINDS[spans.kind[row] as number] as SpanKind)) continue;
    if (beginNs !== null && (spans.endNs[row] as number) <= beginNs) continue;
    if (endNs !== null && (spans.beginNs[row] as number) >= endNs) continue;
    if (best.length === keep && length(row) <= length(best[keep - 1] as number)) continue;
    const at = best.findIndex((other) => length(other) < length(row));
    best.splice(at < 0 ? best.length : at, 0, row);
    if (best.length > keep) best.pop();
  }
  return best;
}

function buildAxis(update: LiveUpdate, name: AxisName): Axis {
  const { document, spans } = update;
  const boot = name === "joint" ? null : name;
  const trackRows = collectRows(spans, name);
  const groups: Group[] = [];
  for (const { id, label: heading } of GROUPS) {
    const tracks: Track[] = [];
    let count = 0;
    for (const [key, rows] of trackRows.get(id) ?? []) {
      const { lanes, deeper } = packLanes(spans, rows);
      const label = trackLabel(spans, id, rows[0] as number, key);
      tracks.push({ what: "spans", key, label: deeper === 0 ? label : `${deeper} too deep · ${label}`, lanes });
      count += rows.length;
    }
    if (id === "printk" || id === "defects") {
      for (const track of id === "printk" ? printkTracks(update, boot) : defectTracks(update, boot)) {
        tracks.push(track);
        if (track.what !== "spans") count += track.points.at.length;
      }
    }
    if (count > 0) groups.push({ id, label: heading, count, tracks: id === "blackout" ? tracks : sortTracks(tracks) });
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
      } else {
        include(track.points.at[0] as number, track.points.at.at(-1) as number);
      }
    }
  }
  const bounds: readonly [number, number] = low <= high ? [low, Math.max(high, low + 1)] : [0, 1e9];
  return {
    name,
    phases,
    blackout,
    seam: seam === null ? null : { ...seam, softNs: document.seam.uncertaintyNs ?? 0 },
    groups,
    boundsNs: bounds,
    homeNs: withAir(marked ?? bounds),
  };
}

function withAir([begin, end]: readonly [number, number]): readonly [number, number] {
  const air = Math.max((end - begin) * 0.02, 10);
  return [begin - air, end + air];
}

/** Every row of the axis by group and track key. */
function collectRows(spans: SpanTable, axis: AxisName): Map<GroupId, Map<string, number[]>> {
  const groups = new Map<GroupId, Map<string, number[]>>();
  for (let row = 0; row < spans.count; row++) {
    const boot = spans.boot[row] as number;
    // Without a link a span over both boots has no place on either axis: the phase table tells of it.
    if (axis !== "joint" && boot !== (axis === "old" ? 1 : 2)) continue;
    const kind = SPAN_KINDS[spans.kind[row] as number] as SpanKind;
    const group = GROUP_OF_KIND[kind];
    const key = trackKey(spans, group, kind, row);
    const tracks = groups.get(group) ?? new Map<string, number[]>();
    groups.set(group, tracks);
    const rows = tracks.get(key);
    if (rows === undefined) tracks.set(key, [row]);
    else rows.push(row);
  }
  return groups;
}

function trackKey(spans: SpanTable, group: GroupId, kind: SpanKind, row: number): string {
  const boot = spans.boot[row] as number;
  switch (group) {
    case "blackout":
      return "";
    case "sessions":
      return sessionName(spans, kind, row);
    case "devices":
    case "initcalls":
    case "printk":
    case "defects":
      return `${boot}`;
    case "functions":
    case "userspace":
      return `${boot} ${spans.pid[row]} ${spans.pid[row] === -1 ? spans.task[row] : ""}`;
    case "cpus":
    case "scheduling":
    case "interrupts":
      return `${boot} ${spans.cpu[row]}`;
  }
}

/** A file belongs to its enclosing session; where that is not recorded, to the one in its name, `session token`. */
function sessionName(spans: SpanTable, kind: SpanKind, row: number): string {
  const text = spans.strings[spans.name[row] as number] ?? "";
  if (kind === "file") {
    const parent = spans.parent[row] as number;
    if (parent >= 0 && SPAN_KINDS[spans.kind[parent] as number] === "session") {
      return spans.strings[spans.name[parent] as number] ?? "";
    }
    return text.slice(0, Math.max(0, text.lastIndexOf(" ")));
  }
  return text;
}

function trackLabel(spans: SpanTable, group: GroupId, row: number, key: string): string {
  const boot = spans.boot[row] === 1 ? "old" : spans.boot[row] === 2 ? "new" : "";
  const pid = spans.pid[row] as number;
  const cpu = spans.cpu[row] as number;
  const task = visibleText(spans.strings[spans.task[row] as number] ?? "");
  switch (group) {
    case "blackout":
      return "blackout, phases";
    case "sessions":
      return visibleText(key) || "session";
    case "functions":
    case "userspace":
      return `${task || "task"}${pid >= 0 && !task.endsWith(`${pid}`) ? ` ${pid}` : ""} · ${boot}`;
    case "cpus":
    case "scheduling":
    case "interrupts":
      return `${cpu >= 0 ? `cpu ${cpu}` : "cpu unknown"} · ${boot}`;
    default:
      return boot === "" ? "both kernels" : `${boot} kernel`;
  }
}

/** Old boot before new, then by label, numbers by value. */
function sortTracks(tracks: readonly Track[]): readonly Track[] {
  const bootOf = (track: Track) => track.key.split(" ")[0] ?? "";
  return [...tracks].sort(
    (a, b) =>
      bootOf(a).localeCompare(bootOf(b), "en", { numeric: true }) ||
      a.label.localeCompare(b.label, "en", { numeric: true }),
  );
}

/** Severity of a printk level (0..7, null unknown), as PointLane has it. */
export function printkSeverity(level: number | null): number {
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
      key: of === "old" ? "1" : "2",
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
  return [{ what: "defects", key: "0", label: "placed on the axis", points: { ...points, items } }];
}
