/**
 * Segments: what one commit adds to one partition, as Parquet files that are whole and synced before they are named.
 */

import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Engine, sqlText } from "../engine.js";
import { ROW_ORDER, type Segment, type SegmentFile, TABLE_NAMES, TABLES, type TableName } from "../format.js";
import { type PendingSync, randomName, temporaryName } from "./durable.js";
import { parquetRows } from "./parquet.js";
import { type Incoming, rowsOf } from "./rows.js";
import { digestOf } from "./soundness.js";

const PARQUET = "(FORMAT parquet, COMPRESSION zstd)";

/**
 * Writes the updates of one partition; what `pending` holds must be flushed before the segment is committed. By host
 * and time, so that what is alike lies together and packs well.
 */
export async function writeSegment(
  engine: Engine,
  root: string,
  partition: string,
  updates: readonly Incoming[],
  pending: PendingSync,
): Promise<Segment> {
  const sorted = [...updates].sort(
    (a, b) =>
      compareTexts(a.sample.host ?? "", b.sample.host ?? "") ||
      (a.sample.takenAtMs ?? 0) - (b.sample.takenAtMs ?? 0) ||
      compareTexts(a.id, b.id),
  );
  const id = randomName();
  const rows = rowsOf(sorted);
  await engine.createTable("new_updates", rows.updates);
  const files: SegmentFile[] = [];
  for (const table of TABLE_NAMES) {
    const count = rows[table][0]?.values.length ?? 0;
    if (count === 0) continue;
    if (table !== "updates") await engine.createTable(`new_${table}`, rows[table]);
    const own = new Set(rows[table].map(({ name }) => name));
    const select = TABLES[table].map(({ name }) => {
      if (name === "segment") return `${sqlText(id)} AS segment`;
      return `${own.has(name) ? "r" : "t"}.${quoteName(name)}`;
    });
    const from = table === "updates" ? "new_updates r" : `new_${table} r JOIN new_updates t ON t.u = r.u`;
    const order = ["r.u", ...ROW_ORDER[table].map((name) => `r.${name}`)].join(", ");
    const sql = `SELECT ${select.join(", ")} FROM ${from} ORDER BY ${order}`;
    files.push(await writeFile(engine, root, { table, partition, id, sql, rows: count }, pending));
  }
  await dropNew(engine);
  return { id, partition, updates: updates.length, files };
}

async function dropNew(engine: Engine): Promise<void> {
  for (const table of TABLE_NAMES) await engine.run(`DROP TABLE IF EXISTS new_${table}`);
}

/**
 * Writes the live rows of several segments of one partition as one; `keep`, a condition on `update_id`, leaves updates
 * out. Null if none is left.
 */
export async function mergeSegments(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  keep: string | null,
  pending: PendingSync,
): Promise<Segment | null> {
  const id = randomName();
  const partition = segments[0]?.partition ?? "";
  const files: SegmentFile[] = [];
  let updates = 0;
  for (const table of TABLE_NAMES) {
    const paths = filesOf(root, segments, table);
    if (paths.length === 0) continue;
    const source = parquetRows(paths, table);
    const condition = keep === null ? "" : ` WHERE ${keep}`;
    const [counted] = await engine.rows<{ rows: number }>(`SELECT count(*) AS rows FROM ${source}${condition}`);
    const rows = counted?.rows ?? 0;
    if (table === "updates") updates = rows;
    if (rows === 0) continue;
    const select = TABLES[table].map(({ name }) => {
      return name === "segment" ? `${sqlText(id)} AS segment` : quoteName(name);
    });
    // By host, then by update: segments hold no common order beyond that.
    const order = ["host", ...(table === "updates" ? ["taken_ms"] : []), "update_id", ...ROW_ORDER[table]].join(", ");
    const sql = `SELECT ${select.join(", ")} FROM ${source}${condition} ORDER BY ${order}`;
    files.push(await writeFile(engine, root, { table, partition, id, sql, rows }, pending));
  }
  return updates === 0 ? null : { id, partition, updates, files };
}

interface FilePlan {
  readonly table: TableName;
  readonly partition: string;
  readonly id: string;
  readonly sql: string;
  readonly rows: number;
}

async function writeFile(engine: Engine, root: string, plan: FilePlan, pending: PendingSync): Promise<SegmentFile> {
  const { table, partition, id, sql, rows } = plan;
  const path = `${table}/${partition}/${id}.parquet`;
  const place = join(root, path);
  await pending.folder(root, dirname(place));
  const temporary = temporaryName(place);
  try {
    await engine.run(`COPY (${sql}) TO ${sqlText(temporary)} ${PARQUET}`);
    const { bytes, sha256 } = await digestOf(temporary);
    await rename(temporary, place);
    pending.file(place);
    return { table, path, bytes, rows, sha256 };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A segment that was prepared and will not be committed. */
export async function discardSegment(root: string, segment: Segment): Promise<void> {
  for (const { path } of segment.files) await rm(join(root, path), { force: true });
}

/** The segments' files of a table, as full paths. */
export function filesOf(root: string, segments: Iterable<Segment>, table: TableName): readonly string[] {
  const paths: string[] = [];
  for (const { files } of segments) {
    for (const file of files) if (file.table === table) paths.push(join(root, file.path));
  }
  return paths;
}

/** A column's name in SQL; those of ours are lower-case words, but some are also words of SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
