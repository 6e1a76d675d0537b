/** How the Perfetto UI shows a trace when it opens it: pinned tracks, notes, tables, and the part in view. */
import type { LiveUpdate } from "../../model/live-update.js";
import { traceTimeOf } from "./packets/trace-time.js";

/** A startup command of the Perfetto UI: its identifier is stable (six months' notice before it breaks). */
export interface StartupCommand {
  readonly id: string;
  readonly args: readonly string[];
}

export const PERFETTO_UI = "https://ui.perfetto.dev";

const PHASE_TABLE = `select s.name as phase, (s.ts - z.int_value) / 1e6 as begin_ms, s.dur / 1e6 as duration_ms
from slice s join track t on s.track_id = t.id,
  (select int_value from metadata where name = 'trace_attribute.blackout.axis_zero_ns') z
where t.name = 'Phases' order by s.ts`;

/** Commands for `update`: tracks pinned, notes at pause, freeze and resume, the phases as a table. */
export function startupCommands(update: LiveUpdate): readonly StartupCommand[] {
  const { document } = update;
  const time = traceTimeOf(update, { old: null, new: null });
  const pinned: StartupCommand = {
    id: "dev.perfetto.PinTracksByRegex",
    args: ["^(Blackout|Phases|Seam|Sessions|VMs)$"],
  };
  if (!time.joint) return [pinned];
  const at = (ns: number): string => String(BigInt(time.zeroNs.old) + BigInt(Math.round(ns)));
  const note = (ns: number | null | undefined, text: string): readonly StartupCommand[] =>
    ns === null || ns === undefined ? [] : [{ id: "dev.perfetto.AddNoteAtTimestamp", args: [at(ns), text] }];
  const freeze = document.phases.find(({ name }) => name === "freeze");
  const marked = document.blackout.basis === "vm-marks";
  return [
    pinned,
    ...note(document.blackout.beginNs, marked ? "VMs paused" : "blackout begins"),
    ...note(freeze?.beginNs, "freeze"),
    ...note(document.blackout.endNs, marked ? "VMs resumed" : "blackout ends"),
    { id: "dev.perfetto.RunQueryAndShowTab", args: [PHASE_TABLE, "Phases"] },
  ];
}

/** The UI's address with the commands, and the view set to the blackout with a margin of a twentieth on both sides. */
export function handoverUrl(update: LiveUpdate, ui: string): string {
  const { beginNs, endNs } = update.document.blackout;
  const time = traceTimeOf(update, { old: null, new: null });
  const parameters = new URLSearchParams();
  if (time.joint && beginNs !== null && endNs !== null) {
    const air = (endNs - beginNs) / 20;
    parameters.set("visStart", String(BigInt(time.zeroNs.old) + BigInt(Math.round(beginNs - air))));
    parameters.set("visEnd", String(BigInt(time.zeroNs.old) + BigInt(Math.round(endNs + air))));
  }
  parameters.set("startupCommands", JSON.stringify(startupCommands(update)));
  // The UI decodes its hash with decodeURIComponent, which leaves `+` as it is.
  return `${ui.replace(/\/+$/, "")}/#!/?${parameters.toString().replaceAll("+", "%20")}`;
}
