/** Saves or copies the current view: as a link, as JSON, as PNG, as SVG. */
import { assertNever } from "../../../src/base/result.js";
import { spanAt } from "../../../src/model/span-table.js";
import { linkOf } from "../interaction/link.js";
import { type Selection, type State, timelineOf } from "../interaction/state.js";
import type { Store } from "../interaction/store.js";
import { analysisOf } from "../model/analysis.js";
import { fileStem } from "../model/format.js";
import { rangeStatistics } from "../model/range-statistics.js";
import type { Timeline } from "../model/timeline.js";
import type { Frame } from "../painter/pen.js";
import { svgOf } from "../painter/svg.js";
import type { Sharing } from "./bar.js";
import { save } from "./dom.js";

/** `frames` are the timelines as drawn, with all lanes; `pictures` their canvases. */
export function sharingOf(
  store: Store,
  frames: () => readonly Frame[],
  pictures: () => readonly HTMLCanvasElement[],
): readonly Sharing[] {
  const say = (text: string, error = false) => store.dispatch({ what: "notice", text, error });
  const copy = async (text: string, what: string) => {
    try {
      await navigator.clipboard.writeText(text);
      say(`${what} copied.`);
    } catch {
      say(`${what} could not be copied: the browser does not allow this page to use the clipboard.`, true);
    }
  };
  const name = () => fileStem(timelineOf(store.state())?.update.document.capture.name ?? "blackout");
  return [
    {
      label: "Copy link",
      run: () => void copy(`${location.href.replace(/#.*/, "")}#${linkOf(store.state())}`, "Link"),
    },
    { label: "Copy as JSON", run: () => void copy(jsonOf(store.state()), "JSON") },
    {
      label: "Save PNG",
      run: () => {
        const [first] = pictures();
        if (first === undefined) return say("There is no timeline to save: open an update first.", true);
        joined(pictures()).toBlob((blob) => {
          if (blob === null) return say("The browser could not make a picture of this size.", true);
          save(blob, `${name()}.png`);
        });
      },
    },
    {
      label: "Save SVG",
      run: () => {
        const [frame, ...more] = frames();
        if (frame === undefined) return say("There is no timeline to save: open an update first.", true);
        const pen = document.createElement("canvas").getContext("2d");
        const measure = (text: string, font: string) => {
          if (pen === null) return text.length * 6.6;
          pen.font = font;
          return pen.measureText(text).width;
        };
        for (const [i, one] of [frame, ...more].entries()) {
          const suffix = more.length === 0 ? "" : `-${i + 1}`;
          save(new Blob([svgOf(one, measure)], { type: "image/svg+xml" }), `${name()}${suffix}.svg`);
        }
      },
    },
  ];
}

/** Several timelines below each other, as on the page. */
function joined(pictures: readonly HTMLCanvasElement[]): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(...pictures.map((picture) => picture.width));
  canvas.height = pictures.reduce((sum, picture) => sum + picture.height, 0);
  const pen = canvas.getContext("2d");
  let y = 0;
  for (const picture of pictures) {
    pen?.drawImage(picture, 0, y);
    y += picture.height;
  }
  return canvas;
}

/** The view for programs: which update, what is selected, the range and its statistics, the marks. */
function jsonOf(state: State): string {
  const timeline = timelineOf(state);
  const { selection, range } = state;
  const axis = range === null ? undefined : timeline?.axes[range.axis];
  return JSON.stringify(
    {
      format: "blackout-view",
      version: 1,
      link: linkOf(state),
      update: timeline?.update.document.capture.name ?? null,
      views: state.views.map((view, i) => ({ axis: timeline?.axes[i]?.name, ...view })),
      selection: timeline === null || selection === null ? null : selected(selection, timeline.update),
      range:
        timeline === null || range === null || axis === undefined
          ? null
          : {
              axis: axis.name,
              beginNs: range.beginNs,
              endNs: range.endNs,
              durationNs: range.endNs - range.beginNs,
              ...named(rangeStatistics(timeline, axis, range.beginNs, range.endNs), timeline.update.spans.strings),
            },
      marks: state.marks.map((mark) => ({ axis: timeline?.axes[mark.axis]?.name, atNs: mark.atNs, note: mark.note })),
    },
    null,
    2,
  );
}

/** What is selected, in full, with the kind of thing it is. */
function selected(selection: Selection, update: Timeline["update"]): object {
  const { what } = selection;
  switch (what) {
    case "span":
      return { what, ...spanAt(update.spans, selection.row) };
    case "phase":
      return { ...update.document.phases[selection.index], what };
    case "node":
      return { ...analysisOf(update).nodes[selection.node], children: undefined, what };
    case "printk":
      return { ...update.printk[selection.item], what };
    case "silence":
      return { ...analysisOf(update).silences[selection.item], what };
    case "defect":
      return { ...update.document.defects[selection.item], what };
    default:
      return assertNever(what);
  }
}

function named(found: ReturnType<typeof rangeStatistics>, strings: readonly string[]): object {
  const causes = found.causes.map(({ kind, name, count, sumNs }) => ({ kind, name: strings[name], count, sumNs }));
  return { spans: found.count, kinds: found.kinds, causes, shares: found.shares };
}
