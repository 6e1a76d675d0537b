/** The span tree: where every nanosecond of the blackout went, level by level. */
import type { TreeNode } from "../../../../src/analyze/attribution/tree.js";
import { PHASE_COLOURS } from "../../../../src/report/phase-colours.js";
import { shown } from "../../interaction/keys.js";
import { type State, timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { analysisOf, colourKind, nodeName } from "../../model/analysis.js";
import { exactDuration, formatDuration, middleCut, percent, visibleText } from "../../model/format.js";
import { kindColour } from "../../painter/palette.js";
import { fill, h, swatch } from "../dom.js";
import { buildOffer } from "../updates/build-offer.js";

/** Children listed per node: longer lists are cut, with a note. */
const SHOWN = 60;

export function renderTree(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  const analysis = timeline === null ? null : analysisOf(timeline.update);
  if (timeline === null || analysis === null || analysis.root === null) {
    const later = timeline === null ? null : buildOffer(timeline.update, dispatch);
    fill(root, later ?? h("p", { class: "hint" }, "The blackout is unknown, so it cannot be broken down."));
    return;
  }
  const numbers = new Map(analysis.nodes.map((node, i) => [node, i]));
  const whole = analysis.root.durationNs;
  const select = (node: TreeNode) => {
    for (const action of shown(state, timeline, { what: "node", node: numbers.get(node) as number })) dispatch(action);
    dispatch({ what: "panel", panel: "tree" });
  };
  const rows: HTMLElement[] = [];
  const add = (node: TreeNode, level: number) => {
    const number = numbers.get(node) as number;
    const open = state.unfolded.has(number) || level === 0;
    const chosen = state.selection?.what === "node" && state.selection.node === number;
    rows.push(treeRow(node, { number, level, open, chosen, whole }, () => select(node), dispatch));
    if (!open) return;
    const children = [...node.children].sort((a, b) =>
      level < 2 ? a.beginNs - b.beginNs : b.durationNs - a.durationNs,
    );
    for (const child of children.slice(0, SHOWN)) add(child, level + 1);
    const rest = children.slice(SHOWN);
    const note = (text: string, ns: number) => rows.push(noteRow(text, ns, level + 1, whole));
    if (rest.length > 0) {
      note(
        `${rest.length.toLocaleString("en")} shorter ones`,
        rest.reduce((sum, child) => sum + child.durationNs, 0),
      );
    }
    if (node.unattributedNs > 0) note("unattributed", node.unattributedNs);
    if (node.notSeen.length > 0) rows.push(noteRow(`not seen: ${node.notSeen.join(", ")}`, null, level + 1, whole));
  };
  add(analysis.root, 0);
  fill(
    root,
    h(
      "table",
      { class: "tree" },
      h("caption", {}, "Each level, with its remainder, adds up to the level above"),
      h("tbody", {}, ...rows),
    ),
  );
}

function treeRow(
  node: TreeNode,
  at: { number: number; level: number; open: boolean; chosen: boolean; whole: number },
  select: () => void,
  dispatch: Dispatch,
): HTMLElement {
  const folds = node.children.length > 0 && at.level > 0;
  const colour = node.kind === "phase" ? PHASE_COLOURS[node.id as keyof typeof PHASE_COLOURS]?.fill : undefined;
  const name = h(
    "th",
    { scope: "row" },
    folds
      ? h(
          "button",
          {
            class: "fold",
            "aria-expanded": `${at.open}`,
            "aria-label": `${at.open ? "Fold" : "Unfold"} ${nodeName(node)}`,
            onclick: () => dispatch({ what: "unfold", node: at.number }),
          },
          at.open ? "▾" : "▸",
        )
      : h("span", { class: "fold", "aria-hidden": "true" }),
    swatch(colour ?? kindColour(colourKind(node))),
    h(
      "button",
      { class: "row-button", "aria-pressed": `${at.chosen}`, title: visibleText(nodeName(node)), onclick: select },
      middleCut(visibleText(nodeName(node)), Math.max(12, 27 - 2 * at.level)),
    ),
  );
  name.style.paddingLeft = `${6 + at.level * 11}px`;
  return h(
    "tr",
    { class: at.chosen ? "chosen" : "", "data-node": at.number },
    name,
    h("td", { class: "number", title: exactDuration(node.durationNs) }, formatDuration(node.durationNs)),
    h("td", { class: "number" }, percent(node.durationNs, at.whole)),
  );
}

function noteRow(text: string, ns: number | null, level: number, whole: number): HTMLElement {
  const name = h("th", { scope: "row", class: "unseen", colspan: ns === null ? 3 : 1 }, text);
  name.style.paddingLeft = `${33 + level * 11}px`;
  if (ns === null) return h("tr", {}, name);
  return h(
    "tr",
    {},
    name,
    h("td", { class: "number", title: exactDuration(ns) }, formatDuration(ns)),
    h("td", { class: "number" }, percent(ns, whole)),
  );
}
