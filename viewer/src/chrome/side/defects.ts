/** What could not be decoded, or is missing: always counted, listed on demand. */
import type { DefectDocument, LiveUpdateDocument } from "../../../../src/model/live-update.js";
import type { Dispatch } from "../../interaction/store.js";
import { formatSigned, plural, visibleText } from "../../model/format.js";
import { h } from "../dom.js";

/** A longer list is cut, with a note: each row has elements, and a report may have thousands. */
const SHOWN = 500;

export function defectsPart(document: LiveUpdateDocument, dispatch: Dispatch): HTMLElement {
  const { defects } = document;
  const total = defects.reduce((sum, found) => sum + found.count, 0);
  if (total === 0) return h("p", { class: "no-defects" }, "No defects: everything in the capture was decoded.");
  return h(
    "details",
    { class: "defects" },
    h("summary", {}, h("strong", {}, plural(total, "defect")), ` ${severities(defects)}`),
    h("ul", {}, ...defects.slice(0, SHOWN).map((found, item) => row(found, item, dispatch))),
    defects.length > SHOWN
      ? h(
          "p",
          { class: "status" },
          `${defects.length - SHOWN === 1 ? "1 entry more is" : `${(defects.length - SHOWN).toLocaleString("en")} entries more are`} not listed here; “blackout analyze --json” lists all.`,
        )
      : null,
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
            `at ${formatSigned(found.atNs)}`,
          ),
    ),
    h("p", {}, visibleText(found.message)),
    found.advice === "" ? null : h("p", { class: "advice" }, visibleText(found.advice)),
  );
}
