/**
 * Two updates, one below the other, aligned at the begin of the blackout and zoomed together; and their difference by
 * cause.
 */
import { PHASES } from "../../../../src/model/live-update.js";
import { openedIndex, type Side, type State, timelineOf, timelineOn } from "../../interaction/state.js";
import { type Store, whenChanged } from "../../interaction/store.js";
import { analysisOf } from "../../model/analysis.js";
import { exactDuration, formatDuration, visibleText } from "../../model/format.js";
import type { Timeline } from "../../model/timeline.js";
import { differenceOf } from "../../model/updates/difference.js";
import { fill, h } from "../dom.js";
import { createTimelineView, type TimelineView } from "../timeline-view.js";
import type { PageView } from "./updates-page.js";

/** Rows of the difference; the rest is summed, so that the column still adds up. */
const SHOWN = 40;
/** A list to choose from has at most this many entries: for more, use the table of updates. */
const MOST_CHOICES = 2000;

export function createComparePage(store: Store): PageView {
  const { dispatch } = store;
  const lanes = h("section", { id: "compare-lanes", "aria-label": "Two timelines" });
  const difference = h("aside", { id: "difference", "aria-label": "Difference by cause", tabindex: 0 });
  const heading = h("h1", { class: "hidden" }, "Two live updates compared");
  const element = h("main", { id: "page-compare", class: "page" }, heading, lanes, difference);
  let views: readonly (TimelineView & { readonly side: Side })[] = [];
  let shown: readonly (Timeline | null)[] = [];

  const choice = (state: State, side: Side) => {
    const chosen = openedIndex(side === "one" ? state.opened : state.other);
    const select = h(
      "select",
      { "aria-label": side === "one" ? "First update" : "Second update", "data-side": side },
      h("option", { value: -1 }, "Choose an update"),
      ...state.entries
        .slice(0, MOST_CHOICES)
        .map((entry, index) =>
          h("option", { value: index, selected: index === chosen }, `${index + 1}  ${visibleText(entry.name)}`),
        ),
    );
    select.addEventListener("change", () => {
      const index = Number(select.value);
      if (index < 0) return;
      dispatch(side === "one" ? { what: "opening", index } : { what: "comparing", index });
    });
    return select;
  };

  const cells = (["one", "other"] as const).map((side) => ({
    side,
    head: h("div", { class: "compare-head" }),
    place: h("div", { class: "compare-place" }),
  }));
  fill(lanes, ...cells.map(({ head, place }) => h("div", { class: "compare-cell" }, head, place)));

  store.subscribe(
    whenChanged(
      (state) => [state.page === "compare", state.opened, state.other, state.entries],
      (state) => {
        if (state.page !== "compare") return;
        for (const { side, head } of cells) {
          const document = timelineOn(state, side)?.update.document;
          const opened = side === "one" ? state.opened : state.other;
          fill(
            head,
            choice(state, side),
            h("strong", {}, document?.blackout.durationNs == null ? "" : formatDuration(document.blackout.durationNs)),
            h(
              "span",
              { class: "status" },
              opened.what === "loading"
                ? "Reading…"
                : opened.what === "failed"
                  ? `cannot be shown: ${visibleText(opened.reason)}`
                  : document === undefined
                    ? ""
                    : `${visibleText(document.capture.kernel.old ?? "?")} → ${visibleText(document.capture.kernel.new ?? "?")}`,
            ),
          );
        }
        renderDifference(difference, state);
      },
    ),
  );
  store.subscribe((state) => {
    if (state.page !== "compare") return;
    const timelines = cells.map(({ side }) => timelineOn(state, side));
    if (timelines.some((timeline, i) => timeline !== shown[i])) {
      for (const view of views) view.destroy();
      shown = timelines;
      views = cells.flatMap(({ side, place }, i) => {
        const timeline = timelines[i] ?? null;
        const view = timeline === null ? null : { ...createTimelineView(store, timeline, 0, side), side };
        fill(place, view === null ? h("p", { class: "hint" }, "Choose an update above.") : view.element);
        return view === null ? [] : [view];
      });
    }
    for (const view of views) view.render(state);
  });
  return { element };
}

function renderDifference(root: Element, state: State): void {
  const [one, other] = [timelineOf(state), timelineOn(state, "other")];
  if (one === null || other === null) {
    fill(
      root,
      h(
        "p",
        { class: "hint" },
        "Choose two updates: they are drawn one below the other, aligned at the begin of the blackout.",
      ),
    );
    return;
  }
  const [a, b] = [one.update.document, other.update.document];
  const signed = (ns: number) => (ns === 0 ? "0" : `${ns > 0 ? "+" : "−"}${formatDuration(Math.abs(ns))}`);
  const row = (name: string, kind: string, x: number | null, y: number | null, by: number | null) => {
    const cell = (ns: number | null) =>
      h("td", { class: "number", title: ns === null ? "" : exactDuration(ns) }, ns === null ? "–" : formatDuration(ns));
    return h(
      "tr",
      {},
      h("th", { scope: "row", title: name }, name, kind === "" ? null : h("span", { class: "span-kind" }, kind)),
      cell(x),
      cell(y),
      h(
        "td",
        { class: by === null ? "number" : by > 0 ? "number more" : "number less", "data-by": by ?? "" },
        by === null ? "–" : signed(by),
      ),
    );
  };
  const head = (what: string) =>
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, what),
        h("th", { scope: "col", class: "number" }, "First"),
        h("th", { scope: "col", class: "number" }, "Second"),
        h("th", { scope: "col", class: "number" }, "Difference"),
      ),
    );
  const lengths = (document: typeof a) => [
    document.blackout.durationNs,
    ...PHASES.map((name) => document.phases.find((phase) => phase.name === name)?.durationNs ?? null),
  ];
  const [x, y] = [lengths(a), lengths(b)];
  const causes = differenceOf(analysisOf(one.update), analysisOf(other.update));
  const rest = causes?.slice(SHOWN) ?? [];
  const sum = (of: (cause: (typeof rest)[number]) => number | null) =>
    rest.reduce((total, cause) => total + (of(cause) ?? 0), 0);
  fill(
    root,
    h(
      "table",
      { class: "difference" },
      h("caption", { class: "hidden" }, "Blackout and phases of both updates"),
      head("Phase"),
      h(
        "tbody",
        {},
        ...["blackout", ...PHASES].map((name, i) => {
          const [from, to] = [x[i] ?? null, y[i] ?? null];
          return row(name, "", from, to, from === null || to === null ? null : to - from);
        }),
      ),
    ),
    causes === null
      ? h(
          "p",
          { class: "hint" },
          "No difference by cause: the blackout of one of the two is unknown, or one has no attribution.",
        )
      : h(
          "table",
          { class: "difference", id: "difference-causes" },
          h("caption", {}, "By cause, the largest difference first; the column adds up to the blackouts’ difference"),
          head("Cause"),
          h(
            "tbody",
            {},
            ...causes
              .slice(0, SHOWN)
              .map((cause) => row(visibleText(cause.name), cause.kind, cause.oneNs, cause.otherNs, cause.byNs)),
            rest.length === 0
              ? null
              : row(
                  `${rest.length.toLocaleString("en")} smaller ones`,
                  "",
                  sum((cause) => cause.oneNs),
                  sum((cause) => cause.otherNs),
                  sum((cause) => cause.byNs),
                ),
          ),
        ),
  );
}
