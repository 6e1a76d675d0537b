/** From updates to the rows of the archive's tables, and back. */

import { HISTOGRAM_HIGHEST_NS } from "../../analyze/statistics/distributions/histogram-layout.js";
import { PHASES } from "../../model/live-update.js";
import {
  CAUSE_KINDS,
  type CauseSample,
  countDefects,
  type DefectCount,
  type UpdateSample,
} from "../../model/update-sample.js";
import type { ColumnData } from "../engine.js";
import type { ColumnKind, Detail, TableName } from "../format.js";
import { bucketWidth } from "./buckets.js";
import { canonicalJson, type IdentifiedUpdate } from "./document.js";
import { dayOf } from "./partition.js";

/** An update on its way into a segment. */
export interface Incoming extends IdentifiedUpdate {
  readonly detail: Detail;
  /** Where its capture is kept, relative to the archive; null where it is not. */
  readonly capture: string | null;
}

class Columns {
  readonly data: readonly (ColumnData & { readonly values: (string | number | null)[] })[];

  constructor(columns: Readonly<Record<string, ColumnKind>>) {
    this.data = Object.entries(columns).map(([name, kind]) => ({ name, kind, values: [] }));
  }

  add(...row: readonly (string | number | null)[]): void {
    for (let i = 0; i < row.length; i += 1) this.data[i]?.values.push(row[i] as string | number | null);
  }
}

/**
 * The rows of updates by table, without what SQL adds: the segment, and in the tables below `updates` the update's id and
 * dimensions, which `u`, its place in the list, stands for.
 */
export function rowsOf(updates: readonly Incoming[]): Readonly<Record<TableName, readonly ColumnData[]>> {
  const rows = {
    updates: new Columns({
      u: "int",
      update_id: "text",
      day: "date",
      host: "text",
      kernel_old: "text",
      kernel_new: "text",
      probe_level: "text",
      workload: "text",
      outcome: "text",
      basis: "text",
      detail: "text",
      name: "text",
      taken_ms: "int",
      labels: "text",
      memory_kib: "int",
      outcome_reason: "text",
      blackout_ns: "int",
      blackout_uncertainty_ns: "int",
      seam_ns: "int",
      seam_uncertainty_ns: "int",
      clock_method: "text",
      causes: "int",
      defect_errors: "int",
      defect_warnings: "int",
      defect_notes: "int",
      defect_codes: "int",
      capture: "text",
    }),
    phases: new Columns({ u: "int", phase: "text", duration_ns: "int" }),
    vms: new Columns({ u: "int", vm_no: "int", vm: "text", duration_ns: "int" }),
    causes: new Columns({
      u: "int",
      cause_no: "int",
      part_no: "int",
      kind: "text",
      cause: "text",
      phase: "text",
      driver: "text",
      part: "text",
      duration_ns: "int",
      count: "int",
    }),
    buckets: new Columns({ u: "int", measure: "text", lowest_ns: "int", highest_ns: "int", count: "int" }),
    defects: new Columns({ u: "int", code: "text", severity: "text", count: "int" }),
  };
  for (const [u, { id, sample, detail, capture }] of updates.entries()) {
    const { blackout, seam, defects, kernel } = sample;
    rows.updates.add(
      u,
      id,
      dayOf(sample.takenAtMs),
      sample.host,
      kernel.old,
      kernel.new,
      sample.probeLevel,
      sample.labels.workload ?? null,
      sample.outcome,
      blackout.basis,
      detail,
      sample.name,
      sample.takenAtMs,
      canonicalJson(sample.labels),
      sample.memoryKiB,
      sample.outcomeReason,
      blackout.durationNs,
      blackout.uncertaintyNs,
      seam.durationNs,
      seam.uncertaintyNs,
      sample.clockMethod,
      sample.causes?.length ?? null,
      defects.error,
      defects.warning,
      defects.note,
      sample.defectCodes?.length ?? null,
      capture,
    );
    const bucket = (measure: string, ns: number | null, counts: Map<number, number> | null = null): void => {
      if (ns === null || ns > HISTOGRAM_HIGHEST_NS) return;
      const width = bucketWidth(ns);
      const lowest = ns - (ns % width);
      if (counts !== null) counts.set(lowest, (counts.get(lowest) ?? 0) + 1);
      else rows.buckets.add(u, measure, lowest, lowest + width - 1, 1);
    };
    bucket("blackout", blackout.durationNs);
    for (const phase of PHASES) {
      const ns = sample.phases[phase];
      if (ns === null) continue;
      rows.phases.add(u, phase, ns);
      bucket(phase, ns);
    }
    const vmBuckets = new Map<number, number>();
    for (const [vmNo, vm] of sample.vms.entries()) {
      rows.vms.add(u, vmNo, vm.id, vm.durationNs);
      bucket("vm-blackout", vm.durationNs, vmBuckets);
    }
    for (const [lowest, count] of vmBuckets) {
      rows.buckets.add(u, "vm-blackout", lowest, lowest + bucketWidth(lowest) - 1, count);
    }
    if (detail === "causes") {
      for (const [causeNo, cause] of (sample.causes ?? []).entries()) addCause(rows.causes, u, causeNo, cause);
    }
    for (const { code, severity, count } of sample.defectCodes ?? []) rows.defects.add(u, code, severity, count);
  }
  return {
    updates: rows.updates.data,
    phases: rows.phases.data,
    vms: rows.vms.data,
    causes: rows.causes.data,
    buckets: rows.buckets.data,
    defects: rows.defects.data,
  };
}

function addCause(columns: Columns, u: number, causeNo: number, cause: CauseSample): void {
  const { kind, id, phase, detail, parts, totalNs, count } = cause;
  if (parts.length === 0) columns.add(u, causeNo, 0, kind, id, phase, detail, null, totalNs, count);
  for (const [partNo, part] of parts.entries()) {
    columns.add(u, causeNo, partNo, kind, id, phase, detail, part.name, part.totalNs, partNo === 0 ? count : 0);
  }
}

/** Rows as they are read back; each list sorted as its update's document has it. */
export interface StoredRows {
  readonly update: Readonly<Record<string, string | number | null>>;
  readonly phases: readonly { readonly phase: string; readonly duration_ns: number }[];
  readonly vms: readonly { readonly vm: string; readonly duration_ns: number | null }[];
  readonly causes: readonly Readonly<Record<string, string | number | null>>[];
  readonly defects: readonly DefectCount[];
}

/** The update of its rows; `causes` is null where they were not kept, whatever the update had. */
export function sampleOfRows({ update, phases, vms, causes, defects }: StoredRows, source: string): UpdateSample {
  const text = (name: string): string => update[name] as string;
  const textOrNull = (name: string): string | null => (update[name] ?? null) as string | null;
  const number = (name: string): number => update[name] as number;
  const numberOrNull = (name: string): number | null => (update[name] ?? null) as number | null;
  const durations = new Map(phases.map(({ phase, duration_ns }) => [phase, duration_ns]));
  return {
    source,
    name: text("name"),
    host: textOrNull("host"),
    takenAtMs: numberOrNull("taken_ms"),
    kernel: { old: textOrNull("kernel_old"), new: textOrNull("kernel_new") },
    probeLevel: textOrNull("probe_level"),
    labels: JSON.parse(text("labels")) as Record<string, string>,
    memoryKiB: numberOrNull("memory_kib"),
    outcome: text("outcome") as UpdateSample["outcome"],
    outcomeReason: text("outcome_reason"),
    blackout: {
      basis: textOrNull("basis") as UpdateSample["blackout"]["basis"],
      durationNs: numberOrNull("blackout_ns"),
      uncertaintyNs: numberOrNull("blackout_uncertainty_ns"),
    },
    clockMethod: textOrNull("clock_method") as UpdateSample["clockMethod"],
    seam: { durationNs: numberOrNull("seam_ns"), uncertaintyNs: numberOrNull("seam_uncertainty_ns") },
    phases: Object.fromEntries(PHASES.map((name) => [name, durations.get(name) ?? null])) as UpdateSample["phases"],
    vms: vms.map(({ vm, duration_ns }) => ({ id: vm, durationNs: duration_ns })),
    causes: numberOrNull("causes") === null || text("detail") !== "causes" ? null : causesOfRows(causes),
    defects: { error: number("defect_errors"), warning: number("defect_warnings"), note: number("defect_notes") },
    // Engines order texts by their UTF-8, JavaScript by its UTF-16.
    defectCodes: numberOrNull("defect_codes") === null ? null : countDefects(defects),
  };
}

function causesOfRows(rows: StoredRows["causes"]): readonly CauseSample[] {
  const causes: (CauseSample & { parts: { name: string; totalNs: number }[]; totalNs: number })[] = [];
  for (const row of rows) {
    const totalNs = row.duration_ns as number;
    const part = row.part as string | null;
    const parts = part === null ? [] : [{ name: part, totalNs }];
    const last = causes.at(-1);
    if ((row.part_no as number) > 0 && last !== undefined) {
      last.parts.push(...parts);
      last.totalNs += totalNs;
      continue;
    }
    causes.push({
      kind: CAUSE_KINDS.find((kind) => kind === row.kind) ?? "unattributed",
      id: row.cause as string,
      phase: PHASES.find((phase) => phase === row.phase) ?? null,
      totalNs,
      count: row.count as number,
      parts,
      detail: row.driver as string,
    });
  }
  return causes;
}
