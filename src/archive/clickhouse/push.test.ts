/**
 * Pushing to a stand-in of ClickHouse's HTTP interface: before a model of its tables always, before ClickHouse's own
 * engine (npm's chdb) if BLACKOUT_CHDB=1 asks for it. What is there is counted by what the views go by.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, type TestContext } from "node:test";
import { seededRandom } from "../../base/numbers/random.js";
import {
  ModelEngine,
  Refusal,
  type ServerFault,
  type StandInEngine,
  type StandInRequest,
  startStandIn,
} from "../../testing/fakes/clickhouse-stand-in.js";
import { ChdbEngine, chdb, chdbRows, roundedNumber } from "../../testing/oracles/chdb.js";
import { documentedQueries, fleetSamples } from "../../testing/samples/fleet.js";
import { causeOf, madeSample } from "../../testing/samples/samples.js";
import { TABLE_NAMES } from "../format.js";
import { openForQueries, runQuery } from "../query/query.js";
import { type Archive, openArchive } from "../store/archive.js";
import { compactArchive, removeUpdates } from "../upkeep/compact.js";
import { ClickhouseServer, clickhouseAddress } from "./clickhouse-server.js";
import { clickhouseTables, newestListsSql, rowsTable } from "./clickhouse-tables.js";
import { type PushResult, pushArchive } from "./push.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-push-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const PLACE = { database: "fleet", cluster: null } as const;
let places = 0;

function nextPlace(): string {
  places += 1;
  return String(places);
}

interface Bench {
  readonly archive: Archive;
  readonly requests: StandInRequest[];
  readonly server: ClickhouseServer;
  /** Rows by table that the views show, and those that are stored in all. */
  count(): Promise<{ readonly shown: readonly number[]; readonly stored: readonly number[] }>;
  push(from?: Archive): Promise<PushResult>;
  fault: (request: StandInRequest) => ServerFault;
}

const ENGINES = ["model", "chdb"] as const;

/** The same test before both engines. */
function both(name: string, run: (bench: Bench, t: TestContext) => Promise<void>): void {
  for (const kind of ENGINES) {
    test(`${name} (${kind})`, async (t) => {
      const bodies = mkdtempSync(join(folder, "bodies-"));
      let engine: StandInEngine;
      let end: () => void;
      if (kind === "model") {
        const model = await ModelEngine.open(bodies);
        engine = model;
        end = () => model.engine.close();
      } else {
        const Session = chdb();
        if (typeof Session === "string") return t.skip(Session);
        const session = new Session();
        engine = new ChdbEngine(session, bodies);
        end = () => session.cleanup();
      }
      const standIn = await startStandIn(engine, (request) => bench.fault(request));
      const server = await ClickhouseServer.open(
        { url: standIn.url, database: "fleet", user: "loader", password: "s3cret", settings: {} },
        { attempts: 3, firstPauseMs: 1, timeoutMs: 10_000 },
      );
      const archive = await openArchive(join(folder, nextPlace()), { partitionBy: ["kernel"] });
      const one = async (sql: string): Promise<number> =>
        Number((await server.rows<{ n: number | string }>(sql))[0]?.n ?? 0);
      const bench: Bench = {
        archive,
        requests: standIn.requests,
        server,
        count: async () => {
          const before = bench.fault;
          bench.fault = () => "none";
          const shown: number[] = [];
          const stored: number[] = [];
          for (const table of TABLE_NAMES) {
            const rows = rowsTable(PLACE, table);
            const live = `SELECT segment FROM \`fleet\`.segment_lists WHERE segment <> '' AND (archive, commit_number) IN (${newestListsSql(PLACE)})`;
            shown.push(await one(`SELECT count() AS n FROM ${rows} FINAL WHERE segment IN (${live})`));
            if (kind === "chdb") assert.equal(await one(`SELECT count() AS n FROM \`fleet\`.${table}`), shown.at(-1));
            stored.push(await one(`SELECT count() AS n FROM ${rows} FINAL`));
          }
          bench.fault = before;
          return { shown, stored };
        },
        push: async (from = archive) =>
          await pushArchive(from, server, { place: PLACE, onProgress: () => {}, settleMs: 0 }),
        fault: () => "none",
      };
      try {
        await run(bench, t);
      } finally {
        await server.close();
        await standIn.close();
        archive.close();
        end();
      }
    });
  }
}

const named = (name: string, kernel = "7.3") =>
  madeSample(5, { name, kernel: { old: "7.2", new: kernel }, causes: [causeOf("x", 3), causeOf("y", 2)] });

/** Rows by table that the archive says it has. */
async function rowsIn(archive: Archive): Promise<readonly number[]> {
  const segments = [...(await archive.snapshot()).segments.values()];
  return TABLE_NAMES.map((table) =>
    segments.flatMap(({ files }) => files.filter((file) => file.table === table)).reduce((n, { rows }) => n + rows, 0),
  );
}

const isParquet = ({ statement }: StandInRequest): boolean => statement.endsWith("FORMAT Parquet");

both("what the archive holds is there once, however often it is pushed", async (bench) => {
  const { archive, requests } = bench;
  await archive.add(["a", "b", "c"].map((name) => named(name)));
  await archive.add([named("d"), named("e", "7.4")]);
  assert.deepEqual(await bench.push(), { loaded: { segments: 3, updates: 5 }, retired: 0, commit: 2, updates: 5 });
  assert.deepEqual(await bench.count(), { shown: await rowsIn(archive), stored: await rowsIn(archive) });
  // Three small segments went together: one insert a table that has rows.
  assert.equal(requests.filter(isParquet).length, (await rowsIn(archive)).filter((rows) => rows > 0).length);
  for (const { credentials, settings } of requests) {
    assert.equal(credentials, "loader:s3cret");
    assert.ok(![...settings.values()].includes("s3cret"));
    assert.deepEqual([settings.get("insert_distributed_sync"), settings.get("insert_deduplicate")], ["1", "0"]);
  }
  requests.length = 0;
  assert.deepEqual((await bench.push()).loaded, { segments: 0, updates: 0 });
  assert.deepEqual(
    requests.filter(({ statement }) => !statement.startsWith("SELECT")),
    [],
  );
  await archive.add([named("f")]);
  assert.deepEqual((await bench.push()).loaded, { segments: 1, updates: 1 });
  assert.deepEqual((await bench.count()).shown, await rowsIn(archive));
});

both("what is compacted or removed is deleted there, and nothing is shown twice meanwhile", async (bench) => {
  const { archive } = bench;
  for (const name of ["a", "b", "c"]) await archive.add([named(name)]);
  await bench.push();
  await compactArchive(archive, { graceMs: 0, nowMs: Date.now() + 86_400_000 });
  assert.deepEqual(await bench.push(), { loaded: { segments: 1, updates: 3 }, retired: 3, commit: 5, updates: 3 });
  assert.deepEqual(await bench.count(), { shown: await rowsIn(archive), stored: await rowsIn(archive) });
  await removeUpdates(archive, "name = 'b'");
  await bench.push();
  assert.deepEqual(await bench.count(), { shown: await rowsIn(archive), stored: await rowsIn(archive) });
  await removeUpdates(archive, "true");
  assert.equal((await bench.push()).updates, 0);
  assert.deepEqual((await bench.count()).stored, [0, 0, 0, 0, 0, 0]);
});

both("a push that ends anywhere changes nothing that is shown, and the next one ends it", async (bench, t) => {
  const { archive, requests } = bench;
  await archive.add([named("a")]);
  await bench.push();
  const shown = await rowsIn(archive);
  await archive.add([named("b"), named("c", "7.4")]);
  await removeUpdates(archive, "name = 'a'");
  requests.length = 0;
  let pushes = 0;
  for (let last = 0; ; last += 1) {
    // The request of this number is lost, and all after it.
    let number = 0;
    bench.fault = () => (number++ < last ? "none" : last % 2 === 0 ? "reset" : number - 1 === last ? "lost" : "reset");
    const ended = await bench.push().then(
      () => true,
      (error: Error) => {
        assert.match(error.message, /did not answer as ClickHouse does \(3 attempts\)/);
        return false;
      },
    );
    pushes += 1;
    const now = await bench.count();
    if (ended) break;
    const wanted = await rowsIn(archive);
    assert.ok([String(shown), String(wanted)].includes(String(now.shown)), `${now.shown} after ${last} requests`);
  }
  const rows = await rowsIn(archive);
  assert.deepEqual(await bench.count(), { shown: rows, stored: rows });
  assert.ok(pushes > 8);
  t.diagnostic(`${pushes} pushes, each of which ended one request later`);
});

both("what may be of the moment is tried again, and sends nothing twice that is seen twice", async (bench) => {
  const { archive, requests } = bench;
  await archive.add(["a", "b"].map((name) => named(name)));
  const faults: ServerFault[] = [
    "lost",
    "reset",
    { status: 503, text: "<html>busy</html>" },
    new Refusal(252, "TOO_MANY_PARTS", "Too many parts"),
  ];
  const seen = new Map<string, number>();
  bench.fault = ({ statement }) => {
    const times = seen.get(statement) ?? 0;
    seen.set(statement, times + 1);
    return times === 0 ? (faults[seen.size % faults.length] ?? "none") : "none";
  };
  await bench.push();
  bench.fault = () => "none";
  const rows = await rowsIn(archive);
  assert.deepEqual(await bench.count(), { shown: rows, stored: rows });
  assert.ok(requests.filter(isParquet).length > rows.filter((n) => n > 0).length);
});

both("archives share a database, and an older copy of one is refused", async (bench) => {
  const { archive } = bench;
  await archive.add([named("a")]);
  const copy = join(folder, `copy-${places}`);
  cpSync(archive.root, copy, { recursive: true });
  await archive.add([named("b")]);
  await bench.push();
  const other = await openArchive(join(folder, `other-${places}`), {});
  await other.add([named("z")]);
  await bench.push(other);
  assert.equal((await bench.count()).shown[0], 3);
  const old = await openArchive(copy);
  await assert.rejects(bench.push(old), /holds commit 2 of this archive, which here ends at 1: is this an older copy/);
  await old.add([named("c")]);
  await assert.rejects(
    bench.push(old),
    /holds another commit 2 of this archive than is here: a copy of it has gone on/,
  );
  assert.equal((await bench.count()).shown[0], 3);
  const manifest = join(copy, "archive.json");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace(/"id": "\w+",/, ""));
  const unnamed = await openArchive(copy);
  await assert.rejects(bench.push(unnamed), /was made before archives had an id.*archive export ARCHIVE -o NEW/);
  unnamed.close();
  old.close();
  other.close();
});

both(
  "any order of additions, removals, compactions and broken pushes ends in what the archive holds",
  async (bench) => {
    const { archive } = bench;
    const random = seededRandom(11);
    for (let step = 0; step < 25; step += 1) {
      switch (random.below(5)) {
        case 0:
        case 1:
          await archive.add(
            Array.from({ length: 1 + random.below(4) }, () => named(`u${random.below(30)}`, `7.${random.below(3)}`)),
          );
          break;
        case 2:
          await removeUpdates(archive, `name = 'u${random.below(30)}'`);
          break;
        case 3:
          if (random.below(2) === 0) await compactArchive(archive, { graceMs: 0, nowMs: Date.now() + 86_400_000 });
          break;
        default: {
          bench.fault = () =>
            random.below(8) === 0 ? ((["lost", "reset"] as const)[random.below(2)] ?? "none") : "none";
          await bench.push().catch(() => {});
        }
      }
    }
    bench.fault = () => "none";
    await bench.push();
    const rows = await rowsIn(archive);
    assert.deepEqual(await bench.count(), { shown: rows, stored: rows });
  },
);

both("refusals are reported as sentences, at once, and without the password", async (bench) => {
  const { archive, requests } = bench;
  await archive.add([named("a")]);
  const told = async (fault: ServerFault): Promise<string> => {
    bench.fault = () => fault;
    requests.length = 0;
    return await bench.push().then(
      () => "",
      (error: Error) => error.message,
    );
  };
  const authentication = await told(
    new Refusal(516, "AUTHENTICATION_FAILED", "loader: Authentication failed with s3cret"),
  );
  assert.match(authentication, /refused: loader: Authentication failed with \*\*\*.*CLICKHOUSE_PASSWORD$/);
  assert.equal(requests.length, 1);
  assert.match(await told({ status: 404, text: "<html>no such page</html>" }), /did not answer as ClickHouse does/);
  assert.match(
    await told({ status: 400, text: "Port 9000 is for clickhouse-client program\n" }),
    /native port: name that of HTTP \(8123/,
  );
});

test("ClickHouse answers the documented questions from its tables as DuckDB does from the files", async (t) => {
  const Session = chdb();
  if (typeof Session === "string") return t.skip(Session);
  const session = new Session();
  const standIn = await startStandIn(new ChdbEngine(session, folder));
  const address = clickhouseAddress(`${standIn.url}/fleet`, {});
  assert.ok(address.ok);
  const server = await ClickhouseServer.open(address.value);
  const archive = await openArchive(join(folder, "questions"), {});
  const made = Array.from({ length: 700 }, (_, i) =>
    madeSample(3 + ((i * 7919) % 1_000) / 7, {
      name: `m${i}`,
      host: `host-${i % 5}`,
      takenAtMs: i % 50 === 0 ? null : Date.UTC(2026, 8, 1 + (i % 60)),
      vms: Array.from({ length: i % 3 }, (_, v) => ({ id: `vm ${v}`, durationNs: 1_000_000 * (i + v) })),
    }),
  );
  await archive.add([...(await fleetSamples()), ...made]);
  await pushArchive(archive, server, { place: PLACE, onProgress: () => {}, settleMs: 0 });
  const duckdb = await openForQueries(archive, null, null);
  try {
    session.query("USE fleet");
    let asked = 0;
    for (const sql of documentedQueries().values()) {
      const theirs = chdbRows(session, sql);
      const ours: unknown[] = [];
      for await (const row of (await runQuery(duckdb, sql)).rows) ours.push(row.map(roundedNumber));
      assert.deepEqual(theirs, ours, sql);
      asked += 1;
    }
    assert.ok(asked >= 8);
    // The statements for a cluster are at least ClickHouse's language: there is no cluster here to run them on.
    for (const statement of clickhouseTables({ database: "a `b` c", cluster: "it's" })) {
      session.query(`SELECT formatQuery('${statement.replaceAll(/[\\']/g, "\\$&")}')`);
    }
  } finally {
    duckdb.close();
    await server.close();
    await standIn.close();
    archive.close();
    session.cleanup();
  }
});

test("an address is read with its user, database and settings, and secrets from the environment", () => {
  const read = (text: string, env = {}) => {
    const found = clickhouseAddress(text, env);
    return found.ok ? found.value : found.error;
  };
  assert.deepEqual(read("https://me@ch.example/fleet?insert_quorum=auto", { CLICKHOUSE_PASSWORD: "p" }), {
    url: "https://ch.example:8443",
    database: "fleet",
    user: "me",
    password: "p",
    settings: { insert_quorum: "auto" },
  });
  assert.deepEqual(read("env:CH", { CH: "http://a%40b:c%3Ad@h:1", CLICKHOUSE_USER: "no" }), {
    url: "http://h:1",
    database: "blackout",
    user: "a@b",
    password: "c:d",
    settings: {},
  });
  assert.match(String(read("env:NONE")), /^the environment variable NONE is empty, expected a URL like/);
  assert.match(String(read("clickhouse://h:9000")), /^--clickhouse begins with clickhouse:, expected/);
  assert.match(String(read("http://h/?password=x")), /^--clickhouse has a parameter password, which is not a setting/);
  assert.match(String(read("http://h/a/b")), /names a path, expected one word/);
  assert.match(String(read("http://u:hunter2%zz@h")), /^--clickhouse is not a URL, expected a URL like/);
});
