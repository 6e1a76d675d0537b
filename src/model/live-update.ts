/**
 * A live update: a capture once analysed. `LiveUpdateDocument` is what `blackout analyze --json` prints, normative in
 * docs/live-update.schema.json; `LiveUpdate` adds what the exports and the viewer draw.
 */
import type { Defect } from "../base/defect.js";
import type { Boot } from "../base/time.js";
import type { SpanTable } from "./span-table.js";

export const PHASES = ["prepare", "freeze", "kexec", "restore", "finish"] as const;
export type PhaseName = (typeof PHASES)[number];

export const OUTCOMES = ["completed", "aborted", "failed", "incomplete"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** How the two boots' clocks were tied together, best first; `single` when one boot's clock suffices. */
export const CLOCK_METHODS = ["x86-tsc", "clock-pairs", "kvm-clock", "realtime", "single", "none"] as const;
export type ClockMethod = (typeof CLOCK_METHODS)[number];

/**
 * Which axis a time is on. With a clock link there is one, `joint`; without, each boot has its own, whose zero is the
 * boot's first event, and no duration runs from one to the other.
 */
export type AxisName = "joint" | Boot;

export interface Evidence {
  /** The event, as the boundary table names it: `kprobe liveupdate_reboot returns 0`. */
  readonly event: string;
  readonly confidence: "probe" | "syscall" | "marker" | "agent" | "printk";
  readonly file: string;
  /** Line of text, or byte offset in pages. */
  readonly place: number;
}

/** A boundary that was seen has `ns`; one that was not has the range it can have been in (null: unbounded). */
export interface PhaseDocument {
  readonly name: PhaseName;
  readonly axis: AxisName | null;
  readonly beginNs: number | null;
  readonly endNs: number | null;
  readonly durationNs: number | null;
  /** ± on the duration: zero clock-link error when both ends are of one boot. */
  readonly uncertaintyNs: number | null;
  readonly beginRangeNs: readonly [number | null, number | null] | null;
  readonly endRangeNs: readonly [number | null, number | null] | null;
  readonly evidence: { readonly begin: Evidence | null; readonly end: Evidence | null };
}

export interface FileDocument {
  /** As the workload chose it, `0x100`. */
  readonly token: string;
  /** The handler's compatible string, where seen. */
  readonly handler: string | null;
  readonly bytes: number | null;
  readonly preserveNs: number | null;
  readonly freezeNs: number | null;
  readonly retrieveNs: number | null;
}

export interface SessionPhase {
  readonly name: PhaseName;
  readonly beginNs: number | null;
  readonly endNs: number | null;
  readonly durationNs: number | null;
}

export interface SessionDocument {
  readonly name: string;
  readonly phases: readonly SessionPhase[];
  readonly files: readonly FileDocument[];
}

export interface VmDocument {
  readonly id: string;
  readonly beginNs: number | null;
  readonly endNs: number | null;
  readonly durationNs: number | null;
}

export interface BlackoutDocument {
  /** `vm-marks`: pause and resume marks; `vcpu`: no vCPU ran; `kernel-observed`: freeze begin to restore end. */
  readonly basis: "vm-marks" | "vcpu" | "kernel-observed" | null;
  readonly beginNs: number | null;
  readonly endNs: number | null;
  readonly durationNs: number | null;
  readonly uncertaintyNs: number | null;
  readonly evidence: { readonly begin: Evidence | null; readonly end: Evidence | null };
}

export interface ClockDocument {
  readonly method: ClockMethod;
  /** ± of a duration that runs from the old boot to the new; null without a link. */
  readonly uncertaintyNs: number | null;
  /** What makes up the ±. */
  readonly parts: readonly { readonly what: string; readonly ns: number }[];
  readonly tscKhz: number | null;
  /** The better methods that could not be used, and why. */
  readonly rejected: readonly { readonly method: ClockMethod; readonly reason: string }[];
}

export interface LiveUpdateDocument {
  readonly format: "blackout-live-update";
  readonly version: 1;
  readonly capture: {
    readonly name: string;
    readonly kernel: { readonly old: string | null; readonly new: string | null };
    readonly probeLevel: string | null;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly outcome: Outcome;
  /** One sentence. */
  readonly outcomeReason: string;
  readonly clock: ClockDocument;
  readonly blackout: BlackoutDocument;
  readonly phases: readonly PhaseDocument[];
  readonly vms: readonly VmDocument[];
  readonly sessions: readonly SessionDocument[];
  /** From the old boot's last event to the new boot's first. */
  readonly seam: {
    readonly beginNs: number | null;
    readonly endNs: number | null;
    readonly durationNs: number | null;
    readonly uncertaintyNs: number | null;
  };
  readonly sources: readonly {
    readonly boot: Boot;
    readonly dialect: string;
    readonly files: readonly string[];
    readonly clock: string;
    readonly lines: number;
    readonly events: number;
    readonly continuations: number;
    readonly structural: number;
    readonly undecoded: number;
    readonly lostEvents: number;
  }[];
  readonly defects: readonly DefectDocument[];
}

export type DefectDocument = Pick<
  Defect,
  "code" | "severity" | "file" | "line" | "byte" | "message" | "advice" | "boot" | "count"
> & {
  /** Where it lies on the axis, where that is known. */
  readonly atNs: number | null;
};

export interface PlacedPrintk {
  readonly boot: Boot;
  /** null where the line could not be placed on the axis. */
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
