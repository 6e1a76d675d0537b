import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import fc from "fast-check";
import { BOUND_CONFIDENCE } from "../../analyze/cohort/distribution.js";
import { durationHistogram } from "../../analyze/cohort/histograms.js";
import { HISTOGRAM_HIGHEST_NS } from "../../analyze/statistics/distributions/histogram-layout.js";
import { lowerQuantileBound, upperQuantileBound } from "../../analyze/statistics/order-statistics.js";
import { seededRandom } from "../../base/numbers/random.js";
import { PERCENTILES } from "../../model/documents/cohort.js";
import { PHASES } from "../../model/live-update.js";
import { madeSample } from "../../testing/samples/samples.js";
import { Engine, sqlFiles } from "../engine.js";
import { TABLE_NAMES } from "../format.js";
import { openArchive } from "../store/archive.js";
import { bucketWidth } from "../store/buckets.js";
import { filesOf } from "../store/segments.js";
import { openForQueries } from "./query.js";
import { boundRanks, percentilesSql, SQL_ENGINES, viewsSql } from "./sql.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-sql-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Most run together, as groups of one query: each query plans and scans again. */
const SELECTIONS = 1_000;
const TOGETHER = 50;
/** Asked one by one, as a user does. */
const ALONE = 10;

test("a bucket is hdr-histogram-js's own, from 0 to 24 h", () => {
  const histogram = durationHistogram() as unknown as Record<
    `${"lowest" | "highest"}EquivalentValue`,
    (ns: number) => number
  >;
  const edges = Array.from({ length: 47 }, (_, i) => 2 ** i).flatMap((edge) => [edge - 1, edge, edge + 1]);
  const values = [
    ...edges,
    ...fc.sample(fc.nat(HISTOGRAM_HIGHEST_NS), { numRuns: 1_000, seed: 8 }),
    HISTOGRAM_HIGHEST_NS,
  ];
  const within = values.filter((ns) => ns <= HISTOGRAM_HIGHEST_NS);
  assert.ok(within.length > 1_000);
  for (const ns of within) {
    const width = bucketWidth(ns);
    const lowest = ns - (ns % width);
    assert.equal(lowest, histogram.lowestEquivalentValue(ns), String(ns));
    assert.equal(lowest + width - 1, histogram.highestEquivalentValue(ns), String(ns));
  }
});

test("the ranks that SQL bounds a percentile by are never surer than the exact ones, and near them", () => {
  const sizes = [...Array.from({ length: 3_000 }, (_, i) => i + 1), 5_003, 10_000, 99_999, 1_000_000, 10_000_019];
  let widest = 0;
  for (const percentile of PERCENTILES) {
    for (const n of sizes) {
      const { lower, upper } = boundRanks(n, Math.round(percentile * 10));
      const ranks = { length: n } as unknown as Float64Array;
      const exact = {
        lower: lowerQuantileBound(ranks as never, percentile / 100, BOUND_CONFIDENCE),
        upper: upperQuantileBound(ranks as never, percentile / 100, BOUND_CONFIDENCE),
      };
      assert.equal(lower === null, exact.lower.kind === "too-few", `p${percentile} of ${n}`);
      assert.equal(upper === null, exact.upper.kind === "too-few", `p${percentile} of ${n}`);
      if (lower !== null && exact.lower.kind === "known") {
        assert.ok(lower <= exact.lower.order, `p${percentile} of ${n}: ${lower} is above ${exact.lower.order}`);
        widest = Math.max(widest, exact.lower.order - lower);
      }
      if (upper !== null && exact.upper.kind === "known") {
        assert.ok(upper >= exact.upper.order, `p${percentile} of ${n}: ${upper} is below ${exact.upper.order}`);
        widest = Math.max(widest, upper - exact.upper.order);
      }
    }
  }
  assert.ok(widest <= 3, `${widest} ranks wider`);
});

interface Answer {
  readonly selection: number;
  readonly measure: string;
  readonly percentile: number;
  readonly n: number;
  readonly value_ns: number;
}

test(`percentiles by SQL equal hdr-histogram-js's on ${SELECTIONS} random selections of updates`, async (t) => {
  const random = seededRandom(8);
  const path = join(folder, "percentiles");
  const archive = await openArchive(path, { partitionBy: ["day"] });
  const samples = Array.from({ length: 4_000 }, (_, i) => {
    const ns = Math.round(10 ** (4 + 6 * random.uniform()) * (1 + random.uniform()));
    const vms = Array.from({ length: random.below(4) }, (_, v) => ({ id: `vm${v}`, durationNs: ns - v }));
    return madeSample(ns / 1e6, {
      name: `u${i}`,
      host: `h${random.below(50)}`,
      vms,
      kernel: { old: "a", new: `k${i % 3}` },
    });
  });
  await archive.add(samples);
  const selections = Array.from({ length: SELECTIONS }, (_, i) => ({
    hosts: new Set(Array.from({ length: 1 + random.below(i % 2 === 0 ? 3 : 40) }, () => `h${random.below(50)}`)),
    kernel: `k${random.below(3)}`,
  }));
  const snapshot = await archive.snapshot();
  let compared = 0;
  const compare = ({ hosts, kernel }: (typeof selections)[number], rows: readonly Answer[]): void => {
    const chosen = samples.filter(({ host, kernel: own }) => hosts.has(host ?? "") && own.new !== kernel);
    for (const measure of ["blackout", "vm-blackout", ...PHASES]) {
      const histogram = durationHistogram();
      for (const sample of chosen) {
        const values =
          measure === "blackout"
            ? [sample.blackout.durationNs]
            : measure === "vm-blackout"
              ? sample.vms.map(({ durationNs }) => durationNs)
              : [sample.phases[measure as "kexec"]];
        for (const value of values) if (value !== null) histogram.recordValue(value);
      }
      const answers = rows.filter((row) => row.measure === measure);
      assert.equal(answers.length, histogram.totalCount === 0 ? 0 : PERCENTILES.length);
      for (const { percentile, n, value_ns } of answers) {
        assert.equal(n, histogram.totalCount);
        assert.equal(value_ns, histogram.getValueAtPercentile(percentile), `${measure} p${percentile} of ${n}`);
        compared += 1;
      }
    }
  };

  const alone = await openForQueries(archive, null, null);
  for (const selection of selections.slice(0, ALONE)) {
    const { hosts, kernel } = selection;
    const where = `host IN (${[...hosts].map((host) => `'${host}'`).join(", ")}) AND kernel_new <> '${kernel}'`;
    compare(selection, await alone.rows<Answer>(percentilesSql({ by: [], where })));
  }
  alone.close();

  const engine = await archive.engine();
  const files = sqlFiles(filesOf(archive.root, snapshot.segments.values(), "buckets"));
  for (let from = 0; from < SELECTIONS; from += TOGETHER) {
    const some = selections.slice(from, from + TOGETHER);
    const picked = some.flatMap(({ hosts, kernel }, i) => [...hosts].map((host) => ({ selection: i, host, kernel })));
    await engine.createTable("picked", [
      { name: "selection", kind: "int", values: picked.map(({ selection }) => selection) },
      { name: "host", kind: "text", values: picked.map(({ host }) => host) },
      { name: "kernel", kind: "text", values: picked.map(({ kernel }) => kernel) },
    ]);
    await engine.run(
      `CREATE OR REPLACE TEMP VIEW buckets AS SELECT p.selection, b.* FROM read_parquet(${files}, hive_partitioning = false) b JOIN picked p ON b.host = p.host AND b.kernel_new <> p.kernel`,
    );
    const rows = await engine.rows<Answer>(percentilesSql({ by: ["selection"], where: "true" }));
    for (const [i, selection] of some.entries()) {
      compare(
        selection,
        rows.filter((row) => row.selection === i),
      );
    }
  }
  archive.close();
  assert.ok(compared > SELECTIONS * PERCENTILES.length);
  t.diagnostic(`${SELECTIONS + ALONE} selections, ${compared} percentiles equal`);
});

test("hdr-histogram-js's rank is the integer rank, for every size up to 20,000 and for round ones", () => {
  const ulp = (x: number): number => {
    const bits = new Float64Array([x]);
    const words = new BigInt64Array(bits.buffer);
    words[0] = words[0]! + 1n;
    return bits[0]! - x;
  };
  const sizes = [
    ...Array.from({ length: 20_000 }, (_, i) => i + 1),
    ...Array.from({ length: 1_000 }, (_, i) => (i + 1) * 10_000),
  ];
  for (const percentile of PERCENTILES) {
    for (const n of sizes) {
      const at = (percentile / 100) * n;
      const theirs = Math.max(Math.ceil(at - ulp(at)), 1);
      assert.equal(theirs, Math.max(1, Math.ceil((Math.round(percentile * 10) * n) / 1000)), `p${percentile} of ${n}`);
    }
  }
});

test("every engine gets a view of every table, and no view but of live segments", () => {
  for (const engine of SQL_ENGINES) {
    const sql = viewsSql(engine, { location: "s3://b/it's", partitionBy: ["kernel", "label.A-b"], schema: "hive.x" });
    for (const table of TABLE_NAMES) {
      const view = sql.find((statement) => new RegExp(`VIEW (?:hive\\.x\\.)?${table} AS`).test(statement));
      assert.ok(view, `${engine} ${table}`);
      assert.match(view, /IN \(SELECT segment FROM.*live|live_segments/s);
    }
    if (engine !== "spark") assert.ok(sql.some((statement) => statement.includes("it''s")));
  }
  assert.match(
    viewsSql("trino", { location: "x", partitionBy: ["label.A-b"], schema: "hive.x" })[1] ?? "",
    /by_label_a_b/,
  );
});

test("the generated views of DuckDB answer what the archive's own do", async () => {
  const path = join(folder, "views");
  const archive = await openArchive(path, {});
  await archive.add([madeSample(5, { name: "a" }), madeSample(6, { name: "b" })]);
  const { publishLive } = await import("../upkeep/live.js");
  await publishLive(await archive.engine(), archive.root, await archive.snapshot());
  // Committed after the list was written: other engines do not see it yet.
  await archive.add([madeSample(7, { name: "c" })]);
  const engine = await Engine.open();
  for (const statement of viewsSql("duckdb", { location: path, partitionBy: [], schema: "" })) {
    // A table without rows has no files.
    await engine.run(statement).catch((error: Error) => assert.match(error.message, /No files found/));
  }
  const names = await engine.rows<{ name: string }>("SELECT name FROM updates ORDER BY name");
  assert.deepEqual(names, [{ name: "a" }, { name: "b" }]);
  engine.close();
  archive.close();
});
