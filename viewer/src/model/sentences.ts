/** What is seen and what is not, as sentences for the header, the tables and the details. */

import { assertNever } from "../../../src/base/result.js";
import type { LiveUpdateDocument, Outcome, PhaseDocument } from "../../../src/model/live-update.js";
import { formatDuration, formatSigned, plusMinus, visibleText } from "./format.js";

export function outcomeWord(outcome: Outcome): string {
  switch (outcome) {
    case "completed":
      return "Completed";
    case "partly-restored":
      return "Partly restored";
    case "aborted":
      return "Aborted";
    case "failed":
      return "Failed";
    case "incomplete":
      return "Incomplete";
    default:
      return assertNever(outcome);
  }
}

/** What the blackout's two ends rest on, or why there is no number. */
export function blackoutSentence(document: LiveUpdateDocument): string {
  const { blackout, clock } = document;
  if (blackout.durationNs === null) {
    if (clock.method === "none") {
      return "The two kernels' clocks could not be linked, so no duration across the kexec is shown. Each kernel has a time axis of its own.";
    }
    const missing = [blackout.beginNs === null ? "its begin" : null, blackout.endNs === null ? "its end" : null].filter(
      (part) => part !== null,
    );
    return missing.length === 0
      ? "The blackout could not be measured in this capture."
      : `The capture does not show ${missing.join(" or ")}, and neither is guessed.`;
  }
  switch (blackout.basis) {
    case "vm-marks":
      return "From the first VM’s pause to the last VM’s resume, as marked.";
    case "vcpu":
      return "From the last entry to or exit from a guest in the old kernel to the first in the new one, of the first VM to stop and the last to run.";
    case "guest-ticks":
      return "From the guests’ own ticks: how long the one that stopped longest stood still.";
    case "kernel-observed":
      return "Kernel-observed: from the begin of freeze to the end of restore. No mark shows when the VMs stood still; their blackout was longer.";
    case null:
      return "The evidence for its two ends is not stated.";
    default:
      return assertNever(blackout.basis);
  }
}

export function clockSentence(document: LiveUpdateDocument): string {
  const { clock } = document;
  const bound =
    clock.uncertaintyNs === null ? "" : `, ${plusMinus(clock.uncertaintyNs) || "± 0"} from one kernel to the other`;
  switch (clock.method) {
    case "x86-tsc":
      return `Both kernels were traced on the TSC, which runs on through the kexec${bound}.`;
    case "clock-pairs":
      return `The kernels’ clocks are linked by simultaneous readings of TSC and trace clock${bound}.`;
    case "kvm-clock":
      return `The kernels’ clocks are linked by the kvm-clock offsets in both kernel logs${bound}.`;
    case "realtime":
      return `The kernels’ clocks are linked by wall-clock anchors in both boots${bound}.`;
    case "single":
      return "Events of one kernel only: its own clock is enough.";
    case "none":
      return "No clock link: two separate axes.";
    default:
      return assertNever(clock.method);
  }
}

/** Why a phase has no duration: what was not seen, and when it can have happened. Empty if both ends were seen. */
export function unseenSentence(phase: PhaseDocument): string {
  const parts: string[] = [];
  if (phase.beginNs === null) parts.push(`begin not seen${rangeText(phase.beginRangeNs)}`);
  if (phase.endNs === null) parts.push(`end not seen${rangeText(phase.endRangeNs)}`);
  if (parts.length > 0) return parts.join("; ");
  return phase.durationNs === null ? "its ends are on two axes" : "";
}

function rangeText(range: readonly [number | null, number | null] | null): string {
  const [earliest, latest] = range ?? [null, null];
  if (earliest !== null && latest !== null) return ` (between ${formatSigned(earliest)} and ${formatSigned(latest)})`;
  if (earliest !== null) return ` (not before ${formatSigned(earliest)})`;
  if (latest !== null) return ` (not after ${formatSigned(latest)})`;
  return "";
}

/** The evidence for the phase's ends. */
export function evidenceText(phase: PhaseDocument): string {
  const { begin, end } = phase.evidence;
  const text = [begin, end].map((found) => (found === null ? "–" : visibleText(found.event)));
  return text[0] === text[1] ? (text[0] as string) : text.join(" → ");
}

/** The duration of a range, with the clock link's ± if it crosses from one kernel into the other. */
export function rangeDuration(document: LiveUpdateDocument, beginNs: number, endNs: number): string {
  const { seam, clock } = document;
  const crosses = seam.beginNs !== null && seam.endNs !== null && beginNs < seam.endNs && endNs > seam.beginNs;
  const soft = crosses ? plusMinus(clock.uncertaintyNs) : "";
  return soft === "" ? formatDuration(endNs - beginNs) : `${formatDuration(endNs - beginNs)} ${soft}`;
}
