/** One moment at which every clock of a boot was read: the narrowest round of its clock_pairs, brought to one TSC. */
import type { ClockPair, TraceClock } from "../../model/collected.js";

/** Clocks that count nanoseconds. */
export const NS_CLOCKS: ReadonlySet<TraceClock> = new Set([
  "local",
  "global",
  "perf",
  "mono",
  "mono_raw",
  "boot",
  "tai",
]);

/** Since 2017. A kernel to which nobody gave the offset takes TAI for UTC. */
export const TAI_MINUS_UTC_NS = 37_000_000_000;

/** Without the counter's rate the clocks of a round count as read at once: a round took 40 ms at most. */
const ROUND_NS = 50_000_000;

export interface Moment {
  readonly tsc: bigint;
  readonly localNs: bigint;
  readonly monoNs: bigint;
  readonly taiNs: bigint;
  /** Since the kernel's sched_clock began. */
  readonly uptimeNs: number;
  /** ± of one clock's reading against another's. */
  readonly slackNs: number;
  /** A clock's count at this moment; null if the round does not read it. */
  countOf(clock: TraceClock): bigint | null;
}

/** Null without a whole round. `tscKhz` is the rate of the counter that brackets the readings. */
export function momentOf(pairs: readonly ClockPair[], tscKhz: number | null): Moment | null {
  const rounds = roundsOf(pairs);
  const width = ([first, , , last]: Round): number => Number(last.tscAfter - first.tscBefore);
  const [narrowest, ...rest] = rounds;
  if (narrowest === undefined) return null;
  const round = rest.reduce((best, each) => (width(each) < width(best) ? each : best), narrowest);
  const nsPerTick = tscKhz === null ? 0 : 1e6 / tscKhz;
  const middle = ({ tscBefore, tscAfter }: ClockPair): bigint => (tscBefore + tscAfter) / 2n;
  const at = middle(round[1]);
  const brought = (pair: ClockPair): bigint => pair.valueNs + BigInt(Math.round(Number(at - middle(pair)) * nsPerTick));
  const [local, mono, boot, tai] = [brought(round[0]), brought(round[1]), brought(round[2]), brought(round[3])];
  const widest = round.reduce((most, each) => Math.max(most, Number(each.tscAfter - each.tscBefore)), 0);
  return {
    tsc: at,
    localNs: local,
    monoNs: mono,
    taiNs: tai,
    uptimeNs: Number(local),
    slackNs: tscKhz === null ? ROUND_NS : Math.ceil(widest * nsPerTick) + round[0].resolutionNs,
    countOf: (clock) => {
      switch (clock) {
        case "x86-tsc":
          return tscKhz === null ? null : at;
        case "local":
        case "global":
          return local;
        case "mono":
          return mono;
        case "boot":
          return boot;
        case "tai":
          return tai;
        default:
          return null;
      }
    },
  };
}

type Round = readonly [local: ClockPair, mono: ClockPair, boot: ClockPair, tai: ClockPair];

/** Pairs come in rounds of four, each clock once. */
function roundsOf(pairs: readonly ClockPair[]): readonly Round[] {
  const rounds: Round[] = [];
  for (let i = 0; i + 4 <= pairs.length; i++) {
    const [local, mono, boot, tai] = pairs.slice(i, i + 4);
    if (local?.clock !== "local" || mono?.clock !== "mono" || boot?.clock !== "boot" || tai?.clock !== "tai") continue;
    rounds.push([local, mono, boot, tai]);
  }
  return rounds;
}
