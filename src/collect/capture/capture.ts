/** What a capture holds: its manifest, and which boot left which files (docs/capture-format.md). */

import { type DefectInput, DefectLog, type DefectSink } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import type { Boot } from "../../base/time.js";
import { type ClockPair, type RecordingCosts, type TraceClock, traceClockOf } from "../../model/collected.js";
import { parseClockPairs } from "../clocks/clock-pairs.js";
import { type CaptureError, captureError, DEFAULT_LIMITS, pathFault } from "../files/capture-error.js";
import type { CaptureFiles } from "../files/files.js";
import { PSTORE_FOLDER, pstoreName } from "../kernel-log/pstore.js";
import { type BufferStats, parseBufferStats } from "./buffer-stats.js";
import { type RecordedImage, readNextImage } from "./next-image.js";
import { type StatedParts, statedParts } from "./parts.js";

/** One CPU's part of a trace buffer: pages, and the kernel's own counters, if present. */
export interface CpuBuffer {
  readonly cpu: number;
  readonly pages: string | null;
  readonly stats: BufferStats | null;
  /** Bytes of its sub-buffers for data, by the kernel's `buffer_size_kb`; null if the capture has no such file. */
  readonly roomBytes: number | null;
}

/** A trace buffer of one boot; paths are null if the file is missing. */
export interface TraceBuffer {
  readonly folder: string;
  readonly clock: TraceClock;
  readonly text: string | null;
  readonly cpus: readonly CpuBuffer[];
}

export interface CaptureBoot {
  readonly boot: Boot;
  readonly files: string;
  readonly buffer: TraceBuffer | null;
  /** A second ring of the old boot on the same clock: marks, which other events must not overwrite. */
  readonly marks: TraceBuffer | null;
  /** Further rings of the old boot, on the same clock. */
  readonly rings: readonly TraceBuffer[];
  /** `uname -n`; null if the host had no name of its own. */
  readonly nodeName: string | null;
  readonly release: string | null;
  /** `uname -v`: together with the release it distinguishes builds. */
  readonly build: string | null;
  readonly cmdline: string | null;
  readonly clocksource: string | null;
  readonly pairs: readonly ClockPair[];
  readonly costs: RecordingCosts | null;
  /** Of the kernel image that the old kernel loaded (`facts`): the new kernel's, if that came up. */
  readonly imageRelease: string | null;
  readonly dmesg: string | null;
}

/** The line `image_release RELEASE` of a file `facts`. */
function parseImageRelease(text: string): string | null {
  return /^image_release (\d[\w.+~-]{0,63})$/m.exec(text)?.[1] ?? null;
}

/** Lines of `event N`, `call N`, `return N`; null without the first. */
function parseCosts(text: string): RecordingCosts | null {
  const of = (what: string): number | null => {
    const found = new RegExp(`^${what} (\\d{1,9})$`, "m").exec(text);
    return found === null ? null : Number(found[1]);
  };
  const eventNs = of("event");
  return eventNs === null ? null : { eventNs, callNs: of("call"), returnNs: of("return") };
}

/** What a clock outside the host saw; to test the tool against, never to answer from. */
export interface OutsideClock {
  readonly pausedNs: number;
  readonly resumedNs: number;
  readonly blackoutNs: number;
}

export interface Capture {
  readonly name: string;
  readonly kernel: { readonly old: string | null; readonly new: string | null };
  readonly labels: Readonly<Record<string, string>>;
  readonly boots: Readonly<Record<Boot, CaptureBoot | null>>;
  readonly console: string | null;
  /** What capture.json states of the ids and digests of its parts. */
  readonly parts: StatedParts;
  readonly observed: OutsideClock | null;
  readonly nextImage: RecordedImage;
  readonly defects: readonly DefectInput[];
}

const VERSION = 1;
const MANIFEST_BYTES = 1 << 20;
/** Of the small text files; kernel logs and formats have limits of their own. */
const SMALL_BYTES = 4 << 20;
const MAX_LABELS = 1_000;
const MAX_CPUS = 8_192;
const MAX_RINGS = 8;

/** The active clock of a trace_clock file: the bracketed one. */
export function activeClock(text: string): TraceClock {
  const name = /\[([^\]\s]{1,32})\]/.exec(text)?.[1];
  return name === undefined ? "unknown" : traceClockOf(name);
}

/** What a host is called that nobody has named (kernel/Kconfig's DEFAULT_HOSTNAME, hostname(1)). */
const NO_NODE_NAME = new Set(["(none)", "localhost", "localhost.localdomain"]);

/** The host's own name, as either kernel knew it. */
export function nodeNameOf({ boots }: Capture): string | null {
  return boots.new?.nodeName ?? boots.old?.nodeName ?? null;
}

/** `Linux NODE RELEASE VERSION… MACHINE [PROCESSOR PLATFORM] OS`, as `uname -a` prints it. */
export function parseUname(
  text: string,
): { readonly nodeName: string | null; readonly release: string; readonly build: string } | null {
  const words = text.trim().split(/\s+/);
  const release = words[2];
  if (words[0] !== "Linux" || release === undefined || words.length < 5) return null;
  // The version begins with `#`; the machine follows it, whatever blanks the version holds.
  const from = words.findIndex((word, i) => i > 2 && word.startsWith("#"));
  const machine = words.findIndex(
    (word, i) => i > from && /^(?:x86_64|aarch64|riscv64|s390x|ppc64le|i[3-6]86)$/.test(word),
  );
  if (from < 0) return null;
  const node = words[1] as string;
  return {
    nodeName: NO_NODE_NAME.has(node) ? null : node,
    release,
    build: words.slice(from, machine < 0 ? undefined : machine).join(" "),
  };
}

/** Both boots ran the same build of the kernel: event ids and formats are the same. */
export function sameBuild(capture: Capture): boolean {
  const { old, new: fresh } = capture.boots;
  return (
    old !== null &&
    fresh !== null &&
    old.release !== null &&
    old.build !== null &&
    old.release === fresh.release &&
    old.build === fresh.build
  );
}

interface BootFolders {
  readonly files: string;
  readonly ring: string | null;
  readonly marks: string | null;
  readonly rings: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly kernel: { readonly old: string | null; readonly new: string | null };
  readonly labels: Readonly<Record<string, string>>;
  readonly boots: {
    readonly old: BootFolders | null;
    readonly new: { readonly files: string } | null;
  };
  readonly parts: StatedParts;
}

/** Reads the manifest and looks up what there is. Missing optional files become defects. */
export function readCapture(files: CaptureFiles): Result<Capture, CaptureError> {
  const defects = new DefectLog();
  const sink = { defect: (input: DefectInput) => defects.add(input) };
  const bytes = files.bytes("capture.json", MANIFEST_BYTES, sink);
  if (bytes === null) {
    return err(captureError("bad-json", "capture.json is larger than 1 MiB.", "Let the recorder write it again."));
  }
  const manifest = parseManifest(decode(bytes), sink);
  if (!manifest.ok) return manifest;
  const has = (path: string): string | null => (files.paths.includes(path) ? path : null);
  const { boots, name, kernel, labels } = manifest.value;
  const reader: Reader = { files, sink, has };
  const old = boots.old === null ? null : readBoot("old", boots.old, reader);
  const fresh =
    boots.new === null
      ? null
      : readBoot("new", { files: boots.new.files, ring: boots.new.files, marks: null, rings: [] }, reader);
  return ok({
    name,
    kernel: { old: kernel.old ?? old?.release ?? null, new: kernel.new ?? fresh?.release ?? null },
    labels,
    boots: { old, new: fresh },
    console: has("console.log"),
    parts: manifest.value.parts,
    observed: readObserved(reader),
    nextImage: readNextImage(
      {
        old: boots.old?.files ?? null,
        new: boots.new?.files ?? null,
        has: (path) => has(path) !== null,
        text: (path) => textOf(path, reader),
        bytes: (path) => files.bytes(path, SMALL_BYTES, sink),
      },
      sink,
    ),
    defects: defects.all(),
  });
}

interface Reader {
  readonly files: CaptureFiles;
  readonly sink: DefectSink;
  readonly has: (path: string) => string | null;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8").decode(bytes);
}

function textOf(path: string, { files, sink }: Reader): string | null {
  const bytes = files.bytes(path, SMALL_BYTES, sink);
  return bytes === null ? null : decode(bytes);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseManifest(text: string, sink: Reader["sink"]): Result<Manifest, CaptureError> {
  const again = "Let the recorder write it again (docs/capture-format.md).";
  const bad = (what: string): Result<never, CaptureError> =>
    err(captureError("bad-json", `capture.json: ${what}.`, again));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return bad(`it is not JSON (${(error as Error).message})`);
  }
  if (!isRecord(json)) return bad("it is not an object");
  if (json.format !== "blackout-capture") {
    return err(
      captureError(
        "wrong-format",
        `capture.json: format is ${JSON.stringify(json.format) ?? "missing"}, expected "blackout-capture".`,
        again,
      ),
    );
  }
  if (typeof json.version !== "number" || !Number.isInteger(json.version) || json.version < 1) {
    return bad(`version is ${JSON.stringify(json.version) ?? "missing"}, expected a whole number from 1`);
  }
  if (json.version > VERSION) {
    return err(
      captureError(
        "newer-version",
        `capture.json: version ${json.version} is newer than the ${VERSION} that this blackout reads.`,
        "Install a newer blackout.",
      ),
    );
  }
  if (typeof json.name !== "string" || json.name === "") return bad("name is missing");
  const boots = isRecord(json.boots) ? json.boots : null;
  if (boots === null) return bad("boots is missing");
  const folder = (value: unknown): string | null =>
    typeof value === "string" && pathFault(value, DEFAULT_LIMITS) === null ? value : null;
  const old = isRecord(boots.old) ? folder(boots.old.files) : null;
  const fresh = isRecord(boots.new) ? folder(boots.new.files) : null;
  if (boots.old !== undefined && old === null) return bad("boots.old.files is not a folder inside the capture");
  if (boots.new !== undefined && fresh === null) return bad("boots.new.files is not a folder inside the capture");
  if (old === null && fresh === null) return bad("boots names neither an old nor a new boot");
  if (old !== null && old === fresh) return bad("boots.old.files and boots.new.files are one folder");
  const ring = isRecord(boots.old) && boots.old.ring !== undefined ? folder(boots.old.ring) : null;
  if (isRecord(boots.old) && boots.old.ring !== undefined && ring === null) {
    return bad("boots.old.ring is not a folder inside the capture");
  }
  const marks = isRecord(boots.old) && boots.old.marks !== undefined ? folder(boots.old.marks) : null;
  if (isRecord(boots.old) && boots.old.marks !== undefined && (marks === null || marks === ring)) {
    return bad("boots.old.marks is not a separate folder inside the capture");
  }
  const listed = isRecord(boots.old) && boots.old.rings !== undefined ? boots.old.rings : [];
  const rings = (Array.isArray(listed) ? listed : [null]).slice(0, MAX_RINGS + 1).map(folder);
  const folders = rings.filter((each): each is string => each !== null);
  if (folders.length !== rings.length || folders.length > MAX_RINGS) {
    return bad(`boots.old.rings is not a list of at most ${MAX_RINGS} folders inside the capture`);
  }
  if (new Set([...folders, ring, marks]).size !== folders.length + new Set([ring, marks]).size) {
    return bad("boots.old.rings names a folder twice, or that of another ring");
  }
  const kernel = isRecord(json.kernel) ? json.kernel : {};
  const release = (value: unknown): string | null => (typeof value === "string" ? value : null);
  return ok({
    name: json.name,
    kernel: { old: release(kernel.old), new: release(kernel.new) },
    labels: labelsOf(json.labels, sink),
    boots: {
      old: old === null ? null : { files: old, ring, marks, rings: folders },
      new: fresh === null ? null : { files: fresh },
    },
    parts: statedParts(json),
  });
}

/** Text to text; a label that is neither text nor number is a defect, and left out. */
function labelsOf(value: unknown, sink: Reader["sink"]): Readonly<Record<string, string>> {
  const labels: [string, string][] = [];
  const given = Object.entries(isRecord(value) ? value : {});
  if (given.length > MAX_LABELS) {
    sink.defect({
      code: "labels-too-many",
      severity: "note",
      file: "capture.json",
      message: `It has ${given.length.toLocaleString("en")} labels; those after the first ${MAX_LABELS.toLocaleString("en")} are left out.`,
      advice: "Labels distinguish cohorts; a few are enough.",
    });
  }
  for (const [key, label] of given.slice(0, MAX_LABELS)) {
    if (typeof label === "string") labels.push([key, label]);
    else if (typeof label === "number" || typeof label === "boolean") labels.push([key, String(label)]);
    else {
      sink.defect({
        code: "label-not-text",
        severity: "note",
        file: "capture.json",
        message: `Label ${JSON.stringify(key)} is neither text nor a number, and is left out.`,
        advice: "Write labels as text.",
      });
    }
  }
  // fromEntries defines own properties, so that a label named __proto__ is a label.
  return Object.fromEntries(labels.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What a missing file costs. `severity` is of the answer that goes with it. */
const WANTED: readonly {
  readonly file: string;
  readonly severity: DefectInput["severity"];
  readonly cost: string;
}[] = [
  { file: "dmesg", severity: "warning", cost: "no kernel log of this boot, and no TSC calibration from it" },
  { file: "uname", severity: "warning", cost: "whether both boots ran the same build is not known" },
  { file: "clock_pairs", severity: "warning", cost: "clocks other than the TSC cannot be placed on the axis exactly" },
  { file: "formats.gz", severity: "note", cost: "raw pages of this boot cannot be decoded" },
  { file: "kallsyms.gz", severity: "note", cost: "addresses in raw pages stay numbers" },
  { file: "saved_cmdlines", severity: "note", cost: "this boot's tasks have no names" },
];

/** Whether the next kernel found this one's console in pstore. */
function keptConsole({ files }: Reader): boolean {
  const folder = `${PSTORE_FOLDER}/`;
  return files.paths.some(
    (path) => path.startsWith(folder) && pstoreName(path.slice(folder.length))?.type === "console",
  );
}

function readBoot(boot: Boot, buffers: BootFolders, reader: Reader): CaptureBoot {
  const folder = buffers.files;
  const path = (name: string): string | null => reader.has(`${folder}/${name}`);
  const buffer = buffers.ring === null ? null : readBuffer(boot, buffers.ring, reader);
  const marks = buffers.marks === null ? null : readBuffer(boot, buffers.marks, reader);
  if (buffers.marks !== null && marks === null) {
    reader.sink.defect(ringMissing(boot, buffers.marks, "the ring for marks", "marks are lost"));
  }
  const rings = buffers.rings.flatMap((each): readonly TraceBuffer[] => {
    const found = readBuffer(boot, each, reader);
    if (found === null) reader.sink.defect(ringMissing(boot, each, "a ring", "its events are lost"));
    return found === null ? [] : [found];
  });
  const hasPages = [buffer, marks, ...rings].some((each) => each?.cpus.some((cpu) => cpu.pages !== null));
  for (const { file, severity, cost } of WANTED) {
    const onlyForPages = file === "formats.gz" || file === "kallsyms.gz";
    // Pages hold pids; and what the new kernel prints of the old ring names tasks by the new boot's pids.
    const namesTasks = hasPages || (boot === "old" && buffer !== null);
    if (path(file) !== null || (onlyForPages && !hasPages) || (file === "saved_cmdlines" && !namesTasks)) continue;
    const kept = file === "dmesg" && boot === "old" && keptConsole(reader);
    reader.sink.defect({
      code: "file-missing",
      severity: kept ? "note" : file === "formats.gz" ? "error" : severity,
      file: `${folder}/${file}`,
      boot,
      message: kept
        ? "It is not in the capture: of this boot's log there is what pstore's console kept."
        : `It is not in the capture: ${cost}.`,
      advice: `Let the recorder save it in the ${boot} kernel.`,
    });
  }
  const read = (name: string): string | null => {
    const found = path(name);
    return found === null ? null : textOf(found, reader);
  };
  const uname = parseUname(read("uname") ?? "");
  const pairs = read("clock_pairs");
  return {
    boot,
    files: folder,
    buffer,
    marks,
    rings,
    nodeName: uname?.nodeName ?? null,
    release: uname?.release ?? null,
    build: uname?.build ?? null,
    cmdline: read("cmdline")?.trim() ?? null,
    clocksource: read("clocksource")?.trim() ?? null,
    costs: parseCosts(read("costs") ?? ""),
    imageRelease: parseImageRelease(read("facts") ?? ""),
    pairs: pairs === null ? [] : parseClockPairs(pairs, `${folder}/clock_pairs`, reader.sink),
    dmesg: path("dmesg"),
  };
}

/** All rings of a boot, the one for marks second, if there is one. */
export function ringsOf({ buffer, marks, rings }: CaptureBoot): readonly TraceBuffer[] {
  return [buffer, marks, ...rings].filter((ring) => ring !== null);
}

function ringMissing(boot: Boot, folder: string, what: string, cost: string): DefectInput {
  return {
    code: "file-missing",
    severity: "error",
    file: folder,
    boot,
    message: `capture.json names it as ${what}, but the capture has none of its files: ${cost}.`,
    advice: "Collect the capture again and whole.",
  };
}

function readBuffer(boot: Boot, folder: string, reader: Reader): TraceBuffer | null {
  const text = reader.has(`${folder}/trace`);
  const cpus = new Map<number, { pages: string | null; stats: BufferStats | null; roomBytes: number | null }>();
  for (const path of reader.files.paths) {
    if (!path.startsWith(`${folder}/per_cpu/`)) continue;
    const match = /^cpu(\d{1,5})\/(trace_pipe_raw|stats|buffer_size_kb)$/.exec(path.slice(`${folder}/per_cpu/`.length));
    if (match === null || Number(match[1]) >= MAX_CPUS) continue;
    const cpu = Number(match[1]);
    const found = cpus.get(cpu) ?? { pages: null, stats: null, roomBytes: null };
    cpus.set(cpu, found);
    if (match[2] === "stats") found.stats = parseBufferStats(textOf(path, reader) ?? "");
    else if (match[2] === "buffer_size_kb") found.roomBytes = parseBufferSize(textOf(path, reader) ?? "");
    else found.pages = path;
  }
  if (text === null && cpus.size === 0) return null;
  return {
    folder,
    text,
    clock: readClock(boot, folder, reader),
    cpus: [...cpus.entries()].sort(([a], [b]) => a - b).map(([cpu, found]) => ({ cpu, ...found })),
  };
}

/** KiB for data of a CPU's buffer; one that was never used prints also what it would be expanded to. */
function parseBufferSize(text: string): number | null {
  const kib = /^(\d{1,9})\s*$/.exec(text)?.[1];
  return kib === undefined || kib === "0" ? null : Number(kib) * 1024;
}

/** Without its clock no event of a buffer can be placed: no other missing file costs more, so it is always reported. */
function readClock(boot: Boot, folder: string, reader: Reader): TraceClock {
  const path = reader.has(`${folder}/trace_clock`);
  const text = path === null ? null : textOf(path, reader);
  const clock = activeClock(text ?? "");
  if (clock !== "unknown") return clock;
  const found = text === null ? "It is not in the capture" : "It names no clock in brackets that is known";
  reader.sink.defect({
    code: "trace-clock-unknown",
    severity: "error",
    file: `${folder}/trace_clock`,
    boot,
    message: `${found}: none of this boot's events can be placed on the axis.`,
    advice: "Save the buffer's trace_clock with it.",
  });
  return clock;
}

function readObserved(reader: Reader): OutsideClock | null {
  const path = reader.has("observed.json");
  if (path === null) return null;
  try {
    const json: unknown = JSON.parse(textOf(path, reader) ?? "");
    if (!isRecord(json)) return null;
    const { vm_paused_ns: pausedNs, vm_resumed_ns: resumedNs, blackout_ns: blackoutNs } = json;
    if (typeof pausedNs !== "number" || typeof resumedNs !== "number" || typeof blackoutNs !== "number") return null;
    return { pausedNs, resumedNs, blackoutNs };
  } catch {
    return null;
  }
}
