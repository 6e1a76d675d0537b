/** What a capture's files show of the image that was started: boot_params, facts, config (docs/capture-format.md). */
import { createHash } from "node:crypto";
import type { DefectInput, DefectSink } from "../../base/defect.js";
import {
  COMPRESSIONS,
  type ImageCompression,
  type NextImage,
  type RecordedStamps,
  UNKNOWN_IMAGE,
} from "../../model/collected.js";

export interface RecordedImage {
  readonly image: NextImage;
  readonly stamps: RecordedStamps | null;
}

/** A text file of the capture, or null. */
type ReadText = (path: string) => string | null;

export interface ImageFiles {
  /** Folders of the boots' files. */
  readonly old: string | null;
  readonly new: string | null;
  readonly has: (path: string) => boolean;
  /** `.gz` unpacked. */
  readonly text: ReadText;
  readonly bytes: (path: string) => Uint8Array | null;
}

/** Documentation/arch/x86/boot.rst, struct boot_params; the stamps lie in _pad4 (docs/image-stamp.md). */
const FIELDS = {
  extRamdiskSize: 0x0c4,
  entryStamp: 0x0d0,
  exitStamp: 0x0d8,
  magic: 0x202,
  loadFlags: 0x211,
  ramdiskSize: 0x21c,
  payloadLength: 0x24c,
  initSize: 0x260,
} as const;
const HDRS = 0x53726448;
const KASLR_FLAG = 2;
const PAGE = 4_096;

type Params = Pick<NextImage, "payloadBytes" | "initBytes" | "initrdBytes" | "kaslr"> &
  Pick<RecordedStamps, "entry" | "exit">;

/** The fields of a page of boot_params; null if it is another file. */
export function parseBootParams(page: Uint8Array): Params | null {
  if (page.length !== PAGE) return null;
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const u32 = (at: number): number => view.getUint32(at, true);
  if (u32(FIELDS.magic) !== HDRS) return null;
  const stamp = (at: number): bigint | null => {
    const count = view.getBigUint64(at, true);
    return count === 0n ? null : count;
  };
  const initrdBytes = u32(FIELDS.extRamdiskSize) * 2 ** 32 + u32(FIELDS.ramdiskSize);
  const known = (bytes: number): number | null => (bytes === 0 || !Number.isSafeInteger(bytes) ? null : bytes);
  return {
    entry: stamp(FIELDS.entryStamp),
    exit: stamp(FIELDS.exitStamp),
    payloadBytes: known(u32(FIELDS.payloadLength)),
    initBytes: known(u32(FIELDS.initSize)),
    initrdBytes: Number.isSafeInteger(initrdBytes) ? initrdBytes : null,
    kaslr: ((page[FIELDS.loadFlags] as number) & KASLR_FLAG) !== 0,
  };
}

interface Facts {
  readonly values: ReadonlyMap<string, string>;
  /** 1-based numbers of lines of another form. */
  readonly malformed: readonly number[];
}

const FACT = /^([a-z][a-z0-9_]{0,31}) (\S{1,64})$/;
const COUNTS = new Set(["cpus", "image_bytes", "initrd_bytes", "preserved_bytes", "preserved_folios"]);

export function parseFacts(text: string): Facts {
  const values = new Map<string, string>();
  const malformed: number[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, key, value] = FACT.exec(line.trimEnd()) ?? [];
    if (key === undefined || value === undefined || !hasForm(key, value)) malformed.push(i + 1);
    else values.set(key, value);
  }
  return { values, malformed };
}

function hasForm(key: string, value: string): boolean {
  if (COUNTS.has(key)) return /^\d{1,15}$/.test(value);
  if (key === "kaslr") return value === "on" || value === "off";
  return key !== "compression" || isCompression(value);
}

const isCompression = (name: string): name is ImageCompression => (COMPRESSIONS as readonly string[]).includes(name);

const COMPRESSION_OPTIONS: ReadonlyMap<string, ImageCompression> = new Map([
  ["GZIP", "gzip"],
  ["LZ4", "lz4"],
  ["XZ", "xz"],
  ["ZSTD", "zstd"],
  ["BZIP2", "bzip2"],
  ["LZMA", "lzma"],
  ["LZO", "lzo"],
  ["UNCOMPRESSED", "none"],
]);

/** A kernel's configuration: its compressor, and what distinguishes it from others. Null without one option. */
export function parseConfig(text: string): Pick<NextImage, "compression" | "config"> | null {
  const options = text.split("\n").filter((line) => /^CONFIG_\w+=/.test(line));
  if (options.length === 0) return null;
  const named = options.flatMap((line) => /^CONFIG_KERNEL_([A-Z0-9]+)=y/.exec(line)?.[1] ?? []);
  const compression = named.flatMap((name) => COMPRESSION_OPTIONS.get(name) ?? [])[0] ?? null;
  const config = createHash("sha256").update(options.sort().join("\n")).digest("hex").slice(0, 12);
  return { compression, config };
}

/** Nanoseconds to copy a MiB, of a file `costs`. */
function parseCopy(text: string): number | null {
  const ns = Number(/^copy (\d{1,12})$/m.exec(text)?.[1] ?? Number.NaN);
  return ns > 0 ? ns : null;
}

/** Reads them all; what is malformed is a defect. */
export function readNextImage(files: ImageFiles, sink: DefectSink): RecordedImage {
  const inBoots = (name: string): readonly string[] =>
    [files.new, files.old].flatMap((folder) => (folder === null ? [] : [`${folder}/${name}`])).filter(files.has);
  const page = [...(files.new === null ? [] : [`${files.new}/boot_params`]), "boot_params"].find(files.has);
  const bytes = page === undefined ? null : files.bytes(page);
  const params = bytes === null ? null : parseBootParams(bytes);
  if (page !== undefined && params === null) sink.defect(notParams(page, bytes?.length ?? 0));
  const facts = inBoots("facts").map((path) => {
    const { values, malformed } = parseFacts(files.text(path) ?? "");
    if (malformed[0] !== undefined) sink.defect(badFacts(path, malformed[0], malformed.length));
    return values;
  });
  const fact = (key: string): string | null => facts.flatMap((values) => values.get(key) ?? [])[0] ?? null;
  const count = (key: string): number | null => {
    const value = fact(key);
    return value === null ? null : Number(value);
  };
  // The configuration of the image is that of the new kernel; the old kernel's is another's.
  const config = ["config.gz", "config"]
    .map((name) => `${files.new}/${name}`)
    .filter((path) => files.new !== null && files.has(path))
    .map((path) => parseConfig(files.text(path) ?? ""))
    .find((parsed) => parsed !== null);
  const named = fact("compression");
  const costs = inBoots("costs").map((path) => parseCopy(files.text(path) ?? ""));
  const kaslr = fact("kaslr");
  return {
    image: {
      ...UNKNOWN_IMAGE,
      compression: named !== null && isCompression(named) ? named : (config?.compression ?? null),
      payloadBytes: params?.payloadBytes ?? null,
      initBytes: params?.initBytes ?? null,
      initrdBytes: params?.initrdBytes ?? count("initrd_bytes"),
      kaslr: params?.kaslr ?? (kaslr === null ? null : kaslr === "on"),
      cpus: count("cpus"),
      preservedBytes: count("preserved_bytes"),
      preservedFolios: count("preserved_folios"),
      config: config?.config ?? null,
      copyNsPerMiB: costs.find((ns) => ns !== null) ?? null,
    },
    stamps:
      page === undefined || params === null || (params.entry === null && params.exit === null)
        ? null
        : { file: page, entry: params.entry, exit: params.exit },
  };
}

function notParams(file: string, length: number): DefectInput {
  return {
    code: "boot-params-malformed",
    severity: "warning",
    file,
    boot: "new",
    message: `It has ${length} bytes${length === PAGE ? " and not the magic HdrS at byte 0x202" : ""}: it is not a page of struct boot_params, and is not used.`,
    advice: "Save /sys/kernel/boot_params/data whole.",
  };
}

function badFacts(file: string, line: number, count: number): DefectInput {
  return {
    code: "facts-malformed",
    severity: "note",
    file,
    line,
    message: `${count === 1 ? "A line is" : `${count} lines are`} not of the form 'KEY VALUE'; the others are read.`,
    advice: "Let the recorder write the file.",
  };
}
