/** Draws what is behind the lanes: grid, shade outside the blackout, seam; and the seam's edges over them. */
import { HEAD_HEIGHT } from "../layout/scene.js";
import { ticksFor } from "../layout/ticks.js";
import type { Palette } from "./palette.js";
import { type Frame, heldX, type Tools, toX } from "./pen.js";

export function hatchPattern(
  context: CanvasRenderingContext2D,
  palette: Palette,
  ratio: number,
): CanvasPattern | string {
  const size = 8;
  const tile = document.createElement("canvas");
  tile.width = tile.height = size * ratio;
  const pen = tile.getContext("2d");
  if (pen === null) return palette.hatchGround;
  pen.scale(ratio, ratio);
  pen.fillStyle = palette.hatchGround;
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = palette.hatch;
  pen.lineWidth = 1.1;
  pen.beginPath();
  for (const from of [-size, 0, size]) {
    pen.moveTo(from, size);
    pen.lineTo(from + size, 0);
  }
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern ?? palette.hatchGround;
}

export function paintGround(tools: Tools, frame: Frame): void {
  const { context, plot } = tools;
  const { scene, palette, height } = frame;
  const { blackout, seam } = scene.axis;
  paintGridLines(tools, frame);
  if (blackout !== null) {
    const [begin, end] = [heldX(tools, frame, blackout.beginNs), heldX(tools, frame, blackout.endNs)];
    context.fillStyle = palette.outside;
    if (begin > 0) context.fillRect(0, HEAD_HEIGHT, begin, height);
    if (end < plot) context.fillRect(end, HEAD_HEIGHT, plot - end, height);
  }
  if (seam !== null) paintSeam(tools, frame, HEAD_HEIGHT, height);
}

function paintGridLines(tools: Tools, frame: Frame): void {
  const { context, plot } = tools;
  const ticks = ticksFor(frame.view, plot, 116);
  context.fillStyle = frame.palette.line;
  for (let i = 0; i < ticks.count; i++) {
    context.fillRect(Math.round(toX(tools, frame, ticks.firstNs + i * ticks.stepNs)), HEAD_HEIGHT, 1, frame.height);
  }
}

/** The seam, hatched, each edge fading over its ±. */
export function paintSeam(tools: Tools, frame: Frame, top: number, bottom: number): void {
  const { context, hatch } = tools;
  const { palette, scene } = frame;
  const { seam } = scene.axis;
  if (seam === null) return;
  const [begin, end] = [heldX(tools, frame, seam.beginNs), heldX(tools, frame, seam.endNs)];
  context.fillStyle = hatch;
  context.fillRect(begin, top, Math.max(1, end - begin), bottom - top);
  for (const edge of [seam.beginNs, seam.endNs]) {
    const [from, to] = [heldX(tools, frame, edge - seam.softNs), heldX(tools, frame, edge + seam.softNs)];
    if (to - from < 2) {
      context.fillStyle = palette.strong;
      context.fillRect(Math.round(toX(tools, frame, edge)), top, 1, bottom - top);
      continue;
    }
    const fade = context.createLinearGradient(from, 0, to, 0);
    fade.addColorStop(0, "transparent");
    fade.addColorStop(0.5, palette.hatch);
    fade.addColorStop(1, "transparent");
    context.fillStyle = fade;
    context.fillRect(from, top, to - from, bottom - top);
  }
}

export function paintBlackoutEdges(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { blackout } = frame.scene.axis;
  if (blackout === null) return;
  context.fillStyle = frame.palette.quiet;
  for (const ns of [blackout.beginNs, blackout.endNs]) {
    context.fillRect(Math.round(toX(tools, frame, ns)), HEAD_HEIGHT, 1, frame.height);
  }
}
