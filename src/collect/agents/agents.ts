/**
 * What user space's agents left in a capture (`agents/`): systemd's mapping of tokens, and luod's logs of both boots,
 * their messages placed on the axis by the clock that the log was stamped with.
 */

import type { DefectSink } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { AgentClient, AgentFacts, ClockPair, KeyEvent, SourceCounts, TraceClock } from "../../model/collected.js";
import { clockReading } from "../../model/marks.js";
import type { CaptureFiles } from "../files/files.js";
import { type LogStamp, type LuodMessage, parseLuodLog } from "./luod.js";
import { parseLuoMapping } from "./systemd.js";

const LUO_MAPPING = "agents/luo-mapping.json";
const luodLogPath = (boot: Boot): string => `agents/luod.${boot}.log`;

/** The most that the kernel lets a clock be slewed (MAXFREQ, include/linux/timex.h). */
const SLEW_PPM = 500;
/** Between reading the clocks and writing the mark, a task may have waited for its CPU this long. */
const MARK_DELAY_NS = 10_000_000;

/** An instant at which a boot's wall clock was read, on its axis. */
export interface WallAnchor {
  readonly clock: LogStamp["clock"];
  readonly clockNs: bigint;
  readonly ns: number;
  readonly uncertaintyNs: number;
}

/** The workload's marks `clock: realtime=S.NNNNNNNNN monotonic=S.NNNNNNNNN`, as anchors. */
export function markedClocks(events: readonly KeyEvent[]): readonly WallAnchor[] {
  return events.flatMap((event): readonly WallAnchor[] => {
    if (event.what !== "marker") return [];
    return (["monotonic", "realtime"] as const).flatMap((clock): readonly WallAnchor[] => {
      const clockNs = clockReading(event.name, event.fields, clock);
      if (clockNs === null) return [];
      return [{ clock, clockNs, ns: event.at.ns, uncertaintyNs: MARK_DELAY_NS }];
    });
  });
}

/** A boot's trace clock on the axis: where a count lies, and its ±. */
export type PlaceCount = (count: bigint) => { readonly ns: number; readonly uncertaintyNs: number };

/**
 * Readings of CLOCK_MONOTONIC (or of TAI, which is realtime and some whole seconds) between two of the TSC, as anchors.
 * If the trace runs on another clock than the TSC, a
 * reading of that clock leads to it, over the cycles between the two.
 */
export function pairedClocks(
  pairs: readonly ClockPair[],
  traceClock: TraceClock,
  place: PlaceCount,
  tscKhz: number | null,
  read: "mono" | "tai" = "mono",
): readonly WallAnchor[] {
  const own = pairs.filter(({ clock }) => clock === traceClock);
  const middle = ({ tscBefore, tscAfter }: ClockPair): bigint => (tscBefore + tscAfter) / 2n;
  const half = ({ tscBefore, tscAfter }: ClockPair, khz: number): number => (Number(tscAfter - tscBefore) / khz) * 5e5;
  return pairs.flatMap((pair): readonly WallAnchor[] => {
    if (pair.clock !== read) return [];
    const anchor = { clock: read === "mono" ? "monotonic" : "realtime", clockNs: pair.valueNs } as const;
    if (traceClock === read) return [{ ...anchor, ...place(pair.valueNs) }];
    if (tscKhz === null) return [];
    const bracket = half(pair, tscKhz) + pair.resolutionNs;
    if (traceClock === "x86-tsc") {
      const { ns, uncertaintyNs } = place(middle(pair));
      return [{ ...anchor, ns, uncertaintyNs: Math.ceil(uncertaintyNs + bracket) }];
    }
    return own.map((reference) => {
      const { ns, uncertaintyNs } = place(reference.valueNs);
      const between = (Number(middle(pair) - middle(reference)) / tscKhz) * 1e6;
      const slack = bracket + half(reference, tscKhz) + reference.resolutionNs;
      return { ...anchor, ns: ns + Math.round(between), uncertaintyNs: Math.ceil(uncertaintyNs + slack) };
    });
  });
}

/**
 * Readings of CLOCK_REALTIME between two of the TSC: those of TAI, which differs from it by whole seconds (0 if
 * nobody has set the offset, 37 since 2017), and a mark of the realtime clock shows how many. Empty without such a
 * mark.
 */
export function realtimeByTai(
  pairs: readonly ClockPair[],
  traceClock: TraceClock,
  place: PlaceCount,
  tscKhz: number | null,
  marked: readonly WallAnchor[],
): readonly WallAnchor[] {
  const marks = marked.filter(({ clock }) => clock === "realtime");
  return pairedClocks(pairs, traceClock, place, tscKhz, "tai").flatMap((anchor): readonly WallAnchor[] => {
    const whole = marks.map((mark) => wholeSeconds(anchor, mark)).find((seconds) => seconds !== null) ?? null;
    return whole === null ? [] : [{ ...anchor, clockNs: anchor.clockNs - whole * SECOND }];
  });
}

const SECOND = 1_000_000_000n;
/** Farther than this from a whole second, TAI and the mark are not of one clock. */
const MAX_FROM_WHOLE_NS = 100_000_000;

/** By how many whole seconds TAI is ahead of the marked realtime clock; null if that is not an integer. */
function wholeSeconds(tai: WallAnchor, mark: WallAnchor): bigint | null {
  const ahead = Number(tai.clockNs - mark.clockNs) - (tai.ns - mark.ns);
  const seconds = Math.round(ahead / 1e9);
  const slack = mark.uncertaintyNs + (Math.abs(tai.ns - mark.ns) * SLEW_PPM) / 1e6;
  return Math.abs(ahead - seconds * 1e9) <= slack && slack <= MAX_FROM_WHOLE_NS ? BigInt(seconds) : null;
}

/** Places a stamp by the anchor that makes it surest; null if its clock has none. */
export function placeStamp(
  stamp: LogStamp,
  anchors: readonly WallAnchor[],
): { readonly ns: number; readonly uncertaintyNs: number } | null {
  let best: { readonly ns: number; readonly uncertaintyNs: number } | null = null;
  for (const anchor of anchors) {
    if (anchor.clock !== stamp.clock) continue;
    const since = Number(stamp.ns - anchor.clockNs);
    const uncertaintyNs =
      anchor.uncertaintyNs + stamp.resolutionNs + Math.ceil((Math.abs(since) * SLEW_PPM) / 1_000_000);
    if (!Number.isSafeInteger(anchor.ns + since)) continue;
    if (best === null || uncertaintyNs < best.uncertaintyNs) best = { ns: anchor.ns + since, uncertaintyNs };
  }
  return best;
}

/** What the agents' files say, before it is placed. */
export interface AgentRecords {
  readonly facts: AgentFacts;
  readonly messages: Readonly<Record<Boot, readonly LuodMessage[]>>;
  readonly sources: readonly SourceCounts[];
}

/** Reads the agents' files; each is optional. */
export function readAgents(files: CaptureFiles, sink: DefectSink): AgentRecords {
  const mapped = textOf(LUO_MAPPING, files.limits["table-bytes"], files, sink);
  const mapping = mapped === null ? null : parseLuoMapping(mapped, LUO_MAPPING, sink);
  const logs = (["old", "new"] as const).map((boot) => {
    const file = luodLogPath(boot);
    const text = textOf(file, files.limits["log-bytes"], files, sink);
    return { boot, file, log: text === null ? null : parseLuodLog(text, file, boot, sink) };
  });
  const messagesOf = (boot: Boot): readonly LuodMessage[] => logs.find((log) => log.boot === boot)?.log?.messages ?? [];
  return {
    facts: {
      fds: mapping?.fds ?? [],
      sessions: mapping?.sessions ?? [],
      clients: logs.flatMap(({ boot, log }) => clientsOf(boot, log?.messages ?? [])),
    },
    messages: { old: messagesOf("old"), new: messagesOf("new") },
    sources: logs.flatMap(({ boot, file, log }): readonly SourceCounts[] => {
      if (log === null) return [];
      const clocks = [...new Set(log.messages.map(({ stamp }) => stamp?.clock ?? "none"))].sort();
      return [{ boot, dialect: "luod", files: [file], clock: clocks.join(", ") || "none", ...log.counts }];
    }),
  };
}

function textOf(path: string, limit: number, files: CaptureFiles, sink: DefectSink): string | null {
  const bytes = files.bytes(path, limit, sink);
  return bytes === null ? null : new TextDecoder("utf-8").decode(bytes);
}

function clientsOf(boot: Boot, messages: readonly LuodMessage[]): readonly AgentClient[] {
  const clients = new Map<string, AgentClient>();
  for (const { name, session, fd } of messages) {
    if (session === null || (name !== "SUBSCRIBE" && name !== "CLAIM")) continue;
    const key = `${fd ?? ""} ${session}`;
    if (!clients.has(key)) clients.set(key, { boot, session, fd });
  }
  return [...clients.values()];
}

/** The messages of one boot as key events; those that cannot be placed are noted in `sink` with their line. */
export function placeMessages(
  boot: Boot,
  messages: readonly LuodMessage[],
  anchors: readonly WallAnchor[],
  sink: DefectSink,
): readonly KeyEvent[] {
  const file = luodLogPath(boot);
  return messages.flatMap(({ name, stamp, line, fd, session }): readonly KeyEvent[] => {
    const at = stamp === null ? null : placeStamp(stamp, anchors);
    if (at === null) {
      const why =
        stamp === null ? "has no stamp" : `is stamped on the ${stamp.clock} clock, which nothing ties to the trace`;
      sink.defect({
        code: "luod-unplaced",
        severity: "note",
        file,
        line,
        boot,
        message: `${name}${session === null ? "" : ` of session '${session}'`} ${why}, so its time is unknown.`,
        advice: "Save the log with journalctl -o short-monotonic, and clock_pairs of the same boot.",
      });
      return [];
    }
    return [
      {
        at: { boot, ...at },
        what: "message",
        name: `luod ${name}`,
        fields: new Map<string, string | number>([
          ...(session === null ? [] : [["session", session] as const]),
          ...(fd === null ? [] : [["fd", fd] as const]),
        ]),
        source: "agent",
        cpu: -1,
        pid: -1,
        task: "luod",
        file,
        place: line,
      },
    ];
  });
}
