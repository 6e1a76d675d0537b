/** The phases as a table: the ribbon's equivalent for screen readers and eyes that a canvas does not serve. */

import type { PhaseDocument } from "../../../../src/model/live-update.js";
import { PHASE_COLOURS } from "../../../../src/report/phase-colours.js";
import type { State } from "../../interaction/state.js";
import { timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { exactDuration, formatDuration, formatSigned, percent, plusMinus } from "../../model/format.js";
import { evidenceText, unseenSentence } from "../../model/sentences.js";
import { hasJointAxis } from "../../model/timeline.js";
import { fill, h, swatch } from "../dom.js";

export function renderPhaseTable(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  if (timeline === null) {
    fill(root);
    return;
  }
  const { document } = timeline.update;
  const split = !hasJointAxis(document);
  fill(
    root,
    h(
      "table",
      { class: "phases" },
      h("caption", { class: "hidden" }, "Phases of the live update"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ...["Phase", split ? "Begins (own axis)" : "Begins", "Duration", "Share of blackout", "Evidence"].map(
            (head, i) => h("th", { scope: "col", class: i === 1 || i === 2 ? "number" : "" }, head),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        ...document.phases.map((phase, index) => {
          const chosen = state.selection?.what === "phase" && state.selection.index === index;
          return h(
            "tr",
            {
              class: chosen ? "chosen" : "",
              "data-phase": phase.name,
              onclick: () => dispatch({ what: "select", selection: { what: "phase", index } }),
            },
            h(
              "th",
              { scope: "row" },
              h(
                "button",
                { class: "row-button", "aria-pressed": `${chosen}` },
                swatch(PHASE_COLOURS[phase.name].fill),
                phase.name,
              ),
            ),
            ...cells(phase, document.blackout),
          );
        }),
      ),
    ),
  );
}

function cells(
  phase: PhaseDocument,
  blackout: { readonly beginNs: number | null; readonly endNs: number | null; readonly durationNs: number | null },
): HTMLElement[] {
  const unseen = unseenSentence(phase);
  const begin =
    phase.beginNs === null
      ? "not seen"
      : `${formatSigned(phase.beginNs)}${phase.axis === "joint" || phase.axis === null ? "" : ` (${phase.axis})`}`;
  const evidence = h("td", { class: "evidence", title: evidenceText(phase) }, evidenceText(phase));
  if (phase.durationNs === null) {
    return [
      h("td", { class: phase.beginNs === null ? "number unseen" : "number" }, begin),
      h("td", { class: "unseen", colspan: 2 }, unseen),
      evidence,
    ];
  }
  return [
    h("td", { class: "number" }, begin),
    h(
      "td",
      { class: "number", title: exactDuration(phase.durationNs) },
      formatDuration(phase.durationNs),
      phase.uncertaintyNs === null || phase.uncertaintyNs === 0
        ? null
        : h("span", { class: "soft" }, ` ${plusMinus(phase.uncertaintyNs)}`),
    ),
    h("td", {}, share(phase, blackout)),
    evidence,
  ];
}

/** How much of the blackout is in this phase: prepare and finish may be outside it. */
function share(
  phase: PhaseDocument,
  blackout: { readonly beginNs: number | null; readonly endNs: number | null; readonly durationNs: number | null },
): HTMLElement {
  const { beginNs, endNs } = phase;
  if (
    phase.axis !== "joint" ||
    beginNs === null ||
    endNs === null ||
    blackout.beginNs === null ||
    blackout.endNs === null ||
    !blackout.durationNs
  ) {
    return h("span", { class: "unseen" }, "–");
  }
  const inside = Math.max(0, Math.min(endNs, blackout.endNs) - Math.max(beginNs, blackout.beginNs));
  const bar = h("span", { class: "share-bar", "aria-hidden": "true" });
  bar.style.width = `${(100 * inside) / blackout.durationNs}%`;
  bar.style.backgroundColor = PHASE_COLOURS[phase.name].fill;
  return h(
    "span",
    { class: "share" },
    h("span", { class: "share-track", "aria-hidden": "true" }, inside === 0 ? null : bar),
    h("span", { class: "share-text" }, inside === 0 ? "outside" : percent(inside, blackout.durationNs)),
  );
}
