/**
 * What kind of file a text is, decided by its lines: each reader counts those that only its own format has, past
 * whatever stands before them (firmware, a boot loader, a command line, a page's styles).
 */
import { StringTable } from "../../base/bytes/string-table.js";
import { holdsKernelLine } from "../../model/kernel-lines.js";
import { qemuLogLines } from "../agents/qemu-log.js";
import { NEWLINE } from "../files/bytes.js";
import { Line, LineParser } from "../ftrace-text/line-parser.js";
import { kernelLogEvidence } from "../kernel-log/kernel-log.js";

/** How far a file is looked at in turn: most show what they are at once. */
export const HEAD_SIZES: readonly number[] = [64 * 1024, 1 << 20, 8 << 20];

/** What a text's lines show. */
export interface TextEvidence {
  /** Lines of ftrace's text that hold events, or the header that only it has. */
  readonly ftrace: number;
  /** Those that hold events. */
  readonly events: number;
  /** Lines that precede ftrace's. */
  readonly before: number;
  readonly kernelLog: number;
  /** The log carries the kernel's own stamps. */
  readonly hasKernelClock: boolean;
  readonly qemu: number;
  /** Lines that are not blank. */
  readonly lines: number;
  /** The lines themselves, without what cannot be text. */
  readonly sample: readonly string[];
}

const BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf";
/** Lines whose form is looked at: all of a format look alike. */
const SAMPLE_LINES = 200_000;
const HEADER = /^# tracer: [\w-]+\s*$|^cpus=\d+\s*$/;

/** Looks at the first bytes of a file, which end where the file does or anywhere. */
export function textEvidence(head: Uint8Array, isWhole: boolean): TextEvidence {
  const text = Buffer.from(head.buffer, head.byteOffset, head.length).toString("latin1");
  const all = text.replace(BYTE_ORDER_MARK, "").split("\n", SAMPLE_LINES + 1);
  // The last line may be cut.
  if (!isWhole && all.length > 1) all.pop();
  const header = all.findIndex((line) => HEADER.test(line));
  const log = kernelLogEvidence(all);
  const found = ftraceLines(head, all.length);
  return {
    ftrace: found.events + (header >= 0 && found.events === 0 ? 1 : 0),
    events: found.events,
    before: header >= 0 && (found.first < 0 || header < found.first) ? header : Math.max(0, found.first),
    kernelLog: log.lines,
    hasKernelClock: log.clock === "printk",
    qemu: qemuLogLines(all),
    lines: all.filter((line) => line.trim() !== "").length,
    sample: all,
  };
}

/** How many lines hold an event of ftrace's text, and which is the first. */
function ftraceLines(head: Uint8Array, most: number): { readonly events: number; readonly first: number } {
  // The scanner of a line stops at a newline behind it.
  const buffer = Buffer.alloc(head.length + 2, NEWLINE);
  buffer.set(head);
  const parser = new LineParser(new StringTable(), { eventNames: null, markerPrefixes: [] });
  let [events, first, line] = [0, -1, 0];
  const isMarked = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  for (let at = isMarked ? BYTE_ORDER_MARK.length : 0; at < head.length && line < most; line++) {
    const newline = buffer.indexOf(NEWLINE, at);
    if (parser.parse(buffer, at, newline, false) === Line.event) {
      events += 1;
      if (first < 0) first = line;
    }
    at = newline + 1;
  }
  return { events, first };
}

/**
 * Why a file with the kernel's header holds no line that can be read: what the options raw, hex, bin and
 * nocontext-info print in place of it. Null if it holds no such lines.
 */
export function unreadableOption(sample: readonly string[]): string | null {
  const lines = sample.filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const most = (pattern: RegExp): boolean => lines.filter((line) => pattern.test(line)).length * 2 > lines.length;
  if (lines.length === 0) return null;
  const option = most(/^\d{1,7} \d{1,4} \d{1,20} /)
    ? "raw"
    : most(/^(?:[0-9a-f]{8,16} ){2}/)
      ? "hex"
      : most(/^[\w.]+: |^\w+\(/)
        ? "nocontext-info"
        : most(/[\x00-\x08\x0e-\x1f]/)
          ? "bin"
          : null;
  if (option === null) return null;
  const set = option === "nocontext-info" ? "context-info to 1" : `${option} to 0`;
  return `ftrace text printed with the option ${option}, whose lines have no task, CPU and time that can be read: set options/${set}, and read the trace again`;
}

/** Names a format that is recognized but not supported, with what to do; null for any other file. */
export function knownButUnread(head: Uint8Array): string | null {
  const [first = 0, second = 0] = head;
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  let zeros = 0;
  const looked = Math.min(head.length, 512) & ~1;
  for (let at = 0; at < looked; at += 2) zeros += (head[at] === 0) !== (head[at + 1] === 0) ? 1 : 0;
  if (isMarked || (looked >= 8 && zeros * 4 > looked * 2 * 0.9)) {
    return "UTF-16 text, as PowerShell's > writes it; convert it first: iconv -f UTF-16 -t UTF-8 FILE";
  }
  return null;
}

/** The sentence if no reader takes the file: what was looked for, and what came nearest. */
export function unrecognized(evidence: TextEvidence | null): string {
  const looked =
    "unrecognized format; supported: trace.dat, Perfetto, ftrace text, kernel log, QEMU log, each also packed by gzip, zstd, xz or bzip2";
  const nearest = evidence === null ? null : nearestTo(evidence);
  return nearest === null ? looked : `${looked}; nearest: ${nearest}`;
}

function nearestTo({ sample }: TextEvidence): string | null {
  const at = (pattern: RegExp): number => sample.findIndex((line) => pattern.test(line)) + 1;
  const isKernels = (line: string): boolean =>
    /^\[ *\d+\.\d+|kernel: /.test(line) || holdsKernelLine(line, "linux-version");
  const tries: readonly (readonly [string, number])[] = [
    ["ftrace text", at(/^# tracer|-\d+ +\[\d{3}\]|\btracing_mark_write\b|\bsched_switch\b|\d+\) .*\|/)],
    ["a kernel log", sample.findIndex(isKernels) + 1],
    ["a QEMU log", at(/qemu-system|runstate|vmstate_/)],
  ];
  const [found] = tries.filter(([, line]) => line > 0).sort(([, a], [, b]) => a - b);
  return found === undefined ? null : `${found[0]}, by line ${found[1]}`;
}
