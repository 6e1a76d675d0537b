/**
 * A live update that systemd 262 made, by `systemctl kexec`, with the recorder's units and no mark but the VM's own
 * two.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { PHASES } from "../../model/live-update.js";
import { traces } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";
import { buildTrees } from "../attribution/build.js";
import { findings } from "../findings/findings.js";

const SAMPLE = join(traces, "dialects/systemd.tar.gz");

test("all phases are found by what the kernel did, and the blackout is the outside clock's", async () => {
  const { capture, update } = await readUpdate(SAMPLE);
  const { document } = update;
  assert.equal(document.outcome, "completed", document.outcomeReason);
  for (const { name, durationNs, beginNs } of document.phases) {
    assert.ok((durationNs ?? 0) > 0, name);
    // The service made its own sessions long before; systemd-shutdown made one after the pause.
    if (name === "prepare") assert.ok((beginNs ?? 0) < -10e9 && (beginNs ?? 0) + (durationNs ?? 0) > 2e9);
  }
  assert.deepEqual(
    document.phases.map(({ name }) => name),
    PHASES,
  );
  const observed = capture.observed?.blackoutNs ?? Number.NaN;
  assert.ok(Math.abs((document.blackout?.durationNs ?? Number.NaN) - observed) < 3e6);
  assert.deepEqual(
    document.defects.map(({ code, severity }) => `${severity} ${code}`),
    ["note file-missing", "note file-missing"],
    "the symbols are left out of the sample",
  );
});

test("systemd's session and the service's are distinguished, each file with its durations", async () => {
  const { update } = await readUpdate(SAMPLE);
  const files = update.sessions.map(({ name, files }) => [name, files.map(({ token }) => token)]);
  assert.deepEqual(Object.fromEntries(files), {
    "7f994553-0000-4000-8000-000000000001": ["0x100", "0x101"],
    "7f994553-0000-4000-8000-000000000002": ["0x200", "0x201"],
    // The two of the file descriptor store, and luo-mapping last.
    systemd: ["0x1", "0x2", "0x0"],
  });
  for (const { name, files } of update.sessions) {
    for (const { token, preserveNs, freezeNs, retrieveNs } of files) {
      assert.ok((preserveNs ?? 0) > 0 && (freezeNs ?? 0) > 0, token);
      // systemd retrieves its own before a unit can arm probes.
      assert.equal((retrieveNs ?? 0) > 0, name !== "systemd", token);
    }
  }
});

test("what systemd's way costs is found: preserved after the pause, and restored by a service", async () => {
  const { update } = await readUpdate(SAMPLE);
  const { blackout } = buildTrees(update);
  assert.ok(blackout !== null);
  const rules = findings({ update, root: blackout }).map(({ rule }) => rule);
  for (const rule of ["prepare-in-blackout", "late-open"] as const) assert.ok(rules.includes(rule), rule);
});
