/** How the update ended, and what shows it. */
import type { Collected, KeyEvent, LogVerdict } from "../../model/collected.js";
import { isKernelLine } from "../../model/kernel-lines.js";
import type { Outcome } from "../../model/live-update.js";
import { FUNCTIONS } from "../../model/luo.js";
import type { FoundBoundary } from "../evidence/boundaries.js";
import { lastCancel, stateEvent } from "../evidence/dialect.js";
import { lossSentence, notSeenSentence, type Restoration } from "./restoration.js";

export interface OutcomeVerdict {
  readonly outcome: Outcome;
  /** One sentence. */
  readonly reason: string;
}

function abortOf(events: readonly KeyEvent[]): KeyEvent | undefined {
  return events.find(
    (event) =>
      event.at.boot === "old" &&
      ((event.what === "return" && event.name === FUNCTIONS.liveupdateReboot.name) ||
        (event.what === "syscall-exit" && event.name === "reboot")) &&
      event.fields.has("ret") &&
      Number(event.fields.get("ret")) !== 0,
  );
}

/** The state machine's last step in the old kernel, if that took LUO back to normal: the update was called off. */
function cancelOf({ keyEvents, printk, newBootReached }: Collected): string | null {
  if (newBootReached) return null;
  const last = printk.findLast(({ line }) => line.boot === "old" && stateEvent(line.text) !== null)?.line;
  if (last !== undefined)
    return stateEvent(last.text) === "cancel" ? `'${last.text}' (${last.file}:${last.line})` : null;
  const cancel = lastCancel(keyEvents);
  const prepared = keyEvents.findLast(({ name, what }) => name === FUNCTIONS.statePrepare.name && what === "call");
  if (cancel === null || (prepared !== undefined && prepared.at.ns > cancel.at.ns)) return null;
  return `'${cancel.name}' (${cancel.file}:${cancel.place})`;
}

function sentenceOf(verdict: LogVerdict, kernels: Collected["kernel"]): string {
  const kernel = verdict.boot === "old" ? "The old kernel" : "The new kernel";
  const where = `${verdict.file}:${verdict.line}`;
  switch (verdict.what) {
    case "panic":
      return `${kernel} panicked: '${verdict.text}' (${where}).`;
    case "luo-refused":
      return `${kernel} refused the live update's state: '${verdict.text}' (${where}).`;
    case "abi-refused":
      return `${kernel}${named(kernels.new)} does not have the ABI of what the old one${named(kernels.old)} handed over: '${verdict.text}' (${where}).`;
    case "kho-off":
      return `${kernel} ran without KHO, so nothing could be handed over: '${verdict.text}' (${where}).`;
    case "freeze-failed":
      return `The freeze was refused: '${verdict.text}' (${where}).`;
  }
}

const named = (release: string | null): string => (release === null ? "" : `, ${release},`);

/** Of a new kernel whose log ends before it started init (`run_init_process`, init/main.c); null for others. */
function lastWordsOf({ printk }: Collected): string | null {
  const said = printk.filter(({ line }) => line.boot === "new").map(({ line }) => line);
  const last = said.at(-1);
  if (last === undefined || said.some(({ text }) => isKernelLine(text, "init-process"))) return null;
  return `The new kernel never reached user space: its log ends with '${last.text}' (${last.file}:${last.line}).`;
}

/**
 * Aborted: `liveupdate_reboot` (or the reboot syscall) returned an error and the old kernel went on. Failed: the new
 * kernel never came up, or refused LUO's state. Partly restored: it came up, and something that was preserved is
 * known to be lost. Completed: nothing is, the restore's end is seen, and the blackout is known; a session that was not
 * seen to be restored is named. Otherwise incomplete, naming what is missing.
 */
export function outcomeOf(
  collected: Collected,
  found: { readonly [name in "pause" | "resume" | "restoreEnd" | "freezeBegin"]: FoundBoundary },
  blackoutKnown: boolean,
  restoration: Restoration,
): OutcomeVerdict {
  // If the new kernel was reached, an attempt that was refused was an earlier one.
  const abort = collected.newBootReached ? undefined : abortOf(collected.keyEvents);
  if (abort !== undefined) {
    return {
      outcome: "aborted",
      reason: `${abort.name} returned ${abort.fields.get("ret")}: the update was refused and the old kernel went on.`,
    };
  }
  const cancel = cancelOf(collected);
  if (cancel !== null) return { outcome: "aborted", reason: `The update was cancelled: ${cancel}.` };
  const refused = collected.verdicts.find((verdict) => verdict.what === "freeze-failed");
  if (refused !== undefined && !collected.newBootReached)
    return { outcome: "aborted", reason: sentenceOf(refused, collected.kernel) };
  const restored = found.restoreEnd.ns !== null;
  const fatal = collected.verdicts.find((verdict) => verdict.what !== "freeze-failed");
  if (!restored && fatal !== undefined) return { outcome: "failed", reason: sentenceOf(fatal, collected.kernel) };
  const late = collected.verdicts.find(({ what, boot }) => what === "panic" && boot === "new");
  if (late !== undefined && found.resume.ns === null)
    return { outcome: "failed", reason: sentenceOf(late, collected.kernel) };
  if (!collected.newBootReached) {
    const hung = lastWordsOf(collected);
    if (hung !== null) return { outcome: "failed", reason: hung };
    return {
      outcome: collected.extents.old === null ? "incomplete" : "failed",
      reason: "Nothing was recorded in the new kernel: it never reached user space, or its part was not collected.",
    };
  }
  if (restoration.losses.length > 0) return { outcome: "partly-restored", reason: lossSentence(restoration) };
  const missing: string[] = [];
  if (found.pause.ns === null && found.freezeBegin.ns === null) missing.push("the VMs' pause and the freeze's begin");
  if (!restored && found.resume.ns === null) missing.push("the restore's end and the VMs' resume");
  if (missing.length === 0 && !blackoutKnown) {
    missing.push(collected.link.joint ? "one end of the blackout" : "a clock link between the two kernels");
  }
  return missing.length > 0
    ? { outcome: "incomplete", reason: `Not recorded: ${missing.join("; ")}.` }
    : {
        outcome: "completed",
        reason:
          restoration.notSeen.length === 0
            ? "The new kernel restored what the old one preserved."
            : notSeenSentence(restoration.notSeen),
      };
}
