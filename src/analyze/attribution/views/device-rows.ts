import type { DeviceRow } from "../../../model/documents/attribution.js";
import { busOf } from "../../evidence/devices.js";
import type { TreeNode } from "../tree.js";
import type { AttributedUpdate } from "../update.js";

/** A row for each device that was shut down or probed, or saved or loaded by a VMM, inside the trees; longest first. */
export function deviceRows(update: AttributedUpdate, trees: readonly TreeNode[]): readonly DeviceRow[] {
  const rows = new Map<string, { name: string; costs: Map<string, number>; total: number; inferred: boolean }>();
  const visit = (node: TreeNode): void => {
    if (node.kind !== "device") {
      for (const child of node.children) visit(child);
      return;
    }
    const row = rows.get(node.id) ?? { name: node.name, costs: new Map(), total: 0, inferred: false };
    rows.set(node.id, row);
    row.total += node.durationNs;
    row.inferred ||= node.inferred;
    row.costs.set(node.action, (row.costs.get(node.action) ?? 0) + node.durationNs);
  };
  for (const tree of trees) visit(tree);
  const known = new Map(update.devices.map((device) => [device.id, device]));
  return [...rows]
    .map(([id, { name, costs, total, inferred }]): DeviceRow => {
      const facts = known.get(id);
      return {
        id,
        name,
        driver: facts?.driver ?? null,
        bus: facts?.bus ?? busOf(id),
        shutdownNs: costs.get("shutdown") ?? null,
        probeNs: costs.get("probe") ?? null,
        saveNs: costs.get("save") ?? null,
        loadNs: costs.get("load") ?? null,
        totalNs: total,
        inferred,
      };
    })
    .sort((a, b) => b.totalNs - a.totalNs || (a.id < b.id ? -1 : 1));
}
