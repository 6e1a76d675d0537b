/**
 * The stages of the kexec phase, as data: in the order the two kernels run through them, each with the records that
 * show where it begins (kernel/kexec_core.c and kernel/reboot.c, init/main.c). A stage whose begin nothing shows is
 * named as not seen, and what it took lies in the one before.
 */

import type { Boot } from "../../base/time.js";
import { isKernelLine, type KernelLineId } from "../../model/kernel-lines.js";
import type { PlacedPrintk } from "../../model/live-update.js";
import { FUNCTIONS } from "../../model/luo.js";
import { STOP_FUNCTIONS } from "../../model/machine.js";
import { type AttributedKind, SPAN_KINDS, type SpanTable, spanAt } from "../../model/span-table.js";

/** A record that shows where a stage begins. */
export type StageRecord =
  | { readonly what: "call"; readonly function: string }
  /** The first or the last callback of the chain that the old kernel runs on its way down. */
  | { readonly what: "reboot-notifier"; readonly which: "first" | "last" }
  | { readonly what: "initcall-level"; readonly level: string; readonly edge: "begin" | "end" }
  | { readonly what: "printk"; readonly line: KernelLineId };

export interface StageRow {
  readonly id: string;
  readonly boot: Boot;
  /** Best first. */
  readonly begins: readonly StageRecord[];
  /**
   * What runs in it by the kernel's own order if no finer record says more: always there, never a guess at anything
   * but the function's name.
   */
  readonly base: { readonly kind: AttributedKind; readonly id: string } | null;
}

const called = (name: string): StageRecord => ({ what: "call", function: name });
const level = (name: string, edge: "begin" | "end" = "begin"): StageRecord => ({
  what: "initcall-level",
  level: name,
  edge,
});
const notified = (which: "first" | "last"): StageRecord => ({ what: "reboot-notifier", which });
const printed = (line: KernelLineId): StageRecord => ({ what: "printk", line });

/** include/linux/init.h, in the order of init/main.c's initcall_level_names. */
export const INITCALL_LEVELS = ["pure", "core", "postcore", "arch", "subsys", "fs", "device", "late"] as const;

const OLD_STAGES: readonly StageRow[] = [
  {
    id: "reboot notifiers",
    boot: "old",
    begins: [called(FUNCTIONS.restartPrepare.name), notified("first")],
    base: null,
  },
  {
    id: "device shutdown",
    boot: "old",
    // kernel_restart_prepare() runs the notifiers' chain and then device_shutdown().
    begins: [called(FUNCTIONS.deviceShutdown.name), printed("device-shut-down"), notified("last")],
    base: { kind: "function", id: FUNCTIONS.deviceShutdown.name },
  },
  { id: "CPU migration", boot: "old", begins: [called(FUNCTIONS.migrateCpu.name)], base: null },
  {
    id: "syscore shutdown",
    boot: "old",
    begins: [called(FUNCTIONS.syscoreShutdown.name), printed("syscore-shut-down")],
    base: null,
  },
  {
    id: "stopping CPUs",
    boot: "old",
    // The line is printed after syscore_shutdown and before machine_shutdown.
    begins: [...STOP_FUNCTIONS.map(called), printed("kexec-start")],
    base: null,
  },
  { id: FUNCTIONS.machineKexec.name, boot: "old", begins: [called(FUNCTIONS.machineKexec.name)], base: null },
];

/** In it kernel_init waits for all asynchronous work, the initramfs included, and then runs init (init/main.c). */
export const WAITING_STAGE = "after initcalls";

const NEW_STAGES: readonly StageRow[] = [
  {
    id: "early initcalls",
    boot: "new",
    begins: [level("early")],
    base: { kind: "function", id: "do_pre_smp_initcalls" },
  },
  {
    id: "SMP bring-up",
    boot: "new",
    begins: [level("early", "end"), printed("smp-begin")],
    base: { kind: "function", id: "smp_init" },
  },
  ...INITCALL_LEVELS.map(
    (name): StageRow => ({
      id: `initcalls: ${name}`,
      boot: "new",
      begins: name === "pure" ? [level(name), printed("devtmpfs-ready")] : [level(name)],
      base: { kind: "function", id: "do_initcalls" },
    }),
  ),
  {
    id: WAITING_STAGE,
    boot: "new",
    begins: [level("late", "end")],
    base: { kind: "function", id: "kernel_init" },
  },
  {
    id: "user space",
    boot: "new",
    begins: [printed("init-process")],
    base: { kind: "userspace", id: "init" },
  },
];

/** From the new kernel's first event on, until something says more. */
export const FIRST_STAGE: StageRow = {
  id: "early boot",
  boot: "new",
  begins: [],
  base: { kind: "function", id: "start_kernel" },
};

export const STAGES: readonly StageRow[] = [...OLD_STAGES, ...NEW_STAGES];

/** Where a stage was seen to begin. */
export interface StageBegin {
  readonly stage: StageRow;
  readonly ns: number;
  readonly evidence: string;
  readonly inferred: boolean;
}

function keyOf(record: Exclude<StageRecord, { readonly what: "printk" }>): string {
  switch (record.what) {
    case "call":
      return `call ${record.function}`;
    case "reboot-notifier":
      return `notifier ${record.which}`;
    case "initcall-level":
      return `level ${record.level} ${record.edge}`;
  }
}

/** A line that places a stage must itself be placed at least this well. */
const MAX_LINE_UNCERTAINTY_NS = 20_000_000;

/**
 * The stages that the records show, in order. Records outside [fromNs, toNs] are another update's, or another call's;
 * of several the last in the old kernel (an earlier attempt may have failed), the first in the new.
 */
export function findStages(
  spans: SpanTable,
  printk: readonly PlacedPrintk[],
  window: Readonly<Record<Boot, readonly [fromNs: number, toNs: number] | null>>,
  rebootPid: number | null = null,
): readonly StageBegin[] {
  const functions = SPAN_KINDS.indexOf("function");
  const initcalls = SPAN_KINDS.indexOf("initcall");
  const notifiers = SPAN_KINDS.indexOf("notifier");
  const begins = new Map<string, { ns: number; evidence: string }>();
  const keep = (key: string, boot: Boot, ns: number, evidence: string): void => {
    const [from, to] = window[boot] ?? [1, 0];
    if (ns < from || ns > to || (boot === "new" && begins.has(`${boot} ${key}`))) return;
    begins.set(`${boot} ${key}`, { ns, evidence });
  };
  for (let row = 0; row < spans.count; row++) {
    const kind = spans.kind[row];
    if (kind !== functions && kind !== initcalls && kind !== notifiers) continue;
    const span = spanAt(spans, row);
    if (span.boot === null) continue;
    if (kind === notifiers) {
      if (span.boot !== "old" || span.pid !== rebootPid) continue;
      if (!begins.has("old notifier first")) keep("notifier first", "old", span.beginNs, `notifier_run ${span.id}`);
      keep("notifier last", "old", span.beginNs, `the last reboot notifier, ${span.id}`);
      continue;
    }
    if (kind === functions) keep(`call ${span.id}`, span.boot, span.beginNs, `${span.evidence} ${span.id}`);
    else if (span.id.startsWith("level ")) {
      const name = span.id.slice("level ".length);
      keep(`level ${name} begin`, span.boot, span.beginNs, `initcall_level ${name}`);
      keep(`level ${name} end`, span.boot, span.endNs, `the last initcall of level ${name}`);
    }
  }
  const find = (boot: Boot, record: StageRecord): { ns: number; evidence: string; inferred: boolean } | null => {
    if (record.what !== "printk") {
      const found = begins.get(`${boot} ${keyOf(record)}`);
      const inferred = record.what === "reboot-notifier" && record.which === "last";
      return found === undefined ? null : { ...found, inferred };
    }
    const [from, to] = window[boot] ?? [1, 0];
    const line = printk.find(
      ({ boot: own, text, atNs, uncertaintyNs }) =>
        own === boot &&
        atNs !== null &&
        (uncertaintyNs ?? 0) <= MAX_LINE_UNCERTAINTY_NS &&
        atNs >= from &&
        atNs <= to &&
        isKernelLine(text, record.line),
    );
    return line === undefined
      ? null
      : { ns: line.atNs as number, evidence: `printk '${line.text}'`, inferred: (line.uncertaintyNs ?? 0) > 1_000 };
  };
  const reached = { old: Number.NEGATIVE_INFINITY, new: Number.NEGATIVE_INFINITY };
  return STAGES.flatMap((stage): readonly StageBegin[] => {
    const found = stage.begins.map((record) => find(stage.boot, record)).find((each) => each !== null);
    if (found === undefined) return [];
    // A log line's stamp may lie before the record of the stage before it; the order of the stages is the kernel's own.
    const early = found.ns < reached[stage.boot];
    reached[stage.boot] = Math.max(found.ns, reached[stage.boot]);
    return [{ stage, ns: reached[stage.boot], evidence: found.evidence, inferred: found.inferred || early }];
  });
}
