/**
 * The archive's format, normative in docs/archive-format.md: its folders, its tables, and what their columns mean. A
 * column is declared here alone: rows, their reading, every engine's SQL, and the document's tables (a test) follow. A
 * column that holds a field of the update's sample takes kind and nullability from the field's declaration.
 */
import { recordNode, type Schema, type SchemaNode } from "../base/schema.js";
import { defectCount, updateSampleSchema, vmSample } from "../model/update-sample.js";

export const ARCHIVE_FORMAT = "blackout-archive";
export const ARCHIVE_VERSION = 1;
export const COMMIT_FORMAT = "blackout-archive-commit";

/** The folders beside the tables'. */
export const MANIFEST = "archive.json";
export const COMMITS = "commits";
export const SEGMENTS = "segments";
export const CAPTURES = "captures";

/** A column's type in every engine. `text` is UTF-8, `int` a signed 64-bit integer, `date` days. */
export type ColumnKind = "text" | "int" | "date";

export interface ArchiveColumn<N extends string = string> {
  readonly name: N;
  readonly kind: ColumnKind;
  readonly nullable: boolean;
  /** What it means, with its unit. */
  readonly about: string;
  /** It has so few values that a dictionary of them is smaller and faster (ClickHouse: up to 10,000). */
  readonly few: boolean;
  /**
   * The field that it holds, in the sample, or in the item of the list that the table is of: `blackout.durationNs`. It
   * is written and read back by that alone. Null: its value is worked out in store/rows.ts.
   */
  readonly field: string | null;
  /** It came after archives were written: older files lack it, and are read as if it were null in them. */
  readonly recent: boolean;
}

type Kind = "text" | "few" | "int" | "date";
type Null = "null" | "not null";

/** A column whose value is worked out in store/rows.ts, where the compiler asks for it by its name. */
function made<const N extends string>(
  name: N,
  kind: Kind,
  nullable: Null,
  about: string,
  since: "first" | "recent" = "first",
): ArchiveColumn<N> & { field: null } {
  const few = kind === "few";
  const recent = since === "recent";
  return { name, kind: few ? "text" : kind, nullable: nullable === "null", about, few, field: null, recent };
}

/** A column that holds a field of `T`; its kind is the field's. */
function holder<T>(schema: Schema<T>) {
  return <const N extends string, const F extends FieldPath<T>>(
    name: N,
    field: F,
    about: string,
    few: "few" | "many" = "many",
  ): ArchiveColumn<N> & { field: F } => {
    const { kind, nullable } = storedAs(nodeAt(schema.node, field));
    const recent = recordNode(schema.node).fields[field.split(".")[0] ?? ""]?.inId !== undefined;
    return { name, kind, nullable, about, few: few === "few", field, recent };
  };
}

/** `name`, `kernel.old`: the fields of one value, of a record and of the records in it. */
type FieldPath<T> = {
  [K in keyof T & string]: T[K] extends readonly unknown[] | null
    ? never
    : T[K] extends string | number | null
      ? K
      : `${K}.${keyof T[K] & string}`;
}[keyof T & string];

function nodeAt(node: SchemaNode, path: string): SchemaNode {
  return path.split(".").reduce((at, name) => {
    const { fields } = recordNode(at);
    const field = fields[name];
    if (field === undefined) throw new Error(`no field ${name} of ${path} is declared`);
    return field.node;
  }, node);
}

function storedAs(node: SchemaNode): { readonly kind: ColumnKind; readonly nullable: boolean } {
  switch (node.kind) {
    case "text":
    case "choice":
      return { kind: "text", nullable: false };
    case "number":
      return { kind: "int", nullable: false };
    case "nullable":
      return { ...storedAs(node.inner), nullable: true };
    case "shared":
      return storedAs(node.inner());
    case "flag":
    case "list":
    case "map":
    case "record":
    case "either":
      throw new Error(`a ${node.kind} is not one value`);
  }
}

const sampleField = holder(updateSampleSchema);
const vmField = holder(vmSample);
const defectField = holder(defectCount);

const KEY = [
  made("segment", "text", "not null", "the segment that the row was written in"),
  made("update_id", "text", "not null", "the live update: 32 hexadecimal digits of its document's SHA-256"),
] as const;

/**
 * What updates are selected and grouped by: of the update, repeated in every table, so that no question needs a join.
 */
const DIMENSIONS = [
  made("day", "date", "null", "when it was taken, UTC; null if not known or not from 1970 to 2299"),
  sampleField("host", "host", "the host's name"),
  sampleField("kernel_old", "kernel.old", "release of the old kernel", "few"),
  sampleField("kernel_new", "kernel.new", "release of the new kernel", "few"),
  sampleField("probe_level", "probeLevel", "what was recorded: markers, events, probes, graph", "few"),
  made("workload", "few", "null", "the label `workload`"),
  sampleField("outcome", "outcome", "completed, aborted, failed, incomplete", "few"),
  sampleField(
    "basis",
    "blackout.basis",
    "what the blackout was read from: vm-marks, vcpu, kernel-observed, guest-ticks",
    "few",
  ),
] as const;

/**
 * The tables, each a folder of Parquet files: their own columns, beside the key and, below `updates`, the dimensions.
 */
const OWN_COLUMNS = {
  updates: [
    made("detail", "few", "not null", "what is kept of it: summary, causes"),
    sampleField("name", "name", "the capture's name"),
    sampleField("taken_ms", "takenAtMs", "when, by the host's realtime clock: milliseconds since 1970"),
    made("labels", "text", "not null", "all labels: a JSON object of texts, sorted by name"),
    made("image", "text", "null", "the image that was started: a JSON object; null if not known", "recent"),
    sampleField("memory_kib", "memoryKiB", "the new kernel's memory, KiB"),
    sampleField("outcome_reason", "outcomeReason", "one sentence"),
    sampleField("blackout_ns", "blackout.durationNs", "the blackout, ns"),
    sampleField("blackout_uncertainty_ns", "blackout.uncertaintyNs", "± of it, ns"),
    sampleField("seam_ns", "seam.durationNs", "from the old boot's last event to the new boot's first, ns"),
    sampleField("seam_uncertainty_ns", "seam.uncertaintyNs", "± of it, ns"),
    sampleField(
      "management_gap_ns",
      "managementGap.durationNs",
      "how long the host was gone, with basis guest-ticks, ns",
    ),
    sampleField("management_gap_uncertainty_ns", "managementGap.uncertaintyNs", "± of it, ns"),
    sampleField("clock_method", "clockMethod", "how the two boots' clocks were tied together", "few"),
    made("causes", "int", "null", "how many causes its blackout was attributed to; null if it was not"),
    sampleField("defect_errors", "defects.error", "defects of severity error"),
    sampleField("defect_warnings", "defects.warning", "defects of severity warning"),
    sampleField("defect_notes", "defects.note", "defects of severity note"),
    made("defect_codes", "int", "null", "rows of it in defects; null if only the sums above are known"),
    made("health", "text", "null", "what both kernels complained about: a JSON list; null if not known", "recent"),
    made(
      "outside_causes",
      "text",
      "null",
      "causes of phases outside the blackout, with detail `causes`: a JSON list; null if not kept",
      "recent",
    ),
    made("capture", "text", "null", "the capture's path in the archive, if it was kept"),
  ],
  phases: [
    made(
      "phase",
      "few",
      "not null",
      "prepare, freeze, kexec, restore, finish, and LUO's work in each (restore-work); no row if it was not seen",
    ),
    made("duration_ns", "int", "not null", "of the whole phase, not clipped to the blackout, ns"),
  ],
  vms: [
    made("vm_no", "int", "not null", "place in the update's list, from 0"),
    vmField("vm", "id", "the VM's name"),
    vmField("duration_ns", "durationNs", "its blackout, ns"),
  ],
  causes: [
    made("cause_no", "int", "not null", "place in the update's list, from 0"),
    made("part_no", "int", "not null", "place among the cause's parts, from 0"),
    made("kind", "few", "not null", "session, file, device, initcall, …, seam, unattributed"),
    made("cause", "text", "not null", "which: 0000:00:03.0, acpi_init"),
    made("phase", "few", "null", "in which phase; null between two"),
    made("driver", "few", "not null", "a device's driver, a file's systemd unit, else empty"),
    made("part", "few", "null", "what was done with it (shutdown, probe); null if that is not known"),
    made("duration_ns", "int", "not null", "what this part of the cause took of the blackout, ns; rows add up to it"),
    made("count", "int", "not null", "how often the cause ran: on its first part, 0 on the others, so that it adds up"),
  ],
  buckets: [
    made("measure", "few", "not null", "blackout, vm-blackout, or a phase"),
    made("lowest_ns", "int", "not null", "the HDR bucket's lowest value, ns"),
    made("highest_ns", "int", "not null", "its highest equivalent value, ns: what a percentile in it is"),
    made("count", "int", "not null", "how many of the update's values are in it"),
  ],
  defects: [
    defectField("code", "code", "as in docs/capture-format.md", "few"),
    defectField("severity", "severity", "error, warning, note", "few"),
    defectField("count", "count", "how many"),
  ],
} as const satisfies Record<string, readonly ArchiveColumn[]>;

export type TableName = keyof typeof OWN_COLUMNS;
export const TABLE_NAMES = Object.keys(OWN_COLUMNS) as readonly TableName[];

/** Every column of each table, in the order of the format. */
export const TABLES = Object.fromEntries(
  TABLE_NAMES.map((table) => [table, [...KEY, ...DIMENSIONS, ...OWN_COLUMNS[table]]]),
) as unknown as Readonly<Record<TableName, readonly ArchiveColumn[]>>;

/**
 * The columns that a table's rows bring; SQL adds the segment, and below `updates` what `u`, the update's place, stands
 * for.
 */
export const WRITTEN_COLUMNS: Readonly<Record<TableName, readonly ArchiveColumn[]>> = {
  ...OWN_COLUMNS,
  updates: TABLES.updates.filter(({ name }) => name !== "segment"),
};

type Written<T extends TableName> = T extends "updates"
  ? (typeof KEY)[1] | (typeof DIMENSIONS)[number] | (typeof OWN_COLUMNS)["updates"][number]
  : (typeof OWN_COLUMNS)[T][number];

/** What a row must name: the columns whose values are worked out. */
export type MadeRow<T extends TableName> = {
  readonly [C in Extract<Written<T>, { readonly field: null }> as C["name"]]: string | number | null;
};

/** Within an update, rows are in its document's order, and no two have the same values of these. */
export const ROW_ORDER: Readonly<Record<TableName, readonly string[]>> = {
  updates: [],
  phases: ["phase"],
  vms: ["vm_no"],
  causes: ["cause_no", "part_no"],
  buckets: ["measure", "lowest_ns"],
  defects: ["code", "severity"],
};

/** How much of an update is kept. `summary`: all but its causes. */
export const DETAILS = ["summary", "causes"] as const;
export type Detail = (typeof DETAILS)[number];

/** What the files may be divided by, outermost first; the day is always the last. */
export const PARTITION_KEYS = ["probe_level", "workload", "kernel", "kernel_old", "day"] as const;

export interface ArchiveManifest {
  readonly format: typeof ARCHIVE_FORMAT;
  readonly version: number;
  /** Identifies a copy, and distinguishes other archives; null: it was made before archives had one. */
  readonly id: string | null;
  /** Keys of the Hive layout, outermost first: of PARTITION_KEYS, or `label.NAME`. */
  readonly partitionBy: readonly string[];
}

export const DEFAULT_PARTITION: readonly string[] = ["probe_level", "workload", "kernel", "day"];

export interface SegmentFile {
  readonly table: TableName;
  /** Relative to the archive, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  readonly sha256: string;
}

/** What one commit added to one partition: at most one file of each table. Never changed once committed. */
export interface Segment {
  readonly id: string;
  /** `by_probe_level=graph/by_kernel=7.3.4/by_day=2026-11-24` */
  readonly partition: string;
  readonly updates: number;
  readonly files: readonly SegmentFile[];
}

/** One step of the archive's history. */
export interface Commit {
  readonly format: typeof COMMIT_FORMAT;
  readonly version: number;
  readonly number: number;
  /** `sweep`: names segments that are dead: never committed, or replaced long ago. Their files may be deleted. */
  readonly kind: "add" | "compact" | "remove" | "sweep";
  /** By the writer's clock, milliseconds since 1970; shown, and used for the readers' grace only. */
  readonly atMs: number;
  readonly add: readonly Segment[];
  readonly remove: readonly string[];
  readonly swept: readonly string[];
}

/** Something about an archive that its user must know: a sentence that says what was found and what to do. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}
