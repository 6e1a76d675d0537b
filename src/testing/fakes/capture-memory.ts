/** Captures made by tests, in memory: two boots' ftrace text, logs and clock pairs, without a file. */

import { gunzipSync } from "node:zlib";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { CaptureFiles } from "../../collect/files/files.js";
import { USUAL_READER_LIMITS } from "../../collect/files/reader-limits.js";

/** A capture's files from text or bytes; `.gz` names are unpacked as the real ones are. */
export function memoryCapture(files: Readonly<Record<string, string | Uint8Array>>): CaptureFiles {
  const held = new Map(
    Object.entries(files).map(([path, what]) => [
      path,
      typeof what === "string" ? new TextEncoder().encode(what) : what,
    ]),
  );
  return {
    limits: USUAL_READER_LIMITS,
    paths: [...held.keys()].sort(),
    open: (path) => {
      const bytes = held.get(path);
      return bytes === undefined ? null : memorySource(path, bytes);
    },
    bytes: (path, limit, sink) => {
      const bytes = held.get(path);
      if (bytes === undefined) return null;
      try {
        const whole = path.endsWith(".gz") ? gunzipSync(bytes, { maxOutputLength: limit }) : bytes;
        if (whole.length <= limit) return whole;
      } catch {
        // As a file that is too large.
      }
      sink.defect({ code: "file-too-large", severity: "error", file: path, message: "too large", advice: "-" });
      return null;
    },
    close: () => {},
  };
}

export const manifest = (part: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    format: "blackout-capture",
    version: 1,
    name: "made",
    boots: { old: { files: "old", ring: "ring" }, new: { files: "new" } },
    labels: {},
    ...part,
  });

/** One line of the nop tracer's output. */
export const traceLine = (seconds: number, event: string, task = "init-1", cpu = 0, flags = "....."): string =>
  `${task.padStart(16)}       [${String(cpu).padStart(3, "0")}] ${flags} ${seconds.toFixed(6).padStart(12)}: ${event}\n`;
/** A mark of the workload. */
export const markLine = (seconds: number, text: string): string => traceLine(seconds, `tracing_mark_write: ${text}`);
/** A kprobe's entry, as the recorder names it. */
export const callLine = (seconds: number, name: string, fields = ""): string =>
  traceLine(seconds, `${name}: (${name}+0x4/0x100)${fields === "" ? "" : ` ${fields}`}`);
/** A return probe. */
export const returnLine = (seconds: number, name: string, ret?: number): string =>
  traceLine(seconds, `${name}_ret: (caller+0x4/0x100 <- ${name})${ret === undefined ? "" : ` ret=${ret}`}`);

const HEADER = "# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n";
const UNAME = "Linux host 7.3.4 #2 SMP PREEMPT Mon Nov 23 09:54:41 UTC 2026 x86_64 GNU/Linux\n";
const clockFile = (clock: string): string => `mono [${clock}] other\n`;

export interface MadeBoot {
  readonly clock?: string;
  readonly trace?: string;
  readonly dmesg?: string;
  readonly pairs?: string;
  readonly uname?: string;
  readonly cmdline?: string;
}

/**
 * Files of a capture with the given boots; files that are not given are absent (except `uname`, so that both are one
 * build).
 */
export function madeCapture(
  boots: { readonly old?: MadeBoot; readonly new?: MadeBoot },
  more: Readonly<Record<string, string | Uint8Array>> = {},
): Readonly<Record<string, string | Uint8Array>> {
  const files: Record<string, string | Uint8Array> = {
    "capture.json": manifest({
      boots: {
        ...(boots.old === undefined ? {} : { old: { files: "old", ring: "ring" } }),
        ...(boots.new === undefined ? {} : { new: { files: "new" } }),
      },
    }),
  };
  for (const boot of ["old", "new"] as const) {
    const made = boots[boot];
    if (made === undefined) continue;
    const buffer = boot === "old" ? "ring" : "new";
    files[`${boot}/uname`] = made.uname ?? UNAME;
    if (made.dmesg !== undefined) files[`${boot}/dmesg`] = made.dmesg;
    if (made.pairs !== undefined) files[`${boot}/clock_pairs`] = made.pairs;
    if (made.cmdline !== undefined) files[`${boot}/cmdline`] = made.cmdline;
    if (made.trace !== undefined) {
      files[`${buffer}/trace`] = HEADER + made.trace;
      files[`${buffer}/trace_clock`] = clockFile(made.clock ?? "local");
    }
  }
  return { ...files, ...more };
}
