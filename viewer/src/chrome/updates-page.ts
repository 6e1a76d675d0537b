/** Many updates at a glance: plots above, a table below that a filter narrows. */
import { openedIndex, type State } from "../interaction/state.js";
import { type Store, whenChanged } from "../interaction/store.js";
import { h } from "./dom.js";
import { renderPlots } from "./plots.js";
import { renderUpdateTable } from "./update-table.js";

export interface PageView {
  readonly element: HTMLElement;
}

export function createUpdatesPage(store: Store): PageView {
  const plots = h("section", { id: "plots", "aria-label": "Plots of the updates" });
  const updates = h("section", { id: "updates", "aria-label": "Updates" });
  const element = h("main", { id: "page-updates", class: "page" }, plots, updates);
  let destroy = () => {};
  const visible = (state: State) => state.page === "updates" && state.entries.length > 1;
  store.subscribe(
    whenChanged(
      (state) => [
        visible(state),
        openedIndex(state.opened),
        state.theme,
        state.hiddenCurves,
        state.logScale,
        state.entries,
      ],
      (state) => {
        destroy();
        destroy = visible(state) ? renderPlots(plots, state, store.dispatch) : () => {};
      },
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [visible(state), openedIndex(state.opened), state.entries],
      (state) => {
        if (!visible(state)) return;
        renderUpdateTable(updates, state, store.dispatch);
        performance.mark("blackout:listed");
      },
    ),
  );
  return { element };
}
