/** What the painter draws with: the part of the 2D canvas it uses, so that the same drawing can become SVG. */
import type { LiveUpdate } from "../../../src/model/live-update.js";
import type { AxisRange, NotedInstant, Selection } from "../interaction/state.js";
import type { Rects } from "../layout/level-of-detail.js";
import { METRICS, type Scene } from "../layout/scene.js";
import { type View, xOf } from "../layout/viewport.js";
import type { Found } from "../model/search.js";
import type { Timeline } from "../model/timeline.js";
import type { Palette } from "./palette.js";

export type Paint = string | CanvasGradient | CanvasPattern;

export interface Pen {
  fillStyle: Paint;
  strokeStyle: Paint;
  lineWidth: number;
  globalAlpha: number;
  font: string;
  textAlign: CanvasTextAlign;
  textBaseline: CanvasTextBaseline;
  save(): void;
  restore(): void;
  translate(x: number, y: number): void;
  beginPath(): void;
  rect(x: number, y: number, w: number, h: number): void;
  clip(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  bezierCurveTo(ax: number, ay: number, bx: number, by: number, x: number, y: number): void;
  closePath(): void;
  fill(): void;
  stroke(): void;
  fillRect(x: number, y: number, w: number, h: number): void;
  strokeRect(x: number, y: number, w: number, h: number): void;
  fillText(text: string, x: number, y: number): void;
  measureText(text: string): { readonly width: number };
  createLinearGradient(x0: number, y0: number, x1: number, y1: number): CanvasGradient;
}

export interface Frame {
  readonly update: LiveUpdate;
  readonly timeline: Timeline;
  readonly scene: Scene;
  readonly view: View;
  /** Of the whole timeline, in CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly scrollY: number;
  readonly palette: Palette;
  readonly selection: Selection | null;
  readonly range: AxisRange | null;
  readonly marks: readonly NotedInstant[];
  /** The search; null if there is none. */
  readonly matches: Found | null;
  /** Rows of the critical chain, drawn stronger; empty if it is unknown. */
  readonly chain: ReadonlySet<number>;
  /** Pairs of rows that are one thing before and after the kexec. */
  readonly flows: readonly (readonly [number, number])[];
  /** x of the pointer in the timeline, if it is over it. */
  readonly pointerX: number | null;
  /** Index of this timeline's axis. */
  readonly axis: number;
}

/** What stays the same from frame to frame. */
export interface Tools {
  readonly context: Pen;
  readonly scratch: Rects;
  readonly hatch: Paint;
  /** Width of a character of the 11 px fixed-width font. */
  readonly glyph: number;
  /** Width of the plot without the gutter. */
  readonly plot: number;
}

export const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
export const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace';

export const toX = (tools: Tools, frame: Frame, ns: number): number => xOf(frame.view, tools.plot, ns);

/** `x` limited to just beyond the plot: canvas coordinates lose precision far outside. */
export const heldX = (tools: Tools, frame: Frame, ns: number): number =>
  Math.min(Math.max(toX(tools, frame, ns), -50), tools.plot + 50);

/** Clips to the plot between two heights and moves the origin to its left edge. */
export function inPlot(tools: Tools, frame: Frame, top: number, bottom: number, draw: () => void): void {
  const { context } = tools;
  context.save();
  context.beginPath();
  context.rect(METRICS.gutter, top, frame.width - METRICS.gutter, bottom - top);
  context.clip();
  context.translate(METRICS.gutter, 0);
  draw();
  context.restore();
}

export function strokeBox(pen: Pen, colour: string, x: number, y: number, w: number, h: number): void {
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.strokeRect(x + 0.5, y + 0.5, Math.max(0, w - 1), h - 1);
}

export function outline(pen: Pen, palette: Palette, x: number, y: number, w: number, h: number): void {
  pen.strokeStyle = palette.ground;
  pen.lineWidth = 4;
  pen.strokeRect(x, y, Math.max(1, w), h);
  pen.strokeStyle = palette.accent;
  pen.lineWidth = 2;
  pen.strokeRect(x, y, Math.max(1, w), h);
}

/** The text, or as much of its head and tail as fits: the ends of ids distinguish them. */
export function fitText(pen: Pen, text: string, room: number): string {
  const wide = pen.measureText(text).width;
  if (wide <= room) return text;
  const keep = Math.max(2, Math.floor((text.length * room) / wide) - 2);
  return `${text.slice(0, Math.ceil(keep / 2))}…${text.slice(text.length - Math.floor(keep / 2))}`;
}
