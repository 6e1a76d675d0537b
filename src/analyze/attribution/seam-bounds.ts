/**
 * What the stages of an undivided part of the seam take at least and at most, modelled from sizes and rates. Never a
 * point value: a user program's rate is 0.7 to 3.1 times off the kernel's own (docs/seam.md).
 */
import { formatDuration } from "../../base/text/format.js";
import type { NextImage } from "../../model/collected.js";
import { captured, isKernelLine, type KernelLineId } from "../../model/kernel-lines.js";
import type { LiveUpdateDocument, PlacedPrintk } from "../../model/live-update.js";

/** One stage of a leaf, bounded. */
export interface SeamBound {
  readonly step: "copy" | "digest" | "unpack" | "kernel" | "boot filter";
  readonly leastNs: number;
  readonly mostNs: number;
}

/** What the kernels run on: rates of real CPUs do not hold if one is emulated. */
export type SeamHost = "real" | "counted" | "emulated";

const COUNTED = /^(?:999\.9|1000\.0)/;

/** QEMU's CPU, and whether its TSC counts instructions: then a copy is as fast as on a real CPU, all else is not. */
export function seamHost(printk: readonly PlacedPrintk[]): SeamHost {
  const lastOf = (id: KernelLineId): string | undefined => printk.findLast(({ text }) => isKernelLine(text, id))?.text;
  if (lastOf("emulated-cpu") === undefined) return "real";
  const rate = captured("tsc-refined", lastOf("tsc-refined") ?? "");
  return rate !== null && COUNTED.test(`${rate.mhz}.${rate.khz}`) ? "counted" : "emulated";
}

/** Major and minor of `7.2.13-luo`. */
function versionOf(release: string | null): readonly [number, number] | null {
  const match = /^(\d{1,4})\.(\d{1,4})/.exec(release ?? "");
  return match === null ? null : [Number(match[1]), Number(match[2])];
}

export type Digest = "yes" | "no" | "unknown";

/**
 * Whether the purgatory hashes the loaded segments once more before it jumps (arch/x86/purgatory). With KHO, Linux 7.3
 * leaves that out (kernel/kexec_file.c, kexec_calculate_store_digests).
 */
export function purgatoryDigestOf({
  document,
  printk,
}: {
  readonly document: Pick<LiveUpdateDocument, "capture">;
  readonly printk: readonly PlacedPrintk[];
}): Digest {
  const version = versionOf(document.capture.kernel.old);
  if (version === null) return "unknown";
  if (version[0] < 7 || (version[0] === 7 && version[1] < 3)) return "yes";
  return printk.some(({ boot, text }) => boot === "new" && isKernelLine(text, "kho-found")) ? "no" : "unknown";
}

export interface BoundsInput {
  readonly steps: ReadonlySet<string>;
  readonly image: NextImage;
  readonly host: SeamHost;
  readonly printk: readonly PlacedPrintk[];
  readonly digest: Digest;
  readonly filterNames: number;
}

/** `modelled: unpack 276 to 296 ms, copy at most 20.98 ms`; empty if no bound narrows anything. */
export function boundsText(bounds: readonly SeamBound[]): string {
  const totalNs = Math.max(0, ...bounds.map(({ mostNs }) => mostNs));
  const parts = bounds.flatMap(({ step, leastNs, mostNs }) => {
    if (mostNs === 0) return [`no ${step}`];
    const [least, most] = [formatDuration(leastNs), formatDuration(mostNs)];
    if (leastNs === 0) return mostNs < totalNs ? [`${step} at most ${most}`] : [];
    return [mostNs < totalNs ? `${step} ${least} to ${most}` : `${step} at least ${least}`];
  });
  return parts.length === 0 ? "" : `modelled: ${parts.join(", ")}`;
}

type Range = readonly [least: number, most: number];

/** Bytes a nanosecond. Copies page by page: 17 measured on an EPYC; no host is slower than 1, nor faster than 25. */
const COPY_RATES: Range = [1, 25];
/** What the recorder measured in user space holds within this factor. */
const COPY_FACTOR = 3;
/** The purgatory's generic C: 0.5 measured on an EPYC. */
const DIGEST_RATES: Range = [0.15, 2];
/** From the image's exit to the clock's zero; the PIT's quick calibration takes up to 50 ms (MAX_QUICK_PIT_MS). */
const ENTRY_NS = 20_000_000;
const PIT_NS = 50_000_000;
/** One name of a boot filter is compared with every record: 2,060 instructions each, at 8 a nanosecond at most. */
const FILTER_RECORD_NS = 250;

/** Bytes that are copied and hashed: exact by boot_params, else by the sizes that the kernel prints of itself. */
function imageBytes({ image, printk }: BoundsInput): Range | null {
  const textOf = (id: KernelLineId): string =>
    printk.findLast(({ boot, text }) => boot === "new" && isKernelLine(text, id))?.text ?? "";
  const ramdisk = captured("ramdisk", textOf("ramdisk"));
  const logged = ramdisk === null ? 0 : Number(`0x${ramdisk.to}`) - Number(`0x${ramdisk.from}`) + 1;
  const initrd = image.initrdBytes ?? (logged > 0 ? logged : 0);
  if (image.initBytes !== null) return [image.initBytes + initrd, image.initBytes + initrd];
  const memory = captured("memory", textOf("memory"));
  const parts = [memory?.code, memory?.rwdata, memory?.rodata, memory?.init, memory?.bss].map(Number);
  const bytes = 1024 * parts.reduce((sum, part) => sum + part, 0);
  // init_size is the larger of the unpacked kernel and the room to unpack it in: at most three times in all kernels seen.
  return bytes > 0 ? [bytes + initrd, 3 * bytes + initrd] : null;
}

/** Bounds of the stages in a leaf of `totalNs`, in order; empty for a leaf that is one stage without parts. */
export function seamBounds(input: BoundsInput, totalNs: number): readonly SeamBound[] {
  const { steps, host, image } = input;
  const within = (ns: number): number => Math.min(totalNs, Math.max(0, Math.round(ns)));
  const all: Range = [0, totalNs];
  const bytes = imageBytes(input);
  const measured = image.copyNsPerMiB;
  const copy: Range =
    bytes === null || host === "emulated"
      ? all
      : measured === null
        ? [bytes[0] / COPY_RATES[1], bytes[1] / COPY_RATES[0]]
        : [(bytes[0] * measured) / 2 ** 20 / COPY_FACTOR, (bytes[1] * measured * COPY_FACTOR) / 2 ** 20];
  const hashed: Range =
    bytes === null || host !== "real" ? all : [bytes[0] / DIGEST_RATES[1], bytes[1] / DIGEST_RATES[0]];
  const digest: Range = input.digest === "no" ? [0, 0] : input.digest === "yes" ? hashed : [0, hashed[1]];
  const pit = input.printk.some(({ boot, text }) => boot === "new" && isKernelLine(text, "tsc-by-pit"));
  const kernel: Range = !steps.has("entry") || host === "emulated" ? all : [0, ENTRY_NS + (pit ? PIT_NS : 0)];
  const bound = (step: SeamBound["step"], [least, most]: Range): SeamBound => ({
    step,
    leastNs: within(least),
    mostNs: within(most),
  });
  const found: SeamBound[] = [];
  if (steps.has("relocation")) found.push(bound("copy", copy), bound("digest", digest));
  if (steps.has("unpack") && steps.size > 1) {
    const relocation: Range = steps.has("relocation") ? [copy[0] + digest[0], copy[1] + digest[1]] : [0, 0];
    const after = steps.has("entry") || steps.has("kernel") ? kernel[1] : 0;
    found.push(bound("unpack", [totalNs - relocation[1] - after, totalNs - relocation[0]]));
    if (after > 0) found.push(bound("kernel", [0, Math.min(after, totalNs - relocation[0])]));
  }
  if (input.filterNames > 0 && (steps.has("ftrace") || steps.has("kernel"))) {
    found.push(bound("boot filter", [input.filterNames * recordsOf(input) * FILTER_RECORD_NS, totalNs]));
  }
  return found;
}

function recordsOf({ printk }: BoundsInput): number {
  const line = printk.findLast(({ boot, text }) => boot === "new" && isKernelLine(text, "ftrace-records"));
  return Number(captured("ftrace-records", line?.text ?? "")?.records ?? 0);
}
