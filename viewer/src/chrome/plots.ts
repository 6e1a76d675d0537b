/** The two plots of several updates: percentile curves, and each update in turn. */
import uPlot from "uplot";
import { openedIndex, type State } from "../interaction/state.js";
import type { Dispatch } from "../interaction/store.js";
import { humanDuration, plural, visibleText } from "../model/format.js";
import { percentileCurve, quantileName, supportedQuantile } from "../model/percentiles.js";
import { PALETTES } from "../painter/palette.js";
import { type Curve, curvesOf } from "./curves.js";
import { fill, h } from "./dom.js";

const HEIGHT = 240;

/** Draws both plots anew; returns what destroys them. */
export function renderPlots(root: Element, state: State, dispatch: Dispatch): () => void {
  const { entries } = state;
  const curves = curvesOf(entries, state.theme);
  const shown = curves.filter((curve) => !state.hiddenCurves.has(curve.name));
  const known = Math.max(0, ...shown.map((curve) => curve.valuesNs.filter((value) => value !== null).length));
  const percentiles = h("div", { class: "plot", id: "percentile-plot" });
  const series = h("div", { class: "plot", id: "series-plot" });
  const reading = h("p", { class: "plot-reading", "aria-live": "off" });
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
      h(
        "figure",
        {},
        h("figcaption", {}, h("h3", {}, "Percentiles"), h("p", {}, percentileCaption(known))),
        percentiles,
      ),
      h(
        "figure",
        {},
        h(
          "figcaption",
          {},
          h("h3", {}, "Update by update"),
          h("p", {}, "In the report’s order. Click a point to open its timeline."),
        ),
        series,
      ),
    ),
  );
  const say = (text: string) => {
    reading.textContent = text;
  };
  const charts = [percentilePlot(percentiles, shown, state, say), seriesPlot(series, shown, state, dispatch, say)];
  const observer = new ResizeObserver(() => {
    for (const chart of charts) {
      const width = (chart.root.parentElement as HTMLElement).clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
    }
  });
  observer.observe(percentiles);
  observer.observe(series);
  return () => {
    observer.disconnect();
    for (const chart of charts) chart.destroy();
  };
}

function percentileCaption(n: number): string {
  if (n === 0) return "No update has a known duration.";
  const reach = quantileName(Math.floor(supportedQuantile(n) * 1000) / 1000);
  return `Solid up to ${reach}, the highest percentile that ${plural(n, "update")} bound from above with 95 % confidence; dashed beyond: the sample itself.`;
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
      values: (_, values) => values.map((value) => (value === null ? "" : value === 0 ? "0" : humanDuration(value))),
    },
  ];
}

const yScale = (state: State): uPlot.Scale =>
  state.logScale ? { distr: 3 } : { range: (_, _min, max) => [0, Math.max(1, max ?? 1) * 1.06] };

function percentilePlot(root: HTMLElement, curves: readonly Curve[], state: State, say: (text: string) => void): uPlot {
  const tables: uPlot.AlignedData[] = [];
  const series: uPlot.Series[] = [{}];
  const names: string[] = [];
  let furthest = 2;
  for (const curve of curves) {
    const { x, y, supportedX } = percentileCurve(curve.valuesNs.filter((value) => value !== null));
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
  const data = tables.length === 0 ? ([[1]] as uPlot.AlignedData) : uPlot.join(tables);
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
        setCursor: [
          (plot) => {
            const idx = plot.cursor.idx;
            if (idx === null || idx === undefined) return say("");
            const x = plot.data[0][idx] as number;
            const at = names.flatMap((name, i) => {
              const value = plot.data[i + 1]?.[idx];
              return value === null || value === undefined ? [] : [`${name} ${humanDuration(value)}`];
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

function seriesPlot(
  root: HTMLElement,
  curves: readonly Curve[],
  state: State,
  dispatch: Dispatch,
  say: (text: string) => void,
): uPlot {
  const { entries } = state;
  const few = entries.length <= 80;
  const plot = new uPlot(
    {
      width: Math.max(200, root.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      scales: { x: { time: false, range: () => [0.5, entries.length + 0.5] }, y: yScale(state) },
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
            // A band behind the update that is open.
            const { left, top, height } = drawn.bbox;
            const x = drawn.valToPos(openedIndex(state.opened) + 1, "x", true);
            drawn.ctx.fillStyle = PALETTES[state.theme].accentWash;
            drawn.ctx.fillRect(Math.max(left, x - 6), top, 12, height);
          },
        ],
        setCursor: [
          (drawn) => {
            const idx = drawn.cursor.idx;
            const entry = idx === null || idx === undefined ? undefined : entries[idx];
            if (entry === undefined) return say("");
            const at = curves.flatMap((curve) => {
              const value = curve.valuesNs[idx as number];
              return value === null || value === undefined ? [] : [`${curve.name} ${humanDuration(value)}`];
            });
            say(`${visibleText(entry.name)}: ${at.join(", ")}`);
          },
        ],
      },
    },
    [entries.map((_, i) => i + 1), ...curves.map((curve) => [...curve.valuesNs])] as uPlot.AlignedData,
    root,
  );
  plot.over.addEventListener("click", () => {
    const idx = plot.cursor.idx;
    if (idx !== null && idx !== undefined) dispatch({ what: "opening", index: idx });
  });
  return plot;
}
