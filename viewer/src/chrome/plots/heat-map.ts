/** Causes by update: how long each cause took in each update, to show what differs between them. */
import type { State } from "../../interaction/state.js";
import { formatDuration, middleCut, visibleText } from "../../model/format.js";
import { type HeatMap, heatMapOf } from "../../model/updates/heat-map.js";
import { PALETTES } from "../../painter/palette.js";
import { type CanvasPlot, canvasPlot } from "./canvas-plot.js";

const LEFT = 214;
const RIGHT = 14;
const ROW = 17;
const SHADES = 48;

export function heatMap(
  kept: readonly number[],
  state: State,
  say: (text: string) => void,
  open: (update: number) => void,
): CanvasPlot | null {
  const map = heatMapOf(kept.map((index) => state.entries[index]?.causes ?? []));
  if (map.rows.length === 0) return null;
  const palette = PALETTES[state.theme];
  const hue =
    state.theme === "dark"
      ? [
          [23, 24, 27],
          [255, 176, 92],
        ]
      : [
          [250, 246, 240],
          [176, 58, 8],
        ];
  const colour = (ns: number, row: HeatMap["rows"][number]) => {
    // Relative to its own line: a cause of a millisecond that doubles matters as much as one of a second.
    const share = row.most === row.least ? 0.5 : (ns - row.least) / (row.most - row.least);
    // In steps too small to see: an unchanged colour need not be set again.
    const level = 0.12 + (0.88 * Math.round(share * SHADES)) / SHADES;
    const mix = (i: number) => Math.round((hue[0]?.[i] ?? 0) * (1 - level) + (hue[1]?.[i] ?? 0) * level);
    return `rgb(${mix(0)} ${mix(1)} ${mix(2)})`;
  };
  const wide = (width: number) => (width - LEFT - RIGHT) / Math.max(1, kept.length);
  return canvasPlot({
    height: map.rows.length * ROW + 4,
    label: `Causes by update: ${map.rows.map((row) => row.name).join(", ")}; each line from its least to its most`,
    say,
    open,
    draw: (context, width) => {
      context.font = "11px system-ui, sans-serif";
      const cell = wide(width);
      map.rows.forEach((row, line) => {
        const y = line * ROW;
        context.fillStyle = palette.quiet;
        context.textAlign = "left";
        context.fillText(middleCut(visibleText(row.name), 26), 2, y + ROW / 2);
        context.textAlign = "right";
        context.fillText(formatDuration(row.median), LEFT - 8, y + ROW / 2);
        // One pixel is one column, whatever the number of updates.
        let drawnTo = -1;
        let fill = "";
        row.ns.forEach((ns, i) => {
          const x = LEFT + i * cell;
          if (Math.floor(x + cell) <= drawnTo) return;
          drawnTo = Math.floor(x + cell);
          const next = Number.isNaN(ns) ? palette.line : colour(ns, row);
          if (next !== fill) context.fillStyle = fill = next;
          context.fillRect(x, y + 1, Math.max(1, cell - (cell > 6 ? 1 : 0)), ROW - 2);
        });
      });
      context.textAlign = "left";
    },
    at: (x, y, width) => {
      const row = map.rows[Math.floor(y / ROW)];
      const i = Math.floor((x - LEFT) / wide(width));
      const update = kept[i];
      if (row === undefined || x < LEFT || update === undefined) return null;
      const ns = row.ns[i];
      const took = ns === undefined || Number.isNaN(ns) ? "not among its larger causes" : formatDuration(ns);
      return { text: `${visibleText(state.entries[update]?.name ?? "")}: ${visibleText(row.name)}, ${took}`, update };
    },
  });
}
