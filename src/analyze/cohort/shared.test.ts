import assert from "node:assert/strict";
import test from "node:test";
import { cohortOf, madeSample, numbersOf } from "../../testing/samples/samples.js";
import { sharedSentence } from "./shared.js";

test("updates on both sides are recognized by their durations, not by their names", () => {
  const base = numbersOf("base", [1, 2, 3]);
  assert.equal(sharedSentence(base, numbersOf("candidate", [4, 5])), null);
  assert.match(sharedSentence(base, base) ?? "", /^all 3 updates of base are in base too/);
  const renamed = cohortOf("candidate", [madeSample(3, { name: "other", source: "elsewhere" }), madeSample(4)]);
  assert.match(sharedSentence(base, renamed) ?? "", /^1 of the 2 updates of candidate are in base too/);
});

test("updates with equal durations at another time, or on another host, are different; failed ones do not count", () => {
  const at = (takenAtMs: number, host: string) => madeSample(1, { takenAtMs, host });
  const base = cohortOf("base", [
    at(1, "a"),
    madeSample(2, { blackout: { ...madeSample(2).blackout, durationNs: null } }),
  ]);
  assert.equal(sharedSentence(base, cohortOf("candidate", [at(2, "a"), at(1, "b"), base.updates[1]!])), null);
});
