/** Seams whose stages were timed by instruction count, opened by stamps, clock and log (traces/README.md). */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { UNKNOWN_IMAGE } from "../../model/collected.js";
import type { PlacedPrintk } from "../../model/live-update.js";
import { traces } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";
import { findings } from "../findings/findings.js";
import { buildTrees } from "./build.js";
import { bootFilterNames, clockStart, type SeamLeaf, seamLeaves } from "./seam.js";
import { type TreeNode, walk } from "./tree.js";
import type { AttributedUpdate } from "./update.js";
import { parseSelector } from "./views/selector.js";
import { whatIf } from "./views/what-if.js";

const sample = (name: string): string => join(traces, "dialects/seam", `${name}.tar.gz`);

interface Opened {
  readonly update: AttributedUpdate;
  readonly root: TreeNode;
  readonly leaves: readonly TreeNode[];
}

async function opened(name: string): Promise<Opened> {
  const { update } = await readUpdate(sample(name));
  const root = buildTrees(update).blackout as TreeNode;
  let seam: TreeNode | null = null;
  walk(root, (node) => {
    if (node.kind === "seam" && node.id === "seam") seam = node;
  });
  const { children } = seam as unknown as TreeNode;
  return { update, root, leaves: children };
}

const STAMP_NS = 100_000;
const LOG_NS = 300_000;

/** Nanoseconds by instruction count: seamplugin's phases of the same run. */
const TRUTH: Readonly<Record<string, Readonly<Record<string, readonly [ns: number, within: number]>>>> = {
  events: {
    "seam relocation": [2_935_000, STAMP_NS],
    "seam unpack": [289_491_000, STAMP_NS],
    "seam entry": [4_227_961, LOG_NS],
    "seam memory map": [11_610_523, LOG_NS],
    "seam kho": [21_255_349, LOG_NS],
    "seam ftrace": [9_829_411, LOG_NS],
  },
  markers: {
    "seam relocation": [2_935_000, STAMP_NS],
    "seam unpack": [289_491_000, STAMP_NS],
    "seam entry": [4_168_470, LOG_NS],
    "seam memory map": [11_490_852, LOG_NS],
    "seam kho": [25_044_115, LOG_NS],
    "seam ftrace": [8_367_435, LOG_NS],
  },
  graph: {
    "seam before sched_clock": [296_776_288, LOG_NS],
    "seam memory map": [11_682_665, LOG_NS],
    "seam kho": [26_676_976, LOG_NS],
    "seam ftrace": [621_717_137, LOG_NS],
    "seam tracing": [29_880_745, LOG_NS],
  },
};

for (const [name, truth] of Object.entries(TRUTH)) {
  test(`${name}: each leaf of the seam is within its bound of the truth, and all add up`, async () => {
    const { leaves, update } = await opened(name);
    const found = new Map(leaves.map((leaf) => [leaf.id, leaf]));
    for (const [id, [ns, within]] of Object.entries(truth)) {
      const leaf = found.get(id);
      assert.ok(leaf !== undefined, `no leaf ${id} in ${[...found.keys()].join(", ")}`);
      const off = Math.abs(leaf.durationNs - ns);
      assert.ok(off <= within, `${id}: ${leaf.durationNs} is ${off} ns off ${ns}`);
    }
    const sum = leaves.reduce((total, { durationNs }) => total + durationNs, 0);
    assert.equal(sum, update.document.seam.durationNs);
  });
}

test("stamped, and with a clock that starts early, no part of the seam is undivided", async () => {
  for (const name of ["events", "markers"]) {
    const { leaves } = await opened(name);
    assert.deepEqual(
      leaves.map(({ id, evidence }) => [id, evidence]),
      [
        ["seam relocation", "stamp"],
        ["seam unpack", "stamp"],
        ["seam entry", "clock-pairs"],
        ["seam memory map", "printk"],
        ["seam kho", "printk"],
        ["seam ftrace", "printk"],
        ["seam tracing", "printk"],
      ],
    );
  }
});

test("a clock that starts late: more than 70 % is the new kernel's, and no finding blames decompression for it", async () => {
  const { leaves, update, root } = await opened("late-clock");
  assert.equal(clockStart(update.printk), "late");
  const seamNs = update.document.seam.durationNs as number;
  const kernel = leaves.find(({ id }) => id === "seam kernel");
  assert.match(kernel?.name ?? "", /^the new kernel up to its first event and the recorder's filter of 10 names$/);
  assert.ok((kernel?.durationNs ?? 0) > 0.7 * seamNs, `${kernel?.durationNs} of ${seamNs}`);
  const unpack = leaves.find(({ id }) => id === "seam unpack");
  assert.ok(Math.abs((unpack?.durationNs ?? 0) - 1_200_000_000) < 5_000_000, `${unpack?.durationNs}`);
  for (const { rule, costNs } of findings({ update, root }))
    if (rule === "image-compression") assert.ok(costNs <= (unpack?.durationNs ?? 0), `${costNs}`);
});

test("without stamps a clock that starts late gives no finding about decompression at all", async () => {
  for (const path of [sample("late-clock"), join(traces, "plain.tar.gz"), join(traces, "v72-v73.tar.gz")]) {
    const { update } = await readUpdate(path);
    const bare = { ...update, imageStampsNs: null };
    const root = buildTrees(bare).blackout as TreeNode;
    const rules = findings({ update: bare, root }).map(({ rule }) => rule);
    assert.ok(!rules.includes("image-compression"), `${path}: ${rules.join(", ")}`);
  }
});

test("without stamps the decompression is bounded, never a number of its own", async () => {
  const { update } = await opened("events");
  const bare = { ...update, imageStampsNs: null };
  const { beginNs, endNs } = update.document.seam;
  const [first] = seamLeaves(bare, beginNs as number, endNs as number);
  assert.equal(first?.id, "seam before sched_clock");
  const unpack = first?.bounds.find(({ step }) => step === "unpack");
  // The truth is 289.491 ms of 296.7 ms.
  assert.ok((unpack?.leastNs ?? 0) > 150_000_000 && (unpack?.leastNs ?? 0) < 289_491_000, `${unpack?.leastNs}`);
  assert.ok((unpack?.mostNs ?? 0) > 289_491_000 && (unpack?.mostNs ?? 0) < 296_800_000, `${unpack?.mostNs}`);
  assert.deepEqual(
    first?.bounds.find(({ step }) => step === "digest"),
    { step: "digest", leastNs: 0, mostNs: 0 },
  );
});

test("what-if knows the leaves by their names, and takes none for one that it is not divided from", async () => {
  const { update, root, leaves } = await opened("events");
  const selector = (text: string) => {
    const parsed = parseSelector(text);
    assert.ok(parsed.ok);
    return parsed.value;
  };
  const zero = { what: "share", share: 0 } as const;
  const answer = whatIf(update, root, { set: [{ selector: selector("seam:unpack"), cost: zero }], parallel: [] });
  const unpack = leaves.find(({ id }) => id === "seam unpack")?.durationNs ?? 0;
  assert.deepEqual([answer.changes[0]?.spans, answer.beforeNs - answer.durationNs], [1, unpack]);
  const bare = { ...update, imageStampsNs: null };
  const whole = buildTrees(bare).blackout as TreeNode;
  const none = whatIf(bare, whole, { set: [{ selector: selector("seam:unpack"), cost: zero }], parallel: [] });
  assert.deepEqual([none.changes[0]?.spans, none.durationNs], [0, none.beforeNs]);
});

test("no advice names an option that x86 does not have, and all gains are bounds of their own", async () => {
  for (const name of ["events", "markers", "graph", "late-clock"]) {
    const { update, root } = await opened(name);
    const list = findings({ update, root });
    for (const { advice } of list) assert.doesNotMatch(advice, /KERNEL_UNCOMPRESSED/);
    const filter = list.find(({ rule }) => rule === "boot-filter");
    assert.equal(filter !== undefined, name === "graph" || name === "late-clock", name);
    if (name === "graph") {
      // ftrace_init took 614.7 ms, 8 ms of it without filters.
      const [least, most] = filter?.gainNs ?? [0, 0];
      assert.ok(least > 550_000_000 && most < 625_000_000, `${least} to ${most}`);
    }
  }
});

test("the least gain of another compressor is what the experiment with LZ4 held", async () => {
  const { update, root } = await opened("events");
  const image = findings({ update, root }).find(({ rule }) => rule === "image-compression");
  // LZ4 shortened the blackout by 235.8 ms, and the seam by 240.9 ms, in counted instructions.
  assert.ok((image?.gainNs[0] ?? 0) > 200_000_000 && (image?.gainNs[0] ?? 0) < 235_800_000, `${image?.gainNs}`);
  assert.ok((image?.gainNs[1] ?? 0) > 240_900_000, `${image?.gainNs}`);
});

test("the digest of an older kernel and the decompression share no nanosecond once the image is stamped", async () => {
  const { update } = await opened("events");
  const { capture } = update.document;
  const old = { ...capture, kernel: { ...capture.kernel, old: "7.2.13-luo" } };
  const stamps = update.imageStampsNs as { entryNs: number; exitNs: number };
  // As if the purgatory had hashed for 100 ms of what the decompression took.
  const moved = {
    ...update,
    document: { ...update.document, capture: old },
    imageStampsNs: { ...stamps, entryNs: stamps.entryNs + 100_000_000 },
  };
  const root = buildTrees(moved).blackout as TreeNode;
  const list = findings({ update: moved, root });
  const [digest, image] = ["purgatory-digest", "image-compression"].map((name) =>
    list.find(({ rule }) => rule === name),
  );
  assert.ok((digest?.gainNs[0] ?? 0) > 20_000_000 && (digest?.gainNs[1] ?? 0) < 103_000_000, `${digest?.gainNs}`);
  assert.ok((image?.gainNs[1] ?? 0) < 190_000_000, `${image?.gainNs}`);
});

const line = (stampUs: number, text: string, uncertaintyNs: number | null = 0): PlacedPrintk => ({
  boot: "new",
  atNs: uncertaintyNs === null ? null : 1_000_000 + stampUs * 1_000,
  uncertaintyNs,
  stampNs: stampUs * 1_000,
  level: null,
  text,
});

const LINES = [
  line(2_000, "mem auto-init: stack:all(zero), heap alloc:off, heap free:off"),
  line(4_000, "SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=2, Nodes=1"),
  line(6_000, "rcu: Hierarchical RCU implementation."),
];

/** Leaves of a seam from 0 to 10 ms, sched_clock's zero at 1 ms. */
function made(part: Partial<AttributedUpdate>): readonly SeamLeaf[] {
  const update = {
    document: { clock: { tscKhz: 1e6 }, capture: { kernel: { old: "7.3.4", new: "7.3.4" } } },
    printk: LINES,
    schedClockZeroNs: { ns: 1_000_000, uncertaintyNs: 0 },
    imageStampsNs: null,
    nextImage: UNKNOWN_IMAGE,
    armsGraphAtBoot: false,
    ...part,
  } as unknown as AttributedUpdate;
  return seamLeaves(update, 0, 10_000_000);
}

const ids = (leaves: readonly SeamLeaf[]): readonly string[] => leaves.map(({ id }) => id.replace("seam ", ""));

test("a boundary that nothing shows, or that is placed worse than the piece is long, stays unsplit", () => {
  const before = "before sched_clock";
  assert.deepEqual(ids(made({})), [before, "memory map", "kho", "ftrace", "tracing"]);
  assert.deepEqual(ids(made({ printk: LINES.slice(0, 2) })), [before, "memory map", "kho", "ftrace + tracing"]);
  assert.deepEqual(ids(made({ printk: [LINES[0], LINES[2]] as PlacedPrintk[] })), [
    before,
    "memory map",
    "kho + ftrace",
    "tracing",
  ]);
  const unsure = LINES.map((each, i) => (i === 1 ? { ...each, uncertaintyNs: 300_000 } : each));
  assert.deepEqual(ids(made({ printk: unsure })), [before, "memory map", "kho + ftrace", "tracing"]);
  assert.deepEqual(ids(made({ schedClockZeroNs: null })), ["up to memory map", "kho", "ftrace", "tracing"]);
  const stamps = { entryNs: 200_000, exitNs: 800_000 };
  assert.deepEqual(ids(made({ imageStampsNs: stamps })).slice(0, 3), ["relocation", "unpack", "entry"]);
  assert.deepEqual(ids(made({ imageStampsNs: { ...stamps, entryNs: null } })).slice(0, 2), ["up to unpack", "entry"]);
  assert.deepEqual(ids(made({ imageStampsNs: { ...stamps, exitNs: null } })).slice(0, 2), [
    "relocation",
    "unpack + entry",
  ]);
  for (const leaf of made({}))
    if (leaf.evidence !== "printk") assert.equal(leaf.evidence, "bound", "all of several stages");
});

test("a log without times at its start, or whose clock began again, is one of a late clock", () => {
  assert.equal(clockStart(LINES), "early");
  assert.equal(clockStart([]), "unknown");
  assert.equal(clockStart(LINES.map((each) => ({ ...each, stampNs: 0 }))), "late");
  assert.equal(clockStart([...LINES, line(1, "clocksource: tsc-early")]), "late");
  const late = LINES.map((each) => ({ ...each, stampNs: 0, atNs: null }));
  assert.deepEqual(ids(made({ printk: late })), ["before sched_clock", "after sched_clock"]);
  assert.deepEqual(ids(made({ printk: late, schedClockZeroNs: null })), ["up to kernel"]);
  const stamps = { entryNs: 200_000, exitNs: 800_000 };
  assert.deepEqual(ids(made({ printk: late, imageStampsNs: stamps })), [
    "relocation",
    "unpack",
    "kernel",
    "after sched_clock",
  ]);
});

test("names in all of ftrace's filters count, indexes do not", () => {
  const named = (words: string): number => bootFilterNames([line(1, `Kernel command line: ${words}`)]);
  assert.equal(named("ftrace=function_graph ftrace_filter=a,b,15208 ftrace_graph_notrace=c quiet"), 3);
  assert.equal(named("ftrace_filter=15208,29000"), 0);
  assert.equal(named("console=ttyS0"), 0);
});
