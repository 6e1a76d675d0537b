/**
 * A live update: a capture once analysed. `LiveUpdateDocument` is what `blackout analyze --json` prints
 * (docs/live-update.schema.json is written from it); `LiveUpdate` adds what the exports and the viewer draw.
 */

import {
  choice,
  count,
  formatted,
  integer,
  late,
  list,
  matching,
  nullable,
  number,
  type Of,
  optional,
  pair,
  record,
  shared,
  text,
} from "../base/schema.js";
import type { Boot } from "../base/time.js";
import {
  BASES,
  boot,
  bootOrNone,
  capture,
  clockMethod,
  ends,
  ns,
  outcome,
  phaseName,
  severity,
  textOrNone,
} from "./document-parts.js";
import { HEALTH_CLASSES, HEALTH_SEVERITIES } from "./kernel-lines.js";
import type { SpanTable } from "./span-table.js";

export {
  CLOCK_METHODS,
  type ClockMethod,
  type Evidence,
  OUTCOMES,
  type Outcome,
  PHASES,
  type PhaseName,
} from "./document-parts.js";

/**
 * Which axis a time is on. With a clock link there is one, `joint`; without, each boot has its own, whose zero is the
 * boot's first event, and no duration runs from one to the other.
 */
const AXES = ["joint", "old", "new"] as const;
export type AxisName = (typeof AXES)[number];

const range = shared(
  "range",
  nullable(
    pair(nullable(integer())),
    "Earliest and latest a boundary that was not seen can have been (null: unbounded); null if it was seen.",
  ),
);

/** A boundary that was seen has `ns`; one that was not has the range it can have been in. */
const phaseDocument = shared(
  "phaseDocument",
  record({
    name: phaseName,
    axis: nullable(choice(AXES)),
    beginNs: ns,
    endNs: ns,
    durationNs: ns,
    // Zero clock-link error when both ends are of one boot.
    uncertaintyNs: ns,
    beginRangeNs: range,
    endRangeNs: range,
    evidence: ends,
    workNs: optional(nullable(integer(), "Union of LUO's calls in it; null: not seen.")),
    between: optional(
      list(
        record({ beginNs: integer(), endNs: integer(), durationNs: integer(), after: textOrNone, before: textOrNone }),
        "The longest times in it without a call of LUO's, and the calls around them (null: the phase's end).",
      ),
    ),
  }),
);
export type PhaseDocument = Of<typeof phaseDocument>;

export const FILE_STATES = [
  "preserved",
  "frozen",
  "retrieved",
  "finished",
  "failed",
  "unpreserved",
  "not-seen",
] as const;
export type FileStateName = (typeof FILE_STATES)[number];

/** The fields of a file of a session; `blackout sessions` adds some. */
export const FILE_FIELDS = {
  token: matching("^0x[0-9a-f]+$", "As the workload chose it, `0x100`."),
  handler: nullable(text(), "The handler's compatible string, where seen."),
  bytes: nullable(integer()),
  preserveNs: ns,
  freezeNs: ns,
  retrieveNs: ns,
  status: late(
    choice(
      FILE_STATES,
      "How far the file is seen to have come: preserved, frozen, retrieved, finished; failed: at failedAt. not-seen: the new kernel restored, but no event of this file was recorded there; this does not show that it was lost.",
    ),
    "not-seen",
  ),
  failedAt: late(nullable(choice(["preserve", "freeze", "retrieve"]), "The call that returned an error."), null),
  errno: late(nullable(text(), "The error, `ENOMEM`, or its number."), null),
};
const file = record(FILE_FIELDS);
export type FileDocument = Of<typeof file>;

export const sessionPhase = shared("sessionPhase", record({ name: phaseName, beginNs: ns, endNs: ns, durationNs: ns }));
export type SessionPhase = Of<typeof sessionPhase>;

const session = record({ name: text(), phases: list(sessionPhase), files: list(file) });
export type SessionDocument = Of<typeof session>;

export const abandonedSession = shared(
  "abandonedSession",
  record(
    {
      session: text(),
      pid: integer(),
      task: text(),
      beginNs: ns,
      endNs: ns,
      durationNs: ns,
      workNs: integer("Union of its calls into LUO."),
      files: count("Files that it had preserved."),
      evidence: text("What shows that it was given up."),
    },
    "A session that its agent gave up before the kexec; its time is not part of prepare.",
  ),
);
export type AbandonedDocument = Of<typeof abandonedSession>;

const vm = record({ id: text(), beginNs: ns, endNs: ns, durationNs: ns });
export type VmDocument = Of<typeof vm>;

const blackout = record({
  basis: nullable(
    choice(BASES),
    "What begins and ends it: the VMs' pause and resume marks, or, if no vCPU was seen either, what their VMMs logged (evidence of confidence agent); where marks are missing the last sight of a vCPU in the old kernel and the first in the new one (kvm events; the first VM to stop, the last to run); else the kernel's freeze begin and restore end.",
  ),
  beginNs: ns,
  endNs: ns,
  durationNs: ns,
  uncertaintyNs: ns,
  evidence: ends,
});
export type BlackoutDocument = Of<typeof blackout>;

const clock = record({
  method: clockMethod,
  uncertaintyNs: nullable(
    count(),
    "± of a duration that runs from the old boot to the new, which adds the rate's ±; null without a link.",
  ),
  parts: list(record({ what: text(), ns: count() }), "What makes up the ±."),
  tscKhz: nullable(integer()),
  rejected: list(
    record({ method: clockMethod, reason: text() }),
    "The better methods that could not be used, and why.",
  ),
});
export type ClockDocument = Of<typeof clock>;

const source = record({
  boot,
  dialect: text(),
  files: list(text()),
  clock: text(),
  lines: count(),
  events: count(),
  continuations: count(),
  structural: count(),
  undecoded: count(),
  lostEvents: count(),
});

const defect = record({
  code: matching("^[a-z0-9-]+$"),
  severity,
  file: text(),
  line: nullable(integer()),
  byte: nullable(integer()),
  message: text(),
  advice: text(),
  boot: bootOrNone,
  count: count(undefined, 1),
  atNs: nullable(integer(), "Where it lies on the axis, if that is known."),
});
export type DefectDocument = Of<typeof defect>;

const loss = record({
  session: nullable(text()),
  token: nullable(text()),
  handler: nullable(text()),
  action: choice(
    ["deserialize", "retrieve", "finish", "restore"],
    "What did not work; restore: a line of the log, of no one call.",
  ),
  errno: nullable(text(), "The error, `ENOMEM`, or its number; null: the line does not name it."),
  atNs: ns,
  evidence: text("The call and what it returned, or the line of the new kernel's log."),
  file: text(),
  place: number("Line of text, or byte offset in pages."),
});
/** Something preserved that is known not to have come back. */
export type LossDocument = Of<typeof loss>;

const healthEvent = record({
  class: choice(HEALTH_CLASSES),
  severity: choice(HEALTH_SEVERITIES, "severe: the kernel's integrity, or what was handed over, is in doubt."),
  boot,
  phase: nullable(phaseName, "null: in no phase, or not placed."),
  atNs: ns,
  cpu: nullable(integer()),
  task: nullable(text()),
  pid: nullable(integer()),
  text: text("The line."),
  file: text(),
  line: count(undefined, 1),
});
/** A complaint of a kernel. */
export type HealthEvent = Of<typeof healthEvent>;

const health = record({
  counts: list(
    record({
      class: choice(HEALTH_CLASSES),
      severity: choice(HEALTH_SEVERITIES),
      boot,
      count: count(undefined, 1),
    }),
    "All of them, in the classes' order.",
  ),
  events: list(healthEvent, "In the logs' order, the old kernel's first; the first 1000."),
});
export type HealthDocument = Of<typeof health>;

export const liveUpdateSchema = formatted(
  "live-update",
  "One live update, as `blackout analyze --json` prints it: one document per capture, one per line. All times are integer nanoseconds. Zero of the axis is the blackout's begin; if that is not seen, its end or the first event. With clock.method `none` each boot is on an axis of its own (phases[].axis), and no duration crosses from one to the other.",
  {
    capture,
    outcome,
    outcomeReason: text("One sentence."),
    clock,
    blackout,
    phases: list(phaseDocument, undefined, { min: 5, max: 5 }),
    vms: list(vm),
    sessions: list(session),
    abandoned: optional(list(abandonedSession, "Absent if no session was given up.")),
    losses: late(list(loss, "What was preserved and is known not to have come back."), []),
    notSeen: late(
      list(
        record({ session: text(), tokens: list(text(), "Empty: the session has no file that was seen.") }),
        "Sessions and files that the new kernel was not seen to restore, although it was seen to restore others: no evidence that they were lost, nor that they were not.",
      ),
      [],
    ),
    health: late(health, { counts: [], events: [] }),
    seam: record(
      { beginNs: ns, endNs: ns, durationNs: ns, uncertaintyNs: ns },
      "From the old boot's last event to the new boot's first.",
    ),
    sources: list(
      source,
      "What was read, and where each of its lines or records went: lines = events + continuations + structural + undecoded.",
    ),
    defects: list(defect),
  },
);
export type LiveUpdateDocument = Of<typeof liveUpdateSchema>;

export interface PlacedPrintk {
  readonly boot: Boot;
  /** null if the line could not be placed on the axis. */
  readonly atNs: number | null;
  readonly uncertaintyNs: number | null;
  readonly stampNs: number | null;
  readonly level: number | null;
  readonly text: string;
}

export interface LiveUpdate {
  readonly document: LiveUpdateDocument;
  readonly spans: SpanTable;
  readonly printk: readonly PlacedPrintk[];
}
