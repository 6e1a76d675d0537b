/**
 * Updates with other programs. Linux's own tests: LAB_SELFTESTS=DIR, as `blackout lab kernel` builds them. systemd:
 * LAB_ROOTFS=DIR, a root file system with 261 or later, and LAB_KERNEL=BZIMAGE, a kernel that systemd runs on.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { whyNoLab, withLiveUpdate } from "../../testing/lab.js";
import { readUpdate } from "../../testing/samples/captures.js";
import { assertObserved } from "../../testing/samples/live-updates.js";
import type { LabResult } from "../live-update.js";

const { LAB_SELFTESTS, LAB_ROOTFS, LAB_KERNEL } = process.env;
const release = "7.3.4";

/** What every update must show, with any program: an outcome, phases, the observer's blackout, nothing left behind. */
async function assertRecorded(path: string, result: LabResult) {
  assert.deepEqual(result.failures, [], readFileSync(join(path, "console.log"), "latin1").slice(-2_000));
  assert.equal(result.leftNothing, true, "tracefs after disarm is as it was before arm");
  const { update, capture } = await readUpdate(path);
  const { document } = update;
  assert.equal(document.outcome, "completed", document.outcomeReason);
  assertObserved(capture, document, result);
  return update;
}

const noSelftests = LAB_SELFTESTS === undefined ? "LAB_SELFTESTS names no folder" : whyNoLab(release);
test("Linux's own tests of LUO pass across a recorded update", { skip: noSelftests ?? false }, async () => {
  const options = { workload: "selftests", selftests: LAB_SELFTESTS ?? null, level: "probes", fault: "none" } as const;
  await withLiveUpdate(release, release, options, async ({ path, result }) => {
    assert.ok((result.selftests?.length ?? 0) > 0);
    assert.deepEqual(
      result.selftests?.filter(({ passed }) => !passed),
      [],
    );
    const update = await assertRecorded(path, result);
    const names = new Set(update.sessions.map(({ name }) => name));
    // luo_kexec_simple.c's.
    for (const name of ["test-session", "kexec_simple_state"]) assert.ok(names.has(name), name);
  });
});

const noSystemd = LAB_ROOTFS === undefined ? "LAB_ROOTFS names no folder" : whyNoLab();
test("systemd preserves a service's memory and sessions across `systemctl kexec`, recorded by the recorder's units", {
  skip: noSystemd ?? false,
}, async () => {
  const options = { workload: "systemd", rootfs: LAB_ROOTFS ?? null, level: "probes", fault: "none" } as const;
  const kernel = LAB_KERNEL ?? release;
  await withLiveUpdate(kernel, kernel, options, async ({ path, result }) => {
    // Two files in each of two sessions of its own, and two in systemd's.
    assert.deepEqual(result.pages, { checked: 1536, bad: 0 });
    const update = await assertRecorded(path, result);
    assert.ok(update.sessions.some(({ name }) => name === "systemd"));
    assert.equal(update.sessions.length, 3);
  });
});
