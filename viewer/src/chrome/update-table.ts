/** The updates of the report, one a row; a row opens its timeline. */
import { PHASES } from "../../../src/analyze/live-update.js";
import { PHASE_COLOURS } from "../../../src/analyze/phase-colours.js";
import { openedIndex, type State } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { exactDuration, humanDuration, visibleText } from "../model/format.js";
import { outcomeWord } from "../model/sentences.js";
import { fill, h, swatch } from "./dom.js";

/** Rows are elements: more than this are reached through the plot. */
const SHOWN = 1000;

export function renderUpdateTable(root: Element, state: State, dispatch: Dispatch): void {
  const { entries } = state;
  const cell = (ns: number | null) =>
    ns === null
      ? h("td", { class: "number unseen" }, "–")
      : h("td", { class: "number", title: exactDuration(ns) }, humanDuration(ns));
  fill(
    root,
    h(
      "table",
      { class: "updates" },
      h("caption", { class: "hidden" }, "Live updates in this report"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "#"),
          h("th", { scope: "col" }, "Update"),
          h("th", { scope: "col" }, "Outcome"),
          h("th", { scope: "col", class: "number" }, "Blackout"),
          ...PHASES.map((name) => h("th", { scope: "col", class: "number" }, swatch(PHASE_COLOURS[name].fill), name)),
          h("th", { scope: "col" }, "Clock link"),
          h("th", { scope: "col", class: "number" }, "Defects"),
        ),
      ),
      h(
        "tbody",
        {},
        ...entries.slice(0, SHOWN).map((entry, index) =>
          h(
            "tr",
            {
              class: index === openedIndex(state.opened) ? "chosen" : "",
              "data-update": index,
              onclick: () => dispatch({ what: "opening", index }),
            },
            h("td", { class: "number" }, `${index + 1}`),
            h(
              "th",
              { scope: "row" },
              h(
                "button",
                { class: "row-button", "aria-pressed": `${index === openedIndex(state.opened)}` },
                visibleText(entry.name),
              ),
            ),
            h("td", {}, outcomeWord(entry.outcome)),
            cell(entry.blackoutNs),
            ...entry.phaseNs.map(cell),
            h("td", {}, entry.clockMethod),
            h("td", { class: "number" }, entry.defects.toLocaleString("en")),
          ),
        ),
      ),
    ),
    entries.length > SHOWN
      ? h(
          "p",
          { class: "said" },
          `The first ${SHOWN.toLocaleString("en")} of ${entries.length.toLocaleString("en")} updates; the plot opens the others.`,
        )
      : null,
  );
}
