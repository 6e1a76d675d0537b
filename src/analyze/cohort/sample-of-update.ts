/** From an analysed live update, spans and kernel log included, to its sample. */

import type { PlacedPrintk } from "../../model/live-update.js";
import { sampleOfDocument, type UpdateSample } from "../../model/update-sample.js";
import type { AttributedUpdate } from "../attribution/update.js";
import { causesOfUpdate } from "./causes-of-update.js";

/** `nodeName`: what the host's `uname -n` says, for captures that have no label `host`. */
export function sampleOfUpdate(update: AttributedUpdate, source: string, nodeName: string | null): UpdateSample {
  const sample = sampleOfDocument(update.document, source);
  const told = (pattern: RegExp): number | null => {
    const found = update.printk.findLast((line) => line.boot === "new" && pattern.test(line.text)) ?? null;
    return found === null ? null : numberIn(found, pattern);
  };
  // drivers/rtc/class.c: "setting system clock to 2026-11-23T10:09:19 UTC (1795428559)".
  const seconds = told(/setting system clock to .{1,40} UTC \((\d{1,12})\)/);
  return {
    ...sample,
    host: sample.host ?? nodeName,
    takenAtMs: seconds === null ? null : seconds * 1000,
    // mm/mm_init.c, mem_init_print_info(): "Memory: 946276K/1048056K available (…".
    memoryKiB: told(/^Memory: \d{1,15}K\/(\d{1,15})K available/),
    causes: causesOfUpdate(update),
  };
}

function numberIn(line: PlacedPrintk, pattern: RegExp): number {
  return Number(pattern.exec(line.text)?.[1]);
}
