import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AttributedUpdate } from "../analyze/attribution/update.js";
import { UNKNOWN_IMAGE } from "../model/collected.js";
import type { LiveUpdate } from "../model/live-update.js";
import { SPAN_KINDS, type Span, SpanTableBuilder, spanAt } from "../model/span-table.js";
import { packReportIndex, parseReportIndex, reportIndex } from "./report-index.js";
import { decodeLiveUpdate, encodeLiveUpdate, isAttributed } from "./update-codec.js";

function updateOf(spans: readonly Span[]): LiveUpdate {
  const table = new SpanTableBuilder();
  for (const span of spans) table.add(span);
  return {
    document: {
      format: "blackout-live-update",
      version: 1,
      capture: { name: "</script>\u0000", kernel: { old: null, new: "7.3" }, probeLevel: null, labels: {} },
      outcome: "completed",
      outcomeReason: "",
      clock: { method: "x86-tsc", uncertaintyNs: 1, parts: [], tscKhz: null, rejected: [] },
      blackout: {
        basis: "vm-marks",
        beginNs: 0,
        endNs: 7,
        durationNs: 7,
        uncertaintyNs: 1,
        evidence: { begin: null, end: null },
      },
      phases: [],
      vms: [],
      sessions: [],
      losses: [],
      notSeen: [],
      health: { counts: [], events: [] },
      seam: { beginNs: null, endNs: null, durationNs: null, uncertaintyNs: null },
      sources: [],
      defects: [],
    },
    spans: table.build(),
    printk: [{ boot: "old", atNs: 1, uncertaintyNs: 0, stampNs: 1, level: 6, text: "x" }],
  };
}

const anyTime = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0.5, Number.POSITIVE_INFINITY),
);
const anySpan: fc.Arbitrary<Span> = fc.record({
  beginNs: anyTime,
  endNs: anyTime,
  parent: fc.integer({ min: -1, max: 3 }),
  kind: fc.constantFrom(...SPAN_KINDS),
  name: fc.string(),
  id: fc.string(),
  action: fc.string(),
  detail: fc.string(),
  boot: fc.constantFrom("old" as const, "new" as const, null),
  cpu: fc.integer({ min: -1, max: 32767 }),
  pid: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  task: fc.string(),
  evidence: fc.string(),
  flags: fc.integer({ min: 0, max: 7 }),
});

test("every span table comes back as it was", () => {
  fc.assert(
    fc.property(fc.array(anySpan, { maxLength: 30 }), (spans) => {
      const update = updateOf(spans);
      const back = decodeLiveUpdate(encodeLiveUpdate(update));
      assert.ok(back.ok, back.ok ? "" : back.error);
      assert.deepEqual(back.value.document, update.document);
      assert.deepEqual(back.value.printk, update.printk);
      assert.equal(back.value.spans.count, spans.length);
      for (let row = 0; row < spans.length; row++) {
        const expected = spanAt(update.spans, row);
        const parent = expected.parent >= spans.length ? -1 : expected.parent;
        assert.deepEqual(spanAt(back.value.spans, row), { ...expected, parent });
      }
    }),
    { numRuns: 200 },
  );
});

test("what attribution needs comes back as it was", () => {
  const numbers = fc.array(fc.tuple(anyTime, fc.integer({ min: 1, max: 2 }), fc.nat(), fc.nat()), { maxLength: 20 });
  fc.assert(
    fc.property(numbers, (wakeups) => {
      const update: AttributedUpdate = {
        ...updateOf([]),
        path: [{ boot: "old", pid: 7, task: "</script>", role: "reboots" }],
        restorerSinceNs: null,
        schedClockZeroNs: { ns: 1, uncertaintyNs: 2 },
        imageStampsNs: { entryNs: 3, exitNs: null },
        nextImage: UNKNOWN_IMAGE,
        armsGraphAtBoot: true,
        recording: null,
        devices: [{ id: "0000:00:03.0", bus: "pci", driver: "e1000", model: null }],
        sessions: [],
        wakeups: {
          count: wakeups.length,
          ns: Float64Array.from(wakeups, ([ns]) => ns),
          boot: Uint8Array.from(wakeups, ([, boot]) => boot),
          woken: Int32Array.from(wakeups, ([, , woken]) => woken),
          waker: Int32Array.from(wakeups, ([, , , waker]) => waker),
        },
      };
      const back = decodeLiveUpdate(encodeLiveUpdate(update));
      assert.ok(back.ok, back.ok ? "" : back.error);
      assert.ok(isAttributed(back.value));
      assert.deepEqual(back.value, update);
    }),
  );
  const plain = decodeLiveUpdate(encodeLiveUpdate(updateOf([])));
  assert.ok(plain.ok && !isAttributed(plain.value));
});

test("a damaged update is an error in words, never a throw, whatever the damage", () => {
  const whole = encodeLiveUpdate(updateOf(fc.sample(anySpan, { numRuns: 8, seed: 1 })));
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
      const damaged = cut ? whole.slice(0, at) : Uint8Array.from(whole);
      if (!cut) damaged[at] = byte;
      const read = decodeLiveUpdate(damaged);
      if (cut) assert.ok(!read.ok);
      if (!read.ok) assert.match(read.error, /\w/);
    }),
    { numRuns: 500 },
  );
  assert.ok(!decodeLiveUpdate(new Uint8Array(0)).ok);
});

test("a header that announces more spans than there are bytes takes no memory for them", () => {
  const whole = encodeLiveUpdate(updateOf([]));
  const text = new TextDecoder("latin1").decode(whole);
  const changed = text.replace('"count":0', '"count":9');
  const read = decodeLiveUpdate(Uint8Array.from(changed, (character) => character.charCodeAt(0)));
  assert.ok(read.ok === false);
  const huge = text.replace('"count":0,"strings":[""]', '"count":999999999999999');
  assert.ok(!decodeLiveUpdate(Uint8Array.from(huge, (character) => character.charCodeAt(0))).ok);
});

test("the index lists every update and survives JSON; another format is refused", () => {
  const causes = [
    { kind: "device", name: "e1000 <b>", ns: 7 },
    { kind: "seam", name: "the seam", ns: 0 },
  ];
  const bare = reportIndex([updateOf([]), updateOf([])], "two & more", ["a/1", "b/1"]);
  const index = { ...bare, entries: bare.entries.map((entry, i) => ({ ...entry, causes: causes.slice(i) })) };
  const back = parseReportIndex(packReportIndex(index));
  assert.ok(back.ok);
  assert.deepEqual(back.value, index);
  assert.deepEqual(back.value.entries[0]?.phaseNs, [null, null, null, null, null]);
  assert.ok(!parseReportIndex("{}").ok);
  assert.ok(!parseReportIndex("not json").ok);
  assert.ok(!parseReportIndex('{"format":"blackout-report","version":2,"entries":[]}').ok);
});

test("an update that was written before losses and complaints were listed has none of them", () => {
  const update = updateOf([]);
  const { losses: _losses, notSeen: _notSeen, health: _health, ...document } = update.document;
  const back = decodeLiveUpdate(encodeLiveUpdate({ ...update, document: document as LiveUpdate["document"] }));
  assert.ok(back.ok);
  assert.deepEqual(back.value.document, { ...update.document, ...document });
});
