/** What to fix first: each finding with its number, what to do, and links to its spans. */
import type { Finding, FindingSpan } from "../../../../src/analyze/findings/finding.js";
import { shown } from "../../interaction/keys.js";
import { type State, timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { type Analysis, analysisOf, nodeName, nodeOf } from "../../model/analysis.js";
import { formatDuration, formatSigned, visibleText } from "../../model/format.js";
import { fill, h } from "../dom.js";

/** Spans listed per finding; further ones are counted. */
const SHOWN = 6;

export function renderFindings(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  const analysis = timeline === null ? null : analysisOf(timeline.update);
  if (timeline === null || analysis === null || analysis.findings.length === 0) {
    fill(root, h("p", { class: "hint" }, "Nothing stands out."));
    return;
  }
  const jump = (node: number, fit: boolean) => {
    const place = analysis.nodes[node];
    if (place === undefined) return;
    for (const action of shown(state, timeline, { what: "node", node })) dispatch(action);
    if (fit) dispatch({ what: "fit", axis: 0, beginNs: place.beginNs, endNs: place.endNs });
    dispatch({ what: "panel", panel: "findings" });
  };
  fill(
    root,
    h(
      "p",
      { class: "hint" },
      "Gains of findings overlap if their spans do, and must not be added up: use What if for several at once.",
    ),
    h("ol", { class: "findings" }, ...analysis.findings.map((finding) => item(finding, analysis, jump))),
  );
}

function gainText([least, most]: Finding["gainNs"]): string {
  if (least === most) return formatDuration(most);
  return least === 0 ? `≤ ${formatDuration(most)}` : `${formatDuration(least)} to ${formatDuration(most)}`;
}

/** As the tree has it: `e1000 0000:00:03.0, probe`. */
function spanName(analysis: Analysis, span: FindingSpan): string {
  const node = analysis.nodes[nodeOf(analysis, span)];
  return visibleText(node === undefined ? span.id : nodeName(node));
}

function item(finding: Finding, analysis: Analysis, jump: (node: number, fit: boolean) => void): HTMLElement {
  const first = finding.spans[0];
  return h(
    "li",
    {},
    h(
      "button",
      {
        class: "finding",
        onclick: () => {
          if (first !== undefined) jump(nodeOf(analysis, first), true);
        },
      },
      h("span", { class: "finding-title" }, visibleText(finding.title)),
      h("span", { class: "finding-gain" }, `gain ${gainText(finding.gainNs)}`),
      h("span", { class: "finding-text" }, visibleText(finding.advice)),
      h("span", { class: "finding-source" }, `${finding.rule}; ${visibleText(finding.source)}`),
    ),
    h(
      "p",
      { class: "finding-spans" },
      ...finding.spans
        .slice(0, SHOWN)
        .map((span) =>
          h(
            "button",
            { class: "link-button", onclick: () => jump(nodeOf(analysis, span), true) },
            `${spanName(analysis, span)} at ${formatSigned(span.beginNs)}`,
          ),
        ),
      finding.spans.length > SHOWN
        ? h("span", {}, `and ${(finding.spans.length - SHOWN).toLocaleString("en")} more`)
        : null,
    ),
  );
}
