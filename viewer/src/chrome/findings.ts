/** What to fix first: each finding with its number, and a way to the span it rests on. */

import { shown } from "../interaction/keys.js";
import { type State, timelineOf } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { analysisOf } from "../model/analysis.js";
import { humanDuration, visibleText } from "../model/format.js";
import { fill, h } from "./dom.js";

export function renderFindings(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  const findings = timeline === null ? [] : analysisOf(timeline.update).findings;
  if (timeline === null || findings.length === 0) {
    fill(root, h("p", { class: "hint" }, "This report carries no findings."));
    return;
  }
  fill(
    root,
    h(
      "ol",
      { class: "findings" },
      ...findings.map((finding) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              class: "finding",
              disabled: finding.row < 0,
              onclick: () => {
                const selection = { what: "span", row: finding.row } as const;
                for (const action of shown(state, timeline, selection)) dispatch(action);
                dispatch({ what: "panel", panel: "findings" });
              },
            },
            h("span", { class: "finding-title" }, visibleText(finding.title)),
            finding.gainNs === null ? null : h("span", { class: "finding-gain" }, humanDuration(finding.gainNs)),
            h("span", { class: "finding-text" }, visibleText(finding.text)),
          ),
        ),
      ),
    ),
  );
}
