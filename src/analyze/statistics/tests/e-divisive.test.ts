import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { seededRandom } from "../../../base/numbers/random.js";
import { eDivisive } from "./e-divisive.js";

/** Q̂ by its definition: every mean of distances summed up again. */
function plainQ(series: readonly number[], tau: number, kappa: number): number {
  const left = series.slice(0, tau);
  const right = series.slice(tau, kappa);
  const [n, m] = [left.length, right.length];
  let between = 0;
  for (const x of left) for (const y of right) between += Math.abs(x - y);
  const within = (values: readonly number[]): number => {
    let sum = 0;
    for (let i = 0; i < values.length; i += 1) {
      for (let j = 0; j < i; j += 1) sum += Math.abs(values[i]! - values[j]!);
    }
    return (2 * sum) / (values.length * (values.length - 1));
  };
  return ((n * m) / (n + m)) * ((2 * between) / (n * m) - within(left) - within(right));
}

function plainBest(series: readonly number[], minimum: number, toEnd: boolean): { index: number | null; q: number } {
  let best: { index: number | null; q: number } = { index: null, q: 0 };
  for (let tau = minimum; tau <= series.length - minimum; tau += 1) {
    for (let kappa = toEnd ? series.length : tau + minimum; kappa <= series.length; kappa += 1) {
      const q = plainQ(series, tau, kappa);
      if (q > best.q * (1 + 1e-12)) best = { index: tau, q };
    }
  }
  return best;
}

test("finds the very division that the definition does, with its statistic", () => {
  const anySeries = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 4, maxLength: 24 });
  fc.assert(
    fc.property(anySeries, fc.constantFrom("any" as const, "segment" as const), (series, reach) => {
      // So long a segment that it is divided once at most.
      const minimumSegment = Math.max(2, Math.ceil((series.length + 1) / 3));
      const found = eDivisive(series, { seed: 1, minimumSegment, permutations: 1, reach });
      assert.ok(found.ok);
      const point = found.value.accepted[0] ?? found.value.rejected;
      const best = plainBest(series, minimumSegment, reach === "segment");
      if (best.q < 1e-9) return;
      assert.ok(point !== null);
      assert.ok(
        Math.abs(point.q - best.q) <= 1e-9 * best.q,
        `${point.q} at ${point.index}, ${best.q} at ${best.index}`,
      );
      const again = plainBest(series.slice(0), minimumSegment, reach === "segment");
      if (point.index !== again.index) {
        // Two divisions may have the same statistic.
        const kappas = Array.from({ length: series.length - point.index }, (_, i) => point.index + 1 + i);
        assert.ok(kappas.some((kappa) => Math.abs(plainQ(series, point.index, kappa) - best.q) <= 1e-9 * best.q));
      }
    }),
  );
});

/**
 * Annual flow of the Nile at Aswan, 1871-1970, 10^8 m³ (G. W. Cobb 1978, "The problem of the Nile: conditional solution
 * to a changepoint problem", Biometrika 65(2)): it fell from 1899 on, when the first dam was begun.
 */
const NILE = [
  1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140, 1100,
  1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969, 831, 726, 456,
  824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897,
  822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918, 986, 797, 923, 975,
  815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
];

test("the Nile changed with the year 1899, and not again", () => {
  for (const seed of [1, 2, 3]) {
    const found = eDivisive(NILE, { seed, minimumSegment: 10, permutations: 499 });
    assert.ok(found.ok);
    assert.deepEqual(
      found.value.accepted.map(({ index }) => 1871 + index),
      [1899],
    );
    assert.equal(found.value.accepted[0]?.p, 1 / 500);
  }
});

test("a change of spread alone is a change; one back again hides neither", () => {
  const random = seededRandom(3);
  const part = (n: number, mean: number, spread: number) =>
    Array.from({ length: n }, () => mean + spread * random.normal());
  const spread = eDivisive([...part(60, 0, 1), ...part(60, 0, 6)], { seed: 1 });
  assert.ok(spread.ok);
  assert.equal(spread.value.accepted.length, 1);
  assert.ok(Math.abs((spread.value.accepted[0]?.index ?? 0) - 60) <= 8);
  const back = eDivisive([...part(40, 0, 1), ...part(40, 4, 1), ...part(40, 0, 1)], { seed: 1 });
  assert.ok(back.ok);
  assert.deepEqual(
    back.value.accepted.map(({ index }) => Math.round(index / 10)),
    [4, 8],
  );
});

test("series without a change are given one as seldom as promised", () => {
  const random = seededRandom(9);
  let found = 0;
  for (let i = 0; i < 200; i += 1) {
    const series = Array.from({ length: 40 }, () => Math.exp(random.normal()));
    const result = eDivisive(series, { seed: i, permutations: 99, significance: 0.05 });
    if (result.ok && result.value.accepted.length > 0) found += 1;
  }
  // Mean 10, standard deviation 3.1.
  assert.ok(found <= 19, `${found} of 200`);
});
