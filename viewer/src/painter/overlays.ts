/** Draws what is over the lanes: the selected range, marks, flows, the pointer's line. */
import { HEAD_HEIGHT, METRICS, middleOf } from "../layout/scene.js";
import { formatDuration, visibleText } from "../model/format.js";
import { rangeDuration } from "../model/sentences.js";
import { RULER_TOP } from "./head.js";
import { type Frame, fitText, heldX, SANS, type Tools, toX } from "./pen.js";

export function paintRange(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { palette, range, height } = frame;
  if (range === null || range.axis !== frame.axis) return;
  const [begin, end] = [heldX(tools, frame, range.beginNs), heldX(tools, frame, range.endNs)];
  context.fillStyle = palette.accentWash;
  context.fillRect(begin, RULER_TOP, end - begin, height);
  context.fillStyle = palette.accent;
  context.fillRect(begin, RULER_TOP, 1, height);
  context.fillRect(end - 1, RULER_TOP, 1, height);
  const text = rangeDuration(frame.update.document, range.beginNs, range.endNs);
  context.font = `600 12px ${SANS}`;
  const wide = context.measureText(text).width + 14;
  const x = Math.min(Math.max((begin + end - wide) / 2, 2), tools.plot - wide - 2);
  context.fillStyle = palette.accent;
  context.fillRect(x, RULER_TOP + 2, wide, METRICS.ruler - 5);
  context.fillStyle = palette.ground;
  context.fillText(text, x + 7, RULER_TOP + METRICS.ruler / 2);
}

export function paintPointer(tools: Tools, frame: Frame): void {
  if (frame.pointerX === null || frame.pointerX < METRICS.gutter) return;
  tools.context.fillStyle = frame.palette.accentWash;
  tools.context.fillRect(Math.round(frame.pointerX - METRICS.gutter), RULER_TOP, 1, frame.height);
}

/** Each mark is a flag on the ruler and a line; between successive marks, the distance. */
export function paintMarks(tools: Tools, frame: Frame): void {
  const { context, plot } = tools;
  const { palette, height, axis } = frame;
  const marks = frame.marks.filter((mark) => mark.axis === axis).sort((a, b) => a.atNs - b.atNs);
  context.font = `600 11px ${SANS}`;
  marks.forEach((mark, i) => {
    const x = Math.round(toX(tools, frame, mark.atNs));
    const next = marks[i + 1];
    const nextX = next === undefined ? plot : Math.round(toX(tools, frame, next.atNs));
    if (next !== undefined && nextX > 0 && x < plot) {
      const text = formatDuration(next.atNs - mark.atNs);
      const wide = context.measureText(text).width;
      const [from, to] = [Math.max(x, 0), Math.min(nextX, plot)];
      const y = HEAD_HEIGHT + 9;
      context.fillStyle = palette.mark;
      context.fillRect(from, y, to - from, 1);
      if (to - from > wide + 24) {
        context.fillStyle = palette.ground;
        context.fillRect((from + to - wide) / 2 - 5, y - 7, wide + 10, 14);
        context.fillStyle = palette.mark;
        context.fillText(text, (from + to - wide) / 2, y + 0.5);
      }
    }
    if (x < -20 || x > plot + 20) return;
    context.fillStyle = palette.mark;
    context.fillRect(x, RULER_TOP, 1, height);
    context.beginPath();
    context.moveTo(x, RULER_TOP + 2);
    context.lineTo(x + 9, RULER_TOP + 6.5);
    context.lineTo(x, RULER_TOP + 11);
    context.fill();
    const room = Math.min(nextX - x - 20, 220);
    if (mark.note !== "" && room > 24) {
      const text = fitText(context, visibleText(mark.note), room);
      const wide = context.measureText(text).width;
      context.fillStyle = palette.headGround;
      context.fillRect(x + 11, RULER_TOP + 1, wide + 5, 13);
      context.fillStyle = palette.mark;
      context.fillText(text, x + 13, RULER_TOP + 8);
    }
  });
}

/** A thing that is in both kernels is connected by a curve over the seam. */
export function paintFlows(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { scene, timeline, update, palette, scrollY, selection } = frame;
  const { beginNs, endNs } = update.spans;
  const chosen = selection?.what === "span" ? selection.row : -1;
  for (const [from, to] of frame.flows) {
    const [y0, y1] = [middleOf(scene, timeline, from), middleOf(scene, timeline, to)];
    if (y0 === null || y1 === null) continue;
    const [x0, x1] = [heldX(tools, frame, endNs[from] as number), heldX(tools, frame, beginNs[to] as number)];
    const shift = HEAD_HEIGHT - scrollY;
    const bend = Math.max(24, Math.abs(x1 - x0) * 0.35);
    const strong = from === chosen || to === chosen;
    context.strokeStyle = strong ? palette.accent : palette.flow;
    context.lineWidth = strong ? 2 : 1;
    context.beginPath();
    context.moveTo(x0, y0 + shift);
    context.bezierCurveTo(x0 + bend, y0 + shift, x1 - bend, y1 + shift, x1, y1 + shift);
    context.stroke();
  }
}
