/** Writes trace.dat files of both versions from pages and formats, for the tests of the reader. */
import { execFileSync } from "node:child_process";
import { deflateSync } from "node:zlib";
import { payloadOf, writePages } from "./ring-pages.js";

export interface TraceDatContent {
  readonly littleEndian: boolean;
  readonly longBytes: 4 | 8;
  readonly headerPage: string;
  readonly formats: readonly { readonly system: string; readonly text: string }[];
  readonly kallsyms: Uint8Array;
  readonly printkFormats: string;
  readonly cmdlines: string;
  readonly clock: string;
  /** Beyond TRACECLOCK: id and data. */
  readonly options?: readonly { readonly id: number; readonly data: Uint8Array }[];
  /** A latency tracer's text, in version 7: it replaces the top instance's pages. */
  readonly latency?: Uint8Array;
  /** The first is the top instance if its name is empty. */
  readonly buffers: readonly { readonly name: string; readonly cpus: readonly Uint8Array[] }[];
}

const PAGE = 4096;
const BUFFER_TEXT = 22;
const decoder = new TextDecoder();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const CLOCKS = ["local", "global", "counter", "uptime", "perf", "mono", "mono_raw", "boot", "tai", "x86-tsc"];

class Bytes {
  #parts: Uint8Array[] = [];
  length = 0;
  constructor(readonly littleEndian: boolean) {}

  bytes(part: Uint8Array): this {
    this.#parts.push(part);
    this.length += part.length;
    return this;
  }

  number(value: number | bigint, size: 1 | 2 | 4 | 8): this {
    const part = new Uint8Array(size);
    const view = new DataView(part.buffer);
    if (size === 8) view.setBigUint64(0, BigInt(value), this.littleEndian);
    else if (size === 4) view.setUint32(0, Number(value), this.littleEndian);
    else if (size === 2) view.setUint16(0, Number(value), this.littleEndian);
    else view.setUint8(0, Number(value));
    return this.bytes(part);
  }

  string(value: string): this {
    return this.bytes(text(`${value}\0`));
  }

  blob(value: Uint8Array, size: 4 | 8): this {
    return this.number(value.length, size).bytes(value);
  }

  pad(to: number): this {
    return this.bytes(new Uint8Array((to - (this.length % to)) % to));
  }

  take(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

function clockText(clock: string): Uint8Array {
  return text(CLOCKS.map((name) => (name === clock ? `[${name}]` : name)).join(" "));
}

function headerInfo(content: TraceDatContent, into: Bytes): Bytes {
  return into
    .string("header_page")
    .blob(text(content.headerPage), 8)
    .string("header_event")
    .blob(text("# compressed entry header\n"), 8);
}

function formatsOf(content: TraceDatContent, ftrace: boolean): Map<string, Uint8Array[]> {
  const systems = new Map<string, Uint8Array[]>();
  for (const format of content.formats) {
    if ((format.system === "ftrace") !== ftrace) continue;
    systems.set(format.system, [...(systems.get(format.system) ?? []), text(format.text)]);
  }
  return systems;
}

function ftraceEvents(content: TraceDatContent, into: Bytes): Bytes {
  const files = formatsOf(content, true).get("ftrace") ?? [];
  into.number(files.length, 4);
  for (const file of files) into.blob(file, 8);
  return into;
}

function eventFormats(content: TraceDatContent, into: Bytes): Bytes {
  const systems = formatsOf(content, false);
  into.number(systems.size, 4);
  for (const [system, files] of systems) {
    into.string(system).number(files.length, 4);
    for (const file of files) into.blob(file, 8);
  }
  return into;
}

function head(content: TraceDatContent, version: string): Bytes {
  return new Bytes(content.littleEndian)
    .bytes(Uint8Array.of(0x17, 0x08, 0x44))
    .bytes(text("tracing"))
    .string(version)
    .number(content.littleEndian ? 0 : 1, 1)
    .number(content.longBytes, 1)
    .number(PAGE, 4);
}

/** The old format: one after the other, uncompressed. */
export function writeTraceDat6(content: TraceDatContent): Uint8Array {
  const file = head(content, "6");
  headerInfo(content, file);
  ftraceEvents(content, file);
  eventFormats(content, file);
  file.blob(content.kallsyms, 4).blob(text(content.printkFormats), 4).blob(text(content.cmdlines), 8);
  const [top, ...instances] =
    content.buffers[0]?.name === "" ? content.buffers : [{ name: "", cpus: [] }, ...content.buffers];
  const cpus = content.buffers.reduce((most, buffer) => Math.max(most, buffer.cpus.length), 0);
  file.number(cpus, 4);
  const clock = clockText(content.clock);
  const lists = [top, ...instances].map((buffer) => ({ name: buffer?.name ?? "", cpus: buffer?.cpus ?? [], at: 0 }));
  const listBytes = 10 + cpus * 16 + 8 + clock.length;
  const own = [{ id: 4, data: clock }, ...(content.options ?? [])];
  const optionBytes =
    10 +
    own.reduce((sum, { data }) => sum + 6 + data.length, 0) +
    instances.reduce((sum, { name }) => sum + 6 + 8 + name.length + 1, 0) +
    2;
  let at = file.length + optionBytes;
  for (const list of lists) {
    list.at = at;
    at += listBytes;
  }
  file.bytes(text("options  \0"));
  for (const { id, data } of own) file.number(id, 2).blob(data, 4);
  for (const list of lists.slice(1)) {
    file
      .number(3, 2)
      .number(8 + list.name.length + 1, 4)
      .number(list.at, 8)
      .string(list.name);
  }
  file.number(0, 2);
  let data = Math.ceil(at / PAGE) * PAGE;
  const placed: Uint8Array[] = [];
  for (const list of lists) {
    file.bytes(text("flyrecord\0"));
    for (let cpu = 0; cpu < cpus; cpu++) {
      const pages = list.cpus[cpu] ?? new Uint8Array(0);
      file.number(data, 8).number(pages.length, 8);
      placed.push(pages);
      data += Math.ceil(pages.length / PAGE) * PAGE;
    }
    file.blob(clock, 8);
  }
  file.pad(PAGE);
  for (const pages of placed) file.bytes(pages).pad(PAGE);
  return file.take();
}

function zstd(bytes: Uint8Array): Uint8Array {
  return execFileSync("zstd", ["-q", "-c"], { input: bytes });
}

/** The old format of `trace-cmd extract` from a latency tracer: the kernel's text instead of pages. */
export function writeLatencyDat6(content: TraceDatContent, trace: Uint8Array): Uint8Array {
  const file = head(content, "6");
  headerInfo(content, file);
  ftraceEvents(content, file);
  eventFormats(content, file);
  file.blob(content.kallsyms, 4).blob(text(content.printkFormats), 4).blob(text(content.cmdlines), 8);
  return file.number(2, 4).bytes(text("latency  \0")).bytes(trace).take();
}

/** The new format: sections that options point to, whole or packed in chunks of ten pages. */
export function writeTraceDat7(content: TraceDatContent, compression: "none" | "zlib" | "zstd"): Uint8Array {
  const file = head(content, "7").string(compression).string("1");
  const packed = compression !== "none";
  const chunk = (bytes: Uint8Array): Bytes => {
    const small = compression === "zstd" ? zstd(bytes) : deflateSync(bytes);
    return new Bytes(content.littleEndian).number(small.length, 4).number(bytes.length, 4).bytes(small);
  };
  const section = (id: number, body: Uint8Array, pack = packed): Uint8Array => {
    const bytes = pack ? chunk(body).take() : body;
    return new Bytes(content.littleEndian)
      .number(id, 2)
      .number(pack ? 1 : 0, 2)
      .number(0, 4)
      .blob(bytes, 8)
      .take();
  };
  const fresh = (): Bytes => new Bytes(content.littleEndian);
  const bodies: readonly (readonly [number, Uint8Array])[] = [
    [16, headerInfo(content, fresh()).take()],
    [17, ftraceEvents(content, fresh()).take()],
    [18, eventFormats(content, fresh()).take()],
    [19, fresh().blob(content.kallsyms, 4).take()],
    [20, fresh().blob(text(content.printkFormats), 4).take()],
    [21, fresh().blob(text(content.cmdlines), 8).take()],
    ...(content.latency === undefined ? [] : [[BUFFER_TEXT, content.latency] as const]),
  ];
  const sections = bodies.map(([id, body]) => ({ id, bytes: section(id, body) }));
  const first = file.length + 8;
  const optionsAt = sections.reduce((sum, { bytes }) => sum + bytes.length, first);
  file.number(optionsAt, 8);
  const options = fresh();
  let at = first;
  for (const { id, bytes } of sections) {
    file.bytes(bytes);
    const names = id === BUFFER_TEXT ? text(`\0${decoder.decode(clockText(content.clock))}\0`) : new Uint8Array(0);
    options
      .number(id, 2)
      .number(8 + names.length, 4)
      .number(at, 8)
      .bytes(names);
    at += bytes.length;
  }
  options.number(4, 2).blob(clockText(content.clock), 4);
  for (const { id, data } of content.options ?? []) options.number(id, 2).blob(data, 4);
  // The buffers' own options are in a second section of options, as in trace-cmd's files.
  const second = buffersOf(content, packed, (bytes) => chunk(bytes).take());
  const finish = (place: number): Uint8Array => {
    const whole = fresh().bytes(options.take()).number(0, 2).number(8, 4).number(place, 8).take();
    return section(0, whole, false);
  };
  const length = finish(0).length;
  file.bytes(finish(optionsAt + length));
  file.bytes(second(optionsAt + length));
  return file.take();
}

/** From where it begins in the file: the second options section and the data that it points to. */
function buffersOf(
  content: TraceDatContent,
  packed: boolean,
  chunk: (bytes: Uint8Array) => Uint8Array,
): (begin: number) => Uint8Array {
  const datas = content.buffers.map(({ name, cpus }) => ({
    name,
    cpus: cpus.map((pages) => {
      if (!packed) return { bytes: pages, size: pages.length };
      const chunks: Uint8Array[] = [];
      for (let from = 0; from < pages.length; from += 10 * PAGE)
        chunks.push(chunk(pages.subarray(from, from + 10 * PAGE)));
      const bytes = new Bytes(content.littleEndian).number(chunks.length, 4);
      for (const each of chunks) bytes.bytes(each);
      // The stated size excludes the count.
      return { bytes: bytes.take(), size: bytes.length - 4 };
    }),
  }));
  return (begin) => {
    const option = (places: readonly { section: number; cpus: readonly number[] }[]): Uint8Array => {
      const body = new Bytes(content.littleEndian);
      for (const [i, { name, cpus }] of datas.entries()) {
        const data = new Bytes(content.littleEndian)
          .number(places[i]?.section ?? 0, 8)
          .string(name)
          .string(content.clock)
          .number(PAGE, 4)
          .number(cpus.length, 4);
        for (const [cpu, { size }] of cpus.entries()) {
          data
            .number(cpu, 4)
            .number(places[i]?.cpus[cpu] ?? 0, 8)
            .number(size, 8);
        }
        body.number(3, 2).blob(data.take(), 4);
      }
      const whole = body.number(0, 2).number(8, 4).number(0, 8).take();
      return new Bytes(content.littleEndian).number(0, 2).number(0, 2).number(0, 4).blob(whole, 8).take();
    };
    let at = begin + option([]).length;
    const file = new Bytes(content.littleEndian);
    const places = datas.map(({ cpus }) => {
      const section = at;
      file
        .number(3, 2)
        .number(packed ? 1 : 0, 2)
        .number(0, 4)
        .number(0, 8);
      at += 16;
      const own = cpus.map(({ bytes }) => {
        const gap = (PAGE - (at % PAGE)) % PAGE;
        file.bytes(new Uint8Array(gap)).bytes(bytes);
        const place = at + gap;
        at = place + bytes.length;
        return place;
      });
      return { section, cpus: own };
    });
    return new Bytes(content.littleEndian).bytes(option(places)).bytes(file.take()).take();
  };
}

/** A small file of a made-up kernel, of either byte order and word length. */
export function smallTraceDat(
  littleEndian: boolean,
  longBytes: 4 | 8,
  options: TraceDatContent["options"] = [],
): TraceDatContent {
  const layout = { pageBytes: 4096, dataOffset: 8 + longBytes, commitBytes: longBytes } as const;
  const rest = new Uint8Array(4);
  new DataView(rest.buffer).setUint32(0, 77, littleEndian);
  const records = [1000n, 2000n, 900_000_000_000n].map((time) => ({
    time,
    payload: payloadOf(7, 5, rest, littleEndian),
  }));
  const line = (name: string, offset: number, size: number): string =>
    `\tfield:${name};\toffset:${offset};\tsize:${size};\tsigned:0;\n`;
  return {
    littleEndian,
    longBytes,
    headerPage:
      `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:${longBytes};\tsigned:1;\n` +
      `\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\toffset:${8 + longBytes};\tsize:${4096 - 8 - longBytes};\tsigned:1;\n`,
    formats: [
      {
        system: "test",
        text: `name: made_up\nID: 7\nformat:\n${line("unsigned short common_type", 0, 2)}${line("int common_pid", 4, 4)}\n${line("u32 value", 8, 4)}\nprint fmt: "value=%u", REC->value\n`,
      },
    ],
    kallsyms: new Uint8Array(0),
    printkFormats: "",
    cmdlines: "5 worker\n",
    clock: "local",
    options,
    buffers: [{ name: "", cpus: [writePages(records, { layout, littleEndian })] }],
  };
}
