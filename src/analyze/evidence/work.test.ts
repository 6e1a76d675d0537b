import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { sampleOfDocument } from "../../model/update-sample.js";
import { callLine, madeCapture, markLine, memoryCapture, returnLine } from "../../testing/fakes/capture-memory.js";
import { traces } from "../../testing/places.js";
import { readUpdate, updateOfCapture } from "../../testing/samples/captures.js";
import { parseMetric, valuesOfUpdate } from "../cohort/metrics.js";
import { workIn } from "./work.js";

const phaseOf = (trace: string, name: string) => {
  const { document } = updateOfCapture(memoryCapture(madeCapture({ old: { trace } }))).update;
  return { document, phase: document.phases.find((phase) => phase.name === name) };
};

test("a phase has its envelope, the union of LUO's calls in it, and what lay between", () => {
  const { document, phase } = phaseOf(
    callLine(1, "luo_session_create", 'session="vm"') +
      returnLine(1.001, "luo_session_create", 0) +
      callLine(3, "luo_preserve_file", 'session="vm" token=0x1 fd=3') +
      // Inside its caller: counted once.
      callLine(3.001, "memfd_luo_preserve", 'compat="memfd-v2"') +
      returnLine(3.002, "memfd_luo_preserve", 0) +
      returnLine(3.004, "luo_preserve_file", 0) +
      markLine(3.1, "luo: vm_pause"),
    "prepare",
  );
  assert.equal(phase?.durationNs, 2_004_000_000);
  assert.equal(phase?.workNs, 5_000_000);
  assert.deepEqual(
    phase?.between?.map(({ durationNs, after, before }) => [durationNs, after, before]),
    [[1_999_000_000, "luo_session_create", "luo_preserve_file"]],
  );
  const sample = sampleOfDocument(document, "made");
  const metric = parseMetric("prepare-work");
  assert.ok(metric.ok);
  assert.deepEqual(valuesOfUpdate(sample, metric.value), [5_000_000]);
});

test("marks count as work only if neither functions nor system calls were recorded", () => {
  const marks =
    markLine(1, "luo: session_create begin session=vm") +
    markLine(1.01, "luo: session_create end session=vm") +
    markLine(1.2, "luo: preserve_fd begin session=vm token=0x1") +
    markLine(1.25, "luo: preserve_fd end session=vm token=0x1");
  assert.equal(phaseOf(marks, "prepare").phase?.workNs, 60_000_000);
});

test("a phase without any record of LUO's calls has no work: not seen is not zero", () => {
  assert.equal(workIn({ functions: [], syscalls: [], marks: [] }, 0, 10), null);
  assert.equal(phaseOf(markLine(1, "luo: vm_pause"), "prepare").phase?.workNs, null);
});

test("systemd's restore spans 24 s with 52 ms of LUO's work in it", async () => {
  const { update } = await readUpdate(join(traces, "dialects/systemd.tar.gz"));
  const restore = update.document.phases.find(({ name }) => name === "restore");
  assert.equal(Math.round((restore?.durationNs ?? 0) / 1e7), 2_415);
  assert.equal(Math.round((restore?.workNs ?? 0) / 1e6), 52);
  const between = restore?.between?.reduce((sum, { durationNs }) => sum + durationNs, 0) ?? 0;
  assert.ok(between > 0.99 * (restore?.durationNs ?? 0));
});
