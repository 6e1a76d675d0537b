/**
 * From updates to the rows of the archive's tables, and back. Columns that hold a field are filled and read by their
 * declaration (../format.ts); what stands here is what has no field of its own.
 */
import { HISTOGRAM_HIGHEST_NS } from "../../analyze/statistics/distributions/histogram-layout.js";
import { type FieldNode, recordNode } from "../../base/schema.js";
import { readerOf } from "../../base/schema-read.js";
import { PHASES } from "../../model/live-update.js";
import {
  CAUSE_KINDS,
  type CauseSample,
  causeList,
  countDefects,
  type DefectCount,
  defectCount,
  healthList,
  imageOrNone,
  type UpdateSample,
  updateSampleSchema,
  vmSample,
} from "../../model/update-sample.js";
import type { ColumnData } from "../engine.js";
import { type ArchiveColumn, type Detail, type MadeRow, type TableName, WRITTEN_COLUMNS } from "../format.js";
import { bucketWidth } from "./buckets.js";
import { canonicalJson, type IdentifiedUpdate } from "./document.js";
import { dayOf } from "./partition.js";

/** An update on its way into a segment. */
export interface Incoming extends IdentifiedUpdate {
  readonly detail: Detail;
  /** Where its capture is kept, relative to the archive; null if it is not. */
  readonly capture: string | null;
}

type Value = string | number | null;

/** The value of a field by its path, `blackout.durationNs`. */
function getterOf(path: string): (of: object) => Value {
  const [outer = "", inner] = path.split(".");
  if (inner === undefined) return (of) => (of as Record<string, Value>)[outer] as Value;
  return (of) => (of as Record<string, Record<string, Value>>)[outer]?.[inner] as Value;
}

/** The rows of one table, in columns, as the engine takes them. */
class TableRows<T extends TableName> {
  readonly #places: number[] = [];
  readonly #columns: readonly (ColumnData & { readonly values: Value[] })[];
  /** Of each column: the name it has in a row, and how its field is got if it holds one. */
  readonly #names: readonly string[];
  readonly #getters: readonly (((of: object) => Value) | null)[];

  constructor(table: T) {
    const columns: readonly ArchiveColumn[] = WRITTEN_COLUMNS[table];
    this.#columns = columns.map(({ name, kind }) => ({ name, kind, values: [] }));
    this.#names = columns.map(({ name }) => name);
    this.#getters = columns.map(({ field }) => (field === null ? null : getterOf(field)));
  }

  /** `u`: the update's place in the list; `of`: what the fields are of. */
  add(u: number, row: MadeRow<T>, of: object): void {
    const named: Readonly<Record<string, Value>> = row;
    this.#places.push(u);
    for (let i = 0; i < this.#columns.length; i += 1) {
      const get = this.#getters[i] as ((of: object) => Value) | null;
      this.#columns[i]?.values.push(get === null ? (named[this.#names[i] as string] as Value) : get(of));
    }
  }

  get data(): readonly ColumnData[] {
    return [{ name: "u", kind: "int", values: this.#places }, ...this.#columns];
  }
}

/** Columns of a row, all of them worked out. */
const NOTHING = {};

/**
 * The rows of updates by table, without what SQL adds: the segment, and in the tables below `updates` the update's id
 * and dimensions, which `u`, its place in the list, stands for.
 */
export function rowsOf(updates: readonly Incoming[]): Readonly<Record<TableName, readonly ColumnData[]>> {
  const rows = {
    updates: new TableRows("updates"),
    phases: new TableRows("phases"),
    vms: new TableRows("vms"),
    causes: new TableRows("causes"),
    buckets: new TableRows("buckets"),
    defects: new TableRows("defects"),
  };
  for (const [u, { id, sample, detail, capture }] of updates.entries()) {
    const head: MadeRow<"updates"> = {
      update_id: id,
      day: dayOf(sample.takenAtMs),
      workload: sample.labels.workload ?? null,
      detail,
      image: sample.image === null ? null : canonicalJson(sample.image),
      labels: canonicalJson(sample.labels),
      causes: sample.causes?.length ?? null,
      defect_codes: sample.defectCodes?.length ?? null,
      health: sample.health === null ? null : canonicalJson(sample.health),
      outside_causes: sample.outsideCauses === null || detail !== "causes" ? null : canonicalJson(sample.outsideCauses),
      capture,
    };
    rows.updates.add(u, head, sample);
    addBuckets(rows.buckets, u, sample);
    for (const phase of PHASES) {
      const ns = sample.phases[phase];
      if (ns !== null) rows.phases.add(u, { phase, duration_ns: ns }, NOTHING);
      const work = sample.work?.[phase] ?? null;
      if (work !== null) rows.phases.add(u, { phase: `${phase}${WORK}`, duration_ns: work }, NOTHING);
    }
    for (const [vmNo, vm] of sample.vms.entries()) rows.vms.add(u, { vm_no: vmNo }, vm);
    if (detail === "causes") {
      for (const [causeNo, cause] of (sample.causes ?? []).entries()) addCause(rows.causes, u, causeNo, cause);
    }
    for (const defect of sample.defectCodes ?? []) rows.defects.add(u, {}, defect);
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

function addBuckets(rows: TableRows<"buckets">, u: number, { blackout, phases, vms }: UpdateSample): void {
  const lowestOf = (ns: number): number => ns - (ns % bucketWidth(ns));
  const add = (measure: string, lowest: number, count: number): void =>
    rows.add(u, { measure, lowest_ns: lowest, highest_ns: lowest + bucketWidth(lowest) - 1, count }, NOTHING);
  const fits = (ns: number | null): ns is number => ns !== null && ns >= 0 && ns <= HISTOGRAM_HIGHEST_NS;
  if (fits(blackout.durationNs)) add("blackout", lowestOf(blackout.durationNs), 1);
  for (const phase of PHASES) {
    const ns = phases[phase];
    if (fits(ns)) add(phase, lowestOf(ns), 1);
  }
  const counts = new Map<number, number>();
  for (const { durationNs } of vms) {
    if (!fits(durationNs)) continue;
    const lowest = lowestOf(durationNs);
    counts.set(lowest, (counts.get(lowest) ?? 0) + 1);
  }
  for (const [lowest, count] of counts) add("vm-blackout", lowest, count);
}

function addCause(rows: TableRows<"causes">, u: number, causeNo: number, given: CauseSample): void {
  const { kind, id: cause, phase, detail: driver, parts } = given;
  const add = (partNo: number, part: string | null, ns: number, count: number): void =>
    rows.add(
      u,
      { cause_no: causeNo, part_no: partNo, kind, cause, phase, driver, part, duration_ns: ns, count },
      NOTHING,
    );
  if (parts.length === 0) add(0, null, given.totalNs, given.count);
  for (const [partNo, { name, totalNs }] of parts.entries()) add(partNo, name, totalNs, partNo === 0 ? given.count : 0);
}

/** A row as it is read back. */
export type StoredRow = Readonly<Record<string, Value>>;

/** Rows as they are read back; each list sorted as its update's document has it. */
export interface StoredRows {
  readonly update: StoredRow;
  readonly phases: readonly StoredRow[];
  readonly vms: readonly StoredRow[];
  readonly causes: readonly StoredRow[];
  readonly defects: readonly StoredRow[];
}

type RowReader = (row: StoredRow) => unknown;

/** A record's value from a row; each of its fields is held by a column, or is a record whose fields are. */
function recordReader(
  fields: Readonly<Record<string, FieldNode>>,
  columns: ReadonlyMap<string, string>,
  path = "",
): RowReader {
  const readers = Object.entries(fields).map(
    ([name, field]) => [name, fieldReader(field, columns, `${path}${name}`)] as const,
  );
  return (row) => {
    const record: Record<string, unknown> = {};
    for (const [name, read] of readers) record[name] = read(row);
    return record;
  };
}

function fieldReader({ node }: FieldNode, columns: ReadonlyMap<string, string>, path: string): RowReader {
  const column = columns.get(path);
  if (column !== undefined) return (row) => row[column] ?? null;
  return recordReader(recordNode(node).fields, columns, `${path}.`);
}

function columnsByField(table: TableName): ReadonlyMap<string, string> {
  return new Map(WRITTEN_COLUMNS[table].flatMap(({ name, field }) => (field === null ? [] : [[field, name] as const])));
}

/** Ends the name of a row for the work in a phase. */
const WORK = "-work";

/** The fields of a sample that no single column holds. */
const UNHELD = {
  health: ({ update }: StoredRows): UpdateSample["health"] => {
    const text = (update.health ?? null) as string | null;
    return text === null ? null : healthOfText(text);
  },
  image: ({ update }: StoredRows): UpdateSample["image"] => {
    const text = (update.image ?? null) as string | null;
    const read = text === null ? null : readImage(JSON.parse(text));
    return read?.ok === true ? read.value : null;
  },
  labels: ({ update }: StoredRows): UpdateSample["labels"] => JSON.parse(update.labels as string),
  phases: ({ phases }: StoredRows): UpdateSample["phases"] => {
    const durations = new Map(phases.map((row) => [row.phase, row.duration_ns as number]));
    return Object.fromEntries(PHASES.map((name) => [name, durations.get(name) ?? null])) as UpdateSample["phases"];
  },
  work: ({ phases }: StoredRows): UpdateSample["work"] => {
    const durations = new Map(phases.map((row) => [row.phase, row.duration_ns as number]));
    const work = PHASES.map((name) => [name, durations.get(`${name}${WORK}`) ?? null] as const);
    return work.every(([, ns]) => ns === null) ? null : (Object.fromEntries(work) as UpdateSample["phases"]);
  },
  vms: ({ vms }: StoredRows): UpdateSample["vms"] => vms.map((row) => readVm(row) as UpdateSample["vms"][number]),
  // Null if they were not kept, whatever the update had.
  causes: ({ update, causes }: StoredRows): UpdateSample["causes"] =>
    (update.causes ?? null) === null || update.detail !== "causes" ? null : causesOfRows(causes),
  outsideCauses: ({ update }: StoredRows): UpdateSample["outsideCauses"] => {
    const text = (update.outside_causes ?? null) as string | null;
    const read = text === null ? null : readCauses(JSON.parse(text));
    return read?.ok === true ? read.value : null;
  },
  // Engines order texts by their UTF-8, JavaScript by its UTF-16.
  defectCodes: ({ update, defects }: StoredRows): UpdateSample["defectCodes"] =>
    (update.defect_codes ?? null) === null ? null : countDefects(defects.map((row) => readDefect(row) as DefectCount)),
};

/** A list as it was written; `verify` compares the files' digests. */
const readHealth = readerOf(healthList);

/** The complaints that a row's column holds. */
export function healthOfText(text: string): UpdateSample["health"] {
  const read = readHealth(JSON.parse(text));
  return read.ok ? read.value : null;
}
const readCauses = readerOf(causeList);
const readVm = recordReader(recordNode(vmSample.node).fields, columnsByField("vms"));
const readDefect = recordReader(recordNode(defectCount.node).fields, columnsByField("defects"));
const readImage = readerOf(imageOrNone);

const SAMPLE_READERS = Object.entries(recordNode(updateSampleSchema.node).fields)
  .filter(([name]) => name !== "format" && name !== "version")
  .map(([name, field]): readonly [string, (rows: StoredRows) => unknown] => {
    const unheld = Object.entries(UNHELD).find(([each]) => each === name)?.[1];
    if (unheld !== undefined) return [name, unheld];
    const read = fieldReader(field, columnsByField("updates"), name);
    return [name, ({ update }) => read(update)];
  });

/** The update of its rows. */
export function sampleOfRows(rows: StoredRows, source: string): UpdateSample {
  const sample: Record<string, unknown> = { source };
  for (const [name, read] of SAMPLE_READERS) sample[name] = read(rows);
  return sample as unknown as UpdateSample;
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
