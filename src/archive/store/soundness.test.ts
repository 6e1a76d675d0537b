import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { causeOf, madeSample } from "../../testing/samples/samples.js";
import { openForQueries, runQuery } from "../query/query.js";
import { compactArchive, removeUpdates } from "../upkeep/compact.js";
import { verifyArchive } from "../upkeep/verify.js";
import { type Archive, openArchive } from "./archive.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-sound-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const NOW = { graceMs: 0, nowMs: Date.now() + 10 * 86_400_000 };
const names = async (archive: Archive): Promise<readonly string[]> =>
  (await archive.list()).map(({ sample }) => sample.name).sort();

/** Three updates, each a segment; `spoil` gets a file of the first one, and the second one's of the same table. */
async function spoilt(name: string, table: string, spoil: (file: string, other: string) => void): Promise<Archive> {
  const path = join(folder, name);
  const archive = await openArchive(path, {});
  for (const each of ["a", "b", "c"]) await archive.add([madeSample(5, { name: each, causes: [causeOf("x", 5)] })]);
  const [first, second] = [...(await archive.snapshot()).segments.values()];
  const place = (segment: typeof first): string =>
    join(path, segment!.files.find((file) => file.table === table)!.path);
  spoil(place(first), place(second));
  archive.close();
  return await openArchive(path);
}

const flip =
  (at: number) =>
  (file: string): void => {
    const bytes = readFileSync(file);
    const place = at < 0 ? bytes.length + at : at;
    bytes.writeUInt8(bytes.readUInt8(place) ^ 0x10, place);
    writeFileSync(file, bytes);
  };

const SPOILINGS: readonly (readonly [string, (file: string, other: string) => void])[] = [
  ["a flipped bit of the data", flip(60)],
  ["a flipped bit of the footer", flip(-20)],
  ["a cut", (file) => writeFileSync(file, readFileSync(file).subarray(0, 100))],
  ["a byte more", (file) => writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from("x")]))],
  ["another update's file", (file, other) => copyFileSync(other, file)],
  ["no file", (file) => rmSync(file)],
  [
    "a link",
    (file) => {
      cpSync(file, `${file}.x`);
      rmSync(file);
      symlinkSync(`${file}.x`, file);
    },
  ],
];

for (const [i, [what, spoil]] of SPOILINGS.entries()) {
  test(`${what} in an archive is named, its update left out, and never merged`, async () => {
    for (const table of ["updates", "phases", "causes"]) {
      const archive = await spoilt(`${i}-${table}`, table, spoil);
      assert.deepEqual(await names(archive), ["b", "c"], table);
      assert.deepEqual(
        archive.damage.map(({ path }) => path.split("/")[0]),
        [table],
      );
      const { merged, damaged } = await compactArchive(archive, NOW);
      assert.equal(merged, 2, "the sound ones");
      assert.equal(damaged.length, 1);
      assert.match(damaged[0] ?? "", /parquet: .*left out: the update of its segment\. Restore the file/);
      const { problems } = await verifyArchive(archive, { quick: true });
      assert.ok(problems.length > 0, "the damage is still there to be found");
      archive.close();
    }
  });
}

test("a query checks the files of the tables that it names, and names those left out", async () => {
  const archive = await spoilt("query", "updates", flip(60));
  const count = async (sql: string): Promise<unknown> => {
    const engine = await openForQueries(archive, sql, null);
    try {
      for await (const row of (await runQuery(engine, sql)).rows) return row[0];
      return null;
    } finally {
      engine.close();
    }
  };
  assert.equal(await count("SELECT count(DISTINCT update_id) FROM phases"), 3, "phases are sound");
  assert.deepEqual(archive.damage, []);
  assert.equal(await count("SELECT count(*) FROM updates"), 2);
  assert.equal(await count("WITH x AS (FROM updates) SELECT count(*) FROM x"), 2);
  assert.equal(await count("SELECT count(*) FROM query_table('updates')"), 2);
  assert.equal(await count("SELECT count(*) FROM UPDATES"), 2);
  assert.equal(archive.damage.length, 1);
  archive.close();
});

test("an update whose segment is damaged is added again, and removal rewrites no damaged segment", async () => {
  const archive = await spoilt("again", "updates", flip(60));
  const { added, already } = await archive.add(
    ["a", "b"].map((name) => madeSample(5, { name, causes: [causeOf("x", 5)] })),
  );
  assert.deepEqual([added.length, already.length], [1, 1]);
  const damagedBefore = archive.damage[0]!.segment.id;
  assert.equal(await removeUpdates(archive, "true"), 3);
  assert.deepEqual([...(await archive.snapshot()).segments.keys()], [damagedBefore]);
  archive.close();
});
