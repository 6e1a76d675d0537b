/**
 * The archive as tables of a ClickHouse server or cluster (docs/clickhouse.md): rows of any number of archives and of
 * any of their segments, and views that show those of the newest list of live segments that is whole.
 */

import { type ArchiveColumn, ROW_ORDER, TABLE_NAMES, TABLES, type TableName } from "../format.js";
import { clickhouseType } from "../query/sql.js";

export interface ClickhousePlace {
  readonly database: string;
  /** The cluster that the tables are replicated and divided over; null: one server. */
  readonly cluster: string | null;
}

/** The list of an archive's live segments as of a commit: the rows of one (archive, commit_number) are one list. */
export const SEGMENT_LISTS = "segment_lists";
/** Which segments' rows were loaded, or were about to be: what is in it and live no more is to be deleted. */
export const SEGMENT_LOADS = "segment_loads";

function columnSql(column: ArchiveColumn): string {
  const type = clickhouseType(column);
  return `${column.name} ${column.few ? `LowCardinality(${type})` : type}`;
}

/** A text in ClickHouse's SQL, where a backslash escapes. */
export function clickhouseText(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}

/** A name in ClickHouse's SQL. */
function clickhouseName(name: string): string {
  return `\`${name.replaceAll(/[\\`]/g, "\\$&")}\``;
}

/** The table that a table's rows are inserted into and counted in. */
export function rowsTable({ database }: ClickhousePlace, table: TableName): string {
  return `${clickhouseName(database)}.${table}_rows`;
}

/** The table that rows are deleted from, with the cluster that it is done on. */
export function storedTable(place: ClickhousePlace, table: TableName): string {
  const { database, cluster } = place;
  if (cluster === null) return rowsTable(place, table);
  return `${clickhouseName(database)}.${table}_local ON CLUSTER ${clickhouseName(cluster)}`;
}

/** One of the two tables that list live segments. */
export function listTable({ database }: ClickhousePlace, table: typeof SEGMENT_LISTS | typeof SEGMENT_LOADS): string {
  return `${clickhouseName(database)}.${table}`;
}

/** The names of all tables and views that `clickhouseTables` makes. */
export function clickhouseTableNames({ cluster }: ClickhousePlace): readonly string[] {
  const stored = TABLE_NAMES.flatMap((table) => (cluster === null ? [] : [`${table}_local`]));
  return [
    ...stored,
    ...TABLE_NAMES.map((table) => `${table}_rows`),
    SEGMENT_LISTS,
    SEGMENT_LOADS,
    "live_segments",
    ...TABLE_NAMES,
  ];
}

/**
 * Statements that create database, tables and views if they do not exist.
 *
 * They make a push harmless to repeat: rows are in a ReplacingMergeTree whose sorting key is the row's identity
 * (segment, update, place in it), so that a row sent twice counts once, and the views read with FINAL, so that this is
 * true even before a merge. On a cluster an update's rows are all on one shard, and the lists on every node.
 */
export function clickhouseTables(place: ClickhousePlace): readonly string[] {
  const { database, cluster } = place;
  const on = cluster === null ? "" : ` ON CLUSTER ${clickhouseName(cluster)}`;
  const named = (name: string): string => `${clickhouseName(database)}.${name}`;
  const engine = (path: "{shard}" | "all", replica: string): string =>
    cluster === null
      ? "ReplacingMergeTree"
      : `ReplicatedReplacingMergeTree('/clickhouse/tables/${path}/{database}/{table}', '${replica}')`;
  const statements = [`CREATE DATABASE IF NOT EXISTS ${clickhouseName(database)}${on}`];
  for (const table of TABLE_NAMES) {
    const columns = [...TABLES[table].map(columnSql), "INDEX by_day day TYPE minmax"];
    const order = ["segment", "update_id", ...ROW_ORDER[table]].join(", ");
    const stored = named(cluster === null ? `${table}_rows` : `${table}_local`);
    statements.push(
      `CREATE TABLE IF NOT EXISTS ${stored}${on} (\n  ${columns.join(",\n  ")}\n) ENGINE = ${engine("{shard}", "{replica}")}\nORDER BY (${order})`,
    );
    if (cluster !== null) {
      const spread = [clickhouseText(cluster), clickhouseText(database), `'${table}_local'`, "cityHash64(update_id)"];
      statements.push(
        `CREATE TABLE IF NOT EXISTS ${named(`${table}_rows`)}${on} AS ${stored}\nENGINE = Distributed(${spread.join(", ")})`,
      );
    }
  }
  const list = (name: string, columns: readonly string[], order: string): string =>
    `CREATE TABLE IF NOT EXISTS ${named(name)}${on} (\n  ${columns.join(",\n  ")}\n) ENGINE = ${engine("all", "{shard}-{replica}")}\nORDER BY (${order})`;
  statements.push(
    list(
      SEGMENT_LISTS,
      ["archive String", "commit_number Int64", "segments Int64", "segment String", "pushed_at DateTime DEFAULT now()"],
      "archive, commit_number, segment",
    ),
    list(SEGMENT_LOADS, ["archive String", "segment String", "commit_number Int64"], "archive, segment, commit_number"),
    `CREATE VIEW IF NOT EXISTS ${named("live_segments")}${on} AS\n  SELECT archive, commit_number, segment\n  FROM ${named(SEGMENT_LISTS)} FINAL\n  WHERE segment <> '' AND (archive, commit_number) IN (${newestListsSql(place)})`,
  );
  // A cluster's shards must not each ask for the list: they could see different ones.
  const within = cluster === null ? "IN" : "GLOBAL IN";
  for (const table of TABLE_NAMES) {
    const names = TABLES[table].map(({ name }) => name);
    statements.push(
      `CREATE VIEW IF NOT EXISTS ${named(table)}${on} AS\n  SELECT ${names.join(", ")}\n  FROM ${rowsTable(place, table)} FINAL\n  WHERE segment ${within} (SELECT segment FROM ${named("live_segments")})`,
    );
  }
  return statements;
}

/**
 * (archive, commit_number) of each archive's newest list that is whole: a list has `segments` rows, one with an empty
 * segment among them, so that an empty archive has a list, too.
 */
export function newestListsSql(place: ClickhousePlace): string {
  return `SELECT archive, max(commit_number) FROM (SELECT archive, commit_number FROM ${listTable(place, SEGMENT_LISTS)} GROUP BY archive, commit_number HAVING count(DISTINCT segment) = max(segments)) AS whole GROUP BY archive`;
}
