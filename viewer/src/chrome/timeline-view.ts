/** One timeline on the page: a canvas that sticks to a scrolled box, its pointer, its tooltip. */
import { attachPointer } from "../interaction/pointer.js";
import type { State } from "../interaction/state.js";
import { timelineOf } from "../interaction/state.js";
import type { Store } from "../interaction/store.js";
import { buildScene, HEAD_HEIGHT, type Hit, METRICS, type Scene } from "../layout/scene.js";
import { humanDuration, humanOffset, visibleText } from "../model/format.js";
import type { Timeline } from "../model/timeline.js";
import { createPainter } from "../painter/painter.js";
import { PALETTES } from "../painter/palette.js";
import { h } from "./dom.js";

export interface TimelineView {
  readonly element: HTMLElement;
  readonly render: (state: State) => void;
  /** Width of the plot without the gutter, in CSS pixels. */
  readonly plotWidth: () => number;
  readonly destroy: () => void;
}

export function createTimelineView(store: Store, timeline: Timeline, axis: number, tallest: number): TimelineView {
  const canvas = h("canvas", { class: "timeline-canvas" });
  const spacer = h("div", { class: "timeline-spacer" });
  const tooltip = h("div", { class: "tooltip", role: "presentation", hidden: true });
  const box = h(
    "div",
    {
      class: "timeline",
      tabindex: 0,
      role: "application",
      "data-ribbon-y": METRICS.overview + METRICS.regions + 4,
      "aria-label": `Timeline${timeline.axes.length > 1 ? ` of the ${timeline.axes[axis]?.name} kernel` : ""}; arrow keys walk its spans, W A S D zoom and pan, ? lists all keys`,
    },
    canvas,
    spacer,
  );
  const element = h("div", { class: "timeline-frame" }, box, tooltip);
  const paint = createPainter(canvas);
  let scene: Scene | null = null;
  let foldedSeen: ReadonlySet<string> | null = null;

  const plotWidth = () => Math.max(1, box.clientWidth - METRICS.gutter);
  const render = (state: State) => {
    const of = timeline.axes[axis];
    const view = state.views[axis];
    if (of === undefined || view === undefined || timelineOf(state) !== timeline) return;
    if (scene === null || foldedSeen !== state.folded) {
      scene = buildScene(of, state.folded);
      foldedSeen = state.folded;
      const whole = scene.height + HEAD_HEIGHT;
      const height = Math.min(whole, Math.max(HEAD_HEIGHT + 120, tallest));
      box.style.height = `${height}px`;
      spacer.style.height = `${whole - height}px`;
    }
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (width === 0 || height === 0) return;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pointer = state.pointer?.axis === axis ? state.pointer : null;
    paint({
      update: timeline.update,
      scene,
      view,
      width,
      height,
      pixelRatio: window.devicePixelRatio || 1,
      scrollY: box.scrollTop,
      palette: PALETTES[state.theme],
      selection: state.selection,
      range: state.range,
      pointerX: pointer?.x ?? null,
      axis,
    });
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
  const again = () => render(store.state());
  box.addEventListener("scroll", again, { passive: true });
  const observer = new ResizeObserver(again);
  observer.observe(box);
  attachPointer({
    element: canvas,
    axis,
    state: store.state,
    dispatch: store.dispatch,
    scene: () => scene,
    width: plotWidth,
    scrollY: () => box.scrollTop,
    scrollBy: (pixels) => {
      box.scrollTop += pixels;
    },
  });
  return { element, render, plotWidth, destroy: () => observer.disconnect() };
}

/** Two lines: what, and how long. */
function tooltipText(timeline: Timeline, hit: Hit): readonly [string, string] | null {
  const { update } = timeline;
  switch (hit.what) {
    case "span": {
      const { spans } = update;
      const [begin, end] = [spans.beginNs[hit.row] ?? 0, spans.endNs[hit.row] ?? 0];
      const name = spans.strings[spans.name[hit.row] ?? 0] ?? "";
      return [visibleText(name), `${humanDuration(end - begin)}, begins ${humanOffset(begin)}`];
    }
    case "phase": {
      const phase = update.document.phases[hit.index];
      if (phase === undefined || phase.durationNs === null || phase.beginNs === null) return null;
      return [phase.name, `${humanDuration(phase.durationNs)}, begins ${humanOffset(phase.beginNs)}`];
    }
    case "printk": {
      const line = update.printk[hit.item];
      return line === undefined ? null : [visibleText(line.text), line.atNs === null ? "" : humanOffset(line.atNs)];
    }
    case "defect": {
      const found = update.document.defects[hit.item];
      return found === undefined ? null : [visibleText(found.code), visibleText(found.message)];
    }
    case "group":
      return null;
  }
}
