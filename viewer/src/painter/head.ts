/** Draws the head: minimap, kernels, phases, ruler. */
import { PHASE_COLOURS } from "../../../src/report/phase-colours.js";
import { METRICS } from "../layout/scene.js";
import { tickLabel, ticksFor } from "../layout/ticks.js";
import { xOf } from "../layout/viewport.js";
import { formatDuration, plusMinus, visibleText } from "../model/format.js";
import { minimapOf } from "../model/minimap.js";
import { paintSeam } from "./ground.js";
import { type Frame, heldX, outline, SANS, type Tools, toX } from "./pen.js";

const REGIONS_TOP = METRICS.overview;
const RIBBON_TOP = REGIONS_TOP + METRICS.regions;
export const RULER_TOP = RIBBON_TOP + METRICS.ribbon;

/** The whole axis, small, one line per group, with the window marked. */
export function paintMinimap(tools: Tools, frame: Frame): void {
  const { context, plot, hatch } = tools;
  const { palette, scene, view } = frame;
  const { axis } = scene;
  const map = minimapOf(axis, frame.update.spans.kind);
  const whole = { beginNs: axis.mapNs[0], endNs: axis.mapNs[1] };
  const left = METRICS.gutter;
  const at = (ns: number) => left + Math.min(Math.max(xOf(whole, plot, ns), 0), plot);
  context.fillStyle = palette.band;
  context.fillRect(left, 0, plot, METRICS.overview);
  const { seam } = axis;
  if (seam !== null) {
    context.fillStyle = hatch;
    context.fillRect(at(seam.beginNs), 0, at(seam.endNs) - at(seam.beginNs), METRICS.overview);
  }
  for (const phase of axis.phases) {
    context.fillStyle = PHASE_COLOURS[phase.name].fill;
    context.fillRect(at(phase.beginNs), 3, Math.max(1, at(phase.endNs) - at(phase.beginNs)), 5);
  }
  const tall = Math.min(4, (METRICS.overview - 13) / Math.max(1, map.lines.length));
  const step = plot / map.buckets;
  map.lines.forEach((line, i) => {
    const y = 10 + i * tall;
    for (let from = 0; from < map.buckets; ) {
      const level = line.levels[from] as number;
      let to = from + 1;
      while (to < map.buckets && line.levels[to] === level) to++;
      if (level > 0) {
        context.fillStyle = palette.slivers[line.kind]?.[level - 1] ?? palette.faint;
        context.fillRect(left + from * step, y, (to - from) * step, tall - 1);
      }
      from = to;
    }
  });
  const [from, to] = [at(view.beginNs), at(view.endNs)];
  context.fillStyle = palette.shade;
  context.fillRect(left, 0, from - left, METRICS.overview);
  context.fillRect(to, 0, left + plot - to, METRICS.overview);
  context.strokeStyle = palette.accent;
  context.lineWidth = 1;
  context.strokeRect(from + 0.5, 0.5, Math.max(3, to - from - 1), METRICS.overview - 1);
}

/** Which kernel ran when. */
export function paintRegions(tools: Tools, frame: Frame): void {
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
  const length = `seam  ${formatDuration(seam.endNs - seam.beginNs)} ${plusMinus(seam.softNs)}`;
  const wide = context.measureText(length).width;
  const [left, right] = [Math.max(begin, 0), Math.min(end, plot)];
  if (right - left > wide + 16) {
    context.fillStyle = palette.headGround;
    context.fillRect((left + right - wide) / 2 - 6, REGIONS_TOP + 3, wide + 12, METRICS.regions - 6);
    write([length], begin, end, palette.ink);
  }
}

export function paintRibbon(tools: Tools, frame: Frame): void {
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
    const took = formatDuration(phase.endNs - phase.beginNs);
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

export function paintRuler(tools: Tools, frame: Frame): void {
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

export function paintHeadLabels(tools: Tools, frame: Frame): void {
  const { context } = tools;
  const { palette } = frame;
  context.font = `11.5px ${SANS}`;
  context.fillStyle = palette.quiet;
  context.fillText("Phases", 26, RIBBON_TOP + (METRICS.ribbon - 9) / 2 + 3);
  context.fillStyle = palette.faint;
  // If the begin of the blackout was not seen, zero is the axis's first event, as always on the new boot's own axis.
  const atBlackout = frame.scene.axis.name !== "new" && frame.update.document.blackout.beginNs === 0;
  const zero = atBlackout ? "0 = blackout begins" : "0 = first event";
  context.fillText(zero, 26, RULER_TOP + METRICS.ruler / 2 - 1);
}
