/** Whether the accounts of a tree close: what every tree that the analysis builds must fulfil. */

import { type TreeNode, walk } from "../../analyze/attribution/tree.js";

/** A sentence for each account that does not close, and for each child outside its parent; every tree has none. */
export function auditTree(root: TreeNode): readonly string[] {
  const faults: string[] = [];
  walk(root, (node) => {
    const name = `${node.kind} ${node.id} at ${node.beginNs}`;
    if (node.durationNs !== node.endNs - node.beginNs)
      faults.push(`${name}: its duration is not its end less its begin`);
    if (!Number.isSafeInteger(node.beginNs) || !Number.isSafeInteger(node.endNs)) faults.push(`${name}: not integers`);
    if (node.unattributedNs < 0) faults.push(`${name}: its children overlap`);
    if (node.children.length === 0) return;
    const sum = node.children.reduce((total, child) => total + child.durationNs, node.unattributedNs);
    if (sum !== node.durationNs) faults.push(`${name}: children and remainder make ${sum}, not ${node.durationNs}`);
    let last = node.beginNs;
    for (const child of node.children) {
      if (child.beginNs < last) faults.push(`${name}: child ${child.kind} ${child.id} begins before ${last}`);
      if (child.endNs > node.endNs) faults.push(`${name}: child ${child.kind} ${child.id} ends after it`);
      last = child.endNs;
    }
  });
  return faults;
}
