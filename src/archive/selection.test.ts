import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import type { UpdateSample } from "../analyze/cohort/update-sample.js";
import { updateOf } from "../testing/samples.js";
import { openArchive } from "./archive.js";
import { selectionSql } from "./selection.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-selection-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.parse("2026-11-24T12:00:00Z");
const DAY = 86_400_000;

test("keys select; a key given twice means either; values are matched as they are, but for *", async () => {
  const archive = await openArchive(join(folder, "a"), {});
  const made = (name: string, days: number, more: Partial<UpdateSample> = {}): UpdateSample =>
    updateOf(5, { name, takenAtMs: NOW - days * DAY, ...more });
  await archive.add([
    made("old", 10, { labels: { fleet: "canary", "a/b~c": "x" } }),
    made("new", 1, { labels: { fleet: "it's 100% _odd_" }, kernel: { old: "7.2", new: "7.3.4" } }),
    made("none", 0, { takenAtMs: null, host: "h1" }),
  ]);
  const select = async (query: string): Promise<string> => {
    const where = selectionSql(query, NOW);
    assert.ok(where.ok, where.ok ? "" : where.error);
    return (await archive.list(where.value))
      .map(({ sample }) => sample.name)
      .sort()
      .join();
  };
  assert.equal(await select(""), "new,none,old");
  assert.equal(await select("since=7d"), "new");
  assert.equal(await select("since=2w"), "new,old");
  assert.equal(await select("until=2026-11-20"), "old");
  assert.equal(await select("since=2026-11-23T12:00&until=2026-11-23T12:00:01Z"), "new");
  assert.equal(await select("kernel=7.3.4&old-kernel=7.2"), "new");
  assert.equal(await select("kernel=7.3*"), "new,none,old");
  assert.equal(await select("name=old&name=new"), "new,old");
  assert.equal(await select("label.fleet=canary"), "old");
  assert.equal(await select("label.a%2Fb~c=x"), "old");
  assert.equal(await select("label.fleet=it's%20100%25%20_odd_"), "new");
  assert.equal(await select("label.fleet=*100%25 _o*"), "new");
  assert.equal(await select("label.fleet=*100%25 xo*"), "");
  assert.equal(await select("host=h1"), "none");
  assert.equal(await select("day=2026-11-23"), "new");
  archive.close();
});

test("what is no selection is refused, with what is expected", () => {
  const problem = (query: string): string => {
    const where = selectionSql(query, NOW);
    return where.ok ? "" : where.error;
  };
  assert.match(problem("kernl=7"), /^kernl: expected id, kernel, .*did you mean kernel\?$/);
  assert.match(problem("kernel"), /^kernel: expected KEY=VALUE/);
  assert.match(problem("since=soon"), /^since=soon: expected an age like 7d/);
  assert.match(problem("since=1d&since=2d"), /is given twice/);
  assert.match(problem("host=%zz"), /expected KEY=VALUE/);
  assert.match(problem("__proto__=1"), /expected id/);
});
