/**
 * One reader for every form in which a kernel's log is found: dmesg with its time formats, /dev/kmsg's records,
 * netconsole, syslog, journalctl, and serial loggers that stamp first. Formats: kernel/printk/printk.c (print_time,
 * print_caller, info_print_ext_header), Documentation/ABI/testing/dev-kmsg, util-linux' dmesg.c, systemd's
 * output_short and journal-export-formats, RFC 3164 and 5424.
 */
import { cleanText } from "./kmsg-lines.js";

/** What stands before a line's text, and the text. */
export interface LogLine {
  /** Whole microseconds on the printk clock, which hold 285 years; null if the line has no such stamp. */
  readonly stampUs: number | null;
  /** Microseconds since 1970, if the line has a wall clock and its zone. */
  readonly epochUs: number | null;
  /** The same, of a wall clock without a zone, taken for UTC. */
  readonly zonelessUs: number | null;
  /** Syslog level 0..7 if known. */
  readonly level: number | null;
  /** Task or CPU that printed it, `T1` or `C0`, with CONFIG_PRINTK_CALLER. */
  readonly caller: string | null;
  readonly text: string;
  /**
   * `zoneless`: a wall clock without a zone, which drifts from the log's own; `undated`: a time without its date, or
   * without its year; `invalid`: out of range.
   */
  readonly fault: "zoneless" | "undated" | "invalid" | null;
}

const LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
/** `dmesg -r` and syslog on the wire: facility * 8 + level. */
const RAW_LEVEL = /^<(\d{1,4})>(?:1 (?=\d{4}-))?/;
/** `dmesg -x`. */
const DECODED_LEVEL = /^[a-z]\w{1,9} *:(emerg|alert|crit|err|warn|notice|info|debug) *: ?/;
/**
 * print_time: `[%5lu.%06lu]`; dmesg -d and journalctl add `<delta>`; print_caller: `[%*c%u]`, after a space if dmesg
 * prints it.
 */
const STAMP = /^\[ *(\d{1,10})\.(\d{6})(?: <[ +.\d]{1,20}>| {1,20})?\](?: ?\[ *([TC]\d{1,10})\])?(?: |$)/;
const DATE = String.raw`\d{4}-\d\d-\d\d`;
const TIME = String.raw`\d\d:\d\d:\d\d(?:[.,]\d{1,9})?`;
const ZONE = String.raw`(?:Z|UTC|[+-]\d\d:?\d\d)`;
const MONTH_DAY = String.raw`[A-Z][a-z]{2} [ \d]\d`;
/** `host tag[pid]: ` of syslog and journalctl. */
const SENDER = String.raw`[\w.:-]{1,255} (?:[\w@./-]{1,128})(?:\[\d{1,10}\])?: `;
/** A serial logger's, syslog's or journalctl's own stamp before the kernel's. */
const LOGGER = new RegExp(
  String.raw`^(?:\[?${DATE}[T ]${TIME}(?: ?${ZONE})?\]?|\[?${TIME}\]?|\[?\d{1,7}\.\d{1,9} +\d{1,7}\.\d{1,9}\]?|\d{9,10}\.\d{3,9}|\[?(?:[A-Z][a-z]{2} )?${MONTH_DAY} ${TIME}(?: \d{4})?\]?)[:|>]? +(?:${SENDER})?(?=(?:<\d{1,4}>)?\[ *\d{1,10}\.\d{6}\])`,
);
/** ISO 8601 with a zone: dmesg --time-format iso has a comma, journalctl and rsyslog a point. */
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[,.](\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d)) /;
const CTIME = /^\[[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})\] /;
/** dmesg -H and -e, and -d without a stamp. */
const RELATIVE = /^\[(?:[A-Z][a-z]{2} ?[ \d]?\d \d\d:\d\d| *\+\d{1,10}\.\d{6}|< *\d{1,10}\.\d{6}>)\] /;
const UNIX = /^(\d{9,10})\.(\d{6}) /;
const SYSLOG = new RegExp(`^${MONTH_DAY} ${TIME} (?=${SENDER})`);
/** journalctl -o short-full: `Mon 2026-11-30 10:00:00 UTC `. */
const FULL = new RegExp(
  String.raw`^[A-Z][a-z]{2} (\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? (UTC|[A-Z]{2,5}|[+-]\d\d) (?=${SENDER})`,
);
const SENT = /^([\w.:-]{1,255}) ([\w@./-]{1,128})((?:\[\d{1,10}\])?): ?/;
/** RFC 5424 after its stamp: `host kernel - - - text`. */
const RFC_5424 = /^[\w.:-]{1,255} ([\w@./-]{1,128}) (?:-|\d{1,10}) \S{1,64} (?:-|\[.{0,512}?\]) ?/;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const BARE = { stampUs: null, epochUs: null, zonelessUs: null, level: null, caller: null, fault: null } as const;

/**
 * Reads one line that has its stamp, if it has one, before its text. `sender`: the lines begin with `host tag: `, which
 * is left out if the tag is the kernel's. A line without any stamp is all text.
 */
export function logLineOf(whole: string, sender = false): LogLine {
  const raw = RAW_LEVEL.exec(whole);
  let line = raw === null ? whole : whole.slice(raw[0].length);
  const logger = LOGGER.exec(line);
  if (logger !== null) line = line.slice(logger[0].length);
  const inner = raw === null && logger !== null ? RAW_LEVEL.exec(line) : null;
  const decoded = raw === null && inner === null ? DECODED_LEVEL.exec(line) : null;
  const number = raw ?? inner;
  const level = number !== null ? Number(number[1]) & 7 : decoded !== null ? LEVELS.indexOf(decoded[1] ?? "") : null;
  const rest = line.slice((inner ?? decoded)?.[0].length ?? 0);
  const bare = { ...BARE, level };
  const stamp = STAMP.exec(rest);
  if (stamp !== null) {
    const text = rest.slice(stamp[0].length);
    return { ...bare, ...stampOf(stamp), caller: stamp[3] ?? null, text: sender ? withoutSender(text) : text };
  }
  return wallClockLine(rest, bare) ?? { ...bare, text: rest };
}

function stampOf(stamp: RegExpExecArray): Pick<LogLine, "stampUs" | "fault"> {
  const us = Number(stamp[1]) * 1_000_000 + Number(stamp[2]);
  return Number.isSafeInteger(us) ? { stampUs: us, fault: null } : { stampUs: null, fault: "invalid" };
}

function wallClockLine(rest: string, bare: Omit<LogLine, "text">): LogLine | null {
  const iso = ISO.exec(rest);
  if (iso !== null) {
    const epochUs = epochUsOf(iso);
    return { ...bare, epochUs, text: afterIso(rest.slice(iso[0].length)) };
  }
  const ctime = CTIME.exec(rest);
  if (ctime !== null) {
    const [month, day, hour, minute, second, year] = ctime.slice(1);
    const parts = [year, MONTHS.indexOf(month ?? "") + 1, day, hour, minute, second].map(Number);
    return { ...bare, zonelessUs: utcUs(parts, ""), fault: "zoneless", text: rest.slice(ctime[0].length) };
  }
  const relative = RELATIVE.exec(rest);
  if (relative !== null) return { ...bare, fault: "undated", text: rest.slice(relative[0].length) };
  const unix = UNIX.exec(rest);
  if (unix !== null && SENT.test(rest.slice(unix[0].length))) {
    const epochUs = Number(unix[1]) * 1_000_000 + Number(unix[2]);
    return { ...bare, epochUs, text: withoutSender(rest.slice(unix[0].length)) };
  }
  const full = FULL.exec(rest);
  if (full !== null) {
    const us = utcUs(full.slice(1, 7).map(Number), full[7] ?? "");
    const text = withoutSender(rest.slice(full[0].length));
    return full[8] === "UTC" ? { ...bare, epochUs: us, text } : { ...bare, zonelessUs: us, fault: "zoneless", text };
  }
  const syslog = SYSLOG.exec(rest);
  if (syslog !== null) return { ...bare, fault: "undated", text: withoutSender(rest.slice(syslog[0].length)) };
  return null;
}

function afterIso(rest: string): string {
  const structured = RFC_5424.exec(rest);
  if (structured === null) return withoutSender(rest);
  return structured[1] === "kernel" ? rest.slice(structured[0].length) : rest;
}

/** Without `host kernel: `, and without the host of another sender: `sshd[7]: text`. */
function withoutSender(text: string): string {
  const sent = SENT.exec(text);
  if (sent === null) return text;
  const [whole, host = "", tag] = sent;
  return tag === "kernel" ? text.slice(whole.length) : text.slice(host.length + 1);
}

/** Microseconds since 1970 of year, month, day, hour, minute, second and a fraction's digits; null if out of range. */
function utcUs(parts: readonly number[], fraction: string): number | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return Number.isFinite(ms) ? ms * 1_000 + Number(fraction.padEnd(6, "0").slice(0, 6)) : null;
}

function epochUsOf(iso: RegExpExecArray): number | null {
  const east = (Number(iso[9] ?? 0) * 60 + Number(iso[10] ?? 0)) * (iso[8] === "-" ? -1 : 1);
  const utc = utcUs(iso.slice(1, 7).map(Number), iso[7] ?? "");
  return utc === null ? null : utc - east * 60_000_000;
}

/** `[release,]priority,sequence,microseconds,flag[,key=value…];text`: /dev/kmsg, and netconsole with its release. */
const RECORD = /^(?:\d[\w.+~-]{0,127},)?(\d{1,4}),\d{1,20},(\d{1,20}),[-c+]((?:,[^,;]{0,64}){0,8});(.*)$/s;
/** A record's dictionary: ` SUBSYSTEM=pci`, ` DEVICE=+pci:0000:00:03.0`. */
const DICTIONARY = /^ [A-Z_]{1,32}=/;
const utf8 = new TextDecoder();

/** /dev/kmsg writes every byte that is not printable ASCII, and the backslash, as `\xNN`. */
function unescapeRecord(text: string): string {
  if (!text.includes("\\x")) return text;
  return text.replace(/(?:\\x[0-9a-f]{2})+/gi, (run) =>
    utf8.decode(Uint8Array.from(run.slice(2).split(/\\x/i), (byte) => Number.parseInt(byte, 16))),
  );
}

function recordOf(line: string): LogLine | null {
  const match = RECORD.exec(line);
  if (match === null) return null;
  const us = Number(match[2]);
  const isWhole = Number.isSafeInteger(us);
  return {
    ...BARE,
    stampUs: isWhole ? us : null,
    fault: isWhole ? null : "invalid",
    level: Number(match[1]) & 7,
    caller: /,caller=([TC]\d{1,10})/.exec(match[3] ?? "")?.[1] ?? null,
    text: unescapeRecord(match[4] ?? "")
      .split("\n")
      .map(cleanText)
      .join("\n"),
  };
}

/** What a line of a log is: an entry, part of one or of the form's frame, or anything else. */
export type LogRead = LogLine | "structural" | "other";

/** How often the sample's stamped lines must begin with one host's `host tag: ` to be of journalctl. */
const SENDER_SHARE = 0.8;
/** A line of JSON is at most a message and its fields. */
const MAX_JSON = 64 * 1024;

/** Reads a log's lines in order. A blank line ends an entry of journalctl's export format. */
export class LogReader {
  readonly #sender: boolean;
  readonly #isDmesgJson: boolean;
  #inRecords = false;
  /** Fields of the open entry of an export, or of an object of `dmesg --json`; null outside of one. */
  #entry: Map<string, string> | null = null;
  /** The export's field whose value stands on the next lines, behind its length. */
  #binary: string | null = null;

  /** `sample`: some lines of the log, from which it is read what all lines have in common. */
  constructor(sample: readonly string[]) {
    this.#sender = haveSender(sample);
    this.#isDmesgJson = sample.some((line) => /^\s*"dmesg": *\[/.test(line));
  }

  /** What the line is; a form that holds several lines in one gives them with newlines in its text. */
  read(line: string): LogRead {
    const text = cleanText(line.replace(/^\uFEFF/, "").replace(/^\0+/, ""));
    if (text.trim() === "") return this.finish() ?? "structural";
    if (this.#isDmesgJson) return this.#dmesgJson(text);
    if (this.#entry !== null || text.startsWith("__CURSOR=")) return this.#exported(text, line);
    if (text.startsWith('{"') && text.length <= MAX_JSON) {
      const found = journalJson(text);
      if (found !== null) return found;
    }
    if (this.#inRecords && DICTIONARY.test(text)) return "structural";
    const record = recordOf(text);
    this.#inRecords = record !== null;
    if (record !== null) return record;
    const found = logLineOf(text, this.#sender);
    return isStamped(found) || found.fault !== null ? found : "other";
  }

  /** The entry that the end of the log, or a blank line, completes. */
  finish(): LogLine | null {
    const entry = this.#entry;
    this.#binary = null;
    if (entry === null || this.#isDmesgJson) return null;
    this.#entry = null;
    return journalEntry((key) => entry.get(key));
  }

  #exported(text: string, line: string): LogRead {
    const entry = this.#entry ?? new Map<string, string>();
    const done = text.startsWith("__CURSOR=") && entry.size > 0 ? this.finish() : null;
    this.#entry = done === null ? entry : new Map();
    if (this.#binary !== null) {
      // Eight bytes of length stand before the value.
      this.#entry.set(this.#binary, cleanText(line.slice(8)));
      this.#binary = null;
      return "structural";
    }
    const equals = text.indexOf("=");
    if (equals > 0) this.#entry.set(text.slice(0, equals), text.slice(equals + 1));
    else if (/^[A-Z_0-9]{1,64}$/.test(text)) this.#binary = text;
    else this.#entry.set("MESSAGE", `${this.#entry.get("MESSAGE") ?? ""}\n${text}`);
    return done ?? "structural";
  }

  #dmesgJson(text: string): LogRead {
    const field = /^\s*"(\w{1,16})": *(.*?),?\s*$/.exec(text);
    if (field === null) {
      if (/^\s*\}/.test(text)) this.#entry = null;
      return /^[\s{}[\],]*$/.test(text) ? "structural" : "other";
    }
    const [, key = "", value = ""] = field;
    this.#entry ??= new Map();
    this.#entry.set(key, value);
    if (key !== "msg") return "structural";
    const time = /^ *(\d{1,10})\.(\d{6})$/.exec(this.#entry.get("time") ?? "");
    const pri = this.#entry.get("pri");
    return {
      ...BARE,
      ...(time === null ? { stampUs: null, fault: "undated" as const } : stampOf(time)),
      level: pri === undefined ? null : Number(pri) & 7,
      caller: /([TC]\d{1,10})/.exec(this.#entry.get("caller") ?? "")?.[1] ?? null,
      text: cleanText(jsonText(value)),
    };
  }
}

/** Whether the line has a time. */
export function isStamped(line: LogLine): boolean {
  return line.stampUs !== null || line.epochUs !== null || line.zonelessUs !== null;
}

function haveSender(sample: readonly string[]): boolean {
  const hosts = sample.flatMap((line) => {
    const stamp = STAMP.exec(cleanText(line));
    return stamp === null ? [] : [SENT.exec(line.slice(stamp[0].length))];
  });
  const first = hosts.find((sent) => sent !== null)?.[1];
  const alike = hosts.filter((sent) => sent !== null && sent[1] === first);
  return (
    alike.length > 0 && alike.length >= SENDER_SHARE * hosts.length && alike.some((sent) => sent?.[2] === "kernel")
  );
}

function jsonText(value: string): string {
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}

/** One line of `journalctl -o json`; null if it is not. */
function journalJson(text: string): LogLine | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("MESSAGE" in value || "__CURSOR" in value)) return null;
  const entry = value as Readonly<Record<string, unknown>>;
  return journalEntry((key) => {
    const found = entry[key];
    // A message that is not UTF-8 is an array of its bytes.
    if (Array.isArray(found)) return utf8.decode(Uint8Array.from(found, Number));
    return found === undefined || found === null ? undefined : String(found);
  });
}

/** An entry of the journal by its fields (man 7 systemd.journal-fields). */
function journalEntry(field: (key: string) => string | undefined): LogLine | null {
  const message = field("MESSAGE");
  if (message === undefined) return null;
  const us = (key: string): number | null => {
    const text = field(key) ?? "";
    return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null;
  };
  const stampUs = us("_SOURCE_MONOTONIC_TIMESTAMP") ?? us("__MONOTONIC_TIMESTAMP");
  const epochUs = us("__REALTIME_TIMESTAMP");
  const transport = field("_TRANSPORT") ?? "kernel";
  const tag = field("SYSLOG_IDENTIFIER");
  const text = transport === "kernel" || tag === undefined ? message : `${tag}: ${message}`;
  const priority = field("PRIORITY");
  return {
    ...BARE,
    stampUs,
    epochUs,
    level: priority === undefined ? null : Number(priority) & 7,
    text: text.split("\n").map(cleanText).join("\n"),
    fault: stampUs === null && epochUs === null ? "undated" : null,
  };
}
