import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { madeSample } from "../../testing/samples/samples.js";
import { sqlText } from "../engine.js";
import { openArchive } from "../store/archive.js";
import { removeUpdates } from "../upkeep/compact.js";
import { conditionOf } from "./condition.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-condition-"));
after(() => rmSync(folder, { recursive: true }));
const archive = await openArchive(join(folder, "fleet"), {});
await archive.add([madeSample(5000, { name: "a" }), madeSample(6000, { name: "b" }), madeSample(7000, { name: "c" })]);
after(() => archive.close());

const chosen = async (condition: string): Promise<readonly string[]> =>
  (await archive.list(await conditionOf(archive, condition))).map(({ sample }) => sample.name).sort();

test("a condition selects what it says, with or without a comment behind it", async () => {
  assert.deepEqual(await chosen("blackout_ns > 5500000000"), ["b", "c"]);
  assert.deepEqual(await chosen("name = 'a' -- the first"), ["a"]);
  assert.deepEqual(await chosen("false"), []);
});

test("a condition reaches no other file, no network and no second statement", async () => {
  const secret = join(folder, "secret.txt");
  writeFileSync(secret, "secret\n");
  const made = join(folder, "made.csv");
  for (const condition of [
    `1=1); COPY (SELECT 1) TO ${sqlText(made)}; SELECT (1`,
    `1=1; COPY (SELECT 1) TO ${sqlText(made)}`,
    `name = (SELECT content FROM read_text(${sqlText(secret)}))`,
    `1=1; ATTACH ${sqlText(join(folder, "made.db"))} AS made`,
    "1=1; INSTALL httpfs",
    "1=1; SET enable_external_access = true",
    "",
  ]) {
    await assert.rejects(conditionOf(archive, condition), { name: "ArchiveError" }, condition);
  }
  assert.equal(existsSync(made), false);
  assert.equal(existsSync(join(folder, "made.db")), false);
  assert.deepEqual(await chosen("true"), ["a", "b", "c"]);
});

test("removal by a condition removes what it selects", async () => {
  assert.equal(await removeUpdates(archive, await conditionOf(archive, "name = 'b'")), 1);
  assert.deepEqual(await chosen("true"), ["a", "c"]);
});
