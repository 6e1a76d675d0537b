/** Answers about many live updates. */
import type { Cohort } from "../analyze/cohort/cohort.js";
import { compareCohorts } from "../analyze/compare/comparison.js";
import { DEFAULT_FLOORS } from "../analyze/compare/levels.js";
import { gate } from "../analyze/gate/gate.js";
import { contextOf } from "../cli/frame/command-context.js";
import { readBudget } from "../cli/input/budget-file.js";
import { displayNames, refusalOf, streamCohort } from "../cli/workers/cohort-load.js";
import type { Comparison, Floors } from "../model/documents/comparison.js";
import type { GateDocument } from "../model/documents/gate.js";
import type { UpdateSample } from "../model/update-sample.js";
import { BlackoutProblem, captureOptionsFrom, type ReadOptions } from "./problem.js";

/**
 * A cohort: an argument of `blackout compare` (a folder or pattern of captures, a file of analysed updates, an archive
 * with or without `?KEY=VALUE&...`), or updates in memory with a name for them.
 */
export type CohortInput = string | { readonly name: string; readonly updates: readonly UpdateSample[] };

export interface ReadUpdatesOptions extends ReadOptions {
  /** Called with a sentence for each capture that cannot be used; without it, the first one is thrown. */
  readonly onUnusable?: (reason: string) => void;
}

export interface CompareCohortsOptions extends ReadUpdatesOptions {
  /** Ignore smaller changes; default: those of `blackout compare`. */
  readonly floors?: Floors;
  /** Of the resampling; the same seed reproduces the result. Default 1. */
  readonly seed?: number;
  /** Compare cohorts that are not alike; the answer is then marked `forced`. */
  readonly force?: boolean;
}

export interface GateOptions extends ReadUpdatesOptions {
  /** The budget file (docs/budget.md). */
  readonly budget: string;
  readonly cohort: CohortInput;
  readonly baseline?: CohortInput;
  /** The verdict is `insufficient` unless every limit could be decided. */
  readonly requireData?: boolean;
  readonly seed?: number;
  readonly force?: boolean;
}

const silent = { write: () => {}, closed: false, isTerminal: false, columns: null } as const;

export interface CohortUpdate {
  readonly update: UpdateSample;
  /** The capture that it was read from; null if it was analysed before. */
  readonly capture: string | null;
}

/** Updates of a cohort, one after the other, as `blackout cohort --json` prints them. Memory does not grow. */
export async function* updatesOfCohort(
  cohort: string,
  options: ReadUpdatesOptions = {},
): AsyncGenerator<CohortUpdate, void> {
  const surroundings = { stdout: silent, stderr: silent, env: {}, version: "", nowMs: () => performance.now() };
  const context = contextOf(surroundings, { noColour: true, forProgram: true });
  for await (const item of streamCohort(context, cohort, captureOptionsFrom(options))) {
    if (item.kind === "update") yield { update: item.update, capture: item.capture };
    else if (item.kind === "refused" || options.onUnusable === undefined) {
      throw new BlackoutProblem("unusable-input", item.reason);
    } else options.onUnusable(item.reason);
  }
}

async function loadOne(input: CohortInput, options: ReadUpdatesOptions): Promise<Cohort> {
  if (typeof input !== "string") return { name: input.name, updates: input.updates };
  const updates: UpdateSample[] = [];
  for await (const { update } of updatesOfCohort(input, options)) updates.push(update);
  if (updates.length === 0) throw new BlackoutProblem("unusable-input", `${input}: none of its captures can be used.`);
  return { name: input, updates };
}

function mustBeAlike(cohorts: readonly Cohort[], force: boolean): void {
  const refusal = refusalOf(cohorts);
  if (refusal !== null && !force) throw new BlackoutProblem("unlike", refusal);
}

const usualSeed = 1;

/** Is the candidate slower, by how much, and why: what `blackout compare --json` prints. */
export async function compareTwo(
  base: CohortInput,
  candidate: CohortInput,
  options: CompareCohortsOptions = {},
): Promise<Comparison> {
  const cohorts = displayNames([await loadOne(base, options), await loadOne(candidate, options)]);
  mustBeAlike(cohorts, options.force ?? false);
  const [first, second] = cohorts as [Cohort, Cohort];
  const { floors = DEFAULT_FLOORS, seed = usualSeed } = options;
  const comparison = compareCohorts(first, second, { floors, seed });
  if (comparison === null) {
    throw new BlackoutProblem("unusable-input", "A cohort has no completed update whose blackout is known.");
  }
  return comparison;
}

/** A cohort checked against a budget and a baseline: what `blackout gate --json` prints. */
export async function gateCohort(options: GateOptions): Promise<GateDocument> {
  const budget = readBudget(options.budget);
  if (!budget.ok) throw new BlackoutProblem("usage", budget.error);
  const loaded = [await loadOne(options.cohort, options)];
  if (options.baseline !== undefined) loaded.push(await loadOne(options.baseline, options));
  const [cohort, baseline = null] = displayNames(loaded) as [Cohort, Cohort?];
  mustBeAlike(baseline === null ? [cohort] : [baseline, cohort], options.force ?? false);
  const floors = budget.value.regression?.floors ?? DEFAULT_FLOORS;
  return gate({
    budget: budget.value,
    budgetFile: options.budget,
    cohort,
    baseline,
    comparison:
      baseline === null ? null : compareCohorts(baseline, cohort, { floors, seed: options.seed ?? usualSeed }),
    requireData: options.requireData ?? false,
  });
}
