/** ClickHouse's engine, npm's chdb: 546 MB, so installed from test-packages/chdb only with BLACKOUT_CHDB=1. */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Refusal, type StandInEngine } from "../fakes/clickhouse-stand-in.js";
import { testPackage } from "./test-package.js";

export interface ChdbSession {
  query(sql: string, format?: string): string;
  cleanup(): void;
}

/** The engine's class, or why it is not available. */
export function chdb(): (new () => ChdbSession) | string {
  if (process.env.BLACKOUT_CHDB !== "1") return "BLACKOUT_CHDB=1 installs ClickHouse's engine (546 MB) and runs this";
  const { folder, error } = testPackage("chdb", "chdb");
  if (error !== null) return error;
  return (createRequire(join(folder, "package.json"))("chdb") as { Session: new () => ChdbSession }).Session;
}

/** A query's rows, each a list of values; numbers to 12 digits, because engines add doubles in different orders. */
export function chdbRows(session: ChdbSession, sql: string): readonly (readonly unknown[])[] {
  return session
    .query(sql, "JSONEachRow")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Object.values(JSON.parse(line)).map(roundedNumber));
}

export function roundedNumber(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(12)) : value;
}

/** ClickHouse's engine behind a stand-in of its HTTP interface. */
export class ChdbEngine implements StandInEngine {
  readonly #session: ChdbSession;
  readonly #folder: string;

  /** `folder`: for the bodies of inserts. */
  constructor(session: ChdbSession, bodies: string) {
    this.#session = session;
    this.#folder = bodies;
  }

  async run(statement: string): Promise<string> {
    return this.#query(statement);
  }

  async insert(statement: string, format: string, body: Buffer): Promise<void> {
    const path = join(this.#folder, "body");
    writeFileSync(path, body);
    this.#query(`${statement} FROM INFILE '${path}' FORMAT ${format}`);
  }

  #query(sql: string): string {
    try {
      return this.#session.query(sql);
    } catch (error) {
      const text = (error as Error).message;
      const [, code = "1", message = text, type = "UNKNOWN"] =
        /Code: (\d+)\. DB::(?:\w+)?Exception: ([\s\S]*?)\. \((\w+)\)/.exec(text) ?? [];
      throw new Refusal(Number(code), type, message);
    }
  }
}
