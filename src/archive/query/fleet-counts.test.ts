import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { parseMetric } from "../../analyze/cohort/metrics.js";
import { nativeUpperBound } from "../../analyze/fleet/native-histogram.js";
import { type CohortTally, FleetTally, MOST_COHORTS, type TalliedLimit } from "../../analyze/fleet/tally.js";
import { seededRandom } from "../../base/numbers/random.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { causeOf, madeSample } from "../../testing/samples/samples.js";
import { openArchive } from "../store/archive.js";
import { identify } from "../store/document.js";
import { countFleet, latestUpdates } from "./fleet-counts.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-fleet-counts-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.UTC(2026, 10, 24);
const DAY = 86_400_000;

function limit(name: string, atMostNs: number): TalliedLimit {
  const metric = parseMetric(name);
  assert.ok(metric.ok);
  return { metric: metric.value, atMostNs };
}

const LIMITS = [
  limit("blackout", 123_456_789),
  limit("kexec", 5_000_000),
  limit("device:e1000", 2_000_000),
  limit("device:*/shutdown", 1_000_001),
  limit("initcall:pci_*", 7_000_000),
  limit("unattributed", 1),
  { metric: { kind: "cause", cause: "initcall", id: "acpi_init" }, atMostNs: 3_000_000 } as const,
];

test("the engine counts what the tally of every update counts, to the nanosecond", async () => {
  const random = seededRandom(3);
  const any = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  /** Among them bounds of the exponential histogram, and what is next to them. */
  const duration = (): number =>
    any([
      0,
      random.below(2_000_000_000),
      Math.round(nativeUpperBound(-300 + random.below(300)) * 1e9) + random.below(3) - 1,
      any([1e6, 2.5e6, 1e9, 123_456_789, 123_456_790]),
    ]);
  const causes = () =>
    Array.from({ length: random.below(5) }, () => {
      const parts = any([
        [],
        [{ name: "probe", totalNs: 4_000 }],
        ["shutdown", "probe"].map((name) => ({ name, totalNs: random.below(3_000_000) })),
      ]);
      return causeOf(any(["0000:00:03.0", "acpi_init", "pci_init late", "x"]), 0, {
        kind: any(["device", "initcall", "unattributed"] as const),
        detail: any(["", "e1000"]),
        parts,
        totalNs: parts.length === 0 ? random.below(4_000_000) : parts.reduce((sum, { totalNs }) => sum + totalNs, 0),
      });
    });
  const times = [NOW - 40 * DAY, NOW - 2 * DAY, NOW, NOW + 2 * DAY, null];
  const samples = Array.from({ length: 300 }, (_, i): UpdateSample => {
    const workload = any([{}, { workload: "" }, { workload: "a" }, { workload: "long ".repeat(30) }]);
    const durationNs = random.below(10) === 0 ? null : duration();
    const time = any(times);
    return madeSample(5, {
      name: `u${i}`,
      probeLevel: any(["graph", "markers", null]),
      labels: workload,
      outcome: any(["completed", "completed", "completed", "failed", "aborted", "incomplete"] as const),
      blackout: { basis: any(["vm-marks", "vcpu", null] as const), durationNs, uncertaintyNs: null },
      phases: {
        prepare: any([null, duration()]),
        freeze: duration(),
        kexec: any([null, duration()]),
        restore: null,
        finish: duration(),
      },
      vms: Array.from({ length: random.below(4) }, (_v, v) => ({ id: `vm${v}`, durationNs: any([null, duration()]) })),
      causes: any([null, causes()]),
      defects: { error: random.below(2), warning: random.below(9), note: 1 },
      health: any([
        null,
        [],
        [
          { class: "warning", severity: "severe", boot: "new", text: "WARNING: 'x'", count: 1 + random.below(3) },
          { class: "acpi-error", severity: "minor", boot: "old", text: "", count: 2 },
        ],
      ] as const),
      takenAtMs: time === null ? null : time + i,
    });
  });
  const archive = await openArchive(join(folder, "a"), { partitionBy: ["workload"] });
  await archive.add(samples.slice(0, 150));
  await archive.add(samples.slice(150, 200), { detail: "summary" });
  await archive.add(samples.slice(200));
  const ids = samples.map((sample) => {
    const identified = identify(sample);
    assert.ok(identified.ok);
    return identified.value.id;
  });
  const arrivals = new Map(ids.flatMap((id, i) => (i % 3 === 0 ? [[id, NOW - 1_000_000 + i] as const] : [])));
  const dating = { latestMs: NOW + DAY, arrivals };
  const timeOf = ({ takenAtMs }: UpdateSample, i: number): number | null =>
    takenAtMs === null || takenAtMs > NOW + DAY ? (arrivals.get(ids[i] ?? "") ?? null) : takenAtMs;

  const wanted = new FleetTally(LIMITS);
  for (const [i, sample] of samples.entries()) {
    wanted.add(i >= 150 && i < 200 ? { ...sample, causes: null } : sample, timeOf(sample, i));
  }
  const segments = [...(await archive.snapshot()).segments.values()];
  const found = new FleetTally(LIMITS);
  assert.equal(await countFleet(await archive.engine(), archive.root, segments, dating, found), samples.length);
  const plain = (cohorts: readonly CohortTally[]) =>
    cohorts.map((cohort) => ({
      ...cohort,
      histograms: cohort.histograms.map((each) => ({ ...each })),
      last: cohort.last === null ? null : { ...cohort.last, sample: cohort.last.sample.name },
    }));
  assert.deepEqual(plain(found.cohorts()), plain(wanted.cohorts()));
  assert.ok(found.cohorts().length > 12);
  assert.ok(found.cohorts().every(({ histograms }) => histograms.length === 12));

  const sinceMs = NOW - 3 * DAY;
  const inWindow = samples
    .flatMap((sample, i) => {
      const atMs = timeOf(sample, i);
      return atMs === null || atMs < sinceMs ? [] : [{ name: sample.name, atMs }];
    })
    .sort((a, b) => a.atMs - b.atMs);
  for (const most of [40, 1_000]) {
    const latest = await latestUpdates(await archive.engine(), archive.root, segments, dating, {
      sinceMs,
      most,
      causes: most === 40,
    });
    assert.deepEqual(
      latest.map(({ sample, atMs }) => ({ name: sample.name, atMs })),
      inWindow.slice(-most),
    );
    assert.equal(
      latest.some(({ sample }) => sample.causes !== null),
      most === 40,
    );
  }
  archive.close();
});

test("cohorts that there is no room for are counted together, the smallest of them", async () => {
  const archive = await openArchive(join(folder, "b"), { partitionBy: ["kernel"] });
  const samples = Array.from({ length: MOST_COHORTS + 50 }, (_, i) =>
    ["x", "y"].slice(i % 2).map((name) => madeSample(5, { name, labels: { workload: `w${i}` } })),
  ).flat();
  await archive.add(samples);
  const tally = new FleetTally();
  const segments = [...(await archive.snapshot()).segments.values()];
  const dating = { latestMs: NOW, arrivals: new Map() };
  assert.equal(await countFleet(await archive.engine(), archive.root, segments, dating, tally), samples.length);
  const cohorts = tally.cohorts();
  assert.equal(cohorts.length, MOST_COHORTS + 1);
  const other = cohorts.find(({ key }) => key.workload === "other");
  assert.deepEqual([other?.outcomes.completed, other?.histograms[0]?.count], [50, 50]);
  archive.close();
});

test("an archive of nothing has nothing", async () => {
  const archive = await openArchive(join(folder, "c"), {});
  const engine = await archive.engine();
  const dating = { latestMs: NOW, arrivals: new Map() };
  const tally = new FleetTally();
  assert.equal(await countFleet(engine, archive.root, [], dating, tally), 0);
  assert.deepEqual(await latestUpdates(engine, archive.root, [], dating, { sinceMs: 0, most: 9, causes: true }), []);
  assert.deepEqual(tally.cohorts(), []);
  archive.close();
});
