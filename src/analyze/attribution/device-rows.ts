import { busOf } from "../devices.js";
import type { DeviceRow } from "./documents.js";
import type { TreeNode } from "./tree.js";
import type { AttributedUpdate } from "./update.js";

/** A row for each device that was shut down or probed inside the trees, longest first. */
export function deviceRows(update: AttributedUpdate, trees: readonly TreeNode[]): readonly DeviceRow[] {
  const rows = new Map<
    string,
    { name: string; shutdown: number | null; probe: number | null; total: number; inferred: boolean }
  >();
  const visit = (node: TreeNode): void => {
    if (node.kind !== "device") {
      for (const child of node.children) visit(child);
      return;
    }
    const row = rows.get(node.id) ?? { name: node.name, shutdown: null, probe: null, total: 0, inferred: false };
    rows.set(node.id, row);
    row.total += node.durationNs;
    row.inferred ||= node.inferred;
    if (node.action === "shutdown") row.shutdown = (row.shutdown ?? 0) + node.durationNs;
    if (node.action === "probe") row.probe = (row.probe ?? 0) + node.durationNs;
  };
  for (const tree of trees) visit(tree);
  const known = new Map(update.devices.map((device) => [device.id, device]));
  return [...rows]
    .map(([id, { name, shutdown, probe, total, inferred }]): DeviceRow => {
      const facts = known.get(id);
      return {
        id,
        name,
        driver: facts?.driver ?? null,
        bus: facts?.bus ?? busOf(id),
        shutdownNs: shutdown,
        probeNs: probe,
        totalNs: total,
        inferred,
      };
    })
    .sort((a, b) => b.totalNs - a.totalNs || (a.id < b.id ? -1 : 1));
}
