/** What the blackout would be if causes took less: from sliders to assumptions, with the command line's own replay. */

import { blame } from "../../../src/analyze/attribution/views/blame.js";
import { parseSelector } from "../../../src/analyze/attribution/views/selector.js";
import { whatIf } from "../../../src/analyze/attribution/views/what-if.js";
import type { WhatIf } from "../../../src/model/documents/attribution.ts";
import type { Analysis } from "./analysis.js";

/** A cause that can be reduced: all of one device, initcall, file… in the blackout. */
export interface Knob {
  /** As `blackout what-if --set` takes it. */
  readonly selector: string;
  readonly name: string;
  readonly kind: string;
  readonly totalNs: number;
}

const MOST_KNOBS = 14;
const FIXED = new Set(["seam", "idle", "kthread", "printk", "irq"]);

/** The largest causes of the blackout, the largest first. */
export function knobsOf({ root }: Analysis): readonly Knob[] {
  if (root === null) return [];
  const knobs = new Map<string, Knob>();
  for (const by of ["device", "initcall", "function", "userspace", "file", "cpu", "notifier"] as const) {
    for (const cause of blame([root], by, null).causes) {
      if (FIXED.has(cause.kind)) continue;
      // A name may contain characters of patterns; such causes cannot be selected.
      if (/[*?[\]\\/]/.test(cause.id)) continue;
      const selector = `${cause.kind}:${cause.id}`;
      const totalNs = (knobs.get(selector)?.totalNs ?? 0) + cause.totalNs;
      knobs.set(selector, { selector, kind: cause.kind, name: cause.name === "" ? cause.id : cause.name, totalNs });
    }
  }
  return [...knobs.values()].sort((a, b) => b.totalNs - a.totalNs).slice(0, MOST_KNOBS);
}

/** Aliases that `--parallel` takes and that make sense for a whole update. */
export const PARALLEL = ["device-shutdown", "device-probe", "fd-retrieve"] as const;

/** null if the blackout is unknown. */
export function supposed(
  { update, root }: Analysis,
  costs: ReadonlyMap<string, number>,
  parallel: ReadonlySet<string>,
): WhatIf | null {
  if (update === null || root === null) return null;
  const set = [...costs].flatMap(([text, share]) => {
    const selector = parseSelector(text);
    return selector.ok ? [{ selector: selector.value, cost: { what: "share", share } as const }] : [];
  });
  const together = [...parallel].flatMap((text) => {
    const selector = parseSelector(text);
    return selector.ok ? [selector.value] : [];
  });
  return whatIf(update, root, { set, parallel: together });
}
