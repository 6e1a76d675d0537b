/**
 * The colours of the five phases, the same in the viewer and in every export. They are five of the eight that M. Okabe
 * and K. Ito chose to be distinguishable with every kind of colour vision ("Color Universal Design", 2008).
 */
import type { PhaseName } from "../model/live-update.js";

export interface PhaseColour {
  /** sRGB, `#rrggbb`. */
  readonly fill: string;
  /** sRGB of text on `fill`; contrast at least 4.5 (WCAG 2.2, 1.4.3). */
  readonly ink: string;
}

const ink = "#14110c";

export const PHASE_COLOURS: Readonly<Record<PhaseName, PhaseColour>> = {
  prepare: { fill: "#e69f00", ink },
  freeze: { fill: "#56b4e9", ink },
  kexec: { fill: "#d55e00", ink },
  restore: { fill: "#009e73", ink },
  finish: { fill: "#cc79a7", ink },
};
