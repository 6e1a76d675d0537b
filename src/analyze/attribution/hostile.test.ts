/** A capture that was made to hurt: big tables cost time in proportion, and nothing nests or splits without bound. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Collected, RawSpans } from "../../model/collected.js";
import type { RawSpanKind } from "../../model/span-table.js";
import { auditTree } from "../../testing/oracles/audit-tree.js";
import { shippedCohort } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";
import { detailValue } from "../causes/causes.js";
import { MAX_NESTING, partition } from "../causes/partition.js";
import { presetFinder } from "../causes/presets.js";
import { nameProbes } from "../evidence/devices.js";
import { analyzeUpdate } from "../update/analyze.js";
import { buildTrees } from "./build.js";
import { apart, forOverlaps } from "./overlaps.js";
import { type TreeNode, walk } from "./tree.js";
import { criticalChain } from "./views/chain.js";
import { parseSelector, selectorTest } from "./views/selector.js";
import { whatIf } from "./views/what-if.js";

interface Made {
  readonly kind: RawSpanKind;
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  readonly pid: number;
  readonly boot: "old" | "new";
  readonly evidence?: string;
  readonly detail?: string;
}

function rawSpans(rows: readonly Made[]): RawSpans {
  return {
    count: rows.length,
    beginNs: Float64Array.from(rows, ({ begin }) => begin),
    endNs: Float64Array.from(rows, ({ end }) => end),
    kind: rows.map(({ kind }) => kind),
    name: rows.map(({ name }) => name),
    detail: rows.map(({ detail }) => detail ?? ""),
    boot: rows.map(({ boot }) => boot),
    cpu: new Int16Array(rows.length),
    pid: Int32Array.from(rows, ({ pid }) => pid),
    task: rows.map(() => "task"),
    evidence: rows.map(({ evidence }) => evidence ?? "sched_switch"),
    flags: new Uint8Array(rows.length),
  };
}

const collected: Promise<Collected> = readUpdate(shippedCohort("base")[0] as string).then(
  (read) => read.collected.collected,
);

const COUNT = 100_000;
/**
 * Of processor time, which other work on the machine does not lengthen much: linear work takes seconds, quadratic an
 * hour.
 */
const LIMIT_US = 60_000_000;

test("100,000 runs, wake-ups, log lines and probes are attributed in time", async () => {
  const { old, new: fresh, ...rest } = (await collected).extents;
  assert.deepEqual(rest, {});
  const whole = await collected;
  const restorer = analyzeUpdate(whole).path.find(({ role }) => role === "restores")?.pid ?? 67;
  const from = fresh?.firstNs ?? 0;
  const step = Math.floor(((fresh?.lastNs ?? 0) - from) / COUNT);
  const each = <T>(make: (at: number, i: number) => T): T[] =>
    Array.from({ length: COUNT }, (_, i) => make(from + i * step, i));
  const spans = rawSpans([
    ...each((at): Made => {
      const begin = from + 0.9 * COUNT * step + (at - from) / 20;
      return {
        kind: "task",
        name: "t",
        begin: Math.round(begin),
        end: Math.round(begin) + 10,
        pid: restorer,
        boot: "new",
      };
    }),
    ...each((at): Made => ({ kind: "task", name: "t", begin: at, end: at + step, pid: 1, boot: "new" })),
    ...each((at, i): Made => {
      const evidence = "kprobe";
      return {
        kind: "function",
        name: "pci_device_probe",
        begin: at,
        end: at + (i % step),
        pid: 1,
        boot: "new",
        evidence,
      };
    }),
    ...each((at, i): Made => {
      const evidence = "initcall events";
      return { kind: "initcall", name: `drv${i}_init`, begin: at, end: at + step, pid: 1, boot: "new", evidence };
    }),
  ]);
  const line = { boot: "new" as const, file: "new/dmesg", line: 1, stampNs: 0, level: 6 };
  const hostile: Collected = {
    ...whole,
    spans,
    wakeups: {
      count: COUNT,
      ns: Float64Array.from(each((at) => at + step - 1)),
      boot: each(() => "new" as const),
      woken: new Int32Array(COUNT).fill(restorer),
      waker: new Int32Array(COUNT).fill(1),
      cpu: new Int16Array(COUNT),
    },
    printk: each((at, i) => ({ line: { ...line, text: `e1000 0000:00:${i % 32}.0: x` }, ns: at, uncertaintyNs: 0 })),
  };
  assert.ok(old !== null);
  const begun = process.cpuUsage();
  const update = analyzeUpdate(hostile);
  const { blackout } = buildTrees(update);
  assert.ok(blackout !== null);
  assert.deepEqual(auditTree(blackout), []);
  criticalChain(update, blackout);
  const selector = parseSelector("initcall:drv*");
  assert.ok(selector.ok);
  const answer = whatIf(update, blackout, {
    set: [{ selector: selector.value, cost: { what: "share", share: 0 } }],
    parallel: [selector.value],
  });
  assert.ok((answer.changes[0]?.spans ?? 0) > 1_000);
  const { user, system } = process.cpuUsage(begun);
  assert.ok(user + system < LIMIT_US, `${user + system} us`);
});

test("calls whose returns were lost nest no deeper than any call chain can", async () => {
  const whole = await collected;
  const { blackout } = buildTrees(analyzeUpdate(whole));
  const end = whole.extents.new?.lastNs ?? 0;
  const spans = rawSpans(
    Array.from(
      { length: COUNT },
      (_, i): Made => ({ kind: "initcall", name: `f${i}`, begin: end - COUNT + i, end, pid: 1, boot: "new" }),
    ),
  );
  const deep = buildTrees(analyzeUpdate({ ...whole, spans })).blackout as TreeNode;
  assert.deepEqual(auditTree(deep), []);
  let deepest = 0;
  walk(deep, (_node, above) => {
    deepest = Math.max(deepest, above.length);
  });
  assert.ok(deepest <= MAX_NESTING + 8, `${deepest}`);
  assert.ok(blackout !== null);
});

test("causes that cross one another are split a bounded number of times", () => {
  const half = 2_000;
  // The first half nest; each of the second outlasts them all, and would be cut at every one of their ends.
  const causes = Array.from({ length: 2 * half }, (_, i) =>
    i < half ? { beginNs: i, endNs: 10 * half - i } : { beginNs: 2 * half + i, endNs: 20 * half + i },
  );
  const pieces = partition(0, 100 * half, causes);
  assert.ok(pieces.length <= 5 * causes.length, `${pieces.length}`);
});

test("a detail's value may hold blanks, and ends where the next pair begins", () => {
  assert.equal(detailValue("session=vm 1 of 2 token=0x100", "session"), "vm 1 of 2");
  assert.equal(detailValue("session=vm 1 of 2 token=0x100", "token"), "0x100");
  assert.equal(detailValue("mysession=a session=b", "session"), "b");
  assert.equal(detailValue("session= token=1", "session"), null);
  assert.equal(detailValue("", "session"), null);
});

test("selectors name by identity, by name, by a word of it, and by action", () => {
  const device = { kind: "device", id: "0000:00:03.0", name: "e1000 0000:00:03.0", action: "probe" } as TreeNode;
  const takes = (text: string): boolean => {
    const selector = parseSelector(text);
    if (!selector.ok) throw new Error(selector.error);
    return selectorTest(selector.value)(device);
  };
  for (const text of ["device", "device:e1000", "device:0000:00:03.0", "device:*:03.*/probe", "device-probe"])
    assert.ok(takes(text), text);
  for (const text of ["device:e100", "device:*/shutdown", "initcall:*", "device-shutdown", "device:E1000"])
    assert.ok(!takes(text), text);
});

test("a function of a series under review becomes a cause of its kind", () => {
  const presetOf = presetFinder();
  assert.equal(presetOf("vfio_pci_liveupdate_freeze")?.kind, "device");
  assert.equal(presetOf("pci_flb_preserve")?.bus, "pci");
  assert.equal(presetOf("kvm_luo_preserve")?.kind, "file");
  assert.equal(presetOf("my_pci_flb_preserve"), null);
  assert.equal(presetOf("pci_flb_preserve"), presetOf("pci_flb_preserve"));
});

test("a probe's device comes from what its driver prints, else from the order, and else it has none", () => {
  const facts = (id: string, driver: string | null) => [id, { id, bus: "pci", driver, model: null }] as const;
  const devices = new Map([
    facts("0000:00:03.0", "e1000"),
    facts("0000:00:05.0", "e1000"),
    facts("0000:00:06.0", null),
  ]);
  const probe = (beginNs: number, initcall: string | null = "e1000_init_module") =>
    ({ boot: "new", beginNs, endNs: beginNs + 10, initcall }) as const;
  const said = (atNs: number, text: string, uncertaintyNs = 0) => ({ boot: "new", atNs, uncertaintyNs, text }) as const;
  assert.deepEqual(nameProbes([probe(0), probe(20)], devices, [said(25, "e1000 0000:00:03.0: eth0")]), [
    { id: "0000:00:05.0", inferred: true },
    { id: "0000:00:03.0", inferred: false },
  ]);
  // Two lines, or one that may lie outside, name nothing; three probes of two devices are in no order.
  assert.deepEqual(nameProbes([probe(0), probe(20), probe(40)], devices, [said(5, "e1000 0000:00:03.0: x", 6)]), [
    null,
    null,
    null,
  ]);
  assert.deepEqual(nameProbes([probe(0, null)], devices, []), [null]);
});

test("overlaps are found by search", () => {
  const list = apart([
    { beginNs: 5, endNs: 9 },
    { beginNs: 0, endNs: 6 },
    { beginNs: 1, endNs: 2 },
    { beginNs: 20, endNs: 30 },
  ]);
  assert.deepEqual(list, [
    { beginNs: 0, endNs: 6 },
    { beginNs: 6, endNs: 9 },
    { beginNs: 20, endNs: 30 },
  ]);
  const shared: number[] = [];
  forOverlaps(list, 5, 21, (_interval, ns) => shared.push(ns));
  assert.deepEqual(shared, [1, 3, 1]);
});
