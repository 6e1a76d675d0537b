/**
 * The updates as a table, one per row; a row opens its timeline. Only visible rows have elements, however many there
 * are.
 */
import { PHASES } from "../../../../src/model/live-update.js";
import { PHASE_COLOURS } from "../../../../src/report/phase-colours.js";
import type { ReportEntry } from "../../../../src/report/report-index.js";
import { listedOf } from "../../interaction/listed.js";
import { openedIndex, type State } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { exactDuration, formatDuration, visibleText } from "../../model/format.js";
import { outcomeWord } from "../../model/sentences.js";
import { fill, h, swatch } from "../dom.js";

/** Height of a row in the style sheet, in CSS pixels. */
const ROW = 26;
/** Rows kept above and below the visible ones. */
const SPARE = 12;
const COLUMNS = ["update", "outcome", "blackout", ...PHASES, "clock link", "defects"] as const;
const NUMBERS: ReadonlySet<string> = new Set(["blackout", ...PHASES, "defects"]);

export interface UpdateTable {
  readonly element: HTMLElement;
  readonly render: (state: State) => void;
}

export function createUpdateTable(dispatch: Dispatch): UpdateTable {
  const body = h("tbody", {});
  const head = h("tr", {});
  const box = h(
    "div",
    { class: "updates-box", tabindex: 0, role: "region", "aria-label": "Table of updates" },
    h(
      "table",
      { class: "updates" },
      h("caption", { class: "hidden" }, "Live updates in this report"),
      h("thead", {}, head),
      body,
    ),
  );
  let shown: State | null = null;
  const rows = () => {
    if (shown === null) return;
    const { rows: order } = listedOf(shown);
    const first = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
    const last = Math.min(order.length, Math.ceil((box.scrollTop + Math.max(box.clientHeight, 600)) / ROW) + SPARE);
    const { entries, opened } = shown;
    const chosen = openedIndex(opened);
    const space = (count: number) => {
      const row = h("tr", { class: "space", "aria-hidden": "true" }, h("td", { colspan: COLUMNS.length + 1 }));
      row.style.height = `${count * ROW}px`;
      return row;
    };
    fill(
      body,
      first > 0 ? space(first) : null,
      ...order
        .slice(first, last)
        .map((index, i) => rowOf(entries[index] as ReportEntry, index, first + i, index === chosen, dispatch)),
      last < order.length ? space(order.length - last) : null,
    );
  };
  box.addEventListener("scroll", rows, { passive: true });
  const render = (state: State) => {
    shown = state;
    fill(
      head,
      h("th", { scope: "col", class: "number" }, "#"),
      ...COLUMNS.map((column) => {
        const sorted = state.sort?.by === column ? (state.sort.descending ? "descending" : "ascending") : "none";
        const colour = PHASE_COLOURS[column as keyof typeof PHASE_COLOURS]?.fill;
        return h(
          "th",
          { scope: "col", class: NUMBERS.has(column) ? "number" : "", "aria-sort": sorted },
          h(
            "button",
            { class: "sort-button", "data-sort": column, onclick: () => dispatch({ what: "sort", by: column }) },
            colour === undefined ? null : swatch(colour),
            column,
            sorted === "none" ? null : h("span", { "aria-hidden": "true" }, sorted === "descending" ? " ↓" : " ↑"),
          ),
        );
      }),
    );
    rows();
  };
  return { element: box, render };
}

function rowOf(entry: ReportEntry, index: number, place: number, chosen: boolean, dispatch: Dispatch): HTMLElement {
  const cell = (ns: number | null) =>
    ns === null
      ? h("td", { class: "number unseen" }, "–")
      : h("td", { class: "number", title: exactDuration(ns) }, formatDuration(ns));
  return h(
    "tr",
    {
      class: chosen ? "chosen" : "",
      "data-update": index,
      "aria-rowindex": place + 2,
      onclick: () => dispatch({ what: "opening", index }),
    },
    h("td", { class: "number" }, (index + 1).toLocaleString("en")),
    h(
      "th",
      { scope: "row" },
      h("button", { class: "row-button", "aria-pressed": `${chosen}` }, visibleText(entry.name)),
    ),
    h("td", {}, outcomeWord(entry.outcome)),
    cell(entry.blackoutNs),
    ...entry.phaseNs.map(cell),
    h("td", {}, entry.clockMethod),
    h("td", { class: "number" }, entry.defects.toLocaleString("en")),
  );
}
