/** Durations, shares and counts for people. Pure; the same text on every machine. */
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
