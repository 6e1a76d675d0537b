/**
 * A serial console's log: firmware, both kernels and user space on one wire. It is split where one kernel ends and the
 * next begins, so that an update whose new kernel never reached user space can still say what was seen.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import { escapePattern } from "../../base/text/quote.js";
import type { PrintkLine } from "../../model/collected.js";
import { isKernelLine } from "../../model/kernel-lines.js";
import { LAST_LINES } from "../../model/machine.js";
import { type KmsgLine, linePrefix } from "./kmsg.js";
import { forEachLogLine, LOG_LIMITS, type LogLimits } from "./kmsg-lines.js";

/** A line of the console; only the role of its kernel says which boot it is of. */
export interface ConsoleLine extends Omit<KmsgLine, "boot"> {
  /** `kernel`: it carries a stamp; `user`: a tag of the workload; `other`: neither (firmware, user space, rests). */
  readonly origin: "kernel" | "user" | "other";
}

/**
 * What begins a kernel's part of the log. `log`: the file begins; `kexec`: after `Starting new kernel`;
 * `linux-version`, `stamp-reset`: a new kernel, by its first line or its stamps, without a line on how it was started;
 * `reset`: firmware was seen, or the previous kernel printed that it restarts the machine.
 */
export type BootBegin = "log" | "kexec" | "linux-version" | "stamp-reset" | "reset";

/**
 * `old` and `new` are the two kernels of the log's last live update; `earlier` and `later` those before and after.
 * `new` may be without lines: nothing was printed after `Starting new kernel`.
 */
export type ConsoleRole = "earlier" | "old" | "new" | "later";

export interface ConsoleBoot {
  readonly role: ConsoleRole;
  readonly begin: BootBegin;
  /** In the order they were printed; `line` may repeat if one line of the file held several. */
  readonly lines: readonly ConsoleLine[];
}

export interface ConsoleLog {
  readonly boots: readonly ConsoleBoot[];
  /** The lines of the boot whose role is `old`; empty if there is none. */
  readonly old: readonly PrintkLine[];
  readonly new: readonly PrintkLine[];
  /** How many lines were put together again from parts that another line had separated. */
  readonly rejoined: number;
}

/** Tags that the recorder's workload puts before its own lines: they are user space even inside a kernel line. */
const USER_TAGS: readonly string[] = ["[luolab] "];

/** print_time's exact width, so that numbers in brackets inside a message are not taken for stamps. */
const STAMP_SOURCE = String.raw`\[(?:[ \d]{4}\d|\d{6,10})\.\d{6}\](?:\[ *[TC]\d{1,10}\])? `;
/** A part's rest follows within this many lines, or was lost. */
const REJOIN_WITHIN = 4;
/** Stamps of one boot run backwards by some tenths of a second while clocks are set up, never by as much as this. */
const RESET_NS = 1_000_000_000;
const FIRMWARE =
  /^(?:SeaBIOS \(version|iPXE |UEFI firmware|BdsDxe: |U-Boot |coreboot-|EDK II|Booting from (?:ROM|Hard Disk|DVD|Floppy))/;
const HANDED_OVER = ["kho-found", "kho-exec-from", "luo-retrieved"] as const;

interface Part {
  readonly line: number;
  text: string;
  readonly origin: "kernel" | "user" | "other";
}

/** Reads and splits a console log. Never throws; the same limits and defects as `readKmsg`. */
export function splitConsoleLog(
  source: ByteSource,
  sink: DefectSink,
  tags: readonly string[] = USER_TAGS,
  limits: LogLimits = LOG_LIMITS,
): ConsoleLog {
  const { parts, rejoined } = readParts(source, sink, tags, limits);
  const lines = parts.map((part): ConsoleLine => {
    const { fault: _, ...prefix } = linePrefix(part.text);
    const origin = part.origin === "other" && prefix.stampNs !== null ? "kernel" : part.origin;
    return { file: source.name, line: part.line, ...prefix, origin };
  });
  const boots = withRoles(segmentsOf(lines));
  const linesOf = (boot: "old" | "new"): readonly PrintkLine[] =>
    (boots.find((found) => found.role === boot)?.lines ?? []).map(({ origin: _, ...line }) => ({ boot, ...line }));
  return { boots, old: linesOf("old"), new: linesOf("new"), rejoined };
}

function readParts(
  source: ByteSource,
  sink: DefectSink,
  tags: readonly string[],
  limits: LogLimits,
): { readonly parts: readonly Part[]; readonly rejoined: number } {
  const starts = new RegExp([STAMP_SOURCE, ...tags.map(escapePattern)].join("|"), "g");
  const parts: Part[] = [];
  /** A part that another one cut off: its rest is the next text that belongs to nobody. */
  let open: { part: Part; line: number } | null = null;
  let rejoined = 0;
  forEachLogLine(source, null, limits, sink, (text, line) => {
    const pieces = piecesOf(text, starts, tags);
    pieces.forEach((piece, i) => {
      const isLast = i === pieces.length - 1;
      const rest = piece.origin === "other" && i === 0;
      if (rest && open !== null && line - open.line <= REJOIN_WITHIN && !FIRMWARE.test(piece.text)) {
        open.part.text += piece.text;
        rejoined += 1;
        open = isLast ? null : { part: open.part, line };
        return;
      }
      const part = { line, ...piece };
      parts.push(part);
      // Nothing that one kernel left unfinished is finished under the next.
      if (isKernelLine(linePrefix(part.text).text, "linux-version", "kexec-start")) open = null;
      else if (!isLast) open = { part, line };
    });
  });
  return { parts, rejoined };
}

function piecesOf(text: string, starts: RegExp, tags: readonly string[]): readonly Omit<Part, "line">[] {
  const cuts = [...text.matchAll(starts)].map((match) => match.index);
  if (cuts.length === 0) return [{ text, origin: "other" }];
  const bounds = cuts[0] === 0 ? cuts : [0, ...cuts];
  return bounds.map((from, i) => {
    const piece = text.slice(from, bounds[i + 1]);
    const isCut = cuts.includes(from);
    const origin = !isCut ? "other" : tags.some((tag) => piece.startsWith(tag)) ? "user" : "kernel";
    return { text: piece, origin };
  });
}

interface Segment {
  readonly begin: BootBegin;
  readonly lines: ConsoleLine[];
}

function segmentsOf(lines: readonly ConsoleLine[]): readonly Segment[] {
  const segments: Segment[] = [];
  let current: Segment = { begin: "log", lines: [] };
  /** Of the current segment. */
  let lastStampNs: number | null = null;
  let hasKernel = false;
  let kexecAtNs: number | null | undefined;
  let restarts = false;
  const start = (begin: BootBegin): void => {
    segments.push(current);
    current = { begin, lines: [] };
    lastStampNs = null;
    hasKernel = false;
    kexecAtNs = undefined;
    restarts = false;
  };
  for (const line of lines) {
    const { stampNs } = line;
    const spoken = line.origin !== "user";
    const begun = hasKernel || current.begin === "kexec";
    if (
      kexecAtNs !== undefined &&
      !(spoken && isKernelLine(line.text, ...LAST_LINES) && (stampNs ?? 0) >= (kexecAtNs ?? 0))
    ) {
      start(line.origin === "other" && FIRMWARE.test(line.text) ? "reset" : "kexec");
    } else if (line.origin === "other" && FIRMWARE.test(line.text) && begun) {
      start("reset");
    } else if (spoken && hasKernel && isKernelLine(line.text, "linux-version")) {
      start(restarts ? "reset" : "linux-version");
    } else if (stampNs !== null && lastStampNs !== null && lastStampNs - stampNs > RESET_NS) {
      start(restarts ? "reset" : "stamp-reset");
    }
    current.lines.push(line);
    if (!spoken) continue;
    if (stampNs !== null) lastStampNs = stampNs;
    hasKernel ||= stampNs !== null || isKernelLine(line.text, "linux-version");
    restarts ||= isKernelLine(line.text, "restart");
    if (isKernelLine(line.text, "kexec-start")) kexecAtNs = stampNs;
  }
  const kexecWasLast = kexecAtNs !== undefined;
  segments.push(current);
  if (kexecWasLast) segments.push({ begin: "kexec", lines: [] });
  return segments;
}

function withRoles(segments: readonly Segment[]): readonly ConsoleBoot[] {
  const last = (holds: (segment: Segment, i: number) => boolean): number => segments.findLastIndex(holds);
  const isHandedOver = (segment: Segment): boolean =>
    segment.lines.some((line) => line.origin !== "user" && isKernelLine(line.text, ...HANDED_OVER));
  const told = last((segment) => segment.begin === "kexec" || (segment.begin !== "reset" && isHandedOver(segment)));
  const fresh = told >= 0 ? told : last(({ begin }) => begin === "linux-version" || begin === "stamp-reset");
  // No second kernel was started: the last one is the one to be updated.
  const old = fresh >= 0 ? fresh - 1 : segments.length - 1;
  return segments.map((segment, i) => {
    const role = i === fresh ? "new" : i === old ? "old" : i < old ? "earlier" : "later";
    return { ...segment, role };
  });
}
