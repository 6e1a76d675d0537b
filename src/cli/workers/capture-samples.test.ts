import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { tarArchive } from "../../testing/fakes/tar.js";
import { shippedCohort, traces } from "../../testing/places.js";
import { DEFAULT_CAPTURE_OPTIONS } from "../input/capture-options.js";
import { captureSamples } from "./capture-samples.js";

const all = async (paths: readonly string[], jobs: number): Promise<unknown[]> => {
  const found = [];
  for await (const sample of captureSamples(paths, DEFAULT_CAPTURE_OPTIONS, jobs)) found.push(sample);
  return found;
};

test("two processes give what one gives, in the same order, unusable captures too", async () => {
  const top = mkdtempSync(join(tmpdir(), "blackout-test-"));
  try {
    const evil = join(top, "evil.tar");
    writeFileSync(evil, tarArchive([{ name: "../evil", data: "x" }]));
    const good = [...shippedCohort("base"), join(traces, "plain.tar.gz")];
    const paths = [evil, ...good, join(top, "nowhere.tar"), ...good.slice(0, 3)];
    const alone = await all(paths, 1);
    assert.equal(alone.length, paths.length);
    assert.deepEqual(await all(paths, 2), alone);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
});

test("who stops asking leaves no process behind", async () => {
  const samples = captureSamples([...shippedCohort("base"), ...shippedCohort("devices")], DEFAULT_CAPTURE_OPTIONS, 2);
  await samples.next();
  await samples.return();
  const children = process.getActiveResourcesInfo().filter((kind) => kind === "ProcessWrap");
  // A killed process is one until it is reaped.
  for (let i = 0; i < 100 && process.getActiveResourcesInfo().includes("ProcessWrap"); i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(children.length <= 2);
  assert.ok(!process.getActiveResourcesInfo().includes("ProcessWrap"));
});
