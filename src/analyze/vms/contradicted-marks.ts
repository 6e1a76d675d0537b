/**
 * Whether the vCPUs contradict the marks of pause and resume. A mark is written by a program beside the VM, at some
 * time before it asks for the pause or after the VM has been resumed; what the vCPUs did is recorded as it happens.
 */
import { formatDuration, formatUncertainty } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import type { Placed } from "../../model/collected.js";
import type { DefectDocument } from "../../model/live-update.js";
import type { Axis } from "../evidence/axis.js";
import { ranAt, stoppedAt, type VcpuVm } from "./vcpus.js";
import type { MarkedVm } from "./vms.js";

/** From the mark to what the vCPUs show: later is positive. */
interface Distance {
  readonly ns: number;
  readonly uncertaintyNs: number;
}

function distance(axis: Axis, from: Placed | null, to: Placed | null): Distance | null {
  if (from === null || to === null) return null;
  const [ns, uncertaintyNs] = [axis.between(from, to), axis.uncertainty(from, to)];
  return ns === null || uncertaintyNs === null ? null : { ns, uncertaintyNs };
}

/** Beyond what both views' ± explain. */
const isBeyond = (found: Distance | null): found is Distance =>
  found !== null && Math.abs(found.ns) > found.uncertaintyNs;

/**
 * A defect for each VM whose vCPUs ran after its pause mark, or before its resume mark, by more than the ± of both. Of
 * VMs that cannot be distinguished nothing is stated. `zero`: each boot's zero of the axis.
 */
export function contradictedMarks(
  marks: ReadonlyMap<string, MarkedVm>,
  vms: readonly VcpuVm[],
  axis: Axis,
  zero: Readonly<Record<Boot, number>>,
): readonly DefectDocument[] {
  return vms.flatMap((vm): readonly DefectDocument[] => {
    if (vm.joinedBy === "not-told-apart") return [];
    const only = marks.size === 1 && vms.length === 1 ? [...marks.values()][0] : undefined;
    const mark = marks.get(vm.id) ?? only;
    if (mark === undefined) return [];
    const [stopped, ran] = [stoppedAt(vm), ranAt(vm)];
    const afterPause = distance(axis, mark.begin, stopped);
    const beforeResume = distance(axis, ran, mark.end);
    const parts = [
      isBeyond(afterPause) && afterPause.ns > 0 ? `ran for ${text(afterPause)} after the mark of its pause` : null,
      isBeyond(beforeResume) && beforeResume.ns > 0
        ? `ran again ${text(beforeResume)} before the mark of its resume`
        : null,
    ].filter((part) => part !== null);
    if (parts.length === 0) return [];
    const stood = distance(axis, stopped, ran);
    const own = stood === null ? "" : ` By its vCPUs it stood still for ${text(stood)}.`;
    const at = vm.last ?? vm.first;
    return [
      {
        code: "marks-contradicted",
        severity: "note",
        file: at === null ? "" : vm.last === null ? at.firstFile : at.lastFile,
        line: null,
        byte: null,
        boot: stopped?.boot ?? ran?.boot ?? null,
        count: 1,
        atNs: stopped === null ? null : stopped.ns - zero[stopped.boot],
        message: `The VM ${vm.id} ${parts.join(", and ")}.${own} The blackout is that of the marks, which every VMM has.`,
        advice:
          "Write the marks as near to the pause and the resume as the VMM allows, by a write to trace_marker itself.",
      },
    ];
  });
}

const text = ({ ns, uncertaintyNs }: Distance): string => `${formatDuration(ns)} ${formatUncertainty(uncertaintyNs)}`;
