/**
 * The blackout against what a clock outside the host saw (observed.json, which no analysis reads): over the shipped
 * cohorts, and over all there are if the full set of recordings is present.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { PHASES, type PhaseName } from "../../model/live-update.js";
import { documentFaults } from "../../testing/fakes/document-faults.js";
import { cohortCaptures, projectRoot, sharedCaptures, traces } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";

/** The observer's own worst on a busy machine. */
const OBSERVER_NS = 20_000_000;

interface Compared {
  readonly path: string;
  readonly blackoutNs: number;
  readonly offNs: number;
  readonly uncertaintyNs: number;
}

async function compare(path: string): Promise<Compared> {
  const { capture, update } = await readUpdate(path);
  const { document } = update;
  assert.deepEqual(documentFaults(document), [], path);
  const { durationNs, uncertaintyNs } = document.blackout;
  assert.ok(durationNs !== null && uncertaintyNs !== null && capture.observed !== null, path);
  const { blackoutNs } = capture.observed;
  return { path, blackoutNs: durationNs, offNs: Math.abs(durationNs - blackoutNs), uncertaintyNs };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

function cohortPaths(): readonly (readonly [string, readonly string[]])[] {
  const names = readdirSync(join(traces, "cohorts")).sort();
  if (sharedCaptures === null) return names.map((name) => [name, cohortCaptures(name)]);
  const all = join(sharedCaptures, "cohorts");
  const plain = readdirSync(all).filter((name) => name !== "matrix");
  const matrix = existsSync(join(all, "matrix"))
    ? readdirSync(join(all, "matrix")).map((name) => `matrix/${name}`)
    : [];
  return [...plain, ...matrix].map((name) => [name, cohortCaptures(name)]);
}

test("over the cohorts the blackout is the observer's: 0.05 % off in the median, and the stated ± covers it", async (t) => {
  const all: Compared[] = [];
  for (const [name, paths] of cohortPaths()) {
    const compared: Compared[] = [];
    for (const path of paths) compared.push(await compare(path));
    const share = median(compared.map(({ offNs, blackoutNs }) => offNs / blackoutNs));
    t.diagnostic(`${name}: ${paths.length} updates, median ${(share * 100).toFixed(4)} % off`);
    all.push(...compared);
  }
  assert.ok(all.length >= 20);
  const share = median(all.map(({ offNs, blackoutNs }) => offNs / blackoutNs));
  assert.ok(share <= 0.0005, `median ${(share * 100).toFixed(4)} % of ${all.length}`);
  const uncovered = all.filter(({ offNs, uncertaintyNs }) => offNs > uncertaintyNs + OBSERVER_NS);
  t.diagnostic(`all: ${all.length} updates, median ${(share * 100).toFixed(4)} % off, ${uncovered.length} not covered`);
  assert.ok(uncovered.length <= all.length * 0.02, uncovered.map(({ path }) => path).join(", "));
});

/** Updates from one kernel version to another: one is shipped, its way back is in the full set. */
const crossVersion = [
  join(traces, "v72-v73.tar.gz"),
  ...(sharedCaptures === null ? [] : [join(sharedCaptures, "v73-v72")]),
];

for (const path of crossVersion) {
  const name = path.slice(projectRoot.length);
  test(`from one kernel version to another all five phases are found: ${name}`, async () => {
    const { update } = await readUpdate(path);
    for (const phase of update.document.phases)
      assert.ok(phase.durationNs !== null && phase.durationNs > 0, phase.name);
    assert.deepEqual(
      update.document.phases.map((phase) => phase.name),
      PHASES,
    );
    const compared = await compare(path);
    assert.ok(compared.offNs <= Math.max(compared.blackoutNs * 0.001, OBSERVER_NS), `${compared.offNs} ns off`);
  });

  test(`without the raw pages the new kernel's text of the old ring is a defect, and no phase rests on it: ${name}`, async () => {
    const { update } = await readUpdate(path, /^ring\/per_cpu\/.*trace_pipe_raw$/);
    const { document } = update;
    assert.ok(document.defects.some(({ code, severity }) => code === "ring-text-foreign" && severity === "error"));
    assert.equal(document.outcome, "incomplete");
    assert.equal(document.blackout.durationNs, null);
    for (const phase of document.phases) {
      const ofOld: readonly PhaseName[] = ["prepare", "freeze", "kexec"];
      assert.equal(phase.durationNs === null, ofOld.includes(phase.name), phase.name);
      if (phase.name !== "restore" && phase.name !== "finish") assert.equal(phase.beginNs, null);
    }
    assert.ok(!document.sources.some(({ boot }) => boot === "old"));
  });
}

test("observed.json is not looked at: without it the answer is the same", async () => {
  const path = join(traces, "plain.tar.gz");
  const [whole, without] = [await readUpdate(path), await readUpdate(path, /^observed\.json$/)];
  assert.equal(without.capture.observed, null);
  assert.deepEqual(without.update.document, whole.update.document);
});

test("if the boot CPU's ring was lost, the result reports it, with the remedy, and invents no number", async () => {
  const { update } = await readUpdate(join(traces, "tsc-persistent.tar.gz"));
  const { document } = update;
  assert.equal(document.outcome, "incomplete");
  const [lost] = document.defects.filter(({ code }) => code === "ring-cpu-missing");
  assert.equal(lost?.severity, "error");
  assert.match(lost?.file ?? "", /^ring\/per_cpu\/cpu0\//);
  assert.match(`${lost?.message} ${lost?.advice}`, /x86-tsc.*`local`/s);
  assert.equal(document.blackout.durationNs, null);
  for (const { name, durationNs, beginNs } of document.phases) {
    if (name === "restore" || name === "finish") continue;
    assert.deepEqual([durationNs, beginNs], [null, null], name);
  }
});

test("the README's figures of the shipped captures are theirs", () => {
  const readme = readFileSync(join(traces, "README.md"), "utf8");
  for (const entry of ["", "cohorts", "dialects"].flatMap((folder) => readdirSync(join(traces, folder)))) {
    if (["README.md", "cohorts", "dialects"].includes(entry)) continue;
    assert.match(readme, new RegExp(`[\`/]${entry.replace(".tar.gz", "")}[\`/.]`), entry);
  }
});
