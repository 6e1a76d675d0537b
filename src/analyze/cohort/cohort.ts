/** A cohort: live updates that are comparable. What they must have in common, and what may be under test. */
import type { CountedValue, Excluded, Unlike } from "../../model/documents/cohort.js";
import type { Factor } from "../../model/documents/comparison.js";
import type { Outcome } from "../../model/live-update.js";
import { doubtOf } from "../../model/trusted-durations.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { cohortKeyOf, IMAGE_TRAITS, NOT_RECORDED, traitDifferences } from "./cohort-key.js";

export interface Cohort {
  /** As its user named it. */
  readonly name: string;
  /** In the order given: by number of the file's name, as a rule the order in which they were taken. */
  readonly updates: readonly UpdateSample[];
}

/** What the cohorts, each for itself and together, do not have in common; empty if they are comparable. */
export function unlikeTraits(cohorts: readonly Cohort[]): readonly Unlike[] {
  const members = cohorts.flatMap(({ updates }, of) => updates.map((update) => ({ of, key: cohortKeyOf(update) })));
  return traitDifferences(members).map(({ trait, values }) => ({
    trait: trait.name,
    cohorts: cohorts.map(({ name }, i) => ({
      cohort: name,
      values: byNumber(
        [...values].map(([value, having]) => ({
          value: value ?? NOT_RECORDED,
          updates: having.filter((member) => member.of === i).length,
        })),
      ),
    })),
    why: trait.why,
  }));
}

/** One sentence for each unlike trait. */
export function unlikeSentence({ trait, cohorts, why }: Unlike): string {
  const sides = cohorts.map(({ cohort, values }) => `${cohort} has ${valuesText(values)}`);
  return `${trait} differs: ${sides.join(", ")} (${why})`;
}

/** `7.2.13`, or `7.2.13 (6), 7.3.4 (2)` if there are several; `none`. */
export function valuesText(values: readonly CountedValue[]): string {
  const [first] = values;
  if (first === undefined) return "none";
  if (values.length === 1) return first.value;
  return values.map(({ value, updates }) => `${value} (${updates})`).join(", ");
}

/** Distinct values, by how many updates have them, then by name. */
function counted(
  updates: readonly UpdateSample[],
  of: (update: UpdateSample) => string | null,
): readonly CountedValue[] {
  const counts = new Map<string, number>();
  for (const update of updates) {
    const value = of(update);
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return byNumber([...counts].map(([value, count]) => ({ value, updates: count })));
}

function byNumber(values: readonly CountedValue[]): readonly CountedValue[] {
  return values
    .filter(({ updates }) => updates > 0)
    .sort((a, b) => b.updates - a.updates || (a.value < b.value ? -1 : 1));
}

/** Factors of the cohorts; labels only if they differ (`labels.workload` is a trait, not a factor). */
export function factorsOf(cohorts: readonly Cohort[]): readonly Factor[] {
  const factor = (name: Factor["name"], of: (update: UpdateSample) => string | null): Factor => {
    const values = cohorts.map(({ updates }) => counted(updates, of));
    const texts = values.map((list) =>
      list
        .map(({ value }) => value)
        .sort()
        .join("\n"),
    );
    return { name, values, differs: new Set(texts).size > 1 };
  };
  const labels = new Set(cohorts.flatMap(({ updates }) => updates.flatMap((update) => Object.keys(update.labels))));
  labels.delete("workload");
  labels.delete("probe_level");
  return [
    factor("old kernel", (update) => update.kernel.old),
    factor("new kernel", (update) => update.kernel.new),
    factor("memory", (update) => (update.memoryKiB === null ? null : memoryText(update.memoryKiB))),
    factor("devices", devicesText),
    ...IMAGE_TRAITS.map(({ name, of }) =>
      factor(name, ({ image }) => (image === null ? NOT_RECORDED : (of(image) ?? NOT_RECORDED))),
    ).filter(({ differs }) => differs),
    ...[...labels]
      .sort()
      .map((label) => factor(`labels.${label}`, (update) => update.labels[label] ?? NOT_RECORDED))
      .filter(({ differs }) => differs),
  ];
}

/** To a tenth of a GiB: the kernel's own figure lacks what firmware keeps. */
function memoryText(kib: number): string {
  const gib = kib / (1 << 20);
  return gib >= 0.95 ? `${Number(gib.toFixed(1))} GiB` : `${Math.round(kib / 1024)} MiB`;
}

/** Devices that were causes, by driver: `5 e1000`; those without a known driver as `6 other`. */
function devicesText(update: UpdateSample): string | null {
  if (update.causes === null) return null;
  const drivers = new Map<string, Set<string>>();
  for (const { kind, id, detail } of update.causes) {
    if (kind !== "device") continue;
    const driver = detail === "" ? "other" : detail;
    drivers.set(driver, (drivers.get(driver) ?? new Set()).add(id));
  }
  if (drivers.size === 0) return null;
  const known = [...drivers].sort(([a], [b]) => Number(a === "other") - Number(b === "other") || (a < b ? -1 : 1));
  return known.map(([driver, ids]) => `${ids.size} ${driver}`).join(", ");
}

/**
 * Whether the update counts in statistics: it completed, and its blackout is known. What its own evidence contradicts
 * was taken from the sample before (model/trusted-durations.ts).
 */
export function isMeasured(update: UpdateSample): boolean {
  return update.outcome === "completed" && update.blackout.durationNs !== null;
}

/** Updates left out of the statistics: they are outcomes, and are reported as such. */
export function excludedOf(cohort: Cohort): readonly Excluded[] {
  return cohort.updates
    .filter((update) => !isMeasured(update))
    .map(({ source, name, outcome, outcomeReason, defectCodes }) => ({
      source,
      name,
      outcome,
      reason: outcome === "completed" ? (doubtOf({ defectCodes }) ?? "its blackout is not known") : outcomeReason,
    }));
}

export function countOutcomes(cohort: Cohort): Readonly<Record<Outcome, number>> {
  const counts = { completed: 0, "partly-restored": 0, aborted: 0, failed: 0, incomplete: 0 };
  for (const { outcome } of cohort.updates) counts[outcome] += 1;
  return counts;
}
