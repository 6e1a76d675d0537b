/**
 * Trino's and Spark's own grammars (dt-sql-parser has them from there) take every statement that is made for them. No
 * engine runs here. They are 24 MB: installed from test-packages/sql-parsers, and only where BLACKOUT_SQL_PARSERS=1.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { testPackage } from "../../testing/oracles/test-package.js";
import { DEFAULT_PARTITION } from "../format.js";
import { percentilesSql, viewsSql } from "./sql.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-sql-parsers-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Grammar {
  validate(sql: string): readonly { readonly message: string; readonly startLine: number }[];
}
type Grammars = Readonly<Record<"TrinoSQL" | "SparkSQL", new () => Grammar>>;

test("Trino's and Spark's grammars take the views and the percentiles", async (t) => {
  if (process.env.BLACKOUT_SQL_PARSERS !== "1") return t.skip("BLACKOUT_SQL_PARSERS=1 installs the grammars (24 MB)");
  const installed = testPackage("sql-parsers", "dt-sql-parser");
  if (installed.error !== null) return t.skip(installed.error);
  const outfile = join(folder, "grammars.mjs");
  // Its files import folders, which node does not: a bundler does.
  buildSync({
    stdin: { contents: 'export { SparkSQL, TrinoSQL } from "dt-sql-parser";', resolveDir: installed.folder },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
  });
  const { TrinoSQL, SparkSQL } = (await import(pathToFileURL(outfile).href)) as Grammars;
  const partitionBy = [...DEFAULT_PARTITION, "label.A-b"];
  const percentiles = percentilesSql({ by: ["kernel_new"], where: "outcome = 'completed'" });
  for (const [engine, grammar] of [
    ["trino", new TrinoSQL()],
    ["spark", new SparkSQL()],
  ] as const) {
    const statements = [
      ...viewsSql(engine, { location: "s3://bucket/it''s", partitionBy, schema: "hive.blackout" }),
      percentiles,
    ];
    for (const statement of statements) assert.deepEqual(grammar.validate(statement), [], statement);
    // It can say no.
    assert.notDeepEqual(grammar.validate(percentiles.replace("GROUP BY", "GROUP")), []);
    t.diagnostic(`${engine}: ${statements.length} statements`);
  }
});
