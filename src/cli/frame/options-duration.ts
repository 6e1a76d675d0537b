/** Durations as they are written on a command line: a decimal number and a unit, `2.5ms`. */
import type { Duration } from "../../base/time.js";

const unitsNs: readonly (readonly [string, bigint])[] = [
  ["h", 3_600_000_000_000n],
  ["min", 60_000_000_000n],
  ["s", 1_000_000_000n],
  ["ms", 1_000_000n],
  ["us", 1_000n],
  ["ns", 1n],
];

/**
 * Integer nanoseconds of `250us`, `2.5ms`, `1s`, `2min`, `1h` (`µs` and `μs` too); null if it is not of that form, is
 * negative, is not a whole number of nanoseconds, or is above 2^53 - 1 ns. Exact: no floating point is involved.
 */
export function parseDuration(text: string): Duration | null {
  // More digits than these are either above 2^53 ns or below 1 ns, whatever the unit.
  const match = /^(\d{1,16})(?:\.(\d{1,16}))?\s?([a-zµμ]+)$/u.exec(text);
  if (match === null) return null;
  const [, whole = "", fraction = "", unit = ""] = match;
  const unitNs = unitsNs.find(([name]) => name === unit.replace(/[µμ]/u, "u"))?.[1];
  if (unitNs === undefined) return null;
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * unitNs;
  if (scaled % scale !== 0n) return null;
  const ns = scaled / scale;
  return ns > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(ns);
}

/** As `parseDuration`, with a sign: `-5ms` is before, `+5ms` and `5ms` are after. */
export function parseSignedDuration(text: string): Duration | null {
  // The axis' zero needs no unit.
  if (text === "0") return 0;
  const ns = parseDuration(text.replace(/^[+-]/, ""));
  return ns === null || ns === 0 || !text.startsWith("-") ? ns : -ns;
}

/** The shortest form that `parseDuration` reads back as the same: `1500000` is `1500us`, `2000000000` is `2s`. */
export function durationText(ns: Duration): string {
  if (ns < 0) return `-${durationText(-ns)}`;
  const exact =
    unitsNs.find(([, unitNs]) => BigInt(ns) % unitNs === 0n && ns !== 0) ?? (["s", 1_000_000_000n] as const);
  return `${BigInt(ns) / exact[1]}${exact[0]}`;
}
