/** The options of a trace.dat (man 5 trace-cmd.dat.v6 and v7), by their ids in lib/trace-cmd/include/private. */
export const OptionId = {
  done: 0,
  date: 1,
  cpustat: 2,
  buffer: 3,
  traceclock: 4,
  uname: 5,
  hook: 6,
  offset: 7,
  cpucount: 8,
  version: 9,
  procmaps: 10,
  traceid: 11,
  timeShift: 12,
  guest: 13,
  tsc2nsec: 14,
  strings: 15,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  printk: 20,
  cmdlines: 21,
  bufferText: 22,
  btfFile: 23,
  lastBootInfo: 24,
  modulesFile: 25,
} as const;

export interface TraceDatOption {
  readonly id: number;
  readonly data: Uint8Array;
  /** Its place in the file. */
  readonly at: number;
}

/** ns = (tsc * mult) >> shift. */
export interface TscRate {
  readonly mult: bigint;
  readonly shift: bigint;
}

/** One (time, offset, scaling, fraction) sample of a guest's clock against its host's. */
export interface TimeSample {
  readonly time: bigint;
  readonly offset: bigint;
  readonly scaling: bigint;
  readonly fraction: bigint;
}

export interface TimeShift {
  readonly peer: bigint;
  readonly interpolate: boolean;
  /** By CPU. */
  readonly samples: readonly (readonly TimeSample[])[];
}

export interface GuestTrace {
  readonly name: string;
  readonly id: bigint;
  readonly vcpus: readonly { readonly vcpu: number; readonly pid: number }[];
}

/** What all options but those that point to sections say. */
export interface TraceDatFacts {
  readonly uname: string | null;
  /** Of the trace-cmd that wrote it. */
  readonly version: string | null;
  /** The active clock: `local`, `x86-tsc`, `tsc2nsec`. */
  readonly clock: string | null;
  /** Added to every stamp, in ns: the DATE and OFFSET options. */
  readonly offsetNs: bigint;
  readonly tscRate: TscRate | null;
  readonly timeShift: TimeShift | null;
  readonly traceId: bigint | null;
  readonly guests: readonly GuestTrace[];
  /** The per-CPU `stats` texts, in the file's order. */
  readonly cpuStats: readonly string[];
  readonly lastBootInfo: readonly string[];
}

/** `local [x86-tsc] …`: the name in brackets. */
export function activeClockName(text: string): string | null {
  return /\[([^\]]+)\]/.exec(text)?.[1] ?? null;
}

const decoder = new TextDecoder("utf-8");

function textOf(data: Uint8Array): string {
  const end = data.indexOf(0);
  return decoder.decode(end < 0 ? data : data.subarray(0, end));
}

/** A number in C's notation (strtoll with base 0); null for other text. */
function numberOf(text: string): bigint | null {
  const match = /^\s*([+-]?)(0x[0-9a-f]+|\d+)/i.exec(text);
  if (match === null) return null;
  const value = BigInt(match[2] as string);
  return match[1] === "-" ? -value : value;
}

const INTERPOLATE = 1;
/** No host has more CPUs; a larger count is damage. */
const MAX_CPUS = 65_536;
const MAX_SAMPLES = 1_000_000;

export function factsOf(options: readonly TraceDatOption[], littleEndian: boolean): TraceDatFacts {
  const last = (id: number): TraceDatOption | undefined => options.findLast((option) => option.id === id);
  const text = (id: number): string | null => {
    const option = last(id);
    return option === undefined ? null : textOf(option.data).trimEnd();
  };
  const all = (id: number): readonly string[] =>
    options.filter((option) => option.id === id).map(({ data }) => textOf(data));
  const date = numberOf(text(OptionId.date) ?? "");
  const offset = numberOf(text(OptionId.offset) ?? "");
  const view = ({ data }: TraceDatOption): DataView => new DataView(data.buffer, data.byteOffset, data.byteLength);
  const id = last(OptionId.traceid);
  const rate = last(OptionId.tsc2nsec);
  const shift = last(OptionId.timeShift);
  return {
    uname: text(OptionId.uname),
    version: text(OptionId.version),
    clock: activeClockName(text(OptionId.traceclock) ?? ""),
    offsetNs: (date ?? 0n) * 1000n + (offset ?? 0n),
    tscRate:
      rate === undefined || rate.data.length < 8
        ? null
        : {
            mult: BigInt(view(rate).getUint32(0, littleEndian)),
            shift: BigInt(view(rate).getUint32(4, littleEndian) & 63),
          },
    timeShift: shift === undefined ? null : timeShiftOf(view(shift), littleEndian),
    traceId: id === undefined || id.data.length < 8 ? null : view(id).getBigUint64(0, littleEndian),
    guests: options
      .filter((option) => option.id === OptionId.guest)
      .flatMap((option) => guestOf(option.data, view(option), littleEndian) ?? []),
    cpuStats: all(OptionId.cpustat),
    lastBootInfo: all(OptionId.lastBootInfo),
  };
}

/** Null if it is cut short. */
function timeShiftOf(view: DataView, littleEndian: boolean): TimeShift | null {
  let at = 0;
  const has = (bytes: number): boolean => at + bytes <= view.byteLength;
  const u32 = (): number => {
    at += 4;
    return view.getUint32(at - 4, littleEndian);
  };
  const u64 = (): bigint => {
    at += 8;
    return view.getBigUint64(at - 8, littleEndian);
  };
  if (!has(16)) return null;
  const peer = u64();
  const interpolate = (u32() & INTERPOLATE) !== 0;
  const cpus = u32();
  if (cpus > MAX_CPUS) return null;
  const samples: TimeSample[][] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    if (!has(4)) return null;
    const count = u32();
    if (count > MAX_SAMPLES || !has(count * 24)) return null;
    const times = Array.from({ length: count }, u64);
    const offsets = Array.from({ length: count }, () => BigInt.asIntN(64, u64()));
    const scalings = Array.from({ length: count }, u64);
    samples.push(
      times.map((time, i) => ({
        time,
        offset: offsets[i] as bigint,
        scaling: scalings[i] as bigint,
        fraction: 0n,
      })),
    );
  }
  // Older files have no fractions.
  const fractions = samples.map((own) => (has(own.length * 8) ? own.map(u64) : []));
  return {
    peer,
    interpolate,
    samples: samples.map((own, cpu) =>
      own.map((sample, i) => ({ ...sample, fraction: (fractions[cpu]?.[i] ?? 0n) & 63n })),
    ),
  };
}

function guestOf(data: Uint8Array, view: DataView, littleEndian: boolean): GuestTrace | null {
  const end = data.indexOf(0);
  if (end < 0 || end + 13 > data.length) return null;
  const id = view.getBigUint64(end + 1, littleEndian);
  const count = view.getUint32(end + 9, littleEndian);
  if (count > MAX_CPUS || end + 13 + count * 8 > data.length) return null;
  const vcpus = Array.from({ length: count }, (_, i) => ({
    vcpu: view.getUint32(end + 13 + i * 8, littleEndian),
    pid: view.getUint32(end + 17 + i * 8, littleEndian),
  }));
  return { name: decoder.decode(data.subarray(0, end)), id, vcpus };
}

/** A guest's count on its host's axis, as trace-cmd reckons it (timestamp_host_sync, lib/trace-cmd/trace-input.c). */
export function hostTime(count: bigint, samples: readonly TimeSample[], interpolate: boolean): bigint {
  const last = samples.length - 1;
  const first = samples[0];
  if (first === undefined) return count;
  let at = 0;
  if (last >= 2) {
    if (count >= (samples[last] as TimeSample).time) at = last - 1;
    else if (count > first.time) {
      let low = 0;
      let high = last;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((samples[middle] as TimeSample).time <= count) low = middle;
        else high = middle;
      }
      at = low;
    }
  }
  const sample = samples[at] as TimeSample;
  const next = samples[at + 1];
  let offset = sample.offset;
  if (interpolate && next !== undefined && next.time > sample.time) {
    const span = next.time - sample.time;
    offset += ((count - sample.time) * (next.offset - sample.offset) + span / 2n) / span;
  }
  return ((count * sample.scaling) >> sample.fraction) + offset;
}
