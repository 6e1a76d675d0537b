/** A small plot on its own canvas: sized to its place, with pointer events. */
import { h } from "../dom.js";

export interface CanvasPlot {
  readonly element: HTMLElement;
  readonly destroy: () => void;
}

export interface CanvasPlotOptions {
  readonly height: number;
  /** What it shows, as text. */
  readonly label: string;
  readonly draw: (context: CanvasRenderingContext2D, width: number, height: number) => void;
  /** What is under a point, as text, and its update; null if there is nothing. */
  readonly at: (
    x: number,
    y: number,
    width: number,
  ) => { readonly text: string; readonly update: number | null } | null;
  readonly say: (text: string) => void;
  readonly open: (update: number) => void;
}

export function canvasPlot(options: CanvasPlotOptions): CanvasPlot {
  const { height, label, draw, at, say, open } = options;
  const canvas = h("canvas", { role: "img", "aria-label": label });
  const element = h("div", { class: "plot canvas-plot" }, canvas);
  const context = canvas.getContext("2d");
  const paint = () => {
    const width = element.clientWidth;
    if (width === 0 || context === null) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.textBaseline = "middle";
    draw(context, width, height);
  };
  const found = (event: MouseEvent) => {
    const box = canvas.getBoundingClientRect();
    return at(event.clientX - box.left, event.clientY - box.top, element.clientWidth);
  };
  canvas.addEventListener("pointermove", (event) => {
    const under = found(event);
    canvas.style.cursor = under?.update == null ? "default" : "pointer";
    say(under?.text ?? "");
  });
  canvas.addEventListener("pointerleave", () => say(""));
  canvas.addEventListener("click", (event) => {
    const update = found(event)?.update ?? null;
    if (update !== null) open(update);
  });
  const observer = new ResizeObserver(paint);
  observer.observe(element);
  return { element, destroy: () => observer.disconnect() };
}
