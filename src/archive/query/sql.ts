/**
 * The archive in SQL: views over its files for each engine, and the one percentile query, which every engine takes as
 * it is. Views are named as the tables are.
 */

import { BOUND_CONFIDENCE } from "../../analyze/cohort/distribution.js";
import { sizeForLowerBound, sizeForUpperBound } from "../../analyze/statistics/order-statistics.js";
import { PERCENTILES } from "../../model/documents/cohort.js";
import { sqlText } from "../engine.js";
import { type ArchiveColumn, type ColumnKind, SEGMENTS, TABLE_NAMES, TABLES, type TableName } from "../format.js";
import { parquetAt } from "../store/parquet.js";

export const SQL_ENGINES = ["duckdb", "clickhouse", "trino", "spark", "bigquery"] as const;
export type SqlEngine = (typeof SQL_ENGINES)[number];

/** The file that lists the live segments, relative to the archive. */
export const LIVE_SEGMENTS = `${SEGMENTS}/live.parquet`;

/** The names of the format's types in ClickHouse, which marks nullable columns. */
const CLICKHOUSE_TYPES: Readonly<Record<ColumnKind, string>> = { text: "String", int: "Int64", date: "Date32" };
const TRINO_TYPES: Readonly<Record<ColumnKind, string>> = { text: "varchar", int: "bigint", date: "date" };

/** A column's type in ClickHouse. */
export function clickhouseType({ kind, nullable }: ArchiveColumn): string {
  const type = CLICKHOUSE_TYPES[kind];
  return nullable ? `Nullable(${type})` : type;
}

export interface SqlRequest {
  /** Where the engine finds the archive: a folder, or a URL without a slash at its end. */
  readonly location: string;
  /** The keys of the archive's Hive layout. */
  readonly partitionBy: readonly string[];
  /** Trino's schema (`hive.fleet`) or BigQuery's data set (`project.fleet`). */
  readonly schema: string;
}

/**
 * Statements that make a view of each table. They see what was committed when the list of live segments was written.
 */
export function viewsSql(engine: SqlEngine, request: SqlRequest): readonly string[] {
  return [...liveSql(engine, request), ...TABLE_NAMES.flatMap((table) => viewSql(engine, request, table))];
}

const names = (table: TableName): string => TABLES[table].map(({ name }) => name).join(", ");

function liveSql(engine: SqlEngine, { location, schema }: SqlRequest): readonly string[] {
  switch (engine) {
    case "duckdb":
    case "clickhouse":
    case "spark":
      return [];
    case "trino":
      return [
        `CREATE TABLE IF NOT EXISTS ${schema}.live_segments (segment varchar)\n  WITH (external_location = ${sqlText(`${location}/${SEGMENTS}`)}, format = 'PARQUET')`,
      ];
    case "bigquery":
      return [
        `CREATE OR REPLACE EXTERNAL TABLE ${schema}.live_segments (segment STRING)\n  OPTIONS (format = 'PARQUET', uris = [${sqlText(`${location}/${LIVE_SEGMENTS}`)}])`,
      ];
  }
}

function viewSql(engine: SqlEngine, request: SqlRequest, table: TableName): readonly string[] {
  const { location, partitionBy, schema } = request;
  const folder = `${location}/${table}`;
  switch (engine) {
    case "duckdb":
      return [
        `CREATE OR REPLACE VIEW ${table} AS\n  SELECT ${names(table)}\n  FROM ${parquetAt(sqlText(`${folder}/**/*.parquet`), table)}\n  WHERE segment IN (SELECT segment FROM read_parquet(${sqlText(`${location}/${LIVE_SEGMENTS}`)}))`,
      ];
    case "clickhouse": {
      const read = (path: string, structure: string): string => {
        const source = /^https?:/.test(location) ? "s3" : "file";
        return `${source}(${sqlText(path)}, 'Parquet', ${sqlText(structure)})`;
      };
      const structure = TABLES[table].map((column) => `${column.name} ${clickhouseType(column)}`).join(", ");
      return [
        `CREATE OR REPLACE VIEW ${table} AS\n  SELECT ${names(table)}\n  FROM ${read(`${folder}/**/*.parquet`, structure)}\n  WHERE segment IN (SELECT segment FROM ${read(`${location}/${LIVE_SEGMENTS}`, "segment String")})`,
      ];
    }
    case "trino": {
      const keys = partitionBy.map(partitionColumn);
      const columns = [
        ...TABLES[table].map(({ name, kind }) => `${name} ${TRINO_TYPES[kind]}`),
        ...keys.map((key) => `${key} varchar`),
      ];
      const [catalog, inner] = schema.includes(".") ? schema.split(".", 2) : ["hive", schema];
      return [
        `CREATE TABLE IF NOT EXISTS ${schema}.${table}_files (${columns.join(", ")})\n  WITH (external_location = ${sqlText(folder)}, format = 'PARQUET', partitioned_by = ARRAY[${keys.map(sqlText).join(", ")}])`,
        `CALL ${catalog}.system.sync_partition_metadata(${sqlText(inner ?? schema)}, ${sqlText(`${table}_files`)}, 'FULL')`,
        `CREATE OR REPLACE VIEW ${schema}.${table} AS\n  SELECT ${names(table)}\n  FROM ${schema}.${table}_files\n  WHERE segment IN (SELECT segment FROM ${schema}.live_segments)`,
      ];
    }
    case "spark":
      return [
        `CREATE OR REPLACE TEMPORARY VIEW ${table} AS\n  SELECT ${names(table)}\n  FROM parquet.\`${folder}\`\n  WHERE segment IN (SELECT segment FROM parquet.\`${location}/${LIVE_SEGMENTS}\`)`,
      ];
    case "bigquery":
      return [
        `CREATE OR REPLACE EXTERNAL TABLE ${schema}.${table}_files\n  WITH PARTITION COLUMNS\n  OPTIONS (format = 'PARQUET', uris = [${sqlText(`${folder}/*`)}], hive_partition_uri_prefix = ${sqlText(folder)})`,
        `CREATE OR REPLACE VIEW ${schema}.${table} AS\n  SELECT ${names(table)}\n  FROM ${schema}.${table}_files\n  WHERE segment IN (SELECT segment FROM ${schema}.live_segments)`,
      ];
  }
}

function partitionColumn(key: string): string {
  return `by_${key.replaceAll(/[^A-Za-z0-9_]/g, "_").toLowerCase()}`;
}

export interface PercentilesRequest {
  /** Columns of `buckets` that divide the answer. */
  readonly by: readonly string[];
  /** A condition on `buckets`. */
  readonly where: string;
}

/** z of 95 %. */
const Z = 1.6448536269514722;
/** (z² − 1) / 6, the skewness term of Cornish and Fisher's expansion (1938) of the binomial's quantile. */
const SKEW = (Z * Z - 1) / 6;

/**
 * The ranks of the order statistics that bound a percentile from below and above, each with at least 95 %: by Cornish
 * and Fisher's expansion, widened by one rank, so that they are never surer than the exact ones and at most three ranks
 * wider (a test holds that for all sizes up to 3,000 and for larger ones). Null: no value of so few bounds it.
 */
export function boundRanks(
  n: number,
  perMille: number,
): { readonly lower: number | null; readonly upper: number | null } {
  const p = perMille / 1000;
  const mean = n * p;
  const reach = Z * Math.sqrt(n * p * (1 - p));
  const skew = SKEW * (1 - 2 * p);
  return {
    lower: n < sizeForLowerBound(p, BOUND_CONFIDENCE) ? null : Math.max(1, Math.floor(mean - reach + skew - 0.5)),
    upper: n < sizeForUpperBound(p, BOUND_CONFIDENCE) ? null : Math.min(n, Math.ceil(mean + reach + skew + 1.5)),
  };
}

/**
 * Percentiles of any selection of `buckets`, in SQL that DuckDB, ClickHouse, Trino, Spark and BigQuery all take. The
 * value is what hdr-histogram-js answers for the same values: the highest value of the bucket that the rank falls in.
 * The bounds are the outer ends of the buckets of `boundRanks`; null if no value bounds the percentile (as many
 * updates as `needed` would), and for vm-blackout, as the VMs of one update are not independent.
 */
export function percentilesSql({ by, where }: PercentilesRequest): string {
  const keys = [...by, "measure"].join(", ");
  const wanted = PERCENTILES.map((percentile, i) => {
    const perMille = Math.round(percentile * 10);
    const p = perMille / 1000;
    const lower = sizeForLowerBound(p, BOUND_CONFIDENCE);
    const upper = sizeForUpperBound(p, BOUND_CONFIDENCE);
    const as = (name: string): string => (i === 0 ? ` AS ${name}` : "");
    const variance = Math.round(p * (1 - p) * 1e6) / 1e6;
    return `  SELECT ${perMille}${as("per_mille")}, ${upper}${as("needed")}, ${lower}${as("needed_below")}, ${variance}e0${as("variance")}, ${(SKEW * (1 - 2 * p)).toFixed(6)}e0${as("skew")}`;
  });
  return `WITH selected AS (
  SELECT ${keys}, lowest_ns, highest_ns, CAST(sum(count) AS BIGINT) AS n
  FROM buckets
  WHERE ${where}
  GROUP BY ${keys}, lowest_ns, highest_ns
), cumulated AS (
  SELECT ${keys}, lowest_ns, highest_ns,
    CAST(sum(n) OVER (PARTITION BY ${keys} ORDER BY highest_ns ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS upto,
    CAST(sum(n) OVER (PARTITION BY ${keys}) AS BIGINT) AS total
  FROM selected
), wanted AS (
${wanted.join(" UNION ALL\n")}
), ranked AS (
  SELECT ${keys}, lowest_ns, highest_ns, upto, total, per_mille, needed,
    ceil(total * per_mille / 1000e0) AS rank_at,
    CASE WHEN total >= needed_below AND measure <> 'vm-blackout'
      THEN greatest(1e0, floor(total * per_mille / 1000e0 - ${Z}e0 * sqrt(total * variance) + skew - 0.5e0)) END AS rank_below,
    CASE WHEN total >= needed AND measure <> 'vm-blackout'
      THEN least(total * 1e0, ceil(total * per_mille / 1000e0 + ${Z}e0 * sqrt(total * variance) + skew + 1.5e0)) END AS rank_above
  FROM cumulated CROSS JOIN wanted
)
SELECT ${keys}, per_mille / 10e0 AS percentile, total AS n,
  min(CASE WHEN upto >= rank_at THEN highest_ns END) AS value_ns,
  min(CASE WHEN upto >= rank_below THEN lowest_ns END) AS above_ns,
  min(CASE WHEN upto >= rank_above THEN highest_ns END) AS below_ns,
  needed
FROM ranked
GROUP BY ${keys}, per_mille, total, needed
ORDER BY ${keys}, percentile`;
}
