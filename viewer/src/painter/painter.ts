/** Draws one timeline on a 2D canvas: the head (overview, kernels, phases, ruler) and the lanes under it. */

import type { LiveUpdate } from "../../../src/analyze/live-update.js";
import { PHASE_COLOURS } from "../../../src/analyze/phase-colours.js";
import { SPAN_KINDS, SpanFlag } from "../../../src/analyze/span-table.js";
import type { Range, Selection } from "../interaction/state.js";
import { layoutLane, layoutPoints, type Rects, rects } from "../layout/level-of-detail.js";
import { HEAD_HEIGHT, METRICS, type Scene, type SceneItem, visibleItems } from "../layout/scene.js";
import { tickLabel, ticksFor } from "../layout/ticks.js";
import { type View, xOf } from "../layout/viewport.js";
import { humanDuration, plusMinus, visibleText } from "../model/format.js";
import { rangeDuration } from "../model/sentences.js";
import { type Palette, SHADES } from "./palette.js";

export interface Frame {
  readonly update: LiveUpdate;
  readonly scene: Scene;
  readonly view: View;
  /** Of the whole timeline, in CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly pixelRatio: number;
  readonly scrollY: number;
  readonly palette: Palette;
  readonly selection: Selection | null;
  readonly range: Range | null;
  /** x of the pointer in the timeline, where it is over it. */
  readonly pointerX: number | null;
  /** Index of this timeline's axis. */
  readonly axis: number;
}

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace';
const PHASE_KIND = SPAN_KINDS.indexOf("phase");
const FILE_KIND = SPAN_KINDS.indexOf("file");
const BLACKOUT_KIND = SPAN_KINDS.indexOf("blackout");
const SEAM_KIND = SPAN_KINDS.indexOf("seam");
const UNATTRIBUTED_KIND = SPAN_KINDS.indexOf("unattributed");
const REGIONS_TOP = METRICS.overview;
const RIBBON_TOP = REGIONS_TOP + METRICS.regions;
const RULER_TOP = RIBBON_TOP + METRICS.ribbon;

/** A painter keeps its scratch columns and its hatch between frames; what it draws depends on the frame alone. */
export function createPainter(canvas: HTMLCanvasElement): (frame: Frame) => void {
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) throw new Error("this browser has no 2D canvas");
  const scratch = rects();
  let hatched: { readonly palette: Palette; readonly ratio: number; readonly pattern: CanvasPattern | string } | null =
    null;
  let glyph = 0;
  return (frame) => {
    const { width, height, pixelRatio, palette } = frame;
    const [w, h] = [Math.max(1, Math.round(width * pixelRatio)), Math.max(1, Math.round(height * pixelRatio))];
    if (canvas.width !== w) canvas.width = w;
    if (canvas.height !== h) canvas.height = h;
    if (hatched?.palette !== palette || hatched.ratio !== pixelRatio) {
      hatched = { palette, ratio: pixelRatio, pattern: hatchPattern(context, palette, pixelRatio) };
    }
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    context.textBaseline = "middle";
    if (glyph === 0) {
      context.font = `11px ${MONO}`;
      glyph = context.measureText("0123456789").width / 10;
    }
    paint({ context, scratch, hatch: hatched.pattern, glyph, plot: Math.max(1, width - METRICS.gutter) }, frame);
  };
}

interface Tools {
  readonly context: CanvasRenderingContext2D;
  readonly scratch: Rects;
  readonly hatch: CanvasPattern | string;
  /** Width of a character of the 11 px fixed-width font. */
  readonly glyph: number;
  /** Width of the plot without the gutter. */
  readonly plot: number;
}

function hatchPattern(context: CanvasRenderingContext2D, palette: Palette, ratio: number): CanvasPattern | string {
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

function paint(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { width, height, palette } = frame;
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, width, height);
  inPlot(tools, frame, HEAD_HEIGHT, height, () => paintGround(tools, frame));
  paintLanes(tools, frame);
  inPlot(tools, frame, HEAD_HEIGHT, height, () => paintBlackoutEdges(tools, frame));
  context.fillStyle = palette.headGround;
  context.fillRect(0, 0, width, HEAD_HEIGHT);
  paintOverview(tools, frame);
  inPlot(tools, frame, METRICS.overview, HEAD_HEIGHT, () => {
    paintRegions(tools, frame);
    paintRibbon(tools, frame);
    paintRuler(tools, frame);
  });
  inPlot(tools, frame, METRICS.overview, height, () => {
    paintRange(tools, frame);
    paintPointer(tools, frame);
  });
  paintHeadLabels(tools, frame);
  context.fillStyle = palette.line;
  context.fillRect(METRICS.gutter - 1, 0, 1, height);
  context.fillStyle = palette.strong;
  context.fillRect(0, HEAD_HEIGHT - 1, width, 1);
}

/** Clips to the plot between two heights and moves the origin to its left edge. */
function inPlot(tools: Tools, frame: Frame, top: number, bottom: number, draw: () => void): void {
  const { context } = tools;
  context.save();
  context.beginPath();
  context.rect(METRICS.gutter, top, frame.width - METRICS.gutter, bottom - top);
  context.clip();
  context.translate(METRICS.gutter, 0);
  draw();
  context.restore();
}

const toX = (tools: Tools, frame: Frame, ns: number): number => xOf(frame.view, tools.plot, ns);

/** `x` held to just beyond the plot: canvas coordinates lose precision far outside. */
const heldX = (tools: Tools, frame: Frame, ns: number): number =>
  Math.min(Math.max(toX(tools, frame, ns), -50), tools.plot + 50);

function paintGround(tools: Tools, frame: Frame): void {
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

/** The seam hatched, each edge fading over the ± it is known to. */
function paintSeam(tools: Tools, frame: Frame, top: number, bottom: number): void {
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

function paintBlackoutEdges(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { blackout } = frame.scene.axis;
  if (blackout === null) return;
  context.fillStyle = frame.palette.quiet;
  for (const ns of [blackout.beginNs, blackout.endNs]) {
    context.fillRect(Math.round(toX(tools, frame, ns)), HEAD_HEIGHT, 1, frame.height);
  }
}

function paintLanes(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { scene, scrollY, height, width } = frame;
  context.save();
  context.beginPath();
  context.rect(0, HEAD_HEIGHT, width, height - HEAD_HEIGHT);
  context.clip();
  context.translate(0, HEAD_HEIGHT - scrollY);
  for (const item of visibleItems(scene, scrollY, scrollY + height - HEAD_HEIGHT)) {
    if (item.what === "group") paintGroupHeading(tools, frame, item);
    else {
      paintLaneLabel(tools, frame, item);
      context.save();
      context.beginPath();
      context.rect(METRICS.gutter, item.y, width - METRICS.gutter, item.height);
      context.clip();
      context.translate(METRICS.gutter, 0);
      if (item.track.what === "spans") paintSpans(tools, frame, item);
      else paintPoints(tools, frame, item);
      context.restore();
    }
  }
  context.restore();
}

function paintGroupHeading(tools: Tools, frame: Frame, item: Extract<SceneItem, { what: "group" }>): void {
  const { context } = tools;
  const { palette, width } = frame;
  const middle = item.y + item.height / 2;
  context.fillStyle = palette.band;
  context.fillRect(0, item.y, width, item.height - 2);
  context.fillStyle = palette.faint;
  context.beginPath();
  const [x, y] = [14, middle - 1];
  if (item.folded) {
    context.moveTo(x - 2.5, y - 4);
    context.lineTo(x + 3, y);
    context.lineTo(x - 2.5, y + 4);
  } else {
    context.moveTo(x - 4, y - 2.5);
    context.lineTo(x, y + 3);
    context.lineTo(x + 4, y - 2.5);
  }
  context.fill();
  context.font = `600 12px ${SANS}`;
  context.fillStyle = palette.ink;
  context.fillText(item.group.label, 26, middle - 1);
  context.font = `11px ${SANS}`;
  context.fillStyle = palette.faint;
  context.textAlign = "right";
  context.fillText(item.group.count.toLocaleString("en"), METRICS.gutter - 10, middle - 1);
  context.textAlign = "left";
}

function paintLaneLabel(tools: Tools, frame: Frame, item: Extract<SceneItem, { what: "lane" }>): void {
  if (item.lane !== 0) return;
  const { context } = tools;
  context.font = `11.5px ${SANS}`;
  context.fillStyle = frame.palette.quiet;
  context.fillText(fitText(context, item.track.label, METRICS.gutter - 36), 26, item.y + item.height / 2);
}

/** The text, or as much of its head and tail as fits: the ends of ids tell them apart. */
function fitText(context: CanvasRenderingContext2D, text: string, room: number): string {
  const wide = context.measureText(text).width;
  if (wide <= room) return text;
  const keep = Math.max(2, Math.floor((text.length * room) / wide) - 2);
  return `${text.slice(0, Math.ceil(keep / 2))}…${text.slice(text.length - Math.floor(keep / 2))}`;
}

function paintSpans(tools: Tools, frame: Frame, item: Extract<SceneItem, { what: "lane" }>): void {
  if (item.track.what !== "spans") return;
  const lane = item.track.lanes[item.lane];
  if (lane === undefined) return;
  const { context, scratch, plot, glyph, hatch } = tools;
  const { spans } = frame.update;
  const { palette } = frame;
  layoutLane(lane, frame.view, plot, scratch);
  const top = item.y + 1;
  const tall = item.height - 2;
  const selected = frame.selection?.what === "span" ? frame.selection.row : -1;
  context.font = `11px ${MONO}`;
  for (let i = 0; i < scratch.length; i++) {
    const x = scratch.x[i] as number;
    const wide = scratch.width[i] as number;
    const row = scratch.row[i] as number;
    const kind = spans.kind[row] as number;
    const name = spans.name[row] as number;
    const flags = spans.flags[row] as number;
    let ink = palette.spanInk;
    if (kind === PHASE_KIND) {
      const colour = PHASE_COLOURS[spans.strings[name] as keyof typeof PHASE_COLOURS];
      context.fillStyle = colour?.fill ?? palette.faint;
      ink = colour?.ink ?? ink;
    } else if (kind === SEAM_KIND || kind === UNATTRIBUTED_KIND) {
      context.fillStyle = hatch;
    } else if (kind === BLACKOUT_KIND) {
      context.fillStyle = palette.ink;
      ink = palette.ground;
    } else if (wide < 3) {
      context.fillStyle = palette.slivers[kind] ?? palette.faint;
    } else {
      // Knuth's multiplicative hash spreads neighbouring ids over the shades.
      context.fillStyle = palette.kinds[kind]?.[(Math.imul(name, 0x9e3779b1) >>> 16) % SHADES] ?? palette.faint;
    }
    const gap = wide > 3 ? 0.5 : 0;
    context.globalAlpha = (flags & SpanFlag.inferred) !== 0 && kind !== SEAM_KIND ? 0.6 : 1;
    context.fillRect(x, top, Math.max(1, wide - gap), tall);
    context.globalAlpha = 1;
    if (kind === SEAM_KIND || kind === UNATTRIBUTED_KIND) strokeBox(context, palette.strong, x, top, wide - gap, tall);
    if ((flags & SpanFlag.beginUnseen) !== 0) fadeEdge(context, palette.ground, x, top, Math.min(10, wide), tall, true);
    if ((flags & SpanFlag.endUnseen) !== 0) {
      fadeEdge(context, palette.ground, x + wide - Math.min(10, wide), top, Math.min(10, wide), tall, false);
    }
    if (row === selected) outline(context, palette, x, top, wide, tall);
    const from = Math.max(x, 0);
    const room = x + wide - from - 8;
    if (room >= glyph * 3) {
      const text = visibleText(spanLabel(spans.strings[name] ?? "", kind));
      const fits = Math.floor(room / glyph);
      const label = text.length <= fits ? text : `${text.slice(0, fits - 1)}…`;
      context.fillStyle = ink;
      context.fillText(label, from + 4, top + tall / 2 + 0.5);
      const rest = fits - text.length;
      if (rest > 12) {
        const took = humanDuration((spans.endNs[row] as number) - (spans.beginNs[row] as number));
        context.globalAlpha = 0.62;
        context.fillText(took, from + 4 + (text.length + 2) * glyph, top + tall / 2 + 0.5);
        context.globalAlpha = 1;
      }
    }
  }
}

/** In its session's lane a file goes by its token: the name is `session token`. */
function spanLabel(name: string, kind: number): string {
  return kind === FILE_KIND ? name.slice(name.lastIndexOf(" ") + 1) : name;
}

function strokeBox(
  context: CanvasRenderingContext2D,
  colour: string,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, Math.max(0, w - 1), h - 1);
}

function fadeEdge(
  context: CanvasRenderingContext2D,
  ground: string,
  x: number,
  y: number,
  w: number,
  h: number,
  atBegin: boolean,
): void {
  const fade = context.createLinearGradient(x, 0, x + w, 0);
  fade.addColorStop(atBegin ? 0 : 1, ground);
  fade.addColorStop(atBegin ? 1 : 0, "transparent");
  context.fillStyle = fade;
  context.fillRect(x, y, w, h);
}

function outline(
  context: CanvasRenderingContext2D,
  palette: Palette,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  context.strokeStyle = palette.ground;
  context.lineWidth = 3;
  context.strokeRect(x, y, Math.max(1, w), h);
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  context.strokeRect(x, y, Math.max(1, w), h);
}

function paintPoints(tools: Tools, frame: Frame, item: Extract<SceneItem, { what: "lane" }>): void {
  const { track } = item;
  if (track.what === "spans") return;
  const { context, scratch, plot, glyph } = tools;
  const { palette, update, selection } = frame;
  layoutPoints(track.points, frame.view, plot, scratch);
  const middle = item.y + item.height / 2;
  const chosen = selection?.what === "printk" || selection?.what === "defect" ? selection.item : -1;
  const isChosen = (id: number) => (track.what === "printk") === (selection?.what === "printk") && id === chosen;
  context.font = `11px ${MONO}`;
  for (let i = 0; i < scratch.length; i++) {
    const x = scratch.x[i] as number;
    const at = scratch.row[i] as number;
    const id = track.points.items[at] as number;
    const severity = track.points.severity[at] as number;
    const colour = palette.severity[severity] ?? palette.faint;
    context.fillStyle = colour;
    if (track.what === "defects") {
      context.beginPath();
      context.moveTo(x, middle - 6);
      context.lineTo(x + 6, middle + 5);
      context.lineTo(x - 6, middle + 5);
      context.fill();
    } else {
      const half = severity <= 1 ? 8 : 6;
      context.fillRect(Math.round(x), middle - half, severity <= 1 ? 2 : 1, half * 2);
    }
    if (isChosen(id)) strokeBox(context, palette.accent, x - 4, item.y, 9, item.height);
    const next = i + 1 < scratch.length ? (scratch.x[i + 1] as number) : plot;
    const fits = Math.floor((next - x - 12) / glyph);
    if (fits < 6 || scratch.count[i] !== 1) continue;
    const text = visibleText(
      track.what === "printk" ? (update.printk[id]?.text ?? "") : (update.document.defects[id]?.code ?? ""),
    );
    context.fillStyle = severity <= 1 ? colour : palette.quiet;
    context.fillText(
      text.length <= fits ? text : `${text.slice(0, fits - 1)}…`,
      x + (track.what === "defects" ? 9 : 5),
      middle + 0.5,
    );
  }
}

/** The whole axis in one strip, with the window on it. */
function paintOverview(tools: Tools, frame: Frame): void {
  const { context, plot, hatch } = tools;
  const { palette, scene, view } = frame;
  const [begin, end] = scene.axis.boundsNs;
  const whole = { beginNs: begin, endNs: end };
  const left = METRICS.gutter;
  const at = (ns: number) => left + Math.min(Math.max(xOf(whole, plot, ns), 0), plot);
  context.fillStyle = palette.band;
  context.fillRect(left, 0, plot, METRICS.overview);
  const { seam } = scene.axis;
  for (const phase of scene.axis.phases) {
    context.fillStyle = PHASE_COLOURS[phase.name].fill;
    context.fillRect(at(phase.beginNs), 4, Math.max(1, at(phase.endNs) - at(phase.beginNs)), METRICS.overview - 8);
  }
  if (seam !== null) {
    context.fillStyle = hatch;
    context.fillRect(at(seam.beginNs), 4, at(seam.endNs) - at(seam.beginNs), METRICS.overview - 8);
  }
  context.fillStyle = palette.accentWash;
  const [from, to] = [at(view.beginNs), at(view.endNs)];
  context.fillRect(from, 0, Math.max(2, to - from), METRICS.overview);
  context.strokeStyle = palette.accent;
  context.lineWidth = 1;
  context.strokeRect(from + 0.5, 0.5, Math.max(2, to - from - 1), METRICS.overview - 1);
}

/** Which kernel ran when. */
function paintRegions(tools: Tools, frame: Frame): void {
  const { context, plot } = tools;
  const { palette, scene, update } = frame;
  const { seam, name } = scene.axis;
  const kernels = update.document.capture.kernel;
  const labels = (boot: "old" | "new") => [
    `${boot} kernel${kernels[boot] === null ? "" : `  ${visibleText(kernels[boot])}`}`,
    `${boot} kernel`,
    boot,
  ];
  const middle = REGIONS_TOP + METRICS.regions / 2 + 1;
  /** The first of `texts` that fits, or none. */
  const write = (texts: readonly string[], from: number, to: number, colour: string) => {
    const [left, right] = [Math.max(from, 0), Math.min(to, plot)];
    const text = texts.find((candidate) => right - left >= context.measureText(candidate).width + 10);
    if (text === undefined) return;
    context.fillStyle = colour;
    context.fillText(text, (left + right - context.measureText(text).width) / 2, middle);
  };
  context.font = `11.5px ${SANS}`;
  if (name !== "joint") {
    write([`${labels(name)[0]}, on its own axis`], 0, plot, palette.quiet);
    return;
  }
  if (seam === null) return;
  const [begin, end] = [toX(tools, frame, seam.beginNs), toX(tools, frame, seam.endNs)];
  paintSeam(tools, frame, REGIONS_TOP, RIBBON_TOP);
  write(labels("old"), 0, begin, palette.quiet);
  write(labels("new"), end, plot, palette.quiet);
  const length = `seam  ${humanDuration(seam.endNs - seam.beginNs)} ${plusMinus(seam.softNs)}`;
  const wide = context.measureText(length).width;
  const [left, right] = [Math.max(begin, 0), Math.min(end, plot)];
  if (right - left > wide + 16) {
    context.fillStyle = palette.headGround;
    context.fillRect((left + right - wide) / 2 - 6, REGIONS_TOP + 3, wide + 12, METRICS.regions - 6);
    write([length], begin, end, palette.ink);
  }
}

function paintRibbon(tools: Tools, frame: Frame): void {
  const { context, plot, hatch } = tools;
  const { palette, scene, selection } = frame;
  const { seam, blackout } = scene.axis;
  const [top, tall] = [RIBBON_TOP + 2, METRICS.ribbon - 9];
  for (const phase of scene.axis.phases) {
    const [begin, end] = [heldX(tools, frame, phase.beginNs), heldX(tools, frame, phase.endNs)];
    const wide = Math.max(1.5, end - begin);
    const { fill, ink } = PHASE_COLOURS[phase.name];
    context.fillStyle = fill;
    context.fillRect(begin, top, Math.max(1.5, wide - (wide > 4 ? 1 : 0)), tall);
    if (seam !== null && phase.name === "kexec") {
      const [from, to] = [heldX(tools, frame, seam.beginNs), heldX(tools, frame, seam.endNs)];
      context.fillStyle = hatch;
      context.fillRect(from, top, to - from, tall);
    }
    if (selection?.what === "phase" && selection.index === phase.index)
      outline(context, palette, begin, top, wide, tall);
    const left = Math.max(begin, 0);
    const room = Math.min(end, plot) - left - 12;
    context.font = `600 12px ${SANS}`;
    const name = context.measureText(phase.name).width;
    if (room < name) continue;
    context.fillStyle = ink;
    context.fillText(phase.name, left + 6, top + tall / 2 + 0.5);
    context.font = `12px ${SANS}`;
    const took = humanDuration(phase.endNs - phase.beginNs);
    if (room > name + 8 + context.measureText(took).width)
      context.fillText(took, left + 14 + name, top + tall / 2 + 0.5);
  }
  if (blackout !== null) {
    const [begin, end] = [heldX(tools, frame, blackout.beginNs), heldX(tools, frame, blackout.endNs)];
    context.fillStyle = palette.ink;
    context.fillRect(begin, RULER_TOP - 5, end - begin, 2);
    context.fillRect(begin - 1, RULER_TOP - 8, 2, 8);
    context.fillRect(end - 1, RULER_TOP - 8, 2, 8);
  }
}

function paintRuler(tools: Tools, frame: Frame): void {
  const { context, plot } = tools;
  const { palette, view } = frame;
  const ticks = ticksFor(view, plot, 116);
  const edge = Math.max(Math.abs(view.beginNs), Math.abs(view.endNs));
  context.font = `11px ${SANS}`;
  for (let i = 0; i < ticks.count; i++) {
    const ns = ticks.firstNs + i * ticks.stepNs;
    const x = Math.round(toX(tools, frame, ns));
    context.fillStyle = palette.strong;
    context.fillRect(x, RULER_TOP + METRICS.ruler - 7, 1, 6);
    context.fillStyle = palette.quiet;
    context.fillText(tickLabel(ns, ticks.stepNs, edge), x + 4, RULER_TOP + METRICS.ruler / 2 - 1);
  }
}

function paintRange(tools: Tools, frame: Frame): void {
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
  context.beginPath();
  context.roundRect(x, RULER_TOP + 2, wide, METRICS.ruler - 5, 4);
  context.fill();
  context.fillStyle = palette.ground;
  context.fillText(text, x + 7, RULER_TOP + METRICS.ruler / 2);
}

function paintPointer(tools: Tools, frame: Frame): void {
  if (frame.pointerX === null || frame.pointerX < METRICS.gutter) return;
  tools.context.fillStyle = frame.palette.accentWash;
  tools.context.fillRect(Math.round(frame.pointerX - METRICS.gutter), RULER_TOP, 1, frame.height);
}

function paintHeadLabels(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { palette } = frame;
  context.font = `11.5px ${SANS}`;
  context.fillStyle = palette.quiet;
  context.fillText("Phases", 26, RIBBON_TOP + (METRICS.ribbon - 9) / 2 + 3);
  context.fillStyle = palette.faint;
  // Without a seen begin of the blackout the zero is the axis' first event; so it always is on the new boot's own.
  const atBlackout = frame.scene.axis.name !== "new" && frame.update.document.blackout.beginNs === 0;
  const zero = atBlackout ? "0 = blackout begins" : "0 = first event";
  context.fillText(zero, 26, RULER_TOP + METRICS.ruler / 2 - 1);
}
