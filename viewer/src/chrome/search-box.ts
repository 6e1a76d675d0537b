/** The search field in the bar: the matches, and stepping through them. */
import { foundIn } from "../interaction/found.js";
import { searchActions } from "../interaction/keys.js";
import { type State, timelineOf } from "../interaction/state.js";
import type { Store } from "../interaction/store.js";
import { h } from "./dom.js";

export interface SearchBox {
  readonly element: HTMLElement;
  readonly render: (state: State) => void;
  readonly focus: () => void;
}

/** Searching a table of millions takes tens of milliseconds: it waits until typing pauses. */
const PAUSE_MS = 120;

export function createSearchBox(store: Store, leave: () => void): SearchBox {
  const count = h("span", { id: "search-count", class: "search-count", "aria-live": "polite" });
  const input = h("input", {
    id: "search",
    type: "search",
    placeholder: "Search  /",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Search spans and kernel log; device:text searches one kind",
  });
  let timer = 0;
  const ask = () => {
    clearTimeout(timer);
    if (store.state().query !== input.value) store.dispatch({ what: "query", query: input.value });
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(ask, PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      ask();
      for (const action of searchActions(store.state(), event.shiftKey)) store.dispatch(action);
    }
    if (event.key === "Escape") {
      event.preventDefault();
      input.value = "";
      ask();
      leave();
    }
  });
  const render = (state: State) => {
    if (document.activeElement !== input && input.value !== state.query) input.value = state.query;
    const timeline = timelineOf(state);
    const found = timeline === null ? null : foundIn(timeline, state.query);
    count.textContent =
      found === null ? "" : found.count === 0 ? "nothing" : `${found.count.toLocaleString("en")} found`;
    input.disabled = timeline === null;
  };
  return {
    element: h("div", { class: "search", role: "search" }, input, count),
    render,
    focus: () => {
      input.focus();
      input.select();
    },
  };
}
