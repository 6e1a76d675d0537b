/** Each boot's kernel log: its dmesg, and what only the serial console has (the old kernel's last words, a panic). */
import type { DefectInput } from "../base/defect.js";
import type { Boot } from "../base/time.js";
import type { Capture } from "./capture.js";
import { splitConsoleLog } from "./console-log.js";
import { type KernelLogFacts, kernelLogFacts } from "./kernel-log-facts.js";
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

/** What LUO and KHO print when they refuse (kernel/liveupdate, reference section 4). */
const REFUSALS = [
  /^luo: .*(?:fail|mismatch|No registered handler|incompatible)/i,
  /^KHO: .*(?:fail|invalid|incompatible|disabling)/i,
  /^The incoming tree failed to initialize/,
  /^luo: Disabling liveupdate/,
];

function verdictsOf(capture: Capture, logs: Readonly<Record<Boot, BootLog>>): readonly LogVerdict[] {
  const verdicts: LogVerdict[] = [];
  const say = (what: LogVerdict["what"], line: PrintkLine): void => {
    verdicts.push({ what, boot: line.boot, text: line.text, file: line.file, line: line.line });
  };
  for (const line of logs.old.lines) if (/^luo: Freeze failed/.test(line.text)) say("freeze-failed", line);
  for (const line of logs.new.lines) {
    if (/^Kernel panic - not syncing/.test(line.text)) say("panic", line);
    else if (REFUSALS.some((refusal) => refusal.test(line.text))) say("luo-refused", line);
  }
  const words = (capture.boots.new?.cmdline ?? logs.new.facts.commandLine ?? "").split(/\s+/);
  const off = words.find((word) => /^(?:kho|liveupdate)=(?:off|0|n|no|false)$/.test(word));
  if (off !== undefined) {
    const file = capture.boots.new === null ? (capture.console ?? "") : `${capture.boots.new.files}/cmdline`;
    verdicts.push({ what: "kho-off", boot: "new", text: off, file, line: 1 });
  }
  return verdicts;
}
