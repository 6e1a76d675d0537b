/** Live-update documents for tests: complete, and with what a test wants to be different. */
import { type LiveUpdateDocument, PHASES, type PhaseName } from "../../model/live-update.js";

export interface DocumentParts {
  readonly name?: string;
  readonly probeLevel?: string | null;
  readonly labels?: Readonly<Record<string, string>>;
  readonly outcome?: LiveUpdateDocument["outcome"];
  readonly basis?: "vm-marks" | "vcpu" | "kernel-observed" | null;
  readonly blackoutNs?: number | null;
  readonly phasesNs?: Readonly<Partial<Record<PhaseName, number | null>>>;
}

/** A completed update; durations that are not given are 1 ms. */
export function liveUpdateDocument(parts: DocumentParts = {}): LiveUpdateDocument {
  const { blackoutNs = 1e6, phasesNs = {}, basis = "vm-marks", outcome = "completed" } = parts;
  const times = (durationNs: number | null) => ({
    beginNs: 0,
    endNs: durationNs,
    durationNs,
    uncertaintyNs: durationNs === null ? null : 0,
    evidence: { begin: null, end: null },
  });
  return {
    format: "blackout-live-update",
    version: 1,
    capture: {
      name: parts.name ?? "sample",
      kernel: { old: "7.2.13", new: "7.3.4" },
      probeLevel: parts.probeLevel === undefined ? "probes" : parts.probeLevel,
      labels: parts.labels ?? { workload: "memfd" },
    },
    losses: [],
    notSeen: [],
    health: { counts: [], events: [] },
    outcome,
    outcomeReason: outcome === "completed" ? "Every phase was seen." : "The new kernel never came up.",
    clock: { method: "x86-tsc", uncertaintyNs: 0, parts: [], tscKhz: 2_000_000, rejected: [] },
    blackout: { basis, ...times(blackoutNs) },
    phases: PHASES.map((name) => ({
      name,
      axis: "joint",
      ...times(phasesNs[name] === undefined ? 1e6 : phasesNs[name]),
      beginRangeNs: null,
      endRangeNs: null,
    })),
    vms: [],
    sessions: [],
    seam: { beginNs: null, endNs: null, durationNs: null, uncertaintyNs: null },
    sources: [],
    defects: [],
  };
}
