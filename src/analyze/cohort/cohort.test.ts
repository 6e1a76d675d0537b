import assert from "node:assert/strict";
import test from "node:test";
import { causeOf, cohortOf, madeSample, numbersOf } from "../../testing/samples/samples.js";
import { excludedOf, factorsOf, unlikeSentence, unlikeTraits } from "./cohort.js";
import { cohortDifferences, cohortKeyOf, commonKey } from "./cohort-key.js";
import { metricName, parseMetric, valuesOf } from "./metrics.js";

test("probe level, workload and basis must be alike; all else may be under test", () => {
  const base = numbersOf("base", [1, 2]);
  const other = cohortOf("other", [
    madeSample(1, {
      probeLevel: "markers",
      labels: { workload: "fio" },
      kernel: { old: "1", new: "2" },
      memoryKiB: 3 << 20,
      blackout: { basis: "kernel-observed", durationNs: 1, uncertaintyNs: null },
    }),
  ]);
  const unlike = unlikeTraits([base, other]);
  assert.deepEqual(
    unlike.map(({ trait }) => trait),
    ["probe level", "labels.workload", "blackout basis"],
  );
  assert.match(unlikeSentence(unlike[0]!), /^probe level differs: base has graph, other has markers \(/);
  assert.deepEqual(unlikeTraits([base, numbersOf("again", [3])]), []);
  const differing = factorsOf([base, other]).filter(({ differs }) => differs);
  assert.deepEqual(
    differing.map(({ name }) => name),
    ["old kernel", "new kernel", "memory"],
  );
});

test("a mixed set of updates is not a cohort", () => {
  const mixed = cohortOf("mixed", [madeSample(1), madeSample(2), madeSample(3, { probeLevel: null })]);
  const [unlike] = unlikeTraits([mixed]);
  assert.match(unlikeSentence(unlike!), /mixed has graph \(2\), not recorded \(1\)/);
});

test("refusals and the documents of percentiles have one notion of likeness", () => {
  const basis = (name: "vm-marks" | "kernel-observed" | null) => ({
    blackout: { basis: name, durationNs: name === null ? null : 1, uncertaintyNs: null },
  });
  for (const [first, second, alike] of [
    [{ probeLevel: "graph" }, { probeLevel: "markers" }, false],
    [{ probeLevel: "graph" }, { probeLevel: null }, false],
    [{ labels: { workload: "fio" } }, { labels: {} }, false],
    [basis("vm-marks"), basis("kernel-observed"), false],
    // An update without a blackout has none that could be compared with another's.
    [basis("vm-marks"), basis(null), true],
  ] as const) {
    const updates = [madeSample(1, first), madeSample(2, second)];
    const members = updates.map((update) => ({ from: update.source, key: cohortKeyOf(update) }));
    assert.equal(unlikeTraits([cohortOf("both", updates)]).length === 0, alike, JSON.stringify([first, second]));
    assert.equal(cohortDifferences(members).length === 0, alike, JSON.stringify([first, second]));
  }
  const [some, without] = [basis("vm-marks"), basis(null)].map((more) => cohortKeyOf(madeSample(1, more)));
  assert.equal(commonKey([some!, without!].map((key) => ({ from: "", key }))).basis, "vm-marks");
});

test("one cohort given twice counts its updates on both sides", () => {
  const mixed = cohortOf("mixed", [madeSample(1), madeSample(2, { probeLevel: "markers" })]);
  assert.deepEqual(
    unlikeTraits([mixed, mixed])[0]?.cohorts.map(({ values }) => values.map(({ updates }) => updates)),
    [
      [1, 1],
      [1, 1],
    ],
  );
});

test("devices are a factor, by driver", () => {
  const nic = (id: string) => causeOf(id, 1, { kind: "device", detail: "e1000" });
  const one = cohortOf("one", [madeSample(1, { causes: [nic("3")] })]);
  const two = cohortOf("two", [madeSample(1, { causes: [nic("3"), nic("4"), causeOf("5", 1, { kind: "device" })] })]);
  const devices = factorsOf([one, two]).find(({ name }) => name === "devices");
  assert.deepEqual(
    devices?.values.map((side) => side[0]?.value),
    ["1 e1000", "2 e1000, 1 other"],
  );
});

test("metrics: by name, one value an update; a cause that did not run took nothing", () => {
  for (const name of [
    "blackout",
    "vm-blackout",
    "kexec",
    "device:0000:00:03.0",
    "initcall:acpi_*",
    "seam",
    "device:e1000/probe",
  ]) {
    const metric = parseMetric(name);
    assert.ok(metric.ok, name);
    assert.equal(metricName(metric.value), name);
  }
  const wrong = parseMetric("blakout");
  assert.match(wrong.ok ? "" : wrong.error, /did you mean blackout\?$/);
  const prefix = parseMetric("devise:3");
  assert.match(prefix.ok ? "" : prefix.error, /did you mean device:\?$/);

  const cohort = cohortOf("c", [
    madeSample(1, { causes: [causeOf("a", 2), causeOf("a", 3, { phase: "restore" })] }),
    madeSample(2),
    madeSample(3, { causes: null }),
    madeSample(4, { outcome: "failed" }),
  ]);
  const values = (name: string) => {
    const metric = parseMetric(name);
    assert.ok(metric.ok);
    return valuesOf(cohort, metric.value).map(({ value }) => value / 1e6);
  };
  assert.deepEqual(values("initcall:a"), [5, 0]);
  assert.deepEqual(values("initcall:b*"), [0, 0]);
  assert.deepEqual(values("initcall"), [5, 0]);
  assert.deepEqual(values("blackout"), [1, 2, 3]);
  assert.deepEqual(values("restore"), []);
  assert.equal(excludedOf(cohort).length, 1);
});
