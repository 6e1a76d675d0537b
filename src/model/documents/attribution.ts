/** What the commands on one update's span tree print: `tree`, `blame`, `critical-chain`, `what-if`, `findings`. */
import {
  choice,
  constant,
  count,
  flag,
  formatted,
  integer,
  list,
  matching,
  nullable,
  type Of,
  optional,
  pair,
  record,
  recursive,
  text,
} from "../../base/schema.js";
import {
  boot,
  bootOrNone,
  CAUSE_KINDS,
  capture,
  clockLink,
  ns,
  outcome,
  phaseOrNone,
  textOrNone,
} from "../document-parts.js";
import { ATTRIBUTED_KINDS } from "../span-table.js";

const STRUCTURE_KINDS = ["blackout", "phase", "gap", "stage"] as const;
const NODE_KINDS = [...STRUCTURE_KINDS, ...ATTRIBUTED_KINDS] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

const head = { capture, outcome, clock: clockLink };
const knownBlackout = record({ durationNs: ns });

const NODE_FIELDS = {
  kind: choice(NODE_KINDS, "Structure (blackout, phase, gap, stage), or a cause."),
  id: text("What distinguishes it from others of its kind; the same in both kernels."),
  name: text("For people."),
  action: text("shutdown, probe, preserve, freeze, retrieve, finish, create, a cpuhp step; or empty."),
  phase: phaseOrNone,
  stage: nullable(text(), "The stage of the kexec phase it lies in."),
  boot: bootOrNone,
  beginNs: integer(),
  endNs: integer(),
  durationNs: count(),
  unattributedNs: count("What no child covers. The children's durations and this add up to durationNs."),
  inferred: flag("It follows from the kernel's order, its log or a driver's order, and has no record of its own."),
  evidence: text("What it was read from. Of a leaf of the seam: stamp, clock-pairs, printk, or bound (not divided)."),
  cpu: integer("-1: unknown."),
  pid: integer("-1: unknown."),
  task: text(),
  notSeen: list(text(), "Stages that the capture does not show; what they took lies in those around."),
  bounds: optional(
    list(
      record({
        step: choice(["copy", "digest", "unpack", "kernel", "boot filter"]),
        leastNs: count(),
        mostNs: count(),
      }),
      "Of a leaf of the seam: what stages in it take at least and at most. Modelled (docs/seam.md), never measured.",
    ),
  ),
};

const nodeFields = record(NODE_FIELDS);
export interface NodeDocument extends Of<typeof nodeFields> {
  readonly children: readonly NodeDocument[];
}
const node = recursive<NodeDocument>("node", (self) =>
  record({ ...NODE_FIELDS, children: list(self, "In order of time, apart from one another. Empty beyond --depth.") }),
);

const totals = record({
  attributedNs: count("All but unattributedNs."),
  inferredNs: count("Of it: known by the kernel's order or log alone."),
  identityInferredNs: count("Of it: recorded, but its device or its begin is inferred."),
  seamNs: count("Of it: leaves of the seam that hold several stages, which nothing divides (their evidence is bound)."),
  unattributedNs: count("What no cause covers."),
});
/** How sure the attribution is, in all. */
export type TreeTotals = Of<typeof totals>;

const unknownBlackout = "null if the blackout is not known.";
export const treeSchema = formatted(
  "tree",
  "The span tree of a live update, as `blackout tree --json` prints it. All times are integer nanoseconds; zero is the blackout's begin.",
  {
    ...head,
    kind: constant("blackout"),
    id: NODE_FIELDS.id,
    name: optional(NODE_FIELDS.name),
    action: optional(NODE_FIELDS.action),
    phase: phaseOrNone,
    stage: optional(NODE_FIELDS.stage),
    boot: optional(NODE_FIELDS.boot),
    beginNs: nullable(integer(), unknownBlackout),
    endNs: nullable(integer(), unknownBlackout),
    durationNs: nullable(integer(), unknownBlackout),
    unattributedNs: nullable(
      integer(),
      "What no child covers. The children's durations and this add up to durationNs.",
    ),
    inferred: optional(NODE_FIELDS.inferred),
    evidence: optional(NODE_FIELDS.evidence),
    cpu: optional(NODE_FIELDS.cpu),
    pid: optional(NODE_FIELDS.pid),
    task: optional(NODE_FIELDS.task),
    notSeen: optional(NODE_FIELDS.notSeen),
    children: list(node, "In order of time, apart from one another. Empty beyond --depth."),
    totals: nullable(totals, "Of the blackout; null if it is not known."),
    outside: list(
      node,
      "What lies outside the blackout; if that is not known, what is of each kernel's part in it. Without a clock link each is on its own kernel's axis.",
    ),
  },
);
export type TreeDocument = Of<typeof treeSchema>;

export const BLAME_KINDS = [
  "device",
  "session",
  "file",
  "initcall",
  "function",
  "cpu",
  "irq",
  "userspace",
  "notifier",
] as const;
export type BlameKind = (typeof BLAME_KINDS)[number];

const blameSpan = record({
  beginNs: integer(),
  endNs: integer(),
  durationNs: count("What of it was this cause's."),
  boot: bootOrNone,
  stage: textOrNone,
  action: text(),
  evidence: text(),
  inferred: flag(),
});
export type BlameSpan = Of<typeof blameSpan>;

const blamedCause = record({
  kind: choice(ATTRIBUTED_KINDS),
  id: text(),
  name: text(),
  phase: phaseOrNone,
  totalNs: count(),
  count: count("Spans of their own records.", 1),
  spans: list(blameSpan, "In order of time.", { min: 1 }),
});
export type BlamedCause = Of<typeof blamedCause>;

const deviceRow = record({
  id: text(),
  name: text(),
  driver: textOrNone,
  bus: textOrNone,
  shutdownNs: ns,
  probeNs: ns,
  saveNs: nullable(integer(), "Of a VM's device: how long its VMM saved its state, by the VMM's log."),
  loadNs: nullable(integer(), "And loaded it."),
  totalNs: count(),
  inferred: flag(),
});
/** One device over the kexec: shutdown in the old kernel and probe in the new one, or a VM's device's save and load. */
export type DeviceRow = Of<typeof deviceRow>;

const silence = record({ irq: text(), lastOldNs: integer(), firstNewNs: integer(), silentNs: integer() });
/** How long an interrupt was not raised over the kexec. */
export type Silence = Of<typeof silence>;

export const blameSchema = formatted(
  "blame",
  "The blackout shared out to its causes, as `blackout blame --json` prints it. All times are integer nanoseconds; zero is the blackout's begin.",
  {
    ...head,
    by: nullable(choice(BLAME_KINDS)),
    phase: phaseOrNone,
    totalNs: count("What was shared out."),
    unattributedNs: count(
      "What no cause of the kind asked for took. causes and moreCauses and this add up to totalNs.",
    ),
    causes: list(blamedCause, "Longest first."),
    moreCauses: count("How many --top left out."),
    devices: optional(
      list(
        deviceRow,
        "With --by device: a device's shutdown and its probe in one row, as are a VM's device's save and load; longest first.",
      ),
    ),
    silences: optional(
      list(silence, "With --by irq: how long each interrupt was silent over the kexec, longest first."),
    ),
  },
);
export type BlameDocument = Of<typeof blameSchema>;

const step = record({
  kind: choice([...STRUCTURE_KINDS, ...CAUSE_KINDS]),
  id: text(),
  name: text(),
  action: text(),
  phase: phaseOrNone,
  stage: textOrNone,
  boot: bootOrNone,
  beginNs: integer(),
  endNs: integer(),
  durationNs: count(),
  inferred: flag(),
  evidence: text(),
  waits: list(
    record({
      waker: text("TASK-PID, `an interrupt`, or `not recorded`."),
      totalNs: count(),
      count: count(undefined, 1),
    }),
    "Where the path's task was blocked in it, longest first.",
  ),
});
/** A step of the critical chain. */
export type ChainStep = Of<typeof step>;

/** The part of the path that a task was on: it began the kexec, ran the new kernel's boot, or restored. */
const PATH_ROLES = ["reboots", "boots", "restores"] as const;
export type PathRole = (typeof PATH_ROLES)[number];

export const criticalChainSchema = formatted(
  "critical-chain",
  "The spans whose shortening would shorten the blackout, in order, as `blackout critical-chain --json` prints them. All times are integer nanoseconds; zero is the blackout's begin.",
  {
    ...head,
    blackout: knownBlackout,
    steps: list(step, "In order of time; they add up to the blackout."),
    tasks: list(
      record({
        boot,
        pid: integer(),
        task: text(),
        role: choice(PATH_ROLES),
        beginNs: integer(),
        endNs: integer(),
        runningNs: count(),
        runnableNs: count(),
        blockedNs: count(),
        interruptsNs: count("Of the running time."),
        unseenNs: count(),
        waits: count("How many."),
      }),
      "The tasks on the path; empty if scheduling was not traced.",
    ),
  },
);
export type CriticalChainDocument = Of<typeof criticalChainSchema>;

const whatIf = {
  changes: list(
    record({ assumption: text(), spans: count("How many it selects."), beforeNs: count(), afterNs: count() }),
    "One for each assumption, in the order given.",
  ),
  bounds: list(
    record({ what: text(), ns: count(), side: choice(["lower", "upper"]) }),
    "Why the bounds are where they are.",
  ),
};
const estimate = { beforeNs: count(), durationNs: count("The estimate."), lowerNs: count(), upperNs: count() };
const whatIfAnswer = record({ ...estimate, ...whatIf });
export type WhatIf = Of<typeof whatIfAnswer>;

export const whatIfSchema = formatted(
  "what-if",
  "The blackout if causes took another time, as `blackout what-if --json` prints it. All times are integer nanoseconds; zero is the blackout's begin.",
  { ...head, blackout: record(estimate), ...whatIf },
);
export type WhatIfDocument = Of<typeof whatIfSchema>;

export const findingsSchema = formatted(
  "findings",
  "What is worth working on, as `blackout findings --json` prints it; rules in docs/findings.md. All times are integer nanoseconds; zero is the blackout's begin.",
  {
    ...head,
    blackout: knownBlackout,
    findings: list(
      record({
        rule: matching("^[a-z]+(-[a-z]+)*$"),
        title: text("One sentence, with the number."),
        phase: phaseOrNone,
        boot: bootOrNone,
        costNs: count("What its spans took."),
        gainNs: pair(count(), "What is sure to be gained, and what cannot be exceeded."),
        spans: list(
          record({ kind: choice(NODE_KINDS), id: text(), beginNs: integer(), endNs: integer() }),
          "What it rests on, in order of time.",
          { min: 1 },
        ),
        advice: text(),
        source: text("Kernel file, series or document."),
      }),
      "The largest possible gain first.",
    ),
  },
);
export type FindingsDocument = Of<typeof findingsSchema>;
