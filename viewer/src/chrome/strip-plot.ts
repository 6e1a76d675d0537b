/** Every update a dot on the line of its blackout and of each phase: spread, clusters and outliers at a glance. */

import type { State } from "../interaction/state.js";
import { humanDuration, visibleText } from "../model/format.js";
import { PALETTES } from "../painter/palette.js";
import { type CanvasPlot, canvasPlot } from "./canvas-plot.js";
import type { Curve } from "./curves.js";

const LEFT = 74;
const RIGHT = 14;
const BOTTOM = 22;

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
  // Phases differ by thousands: only a logarithm shows them on one axis.
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
        context.fillText(humanDuration(10 ** power), Math.min(x, width - 20), height - BOTTOM / 2);
      }
      context.textAlign = "right";
      curves.forEach((curve, line) => {
        context.fillStyle = palette.quiet;
        context.fillText(curve.name, LEFT - 10, (line + 0.5) * tall);
        context.fillStyle = curve.colour;
        const many = kept.length > 200;
        context.globalAlpha = many ? 0.35 : 0.75;
        const size = many ? 2 : 5;
        curve.valuesNs.forEach((value, i) => {
          if (value === null) return;
          context.fillRect(xOf(value, width) - size / 2, yOf(line, i) - size / 2, size, size);
        });
        context.globalAlpha = 1;
        const known = curve.valuesNs.filter((value) => value !== null).sort((a, b) => a - b);
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
      return { text: `${visibleText(entry.name)}: ${curve.name} ${humanDuration(curve.valuesNs[best] ?? 0)}`, update };
    },
  });
}
