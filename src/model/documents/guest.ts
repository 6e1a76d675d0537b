/** What `blackout guest --json` prints. */
import { choice, count, formatted, integer, list, nullable, number, type Of, record, text } from "../../base/schema.js";
import { capture, clockLink, ns, outcome, textOrNone } from "../document-parts.js";

const view = record({
  view: choice(["kernel", "marks", "vcpus", "ticks"]),
  vm: nullable(text(), "Null for the host."),
  beginNs: ns,
  endNs: ns,
  durationNs: ns,
  uncertaintyNs: ns,
});
export type GuestView = Of<typeof view>;
export type ViewName = GuestView["view"];

/** How the threads of one VM in both kernels were joined. */
const VCPU_JOINS = ["vm-mark", "thread-names", "vcpu-numbers", "not-told-apart"] as const;
export type VcpuJoin = (typeof VCPU_JOINS)[number];

const vcpu = record({
  vcpu: nullable(integer()),
  oldTask: textOrNone,
  newTask: textOrNone,
  lastNs: nullable(integer(), "Last entry or exit in the old kernel."),
  firstNs: nullable(integer(), "First one in the new kernel."),
  gapNs: ns,
  sinceResumeNs: nullable(integer(), "From the VM's resume mark."),
});

const vcpuVm = record({
  id: text("The ID of vm=ID, or the threads' common name."),
  joinedBy: choice(
    VCPU_JOINS,
    "vcpu-numbers: the only threads of each kernel without a counterpart of their name, joined by vCPU number. not-told-apart: several threads have one vCPU number; they belong to several VMs, and old and new threads are not paired.",
  ),
  vcpus: list(vcpu),
});
export type VcpuVmDocument = Of<typeof vcpuVm>;

const tickPercentile = record({ percent: number(), ns: count() });
export type TickPercentile = Of<typeof tickPercentile>;
const tickPercentiles = list(tickPercentile, undefined, { min: 5, max: 5 });

const stoodStillNs = record(
  { lowerNs: count(), upperNs: count() },
  "The guest stood still for this long, by its own clock: it last ticked up to an interval before it stopped.",
);

const TICK_GAP = {
  intervalNs: count(undefined, 1),
  intervalFrom: choice(["given", "header", "median"], "By the command line, the log's header, or the gaps' median."),
  ticks: count(undefined, 2),
  gapNs: count("From the tick before the gap to the tick after it, on the guest's clock."),
  endedBy: count("Which stamp ended the gap, from 0.", 1),
  sinceFirstNs: integer("From the first tick to the one before the gap."),
  coveredNs: count("The time that all gaps cover together: how long the guest's clock was watched."),
  missed: count("Ticks that were due in it and did not come."),
  stoodStillNs,
  recorded: tickPercentiles,
  corrected: tickPercentiles,
};
const tickGap = record(TICK_GAP);
/**
 * A guest's longest gap between ticks. `corrected`: gaps corrected for coordinated omission. A ticker that stands still
 * writes one long gap instead of many late ticks, which would count at gap, gap - interval, gap - 2 intervals, …
 */
export type TickGap = Of<typeof tickGap>;

const ticks = record({
  file: text(),
  vm: textOrNone,
  clock: textOrNone,
  comparedWith: nullable(text(), "The VM whose views the gap is compared with; null: the host."),
  ...TICK_GAP,
});
export type TicksDocument = Of<typeof ticks>;

const difference = record({
  what: choice([
    "pause-to-freeze",
    "pause-to-last-vcpu",
    "restore-to-resume",
    "resume-to-first-vcpu",
    "guest-minus-host",
  ]),
  vm: textOrNone,
  ns: integer(),
  uncertaintyNs: count(),
});
export type ViewDifference = Of<typeof difference>;

const conclusion = record({
  file: text(),
  vm: textOrNone,
  clock: nullable(text(), "The guest's clock, as its log names it."),
  result: choice(["ran-on", "stood-still", "too-short", "clock-stopped"]),
  stoodStillNs,
  managementGapNs: count("How long the host was gone, by the best view of the VM on the host."),
  managementGapUncertaintyNs: count(),
});
export type GuestConclusion = Of<typeof conclusion>;
export type GuestResult = GuestConclusion["result"];

export const guestSchema = formatted(
  "guest",
  "One blackout as the kernel, the VMM, KVM and the guests saw it, as `blackout guest --json` prints it. Integer nanoseconds; zero of the axis is the blackout's begin.",
  {
    capture,
    outcome,
    clock: clockLink,
    views: list(
      view,
      "kernel: freeze begin to restore end. marks: pause to resume. vcpus: from the last sight of any vCPU in the old kernel to the first in the new one. ticks: the guest's longest gap, on a clock of its own (no begin and end); it may be too long by up to its uncertainty, one interval.",
    ),
    vcpuVms: list(vcpuVm),
    ticks: list(ticks, "docs/guest-ticks.md"),
    differences: list(
      difference,
      "What lies between two views. guest-minus-host: the gap less the VM's blackout by marks, else by vCPUs, else the host's.",
    ),
    conclusions: list(
      conclusion,
      "What each tick log that can be compared with a view of the host shows of the update. ran-on: the guest stood still for less time than the host was gone, so it ran while the host's kernel was replaced. stood-still: both stops agree, or the guest's was longer. too-short: the log covers less time than the host was gone, so it may have missed the stop. clock-stopped: its vCPUs stopped for longer than its clock shows: the VMM stopped the clock with the guest, as QEMU does.",
    ),
  },
);
export type GuestDocument = Of<typeof guestSchema>;
