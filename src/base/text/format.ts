/** Durations, shares, sizes and counts for people: the same in the terminal, in reports and in the viewer. */
import type { Duration } from "../time.js";

const UNITS = [
  { ns: 1e9, name: "s" },
  { ns: 1e6, name: "ms" },
  { ns: 1e3, name: "us" },
  { ns: 1, name: "ns" },
] as const;

/** Four significant digits in the largest unit that is not above it: `5.214 s`, `179.1 ms`, `12.30 us`, `812 ns`. */
export function formatDuration(ns: Duration): string {
  if (ns < 0) return `-${formatDuration(-ns)}`;
  // A value that rounds up to 1000 of a unit belongs to the next one: 999,960 ns is 1.000 ms, not 1000.0 us.
  const unit = UNITS.find((candidate) => ns >= candidate.ns * 0.99995) ?? UNITS[3];
  const value = ns / unit.ns;
  if (unit.ns === 1) return `${Math.round(value)} ns`;
  const decimals = value >= 999.95 ? 0 : value >= 99.995 ? 1 : value >= 9.9995 ? 2 : 3;
  return `${value.toFixed(decimals)} ${unit.name}`;
}

/** A place on an axis or a change, with its sign: `+1.230 ms`, `-120.0 ms`, `0`. */
export function formatSigned(ns: Duration): string {
  return ns === 0 ? "0" : `${ns > 0 ? "+" : ""}${formatDuration(ns)}`;
}

/** `± 240 us`, rounded up to two significant digits: a bound must not be rounded below itself. */
export function formatUncertainty(ns: Duration): string {
  if (ns <= 0) return "± 0 ns";
  const magnitude = 10 ** Math.max(0, Math.floor(Math.log10(ns)) - 1);
  const rounded = Math.ceil(ns / magnitude) * magnitude;
  const unit = UNITS.find((candidate) => rounded >= candidate.ns) ?? UNITS[3];
  const value = rounded / unit.ns;
  return `± ${Number(value.toPrecision(2))} ${unit.name}`;
}

/** A share as a percentage of at most three digits: `5 %`, `0.5 %`, `12.5 %`. */
export function formatPercent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/** How many updates would be enough: `needs 2,995`. */
export function formatNeeded(updates: number): string {
  return `needs ${updates.toLocaleString("en")}`;
}

const SIZES = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** A size in the largest unit that is not above it, to three digits: `640 KiB`, `12.5 MiB`, `812 bytes`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // What would round up to 1,024 of a unit belongs to the next one.
  while (value >= 1023.5 && unit < SIZES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(value < 99.95 ? 1 : 0)).toLocaleString("en")} ${SIZES[unit]}`;
}

/** An exact count of bytes: `3,594,240 bytes`. */
export function formatBytes(bytes: number): string {
  return `${bytes.toLocaleString("en")} bytes`;
}
