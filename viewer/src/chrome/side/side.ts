/** The panel next to the timeline: tabs, and below them the contents of the chosen tab. */
import { isAttributed } from "../../../../src/report/update-codec.js";
import { type Panel, type State, timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { analysisOf } from "../../model/analysis.js";
import { fill, h } from "../dom.js";

const NAMES: Readonly<Record<Panel, string>> = {
  about: "Overview",
  details: "Details",
  tree: "Tree",
  whatif: "What if",
  findings: "Findings",
  spans: "Spans",
};
const ORDER: readonly Panel[] = ["about", "details", "tree", "whatif", "findings", "spans"];

export function renderTabs(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  const analysis = timeline === null ? null : analysisOf(timeline.update);
  const findings = analysis?.findings.length ?? 0;
  const has = (panel: Panel) =>
    panel === "findings"
      ? findings > 0
      : panel === "tree" || panel === "whatif"
        ? timeline !== null && isAttributed(timeline.update)
        : true;
  const there = ORDER.filter(has);
  const choose = (panel: Panel | undefined) => {
    if (panel !== undefined) dispatch({ what: "panel", panel });
  };
  fill(
    root,
    ...there.map((panel, i) =>
      h(
        "button",
        {
          role: "tab",
          id: `tab-${panel}`,
          class: "tab",
          "aria-selected": `${state.panel === panel}`,
          "aria-controls": "panel",
          tabindex: state.panel === panel ? 0 : -1,
          onclick: () => choose(panel),
          onkeydown: (event) => {
            const by =
              (event as KeyboardEvent).key === "ArrowRight" ? 1 : (event as KeyboardEvent).key === "ArrowLeft" ? -1 : 0;
            if (by === 0) return;
            event.preventDefault();
            event.stopPropagation();
            choose(there[(i + by + there.length) % there.length]);
            requestAnimationFrame(() => root.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
          },
        },
        NAMES[panel],
        panel === "findings" ? h("span", { class: "chip-count" }, `${findings}`) : null,
      ),
    ),
  );
}
