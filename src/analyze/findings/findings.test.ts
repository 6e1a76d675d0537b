import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import { type NextImage, UNKNOWN_IMAGE } from "../../model/collected.js";
import type { NodeKind } from "../../model/documents/attribution.js";
import type { PlacedPrintk } from "../../model/live-update.js";
import { projectRoot, shippedCohort, singleCaptures, traces } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";
import { buildTrees } from "../attribution/build.js";
import { structureNode, type TreeNode } from "../attribution/tree.js";
import type { AttributedUpdate } from "../attribution/update.js";
import { FINDING_RULES, type Finding, type FindingRule } from "./finding.js";
import { findings } from "./findings.js";

test("the list in docs/findings.md is the code's", () => {
  const listed = readFileSync(join(projectRoot, "docs/findings.md"), "utf8")
    .split("\n")
    .flatMap((line) => /^\| `([a-z-]+)` \|/.exec(line)?.[1] ?? []);
  assert.deepEqual(listed, FINDING_RULES);
});

async function found(path: string): Promise<{ readonly root: TreeNode | null; readonly list: readonly Finding[] }> {
  const { update } = await readUpdate(path);
  const { blackout } = buildTrees(update);
  return { root: blackout, list: blackout === null ? [] : findings({ update, root: blackout }) };
}

for (const path of [...singleCaptures(), shippedCohort("devices")[0] as string]) {
  test(`${basename(path)}: every finding has a number, a span inside the blackout, and a gain it can have`, async () => {
    const { root, list } = await found(path);
    for (const { rule, costNs, gainNs, spans, title, advice, source } of list) {
      const [least, most] = gainNs;
      assert.ok(costNs > 0 && least >= 0 && least <= most && most <= (root?.durationNs ?? 0), rule);
      assert.ok(spans.length > 0 && [title, advice, source].every((text) => text !== ""), rule);
      for (const { beginNs, endNs } of spans)
        assert.ok(beginNs >= 0 && endNs > beginNs && endNs <= (root?.endNs ?? 0), `${rule} ${beginNs}`);
      assert.match(title, /\d/);
    }
    const most = list.map(({ gainNs }) => gainNs[1]);
    assert.deepEqual(
      most,
      [...most].sort((a, b) => b - a),
    );
    assert.equal(new Set(list.map(({ rule, spans }) => `${rule} ${spans[0]?.beginNs}`)).size, list.length);
  });
}

test("no finding about decompression rests on a seam in which the recorder armed itself", async () => {
  const { list } = await found(join(traces, "v72-v73.tar.gz"));
  const rules = list.map(({ rule }) => rule);
  assert.ok(rules.includes("recorder-cost"));
  assert.ok(!rules.includes("image-compression") && !rules.includes("purgatory-digest"));
});

const SECOND = 1e9;

function node(kind: NodeKind, id: string, from: number, to: number, part: Partial<TreeNode> = {}): TreeNode {
  const { children = [], ...rest } = part;
  return structureNode({ kind, id, beginNs: from, endNs: to, ...rest }, children);
}

const line = (text: string, atNs = SECOND): PlacedPrintk => ({
  boot: "new",
  atNs,
  uncertaintyNs: 0,
  stampNs: 0,
  level: 6,
  text,
});

/** An update as far as the rules look at it. */
function madeUp(part: {
  readonly children: readonly TreeNode[];
  readonly printk?: readonly PlacedPrintk[];
  readonly kernel?: string;
  readonly details?: readonly string[];
  readonly recordingNs?: number;
  readonly image?: Partial<NextImage>;
}): readonly FindingRule[] {
  const { children, printk = [], kernel = "7.3.4", details = [] } = part;
  const strings = ["", ...details];
  const update = {
    printk,
    armsGraphAtBoot: false,
    nextImage: { ...UNKNOWN_IMAGE, ...part.image },
    recording: part.recordingNs === undefined ? null : { events: 1_000, probes: 10, ns: part.recordingNs },
    document: { clock: { tscKhz: null }, capture: { kernel: { old: kernel, new: "7.3.4" } } },
    spans: { count: 0, strings, detail: Uint32Array.from(details, (_, i) => i + 1) },
  } as unknown as AttributedUpdate;
  return findings({ update, root: node("blackout", "blackout", 0, 10 * SECOND, { children }) }).map(({ rule }) => rule);
}

test("what no recording shows: each rule speaks where it should, and not a little below", () => {
  const retrieved = (session: string, from: number, to: number): TreeNode =>
    node("file", `${session} 0x1`, from, to, { action: "retrieve" });
  assert.deepEqual(madeUp({ children: [retrieved("a", 0, SECOND), retrieved("b", SECOND, 2 * SECOND)] }), [
    "serial-retrieve",
  ]);
  assert.deepEqual(madeUp({ children: [retrieved("a", 0, SECOND), retrieved("a", SECOND, 2 * SECOND)] }), []);

  assert.deepEqual(madeUp({ children: [node("phase", "prepare", 0, 5)] }), ["prepare-in-blackout"]);

  const file = (row: number): TreeNode => node("file", "a 0x1", 0, SECOND, { action: "preserve", row });
  assert.deepEqual(madeUp({ children: [file(0)], details: ["bytes=4194304 folios=1024"] }), ["small-folios"]);
  assert.deepEqual(madeUp({ children: [file(0)], details: ["bytes=4194304 folios=2"] }), []);

  assert.deepEqual(madeUp({ children: [], recordingNs: SECOND / 10 }), ["recording-estimate"]);
  assert.deepEqual(madeUp({ children: [], recordingNs: SECOND / 10 - 1 }), []);

  const part = (id: string, length: number, bounds: TreeNode["bounds"] = []): TreeNode => ({
    ...node("seam", id, 0, length),
    evidence: "stamp",
    unattributedNs: 0,
    bounds,
  });
  const copy = { step: "copy", leastNs: 1, mostNs: SECOND / 10 } as const;
  assert.deepEqual(madeUp({ children: [part("seam unpack", SECOND)] }), ["image-compression"]);
  assert.deepEqual(madeUp({ children: [part("seam unpack", SECOND / 10)] }), []);
  assert.deepEqual(madeUp({ children: [part("seam relocation", SECOND, [copy])] }), []);
  assert.deepEqual(madeUp({ children: [part("seam relocation", SECOND, [copy])], kernel: "7.2.13-luo" }), [
    "purgatory-digest",
  ]);
  assert.deepEqual(madeUp({ children: [part("seam kho", SECOND)] }), ["kho-revival"]);
  assert.deepEqual(
    madeUp({ children: [part("seam kho", SECOND)], image: { preservedBytes: 2 ** 30, preservedFolios: 512 } }),
    [],
  );
  const filter = line("Kernel command line: ftrace_filter=luo_open,pci_device_probe");
  assert.deepEqual(madeUp({ children: [part("seam ftrace", SECOND)], printk: [filter] }), ["boot-filter"]);
  assert.deepEqual(madeUp({ children: [part("seam ftrace", SECOND)] }), []);

  const smp = (length: number): TreeNode => node("stage", "SMP bring-up", 0, length);
  assert.deepEqual(madeUp({ children: [smp(SECOND / 2)] }), ["cpu-bring-up"]);
  assert.deepEqual(madeUp({ children: [smp(SECOND)], printk: [line("node 0 deferred pages initialised in 900ms")] }), [
    "cpu-bring-up",
    "deferred-memory-init",
  ]);

  const command = line("Kernel command line: console=ttyS0,9600");
  const lines = Array.from({ length: 20 }, (_, i) => line("x".repeat(80), i));
  assert.deepEqual(madeUp({ children: [], printk: [command, ...lines] }), ["console-output"]);
  const quiet = line("Kernel command line: console=ttyS0,9600 quiet");
  assert.deepEqual(madeUp({ children: [], printk: [quiet, ...lines] }), []);
  assert.deepEqual(madeUp({ children: [], printk: [line("Kernel command line: console=tty0"), ...lines] }), []);
});
