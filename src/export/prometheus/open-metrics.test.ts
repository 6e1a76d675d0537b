import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { FleetTally } from "../../analyze/fleet/tally.js";
import { missing, run } from "../../testing/oracles/debian-programs.js";
import { causeOf, madeSample } from "../../testing/samples/samples.js";
import { ALL_METRICS, checkFamilies, counter, gauge, histogram, sampleNames, updateFamilies } from "./fleet-metrics.js";
import { exposedValue, type HistogramPoint, type MetricFamily } from "./metric-family.js";
import { boundText, openMetricsText, prometheusText } from "./open-metrics.js";

const noPromtool = missing("promtool", "prometheus");

const native = { schema: 5, zeros: 0, buckets: new Map<number, number>() };

/** A fleet whose labels are as hostile as a capture can make them. */
function hostileFleet(): readonly MetricFamily[] {
  const tally = new FleetTally();
  const labels = ['quote "', "back\\slash", "new\nline", "} 1\nblackout_x 5", "", "é漢\u{1f600}", "x".repeat(5_000)];
  labels.forEach((workload, i) => {
    tally.add(madeSample(100 * (i + 1), { labels: { workload }, probeLevel: workload }), 1e12 + i);
  });
  tally.add(
    madeSample(1, { outcome: "failed", blackout: { basis: null, durationNs: null, uncertaintyNs: null } }),
    null,
  );
  return [
    ...updateFamilies(tally.cohorts(), "1.2.3"),
    ...checkFamilies(
      [
        {
          key: { probeLevel: "graph", workload: "w", basis: "vm-marks" },
          updates: 3,
          checks: [{ name: 'a "b" <= 5s', status: "failed", limitNs: 5e9, observedNs: 6e9 }],
        },
      ],
      1,
    ),
  ];
}

test("promtool accepts the metrics without a complaint, whatever the labels contain", { skip: noPromtool }, () => {
  const { code, out } = run("promtool", ["check", "metrics"], prometheusText(hostileFleet()));
  assert.equal(out, "");
  assert.equal(code, 0);
});

/** Families of made-up numbers, and the same given to prom-client. */
const labelText = fc.string({ unit: "binary", maxLength: 12 }).map(exposedValue);
const madeUp = fc.record({
  count: fc.nat(1e9),
  level: fc.double({ noNaN: true, min: -1e12, max: 1e12 }),
  a: labelText,
  values: fc.array(fc.double({ noNaN: true, min: 0, max: 100 }), { minLength: 1, maxLength: 20 }),
});

test("the older text format agrees with prom-client on the same numbers", async () => {
  await fc.assert(
    fc.asyncProperty(madeUp, async ({ count, level, a, values }) => {
      const bounds = [0.25, 1, 2.5, 10];
      const registry = new Registry();
      const registers = [registry];
      new Counter({ name: "made_total", help: "Made", labelNames: ["a"], registers }).inc({ a }, count);
      new Gauge({ name: "made_level", help: "Level", labelNames: ["a"], registers }).set({ a }, level);
      const theirs = new Histogram({
        name: "made_seconds",
        help: "Time",
        labelNames: ["a"],
        buckets: bounds,
        registers,
      });
      for (const value of values) theirs.observe({ a }, value);
      const counts = [...bounds, Number.POSITIVE_INFINITY].map(
        (bound, i) => values.filter((value) => value <= bound && value > (bounds[i - 1] ?? -1)).length,
      );
      const point: HistogramPoint = {
        labels: { a },
        bounds,
        counts,
        sum: values.reduce((sum, value) => sum + value, 0),
        count: values.length,
        native,
      };
      const define = (name: string, help: string) => ({ name, help, labels: ["a"] });
      const ours = prometheusText([
        counter({ ...define("made", "Made"), type: "counter" }, [{ labels: { a }, value: count }]),
        gauge({ ...define("made_level", "Level"), type: "gauge" }, [{ labels: { a }, value: level }]),
        histogram({ ...define("made_seconds", "Time"), type: "histogram" }, [point]),
      ]);
      assert.deepEqual(samplesOf(ours), samplesOf(await registry.metrics()));
    }),
    { numRuns: 200 },
  );
});

/** Lines in no order, each one's labels in none, and bounds as numbers: what the format leaves open. */
function samplesOf(text: string): readonly string[] {
  return text
    .split(/\n(?=made|#|$)/)
    .map((line) => line.replace(/\n$/, ""))
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(/\{(?:le="([^"]*)",)?(.*?)(?:,le="([^"]*)")?\} /s, (_, before, rest, after) => {
        const le = before ?? after;
        return `{${rest}|${le === undefined ? "" : Number(le.replace("+Inf", "Infinity"))}} `;
      }),
    )
    .sort();
}

test("OpenMetrics: families without _total, units, no family twice, and an end", () => {
  const text = openMetricsText(hostileFleet());
  assert.ok(text.endsWith("\n# EOF\n"));
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]);
  assert.equal(new Set(types.map(([name]) => name)).size, types.length);
  assert.ok(types.some(([name, type]) => name === "blackout_updates" && type === "counter"));
  assert.match(text, /^# UNIT blackout_duration_seconds seconds$/m);
  assert.match(text, /^blackout_updates_total\{/m);
  assert.doesNotMatch(text, /^# TYPE \S+_total /m);
  assert.match(text, /^blackout_duration_seconds_bucket\{.*le="0\.001"\} \d+$/m);
  assert.match(text, /^blackout_duration_seconds_bucket\{.*le="1\.0"\} \d+$/m);
});

test("every sample is of a metric that is defined, with its labels and no others", () => {
  const known = new Map(ALL_METRICS.flatMap((each) => sampleNames(each).map((name) => [name, each] as const)));
  for (const line of prometheusText(hostileFleet()).split("\n")) {
    const match = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line);
    if (match === null) {
      assert.match(line, /^(?:#.*)?$/);
      continue;
    }
    const [, name = "", labels = ""] = match;
    const definition = known.get(name);
    assert.ok(definition, name);
    const names = [...labels.matchAll(/(?:^|,)([a-z_]+)="/g)].map(([, label]) => label);
    assert.deepEqual(names.filter((label) => label !== "le").sort(), [...definition.labels].sort(), line);
  }
});

test("bounds are as Prometheus writes them", () => {
  const bounds = [0.001, 0.0001, 0.00001, 2.5e-7, 1, 2.5, 10, 100_000, 999_999, 1e6, 1_234_567.5, 1e21, 0];
  assert.deepEqual(bounds.map(boundText), [
    "0.001",
    "0.0001",
    "1e-05",
    "2.5e-07",
    "1.0",
    "2.5",
    "10.0",
    "100000.0",
    "999999.0",
    "1e+06",
    "1.2345675e+06",
    "1e+21",
    "0.0",
  ]);
});

test("causes are counted if a limit names them, and its bound is a bucket's", () => {
  const selector = { cause: "device", glob: "e1000", action: null, text: "device:e1000" } as const;
  const tally = new FleetTally([{ metric: { kind: "causes", selector }, atMostNs: 42e6 }]);
  for (const ms of [41, 42, 43]) {
    tally.add(madeSample(1_000, { causes: [causeOf("0000:00:03.0", ms, { kind: "device", detail: "e1000" })] }), null);
  }
  const text = prometheusText(updateFamilies(tally.cohorts(), "1"));
  const line = /^blackout_causes_duration_seconds_bucket\{.*causes="device:e1000",le="0\.042"\} (\d+)$/m;
  assert.equal(line.exec(text)?.[1], "2");
});

test("controls of a name are shown, in all formats alike", () => {
  const family = {
    name: "made_level",
    help: "Level",
    type: "gauge" as const,
    points: [{ labels: { a: "x\x1b[31m\x9b\u202e\u200by\nz" }, value: 1 }],
  };
  for (const text of [prometheusText([family]), openMetricsText([family])]) {
    assert.ok(text.includes('a="x\\\\x1b[31m\\\\x9b\\\\u202e\\\\u200by\\nz"'), text);
  }
});
