/** The plots of several updates: percentiles, each update in turn, distribution, spread, causes. */
import uPlot from "uplot";
import { CHANGE_LEVEL } from "../../../../src/analyze/history/history.js";
import type { ReportEntry } from "../../../../src/report/report-index.js";
import { openedIndex, type State } from "../../interaction/state.js";
import type { Dispatch } from "../../interaction/store.js";
import { axisLabels } from "../../layout/ticks.js";
import { formatDuration, plural, visibleText } from "../../model/format.js";
import { type Changes, changesOf, LEAST_FOR_CHANGES, type SteadyStretch } from "../../model/updates/changes.js";
import { percentileCurve, quantileName, supportedQuantile, thinned } from "../../model/updates/percentiles.js";
import { PALETTES } from "../../painter/palette.js";
import { fill, h } from "../dom.js";
import type { CanvasPlot } from "./canvas-plot.js";
import { type Curve, curvesOf } from "./curves.js";
import { heatMap } from "./heat-map.js";
import { stripPlot } from "./strip-plot.js";

const HEIGHT = 210;
const DRAWN_AT_ONCE = 1000;

/** Draws the plots of the updates `kept` again; returns a function that destroys them. */
export function renderPlots(root: Element, state: State, kept: readonly number[], dispatch: Dispatch): () => void {
  const entries = kept.map((index) => state.entries[index] as ReportEntry);
  const curves = curvesOf(entries, state.theme);
  const shown = curves.filter((curve) => !state.hiddenCurves.has(curve.name));
  const known = Math.max(0, ...shown.map((curve) => curve.valuesNs.filter((value) => value !== null).length));
  const reading = h("p", { class: "plot-reading", "aria-live": "off" });
  const say = (text: string) => {
    reading.textContent = text;
  };
  const open = (index: number) => dispatch({ what: "opening", index });
  const percentiles = h("div", { class: "plot", id: "percentile-plot" });
  const series = h("div", { class: "plot", id: "series-plot" });
  const ecdf = h("div", { class: "plot", id: "ecdf-plot" });
  const spread = h("div", { class: "plot" });
  const seriesCaption = h("span", {}, SERIES_CAPTION);
  const figure = (title: string, caption: string | HTMLElement, plot: HTMLElement, id?: string) =>
    h("figure", id === undefined ? {} : { id }, h("figcaption", {}, h("h3", {}, title), h("p", {}, caption)), plot);
  fill(
    root,
    h(
      "div",
      { class: "legend" },
      ...curves.map((curve) => {
        const mark = h("span", { class: "line-mark", "aria-hidden": "true" });
        mark.style.backgroundColor = curve.colour;
        return h(
          "button",
          {
            class: "chip",
            "aria-pressed": `${!state.hiddenCurves.has(curve.name)}`,
            onclick: () => dispatch({ what: "curve", name: curve.name }),
          },
          mark,
          curve.name,
        );
      }),
      h(
        "button",
        { class: "chip", "aria-pressed": `${state.logScale}`, onclick: () => dispatch({ what: "log-scale" }) },
        "log scale",
      ),
      reading,
    ),
    h(
      "div",
      { class: "plots" },
      figure("Percentiles", percentileCaption(known), percentiles),
      figure("Update by update", seriesCaption, series),
      figure(
        "Share of updates that took at most this long",
        "The empirical distribution of each line; steps are single updates.",
        ecdf,
      ),
      figure(
        "Spread",
        "Each dot is an update, on a logarithmic axis; the bar is the median. Click a dot to open it.",
        spread,
      ),
    ),
  );
  const charts = [percentilePlot(percentiles, shown, state, say)];
  let strips: CanvasPlot | null = null;
  let heat: CanvasPlot | null = null;
  const rest = () => {
    strips = stripPlot(shown, kept, state, HEIGHT, say, open);
    spread.append(strips.element);
    heat = heatMap(kept, state, say, open);
    if (heat !== null) {
      const caption =
        "Causes that differ most between the updates; each line from its minimum (pale) to its maximum, with the median next to the name.";
      root.querySelector(".plots")?.append(figure("Causes by update", caption, heat.element, "heat-map"));
    }
    // The search for changes takes longer than all plots, so the plots come first.
    const known = knownChanges(state.entries, kept);
    let changes = known;
    const seriesChart = seriesPlot(series, shown, kept, () => changes, state, open, say);
    charts.push(seriesChart, ecdfPlot(ecdf, shown, state, say));
    const tell = (found: Changes) => {
      changes = found;
      seriesCaption.textContent = changesText(found, kept, state);
    };
    if (known !== null) tell(known);
    else {
      searching = window.setTimeout(() => {
        tell(lookForChanges(state.entries, kept));
        seriesChart.redraw();
      }, 20);
    }
  };
  // Percentiles and table first: with thousands of updates, the other plots follow a moment later.
  let later = 0;
  let searching = 0;
  if (kept.length <= DRAWN_AT_ONCE) rest();
  else later = window.setTimeout(rest, 50);
  const observer = new ResizeObserver(() => {
    for (const chart of charts) {
      const width = (chart.root.parentElement as HTMLElement).clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
    }
  });
  for (const place of [percentiles, series, ecdf]) observer.observe(place);
  return () => {
    clearTimeout(later);
    clearTimeout(searching);
    observer.disconnect();
    strips?.destroy();
    heat?.destroy();
    for (const chart of charts) chart.destroy();
  };
}

const SERIES_CAPTION = "In the report’s order. Click a point to open its timeline.";

/** Each change of the blackout as a sentence, as `blackout history` prints it. */
function changesText({ changes, levels, updatesPerPoint }: Changes, kept: readonly number[], state: State): string {
  if (levels.length === 0)
    return `${SERIES_CAPTION} Change points need ${LEAST_FOR_CHANGES} updates with a known blackout.`;
  const each = updatesPerPoint > 1 ? `, of medians of ${updatesPerPoint} neighbours` : "";
  const how = `(E-divisive${each}, p ≤ ${CHANGE_LEVEL})`;
  if (changes.length === 0) return `${SERIES_CAPTION} No change point in the blackout ${how}.`;
  const name = (place: number) => visibleText(state.entries[kept[place] as number]?.name ?? "");
  const sentences = changes.slice(0, MOST_TOLD).map(({ at, shiftNs, intervalNs, relative, belowFloor }) => {
    const by = `${shiftNs >= 0 ? "longer" : "shorter"} by ${formatDuration(Math.abs(shiftNs))}`;
    const size = `${relative >= 0 ? "+" : "−"}${(Math.abs(relative) * 100).toFixed(1)} %`;
    const sure =
      intervalNs === null ? "" : `; 95 % interval ${formatDuration(intervalNs[0])} to ${formatDuration(intervalNs[1])}`;
    return `from ${(at + 1).toLocaleString("en")} (${name(at)}) ${by} (${size}${sure})${belowFloor ? ", too small to matter" : ""}`;
  });
  const more = changes.length > MOST_TOLD ? `; ${changes.length - MOST_TOLD} more` : "";
  return `${SERIES_CAPTION} The blackout changes ${how}: ${sentences.join("; ")}${more}.`;
}

const MOST_TOLD = 4;

function percentileCaption(n: number): string {
  if (n === 0) return "No update has a known duration.";
  const reach = quantileName(Math.floor(supportedQuantile(n) * 1000) / 1000);
  return `Solid up to ${reach}, the highest percentile that ${plural(n, "update")} bound from above with 95 % confidence. Dashed beyond: only the sample itself.`;
}

function axes(state: State, xLabels: (values: number[]) => string[]): uPlot.Axis[] {
  const { quiet, line, strong } = PALETTES[state.theme];
  const font = "11px system-ui, sans-serif";
  const shared = {
    stroke: quiet,
    font,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: strong, width: 1, size: 5 },
  };
  return [
    { ...shared, size: 32, values: (_, values) => xLabels(values) },
    {
      ...shared,
      size: 70,
      values: (_, values) => durationLabels(state, values),
    },
  ];
}

const durationLabels = (state: State, values: readonly (number | null)[]): string[] =>
  axisLabels(values, state.logScale ? "logarithmic" : "linear");

const yScale = (state: State): uPlot.Scale =>
  state.logScale ? { distr: 3 } : { range: (_, _min, max) => [0, Math.max(1, max ?? 1) * 1.06] };

/** Tables with the same x are combined directly: uPlot's own join is slow for tens of thousands of points. */
function joined(tables: readonly uPlot.AlignedData[]): uPlot.AlignedData {
  const [first, ...rest] = tables;
  if (first === undefined) return [[1]] as uPlot.AlignedData;
  const same = rest.every((table) => table[0].length === first[0].length && table[0].at(-1) === first[0].at(-1));
  if (!same) return uPlot.join([...tables]);
  return [first[0], ...tables.flatMap((table) => table.slice(1))] as uPlot.AlignedData;
}

/** The budget as a line across a plot of durations. */
function budgetLine(state: State): (plot: uPlot) => void {
  return (plot) => {
    if (state.budgetNs === null) return;
    const y = Math.round(plot.valToPos(state.budgetNs, "y", true));
    const { left, top, width, height } = plot.bbox;
    if (y < top || y > top + height) return;
    plot.ctx.save();
    plot.ctx.strokeStyle = PALETTES[state.theme].severity[0];
    plot.ctx.lineWidth = 1.5 * (window.devicePixelRatio || 1);
    plot.ctx.setLineDash([6, 4]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(left, y);
    plot.ctx.lineTo(left + width, y);
    plot.ctx.stroke();
    plot.ctx.restore();
  };
}

/** The median of each stretch between changes, if there is more than one. */
function levelLines(levels: () => readonly SteadyStretch[], colour: string): (plot: uPlot) => void {
  return (plot) => {
    if (levels().length < 2) return;
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour;
    const tall = 2 * (window.devicePixelRatio || 1);
    for (const { from, to, medianNs } of levels()) {
      const [begin, end] = [plot.valToPos(from + 0.5, "x", true), plot.valToPos(to + 0.5, "x", true)];
      ctx.fillRect(begin, Math.round(plot.valToPos(medianNs, "y", true)) - tall / 2, end - begin, tall);
    }
    ctx.restore();
  };
}

/** Fewer steps than a curve of ten thousand has: a plot has a thousand pixels. */
const ECDF_STEPS = 500;

function ecdfPlot(root: HTMLElement, curves: readonly Curve[], state: State, say: (text: string) => void): uPlot {
  const tables = curves.map(({ valuesNs }): uPlot.AlignedData => {
    const sorted = Float64Array.from(valuesNs.filter((value) => value !== null)).sort();
    const steps = Math.min(sorted.length, ECDF_STEPS);
    const x: number[] = [];
    const y: number[] = [];
    for (let i = 0; i < steps; i++) {
      const at = Math.ceil(((i + 1) * sorted.length) / steps) - 1;
      const value = Math.max(1, sorted[at] as number);
      // Equal values are one step, as high as the last of them.
      if (x.at(-1) === value) y[y.length - 1] = (at + 1) / sorted.length;
      else {
        x.push(value);
        y.push((at + 1) / sorted.length);
      }
    }
    return [x, y];
  });
  const [across, up] = axes(state, (values) => durationLabels(state, values));
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  return new uPlot(
    {
      width: Math.max(200, root.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: state.logScale
          ? { time: false, distr: 3 }
          : { time: false, range: (_, _min, most) => [0, Math.max(1, most ?? 1) * 1.03] },
        y: { range: [0, 1.02] },
      },
      axes: [
        { ...(across as uPlot.Axis), space: 80 },
        {
          ...(up as uPlot.Axis),
          size: 52,
          values: (_, values) => values.map((value) => `${Math.round(value * 100)} %`),
        },
      ],
      series: [
        {},
        ...curves.map((curve) => ({
          label: curve.name,
          stroke: curve.colour,
          width: curve.width,
          spanGaps: true,
          points: { show: false },
          ...(stepped === undefined ? {} : { paths: stepped }),
        })),
      ],
      hooks: {
        setCursor: [
          (plot) => {
            const idx = plot.cursor.idx;
            if (idx === null || idx === undefined) return say("");
            const at = curves.flatMap((curve, i) => {
              const value = plot.data[i + 1]?.[idx];
              return value === null || value === undefined ? [] : [`${(100 * value).toFixed(1)} % of ${curve.name}`];
            });
            say(`at most ${formatDuration(plot.data[0][idx] as number)}: ${at.join(", ")}`);
          },
        ],
      },
    },
    tables.length === 0 ? ([[1]] as uPlot.AlignedData) : uPlot.join(tables),
    root,
  );
}

function percentilePlot(root: HTMLElement, curves: readonly Curve[], state: State, say: (text: string) => void): uPlot {
  const tables: uPlot.AlignedData[] = [];
  const series: uPlot.Series[] = [{}];
  const names: string[] = [];
  let furthest = 2;
  for (const curve of curves) {
    const { x, y, supportedX } = thinned(percentileCurve(curve.valuesNs.filter((value) => value !== null)));
    furthest = Math.max(furthest, x.at(-1) ?? 2);
    // The dashed part begins at the last supported sample, so that the two join.
    const last = x.findLastIndex((value) => value <= supportedX);
    const base = {
      stroke: curve.colour,
      width: curve.width,
      points: { show: x.length <= 60, size: 5 },
      spanGaps: true,
    } as const;
    tables.push([
      [...x],
      y.map((value, i) => (i <= last ? value : null)),
      y.map((value, i) => (i >= last ? value : null)),
    ]);
    series.push({ ...base, label: curve.name }, { ...base, label: `${curve.name}, beyond`, dash: [5, 5] });
    names.push(curve.name, curve.name);
  }
  const data = joined(tables);
  const nines = [2, 4, 10, 20, 100, 1000, 10_000, 100_000].filter((x) => x <= furthest * 1.2);
  return new uPlot(
    {
      width: Math.max(200, root.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: false, distr: 3, log: 10, range: () => [1, furthest * 1.15] }, y: yScale(state) },
      axes: axes(state, (values) => values.map((x) => (x === null ? "" : quantileName(1 - 1 / x)))).map((axis, i) =>
        i === 0 ? { ...axis, splits: () => [1, ...nines], filter: (_, splits) => splits } : axis,
      ),
      series,
      hooks: {
        draw: [budgetLine(state)],
        setCursor: [
          (plot) => {
            const idx = plot.cursor.idx;
            if (idx === null || idx === undefined) return say("");
            const x = plot.data[0][idx] as number;
            const at = names.flatMap((name, i) => {
              const value = plot.data[i + 1]?.[idx];
              return value === null || value === undefined ? [] : [`${name} ${formatDuration(value)}`];
            });
            say(`${quantileName(1 - 1 / x)}: ${[...new Set(at)].join(", ")}`);
          },
        ],
      },
    },
    data,
    root,
  );
}

/** Computed once per list: a theme or a hidden curve does not change it. */
const found = new WeakMap<readonly number[], { readonly entries: readonly ReportEntry[]; readonly changes: Changes }>();

function knownChanges(entries: readonly ReportEntry[], kept: readonly number[]): Changes | null {
  const known = found.get(kept);
  return known?.entries === entries ? known.changes : null;
}

function lookForChanges(entries: readonly ReportEntry[], kept: readonly number[]): Changes {
  const changes = changesOf(kept.map((index) => entries[index]?.blackoutNs ?? null));
  found.set(kept, { entries, changes });
  return changes;
}

function seriesPlot(
  root: HTMLElement,
  curves: readonly Curve[],
  kept: readonly number[],
  changes: () => Changes | null,
  state: State,
  open: (index: number) => void,
  say: (text: string) => void,
): uPlot {
  const few = kept.length <= 80;
  const palette = PALETTES[state.theme];
  const plot = new uPlot(
    {
      width: Math.max(200, root.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      scales: { x: { time: false, range: () => [0.5, kept.length + 0.5] }, y: yScale(state) },
      axes: axes(state, (values) => values.map((value) => (Number.isInteger(value) && value >= 1 ? `${value}` : ""))),
      series: [
        {},
        ...curves.map((curve) => ({
          label: curve.name,
          stroke: curve.colour,
          width: curve.width,
          points: { show: few, size: 5 },
        })),
      ],
      hooks: {
        drawClear: [
          (drawn) => {
            const { left, top, height } = drawn.bbox;
            const band = (place: number, colour: string, wide: number) => {
              drawn.ctx.fillStyle = colour;
              drawn.ctx.fillRect(Math.max(left, drawn.valToPos(place, "x", true) - wide / 2), top, wide, height);
            };
            // A band behind the update that is open, a line before each change.
            const opened = kept.indexOf(openedIndex(state.opened));
            if (opened >= 0) band(opened + 1, palette.accentWash, 12);
            for (const { at } of changes()?.changes ?? []) band(at + 0.5, palette.mark, 2);
          },
        ],
        draw: [budgetLine(state), levelLines(() => changes()?.levels ?? [], palette.mark)],
        setCursor: [
          (drawn) => {
            const idx = drawn.cursor.idx;
            const entry = idx === null || idx === undefined ? undefined : state.entries[kept[idx] as number];
            if (entry === undefined) return say("");
            const at = curves.flatMap((curve) => {
              const value = curve.valuesNs[idx as number];
              return value === null || value === undefined ? [] : [`${curve.name} ${formatDuration(value)}`];
            });
            say(`${visibleText(entry.name)}: ${at.join(", ")}`);
          },
        ],
      },
    },
    [kept.map((_, i) => i + 1), ...curves.map((curve) => [...curve.valuesNs])] as uPlot.AlignedData,
    root,
  );
  plot.over.addEventListener("click", () => {
    const index = kept[plot.cursor.idx ?? -1];
    if (index !== undefined) open(index);
  });
  return plot;
}
