/** Each boot's kernel log: its dmesg, and what only the serial console has (the old kernel's last words, a panic). */
import type { DefectInput } from "../base/defect.js";
import type { Boot } from "../base/time.js";
import type { Capture } from "./capture.js";
import { splitConsoleLog } from "./console-log.js";
import { handoverOff, type KernelLogFacts, kernelLogFacts, logVerdicts } from "./kernel-log-facts.js";
import { readKmsg } from "./kmsg.js";
import type { CaptureFiles, LogVerdict, PrintkLine } from "./types.js";

export interface BootLog {
  readonly lines: readonly PrintkLine[];
  readonly facts: KernelLogFacts;
}

export interface BootLogs extends Readonly<Record<Boot, BootLog>> {
  readonly verdicts: readonly LogVerdict[];
}

interface Sink {
  defect(input: DefectInput): void;
}

export function bootLogs(capture: Capture, files: CaptureFiles, sink: Sink): BootLogs {
  const fromConsole = consoleLines(capture, files, sink);
  const logOf = (boot: Boot): BootLog => {
    const path = capture.boots[boot]?.dmesg ?? null;
    const source = path === null ? null : files.open(path);
    const own = source === null ? [] : readKmsg(source, boot, sink);
    const lines = merge(own, fromConsole[boot]);
    return { lines, facts: kernelLogFacts(lines) };
  };
  const logs = { old: logOf("old"), new: logOf("new") };
  return { ...logs, verdicts: verdictsOf(capture, logs) };
}

/**
 * The log's lines, and of the console's only those stamped after the log's last: dmesg was read before the kexec, the
 * console went on.
 */
function merge(own: readonly PrintkLine[], console: readonly PrintkLine[]): readonly PrintkLine[] {
  if (own.length === 0) return console;
  const last = own.reduce((latest, line) => Math.max(latest, line.stampNs ?? 0), 0);
  const from = console.findIndex((line) => line.stampNs !== null && line.stampNs > last);
  return from < 0 ? own : [...own, ...console.slice(from).filter((line) => (line.stampNs ?? 0) > last)];
}

/** The console's lines of the two boots of this update: the last two kernels in it, or the last one where that is all. */
function consoleLines(
  capture: Capture,
  files: CaptureFiles,
  sink: Sink,
): Readonly<Record<Boot, readonly PrintkLine[]>> {
  const source = capture.console === null ? null : files.open(capture.console);
  if (source === null) return { old: [], new: [] };
  const { old, new: fresh } = splitConsoleLog(source, sink);
  return { old, new: fresh };
}

/** What the logs say, in order, the old kernel's first; and a command line of the new kernel that turns LUO or KHO off. */
function verdictsOf(capture: Capture, logs: Readonly<Record<Boot, BootLog>>): readonly LogVerdict[] {
  const logged = [...logVerdicts(logs.old.facts, "old"), ...logVerdicts(logs.new.facts, "new")];
  const fresh = capture.boots.new;
  const off = fresh === null || fresh.cmdline === null ? null : handoverOff(fresh.cmdline);
  if (fresh === null || off === null || logged.some(({ what }) => what === "kho-off")) return logged;
  return [...logged, { what: "kho-off", boot: "new", text: off, file: `${fresh.files}/cmdline`, line: 1 }];
}
