/** Each VM's own blackout, from marks that carry `vm=ID`; marks without one are the host's single VM. */
import type { KeyEvent, Placed } from "../collect/types.js";
import type { Axis, Zero } from "./axis.js";
import type { MarkSpelling } from "./boundaries.js";
import type { VmDocument } from "./live-update.js";

const HOST_VM = "vm";

function isMark(event: KeyEvent, spelling: string): boolean {
  return (
    event.what === "marker" &&
    event.name.startsWith(spelling) &&
    (event.name.length === spelling.length || event.name[spelling.length] === " ")
  );
}

/** Sorted by identity. A VM's first pause and last resume count: a VMM may mark a retry. */
export function findVms(
  events: readonly KeyEvent[],
  spelling: MarkSpelling,
  axis: Axis,
  zero: Zero,
): readonly VmDocument[] {
  const vms = new Map<string, { pause: Placed | null; resume: Placed | null }>();
  for (const event of events) {
    const pause = isMark(event, spelling.pause) && event.at.boot === "old";
    const resume = isMark(event, spelling.resume);
    if (!pause && !resume) continue;
    const id = String(event.fields.get("vm") ?? HOST_VM);
    const vm = vms.get(id) ?? { pause: null, resume: null };
    vms.set(id, vm);
    if (pause) vm.pause ??= event.at;
    else vm.resume = event.at;
  }
  return [...vms.entries()]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([id, { pause, resume }]) => ({
      id,
      beginNs: pause === null ? null : pause.ns - zero[pause.boot],
      endNs: resume === null ? null : resume.ns - zero[resume.boot],
      durationNs: pause === null || resume === null ? null : axis.between(pause, resume),
    }));
}
