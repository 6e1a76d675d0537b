/** Where the tests find real captures: those shipped in traces/, and the full set beside the checkout if present. */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

export const projectRoot = resolve(import.meta.dirname, "../..");
export const traces = join(projectRoot, "traces");

const shared = resolve(projectRoot, "../shared/captures");

/** The full set of recordings, or null if only the shipped ones are present. */
export const sharedCaptures: string | null = existsSync(shared) ? shared : null;

/** Every single capture: shipped archives, and the full set if present (without members of cohorts). */
export function singleCaptures(): readonly string[] {
  const shipped = readdirSync(traces)
    .filter((name) => name.endsWith(".tar.gz"))
    .map((name) => join(traces, name));
  if (sharedCaptures === null) return shipped;
  const full = readdirSync(sharedCaptures)
    .filter((name) => name !== "README.md" && name !== "cohorts")
    .sort()
    .map((name) => join(sharedCaptures as string, name));
  return [...shipped, ...full];
}

/** The members of a cohort, sorted; from the full set if present, else the shipped ten. */
export function cohortCaptures(name: string): readonly string[] {
  const full = sharedCaptures === null ? null : join(sharedCaptures, "cohorts", name);
  const folder = full !== null && existsSync(full) ? full : join(traces, "cohorts", name);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".tar.gz"))
    .sort()
    .map((file) => join(folder, file));
}

/** The ten shipped members of a cohort. */
export function shippedCohort(name: string): readonly string[] {
  const folder = join(traces, "cohorts", name);
  return readdirSync(folder)
    .sort()
    .map((file) => join(folder, file));
}
