/** The details panel: all that is known of the selected thing, and of the selected range. */
import type { Evidence } from "../../../src/analyze/live-update.js";
import { PHASE_COLOURS } from "../../../src/analyze/phase-colours.js";
import { SpanFlag, spanAt } from "../../../src/analyze/span-table.js";
import type { Selection, State } from "../interaction/state.js";
import { timelineOf } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { placeOf } from "../interaction/targets.js";
import { exactDuration, humanDuration, humanOffset, plusMinus, visibleText } from "../model/format.js";
import { rangeDuration, unseenSentence } from "../model/sentences.js";
import type { Timeline } from "../model/timeline.js";
import { fill, h, swatch } from "./dom.js";

type Row = readonly [string, string | Node];

export function renderDetails(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  if (timeline === null) {
    fill(root);
    return;
  }
  const range = state.range === null ? null : rangePart(timeline, state);
  const chosen = state.selection === null ? null : selectionPart(timeline, state.selection, dispatch);
  if (range === null && chosen === null) {
    fill(
      root,
      longestPart(timeline, dispatch),
      h("p", { class: "hint" }, "Click a span for its details. Drag over the timeline to measure a range."),
    );
    return;
  }
  fill(root, chosen, range);
}

/** Shown while nothing is selected: where to look first. */
function longestPart(timeline: Timeline, dispatch: Dispatch): HTMLElement | null {
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
              onclick: () => dispatch({ what: "select", selection: { what: "span", row } }),
            },
            h("span", { class: "longest-name" }, visibleText(span.name)),
            h("span", { class: "longest-kind" }, span.kind),
            h("span", { class: "longest-time" }, humanDuration(span.endNs - span.beginNs)),
          ),
        );
      }),
    ),
  );
}

function panel(
  title: Node | string,
  kind: string,
  rows: readonly Row[],
  ...more: readonly (Node | null)[]
): HTMLElement {
  return h(
    "section",
    { class: "detail" },
    h("p", { class: "detail-kind" }, kind),
    h("h3", {}, title),
    h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    ...more,
  );
}

function duration(beginNs: number, endNs: number): Row[] {
  return [
    ["Duration", humanDuration(endNs - beginNs)],
    ["", h("span", { class: "exact", "data-ns": endNs - beginNs }, exactDuration(endNs - beginNs))],
  ];
}

function selectionPart(timeline: Timeline, selection: Selection, dispatch: Dispatch): HTMLElement | null {
  const { update } = timeline;
  const place = placeOf(timeline, selection);
  const fit =
    place === null
      ? null
      : h(
          "button",
          { class: "quiet-button", onclick: () => dispatch({ what: "fit", ...place }) },
          "Fit ",
          h("kbd", {}, "F"),
        );
  const zero = timeline.axes[place?.axis ?? 0]?.name === "joint" ? "Begins" : "Begins (own axis)";
  switch (selection.what) {
    case "span": {
      if (selection.row >= update.spans.count) return null;
      const span = spanAt(update.spans, selection.row);
      const rows: Row[] = [
        [zero, humanOffset(span.beginNs)],
        ["", exact(span.beginNs)],
        ...duration(span.beginNs, span.endNs),
      ];
      if (span.boot !== null) rows.push(["Kernel", span.boot]);
      if (span.task !== "" || span.pid >= 0)
        rows.push(["Task", `${visibleText(span.task)}${span.pid >= 0 ? ` (pid ${span.pid})` : ""}`]);
      if (span.cpu >= 0) rows.push(["CPU", `${span.cpu}`]);
      if (span.detail !== "") rows.push(["Detail", visibleText(span.detail)]);
      rows.push(["Evidence", visibleText(span.evidence) || "–"]);
      const notes = [
        (span.flags & SpanFlag.beginUnseen) !== 0 ? "Its begin was not seen: it began no earlier than shown." : null,
        (span.flags & SpanFlag.endUnseen) !== 0 ? "Its end was not seen: it ended no later than shown." : null,
        (span.flags & SpanFlag.inferred) !== 0 ? "Its cause is inferred, not recorded." : null,
      ].filter((note) => note !== null);
      return panel(
        visibleText(span.name),
        span.kind,
        rows,
        ...notes.map((note) => h("p", { class: "note" }, note)),
        fit,
      );
    }
    case "phase": {
      const phase = update.document.phases[selection.index];
      if (phase === undefined) return null;
      const rows: Row[] = [];
      if (phase.beginNs !== null) rows.push([zero, humanOffset(phase.beginNs)], ["", exact(phase.beginNs)]);
      if (phase.durationNs !== null) {
        rows.push(["Duration", `${humanDuration(phase.durationNs)} ${plusMinus(phase.uncertaintyNs)}`]);
        rows.push(["", h("span", { class: "exact", "data-ns": phase.durationNs }, exactDuration(phase.durationNs))]);
      }
      const unseen = unseenSentence(phase);
      if (unseen !== "") rows.push(["Not seen", unseen]);
      rows.push(["Begin read from", evidence(phase.evidence.begin)], ["End read from", evidence(phase.evidence.end)]);
      return panel(h("span", {}, swatch(PHASE_COLOURS[phase.name].fill), phase.name), "phase", rows, fit);
    }
    case "printk": {
      const line = update.printk[selection.item];
      if (line === undefined) return null;
      const rows: Row[] = [["Kernel", line.boot]];
      if (line.atNs !== null) {
        rows.push(["At", `${humanOffset(line.atNs)} ${plusMinus(line.uncertaintyNs)}`], ["", exact(line.atNs)]);
      }
      if (line.stampNs !== null) rows.push(["Stamp", exactDuration(line.stampNs)]);
      rows.push(["Level", line.level === null ? "unknown" : `${line.level}`]);
      return panel(h("span", { class: "log-text" }, visibleText(line.text)), "kernel log", rows, fit);
    }
    case "defect": {
      const found = update.document.defects[selection.item];
      if (found === undefined) return null;
      const rows: Row[] = [
        ["Severity", found.severity],
        ["File", `${visibleText(found.file)}${found.line === null ? "" : `:${found.line}`}`],
        ["Count", found.count.toLocaleString("en")],
      ];
      if (found.atNs !== null) rows.push(["At", humanOffset(found.atNs)]);
      return panel(
        visibleText(found.code),
        "defect",
        rows,
        h("p", { class: "note" }, visibleText(found.message)),
        h("p", { class: "note" }, visibleText(found.advice)),
        fit,
      );
    }
  }
}

function exact(ns: number): HTMLElement {
  return h("span", { class: "exact" }, exactDuration(ns));
}

function evidence(found: Evidence | null): string {
  if (found === null) return "–";
  return `${visibleText(found.event)}, ${found.confidence}, ${visibleText(found.file)}:${found.place.toLocaleString("en")}`;
}

function rangePart(timeline: Timeline, state: State): HTMLElement | null {
  const { range } = state;
  const axis = range === null ? undefined : timeline.axes[range.axis];
  if (range === null || axis === undefined) return null;
  const rows: Row[] = [
    ["From", humanOffset(range.beginNs)],
    ["To", humanOffset(range.endNs)],
    ["Duration", rangeDuration(timeline.update.document, range.beginNs, range.endNs)],
    ["", h("span", { class: "exact" }, exactDuration(range.endNs - range.beginNs))],
  ];
  for (const phase of axis.phases) {
    const inside = Math.min(phase.endNs, range.endNs) - Math.max(phase.beginNs, range.beginNs);
    if (inside > 0) rows.push([`of ${phase.name}`, humanDuration(inside)]);
  }
  return panel("Selected range", "range", rows);
}
