/**
 * Checks a clock link against what does not rest on it: the time that passed on the realtime clock, the order of things
 * (a kernel begins after the one before it ends), and what the kernels' logs say of the TSC. Pure.
 */
import { formatDuration, formatUncertainty } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import type { LinkMethod } from "../../model/collected.js";
import { TAI_MINUS_UTC_NS } from "./moment.js";

/** A reading of the realtime clock, at an instant of the axis. */
export interface WallReading {
  readonly axisNs: number;
  readonly realtimeNs: bigint;
  /** TAI differs from UTC by whole seconds, which only one of the two kernels may have been given. */
  readonly of: "mark" | "tai";
}

/** One link's axis, and what stands on it. */
export interface LinkedAxis {
  readonly method: LinkMethod;
  readonly uncertaintyNs: number;
  readonly wall: Readonly<Record<Boot, readonly WallReading[]>>;
  /** The old kernel's last event. */
  readonly oldLastNs: number | null;
  /** The new kernel's first event; and when its sched_clock began, if that is known. */
  readonly newFirstNs: number | null;
  readonly newBeganNs: number | null;
  /** The old kernel's way into the kexec was traced, so that nothing is missing between its last event and the jump. */
  readonly kexecTraced: boolean;
}

/** What the logs say that disproves the TSC; null if they say nothing. */
export type TscVerdict = { readonly boot: Boot; readonly text: string; readonly file: string; readonly line: number };

export interface LinkFault {
  readonly reason: string;
  /** `log`: the kernels' own lines; `apart`: the two boots cannot be of one update; else what contradicts the link. */
  readonly by: "log" | "rate" | "order" | "realtime" | "apart";
}

/** Both kernels take the middle of the RTC's second (drivers/rtc/class.c): each is off by half of one at most. */
const RTC_NS = 500_000_000;
/** A mark may wait for its CPU; 50 ms in the recordings. */
const MARK_WAIT_NS = 100_000_000;
/** Without NTP the old kernel's realtime drifts from the RTC: two crystals, 100 ppm of its uptime. */
const DRIFT_PPM = 100;
/** sched_clock runs up to 0.5 % off for its first minute, before the TSC's rate is refined, and 60 ms of wandering. */
const BEGIN_NS = 360_000_000;
/** No kernel takes two minutes from the jump to its clock: the recordings show 0.4 to 3.4 s. */
const LONGEST_SEAM_NS = 120_000_000_000;

/** The difference of one reading of each kernel; what it is at most if the link is right. */
function realtimeFault(old: WallReading, fresh: WallReading, uptimeNs: number, uncertaintyNs: number): number | null {
  const linked = fresh.axisNs - old.axisNs;
  const passed = Number(fresh.realtimeNs - old.realtimeNs);
  const most = 2 * RTC_NS + MARK_WAIT_NS + (uptimeNs * DRIFT_PPM) / 1e6 + uncertaintyNs;
  const offsets = old.of === "mark" && fresh.of === "mark" ? [0] : [0, TAI_MINUS_UTC_NS, -TAI_MINUS_UTC_NS];
  const least = Math.min(...offsets.map((offset) => Math.abs(passed - linked - offset)));
  return least > most ? passed : null;
}

/**
 * What contradicts the link, or null. `oldUptimeNs` is how long the old kernel had run. The log's word
 * comes first: it says which of two clocks is wrong.
 */
export function linkFault(axis: LinkedAxis, tsc: TscVerdict | null, oldUptimeNs: number): LinkFault | null {
  const { method, uncertaintyNs, oldLastNs, newFirstNs, newBeganNs } = axis;
  const restsOnTsc = method === "x86-tsc" || method === "clock-pairs";
  if (restsOnTsc && tsc !== null) {
    return {
      by: "log",
      reason: `the ${tsc.boot} kernel's log disproves the TSC (${tsc.file}:${tsc.line}: '${tsc.text}')`,
    };
  }
  const order = orderFault(oldLastNs, newFirstNs, newBeganNs, uncertaintyNs);
  if (order !== null) return { by: "order", reason: order };
  for (const old of axis.wall.old) {
    for (const fresh of method === "realtime" ? [] : axis.wall.new) {
      const passed = realtimeFault(old, fresh, oldUptimeNs, uncertaintyNs);
      if (passed === null) continue;
      const linked = formatDuration(fresh.axisNs - old.axisNs);
      const began = (newBeganNs ?? newFirstNs ?? fresh.axisNs) - fresh.axisNs + old.axisNs + passed;
      const seam = oldLastNs === null ? 0 : began - oldLastNs;
      return {
        by: seam > LONGEST_SEAM_NS || seam < -2 * RTC_NS ? "apart" : "realtime",
        reason: `by it ${linked} passed between two readings of the realtime clock that lie ${formatDuration(passed)} apart`,
      };
    }
  }
  const begins = newBeganNs ?? newFirstNs;
  if (
    axis.kexecTraced &&
    oldLastNs !== null &&
    begins !== null &&
    begins - oldLastNs > LONGEST_SEAM_NS + uncertaintyNs
  ) {
    return {
      by: "apart",
      reason: `by it ${formatDuration(begins - oldLastNs)} passed between the old kernel's last event and the new kernel's begin, and no kexec takes so long`,
    };
  }
  return null;
}

/** The new kernel has no event before the old kernel's last one. */
function orderFault(
  oldLastNs: number | null,
  newFirstNs: number | null,
  newBeganNs: number | null,
  uncertaintyNs: number,
): string | null {
  if (oldLastNs === null) return null;
  const early = (at: number | null): number => (at === null ? 0 : oldLastNs - at);
  const limit = formatUncertainty(uncertaintyNs);
  if (early(newFirstNs) > uncertaintyNs) {
    return `by it the new kernel's first event lies ${formatDuration(early(newFirstNs))} before the old kernel's last, more than its ${limit}`;
  }
  if (early(newBeganNs) > uncertaintyNs + BEGIN_NS) {
    return `by it the new kernel began ${formatDuration(early(newBeganNs))} before the old kernel's last event, more than its ${limit}`;
  }
  return null;
}
