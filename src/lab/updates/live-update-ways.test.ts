/**
 * The other ways to record an update, all in one: fprobes, the next kernel armed by a bootconfig, copies of the rings,
 * a carrier in a LUO session, and hashed names of sessions. Made with LAB=all.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { labWanted, whyNoLab, withLiveUpdate } from "../../testing/lab.js";
import { pseudonymOf } from "../../testing/recorder-runs.js";
import { readUpdate } from "../../testing/samples/captures.js";

/** guest-init.sh's. */
const KEY = "0123456789abcdef0123456789abcdef";
const NAMES = [
  "blackout-recorder",
  ...[1, 2].map((index) => `7f994553-0000-4000-8000-${String(index).padStart(12, "0")}`),
];

const pseudonym = (name: string): string => pseudonymOf(KEY, name);

const release = "7.3.4";
const why = labWanted ? whyNoLab(release) : "made with LAB=all";
test("a live update by bootconfig, through a memfd, from copies of the rings, without names", {
  skip: why ?? false,
}, async () => {
  const ways = { armBy: "bootconfig", carrier: "memfd", probes: "fprobe", backup: true, hashSessions: true } as const;
  await withLiveUpdate(release, release, { level: "probes", fault: "none", ...ways }, async ({ path, result }) => {
    assert.deepEqual(result.failures, [], readFileSync(join(path, "console.log"), "latin1").slice(-2_000));
    assert.deepEqual(result.pages, { checked: 1024, bad: 0 });
    assert.equal(result.leftNothing, true, "tracefs after disarm is as it was before arm");
    const { capture, update } = await readUpdate(path);
    assert.equal(update.document.outcome, "completed", update.document.outcomeReason);
    assert.deepEqual(
      update.document.phases.filter(({ durationNs }) => durationNs === null),
      [],
    );
    assert.deepEqual(
      update.document.defects.filter(({ severity }) => severity !== "note"),
      [],
    );
    assert.equal(capture.labels.arm_by, "bootconfig");
    assert.deepEqual(new Set(update.sessions.map(({ name }) => name)), new Set(NAMES.map(pseudonym)));
    for (const session of update.sessions)
      for (const file of session.files) assert.ok((file.freezeNs ?? 0) > 0 && (file.retrieveNs ?? 0) > 0, file.token);
    for (const file of readdirSync(path, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())) {
      const text = readFileSync(join(file.parentPath, file.name), "latin1");
      assert.doesNotMatch(text, /7f994553-0000|session.blackout-recorder/, file.name);
    }
  });
});
