/** The details panel: everything about the selected thing, and about the selected range. */
import type { Evidence } from "../../../../src/model/live-update.js";
import { SpanFlag, spanAt } from "../../../../src/model/span-table.js";
import { PHASE_COLOURS } from "../../../../src/report/phase-colours.js";
import type { NotedInstant, Selection, State } from "../../interaction/state.js";
import { timelineOf } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { placeOf } from "../../interaction/targets.js";
import { analysisOf, nodeName } from "../../model/analysis.js";
import {
  exactDuration,
  formatDuration,
  formatSigned,
  percent,
  plural,
  plusMinus,
  visibleText,
} from "../../model/format.js";
import { type RangeStatistics, rangeStatistics } from "../../model/range-statistics.js";
import { rangeDuration, unseenSentence } from "../../model/sentences.js";
import type { Timeline } from "../../model/timeline.js";
import { kindColour } from "../../painter/palette.js";
import { fill, h, swatch } from "../dom.js";

type Row = readonly [string, string | Node];

export function renderDetails(root: Element, state: State, dispatch: Dispatch): void {
  const timeline = timelineOf(state);
  if (timeline === null) {
    fill(root);
    return;
  }
  const range = state.range === null ? null : rangePart(timeline, state, dispatch);
  const chosen = state.selection === null ? null : selectionPart(timeline, state.selection, dispatch);
  const marks = state.marks.length === 0 ? null : marksPart(state, dispatch);
  const hint =
    range === null && chosen === null && marks === null
      ? h(
          "p",
          { class: "hint" },
          "Click a span for its details. Drag over the timeline to measure a range. ",
          h("kbd", {}, "M"),
          " marks an instant.",
        )
      : null;
  fill(root, chosen, range, marks, hint);
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
    ["Duration", formatDuration(endNs - beginNs)],
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
        [zero, formatSigned(span.beginNs)],
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
        (span.flags & SpanFlag.beginUnseen) !== 0
          ? "Its begin was not seen: it did not begin earlier than shown."
          : null,
        (span.flags & SpanFlag.endUnseen) !== 0 ? "Its end was not seen: it did not end later than shown." : null,
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
    case "node": {
      const node = analysisOf(update).nodes[selection.node];
      if (node === undefined) return null;
      const rows: Row[] = [
        [zero, formatSigned(node.beginNs)],
        ["", exact(node.beginNs)],
        ...duration(node.beginNs, node.endNs),
      ];
      if (node.phase !== null) rows.push(["Phase", node.phase]);
      if (node.stage !== null) rows.push(["Stage", visibleText(node.stage)]);
      if (node.boot !== null) rows.push(["Kernel", node.boot]);
      if (node.task !== "") rows.push(["Task", visibleText(node.task)]);
      if (node.children.length > 0) {
        rows.push([
          "Unattributed",
          `${formatDuration(node.unattributedNs)}, ${percent(node.unattributedNs, node.durationNs)}`,
        ]);
      }
      if (node.evidence !== "") rows.push(["Evidence", visibleText(node.evidence)]);
      const { row } = node;
      const toSpan =
        row < 0
          ? null
          : h(
              "button",
              {
                class: "quiet-button",
                onclick: () => dispatch({ what: "select", selection: { what: "span", row } }),
              },
              "Its record",
            );
      const inferred = node.inferred
        ? h("p", { class: "note" }, "It follows from the order of what was recorded, not from a record of its own.")
        : null;
      return panel(visibleText(nodeName(node)), node.kind, rows, inferred, fit, toSpan);
    }
    case "phase": {
      const phase = update.document.phases[selection.index];
      if (phase === undefined) return null;
      const rows: Row[] = [];
      if (phase.beginNs !== null) rows.push([zero, formatSigned(phase.beginNs)], ["", exact(phase.beginNs)]);
      if (phase.durationNs !== null) {
        rows.push(["Duration", `${formatDuration(phase.durationNs)} ${plusMinus(phase.uncertaintyNs)}`]);
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
        rows.push(["At", `${formatSigned(line.atNs)} ${plusMinus(line.uncertaintyNs)}`], ["", exact(line.atNs)]);
      }
      if (line.stampNs !== null) rows.push(["Stamp", exactDuration(line.stampNs)]);
      rows.push(["Level", line.level === null ? "unknown" : `${line.level}`]);
      return panel(h("span", { class: "log-text" }, visibleText(line.text)), "kernel log", rows, fit);
    }
    case "silence": {
      const silence = analysisOf(update).silences[selection.item];
      if (silence === undefined) return null;
      const { irq, lastOldNs, firstNewNs, silentNs } = silence;
      return panel(
        visibleText(irq),
        "interrupt silence",
        [
          ...duration(0, silentNs),
          ["Last served", `${formatSigned(lastOldNs)}, old kernel`],
          ["", exact(lastOldNs)],
          ["First served", `${formatSigned(firstNewNs)}, new kernel`],
          ["", exact(firstNewNs)],
        ],
        h(
          "p",
          { class: "note" },
          "The line’s handler did not run in between: interrupts raised by the device are lost, or wait in the device.",
        ),
        fit,
      );
    }
    case "defect": {
      const found = update.document.defects[selection.item];
      if (found === undefined) return null;
      const rows: Row[] = [
        ["Severity", found.severity],
        ["File", `${visibleText(found.file)}${found.line === null ? "" : `:${found.line}`}`],
        ["Count", found.count.toLocaleString("en")],
      ];
      if (found.atNs !== null) rows.push(["At", formatSigned(found.atNs)]);
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

function rangePart(timeline: Timeline, state: State, dispatch: Dispatch): HTMLElement | null {
  const { range } = state;
  const axis = range === null ? undefined : timeline.axes[range.axis];
  if (range === null || axis === undefined) return null;
  const whole = range.endNs - range.beginNs;
  const rows: Row[] = [
    ["From", formatSigned(range.beginNs)],
    ["To", formatSigned(range.endNs)],
    ["Duration", rangeDuration(timeline.update.document, range.beginNs, range.endNs)],
    ["", h("span", { class: "exact", "data-range-ns": whole }, exactDuration(whole))],
  ];
  for (const phase of axis.phases) {
    const inside = Math.min(phase.endNs, range.endNs) - Math.max(phase.beginNs, range.beginNs);
    if (inside > 0) rows.push([`of ${phase.name}`, formatDuration(inside)]);
  }
  const found = rangeStatistics(timeline, axis, range.beginNs, range.endNs);
  rows.push(["Spans", found.count.toLocaleString("en")]);
  return h(
    "div",
    {},
    panel("Selected range", "range", rows),
    sharesPart(found, whole),
    causesPart(timeline, found, dispatch),
    kindsPart(found),
  );
}

/** A bar and a list: each nanosecond once, to the innermost running cause. */
function sharesPart(found: RangeStatistics, whole: number): HTMLElement {
  if (found.shares === null) {
    return h(
      "section",
      { class: "detail" },
      h("h3", {}, "Owner of each nanosecond"),
      h("p", { class: "note" }, "This range has too many spans to compute this; select a shorter range."),
    );
  }
  return h(
    "section",
    { class: "detail" },
    h("h3", {}, "Owner of each nanosecond"),
    h(
      "div",
      { class: "share-stack", "aria-hidden": "true" },
      ...found.shares.map(({ kind, ns }) => {
        const part = h("span", { class: `share-part kind-${kind}` });
        part.style.width = `${(100 * ns) / whole}%`;
        part.style.backgroundColor = kindColour(kind);
        return part;
      }),
    ),
    h(
      "table",
      { class: "sums", id: "range-shares" },
      h("caption", { class: "hidden" }, "The range by innermost cause"),
      h(
        "tbody",
        {},
        ...found.shares.map(({ kind, ns }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, swatch(kindColour(kind)), kind === "unattributed" ? "no cause seen" : kind),
            h("td", { class: "number", title: exactDuration(ns), "data-ns": ns }, formatDuration(ns)),
            h("td", { class: "number" }, percent(ns, whole)),
          ),
        ),
      ),
    ),
  );
}

function causesPart(timeline: Timeline, found: RangeStatistics, dispatch: Dispatch): HTMLElement | null {
  if (found.causes.length === 0) return null;
  const { strings } = timeline.update.spans;
  return h(
    "section",
    { class: "detail" },
    h("h3", {}, "Top causes"),
    h(
      "ol",
      { class: "longest" },
      ...found.causes.map(({ kind, name, count, sumNs, row }) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              class: "longest-button",
              title: `${visibleText(strings[name] ?? "")}, ${plural(count, "span")}, ${exactDuration(sumNs)}`,
              onclick: () => dispatch({ what: "select", selection: { what: "span", row } }),
            },
            h("span", { class: "longest-name" }, visibleText(strings[name] ?? "")),
            h("span", { class: "longest-kind" }, count === 1 ? kind : `${kind} × ${count.toLocaleString("en")}`),
            h("span", { class: "longest-time" }, formatDuration(sumNs)),
          ),
        ),
      ),
    ),
  );
}

function kindsPart(found: RangeStatistics): HTMLElement | null {
  if (found.kinds.length === 0) return null;
  return h(
    "section",
    { class: "detail" },
    h("h3", {}, "Sums by kind"),
    h("p", { class: "note" }, "Nested and parallel spans each count in full: these sums may exceed the range."),
    h(
      "table",
      { class: "sums", id: "range-kinds" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Kind"),
          h("th", { scope: "col", class: "number" }, "Count"),
          h("th", { scope: "col", class: "number" }, "Sum"),
        ),
      ),
      h(
        "tbody",
        {},
        ...found.kinds.map(({ kind, count, sumNs }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, kind),
            h("td", { class: "number" }, count.toLocaleString("en")),
            h("td", { class: "number", title: exactDuration(sumNs) }, formatDuration(sumNs)),
          ),
        ),
      ),
    ),
  );
}

/** Marks in the order of time, each with its note and its distance from the one before on its axis. */
function marksPart(state: State, dispatch: Dispatch): HTMLElement {
  const order = [...state.marks.keys()].sort(
    (a, b) =>
      (state.marks[a] as NotedInstant).axis - (state.marks[b] as NotedInstant).axis ||
      (state.marks[a] as NotedInstant).atNs - (state.marks[b] as NotedInstant).atNs,
  );
  return h(
    "section",
    { class: "detail", id: "marks" },
    h("h3", {}, "Marks"),
    h(
      "ol",
      { class: "marks" },
      ...order.map((index, i) => {
        const mark = state.marks[index] as NotedInstant;
        const before = i === 0 ? undefined : state.marks[order[i - 1] as number];
        const apart = before === undefined || before.axis !== mark.axis ? null : mark.atNs - before.atNs;
        return h(
          "li",
          { class: "mark" },
          h("span", { class: "mark-at", title: exactDuration(mark.atNs) }, formatSigned(mark.atNs)),
          apart === null
            ? null
            : h(
                "span",
                { class: "mark-apart", title: exactDuration(apart), "data-ns": apart },
                `Δ ${formatDuration(apart)}`,
              ),
          h(
            "button",
            {
              class: "quiet-button",
              "aria-label": `Remove the mark at ${formatSigned(mark.atNs)}`,
              onclick: () => dispatch({ what: "unmark", index }),
            },
            "Remove",
          ),
          noteField(state, mark, index, dispatch),
        );
      }),
    ),
  );
}

function noteField(state: State, mark: NotedInstant, index: number, dispatch: Dispatch): HTMLElement {
  const field = h("input", {
    class: "note-field",
    type: "text",
    maxlength: 200,
    placeholder: "Note",
    "aria-label": `Note of the mark at ${formatSigned(mark.atNs)}`,
    "data-mark": index,
  });
  field.value = mark.note;
  field.addEventListener("change", () => dispatch({ what: "note", index, note: field.value }));
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter" && field.value !== mark.note) dispatch({ what: "note", index, note: field.value });
    dispatch({ what: "noting-done" });
    document.querySelector<HTMLElement>(".timeline")?.focus();
  });
  if (state.noting === index) queueMicrotask(() => field.focus({ preventScroll: true }));
  return field;
}
