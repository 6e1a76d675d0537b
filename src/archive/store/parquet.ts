/** Rows of a table's Parquet files, whichever release wrote them. */
import { sqlFiles } from "../engine.js";
import { TABLES, type TableName } from "../format.js";

/** DuckDB's types of the kinds of columns. */
export const DUCKDB_TYPES = { text: "VARCHAR", int: "BIGINT", date: "DATE" } as const;

/**
 * What SQL reads the files by, in DuckDB. Columns that older files lack are null there. Union by name costs a look at
 * every file's footer beforehand, so that only tables that have such columns are read so.
 */
export function parquetRows(files: readonly string[], table: TableName): string {
  return parquetAt(sqlFiles(files), table);
}

/** The same for a path, or a pattern of paths, that is SQL already. */
export function parquetAt(place: string, table: TableName): string {
  const recent = TABLES[table].filter((column) => column.recent);
  if (recent.length === 0) return `read_parquet(${place}, hive_partitioning = false)`;
  // If no file has a column, only a row of its type makes it known.
  const none = recent.map(({ name, kind }) => `CAST(NULL AS ${DUCKDB_TYPES[kind]}) AS "${name}"`).join(", ");
  return `(SELECT * FROM read_parquet(${place}, hive_partitioning = false, union_by_name = true) UNION ALL BY NAME SELECT ${none} WHERE false)`;
}
