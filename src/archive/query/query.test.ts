import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { madeSample } from "../../testing/samples/samples.js";
import { TABLES } from "../format.js";
import { openArchive } from "../store/archive.js";
import { openForQueries, queryToParquet, runQuery } from "./query.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-query-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("SQL of strangers reads the archive, and reaches nothing else", async () => {
  const path = join(folder, "a");
  const archive = await openArchive(path, {});
  await archive.add([madeSample(5)]);
  const secret = join(folder, "secret.csv");
  writeFileSync(secret, "a\n1\n");
  const commit = join(path, "commits", readdirSync(join(path, "commits"))[0]!);
  const [data = ""] = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".parquet"),
  );
  const engine = await openForQueries(archive, null, null);
  archive.close();
  const rows = async (sql: string): Promise<unknown[]> => {
    const all: unknown[] = [];
    for await (const row of (await runQuery(engine, sql)).rows) all.push(row);
    return all;
  };
  assert.deepEqual(await rows("SELECT count(*), min(blackout_ns) FROM updates -- comment"), [[1, 5_000_000]]);
  assert.equal((await rows("DESCRIBE causes")).length, TABLES.causes.length);
  assert.equal((await rows("FROM defects;")).length, 0);
  const refused = [
    `SELECT * FROM read_text('${secret}')`,
    `SELECT * FROM '${secret}'`,
    `SELECT * FROM read_json('${commit}')`,
    `SELECT * FROM glob('${folder}/*')`,
    `COPY updates TO '${join(folder, "out.csv")}'`,
    `COPY (SELECT 1 AS x) TO '${join(path, data)}' (FORMAT parquet)`,
    `EXPORT DATABASE '${join(folder, "out")}'`,
    `ATTACH '${join(folder, "out.db")}'`,
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM 'https://example.com/x.parquet'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET allowed_paths",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CREATE TABLE x (a INT)",
    "DROP VIEW updates",
    "DELETE FROM updates",
    "SELECT 1; SELECT 2",
    "",
    " ; ",
    "-- nothing\n/* here */",
    "SELECT * FROM updates WHERE nme = 'x'",
  ];
  for (const sql of refused) await assert.rejects(rows(sql), { name: "ArchiveError" }, sql);
  await assert.rejects(rows("SELECT nme FROM updates"), /Candidate bindings: "name"/);
  await assert.rejects(rows(" ; "), /found no statement, expected one/);
  assert.deepEqual(readdirSync(folder).sort(), ["a", "secret.csv"]);
  engine.close();
  const output = join(folder, "answer.parquet");
  const writing = await openForQueries(archive, null, output);
  await assert.rejects(queryToParquet(writing, `SELECT 1) TO '${join(folder, "x")}' --`, output), /syntax error/i);
  await queryToParquet(writing, "SELECT name FROM updates; -- the end", output);
  assert.ok(existsSync(output));
  writing.close();
});
