/** Updates whose own evidence contradicts their blackout, in every command that takes a cohort. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { documentOfSample, type UpdateSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { madeSample } from "../../testing/samples/samples.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-contradicted-"));
after(() => rmSync(folder, { recursive: true }));

async function run(...argv: readonly string[]) {
  const surroundings = recordedSurroundings({});
  const code = await runCli(argv, surroundings, commands);
  return { code, out: surroundings.written(), complaint: surroundings.complained() };
}

function cohortFile(name: string, samples: readonly UpdateSample[]): string {
  const path = join(folder, `${name}.jsonl`);
  writeFileSync(path, samples.map((sample) => `${JSON.stringify(documentOfSample(sample))}\n`).join(""));
  return path;
}

/** Of one update, as analysing a capture with the clock pairs of another boot once gave it: -2.177 s. */
function negative(i: number): UpdateSample {
  const durationNs = -2_176_820_171 - i;
  return madeSample(4_000 + i, {
    name: `negative-${i}`,
    labels: { workload: "idle", build: "b1" },
    blackout: { basis: "vm-marks", durationNs, uncertaintyNs: 230_000 },
    vms: [{ id: "vm", durationNs }],
    causes: null,
    defects: { error: 1, warning: 0, note: 0 },
    defectCodes: [{ code: "clock-link-contradicted", severity: "error", count: 1 }],
  });
}

/** Positive, and contradicted all the same. */
function contradicted(i: number): UpdateSample {
  return { ...negative(i), name: `contradicted-${i}`, ...pick(madeSample(2_000 + i)) };
}
const pick = ({ blackout, vms, causes }: UpdateSample) => ({ blackout, vms, causes });

const bad = cohortFile(
  "bad",
  Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? negative(i) : contradicted(i))),
);
const good = cohortFile(
  "good",
  Array.from({ length: 8 }, (_, i) =>
    madeSample(5_000 + i, { name: `good-${i}`, labels: { workload: "idle", build: "b0" } }),
  ),
);
const WHY = /clock-link-contradicted/;

test("no gate passes on contradicted blackouts", async () => {
  const budget = join(folder, "budget.yaml");
  writeFileSync(budget, "version: 1\nlimits:\n  - blackout p50 <= 6s\nupdates:\n  at-least: 5\n");
  const { code, out } = await run("gate", bad, "--budget", budget, "--require-data", "--json");
  assert.notEqual(code, 0);
  const document = JSON.parse(out);
  assert.equal(document.cohort.measured, 0);
  assert.equal(document.cohort.excluded.length, 8);
  for (const { reason } of document.cohort.excluded) assert.match(reason, WHY);
});

test("percentiles, qualify and compare take none of them, and name each with its reason", async () => {
  const percentiles = JSON.parse((await run("percentiles", bad, "--json")).out);
  assert.equal(percentiles.measures[0].n, 0);
  assert.equal(percentiles.measures[0].unknown.length, 8);
  assert.match(percentiles.measures[0].unknown[0].reason, WHY);
  const { cells } = JSON.parse((await run("qualify", bad, "--json")).out);
  const cell = cells.find(({ updates }: { readonly updates: number }) => updates > 0);
  assert.notEqual(cell.status, "passed");
  assert.match(cell.excluded[0].reason, WHY);
  const compared = await run("compare", good, bad, "--json");
  assert.equal(compared.code === 0 || compared.code === 1, false, compared.out);
});

test("history leaves them out of the series, and prints why", async () => {
  const both = cohortFile("both", [
    ...Array.from({ length: 8 }, (_, i) => negative(i)),
    ...Array.from({ length: 8 }, (_, i) => madeSample(5_000 + i, { labels: { workload: "idle", build: "b0" } })),
  ]);
  const { code, out: json, complaint } = await run("history", both, "--by", "labels.build", "--json");
  assert.equal(code, 0, complaint);
  const document = JSON.parse(json);
  assert.deepEqual([document.points, document.left, document.excluded.length], [8, 8, 8]);
  const { out } = await run("history", both, "--by", "labels.build");
  assert.match(out, /8 completed: .*clock-link-contradicted/);
});

test("what cohort --json writes is read back, with nothing negative in it", async () => {
  const { code, out } = await run("cohort", bad, "--json");
  assert.equal(code, 0);
  for (const line of out.trim().split("\n")) assert.equal(JSON.parse(line).blackout.durationNs, null);
  const again = join(folder, "again.jsonl");
  writeFileSync(again, out);
  assert.deepEqual((await run("cohort", again, "--json")).out, out);
});

test("an archive holds them without their blackout, and metrics count them in no histogram", async () => {
  const archive = join(folder, "fleet");
  assert.equal((await run("archive", "add", archive, bad, good)).code, 0);
  const { out } = await run(
    "query",
    archive,
    "SELECT count(*) AS n, count(blackout_ns) AS known, min(blackout_ns) AS least FROM updates",
    "--json",
  );
  assert.match(out, /"n":16,"known":8,"least":5000000000/);
  const metrics = (await run("metrics", archive)).out;
  assert.match(metrics, /blackout_duration_seconds_count\{[^}]*\} 8\n/);
});
