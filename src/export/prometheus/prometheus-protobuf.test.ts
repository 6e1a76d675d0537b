import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { NATIVE_SCHEMA, nativeBucket, nativeUpperBound } from "../../analyze/fleet/native-histogram.js";
import { FleetTally } from "../../analyze/fleet/tally.js";
import { seededRandom } from "../../base/numbers/random.js";
import { missing } from "../../testing/oracles/debian-programs.js";
import { startPrometheus, until } from "../../testing/oracles/prometheus-server.js";
import { madeSample } from "../../testing/samples/samples.js";
import { updateFamilies } from "./fleet-metrics.js";
import { PROTOBUF_TYPE, protobufMetrics, spansOf } from "./prometheus-protobuf.js";

test("a value lies in its native bucket, and on a bound in the lower one", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 86_400, noNaN: true }), (value) => {
      const index = nativeBucket(value);
      assert.ok(nativeUpperBound(index - 1) < value && value <= nativeUpperBound(index));
    }),
    { numRuns: 2_000 },
  );
  for (let index = -900; index < 600; index += 1) assert.equal(nativeBucket(nativeUpperBound(index)), index);
  for (const [value, index] of [
    [1, 0],
    [2, 32],
    [0.5, -32],
  ] as const) {
    assert.equal(nativeBucket(value), index);
  }
});

test("spans hold exactly the buckets they are made of", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: -900, max: 600 })), (given) => {
      const indices = [...given].sort((a, b) => a - b);
      const back: number[] = [];
      let at = 0;
      for (const { offset, length } of spansOf(indices)) {
        at += offset;
        for (let i = 0; i < length; i += 1) back.push(at++);
      }
      assert.deepEqual(back, indices);
    }),
  );
});

test("Prometheus takes native histograms, and its quantiles are the sample's within a bucket", {
  skip: missing("prometheus", "prometheus"),
}, async () => {
  const random = seededRandom(8);
  const values = Array.from({ length: 500 }, () => Math.round(1e9 * Math.exp(0.5 * random.normal())));
  const tally = new FleetTally();
  for (const ns of values) tally.add(madeSample(ns / 1e6), 1e12);
  const body = protobufMetrics(updateFamilies(tally.cohorts(), "1"));
  const server = createServer((request, response) => {
    assert.match(request.headers.accept ?? "", /application\/vnd\.google\.protobuf/);
    response.writeHead(200, { "content-type": PROTOBUF_TYPE }).end(body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const folder = mkdtempSync(join(tmpdir(), "blackout-native-"));
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const prometheus = await startPrometheus(
    folder,
    { static_configs: [{ targets: [target] }] },
    [],
    ["--enable-feature=native-histograms"],
  );
  try {
    const ask = async (query: string): Promise<number | null> => {
      const data = await prometheus.api(`query?query=${encodeURIComponent(query)}`);
      const [found] = (data as { readonly result: readonly { readonly value: readonly [number, string] }[] } | null)
        ?.result ?? [undefined];
      return found === undefined ? null : Number(found.value[1]);
    };
    const count = await until("a scrape", 60, () => ask("histogram_count(blackout_duration_seconds)"));
    assert.equal(count, values.length);
    const sum = await ask("histogram_sum(blackout_duration_seconds)");
    assert.ok(Math.abs((sum ?? 0) / (values.reduce((a, b) => a + b) / 1e9) - 1) < 1e-12);
    const sorted = [...values].sort((a, b) => a - b);
    for (const q of [0.01, 0.1, 0.5, 0.9, 0.99]) {
      const theirs = (await ask(`histogram_quantile(${q}, blackout_duration_seconds)`)) ?? 0;
      const exact = sorted[Math.ceil(q * sorted.length) - 1]! / 1e9;
      const width = 2 ** (1 / 2 ** NATIVE_SCHEMA);
      assert.ok(theirs / exact < width && exact / theirs < width, `p${100 * q}: ${theirs}, exactly ${exact}`);
    }
    assert.equal(await ask('blackout_updates_total{outcome="completed"}'), values.length);
    assert.equal(await ask("blackout_last_completed"), 1);
  } finally {
    prometheus.stop();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, maxRetries: 5 });
  }
});
