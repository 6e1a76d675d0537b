import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { Ajv } from "ajv";
import type { PercentilesDocument } from "../../model/documents/percentiles.js";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { documentOfSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { projectRoot, shippedCohort, traces } from "../../testing/places.js";
import { liveUpdateDocument } from "../../testing/samples/live-update-document.js";
import { madeSample } from "../../testing/samples/samples.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-percentiles-"));
after(() => rmSync(folder, { recursive: true }));

const run = (...args: readonly string[]) => blackout("percentiles", ...args);

async function blackout(...args: readonly string[]) {
  const surroundings = recordedSurroundings();
  const code = await runCli(args, surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}

const schema = JSON.parse(readFileSync(join(projectRoot, "docs/percentiles.schema.json"), "utf8"));
const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(schema);

function documentOf(out: string): PercentilesDocument {
  const document: unknown = JSON.parse(out);
  assert.ok(validate(document), JSON.stringify(validate.errors));
  return document as PercentilesDocument;
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const lines = (...documents: readonly object[]): string =>
  documents.map((each) => `${JSON.stringify(each)}\n`).join("");

test("the shipped cohort of ten: its medians are supported, its p90 is not", async () => {
  const { code, out, err } = await run(...shippedCohort("base"), "--json");
  assert.deepEqual([code, err], [0, ""]);
  const { cohort, updates, resolution, measures } = documentOf(out);
  assert.deepEqual(cohort, { probeLevel: "graph", workload: "memfd-2x2", basis: "vm-marks", differences: [] });
  assert.deepEqual([updates.counted, updates.excluded, resolution], [10, [], "exact"]);
  const analyzed = recordedSurroundings();
  await runCli(["analyze", "--json", ...shippedCohort("base")], analyzed, commands);
  const documents: readonly LiveUpdateDocument[] = analyzed
    .written()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const { name, n, minNs, maxNs, percentiles } of measures) {
    const values = documents
      .map(({ blackout, phases }): number | null | undefined => {
        if (name === "blackout") return blackout.durationNs;
        const phase = phases.find((each) => each.name === name.replace("-work", ""));
        return name.endsWith("-work") ? phase?.workNs : phase?.durationNs;
      })
      .map((ns) => ns as number)
      .sort((a, b) => a - b);
    const [p50] = percentiles;
    // Of ten values the 2nd and the 9th bound the median: P(Bin(10, 1/2) <= 1) = 1.1 %, P(<= 2) = 5.5 %.
    const [lower, median, upper] = [1, 4, 8].map((i) => values[i]);
    assert.deepEqual(
      [n, minNs, p50?.lowerNs, p50?.valueNs, p50?.upperNs, maxNs],
      [10, values[0], lower, median, upper, values[9]],
      name,
    );
  }
  const blackout = measures[0]?.percentiles[0]?.valueNs as number;
  assert.ok(Math.abs(blackout - 4.382e9) < 0.005e9, `the median blackout is ${blackout} ns`);
  for (const { percentiles } of measures) {
    assert.deepEqual(
      percentiles.slice(1).map(({ valueNs, upperNs, needed }) => [valueNs, upperNs, needed]),
      [29, 59, 299, 2995].map((needed) => [null, null, needed]),
    );
  }
});

test("captures, their documents and their log give the same, each to its resolution", async () => {
  const captures = shippedCohort("devices");
  const surroundings = recordedSurroundings();
  await runCli(["analyze", "--json", ...captures], surroundings, commands);
  const documents = file("devices.jsonl", surroundings.written());
  const log = join(folder, "out", "devices.hlog");
  const direct = await run(...captures, "--json", "--hlog", log);
  assert.equal(
    direct.err,
    `${log}: histograms of blackout, prepare, freeze, kexec, restore, finish, prepare-work, freeze-work, restore-work, finish-work\n`,
  );
  const again = await run(documents, "--json");
  assert.equal(again.code, 0);
  assert.deepEqual(documentOf(again.out), documentOf(direct.out));
  const logged = documentOf((await run(log, "--json")).out);
  const exact = documentOf(direct.out);
  assert.deepEqual(logged.cohort, exact.cohort);
  assert.equal(logged.resolution, "histogram");
  for (const [i, { n, percentiles }] of exact.measures.entries()) {
    const other = logged.measures[i];
    assert.equal(other?.n, n);
    const [value, bucket] = [percentiles[0]?.valueNs as number, other?.percentiles[0]?.valueNs as number];
    assert.ok(bucket >= value && bucket <= value * (1 + 1 / 1024));
    assert.equal(other?.percentiles[0]?.upperNs, null);
  }
  const both = documentOf((await run(log, ...shippedCohort("base"), "--json")).out);
  assert.deepEqual([both.measures[0]?.n, both.updates.counted, both.logs[0]?.values], [20, 10, 100]);
});

test("unlike updates are refused, saying in what they differ; --force marks every output", async () => {
  const mixed = file(
    "mixed.jsonl",
    lines(liveUpdateDocument({ probeLevel: "graph" }), liveUpdateDocument({ blackoutNs: 2e6, labels: {} })),
  );
  const refused = await run(mixed);
  assert.deepEqual([refused.code, refused.out], [3, ""]);
  assert.match(refused.err, /not alike/);
  assert.match(refused.err, /probe level: graph \(.*mixed\.jsonl:1\); probes \(.*mixed\.jsonl:2\)/);
  assert.match(refused.err, /workload: memfd \(.*:1\); not recorded \(.*:2\)/);
  const log = join(folder, "mixed.hlog");
  const forced = await run(mixed, "--force", "--hlog", log);
  assert.equal(forced.code, 0);
  assert.match(forced.out, /^FORCED: unlike updates .*probe level: graph \(1\), probes \(1\); workload: memfd \(1\)/m);
  const json = documentOf((await run(mixed, "--force", "--json")).out);
  assert.deepEqual(
    json.cohort.differences.map(({ property }) => property),
    ["probeLevel", "workload"],
  );
  assert.equal((await run(log)).code, 3, "a log that was forced is not alike later");
  assert.match((await run(log, "--force")).out, /FORCED/);
  const bases = file("bases.json", lines(liveUpdateDocument(), liveUpdateDocument({ basis: "kernel-observed" })));
  assert.match((await run(bases)).err, /blackout basis: vm-marks .*kernel-observed/);
});

test("what does not count is named", async () => {
  const path = file(
    "some.ndjson",
    lines(
      liveUpdateDocument({ name: "a", phasesNs: { finish: null } }),
      liveUpdateDocument({ name: "b", outcome: "failed", probeLevel: "graph" }),
    ),
  );
  const { code, out } = await run(path);
  assert.equal(code, 0, "a failed update's probe level does not matter");
  assert.match(out, /^1 live update, probe level probes/);
  assert.match(out, /Not counted: 1\n.*some\.ndjson:2: failed: The new kernel never came up\./);
  assert.match(out, /finish not known: 1\n.*some\.ndjson:1: not both of its ends were seen on one axis/);
  assert.match(out, /^ {2}finish +0 +- /m);
});

test("nothing that completed is unusable input, and says why", async () => {
  const { code, out, err } = await run(join(traces, "tsc-persistent.tar.gz"));
  assert.deepEqual([code, out], [3, ""]);
  assert.match(err, /no update completed.*\n.*tsc-persistent\.tar\.gz: incomplete: /);
});

test("unusable inputs do not stop the rest, and decide the exit code", async () => {
  const good = file("good.jsonl", lines(liveUpdateDocument()));
  const bad = file("bad.hlog", "Tag=blackout,0,0,0,nonsense!\n");
  const foreign = file("foreign.hlog", "# nothing here\n");
  const { code, out, err } = await run(good, bad, foreign, join(folder, "missing.jsonl"), join(folder, "missing"));
  assert.equal(code, 3);
  assert.match(out, /^1 live update/);
  assert.match(err, /bad\.hlog: line 1: the histogram is not base64/);
  assert.match(err, /foreign\.hlog: none of its tags is blackout, prepare/);
  assert.match(err, /missing\.jsonl: found nothing there/);
  assert.match(err, /missing/);
  assert.equal((await run(bad)).code, 3);
  const unwritable = await run(good, "--hlog", join(good, "below-a-file.hlog"));
  assert.deepEqual([unwritable.code, unwritable.out], [3, ""]);
  assert.match(unwritable.err, /cannot be written/);
});

test("a file of documents is read line by line, or whole; errors name the line", async () => {
  const document = liveUpdateDocument();
  const one = JSON.stringify(document);
  const excludedOf = async (name: string, text: string): Promise<readonly string[]> => {
    const { out } = await run(file(name, text), "--json");
    return documentOf(out).updates.excluded.map(({ reason }) => reason);
  };
  const twice = await excludedOf("twice.jsonl", `\ufeff${one}\n\n${one}`);
  assert.match(twice.join(), /^the same update as .*twice\.jsonl:1$/);
  assert.deepEqual(await excludedOf("laid-out.json", JSON.stringify(document, null, 2)), []);
  const broken: readonly (readonly [string, RegExp])[] = [
    ["", /no update found/],
    ["<html>", /1: found "<html>", expected one JSON document/],
    [`${one}\n{`, /:2: found "\{", expected one JSON document/],
    ['{"format":"other"}', /:1: found format "other", expected "blackout-update-sample"/],
    [JSON.stringify({ ...document, version: 2 }), /version: found 2, expected 1/],
  ];
  for (const [i, [text, expected]] of broken.entries()) {
    const { code, err } = await run(file(`broken-${i}.json`, text));
    assert.equal(code, 3);
    assert.match(err, expected);
  }
});

test("a percentile is the same number in every command, and only a median is called one", async () => {
  const json = async (...argv: readonly string[]) => JSON.parse((await blackout(...argv)).out);
  const updates = Array.from({ length: 10 }, (_, i) => madeSample(1000 + i * i));
  const path = file("ten.jsonl", updates.map((update) => `${JSON.stringify(documentOfSample(update))}\n`).join(""));
  const budget = file(
    "p50.yaml",
    "version: 1\ndecide-by: sample\nlimits:\n  - blackout p50 <= 1s\n  - blackout p95 <= 1s\n",
  );
  const percentiles = documentOf((await run(path, "--json")).out).measures[0]?.percentiles ?? [];
  assert.equal(percentiles[0]?.valueNs, 1016e6);
  const { metrics } = await json("compare", "--json", path, path);
  assert.equal(metrics[0].base.medianNs, 1020.5e6);
  assert.deepEqual(
    metrics[0].base.percentiles.map(({ valueNs }: { valueNs: number | null }) => valueNs),
    percentiles.map(({ valueNs }) => valueNs),
  );
  const { checks } = await json("gate", "--json", "-b", budget, path);
  assert.deepEqual(
    checks.map(({ observedNs }: { observedNs: number | null }) => observedNs),
    [1016e6, 1081e6],
  );
  assert.match((await blackout("cohort", path)).out, /blackout +10 +1\.000 s +1\.016 s ≤ /);
  const { out } = await blackout("compare", path, path);
  assert.match(out, /blackout p50 +1\.016 s +≤ 1\.064 s/);
  assert.match(out, /blackout p99\.9 +needs 2,995 +needs 2,995 +needs 3,688 a side/);
});
