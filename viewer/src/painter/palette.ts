/** The canvas's colours in both themes. Phases have the shared phase colours; everything else is quieter. */
import { SPAN_KINDS, type SpanKind } from "../../../src/model/span-table.js";
import type { Theme } from "../interaction/state.js";

export interface Palette {
  readonly ground: string;
  readonly headGround: string;
  readonly band: string;
  readonly ink: string;
  readonly quiet: string;
  readonly faint: string;
  readonly line: string;
  readonly strong: string;
  readonly accent: string;
  readonly accentWash: string;
  /** Laid over the time outside the blackout. */
  readonly outside: string;
  readonly hatch: string;
  readonly hatchGround: string;
  readonly spanInk: string;
  /** By printk and defect severity: error, warning, ordinary, debug. */
  readonly severity: readonly [string, string, string, string];
  /** By index of SPAN_KINDS: a few similar shades, chosen by name. */
  readonly kinds: readonly (readonly string[])[];
  /** The same, stronger, for spans of a pixel or two, which would be lost in pale colours; by density. */
  readonly slivers: readonly (readonly string[])[];
  /** Spans that match the search. */
  readonly sought: string;
  readonly mark: string;
  /** Curves over the seam. */
  readonly flow: string;
  /** Laid over the minimap outside the window. */
  readonly shade: string;
}

export const SHADES = 6;

/** Hue in degrees and saturation in percent of each kind; neighbours in the drawing have distant hues. */
const HUES: Readonly<Record<SpanKind, readonly [number, number]>> = {
  phase: [0, 0],
  blackout: [240, 8],
  seam: [40, 6],
  unattributed: [40, 4],
  session: [258, 42],
  file: [276, 36],
  device: [178, 34],
  initcall: [212, 44],
  function: [198, 40],
  cpu: [320, 24],
  notifier: [340, 26],
  irq: [16, 40],
  softirq: [34, 38],
  task: [230, 14],
  userspace: [142, 26],
  syscall: [96, 24],
  marker: [52, 40],
  printk: [220, 8],
};

function kindColours(lightness: number, spread: number): readonly (readonly string[])[] {
  return SPAN_KINDS.map((kind) => {
    const [hue, saturation] = HUES[kind];
    return Array.from({ length: SHADES }, (_, i) => {
      const turn = (i / (SHADES - 1) - 0.5) * 2;
      return `hsl(${hue + turn * 9} ${saturation}% ${lightness + turn * spread}%)`;
    });
  });
}

/** Opacity of a run of slivers by how much of it is covered: see SHADE_LEVELS. */
const COVER = [0.38, 0.58, 0.8, 1] as const;

function sliverColours(lightness: number): readonly (readonly string[])[] {
  return SPAN_KINDS.map((kind) =>
    COVER.map((alpha) => `hsl(${HUES[kind][0]} ${HUES[kind][1] + 8}% ${lightness}% / ${alpha})`),
  );
}

export const PALETTES: Readonly<Record<Theme, Palette>> = {
  light: {
    ground: "#ffffff",
    headGround: "#fbfaf8",
    band: "#f4f3f0",
    ink: "#1d1c1a",
    quiet: "#67645d",
    faint: "#8f8b83",
    line: "#e9e7e2",
    strong: "#c9c5bc",
    accent: "#1f5fbf",
    accentWash: "rgba(31, 95, 191, 0.10)",
    outside: "rgba(60, 52, 36, 0.045)",
    hatch: "rgba(70, 60, 40, 0.20)",
    hatchGround: "rgba(120, 108, 84, 0.06)",
    spanInk: "#1d1c1a",
    severity: ["#c0262d", "#b26a00", "#8f8b83", "#c4c0b8"],
    kinds: kindColours(79, 4),
    slivers: sliverColours(54),
    sought: "#d6006c",
    mark: "#8a3ffc",
    flow: "rgba(31, 95, 191, 0.35)",
    shade: "rgba(247, 246, 243, 0.66)",
  },
  dark: {
    ground: "#17181b",
    headGround: "#1b1c20",
    band: "#1f2024",
    ink: "#ebe9e4",
    quiet: "#a5a29a",
    faint: "#7d7a73",
    line: "#27282d",
    strong: "#43454c",
    accent: "#7db0ff",
    accentWash: "rgba(125, 176, 255, 0.14)",
    outside: "rgba(0, 0, 0, 0.24)",
    hatch: "rgba(235, 225, 200, 0.16)",
    hatchGround: "rgba(235, 225, 200, 0.035)",
    spanInk: "#f3f1ec",
    severity: ["#ff6b6b", "#f0a93b", "#8d8a82", "#55534e"],
    kinds: kindColours(36, 4),
    slivers: sliverColours(62),
    sought: "#ff5fae",
    mark: "#c9a6ff",
    flow: "rgba(125, 176, 255, 0.4)",
    shade: "rgba(16, 17, 19, 0.6)",
  },
};

/** A kind's colour on its own, in tables and bars; the same in both themes. */
export function kindColour(kind: SpanKind): string {
  const [hue, saturation] = HUES[kind];
  return `hsl(${hue} ${saturation + 8}% 57%)`;
}
