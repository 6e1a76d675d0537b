/** Flows: spans of one thing at several times, such as a device's shutdown and probe, or a file through its phases. */
import type { LiveUpdate } from "../../../src/model/live-update.js";
import { SPAN_KINDS } from "../../../src/model/span-table.js";
import { kindSet } from "./timeline.js";

export interface Flows {
  /** For each row that is in a flow: its flow's rows, ascending in begin. */
  readonly of: ReadonlyMap<number, readonly number[]>;
  /** For each device or file that has one: its last row in the old kernel and its first in the new. */
  readonly overSeam: readonly (readonly [number, number])[];
}

const JOINED = kindSet("session", "file", "device");
const DEVICE = SPAN_KINDS.indexOf("device");
/** More curves than this would hide what they connect. */
const MOST_CURVES = 64;
const made = new WeakMap<LiveUpdate, Flows>();

export function flowsOf(update: LiveUpdate): Flows {
  const known = made.get(update);
  if (known !== undefined) return known;
  const { spans } = update;
  const rows = new Map<string, number[]>();
  for (let row = 0; row < spans.count; row++) {
    const kind = spans.kind[row] as number;
    if (JOINED[kind] !== 1) continue;
    const key = `${kind} ${spans.id[row]}`;
    const list = rows.get(key);
    if (list === undefined) rows.set(key, [row]);
    else list.push(row);
  }
  const of = new Map<number, readonly number[]>();
  const overSeam: (readonly [number, number])[] = [];
  for (const list of rows.values()) {
    if (list.length < 2) continue;
    list.sort((a, b) => (spans.beginNs[a] as number) - (spans.beginNs[b] as number) || a - b);
    for (const row of list) of.set(row, list);
    const before = list.findLast((row) => spans.boot[row] === 1);
    const after = list.find((row) => spans.boot[row] === 2);
    if (before !== undefined && after !== undefined && spans.kind[before] === DEVICE) overSeam.push([before, after]);
  }
  const flows = { of, overSeam: overSeam.slice(0, MOST_CURVES) };
  made.set(update, flows);
  return flows;
}

/** The row after (1) or before (-1) in the flow; null at its ends and outside of any. */
export function inFlow(update: LiveUpdate, row: number, by: 1 | -1): number | null {
  const list = flowsOf(update).of.get(row);
  if (list === undefined) return null;
  return list[list.indexOf(row) + by] ?? null;
}
