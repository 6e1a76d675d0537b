/** The lines of the plots: the blackout and the five phases, with their colours. */
import { PHASES } from "../../../../src/model/live-update.js";
import { PHASE_COLOURS } from "../../../../src/report/phase-colours.js";
import type { ReportEntry } from "../../../../src/report/report-index.js";
import type { Theme } from "../../interaction/state.js";
import { PALETTES } from "../../painter/palette.js";

export interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly width: number;
  /** For each update, null if unknown. */
  readonly valuesNs: readonly (number | null)[];
}

export function curvesOf(entries: readonly ReportEntry[], theme: Theme): readonly Curve[] {
  return [
    { name: "blackout", colour: PALETTES[theme].ink, width: 2, valuesNs: entries.map((entry) => entry.blackoutNs) },
    ...PHASES.map((name, i) => ({
      name,
      colour: PHASE_COLOURS[name].fill,
      width: 1.5,
      valuesNs: entries.map((entry) => entry.phaseNs[i] ?? null),
    })),
  ].filter((curve) => curve.valuesNs.some((value) => value !== null));
}
