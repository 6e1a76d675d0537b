/**
 * A live update as the statistics see it: what it was, and what it took. Percentiles, comparison, gate, history and
 * qualification read nothing else, so that an update analysed once, anywhere, need not be analysed again:
 * `blackout cohort --json` writes one a line (docs/update-sample.schema.json), and every cohort argument reads them.
 */
import type { Duration } from "../base/time.js";
import {
  type BlackoutDocument,
  type ClockMethod,
  type DefectDocument,
  type LiveUpdateDocument,
  type Outcome,
  PHASES,
  type PhaseName,
} from "./live-update.js";
import { ATTRIBUTED_KINDS } from "./span-table.js";

/** The causes of attribution, and what none of them took. */
export const CAUSE_KINDS = [...ATTRIBUTED_KINDS, "unattributed"] as const;
export type CauseKind = (typeof CAUSE_KINDS)[number];

/** What one cause took of one update's blackout. Each nanosecond of the blackout belongs to exactly one cause. */
export interface CauseSample {
  readonly kind: CauseKind;
  /** `0000:00:03.0`, `acpi_init`, `SESSION 0x100`. */
  readonly id: string;
  /** Null between phases (pause to freeze, restore to resume). */
  readonly phase: PhaseName | null;
  readonly totalNs: Duration;
  readonly count: number;
  /** What it was doing, where that is known (`shutdown`, `probe`); they add up to `totalNs`, or there are none. */
  readonly parts: readonly { readonly name: string; readonly totalNs: Duration }[];
  /** What is known of the cause beside its id (a device's driver), or empty. */
  readonly detail: string;
}

export interface UpdateSample {
  /** Where it came from: a capture's path, or `FILE:LINE`. */
  readonly source: string;
  readonly name: string;
  /** The host: the label `host`, else what `uname -n` says; null where the capture does not tell. */
  readonly host: string | null;
  /** When, by the host's realtime clock, in milliseconds since 1970; null where the capture does not say. */
  readonly takenAtMs: number | null;
  readonly kernel: { readonly old: string | null; readonly new: string | null };
  readonly probeLevel: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the new kernel. */
  readonly memoryKiB: number | null;
  readonly outcome: Outcome;
  readonly outcomeReason: string;
  readonly blackout: {
    readonly basis: BlackoutDocument["basis"];
    readonly durationNs: Duration | null;
    readonly uncertaintyNs: Duration | null;
  };
  /** How the two boots' clocks were tied together; null where the document does not say. */
  readonly clockMethod: ClockMethod | null;
  /** From the old boot's last event to the new boot's first. */
  readonly seam: { readonly durationNs: Duration | null; readonly uncertaintyNs: Duration | null };
  /** Whole phases, not clipped to the blackout; null where not seen. */
  readonly phases: Readonly<Record<PhaseName, Duration | null>>;
  readonly vms: readonly { readonly id: string; readonly durationNs: Duration | null }[];
  /** Of the blackout; null where it was not attributed. */
  readonly causes: readonly CauseSample[] | null;
  /** How many records could not be decoded or are missing, by severity. */
  readonly defects: { readonly error: number; readonly warning: number; readonly note: number };
  /** The same by code, sorted by code and severity; null where only the sums are known. */
  readonly defectCodes: readonly DefectCount[] | null;
}

export interface DefectCount {
  readonly code: string;
  readonly severity: DefectDocument["severity"];
  readonly count: number;
}

/** Defects of one code and severity together, in the order of their names. */
export function countDefects(defects: readonly Pick<DefectDocument, "code" | "severity" | "count">[]): DefectCount[] {
  const counts = new Map<string, DefectCount>();
  for (const { code, severity, count } of defects) {
    const key = `${code}\0${severity}`;
    counts.set(key, { code, severity, count: count + (counts.get(key)?.count ?? 0) });
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
}

/** What `blackout cohort --json` prints of an update. */
export interface UpdateSampleDocument extends Omit<UpdateSample, "source"> {
  readonly format: "blackout-update-sample";
  readonly version: 1;
}

/** For people: `device 0000:00:03.0`, `seam before sched_clock`. */
export function causeName({ kind, id }: Pick<CauseSample, "kind" | "id">): string {
  return id === kind || id.startsWith(`${kind} `) ? id : `${kind} ${id}`;
}

/** `device:0000:00:03.0`: what a cause is called in options, budgets and tables. */
export function causeKey(cause: Pick<CauseSample, "kind" | "id">): string {
  return `${cause.kind}:${cause.id}`;
}

/** What an analysed update's document tells without its spans: causes stay unknown, and the date. */
export function sampleOfDocument(document: LiveUpdateDocument, source: string): UpdateSample {
  const { capture, blackout } = document;
  const durations = new Map(document.phases.map(({ name, durationNs }) => [name, durationNs]));
  const defects = { error: 0, warning: 0, note: 0 };
  for (const { severity, count } of document.defects) defects[severity] += count;
  return {
    source,
    name: capture.name,
    host: capture.labels.host ?? null,
    takenAtMs: null,
    kernel: capture.kernel,
    probeLevel: capture.probeLevel,
    labels: capture.labels,
    memoryKiB: null,
    outcome: document.outcome,
    outcomeReason: document.outcomeReason,
    blackout: { basis: blackout.basis, durationNs: blackout.durationNs, uncertaintyNs: blackout.uncertaintyNs },
    clockMethod: document.clock.method,
    seam: { durationNs: document.seam.durationNs, uncertaintyNs: document.seam.uncertaintyNs },
    phases: Object.fromEntries(PHASES.map((name) => [name, durations.get(name) ?? null])) as UpdateSample["phases"],
    vms: document.vms.map(({ id, durationNs }) => ({ id, durationNs })),
    causes: null,
    defects,
    defectCodes: countDefects(document.defects),
  };
}

export function documentOfSample(sample: UpdateSample): UpdateSampleDocument {
  const { source: _, ...rest } = sample;
  return { format: "blackout-update-sample", version: 1, ...rest };
}
