/**
 * Kernel logs: what dmesg prints in its many ways, and /dev/kmsg's own records. Formats: kernel/printk/printk.c
 * (print_time, print_caller, info_print_ext_header), Documentation/ABI/testing/dev-kmsg, and util-linux' dmesg.c.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { PrintkLine } from "../../model/collected.js";
import { cleanText, forEachLogLine, LOG_LIMITS, type LogLimits } from "./kmsg-lines.js";

/** A kernel log line with what only some of the formats say. */
export interface KmsgLine extends PrintkLine {
  /** Microseconds since 1970 where the log is `dmesg --time-format iso`; such a line has no stamp. */
  readonly epochUs: number | null;
  /** Task or CPU that printed it, `T1` or `C0`, with CONFIG_PRINTK_CALLER. */
  readonly caller: string | null;
}

/** What stands before a line's text. */
export interface LinePrefix extends Pick<KmsgLine, "stampNs" | "level" | "epochUs" | "caller" | "text"> {
  /** `ctime`: a wall clock stamp that says neither the printk clock nor a time zone; `invalid`: out of range. */
  readonly fault: "ctime" | "invalid" | null;
}

const LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
/** `dmesg -r`: facility * 8 + level. */
const RAW_LEVEL = /^<(\d{1,4})>/;
/** `dmesg -x`. */
const DECODED_LEVEL = /^[a-z]\w{1,9} *:(emerg|alert|crit|err|warn|notice|info|debug) *: /;
/**
 * print_time: `[%5lu.%06lu]`; dmesg -d adds `<delta>`; print_caller: `[%*c%u]`, after a blank where dmesg prints it.
 */
const STAMP = /^\[ *(\d{1,10})\.(\d{6})(?: <[ .\d]{1,20}>)?\](?: ?\[ *([TC]\d{1,10})\])?(?: |$)/;
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)[,.](\d{6})(?:Z|([+-])(\d\d):?(\d\d)) /;
const CTIME = /^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] /;

/** Reads the prefix of one line of dmesg's output, in any of its forms; a line without one is all text. */
export function linePrefix(line: string): LinePrefix {
  const raw = RAW_LEVEL.exec(line);
  const decoded = raw === null ? DECODED_LEVEL.exec(line) : null;
  const level = raw !== null ? Number(raw[1]) & 7 : decoded !== null ? LEVELS.indexOf(decoded[1] ?? "") : null;
  const rest = line.slice((raw ?? decoded)?.[0].length ?? 0);
  const bare = { level, stampNs: null, epochUs: null, caller: null, fault: null };
  const stamp = STAMP.exec(rest);
  if (stamp !== null) {
    const stampNs = Number(stamp[1]) * 1_000_000_000 + Number(stamp[2]) * 1_000;
    if (!Number.isSafeInteger(stampNs)) return { ...bare, text: rest, fault: "invalid" };
    return { ...bare, stampNs, caller: stamp[3] ?? null, text: rest.slice(stamp[0].length) };
  }
  const iso = ISO.exec(rest);
  if (iso !== null) return { ...bare, epochUs: epochUsOf(iso), text: rest.slice(iso[0].length) };
  const ctime = CTIME.exec(rest);
  if (ctime !== null) return { ...bare, text: rest.slice(ctime[0].length), fault: "ctime" };
  return { ...bare, text: rest };
}

function epochUsOf(iso: RegExpExecArray): number | null {
  const [year, month, day, hour, minute, second, us] = iso.slice(1, 8).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const east = (Number(iso[9] ?? 0) * 60 + Number(iso[10] ?? 0)) * (iso[8] === "-" ? -1 : 1);
  const ms = Date.UTC(year, month - 1, day, hour, minute - east, second);
  return Number.isFinite(ms) ? ms * 1_000 + us : null;
}

/** `priority,sequence,microseconds,flag[,key=value…];text` */
const RECORD = /^(\d{1,4}),\d{1,20},(\d{1,20}),[-c+]((?:,[^,;]{0,64}){0,8});(.*)$/;

interface KmsgRecord {
  readonly stampNs: number | null;
  readonly level: number;
  readonly caller: string | null;
  /** One for each line of the message. */
  readonly texts: readonly string[];
}

function recordOf(line: string): KmsgRecord | null {
  const match = RECORD.exec(line);
  if (match === null) return null;
  const stampNs = Number(match[2]) * 1_000;
  return {
    stampNs: Number.isSafeInteger(stampNs) ? stampNs : null,
    level: Number(match[1]) & 7,
    caller: /,caller=([TC]\d{1,10})/.exec(match[3] ?? "")?.[1] ?? null,
    texts: unescapeRecord(match[4] ?? "")
      .split("\n")
      .map(cleanText),
  };
}

const utf8 = new TextDecoder();

/** /dev/kmsg writes every byte that is not printable ASCII, and the backslash, as `\xNN`. */
function unescapeRecord(text: string): string {
  if (!text.includes("\\x")) return text;
  return text.replace(/(?:\\x[0-9a-f]{2})+/gi, (run) =>
    utf8.decode(Uint8Array.from(run.slice(2).split(/\\x/i), (byte) => Number.parseInt(byte, 16))),
  );
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
  let inRecords = false;
  let ctimeAt: number | null = null;
  forEachLogLine(source, boot, limits, sink, (text, line) => {
    // A record's dictionary: ` SUBSYSTEM=pci`, ` DEVICE=+pci:0000:00:03.0`.
    if (inRecords && /^ [A-Z_]{1,32}=/.test(text)) return;
    const place = { boot, file: source.name, line };
    const record = recordOf(text);
    inRecords = record !== null;
    if (record !== null) {
      const { stampNs, level, caller } = record;
      if (stampNs === null) invalidStamp(source, boot, line, sink);
      for (const part of record.texts) lines.push({ ...place, stampNs, level, caller, epochUs: null, text: part });
      return;
    }
    const { fault, ...prefix } = linePrefix(text);
    if (fault === "ctime") ctimeAt ??= line;
    if (fault === "invalid") invalidStamp(source, boot, line, sink);
    lines.push({ ...place, ...prefix });
  });
  if (ctimeAt !== null) {
    sink.defect({
      code: "printk-wall-clock",
      severity: "warning",
      file: source.name,
      line: ctimeAt,
      boot,
      message:
        "Lines are stamped as `dmesg -T` does, with a wall clock time of no zone, which drifts from the log's own.",
      advice: "Record plain `dmesg`, whose stamps are the kernel's.",
    });
  }
  return lines;
}

function invalidStamp(source: ByteSource, boot: Boot, line: number, sink: DefectSink): void {
  sink.defect({
    code: "printk-stamp-invalid",
    severity: "note",
    file: source.name,
    line,
    boot,
    message: "A stamp is above 2^53 ns (104 days); the line was kept without it.",
    advice: "Check that the file is a kernel log.",
  });
}
