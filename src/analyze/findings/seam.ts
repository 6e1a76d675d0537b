/** What the seam takes, if its stages are divided or bounded. */
import { formatDuration } from "../../base/text/format.js";
import type { ImageCompression } from "../../model/collected.js";
import { captured, isKernelLine } from "../../model/kernel-lines.js";
import { bootFilterNames, clockStart } from "../attribution/seam.js";
import { purgatoryDigestOf, type SeamBound } from "../attribution/seam-bounds.js";
import { leavesOf, type TreeNode } from "../attribution/tree.js";
import type { AttributedUpdate } from "../attribution/update.js";
import { type Finding, type FindingInput, type Rule, spanOf } from "./finding.js";

const MIN_SHARE = 0.02;

const seamLeaf = (root: TreeNode, id: string): TreeNode | null =>
  leavesOf(root).find((leaf) => leaf.kind === "seam" && leaf.id === id) ?? null;

/** The leaf that one of the seam's stages lies in, alone or with others, and what the stage takes at least and most. */
function stageIn(root: TreeNode, id: string, step: SeamBound["step"]): Stage | null {
  const own = seamLeaf(root, id);
  if (own !== null) return { leaf: own, leastNs: own.durationNs, mostNs: own.durationNs };
  for (const leaf of leavesOf(root)) {
    const bound = leaf.kind === "seam" ? leaf.bounds?.find((each) => each.step === step) : undefined;
    if (bound !== undefined) return { leaf, leastNs: bound.leastNs, mostNs: bound.mostNs };
  }
  return null;
}

interface Stage {
  readonly leaf: TreeNode;
  readonly leastNs: number;
  readonly mostNs: number;
}

const span = ({ leastNs, mostNs }: Pick<Stage, "leastNs" | "mostNs">): string =>
  leastNs === mostNs
    ? formatDuration(mostNs)
    : leastNs === 0
      ? `up to ${formatDuration(mostNs)}`
      : `${formatDuration(leastNs)} to ${formatDuration(mostNs)}`;

/**
 * The purgatory hashes the loaded segments once more before it jumps (arch/x86/purgatory). With KHO, Linux 7.3 leaves
 * that out (kernel/kexec_file.c, kexec_calculate_store_digests).
 */
export const purgatoryDigest: Rule = ({ update, root }) => {
  if (purgatoryDigestOf(update) !== "yes") return [];
  const digest = digestIn(update, root);
  if (digest === null || digest.mostNs === 0) return [];
  const { leaf } = digest;
  const exact = leaf.id === "seam relocation";
  const where = exact
    ? `relocation and purgatory take ${formatDuration(leaf.durationNs)}, by the image's stamp`
    : `inside ${formatDuration(leaf.durationNs)} that nothing divides`;
  return [
    {
      rule: "purgatory-digest",
      title: `The old kernel, ${update.document.capture.kernel.old}, has the purgatory verify a SHA-256 of the new kernel's segments, ${span(digest)}: ${where}.`,
      phase: "kexec",
      boot: "old",
      costNs: digest.mostNs,
      gainNs: [digest.leastNs, digest.mostNs],
      spans: [spanOf(leaf)],
      advice:
        "Update from Linux 7.3 or later, which leaves the digest out with KHO; 250 ms were saved on a CPU of 4 GHz.",
      source: "kernel/kexec_file.c (7.3); M. Clapinski, kexec list, 2026-06",
    },
  ];
};

/** With a stamp it is what the copy leaves of its leaf; else what was modelled, unless that narrows nothing. */
function digestIn({ printk, armsGraphAtBoot }: AttributedUpdate, root: TreeNode): Stage | null {
  const relocation = seamLeaf(root, "seam relocation");
  if (relocation !== null) {
    const copy = relocation.bounds?.find(({ step }) => step === "copy");
    return {
      leaf: relocation,
      leastNs: relocation.durationNs - (copy?.mostNs ?? relocation.durationNs),
      mostNs: relocation.durationNs - (copy?.leastNs ?? 0),
    };
  }
  const digest = stageIn(root, "seam relocation", "digest");
  if (digest === null) return null;
  // If the new kernel's boot lies in the leaf too, all of it does not bound the digest.
  const late = armsGraphAtBoot || clockStart(printk) === "late";
  return late && digest.mostNs >= digest.leaf.durationNs ? null : digest;
}

/** Measured natively on an AMD EPYC, the image's own code; of a kernel of 57.6 MB (docs/seam.md). */
const RATES = "of a kernel of 57.6 MB on an EPYC: gzip 103 ms, zstd 80 ms, LZ4 11.5 ms, stored 4.5 ms";

function compressionAdvice(compression: ImageCompression | null): string | null {
  switch (compression) {
    case "none":
      return null;
    case "lz4":
      return `Build the image with a payload of stored blocks (CONFIG_KERNEL_GZIP, and a KGZIP that stores): ${RATES}.`;
    case "gzip":
    case "xz":
    case "zstd":
    case "bzip2":
    case "lzma":
    case "lzo":
    case null:
      return `Build the image with CONFIG_KERNEL_LZ4, or with a payload of stored blocks (CONFIG_KERNEL_GZIP, and a KGZIP that stores): ${RATES}.`;
  }
}

/** The new kernel's image unpacks itself: by its stamps, or within bounds if its clock started early. */
export const imageCompression: Rule = ({ update, root }): readonly Finding[] => {
  const stage = stageIn(root, "seam unpack", "unpack");
  const { compression, initBytes } = update.nextImage;
  const advice = compressionAdvice(compression);
  if (stage === null || advice === null || stage.mostNs < root.durationNs * MIN_SHARE) return [];
  const { leaf } = stage;
  const exact = leaf.id === "seam unpack";
  // Without times in its log, the new kernel's own start may be most of the leaf.
  if (!exact && stage.leastNs === 0 && clockStart(update.printk) !== "early") return [];
  // LZ4 took 49 ms for 21 MB in counted instructions, 11.5 ms for 57.6 MB on a real CPU: never 3 ns a byte.
  const rest = 3 * (initBytes ?? stage.mostNs);
  return [
    {
      rule: "image-compression",
      title: `The new kernel's image${compression === null ? "" : ` (${compression})`} unpacks itself for ${span(stage)}${exact ? "" : `, of ${formatDuration(leaf.durationNs)} that nothing divides`}.`,
      phase: "kexec",
      boot: "new",
      costNs: stage.mostNs,
      gainNs: [Math.max(0, stage.leastNs - rest), stage.mostNs],
      spans: [spanOf(leaf)],
      advice,
      source: "arch/x86/boot/compressed; init/Kconfig, KERNEL_LZ4; the image's own decompressors, timed natively",
    },
  ];
};

/** Preserved memory that the new kernel takes over page by page, before anything is traced. */
export const khoRevival: Rule = ({ update, root }): readonly Finding[] => {
  const leaf = seamLeaf(root, "seam kho");
  if (leaf === null || leaf.durationNs < root.durationNs * MIN_SHARE) return [];
  const { preservedBytes, preservedFolios } = preservedOf(update);
  if (preservedFolios !== null && preservedBytes !== null && preservedBytes >= LARGE_FOLIO * preservedFolios) return [];
  const folios = preservedFolios === null ? "" : `, ${preservedFolios.toLocaleString("en")} folios are preserved`;
  return [
    {
      rule: "kho-revival",
      title: `The new kernel takes ${formatDuration(leaf.durationNs)} to reserve preserved memory and to free the rest${folios}.`,
      phase: "kexec",
      boot: "new",
      costNs: leaf.durationNs,
      gainNs: [0, leaf.durationNs],
      spans: [spanOf(leaf)],
      advice:
        "Preserve memory in 2 MiB folios (hugetlbfs, or huge= of tmpfs): 256 MiB took 137 ms in folios of 4 KiB, 3.5 ms in large ones.",
      source:
        "kernel/liveupdate/kexec_handover.c, kho_memory_init; mm/memblock.c; cost goes with folios, not with bytes",
    },
  ];
};

/** Folios of this size and more cost little. */
const LARGE_FOLIO = 1 << 20;

/** What KHO hands over: as the recorder counted it, else of the files whose folios a probe recorded. */
function preservedOf({ nextImage, spans }: AttributedUpdate): {
  readonly preservedBytes: number | null;
  readonly preservedFolios: number | null;
} {
  if (nextImage.preservedFolios !== null) return nextImage;
  const files = new Map<string, readonly [bytes: number, folios: number]>();
  for (let row = 0; row < spans.count; row++) {
    const detail = spans.strings[spans.detail[row] as number] ?? "";
    const folios = Number(/(?:^| )folios=(\d{1,15})(?: |$)/.exec(detail)?.[1] ?? 0);
    const bytes = Number(/(?:^| )bytes=(\d{1,15})(?: |$)/.exec(detail)?.[1] ?? 0);
    if (folios > 0) files.set(spans.strings[spans.id[row] as number] ?? "", [bytes, folios]);
  }
  if (files.size === 0) return { preservedBytes: null, preservedFolios: null };
  const sum = (at: 0 | 1): number => [...files.values()].reduce((total, each) => total + each[at], 0);
  return { preservedBytes: sum(0), preservedFolios: sum(1) };
}

/** ftrace's own records take 0.3 us each, and were never seen to take four times that. */
const RECORD_NS = 1_300;
const MIN_FILTER_SHARE = 0.01;

/** Names in the command line's filters, each compared with every function: the recorder's own cost. */
export const bootFilter: Rule = ({ update, root }: FindingInput): readonly Finding[] => {
  const names = bootFilterNames(update.printk);
  const stage = names === 0 ? null : stageIn(root, "seam ftrace", "boot filter");
  if (stage === null || stage.mostNs < root.durationNs * MIN_FILTER_SHARE) return [];
  const { leaf } = stage;
  const line = update.printk.findLast(({ boot, text }) => boot === "new" && isKernelLine(text, "ftrace-records"));
  const records = Number(captured("ftrace-records", line?.text ?? "")?.records ?? 0);
  const least = leaf.id === "seam ftrace" ? Math.max(0, leaf.durationNs - records * RECORD_NS) : stage.leastNs;
  return [
    {
      rule: "boot-filter",
      title: `The recorder's filter on the new kernel's command line, ${names} names, takes ${span({ leastNs: least, mostNs: stage.mostNs })} before anything is traced.`,
      phase: "kexec",
      boot: "new",
      costNs: stage.mostNs,
      gainNs: [least, stage.mostNs],
      spans: [spanOf(leaf)],
      advice:
        "Filter by index (the recorder does where both kernels are one build): 606 ms for ten names became 3.5 ms. Else use fewer patterns: each is one pass over all functions.",
      source: "kernel/trace/ftrace.c, ftrace_init, set_ftrace_early_filters",
    },
  ];
};
