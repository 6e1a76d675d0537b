/** What collecting passes on: the event table in chunks, printk lines, and the clocks' facts. */

import type { StringTable } from "../base/bytes/string-table.js";
import type { Defect, DefectSink } from "../base/defect.js";
import type { Boot } from "../base/time.js";
import type { RawSpanKind } from "./span-table.js";

/** A field's value as recorded: text, an integer below 2^53, or a larger one. */
export type FieldValue = string | number | bigint;

/** Field name to value, in the record's own order. */
export type EventFields = ReadonlyMap<string, FieldValue>;

/** What an event-table row is; the numbers stand in the `kind` column. */
export const EventKind = {
  /** A trace event: tracepoint, syscall, kprobe. */
  event: 0,
  /** Function-graph entry; field `func` (symbol, or 0x-address), `depth`. */
  graphEntry: 1,
  /** Function-graph exit; field `func` if known, `depth`, `duration` (ns of sched_clock) if known. */
  graphExit: 2,
  /** Function-graph entry and exit in one line of text; `duration` (ns of sched_clock) if printed. */
  graphLeaf: 3,
  /** A line that user space wrote to trace_marker (event `print`); field `buf`. */
  marker: 4,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/**
 * A run of rows of the event table: columns, not objects. It is valid only during the sink call that delivers it: the
 * reader reuses the arrays. `time` is in counts of the boot's trace clock since `base`, so that rows are exact Numbers
 * although a TSC of a host that has been up for 60 days exceeds 2^53.
 */
export interface EventChunk {
  readonly boot: Boot;
  readonly base: bigint;
  readonly count: number;
  readonly time: Float64Array;
  /** -1 if the dialect does not say. */
  readonly cpu: Int16Array;
  /** -1 if the dialect does not say. */
  readonly pid: Int32Array;
  /** Ids in `strings`; 0 if unknown. */
  readonly comm: Uint32Array;
  /** Ids in `strings`. */
  readonly name: Uint32Array;
  readonly kind: Uint8Array;
  /** Line number (text) or byte offset of the record (binary), in the file that `fileOf` names. */
  readonly place: Float64Array;
  readonly strings: StringTable;
  /** The file that row `row` was read from: rows of one chunk may be of several. */
  fileOf(row: number): string;
  /** Decodes row `row`'s fields; valid only during the sink call. */
  fields(row: number): EventFields;
  /** One of row `row`'s fields, where the source reads it without the others: `fields(row).get(name)`. */
  field?(row: number, name: string): FieldValue | undefined;
  /** Row `row`'s payload as text, as the source prints it. */
  text(row: number): string;
  /**
   * Whether row `row` was recorded in an interrupt (hard, soft, NMI): its task was interrupted and did not do it. False
   * if the source does not record the context.
   */
  inInterrupt(row: number): boolean;
}

export interface EventSink extends DefectSink {
  chunk(chunk: EventChunk): void;
  /** A reader may leave out the rows that are not needed; they still count as events. */
  readonly interest?: EventInterest;
}

/** Which rows a sink needs; for all other events, only each CPU's first and last. */
export interface EventInterest {
  /** Called once per kind of event, whose fields are known. Markers and the function graph are always needed. */
  wants(name: string, hasField: (field: string) => boolean): boolean;
  /**
   * The first event of a CPU, needed or not, in counts since `base`: reported before the first chunk, in order of time.
   */
  begins(cpu: number, base: bigint, time: number): void;
  /** The last one, and its task (`comm` as in the chunks), reported after the last chunk. */
  ends(cpu: number, time: number, pid: number, comm: number): void;
}

/** What a reader did with its input: every line or record is in exactly one of these. */
export interface ReadCounts {
  readonly lines: number;
  readonly events: number;
  /** Lines that belong to an event but have no row of their own (the rest of a marker that contains a newline). */
  readonly continuations: number;
  /** Headers, separators, blank lines, lost-event lines (each of which is also a defect with a time). */
  readonly structural: number;
  readonly undecoded: number;
  readonly lostEvents: number;
}

/** The clocks of /sys/kernel/tracing/trace_clock. */
const TRACE_CLOCKS = [
  "local",
  "global",
  "counter",
  "uptime",
  "perf",
  "mono",
  "mono_raw",
  "boot",
  "tai",
  "x86-tsc",
] as const;
export type TraceClock = (typeof TRACE_CLOCKS)[number] | "unknown";

/** A clock by the name that the kernel gives it. */
export function traceClockOf(name: string): TraceClock {
  return TRACE_CLOCKS.find((known) => known === name) ?? "unknown";
}

/** The VMMs whose logs are read. Their events are messages, `NAME stopped` and `NAME resumed`. */
export const VMMS = ["qemu"] as const;
export type Vmm = (typeof VMMS)[number];
export type VmmLogDialect = `${Vmm}-log`;

/** One source of events of one boot; `read` streams it once, in time order, and may be called again. */
export interface EventSource {
  readonly boot: Boot;
  /** Its source: raw pages, the kernel's text, trace-cmd's file, a Perfetto trace, a log. */
  readonly dialect: "ring-buffer" | "ftrace-text" | "trace-dat" | "perfetto" | "kernel-log" | VmmLogDialect;
  readonly files: readonly string[];
  readonly clock: TraceClock;
  read(sink: EventSink): ReadCounts;
}

/** One line of a kernel log. */
export interface PrintkLine {
  readonly boot: Boot;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** Nanoseconds on the printk clock as printed (microsecond resolution); null if the line has no stamp. */
  readonly stampNs: number | null;
  /** Syslog level 0..7 where known. */
  readonly level: number | null;
  /** Without stamp and level; subsystem prefix kept. */
  readonly text: string;
}

/** One bracketed reading: `clock` was `valueNs` (truncated to `resolutionNs`) somewhere between two TSC readings. */
export interface ClockPair {
  readonly clock: "local" | "mono" | "boot" | "tai";
  readonly tscBefore: bigint;
  readonly tscAfter: bigint;
  readonly valueNs: bigint;
  readonly resolutionNs: number;
}

/** How the two boots' clocks were linked, best first; `single` if only one boot has events. */
export type LinkMethod = "x86-tsc" | "clock-pairs" | "kvm-clock" | "realtime" | "single" | "none";

/** One contribution to a clock link's ±. */
export interface UncertaintyPart {
  readonly what: string;
  readonly ns: number;
}

/**
 * The link between the boots. `joint`: both boots are on one axis. Otherwise each boot that has events is on an axis of
 * its own, and nothing may be subtracted across.
 */
export interface ClockLink {
  readonly method: LinkMethod;
  readonly joint: boolean;
  /** ± of a duration from the old boot to the new that lasts no time; null without a link. */
  readonly uncertaintyNs: number | null;
  readonly parts: readonly UncertaintyPart[];
  /** ± of the axis' rate, in parts per million: a duration d adds d * ratePpm / 1e6. */
  readonly ratePpm: number;
  readonly tscKhz: number | null;
  readonly rejected: readonly { readonly method: LinkMethod; readonly reason: string }[];
}

/** A placed instant: which boot's, and nanoseconds on that boot's axis (the joint axis where the link is joint). */
export interface Placed {
  readonly boot: Boot;
  readonly ns: number;
  /** ± of the placing itself, beyond the clock's own: a kernel log line between two that are trace events too. */
  readonly uncertaintyNs?: number;
}

/**
 * An event that a phase, a session or an outcome may rest upon, decoded. There are hundreds or thousands of these in
 * an update, not millions.
 */
export interface KeyEvent {
  readonly at: Placed;
  readonly what: "call" | "return" | "syscall-enter" | "syscall-exit" | "marker" | "printk" | "message";
  /** Function or syscall name; a marker's or a printk line's text; an agent and its message: `luod CLAIM`. */
  readonly name: string;
  readonly fields: EventFields;
  readonly source: "kprobe" | "function-graph" | "syscall" | "marker" | "printk" | "agent";
  /** Row of the span, in the collected spans, that it begins or ends; absent if it does neither. */
  readonly span?: number;
  readonly cpu: number;
  readonly pid: number;
  readonly task: string;
  readonly file: string;
  readonly place: number;
}

/** A column of texts that is looked up by row; an array is one. */
export interface Texts<T extends string = string> {
  at(row: number): T | undefined;
}

/** Intervals read from pairs of events, on the axis; columns like those of the analysed span table. */
export interface RawSpans {
  readonly count: number;
  readonly beginNs: Float64Array;
  readonly endNs: Float64Array;
  readonly kind: Texts<RawSpanKind>;
  readonly name: Texts;
  readonly detail: Texts;
  readonly boot: Texts<Boot>;
  readonly cpu: Int16Array;
  readonly pid: Int32Array;
  readonly task: Texts;
  readonly evidence: Texts;
  readonly flags: Uint8Array;
}
/** The evidence of spans of the kind `device` that a VMM logged. */
export const VMM_EVIDENCE = "QEMU's log";

/** Wake-ups (`sched_waking`), on the axis, by boot and time. */
export interface RawWakeups {
  readonly count: number;
  readonly ns: Float64Array;
  readonly boot: readonly Boot[];
  readonly woken: Int32Array;
  readonly waker: Int32Array;
  readonly cpu: Int16Array;
}

/** A vCPU's thread as the trace saw it: its first and last entry to, or exit from, the guest. */
export interface VcpuSeen {
  readonly boot: Boot;
  readonly pid: number;
  readonly vcpu: number | null;
  readonly task: string;
  readonly firstNs: number;
  readonly lastNs: number;
  /** The events of the two, `kvm_exit`, and where they stand. */
  readonly firstEvent: string;
  readonly lastEvent: string;
  readonly firstFile: string;
  readonly lastFile: string;
  readonly firstPlace: number;
  readonly lastPlace: number;
}

/** A guest's own ticks: what its ticker wrote, on the guest's clock. */
export interface TickLog {
  readonly file: string;
  /** As stated in the header; null if it is not. */
  readonly vm: string | null;
  readonly clock: string | null;
  readonly interval: string | null;
  readonly sinceFirstNs: Float64Array;
  /** Rows at which the series begins again, because the clock went backwards. */
  readonly breaks: readonly number[];
}

/** A kernel log line on the axis, where it could be placed. */
export interface PlacedLine {
  readonly line: PrintkLine;
  readonly ns: number | null;
  readonly uncertaintyNs: number | null;
}

/** What the kernel logs say of how the update went. */
export interface LogVerdict {
  /**
   * `panic`: a kernel panicked; `luo-refused`: it refused LUO's state; `abi-refused`: because it has another ABI;
   * `kho-off`: KHO is off; `freeze-failed`: the old kernel's freeze failed.
   */
  readonly what: "panic" | "luo-refused" | "abi-refused" | "kho-off" | "freeze-failed";
  readonly boot: Boot;
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

/** systemd's name for a token of its LUO session. */
export interface StoredFd {
  readonly session: string;
  readonly token: number;
  readonly unit: string;
  readonly fdName: string;
}

/** A LUO session that a unit keeps in its fd store. */
export interface StoredSession {
  readonly session: string;
  readonly unit: string;
  readonly fdName: string;
}

/** A client of luod, by the id that it gave itself: its session's name. */
export interface AgentClient {
  readonly boot: Boot;
  readonly session: string;
  /** luod's end of its connection; null if the log does not say. */
  readonly fd: number | null;
}

/** What user space's agents say beside events: who owns which session, and what tokens are called. */
export interface AgentFacts {
  readonly fds: readonly StoredFd[];
  readonly sessions: readonly StoredSession[];
  /** In the log's order, each once. */
  readonly clients: readonly AgentClient[];
}

/** First and last event of a boot, on its axis. */
export interface Extent {
  readonly firstNs: number;
  readonly lastNs: number;
}

export interface SourceCounts extends ReadCounts {
  readonly boot: Boot;
  readonly dialect: string;
  readonly files: readonly string[];
  readonly clock: string;
}

/** What one record costs on this host, in nanoseconds, as the recorder measured it; null: not measured. */
export interface RecordingCosts {
  readonly eventNs: number;
  readonly callNs: number | null;
  readonly returnNs: number | null;
}

/** How a kernel's image may be compressed (init/Kconfig, KERNEL_GZIP and its siblings). */
export const COMPRESSIONS = ["gzip", "lz4", "xz", "zstd", "bzip2", "lzma", "lzo", "none"] as const;
export type ImageCompression = (typeof COMPRESSIONS)[number];

/** The image that was started, and what it was handed. Null: the capture does not show it. Sizes are in bytes. */
export interface NextImage {
  readonly compression: ImageCompression | null;
  /** The compressed kernel inside the image. */
  readonly payloadBytes: number | null;
  /** Memory that the image needs (`init_size`): what is copied into place, and what the purgatory hashes. */
  readonly initBytes: number | null;
  readonly initrdBytes: number | null;
  readonly kaslr: boolean | null;
  readonly cpus: number | null;
  /** What KHO hands over. */
  readonly preservedBytes: number | null;
  readonly preservedFolios: number | null;
  /** Distinguishes configurations: the first 12 hexadecimal digits of a SHA-256 of the sorted options. */
  readonly config: string | null;
  /** What the host took to copy a MiB, in nanoseconds, as the recorder measured it. */
  readonly copyNsPerMiB: number | null;
}

/** The image's stamps as recorded: counts of the TSC; null: not stamped. */
export interface RecordedStamps {
  readonly file: string;
  readonly entry: bigint | null;
  readonly exit: bigint | null;
}

/** The image's stamps on the axis; null: the image has no such stamp, or it cannot be placed. */
export interface ImageStamps {
  /** The image is entered: relocation and purgatory are over. */
  readonly entryNs: number | null;
  /** The unpacked kernel is entered. */
  readonly exitNs: number | null;
}

export const UNKNOWN_IMAGE: NextImage = {
  compression: null,
  payloadBytes: null,
  initBytes: null,
  initrdBytes: null,
  kaslr: null,
  cpus: null,
  preservedBytes: null,
  preservedFolios: null,
  config: null,
  copyNsPerMiB: null,
};

/** A defect and where it lies on its boot's axis, if that is known. */
export interface PlacedDefect {
  readonly defect: Defect;
  readonly atNs: number | null;
}

/** A capture as collected: events on one axis (or on two, without a clock link), and every defect. */
export interface Collected {
  readonly name: string;
  readonly kernel: { readonly old: string | null; readonly new: string | null };
  /** What a record costs on this host, in nanoseconds. */
  readonly costs: RecordingCosts | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly probeLevel: string | null;
  readonly link: ClockLink;
  /** Whether the capture holds anything recorded in the new kernel's user space. */
  readonly newBootReached: boolean;
  /** By boot, then by time. */
  readonly keyEvents: readonly KeyEvent[];
  readonly extents: Readonly<Record<Boot, Extent | null>>;
  readonly spans: RawSpans;
  readonly wakeups: RawWakeups;
  readonly vcpus: readonly VcpuSeen[];
  /** The process of each thread that the recorder saved (`saved_tgids`), by boot; empty if it saved none. */
  readonly processes: Readonly<Record<Boot, ReadonlyMap<number, number>>>;
  readonly agents: AgentFacts;
  /** Where each boot's sched_clock read zero, on its axis; null if it cannot be placed. */
  readonly schedClockZero: Readonly<Record<Boot, { readonly ns: number; readonly uncertaintyNs: number } | null>>;
  readonly nextImage: NextImage;
  /** On the joint axis; null: the image is not stamped, or its stamps contradict the trace. */
  readonly imageStamps: ImageStamps | null;
  readonly printk: readonly PlacedLine[];
  readonly verdicts: readonly LogVerdict[];
  readonly sources: readonly SourceCounts[];
  readonly defects: readonly PlacedDefect[];
}
