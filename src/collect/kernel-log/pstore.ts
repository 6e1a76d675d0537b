/**
 * What a kernel left in pstore for the next one: its console (`console-ramoops-0`) and the end of its log when it
 * crashed (`dmesg-ramoops-N`). Formats: fs/pstore/platform.c (`Panic#1 Part1`), fs/pstore/ram.c (`====SECONDS.MICROS-C`
 * before a dump in memory), fs/pstore/ram_core.c (`ECC: …` at the end), fs/pstore/inode.c (the names). A console is a
 * ring: once it is full its first line is what is left of one.
 */
import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { PrintkLine, ReadCounts } from "../../model/collected.js";
import { isKernelLine } from "../../model/kernel-lines.js";
import { linePrefix } from "./kmsg.js";
import { forEachLogLine, LOG_LIMITS, type LogLimits } from "./kmsg-lines.js";

/** The folder of a capture that holds what /sys/fs/pstore held. */
export const PSTORE_FOLDER = "pstore";

/** `TYPE-BACKEND-ID`; what the kernel could not unpack ends in `.enc.z`. */
const NAME = /^(console|dmesg)-[a-z0-9_]{1,32}-\d{1,20}(\.enc\.z)?$/;
/** kmsg_dump_reason_str (kernel/printk/printk.c), and the reasons that kernels before 5.9 had. */
const HEADER =
  /^(Panic|Oops|Emergency|Shutdown|Unknown|Restart|Halt|Poweroff|Emergency Restart)#(\d{1,10}) Part(\d{1,10})$/;
/** RAMOOPS_KERNMSG_HDR; pstore itself takes it off, a copy of the memory has it. */
const MEMORY_HEADER = /^====(\d{1,20})\.(\d{1,9})(?:-([CD]))?$/;
const ECC = /^ECC: (?:No errors detected|(\d{1,10}) Corrected bytes, (\d{1,10}) unrecoverable blocks)$/;

export interface PstoreName {
  readonly type: "console" | "dmesg";
  /** The kernel could not unpack it: no log can be read from it. */
  readonly packed: boolean;
}

/** What a file of /sys/fs/pstore is, by its name; null for other types (pmsg, ftrace, powerpc-…). */
export function pstoreName(file: string): PstoreName | null {
  const match = NAME.exec(file);
  return match === null ? null : { type: match[1] as PstoreName["type"], packed: match[2] !== undefined };
}

/** A line of pstore's frame around a log, and what it says. */
export type PstoreFrame =
  | { readonly kind: "dump"; readonly reason: string; readonly count: number; readonly part: number }
  | { readonly kind: "memory"; readonly packed: boolean }
  | { readonly kind: "ecc"; readonly corrected: number; readonly lost: number };

/** Reads a line that is pstore's own, and not the kernel log's; null for other lines. */
export function pstoreFrame(text: string): PstoreFrame | null {
  const dump = HEADER.exec(text);
  if (dump !== null) {
    return { kind: "dump", reason: dump[1] as string, count: Number(dump[2]), part: Number(dump[3]) };
  }
  const memory = MEMORY_HEADER.exec(text);
  if (memory !== null) return { kind: "memory", packed: memory[3] === "C" };
  const ecc = ECC.exec(text);
  if (ecc !== null) return { kind: "ecc", corrected: Number(ecc[1] ?? 0), lost: Number(ecc[2] ?? 0) };
  return null;
}

/** A log as read from one file, before it is known whose it is: lines and defects have no boot of their own yet. */
export interface PstoreLog {
  readonly file: string;
  readonly type: PstoreName["type"];
  /** Only those that carry a stamp: a line without is what a full ring, or a bad one, left of a line. */
  readonly lines: readonly UnownedLine[];
  readonly counts: ReadCounts;
  readonly defects: readonly DefectInput[];
}

type UnownedLine = Omit<PrintkLine, "boot">;

/** Reads one file. Never throws; at most `limits` is read. Defects: `pstore-…`, and those of a kernel log. */
export function readPstoreLog(source: ByteSource, type: PstoreName["type"], limits: LogLimits = LOG_LIMITS): PstoreLog {
  const file = source.name;
  const lines: UnownedLine[] = [];
  const defects: DefectInput[] = [];
  const torn: number[] = [];
  let [all, structural, firstIsTorn] = [0, 0, false];
  let packed = false;
  forEachLogLine(source, null, limits, { defect: (found) => void defects.push(found) }, (text, line) => {
    if (packed) return;
    all += 1;
    const frame = pstoreFrame(text.trim());
    if (frame !== null) {
      structural += 1;
      packed = frame.kind === "memory" && frame.packed;
      if (frame.kind === "ecc" && frame.corrected + frame.lost > 0) defects.push(eccDefect(file, line, frame));
      return;
    }
    const { stampNs, level, text: said } = linePrefix(text);
    if (stampNs === null) {
      firstIsTorn ||= all === 1;
      torn.push(line);
      return;
    }
    lines.push({ file, line, stampNs, level, text: said });
  });
  if (packed) defects.push(packedDefect(file));
  else if (lines.length === 0) defects.push(emptyDefect(file));
  else if (torn.length > 0) defects.push(tornDefect(file, torn, firstIsTorn));
  const counts = {
    ...{ lines: all, events: lines.length, continuations: 0, structural },
    ...{ undecoded: torn.length, lostEvents: 0 },
  };
  return { file, type, lines, counts, defects };
}

function tornDefect(file: string, torn: readonly number[], firstIsTorn: boolean): DefectInput {
  const wrapped = firstIsTorn && torn.length === 1;
  return {
    code: "pstore-torn",
    severity: wrapped ? "note" : "warning",
    file,
    line: torn[0] ?? 1,
    count: torn.length,
    message: wrapped
      ? "The first line has no stamp: the ring was full, and its oldest lines are gone."
      : `${torn.length} ${torn.length === 1 ? "line has" : "lines have"} no stamp, the first of them line ${torn[0]}: what is left of lines that were overwritten or damaged. They are left out.`,
    advice: wrapped
      ? "Give the console more room (ramoops.console_size=) where more of it is wanted."
      : "Let ramoops correct errors (ramoops.ecc=1), and reserve memory that the firmware leaves alone.",
  };
}

function eccDefect(file: string, line: number, { corrected, lost }: { corrected: number; lost: number }): DefectInput {
  return {
    code: "pstore-ecc",
    severity: lost > 0 ? "warning" : "note",
    file,
    line,
    message: `The memory had changed: ${corrected} bytes were corrected, ${lost} blocks could not be.`,
    advice: lost > 0 ? "Do not rely on single characters of this log." : "Nothing: the log is as it was written.",
  };
}

export function packedDefect(file: string): DefectInput {
  return {
    code: "pstore-packed",
    severity: "warning",
    file,
    message: "It is packed: the kernel that saved it could not unpack it.",
    advice: "Boot the next kernel with the same pstore.compress=, or with none.",
  };
}

function emptyDefect(file: string): DefectInput {
  return {
    code: "pstore-unstamped",
    severity: "warning",
    file,
    message: "No line of it has a stamp, so it cannot be assigned to a kernel or a time.",
    advice: "Check that the file is of /sys/fs/pstore, and that the kernel stamps its log (printk.time=1).",
  };
}

/** What identifies the kernel of a log. */
export interface KnownLogs {
  readonly old: readonly PrintkLine[];
  readonly new: readonly PrintkLine[];
  /** Whether the capture holds anything recorded in the new kernel's user space: pstore was then read there. */
  readonly newBootReached: boolean;
}

type Likeness = "same" | "other" | "apart";

/** A stamp before the clock runs is zero in every boot. */
const told = ({ stampNs }: Pick<PrintkLine, "stampNs">): boolean => stampNs !== null && stampNs > 0;
const keyOf = ({ stampNs, text }: Pick<PrintkLine, "stampNs" | "text">): string => `${stampNs} ${text.trim()}`;

/**
 * `same`: most lines that lie within the other log's time are in it, stamp and text; two boots never agree on
 * microseconds. `apart`: none lies within it.
 */
function likeness(lines: readonly UnownedLine[], log: readonly PrintkLine[]): Likeness {
  const known = new Set<string>();
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const line of log) {
    if (!told(line)) continue;
    known.add(keyOf(line));
    first = Math.min(first, line.stampNs as number);
    last = Math.max(last, line.stampNs as number);
  }
  const within = lines.filter(
    (line) => told(line) && (line.stampNs as number) >= first && (line.stampNs as number) <= last,
  );
  if (within.length === 0) return "apart";
  return within.filter((line) => known.has(keyOf(line))).length * 2 >= within.length ? "same" : "other";
}

/**
 * Whose log it is: of the boot whose own log has the same lines. Without such a log, a console that was read in the new
 * kernel is that of the kernel before it, and one that was read later, of the one that had no user space to read it in:
 * ramoops keeps one boot's (ramoops_init_prz empties it for the next). A crash dump may be of any boot before: it stays
 * in memory until somebody removes it. Null: it is not known to be of this update.
 */
export function ownerOf({ type, lines }: Pick<PstoreLog, "type" | "lines">, known: KnownLogs): Boot | null {
  const old = likeness(lines, known.old);
  if (old === "same") return "old";
  if (likeness(lines, known.new) === "same") return "new";
  if (type === "dmesg") return null;
  const last = lines.at(-1)?.text ?? "";
  const cameByKexec = lines.some(({ text }) => isKernelLine(text, "kho-exec-from", "kho-found"));
  if (!known.newBootReached) return cameByKexec || old === "other" ? "new" : null;
  // A dmesg that ends before the console begins: a small ring, and a kernel that had much to say on its way down.
  return known.old.length === 0 || (old === "apart" && isKernelLine(last, "kexec-start")) ? "old" : null;
}

export function unrelatedDefect({ file, lines }: PstoreLog): DefectInput {
  return {
    code: "pstore-unrelated",
    severity: "note",
    file,
    message: `Its ${lines.length} lines are in neither kernel's log, and nothing else shows that it belongs to this update: it is left out.`,
    advice: "Remove what earlier crashes left in /sys/fs/pstore before the update.",
  };
}
