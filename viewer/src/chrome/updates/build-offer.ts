/** What is not yet shown of a very large update, and the button that builds it. */
import type { LiveUpdate } from "../../../../src/model/live-update.js";
import type { Dispatch } from "../../interaction/store.js";
import { notBuilt } from "../../model/analysis.js";
import { h } from "../dom.js";

/** null if nothing is left to build. */
export function buildOffer(update: LiveUpdate, dispatch: Dispatch): HTMLElement | null {
  const why = notBuilt(update);
  if (why === null) return null;
  const button = h("button", { class: "quiet-button build-button" }, "Build them");
  button.addEventListener("click", () => {
    button.disabled = true;
    button.textContent = "Building…";
    // Painted first: the page does not respond in the meantime.
    requestAnimationFrame(() => setTimeout(() => dispatch({ what: "analyse" }), 0));
  });
  return h("p", { class: "status not-built" }, why, " ", button);
}
