/**
 * luod's log (github.com/soleen/luo-agent, src/daemon/server.c and README): messages of the live update agent's
 * clients, one per line. luod prints `[DEBUG] Received from fd=N: JSON`; bare JSON frames are also read. The prefix is
 * the time: journalctl's `-o short-monotonic`, `-o short-unix`, `-o short-iso` or `-o short-iso-precise`, or nothing.
 */

import type { DefectSink } from "../../base/defect.js";
import type { ReadCounts } from "../../model/collected.js";
import { captured } from "../../model/kernel-lines.js";
import { cleanText } from "../kernel-log/kmsg-lines.js";

/** A line's stamp: on CLOCK_MONOTONIC of its own boot, or nanoseconds since 1970. Cut to `resolutionNs`. */
export interface LogStamp {
  readonly clock: "monotonic" | "realtime";
  readonly ns: bigint;
  readonly resolutionNs: number;
}

/** The messages that are understood, in the protocol's words; the last four are luod's own. */
const LUOD_MESSAGES = [
  "SUBSCRIBE",
  "PRESERVATION_REQUEST",
  "START_PRESERVATION",
  "READY",
  "CLAIM",
  "CONNECTED",
  "DISCONNECTED",
  "FOUND",
  "FRESH",
] as const;
export type LuodMessageName = (typeof LUOD_MESSAGES)[number];

export interface LuodMessage {
  readonly name: LuodMessageName;
  readonly stamp: LogStamp | null;
  /** 1-based. */
  readonly line: number;
  /** luod's end of the client's connection; null if the line does not say. */
  readonly fd: number | null;
  /** The id that the client gave itself, in this message or earlier on the same connection: its session's name. */
  readonly session: string | null;
}

export interface LuodLog {
  readonly messages: readonly LuodMessage[];
  readonly counts: ReadCounts;
}

const MAX_LINES = 200_000;
/** luod receives at most 4,096 bytes at a time (RECV_BUF_SIZE); its prefix and the journal's are short. */
const MAX_LINE = 8_192;
/** char session_id[64] of src/common/luo_defs.h. */
const MAX_ID = 63;

const MONOTONIC = /^\[ *(\d{1,10})\.(\d{6})\] /;
const UNIX = /^(\d{9,11})\.(\d{6}) /;
const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{6}))?(Z|[+-]\d\d:?\d\d) /;
/** `HOST luod[PID]: `, as journalctl prints it after the stamp. */
const SENDER = /^(?:\S{1,255} )?[\w.@-]{1,64}(?:\[\d{1,10}\])?: /;
const FRAME = /^\[DEBUG\] (?:Received from|Sent to) fd=(\d{1,10}): (.*)$/;
const CONNECTED = /^\[INFO\] New connection accepted \(fd=(\d{1,10})\)$/;
const DISCONNECTED = /^\[INFO\] Client fd=(\d{1,10}) disconnected$/;
const FRESH = /^\[INFO\] No preserved state found\b/;
/** Lines without information on an update: luod's other messages, journalctl's notes between boots. */
const OTHER = /^(?:\[(?:INFO|DEBUG)\] (?!Received|Sent)|-- )/;
const COMMANDS: ReadonlySet<string> = new Set(["SUBSCRIBE", "READY", "CLAIM"]);
const EVENTS: ReadonlySet<string> = new Set(["PRESERVATION_REQUEST", "START_PRESERVATION"]);

/** The stamp before a line's text, and the text without stamp and sender. */
export function stampedText(line: string): { readonly stamp: LogStamp | null; readonly text: string } {
  const stamped = stampOf(line);
  if (stamped === null) return { stamp: null, text: line.replace(SENDER, "") };
  return { stamp: stamped.stamp, text: line.slice(stamped.length).replace(SENDER, "") };
}

function stampOf(line: string): { readonly stamp: LogStamp; readonly length: number } | null {
  const monotonic = MONOTONIC.exec(line);
  const seconds = monotonic ?? UNIX.exec(line);
  if (seconds !== null) {
    const ns = BigInt(seconds[1] as string) * 1_000_000_000n + BigInt(seconds[2] as string) * 1_000n;
    const clock = monotonic === null ? "realtime" : "monotonic";
    return { stamp: { clock, ns, resolutionNs: 1_000 }, length: seconds[0].length };
  }
  const iso = ISO.exec(line);
  if (iso === null) return null;
  const zone = (iso[3] as string).replace(/^([+-]\d\d):?(\d\d)$/, "$1:$2");
  const ms = Date.parse(`${iso[1]}${zone}`);
  if (!Number.isFinite(ms)) return null;
  const ns = BigInt(ms) * 1_000_000n + BigInt(iso[2] ?? "0") * 1_000n;
  const resolutionNs = iso[2] === undefined ? 1_000_000_000 : 1_000;
  return { stamp: { clock: "realtime", ns, resolutionNs }, length: iso[0].length };
}

/**
 * Reads one boot's log of luod, in its order; never throws. A line that is not a message of the protocol is a defect.
 */
export function parseLuodLog(text: string, file: string, boot: "old" | "new", sink: DefectSink): LuodLog {
  const messages: LuodMessage[] = [];
  const ids = new Map<number, string>();
  let lines = 0;
  let structural = 0;
  let undecoded = 0;
  let from = 0;
  while (from < text.length) {
    const found = text.indexOf("\n", from);
    const to = found < 0 ? text.length : found;
    lines += 1;
    const line = lines;
    if (line > MAX_LINES) {
      lines -= 1;
      sink.defect({
        code: "luod-log-cut",
        severity: "warning",
        file,
        line,
        boot,
        message: `The log was read up to line ${MAX_LINES}.`,
        advice: "Cut it to the live update it belongs to.",
      });
      break;
    }
    const { stamp, text: said } = stampedText(cleanText(text.slice(from, Math.min(to, from + MAX_LINE))).trimEnd());
    from = to + 1;
    const message = messageOf(said);
    if (message === "other") structural += 1;
    else if (message === null) {
      undecoded += 1;
      sink.defect({
        code: "luod-undecoded",
        severity: "note",
        file,
        line,
        boot,
        message: "The line is not a message of luod's protocol.",
        advice: "Save luod's own output, or its frames, one JSON object a line.",
      });
    } else {
      const { name, fd } = message;
      if (fd !== null && message.session !== null) ids.set(fd, message.session);
      const session = message.session ?? (fd === null ? null : (ids.get(fd) ?? null));
      if (fd !== null && (name === "CONNECTED" || name === "DISCONNECTED")) ids.delete(fd);
      messages.push({ name, stamp, line, fd, session });
    }
  }
  return {
    messages,
    counts: { lines, events: messages.length, continuations: 0, structural, undecoded, lostEvents: 0 },
  };
}

type Said = Pick<LuodMessage, "name" | "fd" | "session">;

function messageOf(text: string): Said | "other" | null {
  if (text === "") return "other";
  const frame = FRAME.exec(text);
  if (frame !== null) return frameOf(frame[2] as string, Number(frame[1]));
  if (text.startsWith("{")) return frameOf(text, null);
  for (const [pattern, name] of [
    [CONNECTED, "CONNECTED"],
    [DISCONNECTED, "DISCONNECTED"],
  ] as const) {
    const match = pattern.exec(text);
    if (match !== null) return { name, fd: Number(match[1]), session: null };
  }
  const preserved = captured("luod-session-found", text)?.session;
  if (preserved !== undefined) return { name: "FOUND", fd: null, session: preserved };
  if (FRESH.test(text)) return { name: "FRESH", fd: null, session: null };
  return OTHER.test(text) ? "other" : null;
}

function frameOf(text: string, fd: number | null): Said | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof json !== "object" || json === null) return null;
  const { cmd, event, id } = json as Readonly<Record<string, unknown>>;
  const name =
    typeof cmd === "string" && COMMANDS.has(cmd) ? cmd : typeof event === "string" && EVENTS.has(event) ? event : null;
  if (name === null) return null;
  const session = typeof id === "string" && id !== "" && id.length <= MAX_ID ? id : null;
  return { name: name as LuodMessageName, fd, session };
}
