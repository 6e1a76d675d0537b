import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { madeCapture, markLine, memoryCapture, traceLine } from "../../testing/fakes/capture-memory.js";
import { auditTree } from "../../testing/oracles/audit-tree.js";
import { traces } from "../../testing/places.js";
import { readUpdate, updateOfCapture } from "../../testing/samples/captures.js";
import { buildTrees } from "./build.js";
import { leavesOf, type TreeNode } from "./tree.js";

type Line = readonly [seconds: number, event: string, task?: string, cpu?: number];

const initcall = (name: string, from: number, to: number): readonly Line[] => [
  [from, `initcall_start: func=${name}+0x0/0x50`],
  [to, `initcall_finish: func=${name}+0x0/0x50 ret=0`],
];
const graph = (name: string, from: number, to: number, task: string, cpu: number): readonly Line[] => [
  [from, `${name}() {`, task, cpu],
  [to, "}", task, cpu],
];

/** The new boot of an update: initcalls until 2 s, init at 4 s, the VMs' resume at 5 s. */
function newBoot(more: readonly Line[]): readonly TreeNode[] {
  const lines: Line[] = [
    [1, "initcall_level: level=late"],
    ...initcall("first_init", 1.1, 1.9),
    ...initcall("last_init", 1.9, 2),
    [4, "console: Run /init as init process"],
    ...more,
  ];
  const trace = [...lines]
    .sort((a, b) => a[0] - b[0])
    .map(([at, event, task, cpu]) => traceLine(at, event, task, cpu))
    .join("");
  const dmesg = [...lines]
    .sort((a, b) => a[0] - b[0])
    .flatMap(([at, event]) =>
      event.startsWith("console: ") ? [`[${at.toFixed(6).padStart(12)}] ${event.slice(9)}\n`] : [],
    )
    .join("");
  const made = madeCapture({ new: { trace: trace + markLine(5, "luo: vm_resume"), dmesg } });
  const { update } = updateOfCapture(memoryCapture(made));
  const trees = buildTrees(update).outside;
  for (const tree of trees) assert.deepEqual(auditTree(tree), []);
  return trees.flatMap(leavesOf);
}

const ns = (leaves: readonly TreeNode[], kind: string, id: string): number =>
  leaves.filter((leaf) => leaf.kind === kind && leaf.id === id).reduce((sum, leaf) => sum + leaf.durationNs, 0);

const ETH = (address: string): string =>
  `console: e1000 0000:00:${address}.0 eth0: Intel(R) PRO/1000 Network Connection`;

test("what kernel_init waits for is the cause, with its own name; of works at once the one that ends last", () => {
  const leaves = newBoot([
    ...graph("pci_device_probe", 1.2, 2.5, "kworker/u8:0-11", 1),
    [2.49, ETH("04"), "kworker/u8:0-11", 1],
    ...graph("pci_device_probe", 1.3, 3.5, "kworker/u8:1-12", 2),
    [3.49, ETH("05"), "kworker/u8:1-12", 2],
  ]);
  assert.equal(ns(leaves, "device", "0000:00:05.0"), 1_500_000_000);
  assert.equal(ns(leaves, "device", "0000:00:04.0"), 0);
  // From the last probe's end to init nothing else is known to run.
  assert.ok(ns(leaves, "function", "kernel_init") <= 500_000_000);
});

test("work beside the path takes no time from what the path itself does", () => {
  const leaves = newBoot(graph("pci_device_probe", 1.2, 1.8, "kworker/u8:0-11", 1));
  assert.equal(ns(leaves, "initcall", "first_init"), 800_000_000);
  assert.equal(ns(leaves, "function", "pci_device_probe"), 0);
});

test("the unpacking of the initramfs is named where kernel_init waits for it", () => {
  const leaves = newBoot(graph("do_populate_rootfs", 1.2, 3, "kworker/u8:0-11", 1));
  assert.equal(ns(leaves, "function", "do_populate_rootfs"), 1_000_000_000);
});

test("a traced wait inside an initcall belongs to the work that it waits for", () => {
  const leaves = newBoot([
    ...graph("wait_for_device_probe", 1.2, 1.7, "init-1", 0),
    ...graph("virtio_dev_probe", 1.15, 1.6, "kworker/u8:0-11", 1),
  ]);
  assert.equal(ns(leaves, "function", "virtio_dev_probe"), 400_000_000);
  assert.equal(ns(leaves, "function", "wait_for_device_probe"), 100_000_000);
  assert.equal(ns(leaves, "initcall", "first_init"), 300_000_000);
});

test("initcall_debug's lines name probes that no tracer saw: in an initcall, or while kernel_init waits", () => {
  const leaves = newBoot([
    [1.6, "console: probe of 0000:00:04.0 returned 0 after 400000 usecs"],
    [3.2, "console: probe of serio0 returned 0 after 1500000 usecs"],
  ]);
  assert.equal(ns(leaves, "device", "0000:00:04.0"), 400_000_000);
  assert.equal(ns(leaves, "device", "serio0"), 1_200_000_000);
});

test("the recorded wait for asynchronous probes belongs to the e1000 that ends last", async () => {
  const { update } = await readUpdate(join(traces, "dialects/async-probe.tar.gz"));
  const leaves = leavesOf(buildTrees(update).blackout as TreeNode).filter(({ action }) => action === "probe");
  const e1000 = leaves.filter(({ name }) => name.startsWith("e1000 "));
  const total = e1000.reduce((sum, leaf) => sum + leaf.durationNs, 0);
  assert.equal(Math.round(total / 1e6), 1_138);
});
