/** The recorder's clock_pairs file: rounds of nine readings of `now ts`, each clock's between two of the TSC. */
import type { DefectSink } from "../../base/defect.js";
import type { ClockPair } from "../../model/collected.js";

/** x86-tsc, local, x86-tsc, mono, x86-tsc, boot, x86-tsc, tai, x86-tsc. */
const CLOCKS = ["local", "mono", "boot", "tai"] as const;
const ROUND = CLOCKS.length * 2 + 1;
/** tracing_stats_read prints `%5llu.%06lu`: cut to a microsecond (kernel/trace/trace.c). */
const RESOLUTION_NS = 1_000;
/** More rounds than a recorder takes; what follows is not read. */
const MAX_LINES = 9 * 10_000;

type Reading = { readonly kind: "tsc"; readonly count: bigint } | { readonly kind: "ns"; readonly ns: bigint };

function readingOf(line: string): Reading | null {
  const match = /^now ts:\s*(\d{1,20})(?:\.(\d{6}))?$/.exec(line);
  if (match === null) return null;
  const whole = BigInt(match[1] as string);
  return match[2] === undefined
    ? { kind: "tsc", count: whole }
    : { kind: "ns", ns: whole * 1_000_000_000n + BigInt(match[2]) * 1_000n };
}

/** Pairs in file order. A round that is not nine readings of the right kinds in ascending TSC order is a defect. */
export function parseClockPairs(text: string, file: string, sink: DefectSink): readonly ClockPair[] {
  const lines = text.split("\n", MAX_LINES).filter((line) => line.trim() !== "");
  const pairs: ClockPair[] = [];
  for (let first = 0; first < lines.length; first += ROUND) {
    const round = lines.slice(first, first + ROUND).map((line) => readingOf(line.trim()));
    const fault = roundFault(round);
    if (fault !== null) {
      sink.defect({
        code: "clock-pairs-malformed",
        severity: "warning",
        file,
        line: first + 1,
        message: `Round ${first / ROUND + 1} of readings cannot be used: ${fault}.`,
        advice: "The other rounds still bound the clock; let the recorder write this file in one go.",
      });
      continue;
    }
    CLOCKS.forEach((clock, i) => {
      const [before, value, after] = [round[2 * i], round[2 * i + 1], round[2 * i + 2]];
      if (before?.kind !== "tsc" || value?.kind !== "ns" || after?.kind !== "tsc") return;
      pairs.push({
        clock,
        tscBefore: before.count,
        tscAfter: after.count,
        valueNs: value.ns,
        resolutionNs: RESOLUTION_NS,
      });
    });
  }
  return pairs;
}

function roundFault(round: readonly (Reading | null)[]): string | null {
  if (round.length < ROUND) return `it has ${round.length} lines of ${ROUND}`;
  let last = -1n;
  for (const [i, reading] of round.entries()) {
    if (reading === null) return `its line ${i + 1} is not 'now ts: NUMBER'`;
    const expected = i % 2 === 0 ? "tsc" : "ns";
    if (reading.kind !== expected) {
      return `its line ${i + 1} should be ${expected === "tsc" ? "a TSC count" : "SECONDS.MICROSECONDS"}`;
    }
    if (reading.kind === "tsc") {
      if (reading.count < last) return `the TSC runs backwards at its line ${i + 1}`;
      last = reading.count;
    }
  }
  return null;
}
