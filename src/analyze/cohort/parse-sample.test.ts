import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Ajv } from "ajv";
import fc from "fast-check";
import { documentOfSample, LAST_INSTANT_MS, type UpdateSample } from "../../model/update-sample.js";
import { causeOf, madeSample, schemaPath } from "../../testing/samples/samples.js";
import { parseUpdateLine } from "./parse-sample.js";

const anyText = fc.string({ maxLength: 30 });
const anyNs = fc.maxSafeNat();
const anyUpdate: fc.Arbitrary<UpdateSample> = fc
  .record({
    name: anyText,
    takenAtMs: fc.option(fc.integer({ min: 0, max: LAST_INSTANT_MS })),
    probeLevel: fc.option(anyText),
    labels: fc.dictionary(anyText, anyText),
    memoryKiB: fc.option(anyNs),
    outcome: fc.constantFrom("completed" as const, "failed" as const, "aborted" as const, "incomplete" as const),
    outcomeReason: anyText,
    blackout: fc.record({
      basis: fc.constantFrom("vm-marks" as const, "vcpu" as const, "kernel-observed" as const, null),
      durationNs: fc.option(anyNs),
      uncertaintyNs: fc.option(anyNs),
    }),
    vms: fc.array(fc.record({ id: anyText, durationNs: fc.option(anyNs) })),
    causes: fc.option(
      fc.array(
        fc.record({
          kind: fc.constantFrom("device" as const, "initcall" as const, "seam" as const),
          id: anyText,
          phase: fc.constantFrom("kexec" as const, null),
          totalNs: anyNs,
          count: fc.nat(),
          parts: fc.array(fc.record({ name: anyText, totalNs: anyNs })),
          detail: anyText,
        }),
      ),
    ),
  })
  .map((some) => madeSample(1, { ...some, source: "f:1" }));

test("what is written is read back, and is as the schema says", () => {
  const validate = new Ajv().compile(JSON.parse(readFileSync(schemaPath("update-sample"), "utf8")));
  fc.assert(
    fc.property(anyUpdate, (update) => {
      const line = JSON.stringify(documentOfSample(update));
      assert.ok(validate(JSON.parse(line)), JSON.stringify(validate.errors));
      const read = parseUpdateLine(line, "f:1");
      assert.ok(read.ok, read.ok ? "" : read.error);
      assert.deepEqual(JSON.parse(JSON.stringify(read.value)), JSON.parse(JSON.stringify(update)));
    }),
  );
});

test("whatever a line holds, it is read or refused with a reason", () => {
  const good = JSON.parse(JSON.stringify(documentOfSample(madeSample(1, { causes: [causeOf("a", 1)] })))) as object;
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(good)), fc.jsonValue(), (key, value) => {
      const read = parseUpdateLine(JSON.stringify({ ...good, [key]: value }), "f:1");
      if (!read.ok) assert.match(read.error, /expected/);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (line) => {
      parseUpdateLine(line, "f:1");
    }),
  );
});

test("a refusal says where, what was found, and what was expected", () => {
  const good = documentOfSample(madeSample(1, { causes: [causeOf("a", 1)] }));
  const refusal = (change: object): string => {
    const read = parseUpdateLine(JSON.stringify({ ...good, ...change }), "f:1");
    return read.ok ? "accepted" : read.error;
  };
  assert.match(refusal({ format: "perf" }), /^found format "perf", expected "blackout-update-sample"/);
  assert.match(refusal({ version: 2 }), /^version: found 2, expected 1/);
  assert.match(refusal({ outcome: "fine" }), /^outcome: found "fine", expected one of completed/);
  assert.match(
    refusal({ causes: [causeOf("a", -1)] }),
    /^causes\[0\]\.totalNs: found -1000000, expected a whole number/,
  );
  assert.match(refusal({ blackout: { basis: null, durationNs: 0.5, uncertaintyNs: null } }), /durationNs: found 0\.5/);
});

test("a date beyond the calendar is refused with its key", () => {
  const line = JSON.stringify({ ...documentOfSample(madeSample(1)), takenAtMs: 9e15 });
  const read = parseUpdateLine(line, "f:1");
  assert.ok(!read.ok);
  assert.match(read.error, /^takenAtMs: found 9000000000000000, expected a whole number from 0 to 253402300799999/);
});
