/** The bar at the top: title, pages, search, and actions on what is shown. */
import { openedIndex, type Page, type State } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { visibleText } from "../model/format.js";
import { fill, h } from "./dom.js";

/** The entries of the share menu; each acts and shows a notice. */
export interface Sharing {
  readonly label: string;
  readonly run: () => void;
}

export function renderBar(
  root: Element,
  state: State,
  dispatch: Dispatch,
  search: HTMLElement,
  sharing: readonly Sharing[],
  ways: { readonly openFiles: () => void; readonly perfetto: () => void },
): void {
  const dark = state.theme === "dark";
  const several = state.entries.length > 1;
  const page = (name: Page, label: string) =>
    h(
      "button",
      {
        class: "page-button",
        "data-page": name,
        "aria-current": state.page === name ? "page" : "false",
        onclick: () => dispatch({ what: "page", page: name }),
      },
      label,
    );
  const index = openedIndex(state.opened);
  const menu = h(
    "details",
    { class: "menu", id: "share" },
    h("summary", { class: "quiet-button" }, "Share"),
    h(
      "div",
      { class: "menu-list" },
      ...sharing.map(({ label, run }) =>
        h(
          "button",
          {
            class: "menu-item",
            onclick: (event) => {
              (event.target as HTMLElement).closest("details")?.removeAttribute("open");
              run();
            },
          },
          label,
        ),
      ),
    ),
  );
  fill(
    root,
    h("span", { class: "wordmark" }, "blackout"),
    h("span", { class: "bar-title" }, visibleText(state.title)),
    several
      ? h(
          "nav",
          { class: "pages", "aria-label": "Pages" },
          page("updates", `Updates ${state.entries.length.toLocaleString("en")}`),
          page("timeline", "Timeline"),
          page("compare", "Compare"),
        )
      : null,
    several && state.page === "timeline" ? stepper(state, index, dispatch) : null,
    h("span", { class: "spacer" }),
    // It searches the shown update; the list of updates has its own filter.
    state.page === "updates" ? null : search,
    menu,
    h("button", { class: "quiet-button", id: "open-files", onclick: ways.openFiles }, "Open…"),
    h("button", { class: "quiet-button", id: "perfetto-open", onclick: ways.perfetto }, "Perfetto"),
    h(
      "button",
      {
        class: "quiet-button",
        id: "theme-toggle",
        "aria-label": `Switch to the ${dark ? "light" : "dark"} theme`,
        onclick: () => dispatch({ what: "theme", theme: dark ? "light" : "dark" }),
      },
      dark ? "Light" : "Dark",
    ),
    h(
      "button",
      { class: "quiet-button", id: "help-toggle", onclick: () => dispatch({ what: "help", shown: !state.help }) },
      "Keys ",
      h("kbd", {}, "?"),
    ),
  );
}

/** From one update to the next without returning to the list. */
function stepper(state: State, index: number, dispatch: Dispatch): HTMLElement {
  const step = (to: number, label: string, text: string) =>
    h(
      "button",
      {
        class: "quiet-button",
        "aria-label": label,
        disabled: to < 0 || to >= state.entries.length,
        onclick: () => dispatch({ what: "opening", index: to }),
      },
      text,
    );
  return h(
    "span",
    { class: "stepper" },
    step(index - 1, "Previous update", "‹"),
    h(
      "span",
      { class: "stepper-at" },
      `${(index + 1).toLocaleString("en")} of ${state.entries.length.toLocaleString("en")}`,
    ),
    step(index + 1, "Next update", "›"),
  );
}
