/** Like with like: what live updates must have in common before their durations are looked at together. */
import { COHORT_PROPERTIES, type CohortDifference, type CohortProperty } from "../../model/documents/percentiles.js";
import type { UpdateSample } from "../../model/update-sample.js";

/** What must be equal; null where a capture does not say, which is equal to no stated value. */
export interface CohortKey {
  /** How much was traced: tracing itself costs time (a function graph half as much again as markers alone). */
  readonly probeLevel: string | null;
  readonly workload: string | null;
  /** VM marks and the kernel's own phases bound different blackouts. */
  readonly basis: string | null;
}

/** Why unlike ones are no cohort. */
export const COHORT_PROPERTY_WHY: Readonly<Record<CohortProperty, string>> = {
  probeLevel: "probes cost time of their own: the same update took half as long again at graph as at markers",
  workload: "the guests did different work",
  basis: "the blackout from VM to VM is longer than the one the kernel observes",
};

export const COHORT_PROPERTY_TEXT: Readonly<Record<CohortProperty, string>> = {
  probeLevel: "probe level",
  workload: "workload",
  basis: "blackout basis",
};

export function cohortKeyOf({ probeLevel, labels, blackout }: UpdateSample): CohortKey {
  return { probeLevel, workload: labels.workload ?? null, basis: blackout.basis };
}

/** Something with a cohort key, and where it came from. */
export interface CohortMember {
  readonly from: string;
  readonly key: CohortKey;
}

/** In what the members differ; empty where they are alike. */
export function cohortDifferences(members: readonly CohortMember[]): readonly CohortDifference[] {
  return COHORT_PROPERTIES.flatMap((property): CohortDifference[] => {
    const found = new Map<string | null, { members: number; readonly first: string }>();
    for (const { from, key } of members) {
      const known = found.get(key[property]);
      if (known === undefined) found.set(key[property], { members: 1, first: from });
      else known.members += 1;
    }
    if (found.size < 2) return [];
    return [{ property, values: [...found].map(([value, rest]) => ({ value, ...rest })) }];
  });
}

/** What all members agree on; null for a property in which they differ. */
export function commonKey(members: readonly CohortMember[]): CohortKey {
  const common = (property: CohortProperty): string | null => {
    const first = members[0]?.key[property] ?? null;
    return members.every(({ key }) => key[property] === first) ? first : null;
  };
  return { probeLevel: common("probeLevel"), workload: common("workload"), basis: common("basis") };
}
