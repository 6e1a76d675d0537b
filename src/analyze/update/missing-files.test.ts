/** What a capture lacks is reported, and everything else is still answered. */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { traces } from "../../testing/places.js";
import { hiding, updateOfCapture, withFiles } from "../../testing/samples/captures.js";

const without = (hidden: RegExp): Promise<LiveUpdateDocument> =>
  withFiles(join(traces, "plain.tar.gz"), (files) => updateOfCapture(hiding(files, hidden)).update.document);

const codesOf = ({ defects }: LiveUpdateDocument): readonly string[] =>
  defects.map(({ code, file }) => `${code} ${file}`);

test("without a buffer's trace_clock none of its events is placed, and the marks' absence is explained by that", async () => {
  for (const [folder, mark, boot] of [
    ["ring", "pause", "old"],
    ["new", "resume", "new"],
  ] as const) {
    const update = await without(new RegExp(`^${folder}/trace_clock$`));
    assert.equal(update.blackout.durationNs, null);
    assert.ok(codesOf(update).includes(`trace-clock-unknown ${folder}/trace_clock`), codesOf(update).join(", "));
    const unseen = update.defects.find(({ code }) => code === `vm-${mark}-unseen`);
    assert.equal(unseen?.advice, `The ${boot} boot's events cannot be placed: see trace-clock-unknown.`);
    assert.doesNotMatch(unseen?.message ?? "", /not in the capture/);
  }
});

test("if one CPU's pages were not saved, the kernel's text of all CPUs is read, and this is reported", async () => {
  const whole = await without(/^$/);
  for (const folder of ["ring", "new"]) {
    for (const cpu of [0, 1]) {
      const pages = `${folder}/per_cpu/cpu${cpu}/trace_pipe_raw`;
      const update = await without(new RegExp(`^${pages}$`));
      assert.deepEqual(codesOf(update), [`ring-cpu-missing ${pages}`]);
      assert.equal(update.defects[0]?.severity, "warning");
      const difference = (update.blackout.durationNs ?? 0) - (whole.blackout.durationNs ?? 0);
      assert.ok(Math.abs(difference) < 3_000, `${pages}: ${difference} ns off`);
    }
  }
});

test("where one CPU's pages were not saved and no text can be trusted, what ran there is lost", async () => {
  const update = await without(/^ring\/(?:trace|per_cpu\/cpu0\/trace_pipe_raw)$/);
  assert.equal(update.blackout.durationNs, null);
  const [missing] = update.defects.filter(({ code }) => code === "ring-cpu-missing");
  assert.equal(missing?.severity, "error");
  assert.match(missing?.message ?? "", /kernel counted \d+ entries in its buffer: what ran there is lost/);
  const unseen = update.defects.find(({ code }) => code === "vm-pause-unseen");
  assert.match(unseen?.advice ?? "", /see ring-cpu-missing/);
});

test("an update is the same whether its second ring is named as the one for marks or as a further one", async () => {
  const path = join(traces, "dialects/systemd.tar.gz");
  const named = await withFiles(path, (files) => updateOfCapture(files));
  const further = await withFiles(path, (files) => {
    const bytes: typeof files.bytes = (name, limit, sink) => {
      const found = files.bytes(name, limit, sink);
      if (name !== "capture.json" || found === null) return found;
      return Buffer.from(Buffer.from(found).toString("utf8").replace('"marks": "marks"', '"rings": ["marks"]'));
    };
    return updateOfCapture({ ...files, paths: files.paths, open: files.open, close: () => {}, bytes });
  });
  assert.equal(further.capture.boots.old?.marks, null);
  assert.equal(further.capture.boots.old?.rings.length, 1);
  assert.deepEqual(further.update.document.phases, named.update.document.phases);
  assert.deepEqual(further.update.document.blackout, named.update.document.blackout);
});
