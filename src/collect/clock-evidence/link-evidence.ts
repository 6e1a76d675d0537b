/** The evidence that clock links are checked against, of both boots; and the report of a link that it contradicts. */

import { axisNsOf, type ClockMap } from "../../base/clock-map.js";
import type { DefectInput } from "../../base/defect.js";
import { formatUncertainty } from "../../base/text/format.js";
import { instant } from "../../base/time.js";
import type { TraceClock } from "../../model/collected.js";
import { FUNCTIONS } from "../../model/luo.js";
import { type Capture, ringsOf } from "../capture/capture.js";
import type { LinkedClocks, LinkJudge } from "../clocks/clock-link.js";
import { type LinkFault, linkFault, type TscVerdict, type WallReading } from "../clocks/link-check.js";
import { momentOf, NS_CLOCKS } from "../clocks/moment.js";
import { countOfStamp } from "../clocks/trace-clock.js";
import { tscKhzFor } from "../kernel-log/kernel-log-facts.js";
import { clockMarks, countOfEvent, type RecordedBoot } from "./boot-evidence.js";

/** A boot as read, and the clock that its events are on by all evidence. */
export interface HeldBoot extends RecordedBoot {
  readonly clock: TraceClock | null;
}

type TraceMap = ClockMap<"old:trace"> | ClockMap<"new:trace">;

function placed(map: TraceMap | null, count: bigint): number | null {
  return map === null ? null : axisNsOf(map as ClockMap<"old:trace">, instant("old:trace", count));
}

const khzOf = ({ log: { facts }, clock }: HeldBoot): number | null => tscKhzFor(clock, facts);

function wallReadings(read: HeldBoot, map: TraceMap | null, capture: Capture): readonly WallReading[] {
  const marks = clockMarks(read.events).flatMap(({ count, realtimeNs }): readonly WallReading[] => {
    const axisNs = placed(map, count);
    return axisNs === null ? [] : [{ axisNs, realtimeNs, of: "mark" }];
  });
  const moment = momentOf(capture.boots[read.boot]?.pairs ?? [], khzOf(read));
  const count = read.clock === null ? null : (moment?.countOf(read.clock) ?? null);
  const axisNs = count === null ? null : placed(map, count);
  return moment === null || axisNs === null ? marks : [...marks, { axisNs, realtimeNs: moment.taiNs, of: "tai" }];
}

/** Lines that say that the TSC was written, or is not to be trusted, while one of the two kernels counted on it. */
function tscVerdict(old: HeldBoot, fresh: HeldBoot, capture: Capture): TscVerdict | null {
  const moment = momentOf(capture.boots.old?.pairs ?? [], khzOf(old));
  for (const { boot, log, clock } of [old, fresh]) {
    for (const fact of log.facts.all) {
      if (fact.id !== "tsc-unstable" && fact.id !== "tsc-adjusted") continue;
      // A rate taken from the wrong timer looks like an unstable TSC to the watchdog; the counts are right.
      if (fact.id === "tsc-unstable" && clock === "x86-tsc" && log.facts.tscByOtherTimerKhz !== null) continue;
      // The old kernel wrote the TSC as it came up, before it was read: that is past.
      const past = fact.id === "tsc-adjusted" && boot === "old" && moment !== null && fact.stampNs !== null;
      if (past && (fact.stampNs as number) < Math.min(moment.uptimeNs, firstUptime(old, moment.uptimeNs))) continue;
      return { boot, text: fact.text, file: fact.file, line: fact.line };
    }
  }
  return null;
}

function firstUptime({ events, clock }: HeldBoot, otherwise: number): number {
  return clock === "local" ? Number(countOfEvent(events, events.first)) : otherwise;
}

const ENTERS_KEXEC: ReadonlySet<string> = new Set(
  [FUNCTIONS.kernelKexec, FUNCTIONS.machineKexec, FUNCTIONS.liveupdateReboot].map(({ name }) => name),
);

/** QEMU with -icount: the TSC counts instructions, 1 GHz of them, whatever time passes outside. */
const COUNTED_KHZ = 1_000_000;
const COUNTED_PPM = 100;

/**
 * Whether the machine is QEMU counting instructions. Its RTC runs on the host's clock then (unless started with
 * `-rtc clock=vm`): readings of it do not show how much time passed inside.
 */
function countsInstructions(read: HeldBoot): boolean {
  const khz = khzOf(read);
  const near = khz !== null && Math.abs(khz - COUNTED_KHZ) <= (COUNTED_KHZ * COUNTED_PPM) / 1e6;
  return near && read.log.facts.all.some(({ id }) => id === "emulated-cpu");
}

/** A note if the link was not checked against the realtime clock, because that is not the machine's own. */
export function countedDefect(old: HeldBoot, fresh: HeldBoot): DefectInput | null {
  if (!countsInstructions(old) || !countsInstructions(fresh)) return null;
  return {
    code: "realtime-not-checked",
    severity: "note",
    file: "capture.json",
    message:
      "The machine is QEMU counting instructions (-icount): its TSC does not count the host's time, on which its RTC runs. The clock link is not checked against the realtime clock.",
    advice: "Start QEMU with -rtc clock=vm, so that the RTC counts the machine's own time.",
  };
}

/** Holds each link against the two boots' events, logs and readings; `apart` is what the ids say against any. */
export function judgeOf(old: HeldBoot, fresh: HeldBoot, capture: Capture, apart: string | null): LinkJudge {
  const tsc = tscVerdict(old, fresh, capture);
  const uptimeNs = momentOf(capture.boots.old?.pairs ?? [], khzOf(old))?.uptimeNs ?? 0;
  const kexecTraced = old.events.keyEvents.some(({ name }) => ENTERS_KEXEC.has(name));
  const counted = countsInstructions(old) && countsInstructions(fresh);
  const wallOf = (read: HeldBoot, map: TraceMap | null): readonly WallReading[] =>
    counted ? [] : wallReadings(read, map, capture);
  const shifted = firstEventFault(old, capture) ?? firstEventFault(fresh, capture);
  const ofAny: LinkFault | null =
    apart !== null ? { by: "apart", reason: apart } : shifted !== null ? { by: "order", reason: shifted } : null;
  return (linked: LinkedClocks): LinkFault | null =>
    ofAny ??
    linkFault(
      {
        method: linked.link.method,
        uncertaintyNs: linked.link.uncertaintyNs ?? 0,
        wall: { old: wallOf(old, linked.old), new: wallOf(fresh, linked.new) },
        oldLastNs: ofEvents(old, linked.old, old.events.last),
        newFirstNs: ofEvents(fresh, linked.new, fresh.events.first),
        newBeganNs: linked.schedClock.new?.axisNs(0) ?? null,
        kexecTraced,
      },
      tsc,
      uptimeNs,
    );
}

/** Stamps are printed rounded to a microsecond. */
const PRINTED_NS = 1_000n;

/** The kernel printed its oldest event's stamp: what comes before it was shifted, and all of that boot may be. */
function firstEventFault({ boot, events, clock }: HeldBoot, capture: Capture): string | null {
  const own = capture.boots[boot];
  if (own === null || clock === null || Number.isNaN(events.first)) return null;
  const cpus = ringsOf(own).flatMap((buffer) => buffer.cpus);
  const filled = cpus.filter(({ stats }) => stats?.entries !== 0);
  const printed = filled.flatMap(({ stats }) => stats?.oldest ?? []);
  if (printed.length < filled.length || printed.some((stamp) => stamp.includes(".") !== NS_CLOCKS.has(clock)))
    return null;
  const stamps = printed.flatMap((stamp) => countOfStamp(stamp) ?? []);
  const [one, ...others] = stamps;
  if (one === undefined) return null;
  const oldest = others.reduce((least, stamp) => (stamp < least ? stamp : least), one);
  const first = countOfEvent(events, events.first);
  if (first >= oldest - PRINTED_NS) return null;
  return `the ${boot} kernel's events begin at ${first} on ${clock}, and the oldest that it counted is at ${oldest}`;
}

function ofEvents({ events }: HeldBoot, map: TraceMap | null, at: number): number | null {
  return Number.isNaN(at) ? null : placed(map, countOfEvent(events, at));
}

/** One defect for each reason that a link was withdrawn for: a warning if another took its place. */
export function linkDefects({ faults, link }: LinkedClocks, reported: string | null): readonly DefectInput[] {
  const told = faults.filter(
    ({ reason }, i) => reason !== reported && faults.findIndex((each) => each.reason === reason) === i,
  );
  return told.map(({ method, reason, by, uncertaintyNs }): DefectInput => {
    const apart = by === "apart";
    const instead = link.joint
      ? `The link ${link.method} (${formatUncertainty(link.uncertaintyNs ?? 0)}) is used instead`
      : "No duration across the kexec is known";
    const own = uncertaintyNs === null ? "" : ` (${formatUncertainty(uncertaintyNs)})`;
    return {
      code: apart ? "halves-apart" : "clock-link-contradicted",
      severity: link.joint ? "warning" : "error",
      file: "capture.json",
      message: `${apart ? "The two boots are not of one update" : "The clock link is contradicted"}, by ${method}${own}: ${reason}. ${instead}.`,
      advice: apart
        ? "Collect both parts of one update: one of these is of another host, or of another attempt."
        : "Check that both parts are of one update, and that no clock was set, stepped or miscalibrated between them.",
    };
  });
}
