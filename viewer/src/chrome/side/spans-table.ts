/** The spans in view as a table: the canvas's equivalent for screen readers and eyes that it does not serve. */
import { spanAt } from "../../../../src/model/span-table.js";
import { type State, timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { exactDuration, formatDuration, formatSigned, plural, visibleText } from "../../model/format.js";
import { longestInView } from "../../model/in-view.js";
import { fill, h } from "../dom.js";

const SHOWN = 200;

export function renderSpansTable(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  if (timeline === null) {
    fill(root);
    return;
  }
  const parts = timeline.axes.flatMap((axis, i) => {
    const view = state.views[i];
    if (view === undefined) return [];
    const { count, rows } = longestInView(axis, view, state.folded, SHOWN);
    const where = axis.name === "joint" ? "in view" : `in view, ${axis.name} kernel`;
    const status =
      count > rows.length
        ? `The ${rows.length} longest of ${plural(count, "span")} ${where}`
        : `${plural(count, "span")} ${where}, the longest first`;
    return [
      h(
        "table",
        { class: "spans" },
        h("caption", {}, status),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Span"),
            h("th", { scope: "col", class: "number" }, "Begins"),
            h("th", { scope: "col", class: "number" }, "Duration"),
          ),
        ),
        h(
          "tbody",
          {},
          ...rows.map((row) => {
            const span = spanAt(timeline.update.spans, row);
            const chosen = state.selection?.what === "span" && state.selection.row === row;
            return h(
              "tr",
              { class: chosen ? "chosen" : "" },
              h(
                "th",
                { scope: "row" },
                h(
                  "button",
                  {
                    class: "row-button",
                    "aria-pressed": `${chosen}`,
                    onclick: () => {
                      dispatch({ what: "select", selection: { what: "span", row } });
                      dispatch({ what: "panel", panel: "spans" });
                    },
                  },
                  visibleText(span.name),
                ),
                h("span", { class: "span-kind" }, `${span.kind}${span.boot === null ? "" : `, ${span.boot}`}`),
              ),
              h("td", { class: "number", title: exactDuration(span.beginNs) }, formatSigned(span.beginNs)),
              h(
                "td",
                { class: "number", title: exactDuration(span.endNs - span.beginNs) },
                formatDuration(span.endNs - span.beginNs),
              ),
            );
          }),
        ),
      ),
    ];
  });
  fill(root, ...parts);
}
