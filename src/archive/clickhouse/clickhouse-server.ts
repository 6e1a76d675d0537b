/** A ClickHouse server over its HTTP interface: statements that may be sent again, and errors for people. */
import { createReadStream } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { ClickHouseClient } from "@clickhouse/client";
import { MissingPackage } from "../../base/missing-package.js";
import { err, ok, type Result } from "../../base/result.js";
import { firstLine } from "../engine.js";
import { ArchiveError } from "../format.js";

async function loadClient(): Promise<typeof import("@clickhouse/client")> {
  try {
    return await import("@clickhouse/client");
  } catch (error) {
    throw new MissingPackage("@clickhouse/client", "archive push", firstLine(error));
  }
}

export interface ClickhouseAddress {
  /** Without user, password, database and settings. */
  readonly url: string;
  readonly database: string;
  readonly user: string;
  /** Never printed. */
  readonly password: string;
  /** ClickHouse's settings for every statement, as the URL gives them. */
  readonly settings: Readonly<Record<string, string>>;
}

const DEFAULT_DATABASE = "blackout";

/**
 * The address of `--clickhouse`: `http[s]://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?SETTING=VALUE&…]`, or `env:NAME`
 * if the URL is a secret. User and password may be in CLICKHOUSE_USER and CLICKHOUSE_PASSWORD instead. The error is
 * a sentence that repeats no secret.
 */
export function clickhouseAddress(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Result<ClickhouseAddress, string> {
  const variable = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)?.[1];
  const given = variable === undefined ? text : (env[variable] ?? "");
  const what = variable === undefined ? "--clickhouse" : `the environment variable ${variable}`;
  const expected = "expected a URL like https://user@host:8443/fleet, of ClickHouse's HTTP interface";
  let url: URL;
  let parts: readonly string[];
  try {
    url = new URL(given);
    parts = [url.username, url.password, url.pathname.replace(/^\/|\/$/g, "")].map(decodeURIComponent);
  } catch {
    return err(given === "" ? `${what} is empty, ${expected}` : `${what} is not a URL, ${expected}`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return err(`${what} begins with ${url.protocol}, ${expected}`);
  }
  const [user = "", password = "", database = ""] = parts;
  const own = ["user", "password", "database", "query"].find((name) => url.searchParams.has(name));
  if (own !== undefined) return err(`${what} has a parameter ${own}, which is not a setting, ${expected}`);
  if (/[/\0]/.test(database)) return err(`${what} names a path, expected one word, the database`);
  const port = url.port === "" ? (url.protocol === "https:" ? "8443" : "8123") : url.port;
  return ok({
    url: `${url.protocol}//${url.hostname}:${port}`,
    database: database === "" ? DEFAULT_DATABASE : database,
    user: user === "" ? (env.CLICKHOUSE_USER ?? "default") : user,
    password: password === "" ? (env.CLICKHOUSE_PASSWORD ?? "") : password,
    settings: Object.fromEntries(url.searchParams),
  });
}

export interface Patience {
  readonly attempts: number;
  /** Before the second attempt; doubled each time. */
  readonly firstPauseMs: number;
  /** For which the server may say nothing. */
  readonly timeoutMs: number;
}

/** An insert answers when it is merged into a part and, on a cluster, on its shard: that may take minutes. */
const DEFAULT_PATIENCE: Patience = { attempts: 5, firstPauseMs: 500, timeoutMs: 300_000 };

/**
 * Refusals that may be of the moment: TIMEOUT_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, SOCKET_TIMEOUT, NETWORK_ERROR,
 * MEMORY_LIMIT_EXCEEDED, TABLE_IS_READ_ONLY, TOO_MANY_PARTS, ALL_CONNECTION_TRIES_FAILED, UNKNOWN_STATUS_OF_INSERT,
 * KEEPER_EXCEPTION (ClickHouse, src/Common/ErrorCodes.cpp). All others stay what they are.
 */
const OF_THE_MOMENT: ReadonlySet<string> = new Set(
  [159, 202, 209, 210, 241, 242, 252, 279, 319, 999].map((code) => String(code)),
);

const ADVICE: Readonly<Record<string, string>> = {
  AUTHENTICATION_FAILED: "give the user in the URL or CLICKHOUSE_USER, and the password in CLICKHOUSE_PASSWORD",
  REQUIRED_PASSWORD: "give the password in CLICKHOUSE_PASSWORD",
  ACCESS_DENIED:
    "grant the user SELECT, INSERT and ALTER DELETE on the database; tables that the user may not make, somebody else makes of what --print-ddl prints",
  READONLY: "the user may only read: push as one who may write",
  CLUSTER_DOESNT_EXIST: "--cluster is a name of the server's remote_servers: SELECT cluster FROM system.clusters",
  NO_ELEMENTS_IN_CONFIG: "on a cluster, the servers' configuration has the macros shard and replica, and a keeper",
  UNKNOWN_SETTING: "the URL's parameters are settings of ClickHouse",
};

/** Throws `ArchiveError` in sentences. Every statement given to it must be harmless to repeat: it may be sent again. */
export class ClickhouseServer {
  readonly #client: ClickHouseClient;
  #hasAnswered = false;

  private constructor(
    readonly address: ClickhouseAddress,
    readonly patience: Patience,
    client: ClickHouseClient,
  ) {
    this.#client = client;
  }

  /** Loads the client only here. Nothing is sent yet. */
  static async open(address: ClickhouseAddress, patience = DEFAULT_PATIENCE): Promise<ClickhouseServer> {
    const { ClickHouseLogLevel, createClient } = await loadClient();
    const client = createClient({
      url: address.url,
      // No database: the one that is pushed to may not be there yet. All names are written with theirs.
      username: address.user,
      password: address.password,
      application: "blackout",
      request_timeout: patience.timeoutMs,
      log: { level: ClickHouseLogLevel.OFF },
      clickhouse_settings: {
        // An insert is acknowledged when it is stored, on a cluster on its shard.
        async_insert: 0,
        insert_distributed_sync: 1,
        // By hash of a block: it would drop rows that come again after they were deleted. Here the tables remove
        // duplicates.
        insert_deduplicate: 0,
        ...address.settings,
      },
    });
    return new ClickhouseServer(address, patience, client);
  }

  /** `https://host:8443/fleet`: for people. */
  get name(): string {
    return `${this.address.url}/${this.address.database}`;
  }

  async rows<T>(sql: string): Promise<readonly T[]> {
    return await this.#again(async () => {
      const answer = await this.#client.query({ query: sql, format: "JSONEachRow" });
      return await answer.json<T>();
    });
  }

  async run(sql: string): Promise<void> {
    await this.#again(async () => await this.#client.command({ query: sql }));
  }

  async insertRows(table: string, columns: readonly string[], rows: readonly (readonly unknown[])[]): Promise<void> {
    const [first, ...rest] = columns as readonly [string, ...string[]];
    await this.#again(
      async () =>
        await this.#client.insert({
          table,
          columns: [first, ...rest],
          values: rows as unknown[][],
          format: "JSONCompactEachRow",
        }),
    );
  }

  /** Streams a Parquet file as it is; its columns are found by their names. */
  async insertParquet(table: string, columns: readonly string[], path: string): Promise<void> {
    const [first, ...rest] = columns as readonly [string, ...string[]];
    await this.#again(async () => {
      const values = createReadStream(path, { highWaterMark: 1 << 18 });
      try {
        await this.#client.insert({ table, columns: [first, ...rest], values, format: "Parquet" });
      } finally {
        values.destroy();
      }
    });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #again<T>(work: () => Promise<T>): Promise<T> {
    const { attempts, firstPauseMs } = this.patience;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await work();
        this.#hasAnswered = true;
        return answer;
      } catch (error) {
        if (attempt < attempts && mayHelpToRepeat(error, this.#hasAnswered)) {
          await pause(firstPauseMs * 2 ** (attempt - 1));
          continue;
        }
        throw new ArchiveError(this.#sentenceOf(error, attempt), { cause: error });
      }
    }
  }

  #sentenceOf(error: unknown, attempts: number): string {
    const { url, password } = this.address;
    const { type, code } = error as { readonly type?: string; readonly code?: string };
    const tried = attempts > 1 ? ` (${attempts} attempts)` : "";
    const words = firstLine(error).trim().slice(0, 500);
    const said = password === "" ? words : words.replaceAll(password, "***");
    if (type !== undefined) {
      const advice = ADVICE[type];
      return `${url} refused${tried}: ${said} (${type})${advice === undefined ? "" : `; ${advice}`}`;
    }
    if (/Port \d+ is for clickhouse-client/.test(words)) {
      return `${url} is ClickHouse's native port: name that of HTTP (8123; with TLS 8443)`;
    }
    const about =
      code === "ECONNREFUSED" || code === "ENOTFOUND"
        ? "nothing answers there; is it the port of ClickHouse's HTTP interface (8123; with TLS 8443)?"
        : code !== undefined && /CERT|SELF_SIGNED|ISSUER/.test(code)
          ? "its certificate is not trusted; name its authority's file in NODE_EXTRA_CA_CERTS"
          : said === ""
            ? "the connection failed"
            : said;
    return `${url} did not answer as ClickHouse does${tried}: ${about}${code === undefined ? "" : ` (${code})`}`;
  }
}

function mayHelpToRepeat(error: unknown, hasAnswered: boolean): boolean {
  const { type, code = "" } = error as { readonly type?: string; readonly code?: string };
  if (type !== undefined) return OF_THE_MOMENT.has(code);
  // A server that has answered may be starting again.
  if (code === "ENOTFOUND" || code === "ECONNREFUSED") return hasAnswered;
  return !/CERT|SELF_SIGNED|ISSUER|EPROTO|HPE_/.test(code);
}
