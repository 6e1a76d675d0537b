/** A kernel log as a trace, in any of its forms, or what pstore kept of one. */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { ok, type Result } from "../../base/result.js";
import type { TraceFile } from "../../model/traces/trace-file.js";
import { isStamped, type LogLine, LogReader } from "./log-line.js";
import { pstoreFrame } from "./pstore.js";
import { type StampedDialect, type StampedLine, type StampedLineKind, stampedTextSource } from "./stamped-text.js";

/** The clock that a log's lines are stamped with. */
type LogClock = "printk" | "realtime";

function dialectOf(sample: readonly string[]): StampedDialect {
  const { clock, zoneless } = kernelLogEvidence(sample);
  const reader = new LogReader(sample);
  return {
    name: "kernel-log",
    eventName: "printk",
    takesBlank: true,
    parse(buffer, begin, end, line) {
      const text = buffer.toString("utf8", begin, end);
      if (pstoreFrame(text.trim()) !== null) return "structural";
      const found = reader.read(text);
      return typeof found === "string" ? (found === "other" ? "undecoded" : found) : take(found, clock, line);
    },
    finish(line) {
      const found = reader.finish();
      return found === null ? "structural" : take(found, clock, line);
    },
    fields: (_, text) => new Map([["text", text]]),
    undecoded: {
      code: "printk-torn",
      severity: "note",
      message: "A line carries no stamp: the rest of a message, what a full ring left of a line, or another program's.",
      advice: "Nothing, if the log is of pstore or a console; else read the log again, with stamps (printk.time=1).",
    },
    notice: zoneless
      ? {
          code: "printk-wall-clock",
          severity: "warning",
          message: "Lines are stamped as `dmesg -T` does, with a wall clock time of no zone; it is taken for UTC.",
          advice: "Record plain `dmesg`, whose stamps are the kernel's.",
        }
      : null,
    untimed: {
      code: "printk-stamp-invalid",
      severity: "warning",
      message:
        clock === "printk"
          ? "Lines carry no stamp of the kernel's clock: when they were printed is not known."
          : "Lines carry a time without its date or year: when they were printed is not known.",
      advice: "Record plain `dmesg`, or `journalctl -k -o short-monotonic`.",
    },
  };
}

function take(found: LogLine, clock: LogClock, line: StampedLine): StampedLineKind {
  const us = clock === "printk" ? found.stampUs : (found.epochUs ?? found.zonelessUs);
  if (us !== null) {
    line.seconds = Math.floor(us / 1e6);
    line.nanos = (us % 1e6) * 1000;
  }
  line.text = found.text;
  return "event";
}

/** What the first lines of a file show of a kernel log. */
export interface LogEvidence {
  /** Lines that only a kernel log has. */
  readonly lines: number;
  readonly clock: LogClock;
  /** Its wall clock names no zone. */
  readonly zoneless: boolean;
}

/** journalctl and syslog hold other programs' lines too: only the kernel's are evidence. */
const OTHER_SENDER = /^[\w@./-]{1,128}(?:\[\d{1,10}\])?: /;

/** Counts the lines of a sample that are of a kernel log. */
export function kernelLogEvidence(sample: readonly string[]): LogEvidence {
  const reader = new LogReader(sample);
  let [stamped, dated, zoneless, undated, framed] = [0, 0, 0, 0, 0];
  for (const line of sample) {
    if (pstoreFrame(line.trim()) !== null) framed += 1;
    const found = reader.read(line);
    if (typeof found === "string") continue;
    if (found.stampUs !== null) stamped += 1;
    else if (!isStamped(found)) undated += OTHER_SENDER.test(found.text) ? 0 : 1;
    else if (!OTHER_SENDER.test(found.text)) {
      dated += 1;
      zoneless += found.zonelessUs === null ? 0 : 1;
    }
  }
  const last = reader.finish();
  if (last !== null && last.stampUs !== null) stamped += 1;
  const lines = stamped + dated + undated;
  return {
    lines: lines === 0 ? 0 : lines + framed,
    clock: stamped > 0 ? "printk" : "realtime",
    zoneless: zoneless > 0,
  };
}

/** Opens a log whose form and clock `sample`, some of its lines, shows. */
export function openKernelLog(source: ByteSource, sample: readonly string[]): Result<TraceFile, string> {
  const { clock } = kernelLogEvidence(sample);
  return ok({
    what: "kernel log",
    uname: null,
    session: null,
    parts: [
      {
        name: "",
        clock,
        nsPerCount: 1,
        source: (filter) => stampedTextSource({ boot: "old", source, dialect: dialectOf(sample), filter }),
      },
    ],
  });
}
