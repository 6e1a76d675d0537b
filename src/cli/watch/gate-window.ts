/** The updates of a sliding window, and what the budget's checks say of each cohort of them. Pure: no clock, no I/O. */

import type { Cohort } from "../../analyze/cohort/cohort.js";
import type { Budget } from "../../analyze/compare/budget.js";
import { compareCohorts } from "../../analyze/compare/comparison.js";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { cohortId, cohortName, type FleetCohort, fleetCohortOf, NO_VALUE } from "../../analyze/fleet/fleet-cohort.js";
import { gate } from "../../analyze/gate/gate.js";
import type { GateDocument } from "../../model/documents/gate.js";
import type { UpdateSample } from "../../model/update-sample.js";

export interface GateRules {
  readonly budget: Budget;
  readonly budgetFile: string;
  /** Compared with by the budget's regression rules, cohort by cohort; null: they are not looked at. */
  readonly baseline: Cohort | null;
  /** Of the comparison's bootstrap. */
  readonly seed: number;
}

interface WindowEntry {
  readonly sample: UpdateSample;
  readonly atMs: number;
}

export interface CohortGate {
  readonly key: FleetCohort;
  readonly document: GateDocument;
}

/** Whatever the window, not more updates than these are looked at: the latest. */
export const MOST_UPDATES = 10_000;
/** A comparison of more takes seconds, in which the service answers nobody: the latest of each cohort. */
const MOST_COMPARED = 300;

export class GateWindow {
  readonly #windowMs: number;
  readonly #rules: GateRules | null;
  /** Whether a check reads them. */
  readonly keepsCauses: boolean;
  /** By time, the earliest first. */
  #entries: WindowEntry[] = [];
  #outgrown = 0;

  constructor(windowMs: number, rules: GateRules | null) {
    this.#windowMs = windowMs;
    this.#rules = rules;
    const budget = rules?.budget;
    // Causes are most of an update: kept only if a check reads them.
    this.keepsCauses =
      budget?.limits.some(({ metric }) => metric.kind === "cause" || metric.kind === "causes") === true ||
      (rules?.baseline !== null && budget?.regression?.failOn.includes("causes") === true);
  }

  /** Of an update that was made at `atMs`; one outside of the window changes nothing. */
  add(sample: UpdateSample, atMs: number, nowMs: number): void {
    if (atMs < nowMs - this.#windowMs) return;
    const entry = { sample: this.keepsCauses ? sample : { ...sample, causes: null }, atMs };
    let at = this.#entries.length;
    while (at > 0 && (this.#entries[at - 1]?.atMs ?? 0) > atMs) at -= 1;
    this.#entries.splice(at, 0, entry);
    if (this.#entries.length > MOST_UPDATES) {
      this.#entries.shift();
      this.#outgrown += 1;
    }
  }

  /** Forgets what has left the window. */
  slide(nowMs: number): void {
    const first = this.#entries.findIndex(({ atMs }) => atMs >= nowMs - this.#windowMs);
    if (first !== 0) this.#entries = first < 0 ? [] : this.#entries.slice(first);
  }

  get size(): number {
    return this.#entries.length;
  }

  /** How many updates were left out although they are in the window: it held MOST_UPDATES later ones. */
  get outgrown(): number {
    return this.#outgrown;
  }

  /** The latest updates, the latest first. */
  latest(most: number): readonly WindowEntry[] {
    return this.#entries.slice(-most).reverse();
  }

  /** The gate of each cohort that has updates in the window; none without a budget. */
  evaluate(): readonly CohortGate[] {
    const rules = this.#rules;
    if (rules === null) return [];
    const baselines = new Map(
      cohortsOf(rules.baseline?.updates ?? []).map(({ key, updates }) => [cohortId(key), updates] as const),
    );
    return cohortsOf(this.#entries.map(({ sample }) => sample)).map(({ key, updates }) => {
      const cohort = { name: cohortName(key), updates };
      const before = baselines.get(cohortId(key));
      const baseline = before === undefined ? null : { name: rules.baseline?.name ?? "", updates: before };
      const { budget, budgetFile, seed } = rules;
      const comparison =
        baseline === null || budget.regression === null
          ? null
          : compareCohorts(latestOf(baseline), latestOf(cohort), {
              floors: budget.regression.floors ?? DEFAULT_FLOORS,
              seed,
            });
      return { key, document: gate({ budget, budgetFile, cohort, baseline, comparison, requireData: false }) };
    });
  }
}

const latestOf = (cohort: Cohort): Cohort => ({ ...cohort, updates: cohort.updates.slice(-MOST_COMPARED) });

/**
 * Like with like, by key. An update without a known blackout has no basis: it is part of each cohort of its probe level
 * and workload, so that what did not complete counts among those that did.
 */
function cohortsOf(
  updates: readonly UpdateSample[],
): readonly { readonly key: FleetCohort; readonly updates: readonly UpdateSample[] }[] {
  const groups = new Map<string, { readonly key: FleetCohort; readonly updates: UpdateSample[] }[]>();
  const withoutBasis: { readonly key: FleetCohort; readonly sample: UpdateSample }[] = [];
  const groupOf = (key: FleetCohort) => JSON.stringify([key.probeLevel, key.workload]);
  const add = (key: FleetCohort, sample: UpdateSample): void => {
    const group = groups.get(groupOf(key)) ?? [];
    groups.set(groupOf(key), group);
    const cohort = group.find((each) => each.key.basis === key.basis);
    if (cohort === undefined) group.push({ key, updates: [sample] });
    else cohort.updates.push(sample);
  };
  for (const sample of updates) {
    const key = fleetCohortOf(sample);
    if (key.basis === NO_VALUE) withoutBasis.push({ key, sample });
    else add(key, sample);
  }
  const measured = new Set(groups.keys());
  for (const { key, sample } of withoutBasis) {
    if (!measured.has(groupOf(key))) add(key, sample);
    else for (const cohort of groups.get(groupOf(key)) ?? []) cohort.updates.push(sample);
  }
  return [...groups.values()].flat().sort((a, b) => (cohortId(a.key) < cohortId(b.key) ? -1 : 1));
}
