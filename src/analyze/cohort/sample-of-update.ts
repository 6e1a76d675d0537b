/** From an analysed live update, spans and kernel log included, to its sample. */

import { captured, isKernelLine, type KernelLineId } from "../../model/kernel-lines.js";
import { withTrustedDurations } from "../../model/trusted-durations.js";
import { type ImageSample, LAST_INSTANT_MS, sampleOfDocument, type UpdateSample } from "../../model/update-sample.js";
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
    image: imageOf(update, lastOf),
    ...causesOfUpdate(update),
  });
}

/** Of the files that the recorder saved, else of the log; null if neither shows anything. */
function imageOf({ nextImage }: AttributedUpdate, lastOf: (id: KernelLineId) => string): ImageSample | null {
  const { copyNsPerMiB: _, ...image } = nextImage;
  const cpus = captured("cpus-up", lastOf("cpus-up"))?.cpus ?? null;
  const ramdisk = captured("ramdisk", lastOf("ramdisk"));
  const initrd = ramdisk === null ? 0 : Number(`0x${ramdisk.to}`) - Number(`0x${ramdisk.from}`) + 1;
  const found: ImageSample = {
    ...image,
    cpus: image.cpus ?? (cpus === null ? null : Number(cpus)),
    initrdBytes: image.initrdBytes ?? (initrd > 0 && Number.isSafeInteger(initrd) ? initrd : null),
  };
  return Object.values(found).every((value) => value === null) ? null : found;
}
