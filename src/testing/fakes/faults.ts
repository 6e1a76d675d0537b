/** The faults of an update, each made in QEMU, and what its capture shows. */
import assert from "node:assert/strict";
import test from "node:test";
import type { LabFault } from "../../lab/machine/lab-options.js";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { labWanted, whyNoLab, withLiveUpdate } from "../lab.js";
import { readUpdate } from "../samples/captures.js";

interface Ending {
  readonly outcome: string;
  readonly reason: RegExp;
  /** Codes of the defects that are more than notes; null: whatever is left of an update that died. */
  readonly defects: readonly string[] | null;
  /** What else the report shows. */
  readonly shows?: (document: LiveUpdateDocument) => void;
}

const LOST = ["events-missing", "events-missing"];
const RESTORED = /^The new kernel restored what the old one preserved/;
const ENDINGS: Readonly<Record<Exclude<LabFault, "none">, Ending>> = {
  refused: { outcome: "aborted", reason: /^liveupdate_reboot returned -16: /, defects: [] },
  "not-loaded": { outcome: "aborted", reason: /^reboot returned -22: /, defects: [] },
  "agent-killed": {
    outcome: "completed",
    reason: RESTORED,
    defects: [],
    shows: ({ abandoned, sessions }) => {
      assert.deepEqual(
        abandoned?.map(({ session, task, files }) => [session, task, files]),
        [["7f994553-0000-4000-8000-000000000003", "workload", 1]],
      );
      assert.equal(sessions.length, 2, "what was given up is not among what was handed over");
    },
  },
  abi: {
    outcome: "failed",
    reason: /^The new kernel, 7\.3\.4-luo, does not have the ABI of what the old one, 7\.3\.4-luo, handed over: 'KHO: /,
    defects: null,
  },
  retrieve: {
    outcome: "partly-restored",
    reason:
      /^3 of 4 files came back\. Lost: session \S+0001, token 0x100, handler memfd-v\d: retrieve failed with ENOMEM/,
    defects: [],
  },
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
      if (ending.defects !== null) assert.deepEqual(codes, ending.defects);
      assert.equal(capture.labels.fault, fault);
      ending.shows?.(update.document);
    });
  });
}
