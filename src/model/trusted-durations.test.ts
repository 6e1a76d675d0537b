import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { causeOf, madeSample } from "../testing/samples/samples.js";
import { DOUBTED_CODES, doubtOf, withTrustedDurations } from "./trusted-durations.js";
import type { DefectCount, UpdateSample } from "./update-sample.js";

const PHASES = { prepare: 1, freeze: 2, kexec: 3, restore: 4, finish: 5 };

function sampleWith(defect: DefectCount | null, blackoutNs = 5e9): UpdateSample {
  return madeSample(5_000, {
    blackout: { basis: "vm-marks", durationNs: blackoutNs, uncertaintyNs: 1 },
    seam: { durationNs: 7, uncertaintyNs: 1 },
    phases: PHASES,
    causes: [causeOf("acpi_init", 5_000)],
    defects: { error: defect?.severity === "error" ? 1 : 0, warning: 0, note: 0 },
    defectCodes: defect === null ? [] : [defect],
  });
}

test("an update that nothing contradicts keeps every duration", () => {
  for (const severity of ["warning", "note"] as const) {
    const sample = sampleWith({ code: "clock-link-contradicted", severity, count: 1 });
    assert.equal(withTrustedDurations(sample), sample);
    assert.equal(doubtOf(sample), null);
  }
  const other = sampleWith({ code: "vm-pause-unseen", severity: "error", count: 1 });
  assert.equal(withTrustedDurations(other), other);
});

test("a contradicted clock link leaves the durations inside one kernel", () => {
  const found = withTrustedDurations(sampleWith({ code: "clock-link-contradicted", severity: "error", count: 1 }));
  assert.deepEqual(found.blackout, { basis: "vm-marks", durationNs: null, uncertaintyNs: null });
  assert.deepEqual(found.phases, { ...PHASES, kexec: null });
  assert.deepEqual([found.seam.durationNs, found.vms[0]?.durationNs, found.causes], [null, null, null]);
  assert.equal(doubtOf(found), "other evidence contradicts its clock link (clock-link-contradicted)");
});

test("a guest's own clock needs no clock link: its blackout stays, the management gap does not", () => {
  const given = sampleWith({ code: "clock-link-contradicted", severity: "error", count: 1 });
  const found = withTrustedDurations({
    ...given,
    blackout: { ...given.blackout, basis: "guest-ticks" },
    managementGap: { durationNs: 5, uncertaintyNs: 1 },
  });
  assert.equal(found.blackout.durationNs, 5e9);
  assert.deepEqual(found.managementGap, { durationNs: null, uncertaintyNs: null });
});

test("wrong stamps leave no duration", () => {
  const found = withTrustedDurations(sampleWith({ code: "ring-time-backwards", severity: "error", count: 1 }));
  assert.deepEqual(Object.values(found.phases), [null, null, null, null, null]);
  assert.equal(found.blackout.durationNs, null);
});

test("a negative duration is not taken, and is a defect of the sample", () => {
  const found = withTrustedDurations(sampleWith(null, -2_176_820_171));
  assert.equal(found.blackout.durationNs, null);
  assert.deepEqual(found.phases, PHASES);
  assert.deepEqual(found.defects, { error: 1, warning: 0, note: 0 });
  assert.equal(doubtOf(found), "a duration is negative: its ends are in the wrong order (duration-negative)");
});

test("what is taken is never negative, and taking it twice is taking it once", () => {
  const ns = fc.option(fc.maxSafeInteger());
  const sample = fc
    .record({
      blackout: ns,
      phases: fc.record({ prepare: ns, freeze: ns, kexec: ns, restore: ns, finish: ns }),
      vm: ns,
      code: fc.constantFrom(...DOUBTED_CODES, "vm-pause-unseen"),
      severity: fc.constantFrom("error" as const, "warning" as const),
    })
    .map(({ blackout, phases, vm, code, severity }) => ({
      ...sampleWith({ code, severity, count: 1 }),
      blackout: { basis: "vm-marks" as const, durationNs: blackout, uncertaintyNs: 1 },
      phases,
      vms: [{ id: "vm", durationNs: vm }],
    }));
  fc.assert(
    fc.property(sample, (given) => {
      const found = withTrustedDurations(given);
      const all = [
        found.blackout.durationNs,
        ...Object.values(found.phases),
        ...found.vms.map((one) => one.durationNs),
      ];
      assert.ok(all.every((one) => one === null || one >= 0));
      assert.deepEqual(withTrustedDurations(found), found);
    }),
  );
});
