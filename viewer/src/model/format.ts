/** Numbers and names as text. Everything the viewer shows of a capture goes through here. */

import { formatDuration, formatPercent, formatSigned, formatUncertainty } from "../../../src/base/text/format.js";
import { replaceObeyed } from "../../../src/base/text/obeyed.js";

export { formatDuration, formatSigned };

/** The same duration as an exact integer: `5,214,506,369 ns`. */
export function exactDuration(ns: number): string {
  return `${ns.toLocaleString("en")} ns`;
}

/** `± 93 us`, rounded up; nothing if it is zero or unknown. */
export function plusMinus(ns: number | null): string {
  return ns === null || ns === 0 ? "" : formatUncertainty(ns);
}

/** A part of the whole, as every command prints it. */
export function percent(part: number, whole: number): string {
  const share = part / whole;
  return share > 0 && share < 0.00005 ? "< 0.01 %" : formatPercent(share);
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Untrusted text with what would not be seen, or would disturb what is beside it, made visible: control characters as
 * their Unicode pictures, bidirectional and invisible format characters as `<U+202E>`.
 */
export function visibleText(text: string): string {
  return replaceObeyed(text, (_, code) => {
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}

/** The text, or its head and tail if it is longer than `most` characters: the ends of ids distinguish them. */
export function middleCut(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 3);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

const SCALES: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, min: 60e9 };

/** Nanoseconds of `5s`, `250 ms`; null for anything else. */
export function parseLimit(text: string): number | null {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|min)\s*$/.exec(text) ?? [];
  const scale = SCALES[unit ?? ""];
  const ns = scale === undefined ? 0 : Number(number) * scale;
  return ns > 0 && Number.isFinite(ns) ? Math.round(ns) : null;
}

/** The duration as `parseLimit` reads it back. */
export function durationInput(ns: number): string {
  const [unit, scale] = ns >= 1e9 ? ["s", 1e9] : ns >= 1e6 ? ["ms", 1e6] : ns >= 1e3 ? ["us", 1e3] : ["ns", 1];
  return `${ns / (scale as number)}${unit}`;
}

/**
 * A capture's name as the beginning of a file's name: without characters that a shell or a file system could misread.
 */
export function fileStem(name: string): string {
  return name.replace(/[^\w.-]+/g, "-").slice(0, 80) || "blackout";
}
