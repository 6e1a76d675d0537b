/**
 * The seam, opened: the stages between the old kernel's last event and the new kernel's first, each with the evidence
 * that ends it. A ladder: stamps of the image, the zero of the new kernel's clock, its log lines; if nothing divides
 * two stages they stay one leaf, with bounds that are modelled.
 */
import { formatSize } from "../../base/text/format.js";
import type { NextImage } from "../../model/collected.js";
import { captured, isKernelLine, type KernelLineId } from "../../model/kernel-lines.js";
import type { PlacedPrintk } from "../../model/live-update.js";
import { MACHINES, machineWithTsc } from "../../model/machine.js";
import { purgatoryDigestOf, type SeamBound, seamBounds, seamHost } from "./seam-bounds.js";
import type { TreeNode } from "./tree.js";
import type { AttributedUpdate } from "./update.js";

/** What ends a leaf of the seam; `bound`: its stages are not divided, and only bounded by what was modelled. */
export type SeamEvidence = "stamp" | "clock-pairs" | "printk" | "bound";

/** The evidence of leaves that hold several stages. */
const UNDIVIDED: SeamEvidence = "bound";

/** A leaf of the seam whose stages nothing divides. */
export function isOpaque({ kind, evidence, children }: Pick<TreeNode, "kind" | "evidence" | "children">): boolean {
  return kind === "seam" && children.length === 0 && evidence === UNDIVIDED;
}

export interface SeamLeaf {
  readonly id: string;
  readonly name: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly evidence: SeamEvidence;
  readonly bounds: readonly SeamBound[];
}

/** In the order in which they run (arch/x86/kernel/relocate_kernel_64.S, arch/x86/boot/compressed, init/main.c). */
const STEPS = ["relocation", "unpack", "entry", "memory map", "kho", "ftrace", "tracing", "boot"] as const;
type Step = (typeof STEPS)[number];

/** Of a new kernel whose log has no times before its TSC is calibrated: one stage up to there. */
const LATE_STEPS = ["relocation", "unpack", "kernel", "after sched_clock"] as const;
type LateStep = (typeof LATE_STEPS)[number];

/** Steps that hold several stages of the new kernel, which nothing divides. */
const WIDE: ReadonlySet<string> = new Set<Step | LateStep>(["boot", "kernel", "after sched_clock"]);

/** Where a step was seen to end. */
interface Cut<S> {
  readonly ends: S;
  readonly ns: number;
  readonly uncertaintyNs: number;
  readonly evidence: SeamEvidence;
}

const LINE_CUTS: readonly { readonly ends: Step; readonly line: KernelLineId }[] = [
  { ends: "memory map", line: "memory-mapped" },
  { ends: "kho", line: "slabs-made" },
  { ends: "ftrace", line: "rcu-begun" },
  { ends: "tracing", line: "irqs-set-up" },
];

/** A cut of this ± is always good enough; of any other, this share of the pieces on both sides. */
const SURE_NS = 10_000;
const SURE_SHARE = 0.1;

/** A stamp's ±: the TSCs of two CPUs, and the instructions around the reading. */
const STAMP_NS = 1_000;

/** How the new kernel's log begins: with times from its first lines on, or only once the TSC is calibrated. */
export type ClockStart = "early" | "late" | "unknown";

/** By the line `mem auto-init:`, which every kernel prints well before it calibrates the TSC against the HPET. */
export function clockStart(printk: readonly PlacedPrintk[]): ClockStart {
  const fresh = printk.filter(({ boot }) => boot === "new");
  const at = fresh.findLastIndex(({ text }) => isKernelLine(text, "memory-mapped"));
  const stampNs = fresh[at]?.stampNs ?? null;
  if (stampNs === null) return "unknown";
  // A clock that steps back began again: what was stamped before it counted jiffies.
  const began = fresh.slice(at + 1).find((line) => line.stampNs !== null && line.stampNs < stampNs);
  return stampNs === 0 || began !== undefined ? "late" : "early";
}

/** Names that the recorder had the new kernel look up in its command line's filters: numbers are looked up at once. */
export function bootFilterNames(printk: readonly PlacedPrintk[]): number {
  const line = printk.findLast(({ boot, text }) => boot === "new" && isKernelLine(text, "command-line"));
  const words = (line === undefined ? "" : (captured("command-line", line.text)?.words ?? "")).split(/\s+/);
  const filters = words.flatMap(
    (word) => /^ftrace_(?:filter|notrace|graph_filter|graph_notrace)=(.+)$/.exec(word)?.[1] ?? [],
  );
  return filters.flatMap((list) => list.split(",")).filter((name) => name !== "" && !/^\d+$/.test(name)).length;
}

type SeamInput = Pick<
  AttributedUpdate,
  "document" | "printk" | "schedClockZeroNs" | "imageStampsNs" | "nextImage" | "armsGraphAtBoot"
>;

/**
 * The leaves that make up [beginNs, endNs): one if nothing divides it. `oldStages` are those of the old kernel that
 * run in the first, after its last event.
 */
export function seamLeaves(
  update: SeamInput,
  beginNs: number,
  endNs: number,
  oldStages: readonly string[] = [],
): readonly SeamLeaf[] {
  const start = clockStart(update.printk);
  const inside = <S>(cuts: readonly Cut<S>[]): readonly Cut<S>[] =>
    sureCuts(
      cuts.filter(({ ns }) => ns > beginNs && ns < endNs),
      beginNs,
      endNs,
    );
  const words = wordsOf(update, oldStages);
  if (start === "early") {
    const cuts = inside([...stampCuts(update), ...zeroCut(update, "entry" as const), ...lineCuts(update.printk)]);
    const last: Step = cuts.some(({ ends }) => ends === "tracing") ? "boot" : "tracing";
    return pieces(STEPS, cuts, last, beginNs, endNs).map((piece) => leafOf(piece, words, update));
  }
  const cuts = inside([...stampCuts(update), ...zeroCut(update, "kernel" as const)]);
  const last: LateStep = cuts.some(({ ends }) => ends === "kernel") ? "after sched_clock" : "kernel";
  return pieces(LATE_STEPS, cuts, last, beginNs, endNs).map((piece) => leafOf(piece, words, update));
}

function stampCuts({ imageStampsNs: stamps }: SeamInput): readonly Cut<"relocation" | "unpack">[] {
  const cut = <S>(ends: S, ns: number | null): readonly Cut<S>[] =>
    ns === null ? [] : [{ ends, ns, uncertaintyNs: STAMP_NS, evidence: "stamp" }];
  return [...cut("relocation" as const, stamps?.entryNs ?? null), ...cut("unpack" as const, stamps?.exitNs ?? null)];
}

function zeroCut<S>({ schedClockZeroNs: zero }: SeamInput, ends: S): readonly Cut<S>[] {
  return zero === null ? [] : [{ ends, ns: zero.ns, uncertaintyNs: zero.uncertaintyNs, evidence: "clock-pairs" }];
}

function lineCuts(printk: readonly PlacedPrintk[]): readonly Cut<Step>[] {
  return LINE_CUTS.flatMap(({ ends, line }): readonly Cut<Step>[] => {
    const found = printk.find(({ boot, atNs, text }) => boot === "new" && atNs !== null && isKernelLine(text, line));
    return found === undefined
      ? []
      : [{ ends, ns: found.atNs as number, uncertaintyNs: found.uncertaintyNs ?? 0, evidence: "printk" }];
  });
}

/** Ascending cuts, each placed well enough for the pieces that it makes. */
function sureCuts<S>(cuts: readonly Cut<S>[], beginNs: number, endNs: number): readonly Cut<S>[] {
  const kept: Cut<S>[] = [];
  for (const cut of cuts) if (cut.ns > (kept.at(-1)?.ns ?? beginNs)) kept.push(cut);
  for (;;) {
    const worst = kept
      .map((cut, i) => {
        const before = cut.ns - (kept[i - 1]?.ns ?? beginNs);
        const after = (kept[i + 1]?.ns ?? endNs) - cut.ns;
        return { i, over: cut.uncertaintyNs - Math.max(SURE_NS, SURE_SHARE * Math.min(before, after)) };
      })
      .filter(({ over }) => over > 0)
      .sort((a, b) => b.over - a.over)[0];
    if (worst === undefined) return kept;
    kept.splice(worst.i, 1);
  }
}

interface Piece<S> {
  readonly steps: readonly S[];
  readonly beginNs: number;
  readonly endNs: number;
  readonly evidence: SeamEvidence;
}

/** `last`: the step in which the seam ends. */
function pieces<S extends string>(
  order: readonly S[],
  cuts: readonly Cut<S>[],
  last: S,
  beginNs: number,
  endNs: number,
): readonly Piece<S>[] {
  const all = [
    ...cuts,
    { ends: last, ns: endNs, uncertaintyNs: 0, evidence: cuts.at(-1)?.evidence ?? "bound" },
  ] as const;
  return all.map(({ ends, ns, evidence }, i): Piece<S> => {
    const before = all[i - 1];
    const steps = order.slice(before === undefined ? 0 : order.indexOf(before.ends) + 1, order.indexOf(ends) + 1);
    return {
      steps,
      beginNs: before?.ns ?? beginNs,
      endNs: ns,
      evidence: steps.length > 1 || WIDE.has(ends) ? UNDIVIDED : evidence,
    };
  });
}

/** Each step for people. */
type Words = Readonly<Record<Step | LateStep | "opaque", string>>;

function wordsOf(update: SeamInput, oldStages: readonly string[]): Words {
  const { printk, nextImage, armsGraphAtBoot, document } = update;
  const machine = machineWithTsc(document.clock.tscKhz) ?? MACHINES.x86_64;
  const names = bootFilterNames(printk);
  const filter = names === 0 ? "" : ` and the recorder's filter of ${names} names`;
  const arming = armsGraphAtBoot ? ", and the recorder's own arming of the function graph" : "";
  return {
    opaque: [...oldStages, machine.seam.steps].join(", "),
    relocation: [...oldStages, "relocation and purgatory"].join(", "),
    unpack: `the image unpacks itself${imageText(nextImage)}`,
    entry: "entry to the clock",
    "memory map": "memory map",
    kho: "KHO and free memory",
    ftrace: `ftrace records${filter}`,
    tracing: "tracing set-up",
    boot: `the new kernel from its tracing set-up to its first event${arming}`,
    kernel: `the new kernel up to its clock${filter}`,
    "after sched_clock": `the new kernel from its clock's zero to its first event${arming}`,
  };
}

/** ` (gzip, 6.3 MiB → 20.0 MiB)`. */
function imageText({ compression, payloadBytes, initBytes }: NextImage): string {
  const sizes = [payloadBytes, initBytes].flatMap((bytes) => (bytes === null ? [] : [formatSize(bytes)]));
  const parts = [compression, sizes.length === 0 ? null : sizes.join(" → ")].filter((part) => part !== null);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function leafOf(
  { steps, beginNs, endNs, evidence }: Piece<Step | LateStep>,
  words: Words,
  update: SeamInput,
): SeamLeaf {
  const totalNs = endNs - beginNs;
  const bounds = seamBounds(
    {
      steps: new Set(steps),
      image: update.nextImage,
      host: seamHost(update.printk),
      printk: update.printk,
      digest: purgatoryDigestOf(update),
      filterNames: bootFilterNames(update.printk),
    },
    totalNs,
  );
  const part = { beginNs, endNs, evidence, bounds };
  const [only] = steps;
  if (steps.length === 1 && only !== undefined) {
    if (only === "kernel" && update.schedClockZeroNs === null)
      return { ...part, id: "seam kernel", name: words.kernel.replace("up to its clock", "up to its first event") };
    return { ...part, id: `seam ${only}`, name: words[only] };
  }
  const id = joinedId(steps, update.schedClockZeroNs !== null && endNs <= update.schedClockZeroNs.ns);
  return { ...part, id, name: joinedName(steps, words, update) };
}

/** What comes before the clock, or any other run of steps. */
function joinedId(steps: readonly (Step | LateStep)[], endsAtClock: boolean): string {
  if (steps[0] !== "relocation") return `seam ${steps.join(" + ")}`;
  const last = steps.at(-1);
  if (last === "entry" || (last === "kernel" && endsAtClock)) return "seam before sched_clock";
  return `seam up to ${last}`;
}

function joinedName(steps: readonly (Step | LateStep)[], words: Words, { schedClockZeroNs }: SeamInput): string {
  const rest = steps.filter((step) => step !== "relocation" && step !== "unpack");
  const until = schedClockZeroNs === null ? "its first event" : "its clock";
  const named = rest.map((step) => {
    if (step === "entry") return "start_kernel up to its clock";
    return step === "kernel" ? words.kernel.replace("its clock", until) : words[step];
  });
  const opaque = steps.includes("relocation") ? [words.opaque] : steps.includes("unpack") ? [words.unpack] : [];
  return [...opaque, ...named].join(", ");
}
