/** A cohort of a fleet, as metrics and messages name it: what a cohort must have in common, as short texts. */

import { COHORT_PROPERTIES, type CohortProperty } from "../../model/documents/percentiles.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { cohortKeyOf } from "../cohort/cohort-key.js";

/** `none`: not recorded, or, of the basis, that the blackout is not known. Each is short, and of few values. */
export type FleetCohort = Readonly<Record<CohortProperty, string>>;

/** Stands for what was not recorded. */
export const NO_VALUE = "none";

/** Labels are a capture's own text: a longer one is cut, so that no capture makes a metric's line long. */
const LONGEST = 64;

export function fleetCohortOf(update: UpdateSample): FleetCohort {
  const key = cohortKeyOf(update);
  return { probeLevel: shortened(key.probeLevel), workload: shortened(key.workload), basis: shortened(key.basis) };
}

function shortened(text: string | null): string {
  if (text === null || text === "") return NO_VALUE;
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

/** The same text for the same cohort, and no other. */
export function cohortId(cohort: FleetCohort): string {
  return JSON.stringify(COHORT_PROPERTIES.map((property) => cohort[property]));
}

/** `probes, memfd-2x2, vm-marks`: for messages. */
export function cohortName(cohort: FleetCohort): string {
  return COHORT_PROPERTIES.map((property) => cohort[property]).join(", ");
}
