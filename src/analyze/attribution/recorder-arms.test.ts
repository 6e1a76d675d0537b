/**
 * The recorder that arms itself in the new kernel: its own part of the blackout is shown if nothing else explains it.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { memoryCapture } from "../../testing/fakes/capture-memory.js";
import { shippedCohort } from "../../testing/places.js";
import { updateOfCapture, withFiles } from "../../testing/samples/captures.js";
import { findings } from "../findings/findings.js";
import { buildTrees } from "./build.js";
import { leavesOf, type TreeNode } from "./tree.js";

/** A shipped update with marks of the recorder between its user space's start and LUO's first call. */
async function armed(edges: readonly (readonly [seconds: number, edge: string])[]) {
  return withFiles(shippedCohort("base")[0] as string, (files) => {
    const content = Object.fromEntries(
      files.paths.map((path) => {
        const bytes = files.bytes(path, 1 << 24, { defect: () => {} }) ?? new Uint8Array();
        return [path, path === "new/trace" ? marked(new TextDecoder().decode(bytes), edges) : bytes];
      }),
    );
    const { update } = updateOfCapture(memoryCapture(content));
    return { update, root: buildTrees(update).blackout as TreeNode };
  });
}

function marked(trace: string, edges: readonly (readonly [number, string])[]): string {
  const lines = trace.split("\n");
  const opened = lines.findIndex((line) => line.includes("/* luo_open:"));
  assert.ok(opened > 0);
  const marks = edges.map(
    ([seconds, edge]) =>
      `   ${seconds.toFixed(6)} |   0)       sh-70     |               |  /* luo: recorder_arm ${edge} */`,
  );
  return [...lines.slice(0, opened), ...marks, ...lines.slice(opened)].join("\n");
}

const arming = (root: TreeNode): readonly TreeNode[] => leavesOf(root).filter(({ id }) => id === "blackout-recorder");

test("its time is its own, no longer init's, and the accounts still close", async () => {
  const without = await armed([]);
  const { update, root } = await armed([
    [23.495, "begin"],
    [23.509, "end"],
  ]);
  const [node, ...others] = arming(root);
  assert.equal(others.length, 0);
  assert.deepEqual([node?.kind, node?.action, node?.inferred, node?.stage], ["userspace", "arm", true, "user space"]);
  const init = (tree: TreeNode): number =>
    leavesOf(tree).reduce((sum, { id, durationNs }) => sum + (id === "init" ? durationNs : 0), 0);
  assert.equal(init(without.root) - init(root), node?.durationNs);
  assert.equal(root.durationNs, without.root.durationNs);
  const sum = leavesOf(root).reduce((total, { durationNs }) => total + durationNs, 0);
  assert.equal(sum + root.unattributedNs, root.durationNs);
  const cost = findings({ update, root }).find(({ rule }) => rule === "recorder-cost");
  assert.match(cost?.title ?? "", /to arm in the new kernel, which a bootconfig saves/);
  assert.deepEqual(arming(without.root), []);
});

test("of an arming whose end was not marked nothing is claimed", async () => {
  const { root } = await armed([[23.495, "begin"]]);
  assert.deepEqual(arming(root), []);
});
