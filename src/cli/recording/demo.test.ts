/** `blackout demo`, and the examples of the main help in the folder that it leaves. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { commands } from "../commands.js";
import { mainExamples, runCli } from "../frame/command-run.js";

const place = mkdtempSync(join(tmpdir(), "blackout-demo-"));
after(() => rmSync(place, { recursive: true, force: true }));

test("the demo copies recordings, analyses one, and leaves a report and a trace", async () => {
  const folder = join(place, "demo");
  const surroundings = recordedSurroundings();
  assert.equal(await runCli(["demo", folder], surroundings, commands), 0);
  const text = surroundings.written();
  assert.match(text, /^\$ blackout analyze \S*demo\/traces\/plain\.tar\.gz\nplain .* completed\n\nBlackout 5\.21\d s/);
  assert.match(text, /\$ blackout findings /);
  assert.match(readFileSync(join(folder, "out/report.html"), "utf8"), /^<!doctype html>/);
  assert.ok(statSync(join(folder, "out/trace.pftrace")).size > 100_000);
  // Repeated, it replaces its own files.
  assert.equal(await runCli(["demo", folder], recordedSurroundings(), commands), 0);
});

test("every path in the examples of the main help exists in the demo's folder", () => {
  const paths = mainExamples.flatMap(({ command }) =>
    command.split(" ").filter((word) => /^(traces|examples)\//.test(word)),
  );
  assert.ok(paths.length >= 6);
  for (const path of paths) assert.ok(existsSync(join(place, "demo", path)), path);
});

test("a folder that cannot be made is a sentence, not a crash", async () => {
  const surroundings = recordedSurroundings();
  assert.equal(await runCli(["demo", "/dev/null/demo"], surroundings, commands), 3);
  assert.match(surroundings.complained(), /\/dev\/null\/demo: the recordings cannot be copied/);
});
