/** Update samples and cohorts for tests: made up, or of real captures, analysed once a test run. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Cohort } from "../../analyze/cohort/cohort.js";
import { contextOf } from "../../cli/frame/command-context.js";
import { DEFAULT_CAPTURE_OPTIONS } from "../../cli/input/capture-options.js";
import type { CauseSample, UpdateSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../command-testing.js";
import { projectRoot } from "../places.js";

/** A completed update of one VM whose blackout lasts `ms`, at level graph; `more` replaces what it names. */
export function madeSample(ms: number, more: Partial<UpdateSample> = {}): UpdateSample {
  const ns = Math.round(ms * 1e6);
  return {
    source: "made",
    name: "made",
    host: null,
    takenAtMs: null,
    kernel: { old: "7.2", new: "7.3" },
    probeLevel: "graph",
    labels: { workload: "idle" },
    memoryKiB: 1 << 20,
    outcome: "completed",
    outcomeReason: "",
    blackout: { basis: "vm-marks", durationNs: ns, uncertaintyNs: 1000 },
    managementGap: { durationNs: null, uncertaintyNs: null },
    clockMethod: "x86-tsc",
    seam: { durationNs: null, uncertaintyNs: null },
    phases: { prepare: null, freeze: null, kexec: ns, restore: null, finish: null },
    work: null,
    vms: [{ id: "vm", durationNs: ns }],
    causes: [],
    outsideCauses: null,
    defects: { error: 0, warning: 0, note: 0 },
    defectCodes: [],
    image: null,
    health: null,
    ...more,
  };
}

export function causeOf(id: string, ms: number, more: Partial<CauseSample> = {}): CauseSample {
  return {
    kind: "initcall",
    id,
    phase: "kexec",
    totalNs: Math.round(ms * 1e6),
    count: 1,
    parts: [],
    detail: "",
    ...more,
  };
}

export function cohortOf(name: string, updates: readonly UpdateSample[]): Cohort {
  return { name, updates };
}

export function numbersOf(name: string, ms: readonly number[]): Cohort {
  return cohortOf(
    name,
    ms.map((each) => madeSample(each)),
  );
}

/** A cohort of real captures: the full set's where it lies beside the checkout, else the shipped ten. */
export async function realCohort(name: string, folder: string): Promise<Cohort> {
  // Every reader of captures is behind it: a fifth of a second that tests of made updates need not wait for.
  const { loadCohort } = await import("../../cli/workers/cohort-load.js");
  const context = contextOf(recordedSurroundings(), { noColour: true, forProgram: true });
  const loaded = await loadCohort(context, folder, DEFAULT_CAPTURE_OPTIONS);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error);
  assert.deepEqual(loaded.value.failures, []);
  return { ...loaded.value.cohort, name };
}

/** A JSON schema of docs. */
export function schemaPath(name: string): string {
  return join(projectRoot, "docs", `${name}.schema.json`);
}
