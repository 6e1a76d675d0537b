/** What every live update that succeeds must show, at each level. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Capture } from "../../collect/capture/capture.js";
import type { LabResult } from "../../lab/live-update.js";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import type { ProbeLevel } from "../../recorder/recorder.js";
import { whyNoLab, withLiveUpdate } from "../lab.js";
import { readUpdate } from "./captures.js";

/** How far the tool's blackout may be from the observer's, beside what the observer itself does not know. */
const AGREEMENT_NS = 3e6;
const AGREEMENT = 0.001;

/** That the tool's blackout is the observer's; both, in words. */
export function assertObserved(capture: Capture, document: LiveUpdateDocument, result: LabResult): string {
  const observed = capture.observed?.blackoutNs ?? Number.NaN;
  const measured = document.blackout?.durationNs ?? Number.NaN;
  const within = Number(result.observedWithinNs ?? Number.NaN);
  const bound = Math.max(AGREEMENT_NS, observed * AGREEMENT) + within;
  const told = `${measured} ns measured, ${observed} ns observed ± ${within} ns`;
  assert.ok(Math.abs(measured - observed) <= bound, told);
  return told;
}

const PAGES = 1024;
/** Where the freeze ends, and the kexec begins, only a probe tells; without one they are ranges. */
const phasesAt = (level: ProbeLevel): readonly string[] =>
  level === "markers" || level === "events"
    ? ["prepare", "restore", "finish"]
    : ["prepare", "freeze", "kexec", "restore", "finish"];

/** Defines the test. From `probes` on, each file's part in freeze and restore is known too. */
export function testLiveUpdate(level: ProbeLevel, from = "7.3.4", to = "7.3.4"): void {
  test(`a live update ${from} → ${to} at level ${level}: phases, every page, the observer's blackout, nothing left`, async (t) => {
    const why = whyNoLab(from, to);
    if (why !== null) return t.skip(why);
    await withLiveUpdate(from, to, { level, fault: "none" }, async ({ path, result }) => {
      assert.equal(result.stopped, null, readFileSync(join(path, "console.log"), "latin1").slice(-2_000));
      assert.deepEqual(result.failures, []);
      assert.deepEqual(result.pages, { checked: PAGES, bad: 0 });
      assert.equal(result.leftNothing, true, "tracefs after disarm is as it was before arm");
      const { capture, update } = await readUpdate(path);
      const { document } = update;
      assert.equal(document.outcome, "completed", document.outcomeReason);
      assert.equal(capture.labels.probe_level, level);
      const found = document.phases.filter(({ durationNs }) => durationNs !== null).map(({ name }) => name);
      assert.deepEqual(found, phasesAt(level));
      t.diagnostic(assertObserved(capture, document, result));
      const defects = document.defects.filter(({ severity }) => severity !== "note").map(({ code }) => code);
      assert.deepEqual(defects, []);
      const costs = capture.boots.old?.costs ?? null;
      assert.equal(costs !== null, level !== "markers", "what an event costs there was measured");
      t.diagnostic(`the recording's own part is at most ${update.recording?.ns ?? "an unknown number of"} ns`);
      if (level === "markers" || level === "events") return;
      assert.equal(update.sessions.length, 2);
      for (const session of update.sessions)
        for (const file of session.files) assert.ok((file.freezeNs ?? 0) > 0 && (file.retrieveNs ?? 0) > 0, file.token);
    });
  });
}
