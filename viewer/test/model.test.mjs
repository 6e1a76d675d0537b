import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { viewerModules } from "./bundle.mjs";

const v = await viewerModules(
  "model/updates/changes",
  "model/format",
  "model/lanes",
  "model/updates/order",
  "model/updates/filter",
  "model/updates/percentiles",
  "layout/level-of-detail",
  "layout/viewport",
  "layout/ticks",
);

const intervals = fc.array(
  fc
    .tuple(fc.nat(5000), fc.oneof(fc.constant(0), fc.nat(3), fc.nat(900)))
    .map(([begin, wide]) => [begin, begin + wide]),
  { maxLength: 120 },
);

function tableOf(spans) {
  return {
    beginNs: Float64Array.from(spans, ([begin]) => begin),
    endNs: Float64Array.from(spans, ([, end]) => end),
    parent: Int32Array.from(spans, () => -1),
  };
}

const packed = (table) => v.packLanes(table, v.drawingOrder(table.beginNs, table.endNs, table.beginNs.length));
const pack = (spans) => packed(tableOf(spans)).lanes;
const kindsOf = (spans) => new Uint8Array(spans.length);

test("packing puts every span in one lane, and no two of a lane overlap", () => {
  fc.assert(
    fc.property(intervals, (spans) => {
      const lanes = pack(spans);
      assert.equal(
        lanes.reduce((sum, lane) => sum + lane.rows.length, 0),
        spans.length,
      );
      for (const lane of lanes) {
        for (let i = 1; i < lane.rows.length; i++) assert.ok(lane.begin[i] >= lane.end[i - 1]);
      }
    }),
  );
});

test("a child is below its parent, also if both begin and end together", () => {
  const table = {
    ...tableOf([
      [0, 10],
      [0, 10],
      [0, 0],
    ]),
    parent: Int32Array.from([-1, 0, 1]),
  };
  const { lanes } = packed(table);
  assert.deepEqual(
    lanes.map((lane) => [...lane.rows]),
    [[0], [1], [2]],
  );
});

test("the drawing order is by begin, the longer first, whatever the table's order", () => {
  const wide = fc.array(
    fc.tuple(fc.integer({ min: -5e12, max: 9e15 }), fc.nat(5)).map(([begin, length]) => [begin, begin + length]),
  );
  fc.assert(
    fc.property(fc.oneof(intervals, wide), (spans) => {
      const { beginNs, endNs } = tableOf(spans);
      const expected = spans.map((_, row) => row);
      expected.sort((a, b) => beginNs[a] - beginNs[b] || endNs[b] - endNs[a] || a - b);
      assert.deepEqual([...v.drawingOrder(beginNs, endNs, spans.length)], expected);
    }),
  );
});

test("a parent counts only in its own track", () => {
  const table = {
    ...tableOf([
      [0, 10],
      [2, 4],
    ]),
    parent: Int32Array.from([-1, 0]),
  };
  const { lanes } = v.packLanes(table, Uint32Array.of(1), v.unplacedDepths(2), Uint32Array.of(0, 1));
  assert.equal(lanes.length, 1);
});

test("a lane's rectangles account for every span in view, at most two a pixel", () => {
  fc.assert(
    fc.property(
      intervals,
      fc.nat(4000),
      fc.integer({ min: 20, max: 6000 }),
      fc.integer({ min: 10, max: 300 }),
      (spans, from, span, width) => {
        const view = { beginNs: from, endNs: from + span };
        const out = v.rects();
        for (const lane of pack(spans)) {
          v.layoutLane(lane, view, width, out, kindsOf(spans));
          let counted = 0;
          for (let i = 0; i < out.length; i++) {
            counted += out.count[i];
            assert.ok(out.x[i] + out.width[i] >= -0.01 && out.x[i] <= width + 0.01);
            if (i > 0) assert.ok(out.x[i] >= out.x[i - 1]);
          }
          // Those that end within a pixel before the view may be among them: they are clipped away.
          const touching = (slack) =>
            [...lane.rows.keys()].filter((i) => lane.end[i] >= from - slack && lane.begin[i] < from + span).length;
          assert.ok(counted >= touching(0) && counted <= touching(span / width), `${counted} of ${touching(0)}`);
          assert.ok(out.length <= 2 * width + 2, `${out.length} rectangles on ${width} pixels`);
        }
      },
    ),
  );
});

test("nesting beyond all bounds is counted, not drawn", () => {
  const spans = Array.from({ length: 1000 }, (_, i) => [i, 5000]);
  const { lanes, deeper } = packed(tableOf(spans));
  assert.equal(lanes.length, v.MOST_LANES);
  assert.equal(lanes.length + deeper, 1000);
});

test("points that share a pixel are one mark, the worst of them", () => {
  const lane = v.packPoints([
    { at: 5.2, severity: 2 },
    { at: 5.1, severity: 0 },
    { at: 80, severity: 3 },
  ]);
  const out = v.rects();
  v.layoutPoints(lane, { beginNs: 0, endNs: 100 }, 100, out);
  assert.equal(out.length, 2);
  assert.equal(lane.severity[out.row[0]], 0);
  assert.equal(out.count[0], 2);
});

test("zooming keeps the instant under the pointer; zooming far out and in stays in bounds", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0.5, max: 2, noNaN: true }),
      (share, factor) => {
        const bounds = [0, 1e9];
        const view = { beginNs: 2e8, endNs: 6e8 };
        const centre = view.beginNs + share * 4e8;
        const next = v.zoomed(view, bounds, centre, factor);
        assert.ok(Math.abs(v.xOf(next, 1000, centre) - v.xOf(view, 1000, centre)) < 0.01);
      },
    ),
  );
  const closest = v.zoomed({ beginNs: 0, endNs: 1e9 }, [0, 1e9], 5, 1e-12);
  assert.equal(closest.endNs - closest.beginNs, 10);
  const widest = v.zoomed({ beginNs: 0, endNs: 1e9 }, [0, 1e9], 5, 1e12);
  assert.equal(widest.endNs - widest.beginNs, 1.5e9);
});

test("ruler marks have distinct labels and enough room", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e10, max: 1e10 }), fc.integer({ min: 10, max: 1e11 }), (begin, span) => {
      const view = { beginNs: begin, endNs: begin + span };
      const ticks = v.ticksFor(view, 1000, 116);
      assert.ok((ticks.stepNs / span) * 1000 >= 115.9);
      const edge = Math.max(Math.abs(begin), Math.abs(begin + span));
      const labels = Array.from({ length: ticks.count }, (_, i) =>
        v.tickLabel(ticks.firstNs + i * ticks.stepNs, ticks.stepNs, edge),
      );
      assert.equal(new Set(labels).size, labels.length, labels.join(" | "));
    }),
  );
});

test("marks of an axis have no more digits than distinguish them", () => {
  assert.deepEqual(v.axisLabels([0, 2e9, 4e9, 10e9], "linear"), ["0", "2 s", "4 s", "10 s"]);
  assert.deepEqual(v.axisLabels([0, 2.5e9, 5e9], "linear"), ["0", "2.5 s", "5.0 s"]);
  assert.deepEqual(v.axisLabels([0, 5e8, 1e9, 1.5e9], "linear"), ["0", "0.5 s", "1.0 s", "1.5 s"]);
  assert.deepEqual(v.axisLabels([1e6, null, 2e6, 1e9], "logarithmic"), ["1 ms", "", "2 ms", "1 s"]);
  assert.deepEqual(v.axisLabels([], "linear"), []);
});

test("the reach of few samples follows from order statistics", () => {
  assert.ok(v.supportedQuantile(4) < 0.5 && v.supportedQuantile(5) >= 0.5);
  assert.ok(v.supportedQuantile(28) < 0.9 && v.supportedQuantile(29) >= 0.9);
  assert.ok(v.supportedQuantile(298) < 0.99 && v.supportedQuantile(299) >= 0.99);
  const curve = v.percentileCurve([3, 1, 2]);
  assert.deepEqual(curve.y, [1, 2, 3]);
  assert.deepEqual(
    curve.x.map((x) => 1 - 1 / x).map((q) => Number(q.toFixed(6))),
    [0.166667, 0.5, 0.833333],
  );
});

test("durations are readable and control characters visible", () => {
  assert.equal(v.formatDuration(5_214_506_369), "5.215 s");
  assert.equal(v.formatDuration(92_300), "92.30 us");
  assert.equal(v.formatDuration(641), "641 ns");
  assert.equal(v.formatDuration(-1_500_000), "-1.500 ms");
  assert.equal(v.exactDuration(5_214_506_369), "5,214,506,369 ns");
  assert.equal(v.formatSigned(-3_000_000), "-3.000 ms");
  assert.equal(v.visibleText("a\u0000b\nc\u202ed\u007f"), "a␀b␊c<U+202E>d␡");
});

const entry = (given) => ({
  name: "base/01",
  kernel: { old: "7.2.13", new: "7.3.4" },
  outcome: "completed",
  clockMethod: "x86-tsc",
  basis: "vm-marks",
  blackoutNs: 4e9,
  blackoutUncertaintyNs: 1,
  phaseNs: [1e6, null, 3e9, 1e6, 1e6],
  defects: 2,
  spans: 1,
  causes: [{ kind: "device", name: "e1000 0000:00:03.0", ns: 2e8 }],
  ...given,
});

test("the filter's terms match what they describe", () => {
  const holds = (text, given = {}) => {
    const parsed = v.parseUpdateFilter(text);
    assert.ok(parsed.ok, `${text}: ${parsed.error}`);
    return parsed.value(entry(given));
  };
  for (const text of [
    "",
    "kexec > 2s",
    "phase:kexec>2.9s",
    "blackout<=4s defects>=2",
    "device:e1000",
    "device:e1000 > 100ms",
    "-device:virtio",
    "base kernel:7.3 outcome:comp clock:tsc",
    '"base/01"',
    "-freeze > 1ns",
  ]) {
    assert.ok(holds(text), text);
  }
  for (const text of [
    "kexec > 3s",
    "freeze > 1ns",
    "freeze < 1s",
    "device:e1000 > 1s",
    "initcall:e1000",
    "other",
    "-base",
  ]) {
    assert.ok(!holds(text), text);
  }
  for (const text of ["kexec", "kexec >", "kexec > 4", "defects > 3s", "name:x > 4s", "> 4s", "device:", "kexec > x"]) {
    const parsed = v.parseUpdateFilter(text);
    assert.ok(!parsed.ok && /expected|needs|remove the unit|compared|not a number/.test(parsed.error), text);
  }
  fc.assert(fc.property(fc.string(), (text) => typeof v.parseUpdateFilter(text).ok === "boolean"));
});

test("a budget is parsed as it was written", () => {
  for (const text of ["5s", "250ms", "1.5s", "3us", "7ns"]) assert.equal(v.durationInput(v.parseLimit(text)), text);
  for (const text of ["", "5", "s", "-1s", "0s", "1e999s"]) assert.equal(v.parseLimit(text), null, text);
});

test("a thinned curve keeps its ends, its order and points of the whole", () => {
  const whole = v.percentileCurve(Array.from({ length: 10_000 }, (_, i) => (i * 7919) % 10_007));
  const thin = v.thinned(whole);
  assert.ok(thin.x.length <= 1500 && thin.x.length > 300);
  assert.equal(thin.x[0], whole.x[0]);
  assert.equal(thin.x.at(-1), whole.x.at(-1));
  const points = new Map(whole.x.map((x, i) => [x, whole.y[i]]));
  thin.x.forEach((x, i) => {
    assert.equal(points.get(x), thin.y[i]);
    if (i > 0) assert.ok(x > thin.x[i - 1]);
  });
});

test("a change of the series is placed, sized and held between levels; unknown updates keep their places", () => {
  const noise = (i) => 1e9 * (1 + 0.02 * Math.sin(i * 12.9898) * Math.cos(i * 78.233));
  const series = Array.from({ length: 40 }, (_, i) => (i % 7 === 3 ? null : noise(i) + (i >= 24 ? 3e8 : 0)));
  const { changes, levels, updatesPerPoint } = v.changesOf(series);
  assert.equal(updatesPerPoint, 1);
  assert.equal(changes.length, 1);
  assert.equal(changes[0].at, 25, "24 is unknown: the first known after the change");
  assert.ok(Math.abs(changes[0].shiftNs - 3e8) < 3e7 && changes[0].intervalNs[0] > 2e8, JSON.stringify(changes));
  assert.deepEqual(
    levels.map(({ from, to }) => [from, to]),
    [
      [0, 24],
      [25, 40],
    ],
  );
  assert.ok(levels[1].medianNs - levels[0].medianNs > 2.5e8);
  assert.deepEqual(v.changesOf(series.slice(0, 24)).changes, []);
  assert.deepEqual(v.changesOf(series.slice(0, 9)).levels, [], "too few to look");
  // With very many, neighbours are combined first; the change is still found, to within the width of a point.
  const many = v.changesOf(Array.from({ length: 1000 }, (_, i) => noise(i) + (i >= 700 ? 3e8 : 0)));
  assert.equal(many.updatesPerPoint, 5);
  assert.ok(Math.abs(many.changes[0].at - 700) <= 5);
});
