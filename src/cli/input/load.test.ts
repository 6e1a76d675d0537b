import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { tarArchive } from "../../testing/fakes/tar.js";
import { traces } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

test("unusable captures are answered with 3 and a sentence each, and the others are analysed", async () => {
  const top = mkdtempSync(join(tmpdir(), "blackout-test-"));
  try {
    writeFileSync(join(top, "evil.tar"), tarArchive([{ name: "../evil", data: "x" }]));
    for (const name of ["json", "linked", "newer"]) mkdirSync(join(top, name));
    writeFileSync(join(top, "json/capture.json"), "{");
    writeFileSync(join(top, "newer/capture.json"), '{"format":"blackout-capture","version":2}');
    symlinkSync("/", join(top, "linked/root"));
    const bad = ["evil.tar", "json", "linked", "newer", "nowhere"].map((name) => join(top, name));
    const surroundings = recordedSurroundings();
    const good = join(traces, "cohorts/base/01.tar.gz");
    assert.equal(await runCli(["analyze", "--json", ...bad, good], surroundings, commands), 3);
    assert.equal(surroundings.written().trim().split("\n").length, 1, "the good one is answered");
    const said = surroundings.complained();
    for (const code of ["bad-path", "bad-json", "link", "newer-version", "not-found"])
      assert.ok(said.includes(`[${code}]`), code);
    for (const path of bad) assert.ok(said.includes(path), path);
    assert.equal(await runCli(["analyze", good], recordedSurroundings(), commands), 0);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
});

test("a command on one capture, given a folder of them, names one that it could have", async () => {
  const surroundings = recordedSurroundings();
  const folder = join(traces, "cohorts/base");
  assert.equal(await runCli(["tree", folder], surroundings, commands), 3);
  assert.match(
    surroundings.complained(),
    /cohorts\/base: a folder of \d+ captures, and one was expected\n.*cohorts\/base\/01\.tar\.gz/,
  );
});
