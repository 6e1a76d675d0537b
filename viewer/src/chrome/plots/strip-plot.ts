/** Every update is a dot on the lines of its blackout and phases: spread, clusters and outliers at a glance. */

import type { State } from "../../interaction/state.js";
import { tickLabel } from "../../layout/ticks.js";
import { formatDuration, visibleText } from "../../model/format.js";
import { PALETTES } from "../../painter/palette.js";
import { type CanvasPlot, canvasPlot } from "./canvas-plot.js";
import type { Curve } from "./curves.js";

const LEFT = 74;
const RIGHT = 14;
const BOTTOM = 22;

/** More dots than this are drawn smaller, and dots on top of each other as one stronger dot. */
const MANY = 200;
const DOT = 5;
const SMALL_DOT = 2;
/** Opacity of one small dot; several have the opacity of painting them one over the other. */
const SMALL_ALPHA = 0.35;
const MOST_OVER = 12;

/** Dots by cell: ten thousand updates are a few hundred rectangles for each depth. */
function crowd(
  context: CanvasRenderingContext2D,
  curve: Curve,
  xOf: (ns: number) => number,
  yOf: (i: number) => number,
  width: number,
): void {
  const columns = Math.ceil(width / SMALL_DOT) + 1;
  const cells = new Map<number, number>();
  curve.valuesNs.forEach((value, i) => {
    if (value === null) return;
    const cell = Math.floor(yOf(i) / SMALL_DOT) * columns + Math.floor(xOf(value) / SMALL_DOT);
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  });
  const byDepth = Array.from({ length: MOST_OVER }, (): number[] => []);
  for (const [cell, count] of cells) byDepth[Math.min(count, MOST_OVER) - 1]?.push(cell);
  for (const [depth, found] of byDepth.entries()) {
    context.globalAlpha = 1 - (1 - SMALL_ALPHA) ** (depth + 1);
    for (const cell of found) {
      const row = Math.floor(cell / columns);
      context.fillRect((cell - row * columns) * SMALL_DOT, row * SMALL_DOT, SMALL_DOT, SMALL_DOT);
    }
  }
}

/** `kept[i]` is the update behind `curves[…].valuesNs[i]`. */
export function stripPlot(
  curves: readonly Curve[],
  kept: readonly number[],
  state: State,
  height: number,
  say: (text: string) => void,
  open: (update: number) => void,
): CanvasPlot {
  const palette = PALETTES[state.theme];
  let least = Number.POSITIVE_INFINITY;
  let most = 1;
  for (const { valuesNs } of curves) {
    for (const value of valuesNs) {
      if (value === null || value <= 0) continue;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  // Phases differ by factors of thousands: only a logarithm shows them on one axis.
  const [low, high] = [Math.floor(Math.log10(Math.min(least, most))), Math.ceil(Math.log10(most * 1.05))];
  const xOf = (ns: number, width: number) =>
    LEFT + ((Math.log10(Math.max(ns, 10 ** low)) - low) / Math.max(1, high - low)) * (width - LEFT - RIGHT);
  const tall = (height - BOTTOM) / Math.max(1, curves.length);
  /** Spread over the line's height, the same each time. */
  const yOf = (line: number, i: number) => (line + 0.5) * tall + ((((i * 0.618034) % 1) - 0.5) * tall) / 1.7;
  return canvasPlot({
    height,
    label: `Spread of ${curves.map((curve) => curve.name).join(", ")} over the updates; the table has the numbers`,
    say,
    open,
    draw: (context, width) => {
      context.font = "11px system-ui, sans-serif";
      for (let power = low; power <= high; power++) {
        const x = Math.round(xOf(10 ** power, width));
        context.fillStyle = palette.line;
        context.fillRect(x, 0, 1, height - BOTTOM);
        context.fillStyle = palette.quiet;
        context.textAlign = "center";
        context.fillText(
          tickLabel(10 ** power, 10 ** power, 10 ** power),
          Math.min(x, width - 20),
          height - BOTTOM / 2,
        );
      }
      context.textAlign = "right";
      curves.forEach((curve, line) => {
        context.fillStyle = palette.quiet;
        context.fillText(curve.name, LEFT - 10, (line + 0.5) * tall);
        context.fillStyle = curve.colour;
        if (kept.length > MANY)
          crowd(
            context,
            curve,
            (value) => xOf(value, width),
            (i) => yOf(line, i),
            width,
          );
        else {
          context.globalAlpha = 0.75;
          curve.valuesNs.forEach((value, i) => {
            if (value === null) return;
            context.fillRect(xOf(value, width) - DOT / 2, yOf(line, i) - DOT / 2, DOT, DOT);
          });
        }
        context.globalAlpha = 1;
        const known = Float64Array.from(curve.valuesNs.filter((value) => value !== null)).sort();
        const median = known[Math.floor((known.length - 1) / 2)];
        if (median === undefined) return;
        context.fillStyle = palette.ink;
        context.fillRect(Math.round(xOf(median, width)), line * tall + 3, 2, tall - 6);
      });
      context.textAlign = "left";
    },
    at: (x, y, width) => {
      const line = Math.floor(y / tall);
      const curve = curves[line];
      if (curve === undefined) return null;
      let best = -1;
      let distance = 64;
      curve.valuesNs.forEach((value, i) => {
        if (value === null) return;
        const off = (xOf(value, width) - x) ** 2 + (yOf(line, i) - y) ** 2;
        if (off < distance) {
          distance = off;
          best = i;
        }
      });
      const update = kept[best];
      const entry = update === undefined ? undefined : state.entries[update];
      if (update === undefined || entry === undefined) return null;
      return { text: `${visibleText(entry.name)}: ${curve.name} ${formatDuration(curve.valuesNs[best] ?? 0)}`, update };
    },
  });
}
