/** Attribution against an experiment: the same update with one and with five e1000s, in turn. */
import assert from "node:assert/strict";
import { basename, join } from "node:path";
import test from "node:test";
import { cohortCaptures, sharedCaptures } from "../../../testing/places.js";
import { readUpdate } from "../../../testing/samples/captures.js";
import type { AnchoredUpdate } from "../../update/analyze.js";
import { buildTrees } from "../build.js";
import type { TreeNode } from "../tree.js";
import { deviceRows } from "./device-rows.js";
import { parseSelector } from "./selector.js";
import { whatIf } from "./what-if.js";

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
};

/** The network card that `base` has too; the other four are the difference. */
const BASE_DEVICE = "0000:00:03.0";

interface Attributed {
  readonly update: AnchoredUpdate;
  readonly root: TreeNode;
}

async function attribute(path: string): Promise<Attributed> {
  const { update } = await readUpdate(path);
  const { blackout } = buildTrees(update);
  assert.ok(blackout !== null, path);
  return { update, root: blackout };
}

const addedOf = ({ update, root }: Attributed) =>
  deviceRows(update, [root]).filter(({ driver, id }) => driver === "e1000" && id !== BASE_DEVICE);

test("the four added network cards explain the difference, and what-if without them predicts base", async (context) => {
  const base = new Map(cohortCaptures("base").map((path) => [basename(path), path]));
  const differences: number[] = [];
  const explained: number[] = [];
  const errors: number[] = [];
  const bases: number[] = [];
  for (const path of cohortCaptures("devices")) {
    const peer = base.get(basename(path));
    if (peer === undefined) continue;
    const [five, one] = [await attribute(path), await attribute(peer)];
    const added = addedOf(five);
    assert.equal(added.length, 4, path);
    for (const { id, shutdownNs, probeNs } of added) assert.ok(shutdownNs !== null && probeNs !== null, id);
    assert.equal(addedOf(one).length, 0);
    differences.push(five.root.durationNs - one.root.durationNs);
    explained.push(added.reduce((sum, { totalNs }) => sum + totalNs, 0));
    bases.push(one.root.durationNs);
    const set = added.map(({ id }) => {
      const selector = parseSelector(`device:${id}`);
      if (!selector.ok) throw new Error(selector.error);
      return { selector: selector.value, cost: { what: "share", share: 0 } } as const;
    });
    const answer = whatIf(five.update, five.root, { set, parallel: [] });
    assert.ok(answer.lowerNs <= answer.durationNs && answer.durationNs <= answer.upperNs);
    for (const change of answer.changes) assert.equal(change.spans, 2, change.assumption);
    errors.push(answer.durationNs - one.root.durationNs);
  }
  const pairs = differences.length;
  assert.ok(pairs >= 10);
  const share = median(explained) / median(differences);
  const error = median(errors) / median(bases);
  context.diagnostic(
    `${pairs} pairs: the added devices explain ${(100 * share).toFixed(1)} % of the median difference; what-if is off base's median by ${(100 * error).toFixed(2)} %`,
  );
  assert.ok(share >= 0.85 && share <= 1.15, `${share}`);
  assert.ok(Math.abs(error) <= 0.05, `${error}`);
});

test("five network cards, each with its shutdown and its probe", async (context) => {
  if (sharedCaptures === null) return context.skip("needs the full set of recordings");
  const { update, root } = await attribute(join(sharedCaptures, "nic5"));
  const rows = deviceRows(update, [root]).filter(({ driver }) => driver === "e1000");
  assert.deepEqual(
    rows.map(({ id, bus, shutdownNs, probeNs }) => [id, bus, (shutdownNs ?? 0) > 1e8, (probeNs ?? 0) > 1e8]).sort(),
    [3, 5, 6, 7, 8].map((slot) => [`0000:00:0${slot}.0`, "pci", true, true]),
  );
  for (const { totalNs, shutdownNs, probeNs } of rows) assert.equal(totalNs, (shutdownNs ?? 0) + (probeNs ?? 0));
});
