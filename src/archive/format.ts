/** The archive's format, normative in docs/archive-format.md: its folders, its tables, and what their columns mean. */

export const ARCHIVE_FORMAT = "blackout-archive";
export const ARCHIVE_VERSION = 1;
export const COMMIT_FORMAT = "blackout-archive-commit";

/** The folders beside the tables'. */
export const MANIFEST = "archive.json";
export const COMMITS = "commits";
export const SEGMENTS = "segments";
export const CAPTURES = "captures";

/** What can be known of a column in every engine. `text` is UTF-8, `int` a signed 64-bit integer, `date` days. */
export type ColumnKind = "text" | "int" | "date";

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly nullable: boolean;
  /** What it means, with its unit. */
  readonly about: string;
}

const column = (name: string, kind: ColumnKind, nullable: boolean, about: string): Column => ({
  name,
  kind,
  nullable,
  about,
});
const KEY: readonly Column[] = [
  column("segment", "text", false, "the segment that the row was written in"),
  column("update_id", "text", false, "the live update: 32 hexadecimal digits of its document's SHA-256"),
];

/** What updates are selected and grouped by: of the update, repeated in every table, so that no question needs a join. */
const DIMENSIONS: readonly Column[] = [
  column("day", "date", true, "when it was taken, UTC; null where not known or not from 1970 to 2299"),
  column("host", "text", true, "the host's name"),
  column("kernel_old", "text", true, "release of the old kernel"),
  column("kernel_new", "text", true, "release of the new kernel"),
  column("probe_level", "text", true, "what was recorded: markers, events, probes, graph"),
  column("workload", "text", true, "the label `workload`"),
  column("outcome", "text", false, "completed, aborted, failed, incomplete"),
  column("basis", "text", true, "what the blackout was read from: vm-marks, vcpu, kernel-observed"),
];

/** The tables, each a folder of Parquet files. */
export const TABLES = {
  updates: [
    ...KEY,
    ...DIMENSIONS,
    column("detail", "text", false, "what is kept of it: summary, causes"),
    column("name", "text", false, "the capture's name"),
    column("taken_ms", "int", true, "when, by the host's realtime clock: milliseconds since 1970"),
    column("labels", "text", false, "all labels: a JSON object of texts, sorted by name"),
    column("memory_kib", "int", true, "the new kernel's memory, KiB"),
    column("outcome_reason", "text", false, "one sentence"),
    column("blackout_ns", "int", true, "the blackout, ns"),
    column("blackout_uncertainty_ns", "int", true, "± of it, ns"),
    column("seam_ns", "int", true, "from the old boot's last event to the new boot's first, ns"),
    column("seam_uncertainty_ns", "int", true, "± of it, ns"),
    column("clock_method", "text", true, "how the two boots' clocks were tied together"),
    column("causes", "int", true, "how many causes its blackout was attributed to; null where it was not"),
    column("defect_errors", "int", false, "defects of severity error"),
    column("defect_warnings", "int", false, "defects of severity warning"),
    column("defect_notes", "int", false, "defects of severity note"),
    column("defect_codes", "int", true, "rows of it in defects; null where only the sums above are known"),
    column("capture", "text", true, "the capture's path in the archive, where it was kept"),
  ],
  phases: [
    ...KEY,
    ...DIMENSIONS,
    column("phase", "text", false, "prepare, freeze, kexec, restore, finish; no row where it was not seen"),
    column("duration_ns", "int", false, "of the whole phase, not clipped to the blackout, ns"),
  ],
  vms: [
    ...KEY,
    ...DIMENSIONS,
    column("vm_no", "int", false, "place in the update's list, from 0"),
    column("vm", "text", false, "the VM's name"),
    column("duration_ns", "int", true, "its blackout, ns"),
  ],
  causes: [
    ...KEY,
    ...DIMENSIONS,
    column("cause_no", "int", false, "place in the update's list, from 0"),
    column("part_no", "int", false, "place among the cause's parts, from 0"),
    column("kind", "text", false, "session, file, device, initcall, …, seam, unattributed"),
    column("cause", "text", false, "which: 0000:00:03.0, acpi_init"),
    column("phase", "text", true, "in which phase; null between two"),
    column("driver", "text", false, "a device's driver, else empty"),
    column("part", "text", true, "what was done with it (shutdown, probe); null where that is not known"),
    column("duration_ns", "int", false, "what this part of the cause took of the blackout, ns; rows add up to it"),
    column("count", "int", false, "how often the cause ran: on its first part, 0 on the others, so that it adds up"),
  ],
  buckets: [
    ...KEY,
    ...DIMENSIONS,
    column("measure", "text", false, "blackout, vm-blackout, or a phase"),
    column("lowest_ns", "int", false, "the HDR bucket's lowest value, ns"),
    column("highest_ns", "int", false, "its highest equivalent value, ns: what a percentile in it is"),
    column("count", "int", false, "how many of the update's values are in it"),
  ],
  defects: [
    ...KEY,
    ...DIMENSIONS,
    column("code", "text", false, "as in docs/capture-format.md"),
    column("severity", "text", false, "error, warning, note"),
    column("count", "int", false, "how many"),
  ],
} as const satisfies Record<string, readonly Column[]>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];

/** How much of an update is kept. `summary`: all but its causes. */
export const DETAILS = ["summary", "causes"] as const;
export type Detail = (typeof DETAILS)[number];

/** What the files may be divided by, outermost first; the day is always the last. */
export const PARTITION_KEYS = ["probe_level", "workload", "kernel", "kernel_old", "day"] as const;

export interface ArchiveManifest {
  readonly format: typeof ARCHIVE_FORMAT;
  readonly version: number;
  /** By which a copy is known, and other archives are told apart; null: it was made before archives had one. */
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
