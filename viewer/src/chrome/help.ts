/** The help overlay: every key and gesture. */
import { KEYS } from "../interaction/keys.js";
import type { State } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { fill, h } from "./dom.js";

export function renderHelp(dialog: HTMLDialogElement, state: State, dispatch: Dispatch): void {
  if (!state.help) {
    if (dialog.open) dialog.close();
    return;
  }
  fill(
    dialog,
    h("h2", {}, "Keys and gestures"),
    h(
      "dl",
      { class: "keys" },
      ...KEYS.flatMap(([keys, meaning]) => [
        h("dt", {}, ...keys.split(/ {2}/).map((key) => h("kbd", {}, key))),
        h("dd", {}, meaning),
      ]),
    ),
    h("p", {}, "The terms (seam, basis, bound, ±, …) are explained in docs/glossary.md of blackout."),
    h(
      "button",
      { class: "quiet-button", onclick: () => dispatch({ what: "help", shown: false }) },
      "Close ",
      h("kbd", {}, "Esc"),
    ),
  );
  if (!dialog.open) dialog.showModal();
}
