import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { madeSample } from "../../testing/samples/samples.js";
import { Engine, sqlText } from "../engine.js";
import { TABLES } from "../format.js";
import { idOf } from "./document.js";
import { parquetRows } from "./parquet.js";

test("columns that older files lack are null there, whether or not a newer file has them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "blackout-parquet-"));
  const engine = await Engine.open();
  try {
    const [older, newer] = [join(folder, "older.parquet"), join(folder, "newer.parquet")];
    await engine.run(`COPY (SELECT 'a' AS update_id) TO ${sqlText(older)} (FORMAT parquet)`);
    await engine.run(
      `COPY (SELECT 'b' AS update_id, 7::BIGINT AS management_gap_ns) TO ${sqlText(newer)} (FORMAT parquet)`,
    );
    const rows = (files: readonly string[]) =>
      engine.rows(
        `SELECT update_id, CAST(management_gap_ns AS INTEGER) AS gap FROM ${parquetRows(files, "updates")} ORDER BY 1`,
      );
    assert.deepEqual(await rows([older]), [{ update_id: "a", gap: null }]);
    assert.deepEqual(await rows([older, newer]), [
      { update_id: "a", gap: null },
      { update_id: "b", gap: 7 },
    ]);
  } finally {
    engine.close();
    rmSync(folder, { recursive: true });
  }
});

test("tables without newer columns are read without a look at every file", () => {
  assert.ok(TABLES.phases.every(({ recent }) => !recent));
  assert.equal(parquetRows(["x"], "phases"), "read_parquet(['x'], hive_partitioning = false)");
});

test("an id leaves out a newer field that holds nothing, and holds it if it holds something", () => {
  const plain = madeSample(5000);
  const unknown = { durationNs: null, uncertaintyNs: null };
  const { managementGap: _, ...older } = plain;
  assert.equal(idOf(plain), idOf({ ...older, managementGap: unknown }));
  assert.equal(idOf(older as typeof plain), idOf(plain));
  assert.notEqual(idOf({ ...plain, managementGap: { durationNs: 5, uncertaintyNs: 1 } }), idOf(plain));
});
