/** All rules, and what they find in an update: the largest possible gain first. */
import { consoleOutput } from "./console-output.js";
import { cpuBringUp, deferredMemory } from "./cpus.js";
import type { Finding, FindingInput, Rule } from "./finding.js";
import { longInitcalls } from "./initcalls.js";
import { recorderCost, recordingEstimate } from "./recorder.js";
import { bootFilter, imageCompression, khoRevival, purgatoryDigest } from "./seam.js";
import { serialDevices } from "./serial-devices.js";
import { lateOpen, prepareInBlackout, serialRetrieve, smallFolios } from "./user-space.js";

export const RULES_OF_FINDINGS: readonly Rule[] = [
  recorderCost,
  recordingEstimate,
  serialDevices,
  lateOpen,
  longInitcalls,
  cpuBringUp,
  deferredMemory,
  purgatoryDigest,
  imageCompression,
  khoRevival,
  bootFilter,
  prepareInBlackout,
  serialRetrieve,
  smallFolios,
  consoleOutput,
];

export function findings(input: FindingInput): readonly Finding[] {
  return RULES_OF_FINDINGS.flatMap((rule) => rule(input)).sort(
    (a, b) =>
      b.gainNs[1] - a.gainNs[1] ||
      (a.rule < b.rule ? -1 : 1) ||
      (a.spans[0]?.beginNs ?? 0) - (b.spans[0]?.beginNs ?? 0),
  );
}
