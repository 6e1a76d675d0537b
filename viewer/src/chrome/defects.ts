/** What could not be decoded, or is missing: counted always, listed on demand. */
import type { DefectDocument } from "../../../src/analyze/live-update.js";
import type { State } from "../interaction/state.js";
import { timelineOf } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { humanOffset, plural, visibleText } from "../model/format.js";
import { fill, h } from "./dom.js";

/** A list longer than this is cut, and says so: each row is elements, and a report may hold thousands. */
const SHOWN = 500;

export function renderDefects(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  if (timeline === null) {
    fill(root);
    return;
  }
  const { defects } = timeline.update.document;
  const total = defects.reduce((sum, found) => sum + found.count, 0);
  if (total === 0) {
    fill(root, h("p", { class: "no-defects" }, "No defects: everything in the capture was decoded."));
    return;
  }
  fill(
    root,
    h(
      "details",
      { class: "defects" },
      h("summary", {}, h("strong", {}, plural(total, "defect")), ` ${severities(defects)}`),
      h("ul", {}, ...defects.slice(0, SHOWN).map((found, item) => row(found, item, dispatch))),
      defects.length > SHOWN
        ? h(
            "p",
            { class: "said" },
            `${plural(defects.length - SHOWN, "entry")} more are in the report's JSON.`.replace("entrys", "entries"),
          )
        : null,
    ),
  );
}

function severities(defects: readonly DefectDocument[]): string {
  const parts = (["error", "warning", "note"] as const).flatMap((severity) => {
    const count = defects.filter((found) => found.severity === severity).reduce((sum, found) => sum + found.count, 0);
    return count === 0 ? [] : [plural(count, severity)];
  });
  return parts.join(", ");
}

function row(found: DefectDocument, item: number, dispatch: Dispatch): HTMLElement {
  const place = `${visibleText(found.file)}${found.line !== null ? `:${found.line}` : found.byte !== null ? ` byte ${found.byte.toLocaleString("en")}` : ""}`;
  return h(
    "li",
    { class: `defect ${found.severity}` },
    h(
      "div",
      { class: "defect-head" },
      h("span", { class: "defect-severity" }, found.severity),
      h("code", {}, visibleText(found.code)),
      h("span", { class: "defect-place" }, place),
      found.count > 1 ? h("span", { class: "defect-count" }, `× ${found.count.toLocaleString("en")}`) : null,
      found.atNs === null
        ? null
        : h(
            "button",
            { class: "link-button", onclick: () => dispatch({ what: "select", selection: { what: "defect", item } }) },
            `at ${humanOffset(found.atNs)}`,
          ),
    ),
    h("p", {}, visibleText(found.message)),
    found.advice === "" ? null : h("p", { class: "advice" }, visibleText(found.advice)),
  );
}
