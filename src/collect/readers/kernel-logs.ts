/**
 * Each boot's kernel log: its dmesg, and what only pstore or the serial console has (the old kernel's last words, a
 * panic).
 */

import type { DefectSink } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { LogVerdict, PrintkLine, SourceCounts } from "../../model/collected.js";
import type { Capture } from "../capture/capture.js";
import type { CaptureFiles } from "../files/files.js";
import { splitConsoleLog } from "../kernel-log/console-log.js";
import { handoverOff, type KernelLogFacts, kernelLogFacts, logVerdicts } from "../kernel-log/kernel-log-facts.js";
import { readKmsg } from "../kernel-log/kmsg.js";
import { logLimits } from "../kernel-log/kmsg-lines.js";
import {
  ownerOf,
  PSTORE_FOLDER,
  type PstoreLog,
  packedDefect,
  pstoreName,
  readPstoreLog,
  unrelatedDefect,
} from "../kernel-log/pstore.js";

export interface BootLog {
  readonly lines: readonly PrintkLine[];
  readonly facts: KernelLogFacts;
}

export interface BootLogs extends Readonly<Record<Boot, BootLog>> {
  readonly verdicts: readonly LogVerdict[];
  /** What was read of pstore, if that is of this update. */
  readonly sources: readonly SourceCounts[];
}

export function bootLogs(capture: Capture, files: CaptureFiles, sink: DefectSink): BootLogs {
  const saved = (boot: Boot): readonly PrintkLine[] => {
    const path = capture.boots[boot]?.dmesg ?? null;
    const source = path === null ? null : files.open(path);
    return source === null ? [] : readKmsg(source, boot, sink, logLimits(files.limits));
  };
  const dmesg = { old: saved("old"), new: saved("new") };
  const kept = pstoreLogs(dmesg, capture, files, sink);
  const console = consoleLines(capture, files, sink);
  const logOf = (boot: Boot): BootLog => {
    const lines = continued(
      kept.reduce((log, each) => (each.boot === boot ? continued(log, each.lines) : log), dmesg[boot]),
      console[boot],
    );
    return { lines, facts: kernelLogFacts(lines) };
  };
  const logs = { old: logOf("old"), new: logOf("new") };
  const sources = kept.map(
    ({ boot, log }): SourceCounts => ({ boot, dialect: "pstore", files: [log.file], clock: "printk", ...log.counts }),
  );
  return { ...logs, verdicts: verdictsOf(capture, logs), sources };
}

/**
 * A log, and of another of the same boot what comes after it: dmesg was read before the kexec, pstore and the console
 * went on. If the other has the log's last line too, what follows it there, and else what is stamped later.
 */
function continued(log: readonly PrintkLine[], more: readonly PrintkLine[]): readonly PrintkLine[] {
  if (log.length === 0) return more;
  const last = log.reduce<PrintkLine | null>(
    (latest, line) => ((line.stampNs ?? 0) >= (latest?.stampNs ?? 1) ? line : latest),
    null,
  );
  const lastNs = last?.stampNs ?? 0;
  const twin =
    last === null ? -1 : more.findLastIndex((line) => line.stampNs === lastNs && line.text.trim() === last.text.trim());
  const from = twin >= 0 ? twin + 1 : more.findIndex((line) => line.stampNs !== null && line.stampNs > lastNs);
  const later = twin >= 0 ? lastNs - 1 : lastNs;
  return from < 0 ? log : [...log, ...more.slice(from).filter((line) => (line.stampNs ?? 0) > later)];
}

interface KeptLog {
  readonly boot: Boot;
  readonly log: PstoreLog;
  readonly lines: readonly PrintkLine[];
}

/** Files of pstore that are read: a host keeps a handful, and what more there is came of no kernel. */
const MAX_PSTORE_FILES = 256;

/**
 * What pstore kept of this update's kernels: consoles first, because crash dumps are also recognized by them; then by
 * time.
 */
function pstoreLogs(
  dmesg: Readonly<Record<Boot, readonly PrintkLine[]>>,
  capture: Capture,
  files: CaptureFiles,
  sink: DefectSink,
): readonly KeptLog[] {
  const found = files.paths
    .filter((path) => path.startsWith(`${PSTORE_FOLDER}/`))
    .flatMap((path) => {
      const name = pstoreName(path.slice(PSTORE_FOLDER.length + 1));
      return name === null ? [] : [{ path, ...name }];
    })
    .sort((a, b) => (a.type === b.type ? 0 : a.type === "console" ? -1 : 1))
    .slice(0, MAX_PSTORE_FILES);
  const kept: KeptLog[] = [];
  const known = (boot: Boot): readonly PrintkLine[] => [
    ...dmesg[boot],
    ...kept.filter((each) => each.boot === boot).flatMap(({ lines }) => lines),
  ];
  for (const { path, type, packed } of found) {
    const source = files.open(path);
    if (source === null) continue;
    if (packed) {
      sink.defect(packedDefect(path));
      continue;
    }
    const log = readPstoreLog(source, type);
    const boot = ownerOf(log, { old: known("old"), new: known("new"), newBootReached: capture.boots.new !== null });
    for (const defect of log.defects) sink.defect({ ...defect, boot });
    if (boot !== null) kept.push({ boot, log, lines: log.lines.map((line) => ({ ...line, boot })) });
    else if (log.lines.length > 0) sink.defect(unrelatedDefect(log));
  }
  const lastOf = ({ lines }: KeptLog): number => lines.at(-1)?.stampNs ?? 0;
  return kept.sort((a, b) => lastOf(a) - lastOf(b));
}

/**
 * The console's lines of the two boots of this update: the last two kernels in it, or the last one if that is all.
 */
function consoleLines(
  capture: Capture,
  files: CaptureFiles,
  sink: DefectSink,
): Readonly<Record<Boot, readonly PrintkLine[]>> {
  const source = capture.console === null ? null : files.open(capture.console);
  if (source === null) return { old: [], new: [] };
  const { old, new: fresh } = splitConsoleLog(source, sink, undefined, logLimits(files.limits));
  return { old, new: fresh };
}

/**
 * What the logs say, in order, the old kernel's first; and a command line of the new kernel that turns LUO or KHO off.
 */
function verdictsOf(capture: Capture, logs: Readonly<Record<Boot, BootLog>>): readonly LogVerdict[] {
  const logged = [...logVerdicts(logs.old.facts, "old"), ...logVerdicts(logs.new.facts, "new")];
  const fresh = capture.boots.new;
  const off = fresh === null || fresh.cmdline === null ? null : handoverOff(fresh.cmdline);
  if (fresh === null || off === null || logged.some(({ what }) => what === "kho-off")) return logged;
  return [...logged, { what: "kho-off", boot: "new", text: off, file: `${fresh.files}/cmdline`, line: 1 }];
}
