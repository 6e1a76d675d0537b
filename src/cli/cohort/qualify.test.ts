import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import type { QualifyDocument } from "../../model/documents/qualify.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { sharedCaptures, traces } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const onlyFull = sharedCaptures === null ? "needs the full recordings" : false;
const folder = mkdtempSync(join(tmpdir(), "blackout-qualify-"));
after(() => rmSync(folder, { recursive: true }));

async function run(...argv: readonly string[]) {
  const surroundings = recordedSurroundings();
  const code = await runCli(["qualify", ...argv], surroundings, commands);
  return { code, out: surroundings.written(), complaint: surroundings.complained() };
}

test("shipped captures: tested pairs passed, untested pairs are reported", async () => {
  const captures = ["plain", "v72-v73"].map((name) => join(traces, `${name}.tar.gz`));
  const html = join(folder, "q.html");
  const { code, out } = await run("--json", "--html", html, ...captures);
  assert.equal(code, 0);
  const matrix = JSON.parse(out) as QualifyDocument;
  assert.deepEqual(
    matrix.cells.map((cell) => [cell.old, cell.new, cell.status]),
    [
      ["7.2.13-luo", "7.2.13-luo", "not-tested"],
      ["7.2.13-luo", "7.3.4-luo", "passed"],
      ["7.3.4-luo", "7.2.13-luo", "not-tested"],
      ["7.3.4-luo", "7.3.4-luo", "passed"],
    ],
  );
  assert.match(readFileSync(html, "utf8"), /7\.2\.13-luo → 7\.3\.4-luo <span class="passed">/);
  assert.equal((await run("--require-all", ...captures)).code, 4);
});

test("the recorded matrix: all four pairs of 7.2.13 and 7.3.4 passed", { skip: onlyFull }, async () => {
  const { code, out } = await run("--json", "--require-all", join(sharedCaptures ?? "", "cohorts/matrix"));
  assert.equal(code, 0);
  const { cells, verdict } = JSON.parse(out) as QualifyDocument;
  assert.equal(verdict, "passed");
  assert.deepEqual(
    cells.map(({ updates, outcomes, status }) => [updates, outcomes.completed, status]),
    Array(4).fill([6, 6, "passed"]),
  );
});

test("a new kernel that refuses the state fails its pair, with the capture's own reason", {
  skip: onlyFull,
}, async () => {
  const captures = ["plain", "no-kho"].map((name) => join(sharedCaptures ?? "", name));
  const { code, out } = await run("--force", ...captures);
  assert.equal(code, 1);
  assert.match(out, /failed 7\.3\.4-luo → 7\.3\.4-luo/);
  assert.match(out, /no-kho: (?:failed|incomplete|aborted): \S/);
});
