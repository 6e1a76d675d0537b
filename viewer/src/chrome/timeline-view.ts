/** One timeline on the page: a canvas that sticks to a scrolled box, its pointer, its tooltip. */
import { foundIn } from "../interaction/found.js";
import { attachPointer } from "../interaction/pointer.js";
import type { Side, State } from "../interaction/state.js";
import { timelineOn } from "../interaction/state.js";
import type { Store } from "../interaction/store.js";
import { buildScene, HEAD_HEIGHT, type Hit, METRICS, middleOf, type Scene } from "../layout/scene.js";
import { analysisOf, nodeName } from "../model/analysis.js";
import { flowsOf } from "../model/flows.js";
import { formatDuration, formatSigned, visibleText } from "../model/format.js";
import type { Timeline } from "../model/timeline.js";
import { createPainter } from "../painter/painter.js";
import { PALETTES } from "../painter/palette.js";
import type { Frame } from "../painter/pen.js";
import { h } from "./dom.js";

export interface TimelineView {
  readonly element: HTMLElement;
  readonly render: (state: State) => void;
  /** Width of the plot without the gutter, in CSS pixels. */
  readonly plotWidth: () => number;
  /** What would be drawn now; null if there is nothing to draw on. `whole`: all lanes, not only the visible ones. */
  readonly frame: (state: State, whole: boolean) => Frame | null;
  readonly destroy: () => void;
}

const NO_ROWS: ReadonlySet<number> = new Set();

export function createTimelineView(store: Store, timeline: Timeline, axis: number, side: Side): TimelineView {
  const canvas = h("canvas", { class: "timeline-canvas" });
  const spacer = h("div", { class: "timeline-spacer" });
  const tooltip = h("div", { class: "tooltip", role: "presentation", hidden: true });
  const of = timeline.axes.length > 1 ? ` of the ${timeline.axes[axis]?.name} kernel` : "";
  const box = h(
    "div",
    {
      class: "timeline",
      tabindex: 0,
      role: "application",
      "data-ribbon-y": METRICS.overview + METRICS.regions + 4,
      "aria-label": `Timeline${of}; arrow keys step through its spans, W A S D zoom and pan, T lists the spans in view as a table, ? lists all keys`,
    },
    canvas,
    spacer,
  );
  const element = h("div", { class: "timeline-frame" }, box, tooltip);
  const paint = createPainter(canvas);
  let scene: Scene | null = null;
  let foldedSeen: ReadonlySet<string> | null = null;
  let shownSelection: State["selection"] = null;

  const plotWidth = () => Math.max(1, box.clientWidth - METRICS.gutter);
  const frame = (state: State, whole: boolean): Frame | null => {
    const view = state.views[axis];
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (scene === null || view === undefined || width === 0 || height === 0) return null;
    const own = side === "one";
    const pointer = state.pointer?.axis === axis ? state.pointer : null;
    return {
      update: timeline.update,
      timeline,
      scene,
      view,
      width,
      height: whole ? scene.height + HEAD_HEIGHT : height,
      scrollY: whole ? 0 : box.scrollTop,
      palette: PALETTES[state.theme],
      selection: own ? state.selection : null,
      range: state.range,
      marks: state.marks,
      matches: foundIn(timeline, state.query),
      chain: state.showChain ? analysisOf(timeline.update).chain : NO_ROWS,
      flows: own ? flowsShown(timeline, state) : [],
      pointerX: whole ? null : (pointer?.x ?? null),
      axis,
    };
  };
  const render = (state: State) => {
    const axisOf = timeline.axes[axis];
    if (axisOf === undefined || timelineOn(state, side) !== timeline) return;
    if (scene === null || foldedSeen !== state.folded) {
      scene = buildScene(axisOf, state.folded);
      foldedSeen = state.folded;
    }
    const whole = scene.height + HEAD_HEIGHT;
    spacer.style.height = `${Math.max(0, whole - box.clientHeight)}px`;
    if (side === "one" && state.selection !== shownSelection) {
      shownSelection = state.selection;
      if (state.selection?.what === "span") scrollToRow(state.selection.row);
    }
    const drawn = frame(state, false);
    if (drawn === null) return;
    const { width, height } = drawn;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    paint(drawn, window.devicePixelRatio || 1);
    const pointer = state.pointer?.axis === axis && state.pointer.side === side ? state.pointer : null;
    canvas.classList.toggle("pointing", pointer?.hit !== null && pointer?.hit !== undefined);
    const text = pointer?.hit ? tooltipText(timeline, pointer.hit) : null;
    tooltip.hidden = text === null;
    if (text !== null && pointer !== null) {
      tooltip.replaceChildren(h("strong", {}, text[0]), h("span", {}, text[1]));
      const left = Math.min(pointer.x + 14, width - tooltip.offsetWidth - 8);
      const below = pointer.y + 20 + tooltip.offsetHeight < height;
      tooltip.style.transform = `translate(${Math.max(8, left)}px, ${below ? pointer.y + 18 : pointer.y - tooltip.offsetHeight - 10}px)`;
    }
  };
  const scrollToRow = (row: number) => {
    const y = scene === null ? null : middleOf(scene, timeline, row);
    if (y === null) return;
    const room = box.clientHeight - HEAD_HEIGHT;
    if (y - 12 < box.scrollTop || y + 12 > box.scrollTop + room) box.scrollTop = Math.max(0, y - room / 2);
  };
  const again = () => render(store.state());
  box.addEventListener("scroll", again, { passive: true });
  const observer = new ResizeObserver(again);
  observer.observe(box);
  attachPointer({
    element: canvas,
    axis,
    side,
    timeline,
    state: store.state,
    dispatch: store.dispatch,
    scene: () => scene,
    width: plotWidth,
    scrollY: () => box.scrollTop,
    scrollBy: (pixels) => {
      box.scrollTop += pixels;
    },
  });
  return { element, render, plotWidth, frame, destroy: () => observer.disconnect() };
}

/** All connections over the seam, and every step of the selected thing's flow. */
function flowsShown(timeline: Timeline, state: State): readonly (readonly [number, number])[] {
  const { of, overSeam } = flowsOf(timeline.update);
  const way = state.selection?.what === "span" ? of.get(state.selection.row) : undefined;
  if (way === undefined) return overSeam;
  return [...overSeam, ...way.slice(1).map((row, i) => [way[i] as number, row] as const)];
}

/** Two lines: name and duration. */
function tooltipText(timeline: Timeline, hit: Hit): readonly [string, string] | null {
  const { update } = timeline;
  switch (hit.what) {
    case "span": {
      const { spans } = update;
      const [begin, end] = [spans.beginNs[hit.row] ?? 0, spans.endNs[hit.row] ?? 0];
      const name = spans.strings[spans.name[hit.row] ?? 0] ?? "";
      return [visibleText(name), `${formatDuration(end - begin)}, begins ${formatSigned(begin)}`];
    }
    case "node": {
      const node = analysisOf(update).nodes[hit.node];
      if (node === undefined) return null;
      return [visibleText(nodeName(node)), `${formatDuration(node.durationNs)}, begins ${formatSigned(node.beginNs)}`];
    }
    case "phase": {
      const phase = update.document.phases[hit.index];
      if (phase === undefined || phase.durationNs === null || phase.beginNs === null) return null;
      return [phase.name, `${formatDuration(phase.durationNs)}, begins ${formatSigned(phase.beginNs)}`];
    }
    case "printk": {
      const line = update.printk[hit.item];
      return line === undefined ? null : [visibleText(line.text), line.atNs === null ? "" : formatSigned(line.atNs)];
    }
    case "silence": {
      const silence = analysisOf(update).silences[hit.item];
      if (silence === undefined) return null;
      return [visibleText(silence.irq), `silent for ${formatDuration(silence.silentNs)}: not served over the kexec`];
    }
    case "defect": {
      const found = update.document.defects[hit.item];
      return found === undefined ? null : [visibleText(found.code), visibleText(found.message)];
    }
    case "group":
      return null;
  }
}
