import { formatDuration } from "../../base/text/format.js";
import { MACHINES, machineWithTsc } from "../../model/machine.js";
import type { TreeNode } from "../attribution/tree.js";
import { type Finding, type FindingInput, nodesWhere, type Rule, spanOf } from "./finding.js";

const MIN_SHARE = 0.02;

/**
 * The opaque part of the seam: before the new kernel's clock, or all of it where that is not known. null where the
 * recorder arms the function graph from the command line: that takes seconds in there, and no finding may rest on it.
 */
function opaque({ update, root }: FindingInput): TreeNode | null {
  if (update.armsGraphAtBoot) return null;
  const seam = nodesWhere(root, ({ kind }) => kind === "seam")[0];
  return seam === undefined ? null : (seam.children[0] ?? seam);
}

/** Major and minor of `7.2.13-luo`. */
function versionOf(release: string | null): readonly [number, number] | null {
  const match = /^(\d{1,4})\.(\d{1,4})/.exec(release ?? "");
  return match === null ? null : [Number(match[1]), Number(match[2])];
}

/**
 * The purgatory hashes the loaded segments once more before it jumps (arch/x86/purgatory). With KHO, Linux 7.3 leaves
 * that out (kernel/kexec_file.c, kexec_calculate_store_digests).
 */
export const purgatoryDigest: Rule = (input) => {
  const { update } = input;
  const version = versionOf(update.document.capture.kernel.old);
  const seam = opaque(input);
  if (version === null || seam === null || version[0] > 7 || (version[0] === 7 && version[1] >= 3)) return [];
  return [
    {
      rule: "purgatory-digest",
      title: `The old kernel, ${update.document.capture.kernel.old}, has the purgatory verify a SHA-256 of the new kernel's segments, inside the ${formatDuration(seam.durationNs)} that nothing is traced in.`,
      phase: "kexec",
      boot: "old",
      costNs: seam.durationNs,
      gainNs: [0, seam.durationNs],
      spans: [spanOf(seam)],
      advice:
        "Update from Linux 7.3 or later, which leaves the digest out with KHO; 250 ms were saved on a CPU of 4 GHz.",
      source: "kernel/kexec_file.c (7.3); M. Clapinski, kexec list, 2026-06",
    },
  ];
};

/** Relocation and decompression of the new kernel's image. */
export const decompression: Rule = (input): readonly Finding[] => {
  const { root, update } = input;
  const machine = machineWithTsc(update.document.clock.tscKhz) ?? MACHINES.x86_64;
  const seam = opaque(input);
  if (seam === null || seam.durationNs < root.durationNs * MIN_SHARE) return [];
  return [
    {
      rule: "opaque-seam",
      title: `${formatDuration(seam.durationNs)} pass between machine_kexec and the new kernel's first sign of life: ${machine.seam.steps}, early set-up.`,
      phase: "kexec",
      boot: null,
      costNs: seam.durationNs,
      gainNs: [0, seam.durationNs],
      spans: [spanOf(seam)],
      advice: "Load an uncompressed kernel image (CONFIG_KERNEL_UNCOMPRESSED) into memory it need not be copied from.",
      source: `${machine.seam.source}; ByteDance, 2022: 500 ms to 15 ms from machine_kexec to start_kernel`,
    },
  ];
};
