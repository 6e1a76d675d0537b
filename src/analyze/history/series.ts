/** A series of cohorts: one a build, a kernel, a day, or an argument; in the order in which they came to be. */

import type { UpdateSample } from "../../model/update-sample.js";
import type { Cohort } from "../cohort/cohort.js";

/** By what updates are put into a series. */
export type SeriesKey =
  /** Each cohort as given. */
  | { readonly kind: "cohort" }
  | { readonly kind: "old-kernel" | "new-kernel" }
  /** The day, UTC. */
  | { readonly kind: "date" }
  | { readonly kind: "label"; readonly label: string };

export function seriesKeyName(key: SeriesKey): string {
  return key.kind === "label" ? `labels.${key.label}` : key.kind;
}

/** `cohort`, `old-kernel`, `new-kernel`, `date`, `labels.NAME`; null for anything else. */
export function parseSeriesKey(text: string): SeriesKey | null {
  const label = /^labels?\.(.{1,200})$/s.exec(text)?.[1];
  if (label !== undefined) return { kind: "label", label };
  switch (text) {
    case "cohort":
    case "old-kernel":
    case "new-kernel":
    case "date":
      return { kind: text };
    default:
      return null;
  }
}

export interface Series {
  readonly key: SeriesKey;
  /** In order; each at least one update, in the order in which they were taken if that is known. */
  readonly builds: readonly Cohort[];
  /** Updates that do not say what the series is by. */
  readonly left: readonly UpdateSample[];
}

/**
 * Kernels and days in their natural order (7.9 before 7.10), cohorts as given; labels by when their first update was
 * taken, as names of builds (commits) have no order of their own, or as they first appear if times are not known.
 */
export function seriesOf(cohorts: readonly Cohort[], key: SeriesKey): Series {
  if (key.kind === "cohort") {
    return { key, builds: cohorts.map(inOrder).filter(({ updates }) => updates.length > 0), left: [] };
  }
  const groups = new Map<string, UpdateSample[]>();
  const left: UpdateSample[] = [];
  for (const update of cohorts.flatMap(({ updates }) => updates)) {
    const name = nameOf(update, key);
    if (name === null) left.push(update);
    else groups.set(name, [...(groups.get(name) ?? []), update]);
  }
  const builds = [...groups].map(([name, updates]) => inOrder({ name, updates }));
  return { key, builds: key.kind === "label" ? byTime(builds) : builds.sort(byName), left };
}

function nameOf(update: UpdateSample, key: Exclude<SeriesKey, { readonly kind: "cohort" }>): string | null {
  switch (key.kind) {
    case "old-kernel":
      return update.kernel.old;
    case "new-kernel":
      return update.kernel.new;
    case "date":
      return update.takenAtMs === null ? null : (new Date(update.takenAtMs).toISOString().split("T")[0] ?? null);
    case "label":
      return update.labels[key.label] ?? null;
  }
}

function inOrder(cohort: Cohort): Cohort {
  if (cohort.updates.some(({ takenAtMs }) => takenAtMs === null)) return cohort;
  return { ...cohort, updates: [...cohort.updates].sort((a, b) => (a.takenAtMs ?? 0) - (b.takenAtMs ?? 0)) };
}

function byName(a: Cohort, b: Cohort): number {
  return a.name.localeCompare(b.name, "en", { numeric: true }) || (a.name < b.name ? -1 : 1);
}

function byTime(builds: readonly Cohort[]): readonly Cohort[] {
  const first = (cohort: Cohort): number | null => cohort.updates[0]?.takenAtMs ?? null;
  if (builds.some(({ updates }) => updates.some(({ takenAtMs }) => takenAtMs === null))) return builds;
  return [...builds].sort((a, b) => (first(a) ?? 0) - (first(b) ?? 0) || byName(a, b));
}
