/**
 * How the Perfetto UI shows a trace when it opens it: a workspace with the tracks that answer the question, notes, a
 * table, and the part in view. All commands are on the UI's list of those that an address may run.
 */
import { formatDuration } from "../../base/text/format.js";
import type { LiveUpdate } from "../../model/live-update.js";
import { type TraceTime, traceTimeOf } from "./packets/trace-time.js";

/** A startup command of the Perfetto UI: its identifier is stable (six months' notice before it breaks). */
export interface StartupCommand {
  readonly id: string;
  readonly args: readonly string[];
}

export const PERFETTO_UI = "https://ui.perfetto.dev";

const WORKSPACE = "Live update";
/** In the order in which they are shown; a device's track has its PCI address in its name. */
const TRACKS = [
  "Blackout",
  "Phases",
  "Seam",
  "Where it went",
  "Critical chain",
  "VM .*",
  "Defects",
  "Kernel log.*",
  ".*[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-9]",
];
const CPU_TRACKS = "^CPU [0-9]+ Scheduling$";

const DURATION = "(select int_value from metadata where name = 'trace_attribute.blackout.duration_ns')";
/** Everything of at least a hundredth of the blackout, indented by its depth in the tree. */
const ACCOUNT_TABLE = `select iif(depth = 0, '', substr('                ', 1, depth * 2)) || s.name as what,
  round(s.dur / 1e6, 3) as ms, round(100.0 * s.dur / ${DURATION}, 1) as percent
from slice s join track t on t.id = s.track_id
where t.name = 'Where it went' and s.dur * 100 >= ${DURATION} order by s.ts, s.depth`;
/** For an update without a known blackout. */
const PHASE_TABLE = `select s.name as phase, s.dur / 1e6 as ms
from slice s join track t on s.track_id = t.id where t.name = 'Phases' order by s.ts`;

/** Notes nearer to each other than this share of the view overprint. */
const NOTE_DISTANCE = 0.03;

/** The part in view, in trace time; null if nothing is drawn. Always inside the trace: the UI ignores all else. */
function viewOf({ document }: LiveUpdate, { joint, zeroNs, bounds }: TraceTime): readonly [number, number] | null {
  if (bounds === null) return null;
  const { beginNs, endNs } = document.blackout;
  if (!joint || beginNs === null || endNs === null || endNs <= beginNs) return [bounds.firstNs, bounds.lastNs];
  const air = (endNs - beginNs) / 20;
  const from = Math.max(bounds.firstNs, Math.round(zeroNs.old + beginNs - air));
  const to = Math.min(bounds.lastNs, Math.round(zeroNs.old + endNs + air));
  return from < to ? [from, to] : [bounds.firstNs, bounds.lastNs];
}

/** Commands for `update`: its workspace, notes at pause, freeze and resume, and where the time went as a table. */
export function startupCommands(update: LiveUpdate): readonly StartupCommand[] {
  const { document } = update;
  const time = traceTimeOf(update, { old: null, new: null });
  const copied = (pattern: string): StartupCommand => ({
    id: "dev.perfetto.CopyTracksToWorkspaceByRegexWithAncestors",
    args: [pattern, WORKSPACE, "name"],
  });
  return [
    copied(`^(${TRACKS.join("|")})$`),
    copied(CPU_TRACKS),
    { id: "dev.perfetto.SwitchWorkspace", args: [WORKSPACE] },
    { id: "dev.perfetto.ExpandTracksByRegex", args: [".*", "name"] },
    ...notes(update, time),
    document.blackout.durationNs === null
      ? { id: "dev.perfetto.RunQueryAndShowTab", args: [PHASE_TABLE, "Phases"] }
      : { id: "dev.perfetto.RunQueryAndShowTab", args: [ACCOUNT_TABLE, "Where it went"] },
  ];
}

function notes(update: LiveUpdate, time: TraceTime): readonly StartupCommand[] {
  const { blackout, phases } = update.document;
  const view = viewOf(update, time);
  if (!time.joint || view === null) return [];
  const marked = blackout.basis === "vm-marks";
  const freeze = phases.find(({ name }) => name === "freeze")?.beginNs ?? null;
  const wanted = [
    { ns: blackout.beginNs, text: marked ? "VMs paused" : "blackout begins" },
    { ns: freeze, text: "freeze" },
    { ns: blackout.endNs, text: marked ? "VMs resumed" : "blackout ends" },
  ];
  const placed: { ns: number; text: string }[] = [];
  for (const { ns, text } of wanted) {
    if (ns === null) continue;
    const before = placed.at(-1);
    const apart = before === undefined ? Number.POSITIVE_INFINITY : ns - before.ns;
    if (before !== undefined && apart < (view[1] - view[0]) * NOTE_DISTANCE) {
      before.text += apart === 0 ? `; ${text}` : `; ${text} ${formatDuration(apart)} later`;
    } else placed.push({ ns, text });
  }
  return placed.map(({ ns, text }) => ({
    id: "dev.perfetto.AddNoteAtTimestamp",
    args: [String(BigInt(time.zeroNs.old) + BigInt(Math.round(ns))), text],
  }));
}

/** The UI's address with the commands, and the view set to the blackout, or else to all that was recorded. */
export function handoverUrl(update: LiveUpdate, ui: string): string {
  const view = viewOf(update, traceTimeOf(update, { old: null, new: null }));
  const parameters = new URLSearchParams();
  if (view !== null) {
    parameters.set("visStart", String(view[0]));
    parameters.set("visEnd", String(view[1]));
  }
  parameters.set("startupCommands", JSON.stringify(startupCommands(update)));
  // The UI decodes its hash with decodeURIComponent, which leaves `+` as it is.
  return `${ui.replace(/\/+$/, "")}/#!/?${parameters.toString().replaceAll("+", "%20")}`;
}
