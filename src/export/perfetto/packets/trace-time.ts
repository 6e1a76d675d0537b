/** From the update's axes, whose zero is the blackout's begin, to the trace's one unsigned nanosecond clock. */

import type { Boot } from "../../../base/time.js";
import type { Extent } from "../../../model/collected.js";
import type { LiveUpdate, PhaseName } from "../../../model/live-update.js";

/** Trace time of the axis's zero, so that the same moment is at the same time in every file: 1,000,000 s. */
export const AXIS_ZERO_NS = 1e15;
/** Axes without a clock link are drawn one after the other, this far apart. */
export const UNJOINED_GAP_NS = 10e9;
/** A host logs for weeks before its update: printk lines further than this from any traced event are left out. */
export const PRINTK_MARGIN_NS = 60e9;

export type Extents = Readonly<Record<Boot, Extent | null>>;

export interface TraceTime {
  /** False if no clock link joins the boots. */
  readonly joint: boolean;
  /** Trace time of each boot's axis zero: the same if joint. */
  readonly zeroNs: Readonly<Record<Boot, number>>;
  /** Trace time of an instant on the boot's axis; null unless it is an integer from 0 to 2^53. */
  at(boot: Boot, ns: number): number | null;
  /** Trace time of the first and the last thing that is drawn, the events of the CPUs aside; null if nothing is. */
  readonly bounds: Extent | null;
  /** Whether a printk line of that time is near enough to traced events to be drawn. */
  nearTraced(boot: Boot, ns: number): boolean;
}

class Range {
  firstNs = Number.POSITIVE_INFINITY;
  lastNs = Number.NEGATIVE_INFINITY;

  add(ns: number | null): void {
    if (ns === null) return;
    if (ns < this.firstNs) this.firstNs = ns;
    if (ns > this.lastNs) this.lastNs = ns;
  }

  get known(): boolean {
    return this.firstNs <= this.lastNs;
  }
}

/** Which boot's axis a phase's ends are on; the same if the axes are joint. */
export function bootsOfPhase(name: PhaseName): readonly [Boot, Boot] {
  switch (name) {
    case "prepare":
    case "freeze":
      return ["old", "old"];
    case "kexec":
      return ["old", "new"];
    case "restore":
    case "finish":
      return ["new", "new"];
  }
}

/** `events` is the extent of the event feed, if known; without a clock link it is required. */
export function traceTimeOf(update: LiveUpdate, events: Extents): TraceTime {
  const { document, spans } = update;
  const joint = document.clock.method !== "none";
  const traced = { old: new Range(), new: new Range() };
  for (const boot of ["old", "new"] as const) {
    traced[boot].add(events[boot]?.firstNs ?? null);
    traced[boot].add(events[boot]?.lastNs ?? null);
  }
  for (let row = 0; row < spans.count; row++) {
    const begin = spans.beginNs[row] as number;
    const end = spans.endNs[row] as number;
    if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end)) continue;
    if (!joint && spans.boot[row] === 0) continue;
    const range = traced[spans.boot[row] === 2 ? "new" : "old"];
    range.add(begin);
    range.add(end);
  }
  for (const phase of document.phases) {
    const [begin, end] = bootsOfPhase(phase.name);
    traced[begin].add(phase.beginNs);
    traced[end].add(phase.endNs);
  }
  for (const session of document.sessions) {
    for (const phase of session.phases) {
      const [boot] = bootsOfPhase(phase.name);
      traced[boot].add(phase.beginNs);
      traced[boot].add(phase.endNs);
    }
  }
  if (joint) {
    const both = new Range();
    for (const { firstNs, lastNs, known } of [traced.old, traced.new]) {
      if (!known) continue;
      both.add(firstNs);
      both.add(lastNs);
    }
    for (const { beginNs, endNs } of [document.blackout, document.seam, ...document.vms]) {
      both.add(beginNs);
      both.add(endNs);
    }
    traced.old = both;
    traced.new = both;
  }
  const near = (boot: Boot, ns: number): boolean =>
    !traced[boot].known ||
    (ns >= traced[boot].firstNs - PRINTK_MARGIN_NS && ns <= traced[boot].lastNs + PRINTK_MARGIN_NS);

  const drawn = { old: new Range(), new: new Range() };
  for (const boot of ["old", "new"] as const) {
    if (traced[boot].known) {
      drawn[boot].add(traced[boot].firstNs);
      drawn[boot].add(traced[boot].lastNs);
    }
  }
  for (const { boot, atNs } of update.printk) if (atNs !== null && near(boot, atNs)) drawn[boot].add(atNs);
  for (const { boot, atNs } of document.defects) if (boot !== null) drawn[boot].add(atNs);

  const firstNs = Math.min(drawn.old.firstNs, joint ? drawn.new.firstNs : 0);
  // If the capture reaches back further than the constant, the zero moves by whole multiples of it.
  const old = Number.isFinite(firstNs) ? AXIS_ZERO_NS * Math.max(1, Math.ceil(-firstNs / AXIS_ZERO_NS)) : AXIS_ZERO_NS;
  const fresh =
    joint || !drawn.new.known
      ? old
      : old + Math.ceil((drawn.old.known ? drawn.old.lastNs : 0) + UNJOINED_GAP_NS - drawn.new.firstNs);
  const zeroNs = { old, new: fresh };
  const bounds = new Range();
  for (const boot of ["old", "new"] as const) {
    if (!drawn[boot].known) continue;
    bounds.add(zeroNs[boot] + drawn[boot].firstNs);
    bounds.add(zeroNs[boot] + drawn[boot].lastNs);
  }
  return {
    joint,
    zeroNs,
    bounds: bounds.known ? { firstNs: bounds.firstNs, lastNs: bounds.lastNs } : null,
    at: (boot, ns) => {
      const at = zeroNs[boot] + ns;
      return Number.isSafeInteger(at) && at >= 0 ? at : null;
    },
    nearTraced: near,
  };
}
