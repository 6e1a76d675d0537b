import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { Engine, sqlText } from "../../../archive/engine.js";
import { LIVE_SEGMENTS } from "../../../archive/query/sql.js";
import { openArchive } from "../../../archive/store/archive.js";
import { verifyArchive } from "../../../archive/upkeep/verify.js";
import { madeSample } from "../../../testing/samples/samples.js";
import { openArchiveStore } from "./archive-store.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-archive-store-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const going = new AbortController().signal;
const named = (name: string) => madeSample(5, { name });

async function published(path: string): Promise<readonly string[]> {
  const engine = await Engine.open();
  const rows = await engine.rows<{ segment: string }>(`SELECT segment FROM ${sqlText(join(path, LIVE_SEGMENTS))}`);
  engine.close();
  return rows.map(({ segment }) => segment).sort();
}

test("upkeep notifies other engines of additions, and compacts when that is due, beside additions and other writers", async () => {
  const path = join(folder, "a");
  const store = await openArchiveStore(path, false, { segments: 6, pauseMs: 1_000, graceMs: 0 });
  const other = await openArchive(path);
  assert.equal((await store.upkeep(0, going)).compacted, null);
  for (let i = 0; i < 5; i += 1) await store.add([named(`u${i}`)]);
  assert.equal((await store.upkeep(10_000, going)).compacted, null);
  assert.deepEqual(await published(path), [...(await other.snapshot()).segments.keys()].sort());
  assert.equal((await published(path)).length, 5);

  await other.add([named("theirs")]);
  const nowMs = Date.now() + 86_400_000;
  const [{ compacted }, ...added] = await Promise.all([
    store.upkeep(nowMs, going),
    ...["x", "y", "z"].map(async (name) => await store.add([named(name)])),
  ]);
  assert.ok(compacted !== null && compacted.merged >= 6 && compacted.made === 1, JSON.stringify(compacted));
  assert.ok(added.every(({ results }) => results[0]?.kind === "added"));
  await store.upkeep(nowMs + 1, going);
  assert.deepEqual(await published(path), [...(await other.snapshot()).segments.keys()].sort());
  const found = await verifyArchive(other, { quick: false });
  assert.deepEqual([found.problems, found.updates], [[], 9]);

  // Not before the pause is over, and not once it has been asked to end.
  for (let i = 0; i < 6; i += 1) await store.add([named(`v${i}`)]);
  assert.equal((await store.upkeep(nowMs + 999, going)).compacted, null);
  assert.equal((await store.upkeep(nowMs + 1_000, AbortSignal.abort())).compacted, null);
  assert.notEqual((await store.upkeep(nowMs + 1_000, going)).compacted, null);
  assert.equal((await verifyArchive(other, { quick: true })).updates, 15);
  store.close();
  other.close();
});

test("upkeep hashes files that nobody reads, names what has changed, and again once it is restored", async () => {
  const path = join(folder, "rot");
  const store = await openArchiveStore(path, false);
  for (const name of ["a", "b"]) await store.add([named(name)]);
  assert.deepEqual((await store.upkeep(0, going)).damaged, []);
  const open = await openArchive(path);
  const [segment] = (await open.snapshot()).segments.values();
  const file = join(path, segment!.files[0]!.path);
  const sound = readFileSync(file);
  writeFileSync(file, Buffer.from(sound.map((byte, i) => (i === 40 ? byte ^ 4 : byte))));
  const { damaged } = await store.upkeep(1, going);
  assert.equal(damaged.length, 1);
  assert.match(damaged[0] ?? "", /its SHA-256 differs.*left out: the update of its segment/);
  writeFileSync(file, sound);
  assert.deepEqual((await store.upkeep(2, going)).damaged, []);
  store.close();
  open.close();
});
