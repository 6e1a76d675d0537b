import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import fc from "fast-check";
import type { UpdateSample } from "../../model/update-sample.js";
import { hostileSample, hostileText } from "../../testing/samples/hostile-samples.js";
import { causeOf, madeSample } from "../../testing/samples/samples.js";
import { verifyArchive } from "../upkeep/verify.js";
import { openArchive } from "./archive.js";
import { canonicalJson, identify } from "./document.js";
import { folderValue } from "./partition.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-archive-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const fresh = (): string => {
  made += 1;
  return join(folder, String(made));
};

const named = (name: string, more: Partial<UpdateSample> = {}): UpdateSample =>
  madeSample(5, { name, takenAtMs: 1_795_428_010_000, causes: [causeOf("acpi_init", 5)], ...more });

test("what is added is there: once, whole, and the same", async () => {
  const archive = await openArchive(fresh(), {});
  const samples = ["a", "b", "c"].map((name) => named(name));
  const first = await archive.add(samples);
  assert.equal(first.added.length, 3);
  assert.deepEqual(await archive.add(samples), { added: [], already: first.added, refused: [] });
  assert.deepEqual((await archive.add([named("d"), named("d"), named("a")])).already.length, 2);
  assert.ok(await archive.has(first.added[0]!));
  assert.ok(!(await archive.has("0".repeat(32))));
  const found = await archive.list();
  assert.deepEqual(
    found.map(({ sample }) => sample.name),
    ["a", "b", "c", "d"],
  );
  assert.deepEqual({ ...found[0]!.sample, source: "made" }, samples[0]);
  assert.deepEqual((await archive.list("name = 'c'")).length, 1);
  const verified = await verifyArchive(archive, { quick: false });
  assert.deepEqual(
    { ...verified, bytes: 0 },
    {
      commit: 2,
      updates: 4,
      segments: 2,
      files: verified.files,
      bytes: 0,
      documents: 4,
      problems: [],
      leftovers: [],
    },
  );
  archive.close();
});

test("a damaged or missing file is left out and named, and an invalid condition is reported as a sentence", async () => {
  const path = fresh();
  const archive = await openArchive(path, {});
  await archive.add([named("a")]);
  await assert.rejects(archive.list("nme = 'a'"), { name: "ArchiveError", message: /Binder Error.*"nme"/ });
  await assert.rejects(archive.list("(("), { name: "ArchiveError", message: /Parser Error/ });
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  const file = (table: string): string =>
    join(path, names.find((name) => name.startsWith(`${table}/`) && name.endsWith(".parquet"))!);
  const whole = readFileSync(file("updates"));
  for (const [i, damaged] of [Buffer.from("junk\n"), whole.subarray(0, -20), Buffer.alloc(whole.length)].entries()) {
    writeFileSync(file("updates"), damaged);
    const again = await openArchive(path);
    const rest = i === 0 ? [] : ["b"];
    assert.deepEqual(
      (await again.list()).map(({ sample }) => sample.name),
      rest,
      "the damaged segment is left out",
    );
    assert.equal(again.damage.length, 1);
    assert.deepEqual((await again.add([named("b")])).added.length, i === 0 ? 1 : 0, "intake goes on");
    again.close();
  }
  writeFileSync(file("updates"), whole);
  rmSync(file("causes"));
  const again = await openArchive(path);
  assert.equal((await again.list()).length, 1);
  assert.deepEqual(
    again.damage.map(({ problem }) => problem),
    ["is missing"],
  );
  again.close();
  archive.close();
});

test("a commit whose parts are not what they should be is refused, whatever they are", async () => {
  const path = fresh();
  const archive = await openArchive(path, {});
  await archive.add([named("a")]);
  archive.close();
  const place = join(path, "commits", readdirSync(join(path, "commits")).find((name) => /^0+1\.json$/.test(name))!);
  const commit = JSON.parse(readFileSync(place, "utf8")) as { add: readonly { files: readonly object[] }[] };
  const [segment] = commit.add;
  const [first] = segment!.files;
  const broken: readonly object[] = [
    { ...commit, add: [null] },
    { ...commit, add: null },
    { ...commit, remove: 5 },
    { ...commit, swept: null },
    { ...commit, atMs: "now" },
    { ...commit, add: [{ ...segment, files: [null] }] },
    { ...commit, add: [{ ...segment, files: [{ ...first, path: "../../x.parquet" }] }] },
    { ...commit, add: [{ ...segment, files: [{ ...first, table: "passwd" }] }] },
    { ...commit, add: [{ ...segment, updates: null }] },
  ];
  for (const each of broken) {
    writeFileSync(place, JSON.stringify(each));
    const opened = await openArchive(path);
    await assert.rejects(opened.list(), { name: "ArchiveError", message: /is not commit 1 of an archive/ });
    opened.close();
  }
});

test("any document comes back as it was, whatever its texts", async () => {
  const archive = await openArchive(fresh(), { partitionBy: ["day"] });
  await fc.assert(
    fc.asyncProperty(fc.array(hostileSample, { minLength: 1, maxLength: 40 }), async (samples) => {
      const { added, already, refused } = await archive.add(samples);
      assert.deepEqual(refused, []);
      const wanted = new Map(
        samples.map((sample) => {
          const identified = identify(sample);
          assert.ok(identified.ok);
          return [identified.value.id, identified.value.sample] as const;
        }),
      );
      assert.deepEqual(new Set([...added, ...already]), new Set(wanted.keys()));
      const found = await archive.list(`update_id IN (${added.map((id) => `'${id}'`).join(", ") || "''"})`);
      assert.equal(found.length, added.length);
      for (const { id, sample } of found) {
        assert.equal(canonicalJson({ ...sample, source: "" }), canonicalJson({ ...wanted.get(id), source: "" }));
      }
    }),
    // Each run is some files: nothing is gained by shrinking for minutes.
    { numRuns: 3, endOnFailure: true },
  );
  assert.deepEqual((await verifyArchive(archive, { quick: false })).problems, []);
  archive.close();
});

test("any text makes a folder, and texts that differ make folders that differ", async () => {
  const keys = ["probe_level", "label.__proto__", "kernel", "day"];
  const archive = await openArchive(fresh(), { partitionBy: keys });
  const samples = fc.sample(hostileSample, { numRuns: 6, seed: 8 });
  assert.deepEqual((await archive.add(samples)).refused, []);
  assert.deepEqual((await verifyArchive(archive, { quick: false })).problems, []);
  archive.close();
  const folders = fc.array(fc.tuple(hostileText, hostileText));
  fc.assert(
    fc.property(folders, (pairs) => {
      for (const [a, b] of pairs) {
        assert.match(folderValue(a), /^[A-Za-z0-9._~%-]{1,100}$/);
        assert.ok(!/^\.*$/.test(folderValue(a)));
        if (a.toWellFormed() !== b.toWellFormed()) {
          assert.ok(folderValue(a) !== folderValue(b) || folderValue(a) === folderValue(null));
        }
      }
    }),
  );
});

test("many that make an archive at once agree on one, also where a crash had left its beginning", async () => {
  for (let round = 0; round < 40; round += 1) {
    const path = fresh();
    if (round % 2 === 1) mkdirSync(join(path, "commits"), { recursive: true });
    const made = await Promise.all(Array.from({ length: 12 }, () => openArchive(path, {})));
    assert.equal(new Set(made.map(({ manifest }) => manifest.id)).size, 1);
    for (const archive of made) archive.close();
  }
  const other = fresh();
  mkdirSync(join(other, "commits"), { recursive: true });
  writeFileSync(join(other, "notes.txt"), "");
  await assert.rejects(openArchive(other, {}), /is not empty and no archive/);
});

test("without causes only the causes are lost, and this is recorded", async () => {
  const archive = await openArchive(fresh(), {});
  await archive.add([named("a")], { detail: "summary" });
  const [found] = await archive.list();
  assert.equal(found?.detail, "summary");
  assert.deepEqual({ ...found?.sample, source: "made" }, { ...named("a"), causes: null });
  assert.equal((await archive.add([named("a")])).already.length, 1);
  archive.close();
});

test("a document whose parts do not add up is refused with its place; the others are added", async () => {
  const archive = await openArchive(fresh(), {});
  const broken = named("b", { causes: [causeOf("x", 5, { parts: [{ name: "probe", totalNs: 1 }] })] });
  const { added, refused } = await archive.add([named("a"), broken]);
  assert.equal(added.length, 1);
  assert.match(refused[0]?.reason ?? "", /causes\[0\]: its parts add up to 1 ns, expected its totalNs, 5000000 ns/);
  archive.close();
});

test("many writers at once lose nothing and double nothing", async () => {
  const path = fresh();
  const samples = Array.from({ length: 40 }, (_, i) => named(`u${i}`, { kernel: { old: "7.2", new: `7.${i % 2}` } }));
  const writers = await Promise.all(Array.from({ length: 4 }, () => openArchive(path, {})));
  // Each adds all of them, in an order of its own, ten at a time: all meet.
  const results = await Promise.all(
    writers.map(async (archive, w) => {
      const ids: string[] = [];
      for (let at = 0; at < 40; at += 10) {
        const some = samples.map((_, i) => samples[(i + at + 10 * w) % 40]!).slice(0, 10);
        ids.push(...(await archive.add(some)).added);
      }
      return ids;
    }),
  );
  const added = results.flat();
  assert.equal(added.length, 40);
  assert.equal(new Set(added).size, 40);
  const found = await verifyArchive(writers[0]!, { quick: false });
  assert.deepEqual([found.updates, found.problems, found.leftovers], [40, [], []]);
  for (const archive of writers) archive.close();
});

test("verify finds what was changed, cut, removed or doubled", async () => {
  const path = fresh();
  const archive = await openArchive(path, {});
  await archive.add([named("a")]);
  await archive.add([named("b")]);
  const files = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".parquet"));
  const updates = join(path, files.find((name) => name.startsWith("updates"))!);
  const bytes = readFileSync(updates);
  const problems = async (): Promise<string> => (await verifyArchive(archive, { quick: false })).problems.join("\n");
  writeFileSync(
    updates,
    bytes.map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
  );
  assert.match(await problems(), /its SHA-256 differs/);
  writeFileSync(updates, bytes.subarray(1));
  assert.match(await problems(), /has \d+ bytes, expected \d+/);
  rmSync(updates);
  assert.match(await problems(), /is missing/);
  writeFileSync(updates, bytes);
  assert.equal(await problems(), "");
  const commit = join(path, "commits", "00000000000000000001.json");
  const text = readFileSync(commit, "utf8");
  writeFileSync(join(path, "commits", "00000000000000000003.json"), text.replace('"number":1', '"number":3'));
  assert.match(await problems(), /adds segment [0-9a-f]+ once more/);
  rmSync(join(path, "commits", "00000000000000000003.json"));
  rmSync(commit);
  await assert.doesNotReject(openArchive(path));
  assert.match(
    (await verifyArchive(await openArchive(path), { quick: true })).problems.join(),
    /commit 2 follows on 0/,
  );
  archive.close();
});

test("a folder of something else is not made an archive, and not taken for one", async () => {
  const path = fresh();
  mkdirSync(path);
  writeFileSync(join(path, "thesis.tex"), "");
  await assert.rejects(openArchive(path, {}), /is not empty and no archive/);
  await assert.rejects(openArchive(path), /is not an archive \(it has no archive.json\)/);
  writeFileSync(join(path, "archive.json"), '{"format":"blackout-archive","version":2}');
  await assert.rejects(openArchive(path), /found version 2, expected 1: it was written by another version/);
  writeFileSync(join(path, "archive.json"), "null");
  await assert.rejects(openArchive(path), /is this an archive\?/);
});
