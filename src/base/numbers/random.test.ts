import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { randomFromState, seededRandom, shuffle } from "./random.js";

/** xoshiro128** in plain big integers, as its definition reads. */
function* plainXoshiro(state: readonly number[]): Generator<number> {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & mask;
  const s = state.map((word) => BigInt(word >>> 0));
  for (;;) {
    yield Number((rotate((s[1]! * 5n) & mask, 7n) * 9n) & mask);
    const t = (s[1]! << 9n) & mask;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotate(s[3]!, 11n);
  }
}

test("the published first values of the state 1, 2, 3, 4", () => {
  const random = randomFromState([1, 2, 3, 4]);
  const drawn = Array.from({ length: 4 }, () => random.uint32());
  assert.deepEqual(drawn, [11520, 0, 5927040, 70819200]);
});

test("property: the same as the definition in big integers", () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), (state) => {
      fc.pre(state.some((value) => value !== 0));
      const plain = plainXoshiro(state);
      const random = randomFromState(state);
      for (let i = 0; i < 50; i += 1) assert.equal(random.uint32(), plain.next().value);
    }),
  );
});

test("a seed gives one stream, another seed another", () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 8 }, () => random.uint32());
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.ok(draw(0).some((value) => value !== 0));
});

test("uniform, below and normal have the moments they should", () => {
  const random = seededRandom(1);
  const draws = 20_000;
  let sum = 0;
  let normalSum = 0;
  let normalSquares = 0;
  const faces = new Array<number>(6).fill(0);
  for (let i = 0; i < draws; i += 1) {
    const value = random.uniform();
    assert.ok(value >= 0 && value < 1);
    sum += value;
    faces[random.below(6)]! += 1;
    const deviate = random.normal();
    normalSum += deviate;
    normalSquares += deviate * deviate;
  }
  // Five standard errors each.
  assert.ok(Math.abs(sum / draws - 0.5) < 5 * Math.sqrt(1 / 12 / draws));
  assert.ok(Math.abs(normalSum / draws) < 5 / Math.sqrt(draws));
  assert.ok(Math.abs(normalSquares / draws - 1) < 5 * Math.sqrt(2 / draws));
  const chiSquare = faces.reduce((total, face) => total + (face - draws / 6) ** 2 / (draws / 6), 0);
  assert.ok(chiSquare < 20.5, `chi-square ${chiSquare} on 5 degrees of freedom exceeds its 99.9th percentile`);
});

test("a shuffle permutes its range only, and reaches every order", () => {
  const random = seededRandom(3);
  const orders = new Map<string, number>();
  for (let i = 0; i < 6000; i += 1) {
    const values = Float64Array.of(9, 1, 2, 3, 8);
    shuffle(values, 1, 4, random);
    assert.equal(values[0], 9);
    assert.equal(values[4], 8);
    const order = values.slice(1, 4).join("");
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assert.equal(orders.size, 6);
  for (const count of orders.values()) assert.ok(Math.abs(count - 1000) < 150, `${count} of an expected 1000`);
});
