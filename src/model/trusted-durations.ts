/**
 * Which durations of an update are taken from it. The one place that decides: every sample passes it where it is made
 * or read, so that percentiles, comparison, gate, history, qualification, metrics and archive all leave out the same.
 */
import { countDefects, type DefectCount, type UpdateSample } from "./update-sample.js";

/** What a defect leaves of an update's durations: those inside one kernel, or none. */
type Leaves = "inside-one-kernel" | "nothing";

interface DurationDefect {
  readonly leaves: Leaves;
  /** The end of a sentence: "its durations are not taken: …". */
  readonly why: string;
}

/** Defects that, as errors, show durations to be wrong. Codes are those of docs/capture-format.md. */
const DURATION_DEFECTS: Readonly<Record<string, DurationDefect>> = {
  "clock-link-contradicted": { leaves: "inside-one-kernel", why: "other evidence contradicts its clock link" },
  "halves-apart": { leaves: "inside-one-kernel", why: "its parts are of two updates" },
  "trace-clock-contradicted": { leaves: "nothing", why: "no clock fits a kernel's stamps" },
  "events-far-off": { leaves: "nothing", why: "stamps lie more than 52 days away from the others" },
  "ring-first-stamp": { leaves: "nothing", why: "a page begins before the kernel's oldest event" },
  "ring-time-backwards": { leaves: "nothing", why: "a CPU's time goes back" },
  "ring-page-overfull": { leaves: "nothing", why: "a page states more data than it can hold" },
};

/** The codes of those defects. */
export const DOUBTED_CODES: readonly string[] = Object.keys(DURATION_DEFECTS);

/** Stands among a sample's defects if a duration was negative, which no kernel's clock gives. */
export const NEGATIVE_DURATION = "duration-negative";
const NEGATIVE_WHY = "a duration is negative: its ends are in the wrong order";

/** Why an update's blackout was not taken from it; null if nothing in its sample contradicts its durations. */
export function doubtOf({ defectCodes }: Pick<UpdateSample, "defectCodes">): string | null {
  const errors = (defectCodes ?? []).filter(({ severity }) => severity === "error");
  for (const { code } of errors) {
    const known = defectOf(code);
    if (known !== null) return `${known.why} (${code})`;
  }
  return errors.some(({ code }) => code === NEGATIVE_DURATION) ? `${NEGATIVE_WHY} (${NEGATIVE_DURATION})` : null;
}

function defectOf(code: string): DurationDefect | null {
  return Object.hasOwn(DURATION_DEFECTS, code) ? (DURATION_DEFECTS[code] as DurationDefect) : null;
}

/** The sample without the durations that its own evidence contradicts; itself if there are none. */
export function withTrustedDurations(sample: UpdateSample): UpdateSample {
  const leaves = (sample.defectCodes ?? []).flatMap(({ code, severity }) => {
    const found = severity === "error" ? defectOf(code) : null;
    return found === null ? [] : [found.leaves];
  });
  const contradicted = leaves.length > 0;
  const nothing = leaves.includes("nothing");
  const { blackout, seam, phases, vms, managementGap } = sample;
  // A guest's ticks are of the guest's own clock: no clock link is in them.
  const byGuest = blackout.basis === "guest-ticks";
  const isNegative = (ns: number | null): boolean => ns !== null && ns < 0;
  // The seam's ends are of two kernels: within its ± it may be negative.
  const negatives = [
    blackout.durationNs,
    managementGap.durationNs,
    ...Object.values(phases),
    ...vms.map(({ durationNs }) => durationNs),
  ];
  const anyNegative = negatives.some(isNegative);
  if (!contradicted && !anyNegative) return sample;
  const across = (ns: number | null): number | null => (contradicted || isNegative(ns) ? null : ns);
  const stood = (ns: number | null): number | null => (isNegative(ns) ? null : byGuest ? ns : across(ns));
  const inside = (ns: number | null): number | null => (nothing || isNegative(ns) ? null : ns);
  const durationNs = stood(blackout.durationNs);
  const isKnown = durationNs !== null;
  const gapNs = across(managementGap.durationNs);
  return {
    ...sample,
    blackout: { basis: blackout.basis, durationNs, uncertaintyNs: isKnown ? blackout.uncertaintyNs : null },
    managementGap: { durationNs: gapNs, uncertaintyNs: gapNs === null ? null : managementGap.uncertaintyNs },
    seam: contradicted ? { durationNs: null, uncertaintyNs: null } : seam,
    phases: {
      prepare: inside(phases.prepare),
      freeze: inside(phases.freeze),
      kexec: across(phases.kexec),
      restore: inside(phases.restore),
      finish: inside(phases.finish),
    },
    vms: vms.map((vm) => ({ id: vm.id, durationNs: stood(vm.durationNs) })),
    causes: isKnown ? sample.causes : null,
    ...(anyNegative ? withNegative(sample) : {}),
  };
}

function withNegative({ defects, defectCodes }: UpdateSample): Pick<UpdateSample, "defects" | "defectCodes"> {
  const one: DefectCount = { code: NEGATIVE_DURATION, severity: "error", count: 1 };
  return {
    defects: { ...defects, error: defects.error + 1 },
    defectCodes: defectCodes === null ? null : countDefects([...defectCodes, one]),
  };
}
