/** Draws the lanes: headings, labels, spans, instants. */
import { isOpaque } from "../../../src/analyze/attribution/seam.js";
import { SPAN_KINDS, SpanFlag } from "../../../src/model/span-table.js";
import { layoutLane, layoutPoints, WHOLE } from "../layout/level-of-detail.js";
import { HEAD_HEIGHT, indexInLane, METRICS, type SceneItem, visibleItems } from "../layout/scene.js";
import { analysisOf, type Bands, colourKind, nodeName } from "../model/analysis.js";
import { formatDuration, visibleText } from "../model/format.js";
import { firstAbove, type Lane } from "../model/lanes.js";
import { type Found, isFound } from "../model/search.js";
import { visibleStrings } from "../model/strings.js";
import type { SilenceTrack } from "../model/timeline.js";
import { SHADES } from "./palette.js";
import { type Frame, fitText, heldX, MONO, outline, type Paint, type Pen, SANS, strokeBox, type Tools } from "./pen.js";

const IRQ_KIND = SPAN_KINDS.indexOf("irq");
const FILE_KIND = SPAN_KINDS.indexOf("file");
const UNATTRIBUTED_KIND = SPAN_KINDS.indexOf("unattributed");
/** Opacity of spans that do not match the search, or are not on the shown chain. */
const STEPPED_BACK = 0.22;

export function paintLanes(tools: Tools, frame: Frame): void {
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
      if (item.track.what === "bands") paintBands(tools, frame, item, item.track.bands);
      else if (item.track.what === "silence") paintSilence(tools, frame, item, item.track);
      else if (item.track.what !== "spans") paintPoints(tools, frame, item);
      else {
        const lane = item.track.lanes[item.lane];
        if (lane !== undefined) paintSpans(tools, frame, item, lane);
      }
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
  const { track } = item;
  context.font = `11.5px ${SANS}`;
  context.fillStyle = frame.palette.quiet;
  context.fillText(fitText(context, track.label, METRICS.gutter - 36), 26, item.y + item.height / 2);
  if (track.what !== "spans" || track.deeper === 0 || track.lanes.length < 2) return;
  context.fillStyle = frame.palette.severity[1];
  const status = `${track.deeper.toLocaleString("en")} too deep, not drawn`;
  context.fillText(fitText(context, status, METRICS.gutter - 36), 26, item.y + item.height * 1.5);
}

function paintSpans(tools: Tools, frame: Frame, item: Extract<SceneItem, { what: "lane" }>, lane: Lane): void {
  const { context, scratch, plot, glyph, hatch } = tools;
  const { palette, matches, chain, selection, update } = frame;
  const { spans } = update;
  const strings = visibleStrings(spans.strings);
  layoutLane(lane, frame.view, plot, scratch, spans.kind);
  const top = item.y + 1;
  const tall = item.height - 2;
  context.font = `11px ${MONO}`;
  let colour: Paint = "";
  let alpha = 1;
  for (let i = 0; i < scratch.length; i++) {
    const x = scratch.x[i] as number;
    const wide = scratch.width[i] as number;
    const row = scratch.row[i] as number;
    const shade = scratch.shade[i] as number;
    const kind = spans.kind[row] as number;
    const name = spans.name[row] as number;
    const flags = shade === WHOLE ? (spans.flags[row] as number) : 0;
    let next: Paint;
    if (kind === UNATTRIBUTED_KIND) next = hatch;
    else if (shade !== WHOLE) {
      // A single span must be visible, however short it is.
      next = palette.slivers[kind]?.[scratch.count[i] === 1 ? 3 : shade] ?? palette.faint;
    } else if (wide < 3) next = palette.slivers[kind]?.[3] ?? palette.faint;
    // Knuth's multiplicative hash spreads neighbouring ids over the shades.
    else next = palette.kinds[kind]?.[(Math.imul(name, 0x9e3779b1) >>> 16) % SHADES] ?? palette.faint;
    const back =
      (matches !== null && (shade !== WHOLE || !isFound(matches, update, row))) || (chain.size > 0 && !chain.has(row));
    const nextAlpha = back ? STEPPED_BACK : (flags & SpanFlag.inferred) !== 0 ? 0.6 : 1;
    if (next !== colour) context.fillStyle = colour = next;
    if (nextAlpha !== alpha) context.globalAlpha = alpha = nextAlpha;
    context.fillRect(x, top, wide > 3 ? wide - 0.5 : wide, tall);
    if (kind === UNATTRIBUTED_KIND && wide > 2) strokeBox(context, palette.strong, x, top, wide - 0.5, tall);
    if ((flags & SpanFlag.beginUnseen) !== 0) fadeEdge(context, palette.ground, x, top, Math.min(10, wide), tall, true);
    if ((flags & SpanFlag.endUnseen) !== 0) {
      fadeEdge(context, palette.ground, x + wide - Math.min(10, wide), top, Math.min(10, wide), tall, false);
    }
    const from = Math.max(x, 0);
    const room = x + wide - from - 8;
    if (shade !== WHOLE || room < glyph * 3) {
      if ((flags & 3) !== 0) colour = "";
      continue;
    }
    const text = spanLabel(strings(name), kind);
    const fits = Math.floor(room / glyph);
    context.fillStyle = palette.spanInk;
    if (back) context.globalAlpha = 0.5;
    context.fillText(text.length <= fits ? text : `${text.slice(0, fits - 1)}…`, from + 4, top + tall / 2 + 0.5);
    if (fits - text.length > 12) {
      const took = formatDuration((spans.endNs[row] as number) - (spans.beginNs[row] as number));
      context.globalAlpha = 0.62;
      context.fillText(took, from + 4 + (text.length + 2) * glyph, top + tall / 2 + 0.5);
    }
    context.globalAlpha = alpha = 1;
    colour = "";
  }
  context.globalAlpha = 1;
  if (matches !== null) paintMatches(tools, frame, lane, matches, top, tall);
  if (selection?.what === "span") paintSelected(tools, frame, lane, selection.row, top, tall);
}

/** Runs hide single spans: matches are drawn over them, as many as a frame has time for. */
function paintMatches(tools: Tools, frame: Frame, lane: Lane, matches: Found, top: number, tall: number): void {
  const { context, plot } = tools;
  const { view, palette, update } = frame;
  context.fillStyle = palette.sought;
  let drawnTo = -1;
  let left = MOST_SOUGHT;
  for (let i = firstAbove(lane.end, view.beginNs); i < lane.rows.length && left > 0; i++, left--) {
    if ((lane.begin[i] as number) >= view.endNs) break;
    if (!isFound(matches, update, lane.rows[i] as number)) continue;
    const x = heldX(tools, frame, lane.begin[i] as number);
    const end = Math.min(heldX(tools, frame, lane.end[i] as number), plot + 1);
    if (end <= drawnTo) continue;
    const wide = Math.max(2, end - x);
    context.fillRect(x, top + tall - 2.5, wide, 3);
    if (wide <= 2) context.fillRect(x, top, wide, tall);
    drawnTo = x + wide;
  }
}

/** Per lane and frame. */
const MOST_SOUGHT = 50_000;

function paintSelected(tools: Tools, frame: Frame, lane: Lane, row: number, top: number, tall: number): void {
  const begin = frame.update.spans.beginNs[row] ?? Number.NaN;
  const at = indexInLane(lane, row, begin);
  if (at < 0) return;
  const x = heldX(tools, frame, lane.begin[at] as number);
  outline(tools.context, frame.palette, x, top, Math.max(2, heldX(tools, frame, lane.end[at] as number) - x), tall);
}

/** In its session's lane a file is labelled by its token: the name is `session token`. */
function spanLabel(name: string, kind: number): string {
  return kind === FILE_KIND ? name.slice(name.lastIndexOf(" ") + 1) : name;
}

function fadeEdge(context: Pen, ground: string, x: number, y: number, w: number, h: number, atBegin: boolean): void {
  const fade = context.createLinearGradient(x, 0, x + w, 0);
  fade.addColorStop(atBegin ? 0 : 1, ground);
  fade.addColorStop(atBegin ? 1 : 0, "transparent");
  context.fillStyle = fade;
  context.fillRect(x, y, w, h);
}

/** The blackout's accounts at one level: no gap between bands, and time without a cause is hatched. */
function paintBands(tools: Tools, frame: Frame, item: Extract<SceneItem, { what: "lane" }>, bands: Bands): void {
  const { context, plot, glyph, hatch } = tools;
  const { palette, view, selection, update } = frame;
  const { nodes } = analysisOf(update);
  const { begin, end, node: ids, remainder } = bands;
  const [top, tall] = [item.y + 1, item.height - 2];
  context.font = `11px ${MONO}`;
  let drawnTo = -1;
  for (let i = firstAbove(end, view.beginNs); i < end.length && (begin[i] as number) < view.endNs; i++) {
    const x = Math.max(heldX(tools, frame, begin[i] as number), -1);
    const to = Math.min(heldX(tools, frame, end[i] as number), plot + 1);
    const id = ids[i] as number;
    const node = nodes[id];
    if (node === undefined || (to - x < 0.5 && to <= drawnTo)) continue;
    drawnTo = Math.max(drawnTo, x + 1);
    const wide = Math.max(1, to - x);
    const opaque = remainder[i] === 1 || isOpaque(node) || node.kind === "idle";
    const kind = SPAN_KINDS.indexOf(colourKind(node));
    const shade = (Math.imul(textHash(node.id), 0x9e3779b1) >>> 16) % SHADES;
    context.fillStyle = opaque
      ? hatch
      : ((wide < 3 ? palette.slivers[kind]?.[3] : palette.kinds[kind]?.[shade]) ?? palette.faint);
    context.globalAlpha = node.inferred && !opaque ? 0.6 : 1;
    context.fillRect(x, top, wide > 3 ? wide - 0.5 : wide, tall);
    context.globalAlpha = 1;
    if (opaque && wide > 2) strokeBox(context, palette.strong, x, top, wide - 0.5, tall);
    if (selection?.what === "node" && selection.node === id) outline(context, palette, x, top, wide, tall);
    const from = Math.max(x, 0);
    const fits = Math.floor((x + wide - from - 8) / glyph);
    if (fits < 3) continue;
    const name = visibleText(remainder[i] === 1 ? `unattributed in ${node.name || node.id}` : nodeName(node));
    const took = formatDuration((end[i] as number) - (begin[i] as number));
    const text = fits - name.length > took.length + 2 ? `${name}  ${took}` : name;
    context.fillStyle = palette.spanInk;
    context.fillText(text.length <= fits ? text : `${text.slice(0, fits - 1)}…`, from + 4, top + tall / 2 + 0.5);
  }
}

function textHash(text: string): number {
  let hash = 7;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

/** Not a span, because nothing ran: a line from the last time served to the first, labelled with its length. */
function paintSilence(
  tools: Tools,
  frame: Frame,
  item: Extract<SceneItem, { what: "lane" }>,
  { beginNs, endNs, item: index }: SilenceTrack,
): void {
  const { context, plot, glyph } = tools;
  const { palette, selection } = frame;
  const [x, to] = [heldX(tools, frame, beginNs), heldX(tools, frame, endNs)];
  const [top, tall] = [item.y + 2, item.height - 4];
  const middle = Math.round(item.y + item.height / 2);
  context.fillStyle = palette.slivers[IRQ_KIND]?.[3] ?? palette.faint;
  context.fillRect(x, middle - 1, Math.max(1, to - x), 2);
  context.fillRect(x - 1, top, 2, tall);
  context.fillRect(to - 1, top, 2, tall);
  const [from, until] = [Math.max(x, 0), Math.min(to, plot)];
  const text = `silent ${formatDuration(endNs - beginNs)}`;
  const wide = text.length * glyph + 12;
  if (until - from > wide + 12) {
    context.font = `11px ${MONO}`;
    context.fillStyle = palette.ground;
    context.fillRect((from + until - wide) / 2, top, wide, tall);
    context.fillStyle = palette.quiet;
    context.fillText(text, (from + until - wide) / 2 + 6, middle + 0.5);
  }
  if (selection?.what === "silence" && selection.item === index)
    outline(context, palette, x, top - 1, to - x, tall + 2);
}

function paintPoints(tools: Tools, frame: Frame, item: Extract<SceneItem, { what: "lane" }>): void {
  const { track } = item;
  if (track.what !== "printk" && track.what !== "defects") return;
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
