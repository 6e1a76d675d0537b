/**
 * An update as its guests saw it, for cohorts: the blackout is how long a guest stood still, and how long the host was
 * gone stands beside it as the management gap.
 */
import { err, ok, type Result } from "../../base/result.js";
import type { GuestConclusion, GuestDocument } from "../../model/documents/guest.js";
import { withTrustedDurations } from "../../model/trusted-durations.js";
import type { UpdateSample } from "../../model/update-sample.js";

/** The middle of the range, and half of its width: the true value lies within ± of it. */
function stopOf({ stoodStillNs: { lowerNs, upperNs } }: GuestConclusion): {
  readonly durationNs: number;
  readonly uncertaintyNs: number;
} {
  const half = Math.ceil((upperNs - lowerNs) / 2);
  return { durationNs: upperNs - half, uncertaintyNs: half };
}

/**
 * The sample with the blackout of basis `guest-ticks`: of several guests the longest stop. `sample` is the update's
 * own. An error is a sentence: a log that missed the stop, or whose clock was stopped, shows no blackout.
 */
export function sampleOfGuests(sample: UpdateSample, { conclusions }: GuestDocument): Result<UpdateSample, string> {
  if (conclusions.length === 0) {
    return err("no tick log can be compared with the host: the capture shows neither marks nor vCPUs of its guest");
  }
  for (const { file, result } of conclusions) {
    if (result === "too-short") return err(`${file}: the log covers less time than the host was gone`);
    if (result === "clock-stopped") return err(`${file}: the guest's clock was stopped with the guest`);
  }
  const stops = conclusions.map((conclusion) => ({ conclusion, ...stopOf(conclusion) }));
  const longest = stops.reduce((a, b) => (b.durationNs > a.durationNs ? b : a));
  const { managementGapNs, managementGapUncertaintyNs } = longest.conclusion;
  const seen = {
    ...sample,
    blackout: { basis: "guest-ticks", durationNs: longest.durationNs, uncertaintyNs: longest.uncertaintyNs },
    managementGap: { durationNs: managementGapNs, uncertaintyNs: managementGapUncertaintyNs },
    vms: stops.map(({ conclusion, durationNs }, i) => ({ id: conclusion.vm ?? `guest ${i + 1}`, durationNs })),
    // The causes are of the host's blackout: they do not add up to the guests'.
    causes: null,
  } as const;
  return ok(withTrustedDurations(seen));
}
