import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Ajv } from "ajv";
import { seededRandom } from "../../base/numbers/random.js";
import type { HistoryDocument } from "../../model/documents/history.js";
import { causeOf, cohortOf, madeSample, numbersOf, schemaPath } from "../../testing/samples/samples.js";
import type { Cohort } from "../cohort/cohort.js";
import { DEFAULT_FLOORS } from "../compare/levels.js";
import { historyOf } from "./history.js";
import { placeChange } from "./placement.js";
import { parseSeriesKey, type SeriesKey, seriesOf } from "./series.js";

const random = seededRandom(12);

function build(name: string, n: number, ms: number, extra = 0): Cohort {
  const updates = Array.from({ length: n }, () => {
    const own = ms * (1 + 0.03 * random.normal());
    const causes = [causeOf("rest", own), ...(extra > 0 ? [causeOf("slow_init", extra)] : [])];
    return madeSample(own + extra, { causes, labels: { workload: "idle", build: name } });
  });
  return cohortOf(name, updates);
}

function found(cohorts: readonly Cohort[], key: SeriesKey = { kind: "cohort" }): HistoryDocument {
  const options = { metric: { kind: "blackout" }, floors: DEFAULT_FLOORS, seed: 1, minimumSegment: 5 } as const;
  const history = historyOf(seriesOf(cohorts, key), options);
  assert.ok(history.ok, history.ok ? "" : history.error.message);
  return history.value;
}

test("a change is placed between the builds where it came, sized, and its cause named", () => {
  const history = found([
    ...["v1", "v2", "v3", "v4"].map((name) => build(name, 8, 1000)),
    ...["v5", "v6", "v7"].map((name) => build(name, 8, 1000, 200)),
  ]);
  assert.equal(history.changes.length, 1);
  const [change] = history.changes;
  assert.deepEqual([change?.after, change?.notAfter, change?.direction], ["v4", "v5", "longer"]);
  assert.ok(Math.abs((change?.shiftNs ?? 0) - 200e6) < 30e6);
  assert.deepEqual(change?.causes.map(({ id, presence }) => [id, presence])[0], ["slow_init", "new"]);
  const validate = new Ajv().compile(JSON.parse(readFileSync(schemaPath("history"), "utf8")));
  assert.ok(validate(JSON.parse(JSON.stringify(history))), JSON.stringify(validate.errors));
  assert.deepEqual(found([build("only", 3, 1000)]).changes, []);
});

test("a change and the one back are two", () => {
  const history = found([1000, 1000, 1300, 1300, 1000, 1000].map((ms, i) => build(`v${i}`, 10, ms)));
  assert.deepEqual(
    history.changes.map(({ notAfter, direction }) => [notAfter, direction]),
    [
      ["v2", "longer"],
      ["v4", "shorter"],
    ],
  );
});

test("no change point if nothing changed; a change too small to matter is marked", () => {
  assert.deepEqual(found(["a", "b", "c", "d"].map((name) => build(name, 10, 1000))).changes, []);
  const small = (name: string, ms: number) =>
    numbersOf(
      name,
      Array.from({ length: 20 }, (_, i) => ms + (i % 7)),
    );
  const [change] = found([small("a", 1000), small("b", 1010)]).changes;
  assert.equal(change?.belowFloor, true);
});

test("long series are summarised, and what is in them is still found", () => {
  const history = found(Array.from({ length: 10 }, (_, i) => build(`v${i}`, 400, i < 6 ? 1000 : 1100)));
  assert.equal(history.updatesPerPoint, 14);
  assert.deepEqual(
    history.changes.map(({ after, notAfter }) => [after, notAfter]),
    [["v5", "v6"]],
  );
});

test("series by kernel, by day and by label: each in the order that it has", () => {
  const at = (day: number, release: string, name: string) =>
    madeSample(1000 + day, {
      takenAtMs: Date.UTC(2026, 0, day),
      kernel: { old: "7.2", new: release },
      labels: { workload: "idle", build: name },
    });
  const all = cohortOf("all", [at(3, "7.10", "fff"), at(1, "7.9", "zzz"), at(2, "7.9", "aaa"), madeSample(1)]);
  const names = (key: string) => {
    const parsed = parseSeriesKey(key);
    assert.ok(parsed !== null);
    const series = seriesOf([all], parsed);
    return [...series.builds.map(({ name }) => name), series.left.length];
  };
  assert.deepEqual(names("new-kernel"), ["7.3", "7.9", "7.10", 0]);
  assert.deepEqual(names("date"), ["2026-01-01", "2026-01-02", "2026-01-03", 1]);
  assert.deepEqual(names("labels.build"), ["zzz", "aaa", "fff", 1]);
  assert.equal(parseSeriesKey("colour"), null);
});

/** One update a build, of about 5 s, and from `change` on of about 8 s. */
function stepAt(change: number, builds: number, seed: number): HistoryDocument {
  const noise = seededRandom(seed);
  const series = Array.from({ length: builds }, (_, i) => {
    const name = `b${String(i).padStart(3, "0")}`;
    return cohortOf(name, [madeSample((i < change ? 5_000 : 8_000) + 10 * noise.normal())]);
  });
  return found(series);
}

test("a change nearer to an end than the minimum segment is placed where it is, or in a range that holds it", () => {
  for (const [change, builds] of [
    [30, 33],
    [30, 34],
    [3, 33],
    [4, 34],
    [29, 33],
    [17, 33],
  ] as const) {
    for (let seed = 1; seed <= 5; seed += 1) {
      const { changes } = stepAt(change, builds, seed);
      const name = (at: number): string => `b${String(at).padStart(3, "0")}`;
      assert.equal(changes.length, 1, `${change} of ${builds}`);
      assert.ok(
        changes[0]!.after <= name(change - 1) && changes[0]!.notAfter >= name(change),
        `${change} of ${builds}`,
      );
      // The noise is far below the step: there is no doubt to state.
      assert.deepEqual([changes[0]!.after, changes[0]!.notAfter], [name(change - 1), name(change)]);
      assert.ok(Math.abs(changes[0]!.shiftNs - 3e9) < 5e7);
    }
  }
});

test("a step as small as the noise, near an end, is given as the range that it lies in", () => {
  const values = [...Array.from({ length: 20 }, (_, i) => 100 + (i % 5)), 103, 106, 107];
  const { first, last } = placeChange(values, 18, [0, 23], 5);
  assert.ok(first <= 20 && last >= 21 && first < last, `${first} … ${last}`);
  // Far from both ends, what was found stays.
  assert.deepEqual(placeChange(values, 10, [0, 23], 5), { index: 10, first: 10, last: 10 });
});

test("of a median of zero there is no percentage", () => {
  const series = ["a", "b", "c"].map((name) => numbersOf(name, new Array(8).fill(name === "c" ? 5 : 0)));
  const [change] = found(series).changes;
  assert.equal(change?.shiftRelative, null);
});
