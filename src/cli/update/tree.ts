import { boundsText } from "../../analyze/attribution/seam-bounds.js";
import { STRUCTURE, type TreeNode } from "../../analyze/attribution/tree.js";
import { treeDocument, treeTotals } from "../../analyze/attribution/views/documents.js";
import { formatDuration } from "../../base/text/format.js";
import { type Context, defineCommand, exit } from "../frame/command.js";
import { flagOption, integerOption, one, withDefault } from "../frame/options.js";
import { answerFrom, headLines, shareText } from "../input/attributed.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import type { Style } from "../terminal/terminal-style.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";

/** Levels of a tree: blackout, phases, stages, causes, causes inside causes. */
const DEEPEST = 64;
/** Below this share of the whole a cause is folded into the count of those that are not shown. */
const MIN_SHOWN_SHARE = 0.001;

interface Line {
  readonly depth: number;
  readonly text: string;
  readonly style: Style | null;
  readonly durationNs: number;
  readonly note: string;
}

/** A node's children by cause: what interrupts cut into pieces is one line again. */
function grouped(
  children: readonly TreeNode[],
): readonly { readonly nodes: readonly TreeNode[]; readonly durationNs: number }[] {
  const groups = new Map<string, TreeNode[]>();
  for (const child of children) {
    const key = STRUCTURE.has(child.kind)
      ? `${child.kind} ${child.beginNs}`
      : `${child.kind}\0${child.id}\0${child.action}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [child]);
    else group.push(child);
  }
  return [...groups.values()].map((nodes) => ({
    nodes,
    durationNs: nodes.reduce((sum, node) => sum + node.durationNs, 0),
  }));
}

function labelOf(node: TreeNode): string {
  if (STRUCTURE.has(node.kind) || node.kind === "seam" || node.kind === "idle" || node.kind === "printk")
    return node.name;
  const action = node.action === "" || node.name.endsWith(node.action) ? "" : ` ${node.action}`;
  return `${node.kind} ${node.name}${action}`;
}

const SEAM_EVIDENCE: Readonly<Record<string, string>> = {
  stamp: "by the image's stamp",
  "clock-pairs": "by the clocks' pairs",
  printk: "by the log",
  bound: "not divided",
};

/** What a leaf of the seam rests on, and what bounds its parts. */
function seamNote({ kind, evidence, bounds = [] }: TreeNode): string {
  if (kind !== "seam") return "";
  return [SEAM_EVIDENCE[evidence] ?? "", boundsText(bounds)].filter((part) => part !== "").join("; ");
}

function linesOf(nodes: readonly TreeNode[], depth: number, deepest: number, totalNs: number): readonly Line[] {
  const lines: Line[] = [];
  addLines(lines, nodes, depth, deepest, totalNs);
  return lines;
}

function addLines(lines: Line[], nodes: readonly TreeNode[], depth: number, deepest: number, totalNs: number): void {
  const [first] = nodes as [TreeNode];
  const durationNs = nodes.reduce((sum, node) => sum + node.durationNs, 0);
  const structure = STRUCTURE.has(first.kind);
  const times =
    nodes.length > 1 && new Set(nodes.map(({ row }) => row)).size > 1
      ? `×${new Set(nodes.map(({ row }) => row)).size}`
      : "";
  const notes = [
    times,
    first.inferred && first.kind !== "seam" ? "inferred" : "",
    seamNote(first),
    first.notSeen.length > 0 ? `not seen: ${first.notSeen.join(", ")}` : "",
  ];
  lines.push({
    depth,
    text: labelOf(first),
    style: structure ? "strong" : null,
    durationNs,
    note: notes.filter((note) => note !== "").join("  "),
  });
  if (depth >= deepest) return;
  const children = nodes
    .flatMap((node) => node.children)
    .filter((child) => !(child.kind === first.kind && child.id === first.id && child.action === first.action));
  const groups = grouped(children);
  const isShown = (group: (typeof groups)[number]): boolean =>
    group.durationNs >= totalNs * MIN_SHOWN_SHARE || STRUCTURE.has(group.nodes[0]?.kind as never);
  const shown = groups.filter(isShown);
  const folded = groups.filter((group) => !isShown(group));
  // Structure and the seam's leaves stand in the order of time, causes by what they took.
  const ordered = shown.some(({ nodes: [own] }) => STRUCTURE.has((own as TreeNode).kind) || own?.stage === own?.kind)
    ? shown
    : [...shown].sort((a, b) => b.durationNs - a.durationNs);
  for (const group of ordered) addLines(lines, group.nodes, depth + 1, deepest, totalNs);
  if (folded.length > 0 && shown.length > 0) {
    const rest = folded.reduce((sum, group) => sum + group.durationNs, 0);
    lines.push({ depth: depth + 1, text: `… ${folded.length} more`, style: "quiet", durationNs: rest, note: "" });
  }
  const left = nodes.reduce((sum, node) => sum + node.unattributedNs, 0);
  if (left > 0) lines.push({ depth: depth + 1, text: "unattributed", style: "warning", durationNs: left, note: "" });
}

function treeText(trees: readonly TreeNode[], deepest: number, context: Context): string {
  const rows = trees.flatMap((tree) =>
    linesOf([tree], 0, deepest, tree.durationNs).map(({ depth, text, style, durationNs, note }): readonly Cell[] => {
      const label = `${"  ".repeat(depth)}${text}`;
      return [
        style === null ? label : { text: label, style },
        formatDuration(durationNs),
        shareText(durationNs, tree.durationNs),
        { text: note, style: "quiet" },
      ];
    }),
  );
  const columns = [leftColumn("", "end"), rightColumn(""), rightColumn(""), leftColumn("", "end")];
  return renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 2 });
}

export const treeCommand = defineCommand({
  usage: null,
  description:
    "Prints the blackout, its phases, their stages and their causes. At every level the parts and an explicit remainder, unattributed, add up to the whole in integer nanoseconds.\nIf causes overlap, the innermost one that runs counts. `inferred` marks a span that follows from the kernel's order or its log and has no record of its own. Causes below 0.1 % are folded; --json prints them all.",
  options: {
    depth: withDefault(
      integerOption("N", { min: 0, max: DEEPEST }, "Print at most N levels below the blackout"),
      DEEPEST,
    ),
    json: flagOption("Print the tree as one JSON document (docs/tree.schema.json)"),
    ...captureOptions,
  },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [
    { command: "blackout tree traces/plain.tar.gz", what: "Print where every nanosecond went" },
    { command: "blackout tree --depth 2 traces/plain.tar.gz", what: "Print phases and stages only" },
  ],
  exitCodes: [],
  run: (context, { options, positionals }) =>
    answerFrom(context, positionals.capture, captureOptionsOf(options), ({ update, trees }) => {
      const { document } = update;
      if (options.json) {
        context.stdout.write(`${JSON.stringify(treeDocument(document, trees, options.depth))}\n`);
        return exit.success;
      }
      context.stdout.write(headLines(document, context));
      if (trees.blackout !== null) {
        const { attributedNs, inferredNs, identityInferredNs, seamNs, unattributedNs } = treeTotals(trees.blackout);
        const total = trees.blackout.durationNs;
        context.stdout.write(
          `${context.colour.quiet(`Attributed: ${shareText(attributedNs, total)}, of it ${shareText(inferredNs, total)} by the kernel's order or log alone, ${shareText(identityInferredNs, total)} recorded but with its device or begin inferred, and ${shareText(seamNs, total)} in the seam, undivided. Unattributed: ${shareText(unattributedNs, total)}.`)}\n`,
        );
        context.stdout.write(`\n${treeText([trees.blackout], options.depth, context)}`);
      }
      if (trees.outside.length > 0) {
        const where =
          trees.blackout === null
            ? "No blackout is known; the phases that are, each by itself:"
            : "Outside the blackout:";
        context.stdout.write(`\n${where}\n\n${treeText(trees.outside, options.depth, context)}`);
      }
      if (trees.blackout === null && trees.outside.length === 0)
        context.stdout.write("Nothing to attribute: no phase is known.\n");
      return exit.success;
    }),
});
