/** What an update's numbers rest on, and where to look first: shown while nothing is selected. */
import type { LiveUpdateDocument } from "../../../../src/model/live-update.js";
import { spanAt } from "../../../../src/model/span-table.js";
import { shown } from "../../interaction/keys.js";
import { type State, timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { analysisOf } from "../../model/analysis.js";
import { exactDuration, formatDuration, plural, visibleText } from "../../model/format.js";
import type { Timeline } from "../../model/timeline.js";
import { fill, h } from "../dom.js";
import { defectsPart } from "./defects.js";
import { integrityPart } from "./integrity.js";

const MOST_SILENCES = 8;

export function renderAbout(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  if (timeline === null) {
    fill(root);
    return;
  }
  const { document } = timeline.update;
  fill(
    root,
    integrityPart(document),
    longestPart(state, timeline, dispatch),
    silencePart(state, timeline, dispatch),
    h("section", { id: "defects", class: "detail", "aria-label": "Defects" }, defectsPart(document, dispatch)),
    clockDetails(document),
  );
}

function longestPart(state: State, timeline: Timeline, dispatch: Dispatch): HTMLElement | null {
  const { update, longest } = timeline;
  if (longest.length === 0) return null;
  const known = update.document.blackout.durationNs !== null;
  return h(
    "section",
    { class: "detail" },
    h("h3", {}, known ? "Longest spans in the blackout" : "Longest spans"),
    h(
      "ol",
      { class: "longest" },
      ...longest.map((row) => {
        const span = spanAt(update.spans, row);
        return h(
          "li",
          {},
          h(
            "button",
            {
              class: "longest-button",
              title: `${visibleText(span.name)}, ${exactDuration(span.endNs - span.beginNs)}`,
              onclick: () => {
                for (const action of shown(state, timeline, { what: "span", row })) dispatch(action);
              },
            },
            h("span", { class: "longest-name" }, visibleText(span.name)),
            h("span", { class: "longest-kind" }, span.kind),
            h("span", { class: "longest-time" }, formatDuration(span.endNs - span.beginNs)),
          ),
        );
      }),
    ),
  );
}

/** The lane of interrupt silence as a list. */
function silencePart(state: State, timeline: Timeline, dispatch: Dispatch): HTMLElement | null {
  const { silences } = analysisOf(timeline.update);
  if (silences.length === 0) return null;
  return h(
    "section",
    { class: "detail", id: "silences" },
    h("h3", {}, "Interrupts silent over the kexec"),
    h(
      "ol",
      { class: "longest" },
      ...silences.slice(0, MOST_SILENCES).map(({ irq, silentNs }, item) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              class: "longest-button",
              title: `${visibleText(irq)}, ${exactDuration(silentNs)} from last served to first served`,
              onclick: () => {
                for (const action of shown(state, timeline, { what: "silence", item })) dispatch(action);
              },
            },
            h("span", { class: "longest-name" }, visibleText(irq)),
            h("span", { class: "longest-kind" }, "irq"),
            h("span", { class: "longest-time" }, formatDuration(silentNs)),
          ),
        ),
      ),
    ),
    silences.length > MOST_SILENCES
      ? h("p", { class: "note" }, `${plural(silences.length - MOST_SILENCES, "shorter one")} in the lanes.`)
      : null,
  );
}

function clockDetails(document: LiveUpdateDocument): HTMLElement | null {
  const { clock } = document;
  if (clock.parts.length === 0 && clock.rejected.length === 0) return null;
  return h(
    "details",
    { class: "detail clock" },
    h("summary", {}, `Clock link: ${clock.method}`),
    h(
      "dl",
      {},
      ...clock.parts.flatMap((part) => [
        h("dt", {}, visibleText(part.what)),
        h("dd", {}, `± ${formatDuration(part.ns)}`),
      ]),
      ...clock.rejected.flatMap((other) => [
        h("dt", {}, `not ${other.method}`),
        h("dd", {}, visibleText(other.reason)),
      ]),
    ),
  );
}
