/** Many updates at a glance: a filter, and plots and a table of the updates that pass it. */
import { listedOf } from "../../interaction/listed.js";
import { openedIndex, type State } from "../../interaction/state.js";
import { type Store, whenChanged } from "../../interaction/store.js";
import { durationInput, formatDuration, parseLimit } from "../../model/format.js";
import { h } from "../dom.js";
import { renderPlots } from "../plots/plots.js";
import { createUpdateTable } from "./update-table.js";

export interface PageView {
  readonly element: HTMLElement;
}

/** Plots of thousands are drawn again once typing pauses. */
const PAUSE_MS = 150;

export function createUpdatesPage(store: Store): PageView {
  const { dispatch } = store;
  const plots = h("section", { id: "plots", "aria-label": "Plots of the updates" });
  const table = createUpdateTable(dispatch);
  const updates = h("section", { id: "updates", "aria-label": "Updates" }, table.element);
  const status = h("p", { class: "filter-status", id: "filter-status", role: "status" });
  const filter = field("filter", "Filter: kexec > 4s  device:e1000  -outcome:failed", "Filter of the updates", (text) =>
    dispatch({ what: "filter", filter: text }),
  );
  const budget = field("budget", "Budget: 5s", "Budget of the blackout, drawn as a line", (text) =>
    dispatch({ what: "budget", ns: parseLimit(text) }),
  );
  const element = h(
    "main",
    { id: "page-updates", class: "page" },
    h("h1", { class: "hidden" }, "Live updates"),
    h("div", { class: "filter" }, filter, budget, status),
    h("h2", { class: "hidden" }, "Plots"),
    plots,
    updates,
  );
  let destroy = () => {};
  const visible = (state: State) => state.page === "updates" && state.entries.length > 1;
  const on = (read: (state: State) => readonly unknown[], render: (state: State) => void) =>
    store.subscribe(whenChanged(read, render));
  on(
    (state) => [
      visible(state),
      openedIndex(state.opened),
      state.theme,
      state.hiddenCurves,
      state.logScale,
      state.entries,
      state.filter,
      state.budgetNs,
    ],
    (state) => {
      destroy();
      destroy = visible(state) ? renderPlots(plots, state, listedOf(state).kept, dispatch) : () => {};
    },
  );
  on(
    (state) => [visible(state), openedIndex(state.opened), state.entries, state.filter, state.sort],
    (state) => {
      if (!visible(state)) return;
      table.render(state);
      if (performance.getEntriesByName("blackout:listed").length === 0) performance.mark("blackout:listed");
    },
  );
  on(
    (state) => [state.filter, state.budgetNs, state.entries],
    (state) => {
      if (document.activeElement !== filter) filter.value = state.filter;
      if (document.activeElement !== budget)
        budget.value = state.budgetNs === null ? "" : durationInput(state.budgetNs);
      const { kept, error } = listedOf(state);
      filter.setAttribute("aria-invalid", `${error !== null}`);
      status.className = error === null ? "filter-status" : "filter-status error";
      status.textContent = error ?? `${countText(kept.length, state.entries.length)}${overText(state, kept)}`;
    },
  );
  return { element };
}

function countText(kept: number, all: number): string {
  return kept === all
    ? `${all.toLocaleString("en")} updates`
    : `${kept.toLocaleString("en")} of ${all.toLocaleString("en")} updates`;
}

function overText({ entries, budgetNs }: State, kept: readonly number[]): string {
  if (budgetNs === null) return "";
  const over = kept.filter((index) => (entries[index]?.blackoutNs ?? 0) > budgetNs).length;
  return `, ${over.toLocaleString("en")} over ${formatDuration(budgetNs)}`;
}

function field(id: string, placeholder: string, label: string, take: (text: string) => void): HTMLInputElement {
  const input = h("input", {
    id,
    type: "text",
    placeholder,
    "aria-label": label,
    autocomplete: "off",
    spellcheck: "false",
  });
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => take(input.value), PAUSE_MS);
  });
  return input;
}
