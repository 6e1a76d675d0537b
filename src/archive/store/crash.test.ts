/**
 * Writers and a compaction at work on one archive, each killed (SIGKILL) at a random time, again and again: nothing
 * that was acknowledged is lost, nothing is double, and the archive verifies after every round. A kill takes half a
 * second of a core, most of it node's and the engine's start; BLACKOUT_LONG_TESTS=1: 1,000.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../base/numbers/random.js";
import { bundle } from "../../testing/bundle.js";
import { verifyArchive } from "../upkeep/verify.js";
import { openArchive } from "./archive.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-crash-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const KILLS = Number(process.env.BLACKOUT_CRASH_KILLS ?? (process.env.BLACKOUT_LONG_TESTS === "1" ? 1_000 : 100));
const ROLES = ["add", "add", "add", "compact"] as const;
const worker = bundle(join(import.meta.dirname, "../../testing/fakes/archive-worker.js"), folder);

test(`${KILLS} kills lose nothing that was acknowledged, and double nothing`, { timeout: 3_000_000 }, async (t) => {
  const path = join(folder, "archive");
  const random = seededRandom(1);
  const acknowledged = new Set<string>();
  const archive = await openArchive(path, { partitionBy: ["kernel"] });
  let kills = 0;
  for (let round = 0; kills < KILLS; round += 1) {
    await Promise.all(
      ROLES.map(async (role, i) => {
        const child = spawn(process.execPath, [worker, role, path, String(round * 10 + i)], {
          stdio: ["ignore", "pipe", "pipe"],
        });
        let output = "";
        let errors = "";
        // By what it has done, and not by the clock alone: on a busy machine it would be killed before it did anything.
        const wanted = 1 + (role === "add" ? random.below(4) : 0);
        const atWork = new Promise<void>((done) => {
          child.stdout.setEncoding("utf8").on("data", (text: string) => {
            output += text;
            if (output.split("\n").length > wanted) done();
          });
        });
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
          errors += text;
        });
        const closed = once(child, "close");
        const pause = random.below(role === "add" ? 200 : 800);
        await Promise.race([atWork, closed]);
        await sleep(pause);
        child.kill("SIGKILL");
        const [code, signal] = await closed;
        assert.equal(signal, "SIGKILL", `${role} ended by itself, with ${code}: ${errors}`);
        kills += 1;
        // The last line may be cut: the update was acknowledged, but its id is not complete.
        for (const id of output.split("\n").slice(1, -1)) acknowledged.add(id);
      }),
    );
    const found = await verifyArchive(archive, { quick: false });
    assert.deepEqual(found.problems, [], `after ${kills} kills`);
    const there = new Set((await archive.list()).map(({ id }) => id));
    assert.equal(there.size, found.updates);
    for (const id of acknowledged) assert.ok(there.has(id), `${id} was acknowledged and is lost, after ${kills} kills`);
  }
  archive.close();
  const { updates, commit } = await verifyArchive(await openArchive(path), { quick: true });
  t.diagnostic(`${kills} kills, ${acknowledged.size} updates acknowledged, ${updates} there, ${commit} commits`);
  assert.ok(acknowledged.size > KILLS / 2);
});
