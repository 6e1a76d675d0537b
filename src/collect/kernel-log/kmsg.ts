/** A boot's kernel log as lines on its printk clock, from any form that `log-line.ts` reads. */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectInput, DefectSink } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { PrintkLine } from "../../model/collected.js";
import { forEachLogLine, LOG_LIMITS, type LogLimits } from "./kmsg-lines.js";
import { type LogLine, LogReader, logLineOf } from "./log-line.js";

/** A kernel log line with what only some of the formats say. */
export interface KmsgLine extends PrintkLine {
  /** Microseconds since 1970 if the log is `dmesg --time-format iso`; such a line has no stamp. */
  readonly epochUs: number | null;
  /** Task or CPU that printed it, `T1` or `C0`, with CONFIG_PRINTK_CALLER. */
  readonly caller: string | null;
}

/** What stands before a line's text. */
export interface LinePrefix extends Pick<KmsgLine, "stampNs" | "level" | "epochUs" | "caller" | "text"> {
  readonly fault: LogLine["fault"];
}

/** Reads the prefix of one line of dmesg's output, in any of its forms; a line without one is all text. */
export function linePrefix(line: string): LinePrefix {
  return prefixOf(logLineOf(line));
}

function prefixOf({ stampUs, level, epochUs, caller, text, fault }: LogLine): LinePrefix {
  return { stampNs: stampUs === null ? null : stampUs * 1_000, level, epochUs, caller, text, fault };
}

/** Lines from whose beginnings the log's form is read. */
const SAMPLE_BYTES = 64 * 1024;

/** The first lines of a log, as text. */
function sampleOf(source: ByteSource): readonly string[] {
  const head = new Uint8Array(Math.min(SAMPLE_BYTES, Math.max(0, source.size)));
  return new TextDecoder("latin1").decode(head.subarray(0, source.read(head, 0))).split("\n");
}

/**
 * Reads one kernel's log, in order. A line without a stamp (the rest of a message that dmesg printed on several lines)
 * is kept, its stamp null; blank lines are not. Never throws; at most `limits` is read, and what is cut, not UTF-8, or
 * stamped with a wall clock of no zone is a defect (`printk-…`).
 */
export function readKmsg(
  source: ByteSource,
  boot: Boot,
  sink: DefectSink,
  limits: LogLimits = LOG_LIMITS,
): readonly KmsgLine[] {
  const lines: KmsgLine[] = [];
  const reader = new LogReader(sampleOf(source));
  let wallClock: WallClock | null = null;
  const add = (found: LogLine, line: number): void => {
    const { fault, text, ...prefix } = prefixOf(found);
    if (fault === "zoneless" || fault === "undated") wallClock ??= { line, fault };
    if (fault === "invalid") invalidStamp(source, boot, line, sink);
    for (const part of text.split("\n")) lines.push({ boot, file: source.name, line, ...prefix, text: part });
  };
  let last = 0;
  forEachLogLine(source, boot, limits, sink, (text, line) => {
    last = line;
    const found = reader.read(text);
    if (found === "other") add(logLineOf(text), line);
    else if (found !== "structural") add(found, line);
  });
  const rest = reader.finish();
  if (rest !== null) add(rest, last);
  if (wallClock !== null) sink.defect(wallClockDefect(wallClock, source.name, boot));
  return lines;
}

interface WallClock {
  readonly line: number;
  readonly fault: "zoneless" | "undated";
}

/** That a log's times are of no use beside the trace's. */
function wallClockDefect(at: WallClock, file: string, boot: Boot): DefectInput {
  const what =
    at.fault === "zoneless"
      ? "as `dmesg -T` does, with a wall clock time of no zone, which drifts from the log's own"
      : "with a time of no date, as `dmesg -H` and `journalctl -o short` do";
  return {
    code: "printk-wall-clock",
    severity: "warning",
    file,
    line: at.line,
    boot,
    message: `Lines are stamped ${what}.`,
    advice: "Record plain `dmesg` or `journalctl -k -o short-monotonic`, whose stamps are the kernel's.",
  };
}

function invalidStamp(source: ByteSource, boot: Boot, line: number, sink: DefectSink): void {
  sink.defect({
    code: "printk-stamp-invalid",
    severity: "note",
    file: source.name,
    line,
    boot,
    message: "A stamp is above 2^53 us (285 years); the line was kept without it.",
    advice: "Check that the file is a kernel log.",
  });
}
