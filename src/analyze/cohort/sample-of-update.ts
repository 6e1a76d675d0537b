/** From an analysed live update, spans and kernel log included, to its sample. */

import { captured, isKernelLine, type KernelLineId } from "../../model/kernel-lines.js";
import { withTrustedDurations } from "../../model/trusted-durations.js";
import { LAST_INSTANT_MS, sampleOfDocument, type UpdateSample } from "../../model/update-sample.js";
import type { AttributedUpdate } from "../attribution/update.js";
import { causesOfUpdate } from "./causes-of-update.js";

/** `nodeName`: what the host's `uname -n` says, for captures that have no label `host`. */
export function sampleOfUpdate(update: AttributedUpdate, source: string, nodeName: string | null): UpdateSample {
  const sample = sampleOfDocument(update.document, source);
  const lastOf = (id: KernelLineId): string =>
    update.printk.findLast(({ boot, text }) => boot === "new" && isKernelLine(text, id))?.text ?? "";
  const seconds = captured("rtc-read", lastOf("rtc-read"))?.seconds ?? null;
  // NaN if the log has no such line.
  const takenAtMs = Number(seconds ?? Number.NaN) * 1000;
  const memory = captured("memory", lastOf("memory"))?.kib ?? null;
  return withTrustedDurations({
    ...sample,
    host: sample.host ?? nodeName,
    takenAtMs: takenAtMs <= LAST_INSTANT_MS ? takenAtMs : null,
    memoryKiB: memory === null ? null : Number(memory),
    ...causesOfUpdate(update),
  });
}
