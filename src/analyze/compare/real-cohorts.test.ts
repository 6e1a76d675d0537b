/**
 * The bars that real recordings set: cohorts that differ in nothing raise no more false alarms than they may, and four
 * more network cards are found, with their share. On the full recordings if they lie beside the checkout, else on
 * the shipped ten a side (of `base` and `devices`; `again` is not shipped).
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Ajv } from "ajv";
import { type Random, seededRandom, shuffle } from "../../base/numbers/random.js";
import type { Comparison } from "../../model/documents/comparison.js";
import { alarmsOf, alarmTable, anyAlarm, blackoutAlarm } from "../../testing/oracles/alarms.js";
import { sharedCaptures, traces } from "../../testing/places.js";
import { realCohort, schemaPath } from "../../testing/samples/samples.js";
import { type Cohort, isMeasured } from "../cohort/cohort.js";
import { compareCohorts } from "./comparison.js";
import { DEFAULT_FLOORS } from "./levels.js";
import { metricVerdict } from "./verdict.js";

const folder = (name: string): string => join(sharedCaptures ?? traces, "cohorts", name);
const onlyFull = sharedCaptures === null ? "needs the full recordings" : false;
const base = await realCohort("base", folder("base"));
const devices = await realCohort("devices", folder("devices"));

function compared(from: Cohort, to: Cohort): Comparison {
  const comparison = compareCohorts(from, to, { floors: DEFAULT_FLOORS, seed: 1 });
  assert.ok(comparison !== null);
  return comparison;
}

/** `count` of the rows from `first` on, at random. */
function draw(random: Random, first: number, size: number, count: number): readonly number[] {
  const rows = Array.from({ length: size }, (_, i) => first + i);
  shuffle(rows, 0, size, random);
  return rows.slice(0, count);
}

test("four more e1000s are found, named, and explain the difference", () => {
  const comparison = compared(base, devices);
  assert.equal(comparison.verdict, "regressed");
  assert.match(comparison.reason, /in probe and .* in shutdown of four new e1000s/);
  const added = comparison.causes.filter(({ presence }) => presence === "new");
  assert.deepEqual(added.map(({ kind, id, detail }) => `${kind} ${id} ${detail}`).sort(), [
    "device 0000:00:05.0 e1000",
    "device 0000:00:06.0 e1000",
    "device 0000:00:07.0 e1000",
    "device 0000:00:08.0 e1000",
  ]);
  for (const { verdict } of added) assert.equal(verdict, "regressed");
  const share = added.reduce((sum, cause) => sum + (cause.share ?? 0), 0);
  assert.ok(share >= 0.85, `they explain ${share}`);
  assert.deepEqual(
    comparison.factors.filter(({ differs }) => differs).map(({ name }) => name),
    ["devices", "labels.cohort"],
  );
  const back = compared(devices, base);
  assert.equal(back.verdict, "improved");
  // Halves round up on both sides.
  assert.ok(Math.abs((back.metrics[0]?.shiftNs ?? 0) + (comparison.metrics[0]?.shiftNs ?? 0)) <= 1);
  assert.equal(back.causes.filter(({ presence }) => presence === "vanished").length, 4);
});

test("causes and rest add up to the difference exactly, and every update's causes to its blackout", () => {
  for (const { updates } of [base, devices]) {
    for (const update of updates.filter(isMeasured)) {
      const sum = (update.causes ?? []).reduce((total, { totalNs }) => total + totalNs, 0);
      assert.equal(sum, update.blackout.durationNs, update.source);
      for (const { parts, totalNs } of update.causes ?? []) {
        if (parts.length > 0)
          assert.equal(
            parts.reduce((total, part) => total + part.totalNs, 0),
            totalNs,
          );
      }
    }
  }
  const { breakdown, causes } = compared(base, devices);
  assert.ok(breakdown !== null);
  assert.equal(causes.reduce((sum, { shiftNs }) => sum + shiftNs, 0) + breakdown.restNs, breakdown.totalNs);
});

test("the JSON is as its schema says, and the same every time", () => {
  const comparison = compared(base, devices);
  const validate = new Ajv().compile(JSON.parse(readFileSync(schemaPath("comparison"), "utf8")));
  assert.ok(validate(JSON.parse(JSON.stringify(comparison))), JSON.stringify(validate.errors));
  assert.deepEqual(compared(base, devices), comparison);
});

test("the light path of the alarms is the comparison's own", () => {
  const table = alarmTable([...base.updates, ...devices.updates], DEFAULT_FLOORS);
  const random = seededRandom(4);
  for (let i = 0; i < 5; i += 1) {
    const from = draw(random, 0, base.updates.length, 6 + i);
    const to = draw(random, i % 2 === 0 ? base.updates.length : 0, base.updates.length, 7 + i);
    const all = [...base.updates, ...devices.updates];
    const pick = (rows: readonly number[]): Cohort => ({ name: "drawn", updates: rows.map((row) => all[row]!) });
    const comparison = compared(pick(from), pick(to));
    const alarms = alarmsOf(table, from, to, DEFAULT_FLOORS);
    const changed = (verdict: string): boolean => verdict === "regressed" || verdict === "improved";
    assert.equal(alarms.primary, changed(comparison.metrics[0]!.verdict) ? comparison.metrics[0]!.verdict : null);
    assert.equal(blackoutAlarm(alarms), changed(metricVerdict(comparison.metrics[0]!)));
    assert.equal(
      alarms.phases,
      comparison.metrics.slice(1).some((metric) => changed(metricVerdict(metric))),
    );
  }
});

test("of 1,000 draws of ten a side, base against devices is found in at least 990", () => {
  const table = alarmTable([...base.updates, ...devices.updates], DEFAULT_FLOORS);
  const size = base.updates.length;
  const random = seededRandom(1);
  let found = 0;
  for (let i = 0; i < 1_000; i += 1) {
    const from = draw(random, 0, size, 10);
    const to = draw(random, size, devices.updates.length, 10);
    if (alarmsOf({ ...table, phases: [], causes: [] }, from, to, DEFAULT_FLOORS).primary === "regressed") found += 1;
  }
  assert.ok(found >= 990, `found ${found}`);
});

test("base against again: no alarm; of 1,000 halvings of both at most 10, and 20 over all", {
  skip: onlyFull,
}, async () => {
  const again = await realCohort("again", folder("again"));
  const comparison = compared(base, again);
  assert.ok(["inconclusive", "unchanged"].includes(comparison.verdict), comparison.verdict);
  for (const { name, verdict } of comparison.metrics) assert.notEqual(verdict, "regressed", name);
  assert.deepEqual(comparison.warnings, []);

  const pool = [...base.updates, ...again.updates];
  const table = alarmTable(pool, DEFAULT_FLOORS);
  const random = seededRandom(1);
  let primary = 0;
  let any = 0;
  for (let i = 0; i < 1_000; i += 1) {
    const rows = draw(random, 0, pool.length, pool.length);
    const half = pool.length / 2;
    const alarms = alarmsOf(table, rows.slice(0, half), rows.slice(half), DEFAULT_FLOORS);
    if (blackoutAlarm(alarms)) primary += 1;
    if (anyAlarm(alarms)) any += 1;
  }
  assert.ok(primary <= 10, `the blackout was called changed ${primary} times`);
  assert.ok(any <= 20, `something was called changed ${any} times`);
});
