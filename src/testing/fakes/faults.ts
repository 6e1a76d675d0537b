/** The faults of an update, each made in QEMU, and what its capture shows. */
import assert from "node:assert/strict";
import test from "node:test";
import type { LabFault } from "../../lab/machine/lab-options.js";
import { labWanted, whyNoLab, withLiveUpdate } from "../lab.js";
import { readUpdate } from "../samples/captures.js";

interface Ending {
  readonly outcome: string;
  readonly reason: RegExp;
  /** Codes of the defects that are more than notes. */
  readonly defects: readonly string[];
}

const LOST = ["events-missing", "events-missing"];
const ENDINGS: Readonly<Record<Exclude<LabFault, "none">, Ending>> = {
  refused: { outcome: "aborted", reason: /^liveupdate_reboot returned -16: /, defects: [] },
  "not-loaded": { outcome: "aborted", reason: /^reboot returned -22: /, defects: [] },
  panic: { outcome: "failed", reason: /^The new kernel panicked: .*Unable to mount root fs/, defects: LOST },
  hang: { outcome: "failed", reason: /^The new kernel never reached user space: .*\/dev\/nowhere/, defects: LOST },
  "kho-off": { outcome: "failed", reason: /^The new kernel ran without KHO/, defects: [] },
  cpus: {
    outcome: "incomplete",
    reason: /^Not recorded: the VMs' pause/,
    defects: ["events-missing", "vm-pause-unseen"],
  },
};

/** Defines the test. Only the refused freeze is made in every test run; the others need LAB=all. */
export function testFault(fault: Exclude<LabFault, "none">): void {
  const ending = ENDINGS[fault];
  test(`an update with the fault '${fault}' is ${ending.outcome}`, async (t) => {
    if (fault !== "refused" && !labWanted) return t.skip("made with LAB=all");
    const why = whyNoLab("7.3.4");
    if (why !== null) return t.skip(why);
    await withLiveUpdate("7.3.4", "7.3.4", { level: "probes", fault }, async ({ path, result }) => {
      assert.deepEqual(result.failures, []);
      assert.notEqual(result.leftNothing, false, "tracefs after disarm is as it was before arm");
      const { capture, update } = await readUpdate(path);
      const { outcome, outcomeReason, defects } = update.document;
      assert.equal(outcome, ending.outcome, outcomeReason);
      assert.match(outcomeReason, ending.reason);
      const codes = defects.filter(({ severity }) => severity !== "note").map(({ code }) => code);
      assert.deepEqual(codes, ending.defects);
      assert.equal(capture.labels.fault, fault);
    });
  });
}
