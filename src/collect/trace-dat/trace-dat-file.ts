/**
 * The structure of a trace.dat: what its header, sections and options say, and where each buffer's pages are. Both
 * versions (man 5 trace-cmd.dat.v6, trace-cmd.dat.v7); the lay-out was checked against files that trace-cmd wrote.
 * A file that ends early is read as far as it goes: what is missing is a defect.
 */
import type { ByteSource } from "../../base/bytes/byte-source.js";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import { USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { ByteReader, EndsEarly } from "./byte-reader.js";
import { type Compression, unpack } from "./compression.js";
import { activeClockName, factsOf, OptionId, type TraceDatFacts, type TraceDatOption } from "./options.js";

export interface TraceDatCpu {
  readonly cpu: number;
  readonly offset: number;
  /** As announced: the file may be shorter. */
  readonly size: number;
}

export interface TraceDatBuffer {
  /** Empty for the top instance. */
  readonly name: string;
  readonly clock: string | null;
  /** 0 if the file does not state it: header_page does. */
  readonly pageBytes: number;
  readonly cpus: readonly TraceDatCpu[];
  readonly compressed: boolean;
}

/** A buffer that was saved as the kernel's text. */
export interface TraceDatText {
  readonly name: string;
  readonly clock: string | null;
  readonly source: ByteSource;
}

export interface TraceDatFile {
  readonly version: 6 | 7;
  readonly littleEndian: boolean;
  readonly compression: Compression;
  readonly headerPage: string;
  readonly formats: readonly { readonly system: string; readonly text: string }[];
  readonly kallsyms: Uint8Array | null;
  readonly printkFormats: string;
  readonly cmdlines: string;
  readonly facts: TraceDatFacts;
  readonly buffers: readonly TraceDatBuffer[];
  readonly texts: readonly TraceDatText[];
}

const MAGIC = [0x17, 0x08, 0x44, ...new TextEncoder().encode("tracing")];
const MAX_COUNT = 1_000_000;
/** NR_CPUS is at most 8,192 on any architecture; the event table's column holds four times as many. */
const MAX_CPUS = 32_768;
const decoder = new TextDecoder("utf-8");

/** Whether a file begins as a trace.dat does. */
export function isTraceDat(head: Uint8Array): boolean {
  return head.length >= MAGIC.length && MAGIC.every((byte, i) => head[i] === byte);
}

/** The error states why it cannot be read as a trace.dat. Sections of more than `mostBytes` are not read. */
export function readTraceDatFile(
  source: ByteSource,
  sink: DefectSink,
  mostBytes: number = USUAL_READER_LIMITS["trace-dat-section-bytes"],
): Result<TraceDatFile, string> {
  const head = new Uint8Array(MAGIC.length);
  source.read(head, 0);
  if (!isTraceDat(head)) return err("it does not begin as a trace.dat does");
  try {
    const reader = new ByteReader(source, true, mostBytes);
    reader.at = MAGIC.length;
    const version = reader.string("the version");
    reader.littleEndian = reader.u8("the byte order") === 0;
    reader.u8("the word length of the machine that recorded");
    reader.u32("the page size");
    const parser = new Parser(source, reader, sink);
    if (version === "6") return ok(parser.version6());
    if (version === "7") return ok(parser.version7());
    return err(`it is of version ${JSON.stringify(version.slice(0, 16))}; 6 and 7 can be read`);
  } catch (error) {
    if (error instanceof EndsEarly) return err(error.message);
    throw error;
  }
}

class Parser {
  readonly #formats: { system: string; text: string }[] = [];
  readonly #options: TraceDatOption[] = [];
  readonly #buffers: TraceDatBuffer[] = [];
  readonly #texts: TraceDatText[] = [];
  #compression: Compression = "none";
  #headerPage = "";
  #kallsyms: Uint8Array | null = null;
  #printk = "";
  #cmdlines = "";

  constructor(
    readonly source: ByteSource,
    readonly reader: ByteReader,
    readonly sink: DefectSink,
  ) {}

  /**
   * Leaves out per-CPU data that overlaps other data, which would be read again and again: 20,000 CPUs of one region
   * make 1.28 million events of 0.6 MB. Whichever begins first is read.
   */
  #separateRegions(): void {
    const all = this.#buffers.flatMap(({ cpus }) => cpus);
    const sorted = [...all]
      .map((cpu, order) => ({ cpu, order }))
      .sort((a, b) => a.cpu.offset - b.cpu.offset || a.order - b.order);
    const dropped = new Set<TraceDatCpu>();
    let end = -1;
    let owner: TraceDatCpu | null = null;
    let first: { readonly cpu: TraceDatCpu; readonly of: TraceDatCpu } | null = null;
    for (const { cpu } of sorted) {
      if (owner !== null && cpu.offset < end) {
        dropped.add(cpu);
        first ??= { cpu, of: owner };
        continue;
      }
      owner = cpu;
      end = cpu.offset + cpu.size;
    }
    if (first === null) return;
    for (const [i, buffer] of this.#buffers.entries()) {
      this.#buffers[i] = { ...buffer, cpus: buffer.cpus.filter((cpu) => !dropped.has(cpu)) };
    }
    const { cpu, of } = first;
    this.sink.defect({
      code: "trace-dat-overlap",
      severity: "error",
      file: this.source.name,
      byte: cpu.offset,
      count: dropped.size,
      message: `CPU ${cpu.cpu}'s data (${cpu.size} bytes at byte ${cpu.offset}) overlaps CPU ${of.cpu}'s (${of.size} bytes at byte ${of.offset}): overlapping data is read once.`,
      advice: "The list of per-CPU data is damaged, or of another writer: copy the file again, or record again.",
    });
  }

  #file(version: 6 | 7): TraceDatFile {
    this.#separateRegions();
    const { littleEndian } = this.reader;
    return {
      version,
      littleEndian,
      compression: this.#compression,
      headerPage: this.#headerPage,
      formats: this.#formats,
      kallsyms: this.#kallsyms,
      printkFormats: this.#printk,
      cmdlines: this.#cmdlines,
      facts: factsOf(this.#options, littleEndian),
      buffers: this.#buffers,
      texts: this.#texts,
    };
  }

  /** Runs a part of the file that others do not need; where it ends early, what was read of it stands. */
  #tolerant(what: string, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof EndsEarly)) throw error;
      this.#defect("trace-dat-truncated", `${what}: ${error.message}.`, error.at);
      return false;
    }
  }

  #defect(code: string, message: string, byte: number): void {
    this.sink.defect({
      code,
      severity: "error",
      file: this.source.name,
      byte,
      message,
      advice: "What comes before is read. Copy the file again, or record again: trace-cmd writes the buffers last.",
    });
  }

  #count(reader: ByteReader, what: string): number {
    const at = reader.at;
    const count = reader.u32(what);
    if (count > MAX_COUNT) throw new EndsEarly(`${what} at byte ${at} is ${count}, which cannot be`, at);
    return count;
  }

  #text(reader: ByteReader, size: number, what: string): string {
    return decoder.decode(reader.bytes(size, what));
  }

  #headerInfo(reader: ByteReader): void {
    for (const name of ["header_page", "header_event"] as const) {
      const found = reader.string(`the word ${name}`);
      if (found !== name)
        throw new EndsEarly(`'${name}' expected, ${JSON.stringify(found.slice(0, 32))} found`, reader.at);
      const text = this.#text(reader, reader.within(`${name}'s length`), name);
      if (name === "header_page") this.#headerPage = text;
    }
  }

  #formatFiles(reader: ByteReader, system: string): void {
    const count = this.#count(reader, `the number of ${system}'s events`);
    for (let i = 0; i < count; i++) {
      const text = this.#text(reader, reader.within("an event format's length"), "an event format");
      this.#formats.push({ system, text });
    }
  }

  #systems(reader: ByteReader): void {
    const systems = this.#count(reader, "the number of event systems");
    for (let i = 0; i < systems; i++) this.#formatFiles(reader, reader.string("an event system's name"));
  }

  version6(): TraceDatFile {
    const { reader } = this;
    this.#headerInfo(reader);
    this.#formatFiles(reader, "ftrace");
    this.#systems(reader);
    this.#kallsyms = reader.bytes(reader.u32("the length of kallsyms"), "kallsyms");
    this.#printk = this.#text(reader, reader.u32("the length of printk_formats"), "printk_formats");
    this.#cmdlines = this.#text(reader, reader.within("the length of saved_cmdlines"), "saved_cmdlines");
    const announced = this.#count(reader, "the number of CPUs");
    if (announced > MAX_CPUS) {
      throw new EndsEarly(
        `the number of CPUs is ${announced}, more than the ${MAX_CPUS} a kernel can have`,
        reader.at - 4,
      );
    }
    let cpus = announced;
    let tag = this.#tag();
    if (tag === "options  ") {
      this.#tolerant("the options", () => this.#options6());
      const count = this.#options.find(({ id }) => id === OptionId.cpucount);
      // Other writers have options of their own by this number: SteamOS saves thread groups in it.
      if (count !== undefined && count.data.length === 4) {
        const view = new DataView(count.data.buffer, count.data.byteOffset, count.data.byteLength);
        const stated = view.getUint32(0, reader.littleEndian);
        if (stated <= MAX_CPUS) cpus = stated;
        else {
          const message = `The option for the number of CPUs states ${stated}, more than ${MAX_CPUS}: it is ignored.`;
          this.#defect("trace-dat-damaged", message, count.at);
        }
      }
      tag = this.#tag();
    }
    const clocked = this.#options.some(({ id }) => id === OptionId.traceclock);
    if (tag === "latency  ") {
      const { source } = this;
      const from = reader.at;
      const text: ByteSource = {
        name: source.name,
        size: source.size - from,
        read: (into, position) => source.read(into, from + position),
      };
      this.#texts.push({ name: "", clock: null, source: text });
      return this.#file(6);
    }
    if (tag !== "flyrecord") {
      throw new EndsEarly(`'options', 'latency' or 'flyrecord' expected, ${JSON.stringify(tag)} found`, reader.at - 10);
    }
    this.#flyrecord("", cpus, clocked);
    for (const option of this.#options.filter(({ id }) => id === OptionId.buffer)) {
      this.#tolerant("an instance's buffer", () => {
        const view = new DataView(option.data.buffer, option.data.byteOffset, option.data.byteLength);
        if (option.data.length < 9) throw new EndsEarly("a buffer option is too short", option.at);
        const offset = view.getBigUint64(0, reader.littleEndian);
        if (offset > BigInt(this.source.size)) {
          throw new EndsEarly(`its offset, ${offset}, is beyond the file's ${this.source.size} bytes`, option.at);
        }
        reader.at = Number(offset);
        const name = nulText(option.data.subarray(8));
        if (this.#tag() !== "flyrecord") throw new EndsEarly("'flyrecord' expected", Number(offset));
        this.#flyrecord(name, cpus, clocked);
      });
    }
    return this.#file(6);
  }

  #tag(): string {
    return nulText(this.reader.bytes(10, "a 10-byte tag"));
  }

  #options6(): void {
    const { reader } = this;
    for (;;) {
      const id = reader.u16("an option's id");
      if (id === OptionId.done) return;
      const size = reader.u32("an option's length");
      const at = reader.at;
      this.#options.push({ id, data: reader.bytes(size, `option ${id}`), at });
    }
  }

  #flyrecord(name: string, count: number, clocked: boolean): void {
    const { reader } = this;
    const cpus: TraceDatCpu[] = [];
    const complete = this.#tolerant("the list of per-CPU data", () => {
      for (let cpu = 0; cpu < count; cpu++) {
        const offset = reader.u64("the place of a CPU's data");
        const size = reader.u64("the length of a CPU's data");
        const cpuData = this.#cpuData(cpu, offset, size);
        if (cpuData !== null) cpus.push(cpuData);
      }
    });
    let clock: string | null = null;
    if (complete && clocked) {
      this.#tolerant("the trace clock", () => {
        clock = activeClockName(this.#text(reader, reader.within("the clock's length"), "the clock"));
      });
    }
    this.#buffers.push({ name, clock, pageBytes: 0, cpus, compressed: false });
  }

  /** Null for a CPU without data; one beyond the file is reported. */
  #cpuData(cpu: number, offset: bigint, size: bigint): TraceDatCpu | null {
    if (size === 0n) return null;
    const end = BigInt(this.source.size);
    if (offset >= end) {
      this.#defect(
        "trace-dat-truncated",
        `CPU ${cpu}'s data begins at byte ${offset}, beyond the file's ${end} bytes.`,
        Number(end),
      );
      return null;
    }
    if (offset + size > end) {
      this.#defect(
        "trace-dat-truncated",
        `CPU ${cpu}'s data (${size} bytes at byte ${offset}) runs beyond the file's ${end} bytes: it is read as far as it goes.`,
        Number(end),
      );
    }
    return { cpu, offset: Number(offset), size: Number(offset + size > end ? end - offset : size) };
  }

  version7(): TraceDatFile {
    const { reader } = this;
    const compression = reader.string("the compression's name");
    reader.string("the compression's version");
    if (compression === "zlib" || compression === "zstd") this.#compression = compression;
    else if (compression !== "none") {
      throw new EndsEarly(
        `its data is packed by ${JSON.stringify(compression.slice(0, 16))}; zlib and zstd can be read`,
        reader.at,
      );
    }
    let next = reader.within("the place of the options");
    const seen = new Set<number>();
    while (next !== 0 && !seen.has(next)) {
      seen.add(next);
      const from = next;
      next = 0;
      this.#tolerant("the options", () => {
        next = this.#options7(from);
      });
    }
    for (const option of this.#options) this.#section7(option);
    return this.#file(7);
  }

  /** Returns the place of the next options section; 0 at the last. */
  #options7(from: number): number {
    const body = this.#body(from, "options");
    if (body === null) return 0;
    while (body.at < body.source.size) {
      const id = body.u16("an option's id");
      const size = body.u32("an option's length");
      const at = body.at;
      const data = body.bytes(size, `option ${id}`);
      if (id === OptionId.done) {
        if (data.length < 8) return 0;
        const place = new DataView(data.buffer).getBigUint64(0, this.reader.littleEndian);
        return place > BigInt(this.source.size) ? 0 : Number(place);
      }
      this.#options.push({ id, data, at: from + at });
    }
    return 0;
  }

  /** A section's body, unpacked, from its header at `from` on. */
  #body(from: number, what: string): ByteReader | null {
    const { reader } = this;
    reader.at = from;
    reader.u16(`the ${what} section's id`);
    const flags = reader.u16(`the ${what} section's flags`);
    reader.u32(`the ${what} section's description`);
    const size = reader.within(`the ${what} section's length`);
    let bytes: Uint8Array;
    if ((flags & 1) !== 0) {
      const packed = reader.u32(`the ${what} section's packed length`);
      const unpacked = reader.u32(`the ${what} section's length unpacked`);
      if (unpacked > this.reader.limit)
        throw new EndsEarly(
          `the ${what} section announces ${unpacked} bytes, more than the ${this.reader.limit} allowed (--reader-limit trace-dat-section-bytes=…)`,
          from,
        );
      const found = unpack(reader.bytes(packed, `the ${what} section`), unpacked, this.#compression);
      if (!found.ok) {
        this.#defect("trace-dat-damaged", `The ${what} section cannot be unpacked: ${found.error}.`, from);
        return null;
      }
      bytes = found.value;
    } else bytes = reader.bytes(size, `the ${what} section`);
    return new ByteReader(memorySource(this.source.name, bytes), reader.littleEndian, reader.limit);
  }

  /** What an option points to. */
  #section7({ id, data, at }: TraceDatOption): void {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const what = SECTIONS.get(id);
    if (what === undefined) return;
    this.#tolerant(what, () => {
      if (data.length < 8) throw new EndsEarly("its option is too short", at);
      const place = view.getBigUint64(0, this.reader.littleEndian);
      if (place > BigInt(this.source.size)) {
        throw new EndsEarly(`it is at byte ${place}, beyond the file's ${this.source.size} bytes`, at);
      }
      if (id === OptionId.buffer) {
        this.#buffer7(data, at, Number(place));
        return;
      }
      const body = this.#body(Number(place), what);
      if (body === null) return;
      switch (id) {
        case OptionId.headerInfo:
          this.#headerInfo(body);
          return;
        case OptionId.ftraceEvents:
          this.#formatFiles(body, "ftrace");
          return;
        case OptionId.eventFormats:
          this.#systems(body);
          return;
        case OptionId.kallsyms:
          this.#kallsyms = body.bytes(body.u32("the length of kallsyms"), what);
          return;
        case OptionId.printk:
          this.#printk = this.#text(body, body.u32("the length of printk_formats"), what);
          return;
        case OptionId.cmdlines:
          this.#cmdlines = this.#text(body, body.within("the length of saved_cmdlines"), what);
          return;
        case OptionId.bufferText: {
          const option = new ByteReader(memorySource("", data), this.reader.littleEndian, this.reader.limit);
          option.at = 8;
          const name = option.string("a buffer's name");
          const clock = activeClockName(option.string("a buffer's clock"));
          const text = body.bytes(body.source.size, what);
          this.#texts.push({ name, clock, source: memorySource(this.source.name, text) });
        }
      }
    });
  }

  #buffer7(data: Uint8Array, at: number, place: number): void {
    const { reader } = this;
    const option = new ByteReader(memorySource("", data), reader.littleEndian, reader.limit);
    option.at = 8;
    const name = option.string("a buffer's name");
    const clock = option.string("a buffer's clock");
    const pageBytes = option.u32("a buffer's page size");
    const count = this.#count(option, "the number of a buffer's CPUs");
    reader.at = place + 2;
    const compressed = (reader.u16("a buffer section's flags") & 1) !== 0;
    const cpus: TraceDatCpu[] = [];
    for (let i = 0; i < count; i++) {
      if (option.at + 20 > data.length) throw new EndsEarly(`${count} CPUs are announced, ${i} listed`, at);
      const cpu = option.u32("a CPU's number");
      const [offset, size] = [option.u64("the place of a CPU's data"), option.u64("the length of a CPU's data")];
      const found = this.#cpuData(cpu, offset, size);
      if (found !== null && cpu < MAX_CPUS) cpus.push(found);
    }
    this.#buffers.push({ name, clock: activeClockName(clock) ?? (clock || null), pageBytes, cpus, compressed });
  }
}

/** Options that point to sections, and what those are called in messages. */
const SECTIONS: ReadonlyMap<number, string> = new Map([
  [OptionId.headerInfo, "header_page"],
  [OptionId.ftraceEvents, "ftrace's event formats"],
  [OptionId.eventFormats, "event formats"],
  [OptionId.kallsyms, "kallsyms"],
  [OptionId.printk, "printk_formats"],
  [OptionId.cmdlines, "saved_cmdlines"],
  [OptionId.buffer, "a buffer"],
  [OptionId.bufferText, "a buffer's text"],
]);

function nulText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
