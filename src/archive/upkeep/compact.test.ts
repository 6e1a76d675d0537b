import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { causeOf, madeSample } from "../../testing/samples/samples.js";
import { openArchive } from "../store/archive.js";
import { commitPath, readSnapshot, tryCommit } from "../store/commit-log.js";
import { PendingSync } from "../store/durable.js";
import { writeSegment } from "../store/segments.js";
import { compactArchive, removeUpdates } from "./compact.js";
import { verifyArchive } from "./verify.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-compact-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const NOW = { graceMs: 0, nowMs: Date.now() + 10 * 86_400_000 };
const named = (name: string) => madeSample(5, { name, causes: [causeOf("x", 5)] });
const files = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".parquet"));

test("many small segments become one, with the same updates, and the files go", async () => {
  const path = join(folder, "a");
  const archive = await openArchive(path, {});
  for (let i = 0; i < 12; i += 1) await archive.add([named(`u${i}`)]);
  const before = await archive.list();
  const compacted = await compactArchive(archive, { ...NOW, graceMs: 1e12 });
  assert.deepEqual(compacted, { merged: 12, made: 1, deleted: 0, damaged: [] });
  assert.equal(files(path).length, 13 * 5 + 1, "readers may still be in them");
  assert.equal((await compactArchive(archive, NOW)).deleted, 12 * 5);
  assert.equal(files(path).length, 5 + 1);
  const strip = (list: typeof before) => list.map(({ id, sample }) => [id, sample]);
  assert.deepEqual(strip(await archive.list()), strip(before));
  const verified = await verifyArchive(archive, { quick: false });
  assert.deepEqual([verified.problems, verified.leftovers, verified.updates], [[], [], 12]);
  // History was shortened; the rest still describes everything, and finds duplicates.
  await compactArchive(archive, NOW);
  assert.equal(statSync(commitPath(path, 1)).size, 0);
  const again = await openArchive(path);
  assert.equal((await again.add([named("u7")])).already.length, 1);
  assert.deepEqual((await verifyArchive(again, { quick: false })).problems, []);
  again.close();
  archive.close();
});

test("a writer whose prepared segment was swept learns it, and writes again", async () => {
  const path = join(folder, "b");
  const archive = await openArchive(path, {});
  await archive.add([named("first")]);
  const base = await readSnapshot(path);
  const { sample, id } = (await archive.list())[0]!;
  const orphan = await writeSegment(
    await archive.engine(),
    path,
    "by_x=1",
    [{ id: id.replaceAll(/^./g, "f"), sample, detail: "causes", capture: null }],
    new PendingSync(),
  );
  assert.equal((await verifyArchive(archive, { quick: false })).leftovers.length, 5);
  assert.equal((await compactArchive(archive, NOW)).deleted, 5);
  const attempt = await tryCommit(path, base, { kind: "add", add: [orphan], remove: [], swept: [] });
  assert.equal(attempt.kind, "lost");
  assert.ok(attempt.kind === "lost" && attempt.seen.some(({ swept }) => swept.includes(orphan.id)));
  assert.deepEqual((await verifyArchive(archive, { quick: false })).problems, []);
  archive.close();
});

test("temporary files of killed writers go, young ones stay", async () => {
  const path = join(folder, "c");
  const archive = await openArchive(path, {});
  await archive.add([named("u")]);
  const old = join(path, "commits", ".x.json.0123456789ab.tmp");
  const young = join(path, "commits", ".y.json.0123456789ab.tmp");
  for (const name of [old, young]) writeFileSync(name, "");
  utimesSync(old, 0, 0);
  await compactArchive(archive, { graceMs: 0, nowMs: Date.now() });
  assert.deepEqual(
    readdirSync(join(path, "commits")).filter((name) => name.endsWith(".tmp")),
    [".y.json.0123456789ab.tmp"],
  );
  archive.close();
});

test("what is removed is gone, may be added again, and nothing else is touched", async () => {
  const archive = await openArchive(join(folder, "d"), {});
  await archive.add(["a", "b", "c"].map(named));
  await archive.add([named("d")]);
  assert.equal(await removeUpdates(archive, "name IN ('a', 'd')"), 2);
  assert.equal(await removeUpdates(archive, "name = 'a'"), 0);
  assert.deepEqual(
    (await archive.list()).map(({ sample }) => sample.name),
    ["b", "c"],
  );
  assert.equal((await archive.add(["a", "b"].map(named))).added.length, 1);
  assert.deepEqual((await verifyArchive(archive, { quick: false })).problems, []);
  archive.close();
});

test("a file that a sweep removed before it was synced is reported, not thrown", async () => {
  const pending = new PendingSync();
  const path = join(folder, "swept");
  writeFileSync(path, "");
  pending.file(path);
  rmSync(path);
  assert.equal(await pending.flush(), false);
  assert.equal(await pending.flush(), true);
});
