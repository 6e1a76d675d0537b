/**
 * A live update as the statistics see it: what it was, and what it took. Percentiles, comparison, gate, history and
 * qualification read nothing else, so that an update analysed once, anywhere, need not be analysed again:
 * `blackout cohort --json` writes one a line (docs/update-sample.schema.json), and every cohort argument reads them.
 * The archive's columns are declared in ../archive/format.ts, each with the field of this declaration it holds.
 */
import {
  choice,
  count,
  each,
  flag,
  formatted,
  integer,
  late,
  lateAfterIds,
  list,
  matching,
  nullable,
  type Of,
  record,
  text,
} from "../base/schema.js";
import { COMPRESSIONS } from "./collected.js";
import {
  BASES,
  CAUSE_KINDS,
  CLOCK_METHODS,
  capture,
  clockMethod,
  defectCounts,
  kernels,
  labels,
  ns,
  outcome,
  PHASES,
  phaseName,
  severity,
  textOrNone,
} from "./document-parts.js";
import { HEALTH_CLASSES, HEALTH_SEVERITIES } from "./kernel-lines.js";
import type { DefectDocument } from "./live-update.js";

export { CAUSE_KINDS, type CauseKind } from "./document-parts.js";

const cause = record({
  kind: choice(CAUSE_KINDS),
  id: text("`0000:00:03.0`, `acpi_init`, `SESSION 0x100`."),
  phase: nullable(choice(PHASES), "Null between two phases (pause to freeze, restore to resume)."),
  totalNs: count(),
  count: count(),
  parts: late(
    list(
      record({ name: text("`shutdown`, `probe`; empty: not known."), totalNs: count() }),
      "What it was doing. They add up to totalNs, or there are none.",
    ),
    [],
  ),
  detail: late(text("What is known beside the id (a device's driver, a file's systemd unit), or empty."), ""),
});
/** What one cause took of one update's blackout. Each nanosecond of the blackout belongs to exactly one cause. */
export type CauseSample = Of<typeof cause>;

export const causeList = list(cause);

export const defectCount = record({ code: text("As listed in capture-format.md."), severity, count: count() });
export type DefectCount = Of<typeof defectCount>;

export const vmSample = record({ id: text(), durationNs: ns });

const seamDuration = record(
  { durationNs: ns, uncertaintyNs: ns },
  "From the old boot's last event to the new boot's first.",
);
const COMPLAINT = {
  class: choice(HEALTH_CLASSES),
  severity: choice(HEALTH_SEVERITIES),
  boot: choice(["old", "new"]),
};
const COUNTED_COMPLAINT = { ...COMPLAINT, count: count(undefined, 1) };
const SEEN_COMPLAINT = {
  ...COMPLAINT,
  text: text("The line; empty: further ones of the class, whose text is not kept."),
};
const healthSample = record({ ...SEEN_COMPLAINT, count: count(undefined, 1) });
export const healthList = list(healthSample);
/** Complaints of one kernel with one text. */
export type HealthSample = Of<typeof healthSample>;

const imageSample = record({
  compression: nullable(choice(COMPRESSIONS)),
  payloadBytes: nullable(count(), "Of the compressed kernel."),
  initBytes: nullable(count(), "Memory that the image needs."),
  initrdBytes: nullable(count()),
  kaslr: nullable(flag()),
  cpus: nullable(count()),
  preservedBytes: nullable(count(), "What KHO hands over."),
  preservedFolios: nullable(count()),
  config: nullable(matching("^[0-9a-f]{12}$"), "Distinguishes configurations."),
});
export const imageOrNone = nullable(
  imageSample,
  "The image that was started, and what it was handed; null if the capture does not show it.",
);
/** What may differ between updates in the image and in what it is handed. */
export type ImageSample = Of<typeof imageSample>;

/** Distinct texts that a sample keeps; further complaints are counted by class. */
const HEALTH_TEXTS = 100;

/** 9999-12-31T23:59:59.999Z: no capture was taken later. */
export const LAST_INSTANT_MS = 253_402_300_799_999;

const unknownDuration = { durationNs: null, uncertaintyNs: null };

export const updateSampleSchema = formatted(
  "update-sample",
  "One live update as statistics see it: what `blackout cohort --json` prints, one document a line, and what every cohort argument reads. Times are integer nanoseconds. Fields may be added within a version: host, clockMethod, seam, defectCodes, outsideCauses, health and work were, and are absent from older lines.",
  {
    name: text("The capture's name."),
    host: late(nullable(text(), "The label `host`, else `uname -n`; null if the capture does not have it."), null),
    takenAtMs: nullable(
      integer(undefined, { min: 0, max: LAST_INSTANT_MS }),
      "When, by the host's realtime clock: milliseconds since 1970; null if the capture does not have it.",
    ),
    kernel: kernels,
    probeLevel: textOrNone,
    labels,
    memoryKiB: nullable(count(), "Of the new kernel, as its log says."),
    outcome,
    outcomeReason: text(),
    blackout: record({ basis: nullable(choice(BASES)), durationNs: ns, uncertaintyNs: ns }),
    managementGap: lateAfterIds(
      record(
        { durationNs: ns, uncertaintyNs: ns },
        "How long the host was gone, where the blackout is the guests' own.",
      ),
      unknownDuration,
    ),
    clockMethod: late(nullable(choice(CLOCK_METHODS), "How the two boots' clocks were tied together."), null),
    seam: late(seamDuration, unknownDuration),
    phases: each(PHASES, ns, "Whole phases, not clipped to the blackout; null: not seen."),
    work: lateAfterIds(
      nullable(each(PHASES, ns), "Of each phase the union of LUO's calls; null: not seen, or not kept."),
      null,
      "never",
    ),
    vms: list(vmSample),
    causes: nullable(
      list(cause),
      "What each cause took of the blackout: they add up to it exactly. Null if it was not attributed.",
    ),
    outsideCauses: lateAfterIds(
      nullable(
        causeList,
        "The same of each phase that lies outside the blackout or reaches beyond it, whole. Null if not attributed, or not kept.",
      ),
      null,
      "never",
    ),
    defects: defectCounts,
    defectCodes: late(
      nullable(list(defectCount), "The same by code and severity; null if only the sums are known."),
      null,
    ),
    image: lateAfterIds(imageOrNone, null, "never"),
    health: lateAfterIds(
      nullable(healthList, "What both kernels complained about; null if it is not known."),
      null,
      "never",
    ),
  },
);

/** What `blackout cohort --json` prints of an update. */
export type UpdateSampleDocument = Of<typeof updateSampleSchema>;

/** The same with where it came from: a capture's path, or `FILE:LINE`. */
export type UpdateSample = Omit<UpdateSampleDocument, "format" | "version"> & { readonly source: string };

/** Defects of one code and severity together, in the order of their names. */
export function countDefects(defects: readonly Pick<DefectDocument, "code" | "severity" | "count">[]): DefectCount[] {
  const counts = new Map<string, DefectCount>();
  for (const { code, severity, count } of defects) {
    const key = `${code}\0${severity}`;
    counts.set(key, { code, severity, count: count + (counts.get(key)?.count ?? 0) });
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
}

/** The complaints of an update by class, kernel and text, in the order they were first seen. */
export function countHealth({
  counts,
  events,
}: {
  readonly counts: readonly Omit<HealthSample, "text">[];
  readonly events: readonly Omit<HealthSample, "count">[];
}): readonly HealthSample[] {
  const byText = new Map<string, HealthSample>();
  const listed = new Map<string, number>();
  for (const { class: name, severity, boot, text: line } of events) {
    const key = `${name}\0${boot}\0${line}`;
    const known = byText.get(key);
    if (known === undefined && byText.size >= HEALTH_TEXTS) continue;
    byText.set(key, { class: name, severity, boot, text: line, count: (known?.count ?? 0) + 1 });
    listed.set(`${name}\0${boot}`, (listed.get(`${name}\0${boot}`) ?? 0) + 1);
  }
  const rest = counts.flatMap((each): readonly HealthSample[] => {
    const left = each.count - (listed.get(`${each.class}\0${each.boot}`) ?? 0);
    return left > 0 ? [{ ...each, text: "", count: left }] : [];
  });
  return [...byText.values(), ...rest];
}

/** What the seam's leaves hold, for people: their ids are words of this tool. */
const SEAM_LEAVES: Readonly<Record<string, string>> = {
  "seam relocation": "relocation and purgatory",
  "seam unpack": "the image unpacks itself",
  "seam entry": "entry to the clock",
  "seam kho": "KHO and free memory",
  "seam ftrace": "ftrace records",
};

/** For people: `device 0000:00:03.0`, `seam unpack (the image unpacks itself)`. */
export function causeName({ kind, id }: Pick<CauseSample, "kind" | "id">): string {
  const held = kind === "seam" ? SEAM_LEAVES[id] : undefined;
  if (held !== undefined) return `${id} (${held})`;
  return id === kind || id.startsWith(`${kind} `) ? id : `${kind} ${id}`;
}

/** `device:0000:00:03.0`: what a cause is called in options, budgets and tables. */
export function causeKey(cause: Pick<CauseSample, "kind" | "id">): string {
  return `${cause.kind}:${cause.id}`;
}

/** What a live-update document must have to be a sample of: all documents have it; files from elsewhere are checked. */
export const sampledDocumentSchema = record({
  capture,
  outcome,
  outcomeReason: text(),
  blackout: record({ basis: nullable(choice(BASES)), durationNs: ns, uncertaintyNs: ns }),
  clock: late(record({ method: nullable(clockMethod) }), { method: null }),
  seam: late(seamDuration, unknownDuration),
  phases: list(record({ name: phaseName, durationNs: ns, workNs: late(ns, null) })),
  vms: list(vmSample),
  defects: list(defectCount),
  // Null: written before health was read.
  health: late(
    nullable(record({ counts: list(record(COUNTED_COMPLAINT)), events: list(record(SEEN_COMPLAINT)) })),
    null,
  ),
});

/** A phase of a document of an earlier version has no `workNs`. */
type SampledDocument = Omit<Of<typeof sampledDocumentSchema>, "phases"> & {
  readonly phases: readonly {
    readonly name: (typeof PHASES)[number];
    readonly durationNs: number | null;
    readonly workNs?: number | null;
  }[];
};

/** The sample of an analysed update's document, which has neither causes nor date. */
export function sampleOfDocument(document: SampledDocument, source: string): UpdateSample {
  const { capture, blackout } = document;
  const work = new Map(document.phases.map((phase) => [phase.name, phase.workNs ?? null]));
  const isWorkSeen = [...work.values()].some((ns) => ns !== null);
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
    managementGap: unknownDuration,
    clockMethod: document.clock.method,
    seam: { durationNs: document.seam.durationNs, uncertaintyNs: document.seam.uncertaintyNs },
    phases: Object.fromEntries(PHASES.map((name) => [name, durations.get(name) ?? null])) as UpdateSample["phases"],
    work: isWorkSeen
      ? (Object.fromEntries(PHASES.map((name) => [name, work.get(name) ?? null])) as UpdateSample["phases"])
      : null,
    vms: document.vms.map(({ id, durationNs }) => ({ id, durationNs })),
    causes: null,
    outsideCauses: null,
    defects,
    defectCodes: countDefects(document.defects),
    image: null,
    health: document.health === null ? null : countHealth(document.health),
  };
}

export function documentOfSample(sample: UpdateSample): UpdateSampleDocument {
  const { source: _, ...rest } = sample;
  return { format: "blackout-update-sample", version: 1, ...rest };
}
