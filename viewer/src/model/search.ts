/** Search in a live update: names, details and log lines that contain the text; `kind:text` searches one kind only. */
import type { LiveUpdate } from "../../../src/model/live-update.js";
import { SPAN_KINDS, type SpanKind } from "../../../src/model/span-table.js";

export interface Found {
  /** By string id: 1 if spans of that name match. */
  readonly names: Uint8Array;
  /** By string id: 1 if spans with that detail match. */
  readonly details: Uint8Array;
  /** Index into SPAN_KINDS, -1 for all. */
  readonly kind: number;
  /** Items of the kernel log that match, ascending in time. */
  readonly lines: readonly number[];
  /** Spans and lines. */
  readonly count: number;
}

/** The match before or after a place. */
export type FoundItem =
  | { readonly what: "span"; readonly row: number }
  | { readonly what: "printk"; readonly item: number };

const EVERY_KIND = -1;

/** null for an empty query. */
export function search(update: LiveUpdate, query: string): Found | null {
  const colon = query.indexOf(":");
  const named = colon < 0 ? -1 : SPAN_KINDS.indexOf(query.slice(0, colon).trim() as SpanKind);
  const text = (named < 0 ? query : query.slice(colon + 1)).trim().toLowerCase();
  if (text === "" && named < 0) return null;
  const { spans, printk } = update;
  const holds = spans.strings.map((candidate) => (candidate.toLowerCase().includes(text) ? 1 : 0));
  const names = Uint8Array.from(holds);
  // An empty detail never matches, also for a query with only a kind.
  const details = Uint8Array.from(holds, (hit, id) => (id === 0 || text === "" ? 0 : hit));
  const asksLog = named < 0 || SPAN_KINDS[named] === "printk";
  const lines = asksLog
    ? [...printk.keys()]
        .filter((item) => printk[item]?.atNs != null && printk[item].text.toLowerCase().includes(text))
        .sort((a, b) => (printk[a]?.atNs as number) - (printk[b]?.atNs as number))
    : [];
  const found = { names, details, kind: named, lines, count: lines.length };
  let count = lines.length;
  for (let row = 0; row < spans.count; row++) if (isFound(found, update, row)) count++;
  return { ...found, count };
}

/** Whether a row matches. */
export function isFound(found: Found, { spans }: LiveUpdate, row: number): boolean {
  if (found.kind !== EVERY_KIND && spans.kind[row] !== found.kind) return false;
  return found.names[spans.name[row] as number] === 1 || found.details[spans.detail[row] as number] === 1;
}

/**
 * The match next to `fromNs` in time (and past `current` at the same instant); wraps around at the end. null if there
 * is no match.
 */
export function nextFound(
  update: LiveUpdate,
  found: Found,
  from: { readonly atNs: number; readonly row: number } | null,
  backwards: boolean,
): FoundItem | null {
  const sign = backwards ? -1 : 1;
  const start = from === null ? Number.NEGATIVE_INFINITY : from.atNs * sign;
  const { spans, printk } = update;
  // For each: the nearest beyond the place, and the very first, for wrapping around.
  let best: FoundItem | null = null;
  let bestAt = Number.POSITIVE_INFINITY;
  let first: FoundItem | null = null;
  let firstAt = Number.POSITIVE_INFINITY;
  const consider = (at: number, order: number, item: () => FoundItem) => {
    const beyond = at > start || (at === start && from !== null && order * sign > from.row * sign);
    if (beyond && (at < bestAt || (at === bestAt && backwards))) {
      bestAt = at;
      best = item();
    }
    if (at < firstAt || (at === firstAt && backwards)) {
      firstAt = at;
      first = item();
    }
  };
  for (let row = 0; row < spans.count; row++) {
    if (isFound(found, update, row))
      consider((spans.beginNs[row] as number) * sign, row, () => ({ what: "span", row }));
  }
  for (const item of found.lines) {
    consider((printk[item]?.atNs as number) * sign, spans.count + item, () => ({ what: "printk", item }));
  }
  return best ?? first;
}
