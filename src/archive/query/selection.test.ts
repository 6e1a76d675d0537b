import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { seededRandom } from "../../base/numbers/random.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { madeSample } from "../../testing/samples/samples.js";
import { Engine } from "../engine.js";
import { openArchive } from "../store/archive.js";
import { partitionOf } from "../store/partition.js";
import { rowsOf } from "../store/rows.js";
import { parseSelection } from "./selection.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-selection-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.parse("2026-11-24T12:00:00Z");
const DAY = 86_400_000;
const QUERIES = 500;

test("keys select; a key given twice means either; values are matched as they are, but for *", async () => {
  const archive = await openArchive(join(folder, "a"), {});
  const made = (name: string, days: number, more: Partial<UpdateSample> = {}): UpdateSample =>
    madeSample(5, { name, takenAtMs: NOW - days * DAY, ...more });
  await archive.add([
    made("old", 10, { labels: { fleet: "canary", "a/b~c": "x" } }),
    made("new", 1, { labels: { fleet: "it's 100% _odd_" }, kernel: { old: "7.2", new: "7.3.4" } }),
    made("none", 0, { takenAtMs: null, host: "h1" }),
  ]);
  const select = async (query: string): Promise<string> => {
    const where = parseSelection(query, NOW);
    assert.ok(where.ok, where.ok ? "" : where.error);
    return (await archive.list(where.value.where))
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

test("segments are left out by their folders alone, and never one that holds what is selected", async (t) => {
  const random = seededRandom(5);
  const texts = ["", "a", "a.b", "..", "it's 100% _odd_", "ä/ö", "x".repeat(150), `${"y".repeat(99)}~`, "7.3*", null];
  const kernels = ["7.2", "7.3.4", "7.3.4-rc1", "", null, "x".repeat(150)];
  const any = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  const days = [NOW, NOW - 3 * DAY, NOW - 3 * DAY - 1, Date.UTC(2026, 10, 20), -1, Date.UTC(2400, 1, 1), null];
  const partitionBy = ["workload", "label.a/b~c", "kernel", "kernel_old", "day"];
  const samples = Array.from({ length: 300 }, (_, i) => {
    const [label, workload] = [any(texts), any(texts)];
    const labels = { ...(label === null ? {} : { "a/b~c": label }), ...(workload === null ? {} : { workload }) };
    return madeSample(5, {
      name: `u${i}`,
      labels,
      kernel: { old: any(kernels), new: any(kernels) },
      takenAtMs: any(days),
    });
  });
  const partitions = samples.map((sample) => ({ partition: partitionOf(sample, partitionBy) }));
  const engine = await Engine.open();
  const incoming = samples.map((sample, i) => ({ id: String(i), sample, detail: "causes" as const, capture: null }));
  await engine.createTable("updates", rowsOf(incoming).updates);
  const wordOf = (text: string | null): string => {
    if (text === null || text === "") return any(["", "*"]);
    const cut = random.below(text.length + 1);
    return any([text, `${text.slice(0, cut)}*`, `*${text.slice(cut)}`, `*${text.slice(cut, cut + 2)}*`, "*", "no"]);
  };
  let leftOut = 0;
  let selected = 0;
  for (let i = 0; i < QUERIES; i += 1) {
    const keys = [
      `kernel=${encodeURIComponent(wordOf(any(kernels)))}`,
      `old-kernel=${encodeURIComponent(wordOf(any(kernels)))}`,
      `workload=${encodeURIComponent(wordOf(any(texts)))}`,
      `label.a%2Fb~c=${encodeURIComponent(wordOf(any(texts)))}`,
      `day=${any(["2026-11-2*", "2026-11-24", "*"])}`,
      any(["since=3d", "since=2026-11-21", "until=2026-11-21T12:00", "until=2399-01-01"]),
    ];
    const query = Array.from({ length: 1 + random.below(2) }, () => any(keys)).join("&");
    const selection = parseSelection(query, NOW);
    // The same time given twice is refused.
    if (!selection.ok) continue;
    const { where, canHold } = selection.value;
    const found = await engine.rows<{ u: number }>(`SELECT u FROM updates WHERE ${where}`);
    const held = new Set(partitions.flatMap((partition, u) => (canHold(partition, partitionBy) ? [u] : [])));
    for (const { u } of found) assert.ok(held.has(u), `${query}: ${partitions[u]?.partition}`);
    leftOut += samples.length - held.size;
    selected += found.length;
    assert.ok(partitions.every((partition) => canHold(partition, ["host"])));
  }
  const looked = `${leftOut} of ${QUERIES * samples.length} left out, ${selected} selected`;
  assert.ok(leftOut > 20 * samples.length && selected > 20 * samples.length, looked);
  t.diagnostic(looked);
  engine.close();
});

test("anything but a selection is refused, with what is expected", () => {
  const problem = (query: string): string => {
    const where = parseSelection(query, NOW);
    return where.ok ? "" : where.error;
  };
  assert.match(problem("kernl=7"), /^kernl: expected id, kernel, .*did you mean kernel\?$/);
  assert.match(problem("kernel"), /^kernel: expected KEY=VALUE/);
  assert.match(problem("since=soon"), /^since=soon: expected an age like 7d/);
  assert.match(problem("since=1d&since=2d"), /is given twice/);
  assert.match(problem("host=%zz"), /expected KEY=VALUE/);
  assert.match(problem("__proto__=1"), /expected id/);
});
