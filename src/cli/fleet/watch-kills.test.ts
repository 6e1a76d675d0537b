/**
 * `blackout watch`, killed (SIGKILL) at random times while captures arrive: each capture is in the archive once, and
 * the archive is sound. WATCH_KILLS for more.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../base/numbers/random.js";
import { projectRoot } from "../../testing/places.js";
import { captureCopies } from "../../testing/samples/capture-copies.js";

const KILLS = Number(process.env.WATCH_KILLS ?? 6);
const MAIN = join(projectRoot, "dist/cli/main.js");
/** Names are of two characters: 676 for each of the ten recordings. */
const MOST_CAPTURES = 500;

const folder = mkdtempSync(join(tmpdir(), "blackout-watch-kills-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const run = (
  ...args: readonly string[]
): { readonly status: number | null; readonly stdout: string; readonly text: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
  return { status, stdout, text: stdout + stderr };
};

test(`${KILLS} kills of watch lose no capture, and take none in twice`, async (t) => {
  const [spool, archive] = [join(folder, "spool"), join(folder, "archive")];
  mkdirSync(spool);
  const captures = captureCopies(join(projectRoot, "traces/cohorts/base"), Math.min(KILLS, MOST_CAPTURES));
  const args = [
    spool,
    "--archive",
    archive,
    "--no-listen",
    "--settle",
    "1s",
    "--rescan",
    "1s",
    "--jobs",
    "1",
    "--json",
  ];
  const { below } = seededRandom(9);
  let [taken, takingMs] = [0, 0];
  for (let kill = 0; kill < KILLS; kill++) {
    const capture = captures[kill];
    if (capture !== undefined) {
      writeFileSync(join(spool, `.${kill}.tar`), capture);
      renameSync(join(spool, `.${kill}.tar`), join(spool, `${kill}.tar`));
    }
    const child = spawn(process.execPath, [MAIN, "watch", ...args], { stdio: ["ignore", "pipe", "ignore"] });
    const ended = new Promise<NodeJS.Signals | null>((done) => child.once("close", (_, signal) => done(signal)));
    let report = { started: (): void => {}, taken: (): void => {} };
    const started = new Promise<void>((done) => {
      report = { ...report, started: done };
    });
    const took = new Promise<void>((done) => {
      report = { ...report, taken: done };
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      report.started();
      const events = text.split('"event":"taken"').length - 1;
      if (events > 0) report.taken();
      taken += events;
    });
    await Promise.race([started, ended]);
    const startedMs = performance.now();
    if (kill === 0) {
      // How long this machine takes from the start to a capture in the archive: kills are spread over that.
      await Promise.race([took, ended]);
      takingMs = performance.now() - startedMs;
    } else await sleep(below(Math.ceil(1.5 * takingMs)));
    child.kill("SIGKILL");
    assert.equal(await ended, "SIGKILL", "it ended by itself");
  }
  const last = run("watch", ...args, "--once");
  assert.equal(last.status, 0, last.text);
  const verified = run("archive", "verify", archive);
  assert.equal(verified.status, 0, verified.text);
  assert.match(verified.text, new RegExp(`sound: ${captures.length} updates`));
  const ids = run("archive", "list", archive, "--json", "--limit", "1000").stdout.trim().split("\n");
  assert.equal(new Set(ids.map((line) => JSON.parse(line).id)).size, captures.length);
  t.diagnostic(`${KILLS} kills, ${captures.length} captures; ${taken} were reported as taken before a kill`);
});
