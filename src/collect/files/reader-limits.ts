/**
 * How much of a file is read at most. A capture comes from another machine: nothing in it may make a reader take memory
 * or time without bound. Who trusts a larger one raises the limit by its name (docs/reader-limits.md).
 */
import { type CaptureLimits, DEFAULT_LIMITS } from "./capture-error.js";

export interface ReaderLimit {
  readonly unit: "bytes" | "count";
  readonly usual: number;
  /** It cannot be raised beyond. */
  readonly most: number;
  /** What is limited, for the table. */
  readonly what: string;
  /** What becomes of more: a defect's code, or that the file is refused. */
  readonly beyond: string;
}

/** What one buffer of V8 holds for certain. */
const IN_MEMORY = 2 ** 31;
/** What is unpacked to the disk: a TiB. */
const ON_DISK = 2 ** 40;

export const READER_LIMITS = {
  "capture-bytes": {
    unit: "bytes",
    usual: DEFAULT_LIMITS.totalBytes,
    most: ON_DISK,
    what: "all files of a capture together, unpacked",
    beyond: "refused, `too-large`",
  },
  "capture-file-bytes": {
    unit: "bytes",
    usual: DEFAULT_LIMITS.memberBytes,
    most: ON_DISK,
    what: "one file of a capture, unpacked",
    beyond: "refused, `too-large`",
  },
  "capture-files": {
    unit: "count",
    usual: DEFAULT_LIMITS.members,
    most: 1_000_000,
    what: "files and folders of a capture",
    beyond: "refused, `too-many-members`",
  },
  "formats-bytes": {
    unit: "bytes",
    usual: 64 << 20,
    most: IN_MEMORY,
    what: "event formats of one boot, unpacked",
    beyond: "left out, `file-too-large`",
  },
  "kallsyms-bytes": {
    unit: "bytes",
    usual: 256 << 20,
    most: IN_MEMORY,
    what: "kallsyms, unpacked",
    beyond: "left out, `file-too-large`",
  },
  "table-bytes": {
    unit: "bytes",
    usual: 16 << 20,
    most: IN_MEMORY,
    what: "any other table beside the events: header_page, saved_cmdlines, printk_formats, luo-mapping",
    beyond: "left out, `file-too-large`",
  },
  "log-bytes": {
    unit: "bytes",
    usual: 64 << 20,
    most: IN_MEMORY,
    what: "a kernel's or an agent's log",
    beyond: "a kernel's is cut, `printk-log-cut`; an agent's left out, `file-too-large`",
  },
  "log-lines": {
    unit: "count",
    usual: 500_000,
    most: 100_000_000,
    what: "lines of a kernel's log",
    beyond: "cut, `printk-log-cut`",
  },
  "trace-dat-section-bytes": {
    unit: "bytes",
    usual: 256 << 20,
    most: IN_MEMORY,
    what: "a section of a trace.dat before its events, unpacked: kallsyms is the largest",
    beyond: "skipped, `trace-dat-truncated`; the file is refused if nothing can be read without it",
  },
  "packed-trace-bytes": {
    unit: "bytes",
    usual: 2 ** 30,
    most: IN_MEMORY,
    what: "a trace or a log packed as a whole by gzip, zstd, xz or bzip2, unpacked",
    beyond: "refused: unpack it first",
  },
  "perfetto-packet-bytes": {
    unit: "bytes",
    usual: 256 << 20,
    most: IN_MEMORY,
    what: "one packet of a Perfetto trace",
    beyond: "the trace ends there, `perfetto-truncated`",
  },
  "perfetto-packed-bytes": {
    unit: "bytes",
    usual: 16 << 20,
    most: IN_MEMORY,
    what: "the unpacked size of one packed packet of a Perfetto trace (Perfetto writes 512 KiB)",
    beyond: "skipped, `perfetto-damaged`",
  },
  "perfetto-events": {
    unit: "count",
    usual: 16_000_000,
    most: 32_000_000,
    what: "events of a Perfetto trace that are held for sorting: some 60 bytes each, and their contents",
    beyond: "left out, `perfetto-too-many`",
  },
} as const satisfies Readonly<Record<string, ReaderLimit>>;

export type ReaderLimitName = keyof typeof READER_LIMITS;
export type ReaderLimits = Readonly<Record<ReaderLimitName, number>>;

export const USUAL_READER_LIMITS: ReaderLimits = Object.fromEntries(
  Object.entries(READER_LIMITS).map(([name, { usual }]) => [name, usual]),
) as ReaderLimits;

/** Those of opening a capture; its ratio, depth and names are not adjustable. */
export function captureLimits(limits: ReaderLimits): CaptureLimits {
  return {
    ...DEFAULT_LIMITS,
    totalBytes: limits["capture-bytes"],
    memberBytes: limits["capture-file-bytes"],
    members: limits["capture-files"],
  };
}
