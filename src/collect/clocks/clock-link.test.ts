import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { axisNsOf, uncertaintyOf } from "../../base/clock-map.js";
import { instant } from "../../base/time.js";
import type { ClockPair } from "../../model/collected.js";
import { type BootClocks, linkClocks } from "./clock-link.js";

const KHZ = 2_445_000;
const nothing = {
  pairs: [],
  tscDetectedKhz: null,
  tscRefinedKhz: null,
  tscRefinedAtNs: null,
  schedClockDoubted: false,
  kvmClockOffsetNs: null,
  realtime: [],
  stampCounts: 1,
} as const;
const old = (part: Partial<BootClocks>): BootClocks => ({ boot: "old", traceClock: "local", ...nothing, ...part });
const fresh = (part: Partial<BootClocks>): BootClocks => ({ boot: "new", traceClock: "x86-tsc", ...nothing, ...part });
const firsts = { old: 0n, new: 0n };

/** Pairs of a clock that reads `tsc / KHZ * 1e6 - offsetNs`, bracketed by `before` and `after` cycles. */
function pairsOf(
  clock: ClockPair["clock"],
  offsetNs: number,
  brackets: readonly (readonly [number, number])[],
): ClockPair[] {
  return brackets.map(([before, after], i) => {
    const tsc = 10_000_000_000 + i * 30_000_000;
    const ns = Math.floor(((tsc / KHZ) * 1e6 - offsetNs) / 1000) * 1000;
    return {
      clock,
      tscBefore: BigInt(tsc - before),
      tscAfter: BigInt(tsc + after),
      valueNs: BigInt(ns),
      resolutionNs: 1_000,
    };
  });
}

test("both boots on x86-tsc: the TSC runs on, and only skew and rate are unsure", () => {
  const {
    link,
    old: a,
    new: b,
  } = linkClocks(old({ traceClock: "x86-tsc", tscRefinedKhz: KHZ }), fresh({ tscRefinedKhz: KHZ }), firsts);
  assert.equal(link.method, "x86-tsc");
  assert.equal(link.uncertaintyNs, 2_000);
  assert.ok(a !== null && b !== null);
  const begin = axisNsOf(a, instant("old:trace", BigInt(KHZ) * 1000n));
  const end = axisNsOf(b, instant("new:trace", BigInt(KHZ) * 3000n));
  assert.equal(end - begin, 2_000_000_000);
});

test("pairs: the truth lies within the stated bracket, and better brackets make it narrower", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 8_000_000_000 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 5_000_000 }), fc.integer({ min: 1, max: 5_000_000 })), {
        minLength: 1,
        maxLength: 9,
      }),
      (offsetNs, brackets) => {
        const pairs = pairsOf("local", offsetNs, brackets);
        const boot = old({ pairs, tscRefinedKhz: KHZ });
        const { link, old: map, new: tsc } = linkClocks(boot, fresh({ tscRefinedKhz: KHZ }), firsts);
        assert.equal(link.method, "clock-pairs");
        assert.ok(map !== null && tsc !== null);
        const cycles = 20_000_000_000;
        const truth = axisNsOf(tsc, instant("new:trace", BigInt(cycles)));
        const local = Math.round((cycles / KHZ) * 1e6 - offsetNs);
        const placed = axisNsOf(map, instant("old:trace", BigInt(local)));
        assert.ok(Math.abs(placed - truth) <= uncertaintyOf(map, instant("old:trace", BigInt(local))) + 2);
        const narrowest = Math.min(...brackets.map(([before, after]) => before + after));
        assert.ok((link.uncertaintyNs ?? 0) <= (narrowest / KHZ) * 1e6 + 1_000 + 2_000 + 2);
      },
    ),
  );
});

test("before the TSC is refined a nanosecond of sched_clock is detected/refined of a real one", () => {
  const pairs = pairsOf("local", 0, [[100, 100]]);
  const boot = old({ pairs, tscRefinedKhz: KHZ, tscDetectedKhz: 2_441_000, tscRefinedAtNs: 2_000_000_000 });
  const { old: map } = linkClocks(boot, fresh({ tscRefinedKhz: KHZ }), firsts);
  assert.ok(map !== null);
  const at = (ns: bigint): number => axisNsOf(map, instant("old:trace", ns));
  assert.equal(at(3_000_000_000n) - at(2_000_000_000n), 1_000_000_000);
  assert.equal(at(2_000_000_000n) - at(1_000_000_000n), Math.round((1e9 * 2_441_000) / KHZ));
  const early = uncertaintyOf(map, instant("old:trace", 1_000_000_000n));
  assert.ok(early > uncertaintyOf(map, instant("old:trace", 3_000_000_000n)), "and it says that it is less sure");
});

test("kvm-clock: sched_clock plus the printed offset is one clock over both boots", () => {
  const {
    link,
    old: a,
    new: b,
  } = linkClocks(
    old({ kvmClockOffsetNs: 5_000n }),
    fresh({ traceClock: "local", kvmClockOffsetNs: 8_000_005_000n }),
    firsts,
  );
  assert.equal(link.method, "kvm-clock");
  assert.ok(a !== null && b !== null);
  assert.equal(axisNsOf(b, instant("new:trace", 100n)) - axisNsOf(a, instant("old:trace", 100n)), 8_000_000_000);
  assert.deepEqual(
    link.rejected.map(({ method }) => method),
    ["x86-tsc", "clock-pairs"],
  );
  for (const { reason } of link.rejected) assert.match(reason, /\w/);
});

test("realtime anchors carry their own uncertainty", () => {
  const anchor = { uncertaintyNs: 1_000_000_000, what: "the RTC's second" };
  const { link } = linkClocks(
    old({ realtime: [{ traceCount: 10n, realtimeNs: 1_795_431_738_000_000_000n, ...anchor }] }),
    fresh({
      traceClock: "local",
      realtime: [{ traceCount: 10n, realtimeNs: 1_795_431_746_000_000_000n, ...anchor }],
    }),
    firsts,
  );
  assert.equal(link.method, "realtime");
  assert.equal(link.uncertaintyNs, 2_000_000_000);
});

test("nothing in common: two axes, no uncertainty to state, and every method says why not", () => {
  const { link, old: a, new: b } = linkClocks(old({}), fresh({ traceClock: "local" }), firsts);
  assert.equal(link.method, "none");
  assert.equal(link.joint, false);
  assert.equal(link.uncertaintyNs, null);
  assert.equal(link.rejected.length, 4);
  assert.ok(a !== null && b !== null, "each boot still has an axis of its own");
});

test("a clock stepped between the rounds widens the bracket to the union of its sides", () => {
  const [first, second] = [pairsOf("local", 0, [[100, 100]]), pairsOf("local", 5_000_000, [[100, 100]])];
  const { link } = linkClocks(
    old({ pairs: [...first, ...second], tscRefinedKhz: KHZ }),
    fresh({ tscRefinedKhz: KHZ }),
    firsts,
  );
  assert.equal(link.method, "clock-pairs");
  assert.ok((link.uncertaintyNs ?? 0) >= 2_500_000);
});

test("readings that no clock could have given place nothing, and break nothing", () => {
  const far = pairsOf("local", 0, [[100, 100]]).map((pair) => ({ ...pair, valueNs: 10n ** 29n }));
  const refined = { tscDetectedKhz: 2_441_000, tscRefinedKhz: KHZ, tscRefinedAtNs: 1_841_868_000 };
  const { old: map } = linkClocks(old({ pairs: far, ...refined }), fresh(refined), firsts);
  if (map !== null) assert.ok(Number.isSafeInteger(axisNsOf(map, instant("old:trace", 0n))));
  const apart = linkClocks(
    old({ kvmClockOffsetNs: 0n }),
    fresh({ traceClock: "local", kvmClockOffsetNs: 10n ** 19n }),
    firsts,
  ).link;
  assert.equal(apart.method, "none");
  assert.ok(apart.rejected.some(({ method, reason }) => method === "kvm-clock" && /26 days apart/.test(reason)));
});
