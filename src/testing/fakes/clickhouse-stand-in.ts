/**
 * ClickHouse's HTTP interface, as far as a push needs it, in front of an engine: ClickHouse's own (chdb), or, in CI, a
 * model of it in DuckDB. Requests are kept in order, and answered wrongly if a test requests it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { Engine, sqlText } from "../../archive/engine.js";
import { ROW_ORDER, TABLE_NAMES, TABLES } from "../../archive/format.js";
import { quoteName } from "../../archive/store/segments.js";

/** Runs the statements. Throws `Refusal` for statements that ClickHouse would refuse. */
export interface StandInEngine {
  /** Lines of JSON, if the statement has `FORMAT JSONEachRow`. */
  run(statement: string): Promise<string>;
  /** `statement`: without the format; `body`: a file of it. */
  insert(statement: string, format: string, body: Buffer): Promise<void>;
}

/** An error in ClickHouse's words. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

export interface StandInRequest {
  readonly statement: string;
  readonly settings: ReadonlyMap<string, string>;
  /** As the client sends them: `user:password`. */
  readonly credentials: string;
  readonly bodyBytes: number;
}

/** What is done to a request instead of answering it. `lost`: it is carried out, and the answer never arrives. */
export type ServerFault = "none" | "reset" | "lost" | { readonly status: number; readonly text: string } | Refusal;

export interface StandIn {
  readonly url: string;
  readonly requests: StandInRequest[];
  close(): Promise<void>;
}

export async function startStandIn(
  engine: StandInEngine,
  faultOf: (request: StandInRequest) => ServerFault = () => "none",
): Promise<StandIn> {
  const requests: StandInRequest[] = [];
  let turn: Promise<unknown> = Promise.resolve();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://stand-in");
    const raw = await buffer(request);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
    const inUrl = url.searchParams.get("query");
    const statement = (inUrl ?? body.toString("utf8")).trim();
    url.searchParams.delete("query");
    const credentials = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString();
    const seen = {
      statement,
      settings: new Map(url.searchParams),
      credentials,
      bodyBytes: inUrl === null ? 0 : raw.length,
    };
    requests.push(seen);
    const fault = faultOf(seen);
    if (fault === "reset") {
      request.socket.destroy();
      return;
    }
    if (fault instanceof Refusal) return refuse(response, fault);
    if (typeof fault === "object") {
      response.writeHead(fault.status).end(fault.text);
      return;
    }
    try {
      const insert = /^(INSERT INTO [\s\S]+?)\s+FORMAT (\w+)$/.exec(statement);
      let text = "";
      if (inUrl !== null && insert !== null) await engine.insert(insert[1] ?? "", insert[2] ?? "", body);
      else text = await engine.run(statement);
      if (fault === "lost") request.socket.destroy();
      else response.writeHead(200, { "content-type": "text/plain" }).end(text);
    } catch (error) {
      refuse(response, error instanceof Refusal ? error : new Refusal(1, "UNSUPPORTED_METHOD", String(error)));
    }
  };
  const server = createServer((request, response) => {
    // One after the other, as the engines here are.
    turn = turn.then(async () => await answer(request, response)).catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function refuse(response: ServerResponse, { code, type, message }: Refusal): void {
  const text = `Code: ${code}. DB::Exception: ${message}. (${type}) (version 25.8.1.1)`;
  response.writeHead(500, { "x-clickhouse-exception-code": String(code) }).end(text);
}

const DUCKDB_TYPES = { text: "VARCHAR", int: "BIGINT", date: "DATE" } as const;

/**
 * A model in DuckDB of what the tables do: a row with the sorting key of another replaces it, and is never seen twice.
 * It handles only the statements of a push; only ClickHouse's own engine can check that they are valid there.
 */
export class ModelEngine implements StandInEngine {
  #made = false;

  private constructor(
    readonly engine: Engine,
    readonly folder: string,
  ) {}

  /** `folder`: for the bodies of inserts. */
  static async open(folder: string): Promise<ModelEngine> {
    return new ModelEngine(await Engine.open(), folder);
  }

  async run(statement: string): Promise<string> {
    if (/^CREATE /.test(statement)) {
      await this.#make();
      return "";
    }
    if (statement.includes("system.columns")) return this.#made ? this.#columns() : "";
    const sql = statement
      .replace(/\s+FORMAT JSONEachRow$/, "")
      .replaceAll(/`\w+`\./g, "")
      .replaceAll(" FINAL", "");
    const rows = await this.engine.rows<Record<string, unknown>>(sql);
    return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  }

  async insert(statement: string, format: string, body: Buffer): Promise<void> {
    const into = statement.replaceAll(/`\w+`\./g, "").replace("INSERT INTO", "INSERT OR REPLACE INTO");
    const { writeFileSync } = await import("node:fs");
    const path = `${this.folder}/body`;
    writeFileSync(path, body);
    if (format === "Parquet") {
      const columns = /\(([^)]*)\)/.exec(statement)?.[1] ?? "*";
      await this.engine.run(`${into} SELECT ${columns} FROM read_parquet(${sqlText(path)})`);
      return;
    }
    const rows = body.toString("utf8").trim().split("\n");
    const values = rows.map((row) => (JSON.parse(row) as (string | number)[]).map((v) => sqlText(String(v))).join());
    await this.engine.run(`${into} VALUES ${values.map((row) => `(${row})`).join(", ")}`);
  }

  async #make(): Promise<void> {
    if (this.#made) return;
    for (const table of TABLE_NAMES) {
      const columns = TABLES[table].map(({ name, kind }) => `${quoteName(name)} ${DUCKDB_TYPES[kind]}`);
      const key = ["segment", "update_id", ...ROW_ORDER[table]].map(quoteName).join(", ");
      await this.engine.run(`CREATE TABLE ${table}_rows (${columns.join(", ")}, PRIMARY KEY (${key}))`);
    }
    await this.engine.run(
      "CREATE TABLE segment_lists (archive VARCHAR, commit_number BIGINT, segments BIGINT, segment VARCHAR, PRIMARY KEY (archive, commit_number, segment))",
    );
    await this.engine.run(
      "CREATE TABLE segment_loads (archive VARCHAR, segment VARCHAR, commit_number BIGINT, PRIMARY KEY (archive, segment, commit_number))",
    );
    this.#made = true;
  }

  #columns(): string {
    const tables = ["segment_lists", "segment_loads", "live_segments", ...TABLE_NAMES];
    const lines = tables.map((table) => ({ table, name: "archive" }));
    for (const table of TABLE_NAMES) {
      for (const { name } of TABLES[table]) lines.push({ table: `${table}_rows`, name });
    }
    return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  }
}
