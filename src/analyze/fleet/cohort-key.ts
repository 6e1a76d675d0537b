/** Which updates of a fleet may be counted together: like with like, by the traits that a cohort must have in common. */
import type { UpdateSample } from "../cohort/update-sample.js";

/** A fleet's updates are divided by these; each is short, and of few values. */
export interface CohortKey {
  /** `none`: not recorded. */
  readonly probeLevel: string;
  readonly workload: string;
  /** Of the blackout; `none` where it is not known. */
  readonly basis: string;
}

/** Stands for what was not recorded. */
export const NOT_RECORDED = "none";

/** Labels are a capture's own text: a longer one is cut, so that no capture makes a metric's line long. */
const LONGEST = 64;

export function cohortKeyOf(update: UpdateSample): CohortKey {
  return {
    probeLevel: shortened(update.probeLevel),
    workload: shortened(update.labels.workload ?? null),
    basis: update.blackout.basis ?? NOT_RECORDED,
  };
}

function shortened(text: string | null): string {
  if (text === null || text === "") return NOT_RECORDED;
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

/** The same text for the same key, and no other. */
export function cohortId({ probeLevel, workload, basis }: CohortKey): string {
  return JSON.stringify([probeLevel, workload, basis]);
}

/** `probes, memfd-2x2, vm-marks`: for messages. */
export function cohortName({ probeLevel, workload, basis }: CohortKey): string {
  return `${probeLevel}, ${workload}, ${basis}`;
}
