/** The cohorts of a command's arguments: loaded, named and checked for likeness in one way by every command. */
import type { Cohort } from "../../analyze/cohort/cohort.js";
import { err, ok, type Result } from "../../base/result.js";
import { type Context, exit, unusable } from "../frame/command.js";
import type { CaptureOptions } from "../input/capture-options.js";
import { displayNames, type LoadedCohort, loadCohort, refusalOf } from "./cohort-load.js";

export interface Cohorts {
  /** In the order of the arguments, each with a name that distinguishes it from the others. */
  readonly cohorts: readonly Cohort[];
  /** What the command exits with if nothing else decides: `unusableInput` if some inputs could not be used. */
  readonly code: number;
}

/** The error is the command's exit code: a cohort could not be loaded. Inputs that cannot be used are printed. */
export async function loadCohorts(
  context: Context,
  paths: readonly string[],
  reading: CaptureOptions,
): Promise<Result<Cohorts, number>> {
  const loaded: LoadedCohort[] = [];
  for (const path of paths) {
    const cohort = await loadCohort(context, path, reading);
    if (!cohort.ok) return err(unusable(context, cohort.error));
    loaded.push(cohort.value);
  }
  const failures = loaded.flatMap((each) => each.failures);
  for (const failure of failures) unusable(context, failure);
  const code = failures.length > 0 ? exit.unusableInput : exit.success;
  return ok({ cohorts: displayNames(loaded.map(({ cohort }) => cohort)), code });
}

/** The exit code if the cohorts are unlike and were not forced together; null if they may be taken together. */
export function refuseUnlike(context: Context, cohorts: readonly Cohort[], force: boolean): number | null {
  const refusal = refusalOf(cohorts);
  return refusal === null || force ? null : unusable(context, refusal);
}
