/** A pen that writes SVG: the same drawing as on the canvas, as shapes and text that scale. */
import { rects } from "../layout/level-of-detail.js";
import { paintWith } from "./painter.js";
import type { Frame, Paint, Pen } from "./pen.js";

interface Gradient extends CanvasGradient {
  readonly id: string;
  readonly stops: string[];
  readonly at: readonly [number, number, number, number];
}

interface Saved {
  readonly x: number;
  readonly y: number;
  readonly fillStyle: Paint;
  readonly strokeStyle: Paint;
  readonly lineWidth: number;
  readonly globalAlpha: number;
  readonly font: string;
  readonly textAlign: CanvasTextAlign;
  /** Groups opened since; closed when this is restored. */
  groups: number;
}

const HATCH = "url(#hatch)";

/** The frame as one SVG document. `measure` returns the width of a text in a CSS font. */
export function svgOf(frame: Frame, measure: (text: string, font: string) => number): string {
  const { width, height, palette } = frame;
  const pen = new SvgPen(measure);
  paintWith(pen, HATCH, rects(), frame);
  const hatch = `<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" fill="${attribute(palette.hatchGround)}"/><path d="M-8 8L0 0M0 8L8 0M8 8L16 0" stroke="${attribute(palette.hatch)}" stroke-width="1.1"/></pattern>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<defs>${hatch}${pen.definitions()}</defs>
${pen.body()}
</svg>
`;
}

class SvgPen implements Pen {
  fillStyle: Paint = "#000";
  strokeStyle: Paint = "#000";
  lineWidth = 1;
  globalAlpha = 1;
  font = "10px sans-serif";
  textAlign: CanvasTextAlign = "left";
  textBaseline: CanvasTextBaseline = "middle";
  readonly #measure: (text: string, font: string) => number;
  readonly #out: string[] = [];
  readonly #gradients: Gradient[] = [];
  readonly #clips: string[] = [];
  readonly #saved: Saved[] = [];
  #x = 0;
  #y = 0;
  #path = "";

  constructor(measure: (text: string, font: string) => number) {
    this.#measure = measure;
  }

  definitions(): string {
    const gradients = this.#gradients.map(
      ({ id, stops, at: [x1, y1, x2, y2] }) =>
        `<linearGradient id="${id}" gradientUnits="userSpaceOnUse" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}">${stops.join("")}</linearGradient>`,
    );
    const clips = this.#clips.map((path, i) => `<clipPath id="c${i}"><path d="${path}"/></clipPath>`);
    return [...gradients, ...clips].join("");
  }

  body(): string {
    return this.#out.join("\n");
  }

  save(): void {
    const { fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign } = this;
    this.#saved.push({
      x: this.#x,
      y: this.#y,
      fillStyle,
      strokeStyle,
      lineWidth,
      globalAlpha,
      font,
      textAlign,
      groups: 0,
    });
  }

  restore(): void {
    const saved = this.#saved.pop();
    if (saved === undefined) return;
    this.#out.push("</g>".repeat(saved.groups));
    this.#x = saved.x;
    this.#y = saved.y;
    this.fillStyle = saved.fillStyle;
    this.strokeStyle = saved.strokeStyle;
    this.lineWidth = saved.lineWidth;
    this.globalAlpha = saved.globalAlpha;
    this.font = saved.font;
    this.textAlign = saved.textAlign;
  }

  translate(x: number, y: number): void {
    this.#x += x;
    this.#y += y;
  }

  beginPath(): void {
    this.#path = "";
  }

  closePath(): void {
    this.#path += "Z";
  }

  moveTo(x: number, y: number): void {
    this.#path += `M${this.#at(x, y)}`;
  }

  lineTo(x: number, y: number): void {
    this.#path += `L${this.#at(x, y)}`;
  }

  bezierCurveTo(ax: number, ay: number, bx: number, by: number, x: number, y: number): void {
    this.#path += `C${this.#at(ax, ay)} ${this.#at(bx, by)} ${this.#at(x, y)}`;
  }

  rect(x: number, y: number, w: number, h: number): void {
    this.#path += `M${this.#at(x, y)}h${short(w)}v${short(h)}h${short(-w)}Z`;
  }

  clip(): void {
    const saved = this.#saved.at(-1);
    if (saved === undefined) return;
    this.#out.push(`<g clip-path="url(#c${this.#clips.length})">`);
    this.#clips.push(this.#path);
    saved.groups++;
  }

  fill(): void {
    this.#out.push(`<path d="${this.#path}" ${this.#filled()}/>`);
  }

  stroke(): void {
    this.#out.push(`<path d="${this.#path}" ${this.#stroked()}/>`);
  }

  fillRect(x: number, y: number, w: number, h: number): void {
    if (w <= 0 || h <= 0) return;
    this.#out.push(`<rect ${this.#box(x, y, w, h)} ${this.#filled()}/>`);
  }

  strokeRect(x: number, y: number, w: number, h: number): void {
    this.#out.push(`<rect ${this.#box(x, y, Math.max(0, w), Math.max(0, h))} ${this.#stroked()}/>`);
  }

  fillText(text: string, x: number, y: number): void {
    const anchor = this.textAlign === "right" ? ' text-anchor="end"' : "";
    this.#out.push(
      `<text x="${short(x + this.#x)}" y="${short(y + this.#y)}" dominant-baseline="central" xml:space="preserve"${fontText(this.font)}${anchor} ${this.#filled()}>${attribute(text)}</text>`,
    );
  }

  measureText(text: string): { readonly width: number } {
    return { width: this.#measure(text, this.font) };
  }

  createLinearGradient(x0: number, y0: number, x1: number, y1: number): CanvasGradient {
    const stops: string[] = [];
    const gradient: Gradient = {
      id: `g${this.#gradients.length}`,
      at: [x0 + this.#x, y0 + this.#y, x1 + this.#x, y1 + this.#y],
      stops,
      addColorStop: (offset, colour) => {
        const clear = colour === "transparent";
        const paint = clear ? 'stop-opacity="0"' : `stop-color="${attribute(colour)}"`;
        stops.push(`<stop offset="${offset}" ${paint}/>`);
      },
    };
    this.#gradients.push(gradient);
    return gradient;
  }

  #at(x: number, y: number): string {
    return `${short(x + this.#x)} ${short(y + this.#y)}`;
  }

  #box(x: number, y: number, w: number, h: number): string {
    return `x="${short(x + this.#x)}" y="${short(y + this.#y)}" width="${short(w)}" height="${short(h)}"`;
  }

  #filled(): string {
    return `fill="${paintText(this.fillStyle)}"${this.#opacity()}`;
  }

  #stroked(): string {
    return `fill="none" stroke="${paintText(this.strokeStyle)}" stroke-width="${this.lineWidth}"${this.#opacity()}`;
  }

  #opacity(): string {
    return this.globalAlpha === 1 ? "" : ` opacity="${this.globalAlpha}"`;
  }
}

function paintText(paint: Paint): string {
  if (typeof paint === "string") return attribute(paint);
  return "id" in paint ? `url(#${(paint as Gradient).id})` : "none";
}

/** A CSS font of the painter's, `[weight] size family`, as attributes: a style attribute is not allowed everywhere. */
function fontText(font: string): string {
  const [, weight, size, family] = /^(?:(\d+) )?([\d.]+)px (.*)$/.exec(font) ?? [];
  if (size === undefined || family === undefined) return "";
  const heavy = weight === undefined ? "" : ` font-weight="${weight}"`;
  return ` font-size="${size}"${heavy} font-family="${attribute(family)}"`;
}

function short(value: number): string {
  return `${Number(value.toFixed(2))}`;
}

/** Text for an attribute or an element; names come from captures. Characters that XML forbids were replaced before. */
function attribute(text: string): string {
  const names: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => names[character] ?? character);
}
