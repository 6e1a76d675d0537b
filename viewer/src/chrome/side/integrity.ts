/** What was lost, what was not seen to come back, and what both kernels complained about. */
import type { HealthEvent, LiveUpdateDocument, LossDocument } from "../../../../src/model/live-update.js";
import { formatSigned, plural, visibleText } from "../../model/format.js";
import { h } from "../dom.js";

/** A longer list is cut, with a note. */
const SHOWN = 100;

/** Null if nothing is known to be lost and no kernel complained. */
export function integrityPart({ losses, notSeen, health }: LiveUpdateDocument): HTMLElement | null {
  if (losses.length + notSeen.length + health.counts.length === 0) return null;
  const complaints = health.counts.reduce((sum, { count }) => sum + count, 0);
  return h(
    "section",
    { id: "integrity", class: "detail", "aria-label": "Losses and complaints" },
    losses.length === 0 ? null : h("h3", {}, `Lost: ${losses.length.toLocaleString("en")}`),
    list("losses", losses, lossRow),
    notSeen.length === 0 ? null : h("h3", {}, "Not seen to be restored"),
    list("not-seen", notSeen, ({ session, tokens }) => h("li", {}, visibleText([session, ...tokens].join(" ")))),
    complaints === 0 ? null : h("h3", {}, plural(complaints, "complaint")),
    list("complaints", health.events, complaintRow),
  );
}

function list<T>(name: string, items: readonly T[], row: (item: T) => HTMLElement): HTMLElement | null {
  if (items.length === 0) return null;
  const more = items.length - SHOWN;
  const rows = h(
    "ul",
    { class: name },
    ...items.slice(0, SHOWN).map(row),
    more > 0
      ? h("li", { class: "note" }, `${more.toLocaleString("en")} more; “blackout analyze --json” lists them.`)
      : null,
  );
  return h("div", { class: "defects" }, rows);
}

/** What, how it failed, when and where that is recorded. */
function lossRow({ session, token, handler, action, errno, atNs, evidence, file, place }: LossDocument): HTMLElement {
  const what = [session, token, handler].filter((part) => part !== null).join(" ");
  return h(
    "li",
    { class: "defect error" },
    h(
      "div",
      { class: "defect-head" },
      h("span", { class: "defect-severity" }, action),
      h("code", {}, visibleText(errno ?? "")),
      h("span", { class: "defect-place" }, visibleText(what)),
      atNs === null ? null : h("span", { class: "defect-count" }, formatSigned(atNs)),
    ),
    h("p", {}, visibleText(`${evidence} (${file}:${place})`)),
  );
}

function complaintRow(event: HealthEvent): HTMLElement {
  const { class: name, severity, boot, phase, atNs, task, file, line } = event;
  const where = [`${boot} kernel`, phase, task].filter((part) => part !== null).join(", ");
  return h(
    "li",
    { class: `defect ${severity === "severe" ? "error" : "warning"}` },
    h(
      "div",
      { class: "defect-head" },
      h("span", { class: "defect-severity" }, severity),
      h("code", {}, name),
      h("span", { class: "defect-place" }, visibleText(where)),
      atNs === null ? null : h("span", { class: "defect-count" }, formatSigned(atNs)),
    ),
    h("p", {}, visibleText(`${event.text} (${file}:${line})`)),
  );
}
