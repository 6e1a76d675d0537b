/** DuckDB, embedded: loaded when an archive first needs it, so that no other command waits for its 70 MB. */
import { randomBytes } from "node:crypto";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance, DuckDBType, DuckDBValue } from "@duckdb/node-api";
import { MissingPackage } from "../base/missing-package.js";
import { ArchiveError, type ColumnKind } from "./format.js";

export type DuckDb = typeof import("@duckdb/node-api");

/** The DuckDB package; throws `MissingPackage` if it, or its binding for this platform, is not installed. */
async function loadDuckDb(): Promise<DuckDb> {
  try {
    return await import("@duckdb/node-api");
  } catch (error) {
    throw new MissingPackage("@duckdb/node-api", "an archive", firstLine(error));
  }
}

export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] as string;
}

/** DuckDB's own words, with the place; they name what was meant. */
export function engineWords(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trimEnd();
}

export interface EngineLimits {
  readonly memoryMiB: number;
  readonly threads: number;
}

/** What an archive takes of its machine: half of the 1 GiB that it promises to stay under, and two cores. */
const DEFAULT_ENGINE_LIMITS: EngineLimits = { memoryMiB: 640, threads: Math.min(2, availableParallelism()) };

/** Rows that DuckDB takes at once. */
const CHUNK_ROWS = 2048;

/** Columns of one table, each a list as long as the others. */
export interface ColumnData {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly values: readonly (string | number | null)[];
}

/** One database in memory and one connection to it. */
export class Engine {
  private constructor(
    readonly duckdb: DuckDb,
    readonly instance: DuckDBInstance,
    readonly connection: DuckDBConnection,
  ) {}

  static async open(limits: EngineLimits = DEFAULT_ENGINE_LIMITS): Promise<Engine> {
    const duckdb = await loadDuckDb();
    const instance = await duckdb.DuckDBInstance.create(":memory:", {
      memory_limit: `${limits.memoryMiB}MiB`,
      threads: String(limits.threads),
      // Nothing is fetched from anywhere, whatever a query names.
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
      temp_directory: join(tmpdir(), `blackout-${process.pid}-${randomBytes(4).toString("hex")}`),
      preserve_insertion_order: "false",
      allocator_background_threads: "false",
    });
    return new Engine(duckdb, instance, await instance.connect());
  }

  /** Throws `ArchiveError` in the engine's own words, as every method here. */
  async run(sql: string): Promise<void> {
    await told(async () => await this.connection.run(sql));
  }

  /** Rows as objects; 64-bit integers as numbers, which all of the archive's are exact as. */
  async rows<T>(sql: string): Promise<T[]> {
    const result = await told(async () => await this.connection.runAndReadAll(sql));
    const names = result.columnNames();
    const columns = result.getColumns();
    const rows: T[] = [];
    for (let i = 0; i < result.currentRowCount; i += 1) {
      const row: Record<string, unknown> = {};
      for (let c = 0; c < names.length; c += 1) {
        const value = columns[c]?.[i];
        row[names[c] as string] = typeof value === "bigint" ? Number(value) : value;
      }
      rows.push(row as T);
    }
    return rows;
  }

  /** A new temporary table of these columns. */
  async createTable(table: string, columns: readonly ColumnData[]): Promise<void> {
    const { duckdb } = this;
    const types = columns.map(({ kind }) => typeOf(duckdb, kind));
    const definitions = columns.map(({ name }, i) => `"${name}" ${types[i]}`);
    await this.run(`CREATE OR REPLACE TEMP TABLE ${table} (${definitions.join(", ")})`);
    const rows = columns[0]?.values.length ?? 0;
    if (rows === 0) return;
    const appender = await this.connection.createAppender(table, "main", "temp");
    try {
      const chunk = duckdb.DuckDBDataChunk.create(types, CHUNK_ROWS);
      for (let at = 0; at < rows; at += CHUNK_ROWS) {
        chunk.rowCount = Math.min(CHUNK_ROWS, rows - at);
        for (const [c, { kind, values }] of columns.entries()) {
          const part = values.slice(at, at + CHUNK_ROWS);
          chunk.setColumnValues(c, kind === "text" ? part : part.map((value) => engineValue(duckdb, kind, value)));
        }
        appender.appendDataChunk(chunk);
      }
    } finally {
      appender.closeSync();
    }
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}

/** What the engine says where a file is cut, changed or gone; its other refusals are of the SQL, a user's condition. */
const OF_FILES = /^(?:IO|Invalid|Invalid Input|Serialization) Error: /;

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const words = engineWords(cause);
    if (!OF_FILES.test(words)) throw new ArchiveError(words, { cause });
    const advice = "blackout archive verify names the files that are damaged or missing";
    throw new ArchiveError(`${firstLine(cause)} (${advice})`, { cause });
  }
}

function typeOf(duckdb: DuckDb, kind: ColumnKind): DuckDBType {
  switch (kind) {
    case "text":
      return duckdb.VARCHAR;
    case "int":
      return duckdb.BIGINT;
    case "date":
      return duckdb.DATE;
  }
}

function engineValue(duckdb: DuckDb, kind: ColumnKind, value: string | number | null): DuckDBValue {
  if (value === null) return null;
  return kind === "date" ? new duckdb.DuckDBDateValue(value as number) : BigInt(value);
}

/** A text in SQL: every engine doubles the quote, and none interprets backslashes here unless noted. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A list of files for read_parquet. */
export function sqlFiles(paths: readonly string[]): string {
  return `[${paths.map(sqlText).join(", ")}]`;
}
