/**
 * The index of a report: what a list of updates and its plots need of each, without decoding any. Both ends stand here
 * so that they cannot drift apart.
 */

import { buildTrees } from "../analyze/attribution/build.js";
import { criticalChain } from "../analyze/attribution/views/chain.js";
import { err, ok, type Result } from "../base/result.js";
import {
  type BlackoutDocument,
  type ClockMethod,
  type LiveUpdate,
  type Outcome,
  PHASES,
} from "../model/live-update.js";
import { isAttributed } from "./update-codec.js";

/** What a list of updates and its plots need of each, without decoding it. */
export interface ReportEntry {
  readonly name: string;
  readonly kernel: { readonly old: string | null; readonly new: string | null };
  readonly outcome: Outcome;
  readonly clockMethod: ClockMethod;
  readonly basis: BlackoutDocument["basis"];
  readonly blackoutNs: number | null;
  readonly blackoutUncertaintyNs: number | null;
  /** In the order of PHASES. */
  readonly phaseNs: readonly (number | null)[];
  /** Counting each defect for what it stands for. */
  readonly defects: number;
  readonly spans: number;
  /** The critical chain by cause, the longest first, cut at MOST_CAUSES; empty if there is none. */
  readonly causes: readonly EntryCause[];
}

export interface EntryCause {
  readonly kind: string;
  readonly name: string;
  readonly ns: number;
}

/** What a list of updates keeps of each: enough for a heat map of what differs between them. */
const MOST_CAUSES = 24;

function entryCauses(update: LiveUpdate): readonly EntryCause[] {
  if (!isAttributed(update)) return [];
  const root = buildTrees(update).blackout;
  if (root === null) return [];
  const sums = new Map<string, { kind: string; name: string; ns: number }>();
  for (const { kind, id, name, durationNs } of criticalChain(update, root).steps) {
    const key = `${kind} ${id}`;
    const sum = sums.get(key) ?? { kind, name: name === "" ? id : name, ns: 0 };
    sum.ns += durationNs;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.ns - a.ns || (a.name < b.name ? -1 : 1)).slice(0, MOST_CAUSES);
}

export interface ReportIndex {
  readonly format: "blackout-report";
  readonly version: 1;
  readonly title: string;
  readonly entries: readonly ReportEntry[];
}

export function reportEntry(update: LiveUpdate): ReportEntry {
  const { document } = update;
  return {
    name: document.capture.name,
    kernel: document.capture.kernel,
    outcome: document.outcome,
    clockMethod: document.clock.method,
    basis: document.blackout.basis,
    blackoutNs: document.blackout.durationNs,
    blackoutUncertaintyNs: document.blackout.uncertaintyNs,
    phaseNs: PHASES.map((name) => document.phases.find((phase) => phase.name === name)?.durationNs ?? null),
    defects: document.defects.reduce((sum, found) => sum + found.count, 0),
    spans: update.spans.count,
    causes: entryCauses(update),
  };
}

/** `names` are for the list, if the captures' own names do not distinguish them. */
export function reportIndex(updates: readonly LiveUpdate[], title: string, names?: readonly string[]): ReportIndex {
  const entries = updates.map((update, i) => {
    const entry = reportEntry(update);
    return { ...entry, name: names?.[i] ?? entry.name };
  });
  return { format: "blackout-report", version: 1, title, entries };
}

/** An index as it travels: names of causes stand once, and each update's causes are pairs of a number and a time. */
interface PackedIndex extends Omit<ReportIndex, "entries"> {
  readonly causes: readonly (readonly [kind: string, name: string])[];
  readonly entries: readonly (Omit<ReportEntry, "causes"> & { readonly causes: readonly number[] })[];
}

/** The index as JSON. Ten thousand updates name the same few causes: written out each time they would be most of it. */
export function packReportIndex(index: ReportIndex): string {
  const ids = new Map<string, number>();
  const causes: [string, string][] = [];
  const idOf = ({ kind, name }: EntryCause): number => {
    const key = `${kind} ${name}`;
    const known = ids.get(key);
    if (known !== undefined) return known;
    ids.set(key, causes.length);
    causes.push([kind, name]);
    return causes.length - 1;
  };
  const entries = index.entries.map((entry) => ({
    ...entry,
    causes: entry.causes.flatMap((cause) => [idOf(cause), cause.ns]),
  }));
  const packed: PackedIndex = { ...index, causes, entries };
  return JSON.stringify(packed);
}

/** What `packReportIndex` wrote, read back; the error says what is wrong with it. */
export function parseReportIndex(text: string): Result<ReportIndex, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err(`the report's index is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const index = value as Partial<PackedIndex> | null;
  if (index?.format !== "blackout-report") return err("the report's index does not say format blackout-report");
  if (index.version !== 1) return err(`the report is of version ${String(index.version)}; this viewer reads version 1`);
  const { entries, causes, format, version, title = "" } = index;
  if (!Array.isArray(entries)) return err("the report's index has no entries");
  if (!Array.isArray(causes)) return err("the report's index names no causes");
  const named = (pairs: readonly number[]): readonly EntryCause[] => {
    const list: EntryCause[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [kind, name] = causes[pairs[i] as number] ?? ["", ""];
      list.push({ kind, name, ns: pairs[i + 1] as number });
    }
    return list;
  };
  return ok({
    format,
    version,
    title,
    entries: entries.map((entry: PackedIndex["entries"][number]) => ({ ...entry, causes: named(entry.causes ?? []) })),
  });
}
