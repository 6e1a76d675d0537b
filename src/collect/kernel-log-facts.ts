/** What a kernel log says of the boot's clocks. One table: a new line is a row. */
import type { PrintkLine } from "./types.js";

/** `sched_clock: Marking stable (a, b)->(c, d)`: afterwards printk's clock is sched_clock plus d (kernel/sched/clock.c). */
export interface MarkedStable {
  readonly stampNs: number;
  readonly offsetNs: number;
}

export interface KernelLogFacts {
  readonly tscDetectedKhz: number | null;
  readonly tscRefined: { readonly khz: number; readonly stampNs: number } | null;
  readonly markedStable: MarkedStable | null;
  /** `kvm-clock: using sched offset of N cycles`: nanoseconds since the VM was created, despite the word. */
  readonly kvmClockOffsetNs: bigint | null;
  /** `rtc_cmos …: setting system clock to … UTC (N)`. */
  readonly rtc: { readonly epochSeconds: number; readonly stampNs: number } | null;
  readonly commandLine: string | null;
}

type Mutable = { -readonly [K in keyof KernelLogFacts]: KernelLogFacts[K] };

/** `MMMM.kkk MHz` in kHz. */
const khz = (mhz: string, fraction: string): number => Number(mhz) * 1_000 + Number(fraction);

const TABLE: readonly {
  readonly pattern: RegExp;
  readonly note: (facts: Mutable, match: RegExpExecArray, stampNs: number) => void;
}[] = [
  {
    pattern: /^tsc: Detected (\d{1,6})\.(\d{3}) MHz (?:processor|TSC)/,
    note: (facts, match) => {
      facts.tscDetectedKhz = khz(match[1] as string, match[2] as string);
    },
  },
  {
    pattern: /^tsc: Refined TSC clocksource calibration: (\d{1,6})\.(\d{3}) MHz/,
    note: (facts, match, stampNs) => {
      facts.tscRefined = { khz: khz(match[1] as string, match[2] as string), stampNs };
    },
  },
  {
    pattern: /^sched_clock: Marking stable \((-?\d+), ?(-?\d+)\)->\((-?\d+), ?(-?\d+)\)/,
    note: (facts, match, stampNs) => {
      facts.markedStable = { stampNs, offsetNs: Number(match[4]) };
    },
  },
  {
    pattern: /^kvm-clock: using sched offset of (\d{1,19}) cycles/,
    note: (facts, match) => {
      facts.kvmClockOffsetNs = BigInt(match[1] as string);
    },
  },
  {
    pattern: /^rtc\S* \S+: setting system clock to \S+ UTC \((\d{1,12})\)/,
    note: (facts, match, stampNs) => {
      facts.rtc = { epochSeconds: Number(match[1]), stampNs };
    },
  },
  {
    pattern: /^(?:Kernel command line|Command line): (.*)$/,
    note: (facts, match) => {
      facts.commandLine = match[1] as string;
    },
  },
];

/** The last line of each kind counts: a log may begin with the end of an earlier boot. */
export function kernelLogFacts(lines: readonly PrintkLine[]): KernelLogFacts {
  const facts: Mutable = {
    tscDetectedKhz: null,
    tscRefined: null,
    markedStable: null,
    kvmClockOffsetNs: null,
    rtc: null,
    commandLine: null,
  };
  for (const { text, stampNs } of lines) {
    for (const { pattern, note } of TABLE) {
      const match = pattern.exec(text);
      if (match !== null) note(facts, match, stampNs ?? 0);
    }
  }
  return facts;
}
