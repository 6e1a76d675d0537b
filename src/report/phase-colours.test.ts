import assert from "node:assert/strict";
import { test } from "node:test";
import { PHASES } from "../model/live-update.js";
import { PHASE_COLOURS } from "./phase-colours.js";

/** Relative luminance, WCAG 2.2. */
function luminance(colour: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

test("text on each phase's colour has a contrast of at least 4.5", () => {
  for (const name of PHASES) {
    const [a, b] = [luminance(PHASE_COLOURS[name].fill), luminance(PHASE_COLOURS[name].ink)];
    assert.ok((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) >= 4.5, name);
  }
});

test("no two phases share a colour", () => {
  assert.equal(new Set(PHASES.map((name) => PHASE_COLOURS[name].fill)).size, PHASES.length);
});
