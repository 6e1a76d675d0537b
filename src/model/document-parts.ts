/**
 * What several documents have in common, each declared once. Declarations (here, live-update.ts, update-sample.ts and
 * documents/) are the one source of what `--json` prints, of files that are read back, and of the archive's columns.
 * TypeScript types are inferred from them, and `node scripts/schemas.mjs` writes docs/*.schema.json from them. They
 * stand in `model`, as every room from `analyze` upwards makes, stores, exports or draws these documents.
 */
import {
  choice,
  count,
  each,
  integer,
  list,
  map,
  nullable,
  number,
  type Of,
  pair,
  record,
  shared,
  text,
} from "../base/schema.js";
import { ATTRIBUTED_KINDS } from "./span-table.js";

export const PHASES = ["prepare", "freeze", "kexec", "restore", "finish"] as const;
export type PhaseName = (typeof PHASES)[number];

/** LUO's work in a phase, beside its time from first to last; the kexec has no call of LUO's. */
export const WORK_PHASES = ["prepare", "freeze", "restore", "finish"] as const satisfies readonly PhaseName[];
/** Their names as measures. */
export const WORK_MEASURES = ["prepare-work", "freeze-work", "restore-work", "finish-work"] as const;

/**
 * `completed`: nothing that was preserved is known to be lost. `partly-restored`: the new kernel came up, and lost some
 * of it. `aborted`: the old kernel went on. `failed`: the new one never came up, or refused the state. `incomplete`:
 * not enough was recorded.
 */
export const OUTCOMES = ["completed", "partly-restored", "aborted", "failed", "incomplete"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** How the two boots' clocks were tied together, best first; `single` when one boot's clock suffices. */
export const CLOCK_METHODS = ["x86-tsc", "clock-pairs", "kvm-clock", "realtime", "single", "none"] as const;
export type ClockMethod = (typeof CLOCK_METHODS)[number];

/**
 * `vm-marks`: pause and resume marks; `vcpu`: no vCPU ran; `kernel-observed`: freeze begin to restore end;
 * `guest-ticks`: the guests' own ticks, in samples that `blackout guest --sample` prints.
 */
export const BASES = ["vm-marks", "vcpu", "kernel-observed", "guest-ticks"] as const;

export const SEVERITIES = ["error", "warning", "note"] as const;

/** The causes of attribution, and what none of them took. */
export const CAUSE_KINDS = [...ATTRIBUTED_KINDS, "unattributed"] as const;
export type CauseKind = (typeof CAUSE_KINDS)[number];

export const phaseName = shared("phaseName", choice(PHASES));
export const phaseOrNone = shared(
  "phase",
  nullable(choice(PHASES), "null: in no phase, or in several that were not seen apart."),
);
export const boot = shared("boot", choice(["old", "new"]));
export const bootOrNone = shared(
  "bootOrNone",
  nullable(choice(["old", "new"]), "Which kernel; null: neither, or both."),
);
export const outcome = shared("outcome", choice(OUTCOMES));
export const clockMethod = shared("clockMethod", choice(CLOCK_METHODS));
export const basis = nullable(choice(BASES));
export const severity = choice(SEVERITIES);
export const causeKind = shared("causeKind", choice(CAUSE_KINDS));

/** Nanoseconds; null: not seen. */
export const ns = shared("ns", nullable(integer(), "Nanoseconds; null: not seen."));
/** A duration that cannot be negative, or one that is not known. */
export const nsOrUnknown = nullable(count());
export const textOrNone = nullable(text());
/** From 0 to 1. */
export const share = number(undefined, { min: 0, max: 1 });

export const kernels = record({ old: textOrNone, new: textOrNone });
export const labels = map(text());

export const capture = shared("capture", record({ name: text(), kernel: kernels, probeLevel: textOrNone, labels }));

/** The clock link in short: how, and how exactly. */
export const clockLink = shared("clockLink", record({ method: clockMethod, uncertaintyNs: ns }));

export const evidence = shared(
  "evidence",
  record({
    event: text("The event that shows the boundary, as the boundary table names it: `kprobe kernel_kexec called`."),
    confidence: choice(["probe", "syscall", "marker", "agent", "printk"]),
    file: text(),
    place: number("Line of text, or byte offset in pages."),
  }),
);
export type Evidence = Of<typeof evidence>;

export const ends = shared("ends", record({ begin: nullable(evidence), end: nullable(evidence) }));

export const defectCounts = each(SEVERITIES, count(), "Records that could not be decoded or are missing.");
export const outcomeCounts = each(OUTCOMES, count());

/** Distinct values, by how many updates have them. */
export const counted = shared("counted", list(record({ value: text(), updates: count(undefined, 1) })));
export const interval = shared("interval", pair(integer(), "Lower and upper bound, ns."));
export const intervalOrNone = nullable(interval);
