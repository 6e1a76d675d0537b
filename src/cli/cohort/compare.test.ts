import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { gzipSync } from "node:zlib";
import type { Comparison } from "../../model/documents/comparison.js";
import { documentOfSample, type UpdateSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { traces } from "../../testing/places.js";
import { madeSample } from "../../testing/samples/samples.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-compare-"));
after(() => rmSync(folder, { recursive: true }));

function linesOf(updates: readonly UpdateSample[]): string {
  return updates.map((update) => `${JSON.stringify(documentOfSample(update))}\n`).join("");
}

function file(name: string, data: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
}

async function run(...argv: readonly string[]) {
  const surroundings = recordedSurroundings();
  const code = await runCli(argv, surroundings, commands);
  return { code, out: surroundings.written(), complaint: surroundings.complained() };
}

const fast = Array.from({ length: 12 }, (_, i) => madeSample(1000 + i));
const slow = Array.from({ length: 12 }, (_, i) => madeSample(1300 + i));
const base = file("base.jsonl", linesOf(fast));
const candidate = file("candidate.jsonl.gz", gzipSync(linesOf(slow)));

test("two files of analysed updates, plain and gzipped", async () => {
  const { code, out, complaint } = await run("compare", base, candidate);
  assert.deepEqual([code, complaint], [0, ""]);
  assert.match(out, /^base → candidate {2}regressed\nThe blackout is longer by \+300\.0 ms \(\+29\.8 %\)/);
  const json = await run("compare", "--json", base, candidate);
  const comparison = JSON.parse(json.out) as Comparison;
  assert.equal(comparison.metrics[0]?.shiftNs, 300e6);
  assert.equal(json.out.indexOf("\n"), json.out.length - 1);
});

test("a cohort compared with itself is unchanged, with a warning", async () => {
  const { code, out, complaint } = await run("compare", base, base);
  assert.equal(code, 0);
  assert.match(out, /unchanged|inconclusive|insufficient/);
  assert.match(complaint, /^warning: all 12 updates of .* are in .* too: .*none in common\.\n$/);
});

test("floors and lists are obeyed", async () => {
  const list = file("list.txt", "# the base\nbase.jsonl\n");
  const { out } = await run("compare", "--floor-percent", "50", `@${list}`, candidate);
  assert.match(out, /unchanged/);
});

test("unlike cohorts are refused with what differs, and marked where forced", async () => {
  const other = file("other.jsonl", linesOf(slow.map((update) => ({ ...update, labels: { workload: "fio" } }))));
  const refused = await run("compare", base, other);
  assert.equal(refused.code, 3);
  assert.equal(refused.out, "");
  assert.match(refused.complaint, /labels\.workload differs: base has idle, other has fio .*\n.*--force/s);
  const forced = await run("compare", "--force", base, other);
  assert.equal(forced.code, 0);
  assert.match(forced.out, /FORCED/);
  assert.equal((JSON.parse((await run("compare", "--force", "--json", base, other)).out) as Comparison).forced, true);
});

test("unusable input is reported with its line", async () => {
  const broken = file("broken.jsonl", `${linesOf(fast)}{"format":"blackout-update-sample"}\n`);
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(folder, "nowhere"), /nowhere: found nothing there, expected a folder/],
    [join(folder, "*.tar.gz"), /matches no capture/],
    [folder, /holds no captures/],
    [broken, /broken\.jsonl:13: version: found nothing, expected 1/],
    [file("empty.jsonl", "\n"), /no update found/],
    [file("zip.jsonl.gz", "no gzip"), /cannot be read/],
    [`@${file("loop.txt", "@loop.txt\n")}`, /8 deep/],
  ];
  for (const [argument, expected] of cases) {
    const { code, complaint } = await run("compare", base, argument);
    assert.equal(code, 3, argument);
    assert.match(complaint, expected);
  }
});

test("folders and patterns of captures are cohorts; the same capture twice is one update", async () => {
  const members = join(traces, "cohorts/devices/0[1-3].tar.gz");
  const { code, out, complaint } = await run(
    "compare",
    "--json",
    join(traces, "cohorts/base/0[1-3].tar.gz"),
    `${members},${members}`,
  );
  assert.deepEqual([code, complaint], [0, ""]);
  const comparison = JSON.parse(out) as Comparison;
  assert.deepEqual([comparison.base.measured, comparison.candidate.measured], [3, 3]);
  assert.equal(comparison.verdict, "insufficient");
});

test("blackout cohort writes what compare reads, and shows what is in it", async () => {
  const members = join(traces, "cohorts/base/0[1-2].tar.gz");
  const written = await run("cohort", "--json", members);
  assert.equal(written.code, 0);
  const analysed = file("analysed.jsonl", written.out);
  assert.equal((await run("cohort", "--json", analysed)).out, written.out);
  const { out } = await run("cohort", analysed);
  assert.match(out, /2 updates: 2 completed/);
  assert.match(out, /probe level +graph\n/);
  assert.match(out, /devices +1 e1000, 2 virtio-pci, 4 other/);
  assert.match(out, /blackout +2 .*needs 5 .*needs 299/);
});

test("the argument that is missing is the one that is named", async () => {
  assert.match((await run("compare", base)).complaint, /CANDIDATE is missing/);
  assert.match((await run("compare")).complaint, /BASE is missing/);
});

test("a series by a label that no update has is refused, with the labels that there are", async () => {
  const { code, out, complaint } = await run("history", "--by", "labels.build", base);
  assert.deepEqual([code, out], [3, ""]);
  assert.match(complaint, /--by labels\.build: no update has one; there are labels\.workload/);
  assert.match((await run("history", "--by", "new-kernel", base)).out, /1 build, 12 updates/);
  assert.match((await run("history", "--metric", "initcall:acpi_init", base)).complaint, /No update has a cause named/);
});

test("a floor below one percent is printed unrounded", async () => {
  const { out } = await run("compare", "--floor-percent", "0.5", base, candidate);
  assert.match(out.replace(/\s+/g, " "), /a change below 0\.5 % or 1\.000 ms does not count/);
});
