/**
 * Reads a kernel log as dmesg prints it: seconds stamps, with caller or level columns (`dmesg -x`), ISO stamps, raw
 * /dev/kmsg records, and lines without any. Streaming and bounded.
 */
import type { ByteSource } from "../base/byte-source.js";
import type { DefectInput } from "../base/defect.js";
import type { Boot } from "../base/time.js";
import type { PrintkLine } from "./types.js";

/** A ring of 2^25 bytes (the largest log_buf_len) holds fewer lines than this. */
const MAX_LINES = 500_000;
/** printk cuts a line at 1,024 bytes; user space may write longer ones to a console. */
const MAX_LINE_BYTES = 8_192;
const BLOCK_BYTES = 1 << 18;

const LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

export interface Stamped {
  readonly stampNs: number | null;
  readonly level: number | null;
  readonly text: string;
}

const STAMP = /^\s*\[\s*(\d{1,10})\.(\d{6})\](?:\[\s*[TC]\d+\])? ?/;
const PRIORITY = /^<(\d{1,3})>/;
const FACILITY = /^[a-z0-9]+\s*:([a-z]+)\s*: /;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d{6}(?:[+-]\d\d:?\d\d|Z) /;
const RECORD = /^(\d{1,4}),\d+,(\d{1,15}),[^;]*;/;

/** One line into stamp, level and text; a line of no known form is all text. */
export function parseKmsgLine(raw: string): Stamped {
  let rest = raw;
  let level: number | null = null;
  const record = RECORD.exec(rest);
  if (record !== null) {
    return { stampNs: Number(record[2]) * 1_000, level: Number(record[1]) & 7, text: rest.slice(record[0].length) };
  }
  const priority = PRIORITY.exec(rest);
  if (priority !== null) {
    level = Number(priority[1]) & 7;
    rest = rest.slice(priority[0].length);
  }
  const facility = FACILITY.exec(rest);
  const named = facility === null ? -1 : LEVELS.indexOf(facility[1] as string);
  if (facility !== null && named >= 0) {
    level = named;
    rest = rest.slice(facility[0].length);
  }
  const iso = ISO.exec(rest);
  if (iso !== null) return { stampNs: null, level, text: rest.slice(iso[0].length) };
  const stamp = STAMP.exec(rest);
  if (stamp === null) return { stampNs: null, level, text: rest };
  return {
    stampNs: Number(stamp[1]) * 1e9 + Number(stamp[2]) * 1e3,
    level,
    text: rest.slice(stamp[0].length),
  };
}

/** The lines of a text, one call each with the 1-based number; ends of `\r\n` and ANSI escapes are taken off. */
export function forEachLine(
  source: ByteSource,
  sink: { defect(input: DefectInput): void },
  each: (text: string, line: number) => void,
): void {
  const decoder = new TextDecoder("utf-8");
  const buffer = new Uint8Array(BLOCK_BYTES);
  let rest = "";
  let line = 0;
  let cut = 0;
  const emit = (text: string): boolean => {
    line += 1;
    if (text.length > MAX_LINE_BYTES) cut += 1;
    const clean = text
      .slice(0, MAX_LINE_BYTES)
      .replace(ANSI, "")
      .replace(/[\r\0]+/g, "");
    each(clean, line);
    return line < MAX_LINES;
  };
  for (let position = 0; position < source.size; ) {
    const got = source.read(buffer, position);
    if (got === 0) break;
    position += got;
    const parts = (rest + decoder.decode(buffer.subarray(0, got), { stream: true })).split("\n");
    rest = (parts.pop() ?? "").slice(0, 2 * MAX_LINE_BYTES);
    for (const part of parts) {
      if (emit(part)) continue;
      sink.defect({
        code: "printk-too-long",
        severity: "warning",
        file: source.name,
        line,
        message: `It has more than ${MAX_LINES.toLocaleString("en")} lines; the rest was not read.`,
        advice: "Save the log of these two boots only.",
      });
      return;
    }
  }
  if (rest !== "") emit(rest);
  if (cut > 0) {
    sink.defect({
      code: "printk-line-cut",
      severity: "note",
      file: source.name,
      message: `${cut} lines were longer than ${MAX_LINE_BYTES} bytes and were cut there.`,
      advice: "Nothing to do unless the log is not a kernel log.",
    });
  }
}

/** CSI and two-byte escape sequences (ECMA-48), as firmware prints them on a serial console. */
const ANSI = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_c])/g;

/** The log's lines, in order. Lines without a stamp (the rest of a message with a newline in it) are kept unstamped. */
export function readKmsg(source: ByteSource, boot: Boot, sink: { defect(input: DefectInput): void }): PrintkLine[] {
  const lines: PrintkLine[] = [];
  forEachLine(source, sink, (text, line) => {
    if (text !== "") lines.push({ boot, file: source.name, line, ...parseKmsgLine(text) });
  });
  return lines;
}
