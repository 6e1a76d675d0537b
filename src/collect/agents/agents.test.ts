import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { ClockPair, KeyEvent } from "../../model/collected.js";
import { callLine, madeCapture, markLine, memoryCapture } from "../../testing/fakes/capture-memory.js";
import { updateOfCapture } from "../../testing/samples/captures.js";
import { pairedClocks, placeStamp, realtimeByTai, type WallAnchor } from "./agents.js";

const KHZ = 2_000_000;

/** A round of readings at TSC `at`, each bracketed by `width` cycles; local = tsc / 2 - 1 s, mono = tsc / 2 + 3 s. */
function round(at: number, widths: readonly [number, number]): readonly ClockPair[] {
  return (["local", "mono"] as const).map((clock, i) => {
    const [before, after] = [at + i * 50_000_000, at + i * 50_000_000 + (widths[i] as number)];
    const read = (before + after) / 2;
    const ns = Math.floor(read / 2 + (clock === "local" ? -1e9 : 3e9));
    return {
      clock,
      tscBefore: BigInt(before),
      tscAfter: BigInt(after),
      valueNs: BigInt(Math.floor(ns / 1_000) * 1_000),
      resolutionNs: 1_000,
    };
  });
}

test("a CLOCK_MONOTONIC stamp lies within its ± of the truth, whichever clock the trace is on", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("local" as const, "x86-tsc" as const, "mono" as const),
      fc.array(fc.tuple(fc.integer({ min: 2, max: 9_000_000 }), fc.integer({ min: 2, max: 9_000_000 })), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.integer({ min: 3_000_000_000, max: 60_000_000_000 }),
      (traceClock, widths, monotonicNs) => {
        const pairs = widths.flatMap((width, i) => round(20_000_000_000 + i * 200_000_000, width));
        const fromTsc = (tsc: number): number => tsc / 2;
        const place = (count: bigint) => ({
          ns: Math.round(
            traceClock === "x86-tsc"
              ? fromTsc(Number(count))
              : traceClock === "local"
                ? Number(count) + 1e9
                : Number(count) - 3e9,
          ),
          uncertaintyNs: 0,
        });
        const anchors = pairedClocks(pairs, traceClock, place, KHZ);
        const stamp = {
          clock: "monotonic",
          ns: BigInt(Math.floor(monotonicNs / 1_000) * 1_000),
          resolutionNs: 1_000,
        } as const;
        const found = placeStamp(stamp, anchors);
        assert.ok(found !== null);
        assert.ok(Math.abs(found.ns - (monotonicNs - 3e9)) <= found.uncertaintyNs);
        assert.equal(placeStamp({ ...stamp, clock: "realtime" }, anchors), null);
      },
    ),
  );
});

test("without a rate of the TSC only a trace on that very clock places anything", () => {
  const pairs = round(20_000_000_000, [100, 100]);
  const place = (count: bigint) => ({ ns: Number(count), uncertaintyNs: 0 });
  assert.equal(pairedClocks(pairs, "local", place, null).length, 0);
  assert.equal(pairedClocks(pairs, "mono", place, null).length, 1);
});

const oldTrace = [
  markLine(10, "clock: realtime=1795431740.226790871 monotonic=13.000000000"),
  markLine(12, "luo: vm_pause"),
  callLine(12.1, "kernel_kexec"),
].join("");
const newTrace = [
  markLine(2, "clock: realtime=1795431750.226790871 monotonic=2.500000000"),
  callLine(3, "luo_open"),
  markLine(5, "luo: vm_resume"),
].join("");
const luodOld = [
  "[   13.100000] host luod[7]: [INFO] New connection accepted (fd=5)",
  '[   13.200000] host luod[7]: [DEBUG] Received from fd=5: { "cmd": "SUBSCRIBE", "id": "vm-1" }',
  '[   13.300000] host luod[7]: {"event":"START_PRESERVATION"}',
  '1795431741.226790 host luod[7]: [DEBUG] Received from fd=5: { "cmd": "READY" }',
  '{"cmd":"READY"}',
].join("\n");
const luodNew = [
  "[    2.600000] host luod[8]: [INFO] Found preserved session 'luod-internal'. Post-kexec restoration detected.",
  '[    2.700000] host luod[8]: [DEBUG] Received from fd=6: { "cmd": "CLAIM", "id": "vm-1" }',
].join("\n");

const made = (more: Readonly<Record<string, string>>) =>
  updateOfCapture(memoryCapture(madeCapture({ old: { trace: oldTrace }, new: { trace: newTrace } }, more)));

test("luod's messages bound the phases that nothing better shows, and name a session's owner", () => {
  const { collected, update } = made({ "agents/luod.old.log": luodOld, "agents/luod.new.log": luodNew });
  const told = collected.collected.keyEvents.filter(({ what }) => what === "message");
  const at = ({ at: { ns } }: KeyEvent): number => ns / 1e6;
  const oldMark = collected.collected.keyEvents.find(({ name }) => name.startsWith("clock: ")) as KeyEvent;
  assert.deepEqual(
    told.map((event) => [event.name, event.fields.get("session") ?? null, event.at.boot]),
    [
      ["luod CONNECTED", null, "old"],
      ["luod SUBSCRIBE", "vm-1", "old"],
      ["luod START_PRESERVATION", null, "old"],
      ["luod READY", "vm-1", "old"],
      ["luod FOUND", "luod-internal", "new"],
      ["luod CLAIM", "vm-1", "new"],
    ],
  );
  assert.equal(Math.round(at(told[1] as KeyEvent) - at(oldMark)), 200);
  assert.equal(Math.round(at(told[3] as KeyEvent) - at(oldMark)), 1000, "realtime stamps go by the same mark");
  const phase = (name: string) => update.document.phases.find((each) => each.name === name);
  const prepare = phase("prepare");
  assert.deepEqual(
    [prepare?.evidence.begin?.event, prepare?.evidence.begin?.confidence, prepare?.evidence.end?.event],
    ["luod START_PRESERVATION said", "agent", "luod READY said"],
  );
  assert.equal(Math.round((prepare?.durationNs ?? 0) / 1e6), 700);
  assert.ok((prepare?.uncertaintyNs ?? 0) >= 20_000_000, "and each stamp's ± is in the phase's");
  const restore = phase("restore");
  assert.equal(restore?.evidence.begin?.event, "kprobe luo_open called", "a probe beats what an agent says");
  assert.equal(restore?.endNs, null, "a claim begins a retrieve; it does not end one");
  assert.deepEqual(
    update.sessions.map(({ name, clients }) => [name, clients]),
    [
      [
        "vm-1",
        [
          { boot: "old", fd: 5 },
          { boot: "new", fd: 6 },
        ],
      ],
    ],
  );
  const unplaced = update.document.defects.filter(({ code }) => code === "luod-unplaced");
  assert.deepEqual(
    unplaced.map(({ file, line }) => [file, line]),
    [["agents/luod.old.log", 5]],
  );
  const luod = update.document.sources.filter(({ dialect }) => dialect === "luod");
  assert.deepEqual(
    luod.map(({ boot, clock, lines, events }) => [boot, clock, lines, events]),
    [
      ["old", "monotonic, none, realtime", 5, 5],
      ["new", "monotonic", 2, 2],
    ],
  );
});

test("a mark of the workload beats luod, and without either the claim only bounds the restore", () => {
  const trace = markLine(10.1, "luo: prepare begin") + oldTrace;
  const without = newTrace.replace(callLine(3, "luo_open"), "");
  const { update } = updateOfCapture(
    memoryCapture(
      madeCapture(
        { old: { trace }, new: { trace: without } },
        { "agents/luod.old.log": luodOld, "agents/luod.new.log": luodNew },
      ),
    ),
  );
  const phase = (name: string) => update.document.phases.find((each) => each.name === name);
  assert.equal(phase("prepare")?.evidence.begin?.confidence, "marker");
  const restore = phase("restore");
  assert.equal(restore?.beginNs, null);
  assert.ok(
    Math.abs((restore?.beginRangeNs?.[1] ?? 0) - 8_100_000_000) < 11_000_000,
    "no later than luod found its session",
  );
  assert.ok(Math.abs((restore?.endRangeNs?.[0] ?? 0) - 8_200_000_000) < 11_000_000, "no earlier than the last claim");
});

test("systemd's mapping names tokens in sessions and in the labels of their causes", () => {
  const mapping = {
    version: 1,
    units: {
      "nginx.service": { fdstore: [{ type: "fd", name: "http", token: 1 }] },
      "vmm.service": { fdstore: [{ type: "luo_session", name: "guest", sessionName: "vmm.service/guest" }] },
    },
  };
  const trace =
    markLine(9, "luo: preserve_fd begin session=systemd token=0x1 bytes=4096") +
    markLine(9.5, "luo: preserve_fd end session=systemd token=0x1") +
    oldTrace;
  const { update } = updateOfCapture(
    memoryCapture(
      madeCapture({ old: { trace }, new: { trace: newTrace } }, { "agents/luo-mapping.json": JSON.stringify(mapping) }),
    ),
  );
  assert.deepEqual(
    update.sessions.map(({ name, unit, fdName, files }) => [
      name,
      unit,
      fdName,
      files.map((file) => [file.token, file.unit, file.fdName]),
    ]),
    [
      ["systemd", null, null, [["0x1", "nginx.service", "http"]]],
      ["vmm.service/guest", "vmm.service", "guest", []],
    ],
  );
  assert.ok(update.spans.strings.includes("systemd 0x1 (nginx.service http)"), "the cause's label");
  assert.ok(update.spans.strings.includes("systemd 0x1"), "its identity is the token's still");
});

test("TAI is realtime plus whole seconds, which a mark shows; without a mark, or with one that differs, it is not used", () => {
  const tai = (seconds: number): readonly ClockPair[] => [
    {
      clock: "tai",
      tscBefore: 20_000_000_000n,
      tscAfter: 20_000_002_000n,
      valueNs: 1_795_981_500_000_000_000n + BigInt(seconds * 1e9),
      resolutionNs: 1_000,
    },
  ];
  const place = (count: bigint) => ({ ns: Number(count) / 2, uncertaintyNs: 0 });
  // The reading lies at 10 s; the mark, at 12 s, is 4 ms late, and 2 s on.
  const mark = (lateNs: number): WallAnchor => ({
    clock: "realtime",
    clockNs: 1_795_981_502_000_000_000n,
    ns: 12_000_000_500 + lateNs,
    uncertaintyNs: 10_000_000,
  });
  for (const ahead of [0, 37]) {
    const [anchor, ...others] = realtimeByTai(tai(ahead), "x86-tsc", place, KHZ, [mark(4_000_000)]);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [anchor?.clock, anchor?.clockNs, anchor?.ns, anchor?.uncertaintyNs],
      ["realtime", 1_795_981_500_000_000_000n, 10_000_000_500, 1_500],
    );
  }
  assert.deepEqual(realtimeByTai(tai(37), "x86-tsc", place, KHZ, []), []);
  assert.deepEqual(realtimeByTai(tai(37), "x86-tsc", place, KHZ, [mark(300_000_000)]), []);
  assert.deepEqual(realtimeByTai(tai(37), "x86-tsc", place, KHZ, [{ ...mark(0), clock: "monotonic" }]), []);
});
