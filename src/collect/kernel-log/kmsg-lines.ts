/** The lines of a kernel log or a serial console as text: streamed, bounded, without terminal control. */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../files/reader-limits.js";

export interface LogLimits {
  /** Bytes of the file that are read; what follows is a defect. */
  readonly bytes: number;
  /** Lines that are read. */
  readonly lines: number;
  /** Bytes of one line that are kept. */
  readonly lineBytes: number;
}

/**
 * The largest log buffer a kernel takes is 2 GiB (CONFIG_LOG_BUF_SHIFT, log_buf_len), the usual one at most 16 MiB.
 * printk itself writes no more than 2,048 bytes a record (PRINTK_MESSAGE_MAX, kernel/printk/internal.h).
 */
export const LOG_LIMITS: LogLimits = logLimits(USUAL_READER_LIMITS);

/** A record of the kernel's has 2,048 bytes at most (CONSOLE_LOG_MAX): a longer line is not from a log. */
export function logLimits(limits: ReaderLimits): LogLimits {
  return { bytes: limits["log-bytes"], lines: limits["log-lines"], lineBytes: 16_384 };
}

const CHUNK = 65_536;
const LF = 0x0a;

/**
 * Calls `each` with every line that is not blank, and its 1-based number. Terminal escapes and carriage returns are
 * gone; other control characters are shown as `\xNN`, as dmesg shows them. Never throws; what is cut is a defect.
 */
export function forEachLogLine(
  source: ByteSource,
  boot: Boot | null,
  limits: LogLimits,
  sink: DefectSink,
  each: (text: string, line: number) => void,
): void {
  const chunk = new Uint8Array(CHUNK);
  const held = new Uint8Array(limits.lineBytes);
  let heldLength = 0;
  let cut = false;
  let line = 1;

  const keep = (bytes: Uint8Array): void => {
    const room = held.length - heldLength;
    if (bytes.length > room) cut = true;
    held.set(bytes.subarray(0, room), heldLength);
    heldLength += Math.min(room, bytes.length);
  };
  const flush = (): void => {
    if (cut) {
      sink.defect({
        code: "printk-line-cut",
        severity: "warning",
        file: source.name,
        line,
        boot,
        message: `A line is longer than ${limits.lineBytes} bytes; a kernel log record is at most 2,048.`,
        advice: "Its beginning was read. Check that the file is a kernel log.",
      });
    }
    const text = cleanText(decode(held.subarray(0, heldLength), source.name, line, boot, sink));
    heldLength = 0;
    cut = false;
    if (text.trim() !== "") each(text, line);
    line += 1;
  };

  const end = Math.min(source.size, limits.bytes);
  let position = 0;
  while (position < end && line <= limits.lines) {
    const length = source.read(chunk.subarray(0, Math.min(CHUNK, end - position)), position);
    if (!(length > 0)) break;
    position += length;
    let from = 0;
    while (from < length && line <= limits.lines) {
      const found = chunk.indexOf(LF, from);
      const to = found < 0 || found >= length ? length : found;
      keep(chunk.subarray(from, to));
      if (to === length) break;
      flush();
      from = to + 1;
    }
  }
  const readWhole = position >= source.size && line <= limits.lines;
  if (heldLength > 0 && line <= limits.lines) flush();
  if (!readWhole) {
    sink.defect({
      code: "printk-log-cut",
      severity: "warning",
      file: source.name,
      line,
      boot,
      message: `The log was read up to line ${line - 1}; at most ${limits.lines} lines and ${limits.bytes} bytes are.`,
      advice:
        "Cut the log to the live update it belongs to, or read more of it: --reader-limit log-lines=… or log-bytes=….",
    });
  }
}

const loose = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

function decode(bytes: Uint8Array, file: string, line: number, boot: Boot | null, sink: DefectSink): string {
  const text = loose.decode(bytes);
  if (text.includes("\uFFFD") && !isUtf8(bytes)) {
    sink.defect({
      code: "printk-not-utf8",
      severity: "note",
      file,
      line,
      boot,
      message: "A line holds bytes that are not UTF-8; they are shown as U+FFFD.",
      advice: "Serial noise does this; the line's other text was read.",
    });
  }
  return text;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** ECMA-48 control sequences, and the strings OSC, DCS, SOS, PM and APC, which firmware and coloured dmesg print. */
const TERMINAL = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])/g;
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;

/** Text that can be printed on a terminal as it stands. */
export function cleanText(text: string): string {
  const plain = text.includes("\x1b") ? text.replace(TERMINAL, "") : text;
  return plain
    .replaceAll("\r", "")
    .replace(/^\0+|\0+$/g, "")
    .replace(CONTROL, (found) => `\\x${found.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
