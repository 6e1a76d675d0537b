import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { documentOfSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { madeSample } from "../../testing/samples/samples.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-metrics-"));
after(() => rmSync(folder, { recursive: true }));

async function run(...argv: readonly string[]) {
  const surroundings = recordedSurroundings();
  const code = await runCli(argv, surroundings, commands);
  return { code, out: surroundings.written(), complaint: surroundings.complained() };
}

const lines = join(folder, "updates.jsonl");
const updates = [1_000, 2_000, 7_000].map((ms, i) => madeSample(ms, { takenAtMs: 1e12 + i }));
writeFileSync(lines, updates.map((update) => `${JSON.stringify(documentOfSample(update))}\n`).join(""));

test("to standard output, in either format", async () => {
  const { code, out } = await run("metrics", lines);
  assert.equal(code, 0);
  assert.match(out, /^blackout_duration_seconds_bucket\{.*le="2\.5"\} 2$/m);
  assert.match(out, /^blackout_duration_seconds_sum\{.*\} 10$/m);
  assert.match(out, /^blackout_cohort_first_update_timestamp_seconds\{.*\} 1000000000$/m);
  assert.match(out, /^blackout_last_duration_seconds\{.*\} 7$/m);
  assert.doesNotMatch(out, /# EOF|blackout_captures/);
  assert.match((await run("metrics", "--format", "openmetrics", lines)).out, /# EOF\n$/);
});

test("to a file, in its place and with nothing beside it; an unusable capture is reported, and not counted", async () => {
  const path = join(folder, "collector/blackout.prom");
  writeFileSync(join(folder, "broken.tar"), "no tar");
  const { code, complaint } = await run("metrics", `${lines},${join(folder, "broken.tar")}`, "-o", path);
  assert.equal(code, 3);
  assert.match(complaint, /broken\.tar/);
  assert.match(readFileSync(path, "utf8"), /outcome="completed"\} 3$/m);
  assert.deepEqual(readdirSync(join(folder, "collector")), ["blackout.prom"]);
  const refused = await run("metrics", lines, "-o", join(lines, "x.prom"));
  assert.equal(refused.code, 3);
  assert.match(refused.complaint, /cannot be written/);
});

test("with a budget, what is above its limits is counted exactly", async () => {
  const budget = join(folder, "budget.yaml");
  writeFileSync(budget, "version: 1\nlimits: [blackout p50 <= 1999ms, initcall:acpi_* p50 <= 5ms]\n");
  const { out } = await run("metrics", "-b", budget, lines);
  assert.match(out, /^blackout_duration_seconds_bucket\{.*le="1\.999"\} 1$/m);
  assert.match(out, /^blackout_causes_duration_seconds_count\{.*causes="initcall:acpi_\*"\} 3$/m);
  assert.equal((await run("metrics", "-b", join(folder, "none.yaml"), lines)).code, 2);
});
