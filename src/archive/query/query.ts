/** A stranger's SQL over an archive: it reads the archive's tables, and can neither read nor write anything else. */

import { Engine, engineWords, sqlFiles, sqlText } from "../engine.js";
import { ArchiveError, TABLE_NAMES, TABLES, type TableName } from "../format.js";
import type { Archive } from "../store/archive.js";
import { DUCKDB_TYPES, parquetRows } from "../store/parquet.js";
import { filesOf, quoteName } from "../store/segments.js";

export interface QueryColumn {
  readonly name: string;
  /** As DuckDB calls it: BIGINT, VARCHAR. */
  readonly type: string;
}

/** What a cell can be; all else becomes its text. */
export type QueryValue = string | number | bigint | boolean | null;

export interface QueryAnswer {
  readonly columns: readonly QueryColumn[];
  readonly rows: AsyncIterable<readonly QueryValue[]>;
}

/** Makes a view of each table, of its sound files. */
async function createViews(engine: Engine, archive: Archive, sql: string | null): Promise<readonly string[]> {
  const all: string[] = [];
  const asked = sql === null ? TABLE_NAMES : tablesOf(engine, sql);
  const segments = await archive.sound((await archive.snapshot()).segments.values(), asked);
  for (const table of TABLE_NAMES) {
    const files = filesOf(archive.root, segments, table);
    all.push(...files);
    await engine.run(`CREATE OR REPLACE VIEW ${table} AS ${viewSelect(table, files)}`);
  }
  return all;
}

/** The tables that a statement may read: those that it names. All, if the engine cannot list them. */
function tablesOf(engine: Engine, sql: string): readonly TableName[] {
  // query() and query_table() take a name as text.
  if (/\bquery(?:_table)?\s*\(/i.test(sql)) return TABLE_NAMES;
  try {
    const named = engine.connection.getTableNames(sql, false).map((name) => name.toLowerCase());
    const known = TABLE_NAMES.filter((table) => named.includes(table));
    // DESCRIBE and its kind name no table there.
    return known.length === 0 ? TABLE_NAMES : known;
  } catch {
    return TABLE_NAMES;
  }
}

function viewSelect(table: TableName, files: readonly string[]): string {
  const columns = TABLES[table];
  if (files.length === 0) {
    const none = columns.map(({ name, kind }) => `CAST(NULL AS ${DUCKDB_TYPES[kind]}) AS ${quoteName(name)}`);
    return `SELECT ${none.join(", ")} WHERE false`;
  }
  const names = columns.map(({ name }) => quoteName(name)).join(", ");
  return `SELECT ${names} FROM ${parquetRows(files, table)}`;
}

/**
 * Opens an engine that holds the views for `sql` (null: for any statement) and is then closed to the world: it reads
 * the archive's sound files and writes `output` if that is given, no other file, network, extension or setting, and
 * that cannot be undone from SQL. `archive.damage` names the files that it leaves out.
 */
export async function openForQueries(archive: Archive, sql: string | null, output: string | null): Promise<Engine> {
  const engine = await Engine.open();
  try {
    const files = await createViews(engine, archive, sql);
    await engine.run(`SET allowed_paths = ${sqlFiles(output === null ? files : [...files, output])}`);
    await engine.run("SET enable_external_access = false");
    await engine.run("SET lock_configuration = true");
    return engine;
  } catch (error) {
    engine.close();
    throw error;
  }
}

/** Blanks, comments and semicolons. */
const NOTHING = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/;

/** Throws `ArchiveError` if the text is not one statement that only reads. */
async function checkReadOnly(engine: Engine, sql: string): Promise<void> {
  const { StatementType } = engine.duckdb;
  // The engine has no words for it.
  if (NOTHING.test(sql)) throw new ArchiveError("found no statement, expected one");
  try {
    const statements = await engine.connection.extractStatements(sql);
    if (statements.count !== 1) throw new ArchiveError(`found ${statements.count} statements, expected one`);
    const prepared = await statements.prepare(0);
    const type = prepared.statementType;
    prepared.destroySync();
    if (type !== StatementType.SELECT && type !== StatementType.EXPLAIN) {
      throw new ArchiveError(
        `found a statement of kind ${StatementType[type]}, expected SELECT: an archive is only read`,
      );
    }
  } catch (error) {
    throw error instanceof ArchiveError ? error : new ArchiveError(engineWords(error));
  }
}

export async function runQuery(engine: Engine, sql: string): Promise<QueryAnswer> {
  await checkReadOnly(engine, sql);
  let result: Awaited<ReturnType<Engine["connection"]["stream"]>>;
  try {
    result = await engine.connection.stream(sql);
  } catch (error) {
    throw new ArchiveError(engineWords(error));
  }
  const names = result.deduplicatedColumnNames();
  const types = result.columnTypes();
  const columns = names.map((name, i) => ({ name, type: String(types[i]) }));
  const rows = async function* (): AsyncGenerator<readonly QueryValue[]> {
    try {
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        const cells = chunk.getColumns();
        for (let i = 0; i < chunk.rowCount; i += 1) yield cells.map((column) => cellOf(column[i]));
      }
    } catch (error) {
      throw new ArchiveError(engineWords(error));
    }
  };
  return { columns, rows: rows() };
}

function cellOf(value: unknown): QueryValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return String(value);
}

/** Writes the answer as one Parquet file. */
export async function queryToParquet(engine: Engine, sql: string, output: string): Promise<void> {
  await checkReadOnly(engine, sql);
  // As a view, so that it need not stand in parentheses, which it could try to end.
  await engine.run(`CREATE OR REPLACE TEMP VIEW answer AS ${sql}`);
  await engine.run(`COPY (FROM answer) TO ${sqlText(output)} (FORMAT parquet, COMPRESSION zstd)`);
}
