/**
 * DuckDB's and ClickHouse's answers are equal on every query of the docs, over the same files. ClickHouse's engine is
 * npm's chdb, 546 MB: installed from test-packages/chdb, and only where BLACKOUT_CHDB=1 asks for it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { chdb, chdbRows, roundedNumber } from "../../testing/oracles/chdb.js";
import { documentedQueries, fleetSamples } from "../../testing/samples/fleet.js";
import { madeSample } from "../../testing/samples/samples.js";
import { openForQueries, runQuery } from "../query/query.js";
import { viewsSql } from "../query/sql.js";
import { openArchive } from "../store/archive.js";
import { publishLive } from "../upkeep/live.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-clickhouse-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("ClickHouse and DuckDB answer alike", async (t) => {
  const Engine = chdb();
  if (typeof Engine === "string") return t.skip(Engine);
  const archive = await openArchive(join(folder, "it's a fleet"), {});
  // Hundreds of made ones beside the real ones, so that percentiles have bounds; some of several VMs, some of no date.
  const made = Array.from({ length: 700 }, (_, i) => {
    const ms = 3 + ((i * 7919) % 1_000) / 7;
    const vms = Array.from({ length: i % 3 }, (_, v) => ({ id: `vm ${v}`, durationNs: Math.round(ms * 1e6) - v }));
    return madeSample(ms, {
      name: `m${i}`,
      host: `host-${i % 5}`,
      vms,
      takenAtMs: i % 50 === 0 ? null : Date.UTC(2026, 8, 1 + (i % 60)),
    });
  });
  await archive.add([...(await fleetSamples()), ...made]);
  await publishLive(await archive.engine(), archive.root, await archive.snapshot());
  const session = new Engine();
  const duckdb = await openForQueries(archive, null, null);
  try {
    for (const sql of viewsSql("clickhouse", { location: archive.root, partitionBy: [], schema: "" }))
      session.query(sql);
    const queries = [...documentedQueries().values()];
    assert.ok(queries.length >= 8);
    for (const table of ["updates", "phases", "vms", "causes", "buckets", "defects"]) {
      const columns =
        table === "updates"
          ? "blackout_ns"
          : table === "buckets"
            ? "count"
            : table === "defects"
              ? "count"
              : "duration_ns";
      queries.push(
        `SELECT count(*) AS rows, CAST(sum(${columns}) AS BIGINT) AS total, min(day) AS first, max(day) AS last FROM ${table}`,
      );
    }
    for (const sql of queries) {
      const theirs = chdbRows(session, sql);
      const ours: unknown[] = [];
      for await (const row of (await runQuery(duckdb, sql)).rows) ours.push(row.map(roundedNumber));
      assert.ok(ours.length > 0, sql);
      assert.deepEqual(theirs, ours, sql);
    }
    t.diagnostic(`${queries.length} queries answered alike`);
  } finally {
    session.cleanup();
    duckdb.close();
    archive.close();
  }
});
