/** The tracks of the kernels' logs. */

import { complaintOf } from "../../../analyze/update/health.js";
import type { Boot } from "../../../base/time.js";
import type { PlacedPrintk } from "../../../model/live-update.js";
import type { TraceTime } from "../packets/trace-time.js";
import type { TraceWriter } from "../packets/trace-writer.js";
import { Rank, type Roots } from "./track-order.js";

/** Syslog severities, include/linux/kern_levels.h. */
const SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;

/** Lines that are not drawn. */
export interface LinesLeftOut {
  /** Too far from all that was traced. */
  readonly outside: number;
  /** Without a time that can be drawn. */
  readonly unplaced: number;
}

/** One track a boot, if it has lines that can be drawn. */
export function writeLogs(
  writer: TraceWriter,
  printk: readonly PlacedPrintk[],
  roots: Roots,
  time: TraceTime,
): LinesLeftOut {
  let [outside, unplaced] = [0, 0];
  const tracks: Partial<Record<Boot, number>> = {};
  for (const line of printk) {
    const { boot, atNs, level } = line;
    if (atNs !== null && !time.nearTraced(boot, atNs)) {
      outside += 1;
      continue;
    }
    const at = atNs === null ? null : time.at(boot, atNs);
    if (at === null) {
      unplaced += 1;
      continue;
    }
    tracks[boot] ??= writer.track({
      parent: roots[boot],
      name: `Kernel log (${boot})`,
      rank: Rank.log + (boot === "old" ? 0 : 1),
      description: `printk lines of the ${boot} kernel; their stamps have microseconds.`,
    });
    writer.event("instant", at, tracks[boot], line.text, "printk", [
      ["severity", level === null ? null : (SEVERITIES[level] ?? null)],
      ["level", level],
      ["health", complaintOf(line.text, level)?.class ?? null],
      ["stamp_ns", line.stampNs],
      ["uncertainty_ns", line.uncertaintyNs],
    ]);
  }
  return { outside, unplaced };
}
