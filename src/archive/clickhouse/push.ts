/**
 * An archive's live segments as rows of a ClickHouse server (docs/clickhouse.md). The server is brought to the
 * archive's newest commit: segments that it lacks are sent, their rows counted there, and only then a list of what is
 * live is put, which its views go by. A push that ends anywhere leaves what the views show as it was, and is made
 * again.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Engine, sqlText } from "../engine.js";
import { ArchiveError, type Segment, TABLE_NAMES, TABLES, type TableName } from "../format.js";
import type { Archive } from "../store/archive.js";
import { parquetRows } from "../store/parquet.js";
import { filesOf } from "../store/segments.js";
import { damageSentence } from "../store/soundness.js";
import type { ClickhouseServer } from "./clickhouse-server.js";
import {
  type ClickhousePlace,
  clickhouseTableNames,
  clickhouseTables,
  clickhouseText,
  listTable,
  newestListsSql,
  rowsTable,
  SEGMENT_LISTS,
  SEGMENT_LOADS,
  storedTable,
} from "./clickhouse-tables.js";

export interface PushOptions {
  readonly place: ClickhousePlace;
  /** Of the updates that are to be sent. */
  readonly onProgress: (done: number, total: number) => void;
  /** How long a query that began before may go on reading what is no longer live. */
  readonly settleMs: number;
}

export interface PushResult {
  /** What was sent. */
  readonly loaded: { readonly segments: number; readonly updates: number };
  /** Segments whose rows were deleted, as the archive has replaced or removed them. */
  readonly retired: number;
  /** The commit that the server's views show now, and its updates. */
  readonly commit: number;
  readonly updates: number;
}

/**
 * Small segments are sent together, up to this number of updates, or bytes of their files: a separate part for each
 * costs more.
 */
const TOGETHER = { updates: 50_000, bytes: 64 << 20 } as const;
/** Segments named in one statement: 1,000 take 23 kB of the 256 KiB that ClickHouse reads. */
const NAMED_AT_ONCE = 1_000;
/** Replicas behind one address may be so late with what another of them has. */
const REPLICA_TRIES = 8;

/** Brings the server to the archive's newest commit. Throws `ArchiveError`. */
export async function pushArchive(
  archive: Archive,
  server: ClickhouseServer,
  options: PushOptions,
): Promise<PushResult> {
  const { place, onProgress, settleMs } = options;
  const { id } = archive.manifest;
  if (id === null) {
    throw new ArchiveError(
      `${archive.root}: was made before archives had an id, by which a server distinguishes them; copy it into one that has: blackout archive export ARCHIVE -o NEW`,
    );
  }
  await makeTables(server, place);
  const there = await listOnServer(server, place, id);
  const snapshot = await archive.snapshot();
  if (there.commit > snapshot.number) {
    throw new ArchiveError(
      `${server.name}: holds commit ${there.commit} of this archive, which here ends at ${snapshot.number}: is this an older copy of it?`,
    );
  }
  const live = [...snapshot.segments.values()];
  const updates = live.reduce((sum, segment) => sum + segment.updates, 0);
  const wanted = live.filter((segment) => !there.segments.has(segment.id));
  if (there.commit === snapshot.number && (wanted.length > 0 || there.segments.size !== live.length)) {
    throw new ArchiveError(
      `${server.name}: holds another commit ${there.commit} of this archive than is here: a copy of it has gone on by itself; push one of them to a database of its own`,
    );
  }
  if (there.commit < snapshot.number) {
    await register(server, place, id, snapshot.number, wanted);
    if ((await archive.sound(wanted)).length < wanted.length) {
      const damaged = archive.damage.map((damage) => damageSentence(archive.root, damage));
      throw new ArchiveError([`${archive.root}: is damaged, nothing was sent`, ...damaged].join("\n"));
    }
    const total = wanted.reduce((sum, segment) => sum + segment.updates, 0);
    let done = 0;
    for (const batch of batches(wanted)) {
      onProgress(done, total);
      await load(await archive.engine(), archive.root, server, place, batch);
      done += batch.reduce((sum, segment) => sum + segment.updates, 0);
    }
    onProgress(done, total);
    await publish(server, place, id, snapshot.number, live);
  }
  const retired = await deleteRetired(server, place, id, snapshot.number, new Set(snapshot.segments.keys()), settleMs);
  return {
    loaded: { segments: wanted.length, updates: wanted.reduce((sum, segment) => sum + segment.updates, 0) },
    retired,
    commit: snapshot.number,
    updates,
  };
}

async function makeTables(server: ClickhouseServer, place: ClickhousePlace): Promise<void> {
  const found = await server.rows<{ table: string; name: string }>(
    `SELECT table, name FROM system.columns WHERE database = ${clickhouseText(place.database)}`,
  );
  const columns = new Map<string, Set<string>>();
  for (const { table, name } of found) columns.set(table, (columns.get(table) ?? new Set()).add(name));
  if (clickhouseTableNames(place).some((name) => !columns.has(name))) {
    for (const statement of clickhouseTables(place)) await server.run(statement);
    return;
  }
  for (const table of TABLE_NAMES) {
    const missing = TABLES[table].find(({ name }) => columns.get(`${table}_rows`)?.has(name) !== true);
    if (missing !== undefined) {
      throw new ArchiveError(
        `${server.name}: its table ${table}_rows has no column ${missing.name}: it was made by another version of blackout; push to a new database`,
      );
    }
  }
}

/** What the server's views show of the archive; commit 0: nothing yet. */
async function listOnServer(
  server: ClickhouseServer,
  place: ClickhousePlace,
  archive: string,
): Promise<{ readonly commit: number; readonly segments: ReadonlySet<string> }> {
  const rows = await server.rows<{ commit_number: number | string; segment: string }>(
    `SELECT DISTINCT commit_number, segment FROM ${listTable(place, SEGMENT_LISTS)} WHERE archive = ${clickhouseText(archive)} AND (archive, commit_number) IN (${newestListsSql(place)})`,
  );
  const segments = new Set(rows.map(({ segment }) => segment));
  segments.delete("");
  return { commit: Number(rows[0]?.commit_number ?? 0), segments };
}

/** Recorded before a row of them is sent, so that the remains of a killed push are found. */
async function register(
  server: ClickhouseServer,
  place: ClickhousePlace,
  archive: string,
  commit: number,
  segments: readonly Segment[],
): Promise<void> {
  if (segments.length === 0) return;
  const rows = segments.map(({ id }) => [archive, id, commit]);
  await server.insertRows(listTable(place, SEGMENT_LOADS), ["archive", "segment", "commit_number"], rows);
}

function batches(segments: readonly Segment[]): readonly (readonly Segment[])[] {
  const all: Segment[][] = [];
  let updates = Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (const segment of segments) {
    const size = segment.files.reduce((sum, file) => sum + file.bytes, 0);
    if (
      updates + segment.updates > TOGETHER.updates ||
      bytes + size > TOGETHER.bytes ||
      all.at(-1)?.length === NAMED_AT_ONCE
    ) {
      all.push([]);
      updates = 0;
      bytes = 0;
    }
    all.at(-1)?.push(segment);
    updates += segment.updates;
    bytes += size;
  }
  return all;
}

/** Sends what the server lacks of some segments, and is sure that it has it. */
async function load(
  engine: Engine,
  root: string,
  server: ClickhouseServer,
  place: ClickhousePlace,
  batch: readonly Segment[],
): Promise<void> {
  for (const table of TABLE_NAMES) {
    const concerned = batch.filter((segment) => rowsOf(segment, table) > 0);
    if (concerned.length === 0) continue;
    const before = await countRows(server, place, table, concerned);
    // A push that was killed has sent some; of one that was sent in part, the rest is sent with what is there.
    const lacking = concerned.filter((segment) => before.get(segment.id) !== rowsOf(segment, table));
    if (lacking.length === 0) continue;
    const columns = TABLES[table].map(({ name }) => name);
    const files = filesOf(root, lacking, table);
    const [only] = files;
    if (files.length === 1 && only !== undefined) {
      await server.insertParquet(rowsTable(place, table), columns, only);
    } else {
      const folder = await mkdtemp(join(tmpdir(), "blackout-push-"));
      try {
        const path = join(folder, "rows.parquet");
        await engine.run(
          `COPY (SELECT * FROM ${parquetRows(files, table)}) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd)`,
        );
        await server.insertParquet(rowsTable(place, table), columns, path);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    await expectRows(server, place, table, lacking);
  }
}

async function expectRows(
  server: ClickhouseServer,
  place: ClickhousePlace,
  table: TableName,
  segments: readonly Segment[],
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const counts = await countRows(server, place, table, segments);
    const wrong = segments.find((segment) => counts.get(segment.id) !== rowsOf(segment, table));
    if (wrong === undefined) return;
    if (tries === REPLICA_TRIES) {
      throw new ArchiveError(
        `${server.name}: has ${counts.get(wrong.id) ?? 0} rows of segment ${wrong.id} in ${table}_rows, expected ${rowsOf(wrong, table)}; its views show what they showed before. Push again; if it stays so, look at the replicas (system.replicas, system.replication_queue)`,
      );
    }
    await pause(server.patience.firstPauseMs * 2 ** (tries - 1));
  }
}

async function countRows(
  server: ClickhouseServer,
  place: ClickhousePlace,
  table: TableName,
  segments: readonly Segment[],
): Promise<ReadonlyMap<string, number>> {
  const names = segments.map(({ id }) => clickhouseText(id)).join(", ");
  const rows = await server.rows<{ segment: string; rows: number | string }>(
    `SELECT segment, count() AS rows FROM ${rowsTable(place, table)} FINAL WHERE segment IN (${names}) GROUP BY segment`,
  );
  return new Map(rows.map(({ segment, rows: count }) => [segment, Number(count)]));
}

function rowsOf(segment: Segment, table: TableName): number {
  return segment.files.find((file) => file.table === table)?.rows ?? 0;
}

/** From here on the views show this commit: a list counts once all of its rows are there. */
async function publish(
  server: ClickhouseServer,
  place: ClickhousePlace,
  archive: string,
  commit: number,
  live: readonly Segment[],
): Promise<void> {
  const ids = ["", ...live.map(({ id }) => id)];
  const rows = ids.map((segment) => [archive, commit, ids.length, segment]);
  await server.insertRows(listTable(place, SEGMENT_LISTS), ["archive", "commit_number", "segments", "segment"], rows);
}

/**
 * Deletes the rows of segments that were loaded from this commit or an earlier one, and are live no more: an archive
 * never takes up a segment again, so nobody else can be about to show them. Whatever a later commit has is let alone.
 */
async function deleteRetired(
  server: ClickhouseServer,
  place: ClickhousePlace,
  archive: string,
  commit: number,
  live: ReadonlySet<string>,
  settleMs: number,
): Promise<number> {
  const ofArchive = `archive = ${clickhouseText(archive)}`;
  const loaded = await server.rows<{ segment: string }>(
    `SELECT DISTINCT segment FROM ${listTable(place, SEGMENT_LOADS)} WHERE ${ofArchive} AND commit_number <= ${commit}`,
  );
  const retired = loaded.map(({ segment }) => segment).filter((segment) => !live.has(segment));
  if (retired.length === 0) return 0;
  await pause(settleMs);
  const on = place.cluster === null ? "" : storedTable(place, "updates").replace(/^\S+/, "");
  for (let at = 0; at < retired.length; at += NAMED_AT_ONCE) {
    const names = retired
      .slice(at, at + NAMED_AT_ONCE)
      .map(clickhouseText)
      .join(", ");
    for (const table of TABLE_NAMES) {
      await server.run(`DELETE FROM ${storedTable(place, table)} WHERE segment IN (${names})`);
    }
    await server.run(
      `DELETE FROM ${listTable(place, SEGMENT_LOADS)}${on} WHERE ${ofArchive} AND segment IN (${names})`,
    );
  }
  await server.run(
    `DELETE FROM ${listTable(place, SEGMENT_LISTS)}${on} WHERE ${ofArchive} AND commit_number < ${commit}`,
  );
  return retired.length;
}
