/** Selectors name nodes of a span tree: `KIND`, `KIND:GLOB`, `KIND:GLOB/ACTION`; `device:e1000`, `initcall:pci_*`. */

import { err, ok, type Result } from "../../../base/result.js";
import { globMatcher } from "../../../base/text/glob.js";
import { suggest } from "../../../base/text/suggest.js";
import type { NodeKind } from "../../../model/documents/attribution.js";
import { ATTRIBUTED_KINDS } from "../../../model/span-table.js";
import { type TreeNode, walk } from "../tree.js";

export interface Selector {
  readonly kind: NodeKind;
  readonly glob: string;
  readonly action: string | null;
  readonly text: string;
}

const KINDS: readonly string[] = [...ATTRIBUTED_KINDS, "stage", "phase"];

/** Spellings that people reach for first. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["device-shutdown", "device:*/shutdown"],
  ["device-probe", "device:*/probe"],
  ["fd-retrieve", "file:*/retrieve"],
  ["fd-preserve", "file:*/preserve"],
]);

/** The error is a sentence. */
export function parseSelector(text: string): Result<Selector, string> {
  const spelt = ALIASES.get(text) ?? text;
  const colon = spelt.indexOf(":");
  const [kindPart, rest] = colon < 0 ? [spelt, "*"] : [spelt.slice(0, colon), spelt.slice(colon + 1)];
  const slash = kindPart === "device" || kindPart === "file" || kindPart === "session" ? rest.lastIndexOf("/") : -1;
  const [glob, action] = slash < 0 ? [rest, null] : [rest.slice(0, slash), rest.slice(slash + 1)];
  if (!KINDS.includes(kindPart)) {
    const near = suggest(kindPart, [...KINDS, ...ALIASES.keys()]);
    const hint =
      near === null ? `one of ${[...KINDS, ...ALIASES.keys()].join(", ")} was expected` : `did you mean '${near}'?`;
    return err(`'${text}' selects nothing: there is no kind '${kindPart}'; ${hint}`);
  }
  if (glob === "" || action === "") return err(`'${text}' selects nothing: a name is empty`);
  return ok({ kind: kindPart as NodeKind, glob, action, text });
}

/** Whether a node is what the selector names: by identity, by name, or by a word of the name (a device's driver). */
export function selectorTest({ kind, glob, action }: Selector): (node: TreeNode) => boolean {
  const matches = globMatcher(glob);
  return (node) => node.kind === kind && (action === null || node.action === action) && namesOf(node).some(matches);
}

/**
 * What a selector may call a node. A leaf of the seam has its id without `seam `, and no words of it: `unpack` is not
 * all of what could not be divided from it.
 */
function namesOf({ kind, id, name }: TreeNode): readonly string[] {
  if (kind === "seam") return [id, name, ...(id.startsWith("seam ") ? [id.slice("seam ".length)] : [])];
  return [id, name, ...name.split(" "), ...id.split(" ")];
}

/** The selector of a node in the tree that one which selects nothing was most likely meant to be, or null. */
export function nearestSelector(root: TreeNode, { kind, glob, action }: Selector): string | null {
  const names = new Set<string>();
  walk(root, (node) => {
    if (node.kind !== kind) return;
    for (const name of namesOf(node)) names.add(name);
  });
  const near = names.has(glob) ? glob : suggest(glob, names);
  const spelt = near === null || action === null || near === glob ? near : `${near}/${action}`;
  return spelt === null ? null : `${kind}:${spelt}`;
}
