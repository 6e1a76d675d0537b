/** Notices that disappear (a link was copied), and errors that stay until dismissed. */
import type { State } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { visibleText } from "../model/format.js";
import { fill, h } from "./dom.js";

const SHOWN_MS = 4000;

export function renderNotices(root: Element, state: State, dispatch: Dispatch): void {
  for (const notice of state.notices) {
    if (!notice.error) setTimeout(() => dispatch({ what: "dismiss", id: notice.id }), SHOWN_MS);
  }
  fill(
    root,
    ...state.notices.map((notice) =>
      h(
        "div",
        { class: notice.error ? "notice error" : "notice", role: notice.error ? "alert" : "status" },
        h("span", {}, visibleText(notice.text)),
        notice.error
          ? h(
              "button",
              {
                class: "quiet-button",
                "aria-label": "Dismiss",
                onclick: () => dispatch({ what: "dismiss", id: notice.id }),
              },
              "Dismiss",
            )
          : null,
      ),
    ),
  );
}
