/** Sliders for the cost of causes, and the blackout that would remain: an estimate between two bounds. */
import { type State, timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { analysisOf } from "../../model/analysis.js";
import { exactDuration, formatDuration, visibleText } from "../../model/format.js";
import { knobsOf, PARALLEL, supposed } from "../../model/what-if.js";
import { fill, h } from "../dom.js";
import { buildOffer } from "../updates/build-offer.js";

/** Builds the sliders once for an update; `answer` alone is redrawn while one is dragged. */
export function renderWhatIf(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  const analysis = timeline === null ? null : analysisOf(timeline.update);
  if (timeline === null || analysis === null || analysis.root === null) {
    const later = timeline === null ? null : buildOffer(timeline.update, dispatch);
    fill(root, later ?? h("p", { class: "hint" }, "The blackout is unknown, so there is nothing to change."));
    return;
  }
  const name = visibleText(timeline.update.document.capture.name);
  // A name in a selector could end its string.
  const known = [...root.querySelectorAll<HTMLElement>(".what-if")].find((each) => each.dataset.update === name);
  if (known === undefined) {
    fill(
      root,
      h(
        "div",
        { class: "what-if", "data-update": name },
        h("section", { class: "detail what-if-answer", "aria-live": "polite" }),
        h(
          "section",
          { class: "detail" },
          h("h3", {}, "What each cause would take"),
          ...knobsOf(analysis).map((knob) => slider(knob, state, dispatch)),
        ),
        h(
          "section",
          { class: "detail" },
          h("h3", {}, "All at the same time, within each stage"),
          ...PARALLEL.map((selector) => {
            const box = h("input", { type: "checkbox", "data-parallel": selector });
            box.checked = state.parallel.has(selector);
            box.addEventListener("change", () => dispatch({ what: "parallel", selector }));
            return h("label", { class: "knob-check" }, box, selector);
          }),
        ),
      ),
    );
  }
  const answer = root.querySelector(".what-if-answer");
  const result = supposed(analysis, state.costs, state.parallel);
  if (answer === null || result === null) return;
  const same = state.costs.size === 0 && state.parallel.size === 0;
  fill(
    answer,
    h("h3", {}, same ? "The blackout as it was" : "The blackout that would remain"),
    h(
      "p",
      { class: "what-if-figure", title: exactDuration(result.durationNs), "data-ns": result.durationNs },
      formatDuration(result.durationNs),
    ),
    h(
      "p",
      { class: "note" },
      `between ${formatDuration(result.lowerNs)} and ${formatDuration(result.upperNs)}; it was ${formatDuration(result.beforeNs)}`,
    ),
    bar(result.beforeNs, result.lowerNs, result.durationNs, result.upperNs),
    ...result.bounds.map((bound) =>
      h("p", { class: "note" }, `${bound.side === "lower" ? "−" : "+"} ${formatDuration(bound.ns)}: ${bound.what}`),
    ),
  );
}

function slider(
  knob: { readonly selector: string; readonly name: string; readonly kind: string; readonly totalNs: number },
  state: State,
  dispatch: Dispatch,
): HTMLElement {
  const output = h("output", { class: "knob-value" });
  const input = h("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 5,
    "data-selector": knob.selector,
    "aria-label": `${visibleText(knob.name)}, ${knob.kind}: share of its ${formatDuration(knob.totalNs)}`,
  });
  input.value = `${Math.round(100 * (state.costs.get(knob.selector) ?? 1))}`;
  const say = () => {
    output.textContent = formatDuration((knob.totalNs * Number(input.value)) / 100);
    input.setAttribute("aria-valuetext", `${input.value} %, ${output.textContent}`);
  };
  say();
  input.addEventListener("input", () => {
    say();
    dispatch({ what: "cost", selector: knob.selector, share: Number(input.value) / 100 });
  });
  return h(
    "div",
    { class: "knob" },
    h("span", { class: "knob-name", title: visibleText(knob.name) }, visibleText(knob.name)),
    h("span", { class: "knob-kind" }, knob.kind),
    output,
    input,
  );
}

/** The measured blackout, and on it the estimated end, with the bounds. */
function bar(before: number, lower: number, estimate: number, upper: number): HTMLElement {
  const scale = 100 / Math.max(before, upper, 1);
  const part = (name: string, from: number, to: number) => {
    const element = h("span", { class: name });
    element.style.left = `${from * scale}%`;
    element.style.width = `${Math.max(0.4, (to - from) * scale)}%`;
    return element;
  };
  return h(
    "div",
    { class: "what-if-bar", "aria-hidden": "true" },
    part("what-if-left", 0, estimate),
    part("what-if-bounds", lower, upper),
  );
}
