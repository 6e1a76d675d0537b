/** Like with like: what live updates must have in common before their durations are looked at together. */
import type { Unlike } from "../../model/documents/cohort.js";
import type { CohortDifference, CohortProperty } from "../../model/documents/percentiles.js";
import type { UpdateSample } from "../../model/update-sample.js";

/** What must be equal; null where a capture does not say, which is equal to no stated value. */
export interface CohortKey {
  /** How much was traced: tracing itself costs time (a function graph half as much again as markers alone). */
  readonly probeLevel: string | null;
  readonly workload: string | null;
  /** VM marks and the kernel's own phases bound different blackouts. */
  readonly basis: string | null;
}

/** What updates must have in common: the one table that every command's likeness, and its words for it, come from. */
export interface CohortTrait {
  readonly property: CohortProperty;
  /** For people. */
  readonly text: string;
  /** In documents of comparisons: a label by its key, as options name it. */
  readonly name: Unlike["trait"];
  /** Why updates that differ in it are not one cohort. */
  readonly why: string;
}

export const COHORT_TRAITS: readonly CohortTrait[] = [
  {
    property: "probeLevel",
    text: "probe level",
    name: "probe level",
    why: "probes cost time of their own: the same update took half as long again at graph as at markers",
  },
  { property: "workload", text: "workload", name: "labels.workload", why: "the guests did different work" },
  {
    property: "basis",
    text: "blackout basis",
    name: "blackout basis",
    why: "the blackout from VM to VM is longer than the one the kernel observes",
  },
];

/** `probe level`: a trait for people. */
export function traitText(property: CohortProperty): string {
  return COHORT_TRAITS.find((trait) => trait.property === property)?.text ?? property;
}

/** Stands for a trait that a capture does not have. */
export const NOT_RECORDED = "not recorded";

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
  return COHORT_TRAITS.flatMap(({ property }): CohortDifference[] => {
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
