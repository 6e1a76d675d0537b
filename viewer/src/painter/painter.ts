/** Draws one timeline: the head (minimap, kernels, phases, ruler) and the lanes below it. */
import { rects } from "../layout/level-of-detail.js";
import { HEAD_HEIGHT, METRICS } from "../layout/scene.js";
import { hatchPattern, paintBlackoutEdges, paintGround } from "./ground.js";
import { paintHeadLabels, paintMinimap, paintRegions, paintRibbon, paintRuler } from "./head.js";
import { paintLanes } from "./lanes.js";
import { paintFlows, paintMarks, paintPointer, paintRange } from "./overlays.js";
import type { Palette } from "./palette.js";
import { type Frame, inPlot, MONO, type Paint, type Pen, type Tools } from "./pen.js";

/** A painter keeps its scratch columns and its hatch between frames; what it draws depends on the frame alone. */
export function createPainter(canvas: HTMLCanvasElement): (frame: Frame, pixelRatio: number) => void {
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) throw new Error("this browser has no 2D canvas");
  const scratch = rects();
  let hatched: { readonly palette: Palette; readonly ratio: number; readonly pattern: CanvasPattern | string } | null =
    null;
  return (frame, pixelRatio) => {
    const { width, height, palette } = frame;
    const [w, h] = [Math.max(1, Math.round(width * pixelRatio)), Math.max(1, Math.round(height * pixelRatio))];
    if (canvas.width !== w) canvas.width = w;
    if (canvas.height !== h) canvas.height = h;
    if (hatched?.palette !== palette || hatched.ratio !== pixelRatio) {
      hatched = { palette, ratio: pixelRatio, pattern: hatchPattern(context, palette, pixelRatio) };
    }
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    paintWith(context, hatched.pattern, scratch, frame);
  };
}

/** The same drawing with any pen. `hatch` fills hatched areas. */
export function paintWith(context: Pen, hatch: Paint, scratch: ReturnType<typeof rects>, frame: Frame): void {
  context.textBaseline = "middle";
  context.font = `11px ${MONO}`;
  const glyph = context.measureText("0123456789").width / 10;
  paint({ context, scratch, hatch, glyph, plot: Math.max(1, frame.width - METRICS.gutter) }, frame);
}

function paint(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { width, height, palette } = frame;
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, width, height);
  inPlot(tools, frame, HEAD_HEIGHT, height, () => paintGround(tools, frame));
  paintLanes(tools, frame);
  inPlot(tools, frame, HEAD_HEIGHT, height, () => {
    paintFlows(tools, frame);
    paintBlackoutEdges(tools, frame);
  });
  context.fillStyle = palette.headGround;
  context.fillRect(0, 0, width, HEAD_HEIGHT);
  paintMinimap(tools, frame);
  inPlot(tools, frame, METRICS.overview, HEAD_HEIGHT, () => {
    paintRegions(tools, frame);
    paintRibbon(tools, frame);
    paintRuler(tools, frame);
  });
  inPlot(tools, frame, METRICS.overview, height, () => {
    paintRange(tools, frame);
    paintMarks(tools, frame);
    paintPointer(tools, frame);
  });
  paintHeadLabels(tools, frame);
  context.fillStyle = palette.line;
  context.fillRect(METRICS.gutter - 1, 0, 1, height);
  context.fillStyle = palette.strong;
  context.fillRect(0, HEAD_HEIGHT - 1, width, 1);
}
