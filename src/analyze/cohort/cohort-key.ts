/** Like with like: what live updates must have in common before their durations are looked at together. */
import { formatSize } from "../../base/text/format.js";
import type { Unlike } from "../../model/documents/cohort.js";
import type { ImageFactor } from "../../model/documents/comparison.js";
import type { CohortDifference, CohortProperty } from "../../model/documents/percentiles.js";
import type { ImageSample, UpdateSample } from "../../model/update-sample.js";

/** What must be equal; null: not recorded. Whether that differs from a recorded value, the trait declares. */
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
  /** Whether an update without it may be another's like: `ignored` if it then has nothing that could be compared. */
  readonly absent: "differs" | "ignored";
}

export const COHORT_TRAITS: readonly CohortTrait[] = [
  {
    property: "probeLevel",
    text: "probe level",
    name: "probe level",
    why: "probes cost time of their own: the same update took half as long again at graph as at markers",
    absent: "differs",
  },
  {
    property: "workload",
    text: "workload",
    name: "labels.workload",
    why: "the guests did different work",
    absent: "differs",
  },
  {
    property: "basis",
    text: "blackout basis",
    name: "blackout basis",
    why: "the blackout from VM to VM is longer than the one the kernel observes",
    absent: "ignored",
  },
];

/** A trait of the image that is started: what may be under test, so that it explains a difference and refuses none. */
export interface ImageTrait {
  readonly name: ImageFactor;
  readonly of: (image: ImageSample) => string | null;
}

const sized = (bytes: number | null): string | null => (bytes === null ? null : formatSize(bytes));

export const IMAGE_TRAITS: readonly ImageTrait[] = [
  { name: "compressor", of: ({ compression }) => compression },
  { name: "image size", of: ({ payloadBytes }) => sized(payloadBytes) },
  { name: "image memory", of: ({ initBytes }) => sized(initBytes) },
  { name: "initramfs", of: ({ initrdBytes }) => sized(initrdBytes) },
  { name: "configuration", of: ({ config }) => config },
  { name: "KASLR", of: ({ kaslr }) => (kaslr === null ? null : kaslr ? "on" : "off") },
  { name: "CPUs", of: ({ cpus }) => (cpus === null ? null : `${cpus}`) },
  { name: "preserved memory", of: ({ preservedBytes }) => sized(preservedBytes) },
  { name: "preserved folios", of: ({ preservedFolios }) => (preservedFolios === null ? null : `${preservedFolios}`) },
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

/** A trait that differs, and who has which value of it: in the order of their first member. */
export interface TraitDifference<M> {
  readonly trait: CohortTrait;
  readonly values: ReadonlyMap<string | null, readonly M[]>;
}

/** In what the members differ; empty if they are alike. Every command's notion of likeness is this one. */
export function traitDifferences<M extends { readonly key: CohortKey }>(
  members: readonly M[],
): readonly TraitDifference<M>[] {
  return COHORT_TRAITS.flatMap((trait): TraitDifference<M>[] => {
    const values = membersByValue(members, trait);
    return values.size < 2 ? [] : [{ trait, values }];
  });
}

function membersByValue<M extends { readonly key: CohortKey }>(
  members: readonly M[],
  { property, absent }: CohortTrait,
): ReadonlyMap<string | null, readonly M[]> {
  const found = new Map<string | null, M[]>();
  for (const member of members) {
    const value = member.key[property];
    if (value === null && absent === "ignored") continue;
    const known = found.get(value);
    if (known === undefined) found.set(value, [member]);
    else known.push(member);
  }
  return found;
}

/** The differences as the documents of percentiles and histogram logs have them. */
export function cohortDifferences(members: readonly CohortMember[]): readonly CohortDifference[] {
  return traitDifferences(members).map(({ trait, values }) => ({
    property: trait.property,
    values: [...values].map(([value, having]) => ({
      value,
      members: having.length,
      first: (having[0] as CohortMember).from,
    })),
  }));
}

/** What all members agree on; null for a trait in which they differ, or that none has. */
export function commonKey(members: readonly CohortMember[]): CohortKey {
  const key = { probeLevel: null as string | null, workload: null as string | null, basis: null as string | null };
  for (const trait of COHORT_TRAITS) {
    const [value = null, ...others] = membersByValue(members, trait).keys();
    if (others.length === 0) key[trait.property] = value;
  }
  return key;
}
