/**
 * One blackout as the host's VMM, the host's KVM, the host's kernel and the guest itself saw it, side by side, and what
 * lies between the views. Pure.
 */

import type { Boot } from "../../base/time.js";
import type { ClockLink, Placed, TickLog } from "../../model/collected.js";
import type {
  GuestConclusion,
  GuestDocument,
  GuestResult,
  GuestView,
  TickGap,
  TicksDocument,
  VcpuVmDocument,
  ViewDifference,
  ViewName,
} from "../../model/documents/guest.js";
import { axisOf } from "../evidence/axis.js";
import type { AnchoredUpdate } from "../update/analyze.js";
import { ranAt, stoppedAt, type VcpuVm } from "../vms/vcpus.js";

export interface GuestTicks {
  readonly log: TickLog;
  readonly gap: TickGap;
}

/** An interval with both ends, if seen. */
interface Ends {
  readonly begin: Placed | null;
  readonly end: Placed | null;
}

/** All views of one update. `ticks`: the guests' own logs, if there are any. */
export function guestDocument(update: AnchoredUpdate, link: ClockLink, ticks: readonly GuestTicks[]): GuestDocument {
  const { document, zeroNs, vcpus } = update;
  const axis = axisOf(link);
  const at = (boot: Boot, ns: number | null | undefined): Placed | null =>
    ns == null ? null : { boot, ns: ns + zeroNs[boot] };
  const view = (name: ViewName, vm: string | null, { begin, end }: Ends): readonly GuestView[] => {
    if (begin === null && end === null) return [];
    return [
      {
        view: name,
        vm,
        beginNs: begin === null ? null : begin.ns - zeroNs[begin.boot],
        endNs: end === null ? null : end.ns - zeroNs[end.boot],
        durationNs: begin === null || end === null ? null : axis.between(begin, end),
        uncertaintyNs: begin === null || end === null ? null : axis.uncertainty(begin, end),
      },
    ];
  };
  const phaseOf = (name: string) => document.phases.find((phase) => phase.name === name);
  const kernel: Ends = { begin: at("old", phaseOf("freeze")?.beginNs), end: at("new", phaseOf("restore")?.endNs) };
  const marked = update.marks;
  const host = hostEnds([...marked.values()]);
  const seen = new Map(vcpus.map((vm) => [vm.id, { begin: stoppedAt(vm), end: ranAt(vm) } as Ends]));

  const differences: ViewDifference[] = [];
  const differ = (what: ViewDifference["what"], vm: string | null, from: Placed | null, to: Placed | null): void => {
    if (from === null || to === null) return;
    const ns = axis.between(from, to);
    const uncertaintyNs = axis.uncertainty(from, to);
    if (ns !== null && uncertaintyNs !== null) differences.push({ what, vm, ns, uncertaintyNs });
  };
  differ("pause-to-freeze", null, host.begin, kernel.begin);
  differ("restore-to-resume", null, kernel.end, host.end);
  const markOf = (id: string): Ends | null =>
    marked.get(id) ?? (marked.size === 1 && vcpus.length === 1 ? ([...marked.values()][0] ?? null) : null);
  for (const vm of vcpus) {
    const mark = markOf(vm.id);
    differ("pause-to-last-vcpu", vm.id, mark?.begin ?? null, stoppedAt(vm));
    differ("resume-to-first-vcpu", vm.id, mark?.end ?? null, ranAt(vm));
  }

  const views: GuestView[] = [
    ...view("kernel", null, kernel),
    ...(marked.size > 1 ? view("marks", null, host) : []),
    ...[...marked].flatMap(([id, ends]) => view("marks", id, ends)),
    ...[...seen].flatMap(([id, ends]) => view("vcpus", id, ends)),
  ];
  const ticking = ticks.map(({ log, gap }): TicksDocument => {
    const known = log.vm !== null && (marked.has(log.vm) || seen.has(log.vm)) ? log.vm : null;
    const only =
      log.vm === null && marked.size <= 1 && seen.size <= 1 ? ([...marked.keys(), ...seen.keys()][0] ?? null) : null;
    const { file, vm, clock } = log;
    return { file, vm, clock, comparedWith: known ?? only, ...gap };
  });
  const conclusions: GuestConclusion[] = [];
  for (const gap of ticking) {
    views.push({
      view: "ticks",
      vm: gap.vm,
      beginNs: null,
      endNs: null,
      durationNs: gap.gapNs,
      uncertaintyNs: gap.intervalNs,
    });
    const own = views.filter(
      (each) => each.vm === gap.comparedWith && each.durationNs !== null && each.view !== "ticks",
    );
    const best =
      own.find((each) => each.view === "marks") ??
      own.find((each) => each.view === "vcpus") ??
      (gap.vm === null ? document.blackout : null);
    if (best?.durationNs == null || best.uncertaintyNs === null) continue;
    // A mark is written some time before the pause and after the resume; a vCPU's last and first entry are seen.
    const seenStill = own.find((each) => each.view === "vcpus") ?? best;
    differences.push({
      what: "guest-minus-host",
      vm: gap.vm ?? gap.comparedWith,
      ns: gap.gapNs - (seenStill.durationNs ?? best.durationNs),
      uncertaintyNs: gap.intervalNs + (seenStill.uncertaintyNs ?? best.uncertaintyNs),
    });
    conclusions.push({
      file: gap.file,
      vm: gap.vm ?? gap.comparedWith,
      clock: gap.clock,
      result: resultOf(gap, best, own.find((each) => each.view === "vcpus") ?? null),
      stoodStillNs: gap.stoodStillNs,
      managementGapNs: best.durationNs,
      managementGapUncertaintyNs: best.uncertaintyNs,
    });
  }
  return {
    format: "blackout-guest",
    version: 1,
    capture: document.capture,
    outcome: document.outcome,
    clock: { method: link.method, uncertaintyNs: link.uncertaintyNs },
    views,
    vcpuVms: vcpus.map((vm) => vcpuDocument(vm, markOf(vm.id)?.end ?? null, update, link)),
    ticks: ticking,
    differences,
    conclusions,
  };
}

type Span = Pick<GuestView, "durationNs" | "uncertaintyNs">;

/** How long at least; 0 if it is not known. */
const atLeastNs = ({ durationNs, uncertaintyNs }: Span): number => (durationNs ?? 0) - (uncertaintyNs ?? 0);
const atMostNs = ({ durationNs, uncertaintyNs }: Span): number => (durationNs ?? 0) + (uncertaintyNs ?? 0);

/** `host`: how long it was gone. `vcpus`: how long none of the guest's ran, if that was recorded. */
function resultOf(gap: TickGap, host: Span, vcpus: Span | null): GuestResult {
  if (gap.gapNs >= atLeastNs(host)) return "stood-still";
  if (vcpus !== null && gap.gapNs < atLeastNs(vcpus)) return "clock-stopped";
  // A log that ends before the host was back may hold a part of the stop only: nothing follows from its gaps.
  return gap.coveredNs < atMostNs(host) ? "too-short" : "ran-on";
}

/** First paused to last resumed; an end that any VM lacks is not known. */
function hostEnds(all: readonly Ends[]): Ends {
  const pick = (side: "begin" | "end", better: (a: number, b: number) => boolean): Placed | null => {
    let found: Placed | null = null;
    for (const ends of all) {
      const own = ends[side];
      if (own !== null && (found === null || better(own.ns, found.ns))) found = own;
    }
    return found;
  };
  return { begin: pick("begin", (a, b) => a < b), end: pick("end", (a, b) => a > b) };
}

function vcpuDocument(vm: VcpuVm, resume: Placed | null, { zeroNs }: AnchoredUpdate, link: ClockLink): VcpuVmDocument {
  const axis = axisOf(link);
  return {
    id: vm.id,
    joinedBy: vm.joinedBy,
    vcpus: vm.vcpus.map(({ vcpu, old, new: fresh }) => {
      const last: Placed | null = old === null ? null : { boot: "old", ns: old.lastNs };
      const first: Placed | null = fresh === null ? null : { boot: "new", ns: fresh.firstNs };
      return {
        vcpu,
        oldTask: old?.task ?? null,
        newTask: fresh?.task ?? null,
        lastNs: last === null ? null : last.ns - zeroNs.old,
        firstNs: first === null ? null : first.ns - zeroNs.new,
        gapNs: last === null || first === null ? null : axis.between(last, first),
        sinceResumeNs: resume === null || first === null ? null : axis.between(resume, first),
      };
    }),
  };
}
