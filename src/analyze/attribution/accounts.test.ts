/** The accounts close: on every capture there is, under random loss, on made-up spans, and without a clock link. */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import type { Collected, RawSpans } from "../../model/collected.js";
import type { RawSpanKind } from "../../model/span-table.js";
import { auditTree } from "../../testing/oracles/audit-tree.js";
import { cohortCaptures, sharedCaptures, shippedCohort, singleCaptures, traces } from "../../testing/places.js";
import { readHalf, readUnlinked, readUpdate } from "../../testing/samples/captures.js";
import { type AnchoredUpdate, analyzeUpdate } from "../update/analyze.js";
import { buildTrees, type UpdateTrees } from "./build.js";
import { isCauseNode, leavesOf, type TreeNode, walk } from "./tree.js";
import { blame } from "./views/blame.js";
import { criticalChain } from "./views/chain.js";
import { treeTotals } from "./views/documents.js";

/** What may be unattributed of a blackout, by the level it was recorded at. */
const LEAST_SURE: Readonly<Record<string, number>> = { graph: 0.02, probes: 0.05, events: 0.1 };

function faultsOf(update: AnchoredUpdate, trees: UpdateTrees): readonly string[] {
  const all = [...(trees.blackout === null ? [] : [trees.blackout]), ...trees.outside];
  const faults = all.flatMap(auditTree);
  if (trees.blackout !== null) {
    const { durationNs } = trees.blackout;
    if (durationNs !== update.document.blackout.durationNs) faults.push("the root is not the blackout");
    const shared = blame([trees.blackout], null, null);
    const blamed = shared.causes.reduce((sum, { totalNs }) => sum + totalNs, shared.unattributedNs);
    if (blamed !== durationNs) faults.push(`blame shares out ${blamed} of ${durationNs}`);
    const chained = criticalChain(update, trees.blackout);
    const stepped = chained.steps.reduce((sum, step) => sum + step.durationNs, 0);
    if (stepped !== durationNs) faults.push(`the chain's steps are ${stepped} of ${durationNs}`);
    for (const task of chained.tasks) {
      const { runningNs, runnableNs, blockedNs, unseenNs, beginNs, endNs } = task;
      if (runningNs + runnableNs + blockedNs + unseenNs !== endNs - beginNs || unseenNs < 0)
        faults.push(`the times of ${task.task} do not add up`);
    }
  }
  return faults;
}

for (const path of [
  ...singleCaptures(),
  ...cohortCaptures("base").slice(0, 3),
  ...cohortCaptures("devices").slice(0, 3),
]) {
  test(`${path.split("/").slice(-2).join("/")}: every level adds up to the nanosecond`, async (context) => {
    const { update } = await readUpdate(path);
    const trees = buildTrees(update);
    assert.deepEqual(faultsOf(update, trees), []);
    const { blackout } = trees;
    const { capture } = update.document;
    if (blackout === null) return;
    const totals = treeTotals(blackout);
    const percent = (ns: number): string => `${((100 * ns) / blackout.durationNs).toFixed(2)} %`;
    context.diagnostic(
      `${capture.name}, ${capture.probeLevel}: unattributed ${percent(totals.unattributedNs)}, inferred ${percent(totals.inferredNs)}, device or begin inferred ${percent(totals.identityInferredNs)}, seam ${percent(totals.seamNs)}`,
    );
    const bar = LEAST_SURE[capture.probeLevel ?? ""];
    if (bar !== undefined)
      assert.ok(totals.unattributedNs <= bar * blackout.durationNs, percent(totals.unattributedNs));
    const seams: TreeNode[] = [];
    walk(blackout, (node) => {
      if (node.kind === "seam" && node.id === "seam") seams.push(node);
    });
    assert.deepEqual(
      seams.map(({ durationNs }) => durationNs),
      [update.document.seam.durationNs],
    );
    const undivided = leavesOf(blackout).filter(({ kind, evidence }) => kind === "seam" && evidence === "bound");
    assert.equal(
      undivided.reduce((sum, { durationNs }) => sum + durationNs, 0),
      totals.seamNs,
    );
  });
}

/** Rows of a raw span table. */
function someSpans(spans: RawSpans, keep: (row: number) => boolean): RawSpans {
  const rows = Array.from({ length: spans.count }, (_, row) => row).filter(keep);
  const of = <T>(column: { at(row: number): T | undefined }): T[] => rows.map((row) => column.at(row) as T);
  return {
    count: rows.length,
    beginNs: Float64Array.from(of(spans.beginNs)),
    endNs: Float64Array.from(of(spans.endNs)),
    kind: of(spans.kind),
    name: of(spans.name),
    detail: of(spans.detail),
    boot: of(spans.boot),
    cpu: Int16Array.from(of(spans.cpu)),
    pid: Int32Array.from(of(spans.pid)),
    task: of(spans.task),
    evidence: of(spans.evidence),
    flags: Uint8Array.from(of(spans.flags)),
  };
}

const collectedOf = async (path: string): Promise<Collected> => (await readUpdate(path)).collected.collected;

test("property: with spans, key events and log lines dropped at random the accounts still close", async () => {
  const whole = await Promise.all(
    [join(traces, "plain.tar.gz"), join(traces, "v72-v73.tar.gz"), shippedCohort("devices")[0] as string].map(
      collectedOf,
    ),
  );
  fc.assert(
    fc.property(
      fc.nat({ max: whole.length - 1 }),
      fc.constantFrom(0.05, 0.5, 0.95),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (which, dropped, chances) => {
        const kept = (): boolean => (chances.next().value as number) >= dropped;
        const collected = whole[which] as Collected;
        const update = analyzeUpdate({
          ...collected,
          spans: someSpans(collected.spans, kept),
          keyEvents: collected.keyEvents.filter(kept),
          printk: collected.printk.filter(kept),
        });
        assert.deepEqual(faultsOf(update, buildTrees(update)), []);
        assert.ok(update.document.defects.length >= collected.defects.length);
        for (const { name, durationNs } of update.document.phases) assert.ok((durationNs ?? 0) >= 0, name);
      },
    ),
    { numRuns: 20 },
  );
});

const KINDS: readonly RawSpanKind[] = ["function", "task", "initcall", "cpu", "notifier", "irq", "softirq", "syscall"];
const NAMES = ["pci_device_probe", "level late", "luo_retrieve_file", "e1000_init_module", "kernel_kexec", ""] as const;

test("property: whatever spans there are, the accounts close", async () => {
  const collected = await collectedOf(shippedCohort("base")[0] as string);
  const { old, new: fresh } = collected.extents;
  const [from, to] = [old?.lastNs ?? 0, fresh?.lastNs ?? 0];
  const row = fc.record({
    kind: fc.constantFrom(...KINDS),
    name: fc.constantFrom(...NAMES),
    detail: fc.constantFrom("session=a b token=1", "session= token=", "dev=0000:00:03.0", "", "cmd=0xba41 fd=3"),
    boot: fc.constantFrom("old" as const, "new" as const),
    begin: fc.integer({ min: from - 1e9, max: to + 1e9 }),
    length: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1e4 }), fc.integer({ min: 0, max: 1e10 })),
    pid: fc.constantFrom(-1, 0, 1, 67, 139, 144),
    cpu: fc.constantFrom(-1, 0, 1),
    evidence: fc.constantFrom("kprobe", "function graph", "syscall events", "marker", "sched_switch"),
    flags: fc.integer({ min: 0, max: 7 }),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 200 }), (rows) => {
      const spans: RawSpans = {
        count: rows.length,
        beginNs: Float64Array.from(rows, ({ begin }) => begin),
        endNs: Float64Array.from(rows, ({ begin, length }) => begin + length),
        kind: rows.map(({ kind }) => kind),
        name: rows.map(({ name }) => name),
        detail: rows.map(({ detail }) => detail),
        boot: rows.map(({ boot }) => boot),
        cpu: Int16Array.from(rows, ({ cpu }) => cpu),
        pid: Int32Array.from(rows, ({ pid }) => pid),
        task: rows.map(() => "task"),
        evidence: rows.map(({ evidence }) => evidence),
        flags: Uint8Array.from(rows, ({ flags }) => flags),
      };
      const update = analyzeUpdate({ ...collected, spans });
      assert.deepEqual(faultsOf(update, buildTrees(update)), []);
    }),
    { numRuns: 60 },
  );
});

test("with half its lines removed a capture still closes, with defects", async () => {
  const path = join(traces, "plain.tar.gz");
  const { update, collected } = await readHalf(path, 7);
  const trees = buildTrees(update);
  assert.deepEqual(faultsOf(update, trees), []);
  assert.ok(collected.collected.sources.some(({ events }) => events > 500));
  assert.notDeepEqual(update.document.defects, []);
});

test("without a clock link there are two trees, each on its own axis, and no sum", async () => {
  const { update } = await readUnlinked(join(traces, "plain.tar.gz"));
  assert.equal(update.document.clock.method, "none");
  const trees = buildTrees(update);
  assert.equal(trees.blackout, null);
  assert.deepEqual(faultsOf(update, trees), []);
  const halves = trees.outside.filter(({ kind }) => kind === "blackout");
  assert.deepEqual(
    halves.map(({ boot, children }) => [boot, children.map(({ id }) => id)]),
    [
      ["old", ["pause to freeze", "freeze", "kexec"]],
      ["new", ["kexec", "restore", "restore to resume"]],
    ],
  );
  // Both axes begin at zero: no span of one kernel may be placed on the other's axis.
  for (const half of halves) {
    walk(half, (node) => assert.ok(node.boot === null || node.boot === half.boot, `${node.kind} ${node.id}`));
    assert.ok(leavesOf(half).length > 20);
  }
  const [old] = halves as [TreeNode];
  assert.ok(leavesOf(old).some(({ kind, action }) => kind === "device" && action === "shutdown"));
});

test("a wrapped ring without the pause: the new kernel's part is still a tree", async (context) => {
  if (sharedCaptures === null) return context.skip("needs the full set of recordings");
  const { update } = await readUpdate(join(sharedCaptures, "busy.tar.gz"));
  const trees = buildTrees(update);
  assert.equal(trees.blackout, null);
  const half = trees.outside.find(({ kind }) => kind === "blackout");
  assert.equal(half?.boot, "new");
  assert.ok(leavesOf(half as TreeNode).some((node) => isCauseNode(node) && node.kind === "device"));
});
