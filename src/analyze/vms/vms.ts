/**
 * Each VM's own blackout, from marks that carry `vm=ID`; marks without one are the host's single VM. If no VM is
 * marked, from their vCPUs; if none of these was seen, from their VMMs' logs.
 */
import { type KeyEvent, type Placed, VMMS } from "../../model/collected.js";
import type { VmDocument } from "../../model/live-update.js";
import { isMark } from "../../model/marks.js";
import type { Axis, Zero } from "../evidence/axis.js";
import type { MarkSpelling } from "../evidence/boundaries.js";
import { ranAt, stoppedAt, type VcpuVm } from "./vcpus.js";

const HOST_VM = "vm";

/** A VM's pause and resume, if they were marked. */
export interface MarkedVm {
  readonly begin: Placed | null;
  readonly end: Placed | null;
}

/** Marked VMs, sorted by identity. A VM's first pause and last resume count: a VMM may mark a retry. */
export function markedVms(events: readonly KeyEvent[], spelling: MarkSpelling): ReadonlyMap<string, MarkedVm> {
  const vms = new Map<string, { begin: Placed | null; end: Placed | null }>();
  for (const event of events) {
    const marked = (name: string): boolean => event.what === "marker" && isMark(event.name, name);
    const pause = marked(spelling.pause) && event.at.boot === "old";
    const resume = marked(spelling.resume);
    if (!pause && !resume) continue;
    const id = String(event.fields.get("vm") ?? HOST_VM);
    const vm = vms.get(id) ?? { begin: null, end: null };
    vms.set(id, vm);
    if (pause) vm.begin ??= event.at;
    else vm.end = event.at;
  }
  return new Map([...vms.entries()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** Which end of a VM's pause a VMM's message is. */
const VMM_CHANGES: ReadonlyMap<string, "begin" | "end"> = new Map(
  VMMS.flatMap((vmm) => [[`${vmm} stopped`, "begin"] as const, [`${vmm} resumed`, "end"] as const]),
);

/** VMs by what their VMMs logged. */
function loggedVms(events: readonly KeyEvent[]): ReadonlyMap<string, MarkedVm> {
  const vms = new Map<string, MarkedVm>();
  for (const { what, name, fields, at } of events) {
    const change = what === "message" ? VMM_CHANGES.get(name) : undefined;
    if (change === undefined) continue;
    const id = String(fields.get("vm") ?? HOST_VM);
    const vm = vms.get(id) ?? { begin: null, end: null };
    vms.set(id, { ...vm, [change]: at });
  }
  return new Map([...vms].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** The VMs that were marked; if none was, those whose vCPUs were seen and could be distinguished; else those logged. */
export function findVms(
  events: readonly KeyEvent[],
  marked: ReadonlyMap<string, MarkedVm>,
  vcpus: readonly VcpuVm[],
  axis: Axis,
  zero: Zero,
): readonly VmDocument[] {
  const vms = new Map(marked);
  if (vms.size === 0) {
    for (const vcpu of vcpus) {
      if (vcpu.joinedBy !== "not-told-apart") vms.set(vcpu.id, { begin: stoppedAt(vcpu), end: ranAt(vcpu) });
    }
  }
  return [...(vms.size === 0 ? loggedVms(events) : vms)].map(([id, { begin, end }]) => ({
    id,
    beginNs: begin === null ? null : begin.ns - zero[begin.boot],
    endNs: end === null ? null : end.ns - zero[end.boot],
    durationNs: begin === null || end === null ? null : axis.between(begin, end),
  }));
}
