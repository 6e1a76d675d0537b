/** The head of an update: its name, its outcome, its blackout with the ±. */
import type { LiveUpdateDocument } from "../../../src/model/live-update.js";
import type { State } from "../interaction/state.js";
import { timelineOf } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { exactDuration, formatDuration, plusMinus, visibleText } from "../model/format.js";
import { blackoutSentence, clockSentence, outcomeWord } from "../model/sentences.js";
import { fill, h } from "./dom.js";
import { buildOffer } from "./updates/build-offer.js";

export function renderSummary(root: Element, state: State, dispatch: Dispatch): void {
  const { opened } = state;
  const timeline = timelineOf(state);
  if (opened.what === "failed") {
    fill(
      root,
      h("h1", { class: "hidden" }, "blackout"),
      h("p", { class: "state error", role: "alert" }, `This update cannot be shown: ${visibleText(opened.reason)}.`),
    );
    return;
  }
  if (timeline === null) {
    fill(root, opened.what === "loading" ? h("p", { class: "state" }, "Reading…") : null);
    return;
  }
  const { document } = timeline.update;
  // The name in the list: cohorts name their captures alike, and the list distinguishes them.
  const name = (opened.what === "ready" ? state.entries[opened.index]?.name : undefined) ?? document.capture.name;
  fill(
    root,
    h(
      "div",
      { class: "identity" },
      h("h1", {}, visibleText(name)),
      h("span", { class: `outcome ${document.outcome}` }, outcomeWord(document.outcome)),
      h(
        "span",
        { class: "kernels" },
        h("span", { class: "release" }, visibleText(document.capture.kernel.old ?? "old kernel unknown")),
        " → ",
        h("span", { class: "release" }, visibleText(document.capture.kernel.new ?? "new kernel unknown")),
        ...labels(document),
      ),
    ),
    blackoutFigure(document),
    h("p", { class: "status" }, `${blackoutSentence(document)} ${clockSentence(document)}`),
    buildOffer(timeline.update, dispatch),
    document.outcome === "completed"
      ? null
      : h(
          "p",
          { class: "status outcome-reason" },
          `${outcomeWord(document.outcome)}: ${visibleText(document.outcomeReason)}`,
        ),
  );
}

function labels(document: LiveUpdateDocument): HTMLElement[] {
  const { probeLevel, labels } = document.capture;
  const all: [string, string][] = [
    ...(probeLevel === null ? [] : [["probes", probeLevel] as [string, string]]),
    ...Object.entries(labels),
  ];
  return all
    .filter(([name]) => name !== "probe_level")
    .map(([name, value]) => h("span", { class: "label" }, `${visibleText(name)} ${visibleText(value)}`));
}

function blackoutFigure(document: LiveUpdateDocument): HTMLElement {
  const { durationNs, uncertaintyNs, basis } = document.blackout;
  if (durationNs === null) return h("p", { class: "figure unknown", id: "blackout-figure" }, "Blackout unknown");
  return h(
    "p",
    { class: "figure", id: "blackout-figure", title: exactDuration(durationNs) },
    h("strong", {}, formatDuration(durationNs)),
    uncertaintyNs === null || uncertaintyNs === 0 ? null : h("span", { class: "soft" }, plusMinus(uncertaintyNs)),
    h("span", { class: "basis" }, basis ?? "basis unknown"),
  );
}
