/**
 * Clock links: what ties the clocks of two kernels together. The methods are tried best first; each that cannot be
 * used says why, and the one that is used states its ±.
 */
import { AXIS_EDGE_NS, type ClockMap, type ClockSegment, clockMap } from "../../base/clock-map.js";
import type { Boot } from "../../base/time.js";
import type { ClockLink, ClockPair, LinkMethod, TraceClock, UncertaintyPart } from "../../model/collected.js";
import type { LinkFault } from "./link-check.js";

/** A reading of the realtime clock at a count of the trace clock; `uncertaintyNs` is the realtime clock's own ±. */
export interface RealtimeAnchor {
  readonly traceCount: bigint;
  readonly realtimeNs: bigint;
  readonly uncertaintyNs: number;
  readonly what: string;
}

/** What one boot's files say of its clocks. */
export interface BootClocks {
  readonly boot: Boot;
  /** The clock its trace events are stamped with; null if it left no events. */
  readonly traceClock: TraceClock | null;
  readonly pairs: readonly ClockPair[];
  readonly tscDetectedKhz: number | null;
  readonly tscRefinedKhz: number | null;
  /** The kernel took a TSC rate that another timer contradicts: its sched_clock ran at that rate, then at others. */
  readonly schedClockDoubted: boolean;
  /** When the refined calibration took effect, on sched_clock (the printk stamp of its line). */
  readonly tscRefinedAtNs: number | null;
  readonly kvmClockOffsetNs: bigint | null;
  readonly realtime: readonly RealtimeAnchor[];
  /** The text's truncation of a stamp, in counts of the trace clock; 1 if read from pages. */
  readonly stampCounts: number;
}

/** A clock link and the two maps it gives; a map is null if its boot has no events or cannot be placed at all. */
export interface LinkedClocks {
  readonly link: ClockLink;
  readonly old: ClockMap<"old:trace"> | null;
  readonly new: ClockMap<"new:trace"> | null;
  /** Each boot's sched_clock on the same axis, if that is known; function-graph durations and printk count in it. */
  readonly schedClock: Readonly<Record<Boot, SchedClock | null>>;
  /** Nanoseconds on the joint axis of a reading of the TSC that the two boots share; null if it is not known. */
  readonly tscAxisNs: ((count: bigint) => number) | null;
  /** Links that there was evidence for, and other evidence against, best first. */
  readonly faults: readonly ContradictedLink[];
}

export interface ContradictedLink extends LinkFault {
  readonly method: LinkMethod;
  readonly uncertaintyNs: number | null;
}

/** Holds a joint link against the evidence that it does not rest on. */
export type LinkJudge = (linked: LinkedClocks) => LinkFault | null;

export interface SchedClock {
  /** Nanoseconds on the axis of a reading. */
  readonly axisNs: (schedClockNs: number) => number;
  /** How long one of its nanoseconds lasts at an instant of the axis: not one before the TSC's rate is refined. */
  readonly nsPerNs: (axisNs: number) => number;
  readonly uncertaintyNs: number;
}

/** TSCs of the CPUs of one package differ by less than this after the kernel's own synchronisation check. */
const TSC_SKEW_NS = 1_000;
/** The RTC counts seconds; what the kernel reads at boot may be a whole one old. */
const RTC_UNCERTAINTY_NS = 1_000_000_000;
/** An early calibration against PIT or HPET is good to a few hundred ppm; in the recordings it was off by 1,600. */
const UNREFINED_PPM = 2_000;
/** Refined calibrations of one machine differed by up to 26 ppm between boots in the recordings. */
const REFINED_PPM = 30;
/**
 * A TSC has one rate: if the boots' own calibrations differ by more than this, one of them is wrong, and with
 * it every clock of that boot. An early calibration may be 1,600 ppm off, a refined one 26.
 */
const RATES_DIFFER_PPM = 2 * UNREFINED_PPM;
/** printk's stamp of the refinement may differ from sched_clock by this before it is marked stable. */
const REFINE_STAMP_WANDER_NS = 60_000_000;

interface Rate {
  readonly khz: number;
  readonly ppm: number;
  readonly refined: boolean;
}

/** How the two boots' rates of the TSC contradict each other, or null. */
function ratesFault(boots: readonly BootClocks[]): string | null {
  const [old, fresh] = boots.map((boot) => boot.tscRefinedKhz ?? boot.tscDetectedKhz);
  if (old == null || fresh == null || Math.abs(old - fresh) <= (Math.min(old, fresh) * RATES_DIFFER_PPM) / 1e6)
    return null;
  const shown = (khz: number): string => `${(khz / 1000).toFixed(3)} MHz`;
  return `the old kernel took the TSC for one of ${shown(old)}, the new kernel for one of ${shown(fresh)}`;
}

/** The TSC's rate, from the refined calibration if there is one; the two boots' difference counts in its ±. */
function tscRate(boots: readonly BootClocks[]): Rate | null {
  const refined = boots.map((boot) => boot.tscRefinedKhz).filter((khz) => khz !== null);
  const first = refined[0];
  if (first !== undefined) {
    const spread = ((Math.max(...refined) - Math.min(...refined)) / first) * 1e6;
    return { khz: first, ppm: refined.length > 1 ? Math.max(spread, 1) : REFINED_PPM, refined: true };
  }
  const detected = boots.map((boot) => boot.tscDetectedKhz).filter((khz) => khz !== null)[0];
  return detected === undefined ? null : { khz: detected, ppm: UNREFINED_PPM, refined: false };
}

/** A boot's relation to one reference clock R: R's nanoseconds at a count of the trace clock, and the ±. */
interface Relation {
  readonly segments: readonly ClockSegment[];
  readonly parts: readonly UncertaintyPart[];
}
type Attempt = { readonly ok: true; readonly relation: Relation } | { readonly ok: false; readonly reason: string };

const refuse = (reason: string): Attempt => ({ ok: false, reason });

/** No two kernels of one update are further apart than half the axis is long. */
const placeable = (ns: number): boolean => Math.abs(ns) <= AXIS_EDGE_NS / 2;

/** Nanoseconds of the TSC since `tscZero`, for counts of the x86-tsc trace clock. */
function tscDirect(rate: Rate, tscZero: bigint, boot: BootClocks): Attempt {
  const nsPerCount = 1e6 / rate.khz;
  const parts = [{ what: `skew between the ${boot.boot} boot's CPUs`, ns: TSC_SKEW_NS }];
  if (boot.stampCounts > 1) {
    parts.push({ what: `the ${boot.boot} boot's printed stamps`, ns: Math.ceil(boot.stampCounts * nsPerCount) });
  }
  return {
    ok: true,
    relation: { segments: [{ fromCount: tscZero, axisNs: 0, nsPerCount, uncertaintyNs: sum(parts) }], parts },
  };
}

function sum(parts: readonly UncertaintyPart[]): number {
  return parts.reduce((total, part) => total + part.ns, 0);
}

/**
 * Nanoseconds of the TSC for counts of an ns clock, from bracketed pairs. With the rate known, each pair bounds the
 * offset between TSC and clock from both sides (the clock was read between the two TSC readings); the bounds of all
 * pairs are intersected, so that the narrowest sides win. Sides that contradict each other (a clock that was stepped or
 * slewed between the rounds) make the union count instead.
 */
function byPairs(rate: Rate, tscZero: bigint, boot: BootClocks): Attempt {
  const clock = boot.traceClock;
  const pairs = boot.pairs.filter((pair) => pair.clock === clock);
  if (pairs.length === 0) return refuse(`${boot.boot}/clock_pairs has no (tsc, ${clock}) pairs`);
  const nsPerCycle = 1e6 / rate.khz;
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  let unionLow = Number.POSITIVE_INFINITY;
  let unionHigh = Number.NEGATIVE_INFINITY;
  const reference = (pairs[0] as ClockPair).valueNs;
  for (const pair of pairs) {
    const since = Number(pair.valueNs - reference);
    const lower = Number(pair.tscBefore - tscZero) * nsPerCycle - since - pair.resolutionNs;
    const upper = Number(pair.tscAfter - tscZero) * nsPerCycle - since;
    low = Math.max(low, lower);
    high = Math.min(high, upper);
    unionLow = Math.min(unionLow, lower);
    unionHigh = Math.max(unionHigh, upper);
  }
  const consistent = high >= low;
  const offset = Math.round(consistent ? (low + high) / 2 : (unionLow + unionHigh) / 2);
  const bracket = Math.ceil(consistent ? (high - low) / 2 : (unionHigh - unionLow) / 2);
  const parts: UncertaintyPart[] = [
    { what: `the bracket of the ${boot.boot} boot's (tsc, ${clock}) pairs`, ns: bracket },
    { what: `skew between the ${boot.boot} boot's CPUs`, ns: TSC_SKEW_NS },
  ];
  if (boot.stampCounts > 1) parts.push({ what: `the ${boot.boot} boot's printed stamps`, ns: boot.stampCounts });
  if (!placeable(offset) || !placeable(bracket)) {
    return refuse(`the ${boot.boot} boot's (tsc, ${clock}) pairs are more than 26 days apart`);
  }
  const uncertaintyNs = sum(parts);
  const after: ClockSegment = { fromCount: reference, axisNs: offset, nsPerCount: 1, uncertaintyNs };
  const early = earlySegment(boot, rate, after);
  return { ok: true, relation: { segments: early === null ? [after] : [early, { ...after, ...early.next }], parts } };
}

/**
 * sched_clock before the refined calibration: it converts TSC cycles by the detected rate until then, so one of its
 * nanoseconds lasts detected/refined of a real one (kernel/arch/x86/kernel/tsc.c, set_cyc2ns_scale).
 */
function earlySegment(
  boot: BootClocks,
  rate: Rate,
  after: ClockSegment,
): (ClockSegment & { readonly next: Pick<ClockSegment, "fromCount" | "axisNs"> }) | null {
  if (boot.traceClock !== "local" && boot.traceClock !== "global") return null;
  if (!rate.refined || boot.tscDetectedKhz === null || boot.tscRefinedAtNs === null) return null;
  const at = BigInt(boot.tscRefinedAtNs);
  if (at >= after.fromCount || !placeable(Number(after.fromCount - at))) return null;
  const atNs = after.axisNs - Number(after.fromCount - at);
  const nsPerCount = boot.tscDetectedKhz / rate.khz;
  const wander = Math.ceil(Math.abs(nsPerCount - 1) * REFINE_STAMP_WANDER_NS);
  const from = at - 3_600_000_000_000n;
  return {
    fromCount: from,
    axisNs: atNs - Math.ceil(Number(at - from) * nsPerCount),
    nsPerCount,
    uncertaintyNs: after.uncertaintyNs + wander,
    next: { fromCount: at, axisNs: atNs },
  };
}

/**
 * Nanoseconds since the old boot's sched_clock began, for counts of sched_clock on kvm-clock: sched_clock = pvclock -
 * offset.
 */
function byKvmClock(kvmZero: bigint, boot: BootClocks): Attempt {
  if (boot.kvmClockOffsetNs === null) {
    return refuse(`the ${boot.boot} boot's log has no line 'kvm-clock: using sched offset of N cycles'`);
  }
  if (boot.traceClock !== "local" && boot.traceClock !== "global" && boot.traceClock !== "perf") {
    return refuse(`the ${boot.boot} boot's events are on ${boot.traceClock}, not on sched_clock`);
  }
  const parts = [{ what: `resolution of the ${boot.boot} boot's stamps`, ns: Math.max(1, boot.stampCounts) }];
  const axisNs = Number(boot.kvmClockOffsetNs - kvmZero);
  if (!placeable(axisNs)) return refuse("kvm-clock's offsets are more than 26 days apart");
  return {
    ok: true,
    relation: {
      segments: [{ fromCount: 0n, axisNs, nsPerCount: 1, uncertaintyNs: sum(parts) }],
      parts,
    },
  };
}

/** Nanoseconds since `realtimeZero` on the realtime clock, from its best anchor. */
function byRealtime(rate: Rate | null, realtimeZero: bigint, boot: BootClocks): Attempt {
  const best = [...boot.realtime].sort((a, b) => a.uncertaintyNs - b.uncertaintyNs)[0];
  if (best === undefined)
    return refuse(`the ${boot.boot} boot left no reading of the realtime clock beside its events`);
  const nsPerCount = traceRate(boot, rate);
  if (nsPerCount === null) return refuse(`the rate of the ${boot.boot} boot's trace clock is not known`);
  const parts = [{ what: `${best.what} in the ${boot.boot} boot`, ns: best.uncertaintyNs }];
  const axisNs = Number(best.realtimeNs - realtimeZero);
  if (!placeable(axisNs)) return refuse("the realtime clocks are more than 26 days apart");
  return {
    ok: true,
    relation: {
      segments: [
        {
          fromCount: best.traceCount,
          axisNs,
          nsPerCount,
          uncertaintyNs: sum(parts),
        },
      ],
      parts,
    },
  };
}

/** Nanoseconds per count of a boot's trace clock, or null if that is not known. */
function traceRate(boot: BootClocks, rate: Rate | null): number | null {
  switch (boot.traceClock) {
    case "x86-tsc":
      return rate === null ? null : 1e6 / rate.khz;
    case "local":
    case "global":
    case "perf":
    case "mono":
    case "mono_raw":
    case "boot":
    case "tai":
      return 1;
    case "counter":
    case "uptime":
    case "unknown":
    case null:
      return null;
  }
}

function onTsc(rate: Rate, tscZero: bigint, boot: BootClocks): Attempt {
  return boot.traceClock === "x86-tsc" ? tscDirect(rate, tscZero, boot) : byPairs(rate, tscZero, boot);
}

/** Any TSC reading of the old boot: the origin, so that axis nanoseconds stay small. */
function tscOrigin(boots: readonly BootClocks[], firstCounts: Readonly<Record<Boot, bigint | null>>): bigint {
  for (const boot of boots) {
    const pair = boot.pairs[0];
    if (pair !== undefined) return pair.tscBefore;
    const first = firstCounts[boot.boot];
    if (boot.traceClock === "x86-tsc" && first !== null) return first;
  }
  return 0n;
}

/**
 * Chooses the best link there is evidence for and none against. A link that something but the kernels' own log
 * contradicts takes realtime's with it: which of the two is wrong is not known. `firstCounts` is each boot's first
 * event in its trace clock's counts (null without events); it only sets where the axis begins.
 */
export function linkClocks(
  old: BootClocks,
  fresh: BootClocks,
  firstCounts: Readonly<Record<Boot, bigint | null>>,
  judge: LinkJudge = () => null,
): LinkedClocks {
  const boots = [old, fresh] as const;
  const rate = tscRate(boots);
  const rejected: { method: LinkMethod; reason: string }[] = [];
  const present = boots.filter((boot) => boot.traceClock !== null);
  if (present.length < 2) return loggedKvmClock(old, fresh) ?? singleBoot(present[0] ?? null, rate, firstCounts);

  const differ = ratesFault(boots);
  const faults: ContradictedLink[] =
    differ === null ? [] : [{ method: "clock-pairs", uncertaintyNs: null, by: "rate", reason: differ }];
  const noRate = "neither boot's log says at what rate the TSC runs";
  const methods: readonly { readonly method: LinkMethod; readonly attempt: (boot: BootClocks) => Attempt }[] = [
    {
      method: "x86-tsc",
      attempt: (boot) => {
        if (boot.traceClock !== "x86-tsc") return refuse(`the ${boot.boot} boot's events are on ${boot.traceClock}`);
        if (differ !== null) return refuse(differ);
        return rate === null ? refuse(noRate) : tscDirect(rate, tscOrigin(boots, firstCounts), boot);
      },
    },
    {
      method: "clock-pairs",
      attempt: (boot) => {
        if (differ !== null) return refuse(differ);
        return rate === null ? refuse(noRate) : onTsc(rate, tscOrigin(boots, firstCounts), boot);
      },
    },
    { method: "kvm-clock", attempt: (boot) => byKvmClock(old.kvmClockOffsetNs ?? 0n, boot) },
    {
      method: "realtime",
      attempt: (boot) => {
        const doubted = faults.find(({ by }) => by !== "log");
        if (doubted?.by === "rate") return refuse(doubted.reason);
        if (doubted !== undefined) return refuse(`what contradicts ${doubted.method} leaves open which clock is wrong`);
        return byRealtime(rate, old.realtime[0]?.realtimeNs ?? fresh.realtime[0]?.realtimeNs ?? 0n, boot);
      },
    },
  ];
  for (const { method, attempt } of methods) {
    const [a, b] = [attempt(old), attempt(fresh)];
    if (a.ok && b.ok) {
      const attempts = { old: a, new: b };
      const parts = [...a.relation.parts, ...b.relation.parts];
      const usesTsc = method === "x86-tsc" || method === "clock-pairs";
      const linked: LinkedClocks = {
        link: {
          method,
          joint: true,
          uncertaintyNs: sum(parts),
          parts,
          ratePpm: usesTsc && rate !== null ? rate.ppm : 0,
          tscKhz: rate?.khz ?? null,
          rejected,
        },
        old: clockMap("old:trace", a.relation.segments),
        new: clockMap("new:trace", b.relation.segments),
        schedClock: {
          old: schedClockOf(old, attempts.old.relation, usesTsc ? rate : null, tscOrigin(boots, firstCounts)),
          new: schedClockOf(fresh, attempts.new.relation, usesTsc ? rate : null, tscOrigin(boots, firstCounts)),
        },
        tscAxisNs: tscAxis(fresh, b.relation, usesTsc ? rate : null, tscOrigin(boots, firstCounts)),
        faults,
      };
      const fault = judge(linked);
      if (fault === null) return linked;
      faults.push({ ...fault, method, uncertaintyNs: linked.link.uncertaintyNs });
      rejected.push({ method, reason: fault.reason });
      continue;
    }
    const reasons = [a, b].flatMap((result) => (result.ok ? [] : [result.reason]));
    rejected.push({ method, reason: [...new Set(reasons)].join("; ") });
  }
  return {
    link: {
      method: "none",
      joint: false,
      uncertaintyNs: null,
      parts: [],
      ratePpm: rate?.ppm ?? 0,
      tscKhz: rate?.khz ?? null,
      rejected,
    },
    old: ownAxis("old:trace", old, rate, firstCounts.old),
    new: ownAxis("new:trace", fresh, rate, firstCounts.new),
    schedClock: { old: null, new: null },
    tscAxisNs: null,
    faults,
  };
}

/**
 * sched_clock on the axis: the trace clock itself if that is `local`; from (tsc, local) pairs if the events are
 * on
 * another clock and the axis is the TSC's; otherwise not known.
 */
function schedClockOf(boot: BootClocks, own: Relation, rate: Rate | null, tscZero: bigint): SchedClock | null {
  if (boot.schedClockDoubted) return null;
  let relation: Relation | null = boot.traceClock === "local" ? own : null;
  if (relation === null && rate !== null) {
    const paired = byPairs(rate, tscZero, { ...boot, traceClock: "local", stampCounts: 1 });
    if (paired.ok) relation = paired.relation;
  }
  if (relation === null) return null;
  const { segments, parts } = relation;
  const at = (fits: (segment: ClockSegment) => boolean): ClockSegment =>
    segments.findLast(fits) ?? (segments[0] as ClockSegment);
  return {
    axisNs: (ns) => {
      const segment = at((candidate) => candidate.fromCount <= BigInt(Math.round(ns)));
      return segment.axisNs + Math.round((ns - Number(segment.fromCount)) * segment.nsPerCount);
    },
    nsPerNs: (axisNs) => at((candidate) => candidate.axisNs <= axisNs).nsPerCount,
    uncertaintyNs: sum(parts),
  };
}

/** The TSC on the joint axis: the axis is its own, or the new boot's events are counts of it. */
function tscAxis(fresh: BootClocks, own: Relation, rate: Rate | null, tscZero: bigint): LinkedClocks["tscAxisNs"] {
  if (rate !== null) return (count) => Math.round((Number(count - tscZero) * 1e6) / rate.khz);
  const first = own.segments[0];
  if (fresh.traceClock !== "x86-tsc" || first === undefined) return null;
  return (count) => first.axisNs + Math.round(Number(count - first.fromCount) * first.nsPerCount);
}

/** One boot's clock alone, its zero at the boot's first event; null if even the clock's rate is not known. */
function ownAxis<D extends "old:trace" | "new:trace">(
  domain: D,
  boot: BootClocks,
  rate: Rate | null,
  first: bigint | null,
): ClockMap<D> | null {
  const nsPerCount = traceRate(boot, rate);
  if (nsPerCount === null || first === null) return null;
  return clockMap(domain, [{ fromCount: first, axisNs: 0, nsPerCount, uncertaintyNs: boot.stampCounts * nsPerCount }]);
}

/**
 * A boot that left no events but its log has a sched_clock all the same, which printk counts in: if both logs state
 * their kvm-clock's offset, both are on one axis. Null if that is not so.
 */
function loggedKvmClock(old: BootClocks, fresh: BootClocks): LinkedClocks | null {
  const [a, b] = [old, fresh].map((boot) =>
    byKvmClock(
      old.kvmClockOffsetNs ?? 0n,
      boot.traceClock === null ? { ...boot, traceClock: "local", stampCounts: PRINTK_STAMP_NS } : boot,
    ),
  ) as [Attempt, Attempt];
  if (!a.ok || !b.ok) return null;
  const parts = [...a.relation.parts, ...b.relation.parts];
  return {
    link: {
      method: "kvm-clock",
      joint: true,
      uncertaintyNs: sum(parts),
      parts,
      ratePpm: 0,
      tscKhz: null,
      rejected: [],
    },
    old: old.traceClock === null ? null : clockMap("old:trace", a.relation.segments),
    new: fresh.traceClock === null ? null : clockMap("new:trace", b.relation.segments),
    schedClock: {
      old: schedClockOf({ ...old, traceClock: "local" }, a.relation, null, 0n),
      new: schedClockOf({ ...fresh, traceClock: "local" }, b.relation, null, 0n),
    },
    tscAxisNs: null,
    faults: [],
  };
}

/** printk prints microseconds. */
const PRINTK_STAMP_NS = 1_000;

function singleBoot(
  boot: BootClocks | null,
  rate: Rate | null,
  firstCounts: Readonly<Record<Boot, bigint | null>>,
): LinkedClocks {
  const link: ClockLink = {
    method: "single",
    joint: false,
    uncertaintyNs: null,
    parts: [],
    ratePpm: boot?.traceClock === "x86-tsc" ? (rate?.ppm ?? 0) : 0,
    tscKhz: rate?.khz ?? null,
    rejected: [],
  };
  return {
    link: boot === null ? { ...link, method: "none" } : link,
    old: boot?.boot === "old" ? ownAxis("old:trace", boot, rate, firstCounts.old) : null,
    new: boot?.boot === "new" ? ownAxis("new:trace", boot, rate, firstCounts.new) : null,
    schedClock: { old: null, new: null },
    tscAxisNs: null,
    faults: [],
  };
}

/** Realtime anchors of a boot whose pairs include the tai clock (realtime plus a constant: both boots share it). */
export function taiAnchors(boot: BootClocks): readonly RealtimeAnchor[] {
  const pair = boot.pairs.find((candidate) => candidate.clock === "tai");
  if (pair === undefined || boot.traceClock !== "x86-tsc") return [];
  return [
    {
      traceCount: (pair.tscBefore + pair.tscAfter) / 2n,
      realtimeNs: pair.valueNs,
      uncertaintyNs: RTC_UNCERTAINTY_NS,
      what: "the tai clock, set from the RTC's second",
    },
  ];
}
