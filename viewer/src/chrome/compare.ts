/** Two updates, one under the other, aligned at the blackout's begin. */
import type { Store } from "../interaction/store.js";
import { h } from "./dom.js";
import type { PageView } from "./updates-page.js";

export function createComparePage(_store: Store): PageView {
  return { element: h("main", { id: "page-compare", class: "page" }) };
}
