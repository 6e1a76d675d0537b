/** Covers an interval with causes: first what was recorded on the path, then who ran, then log and order. */

import { firstIndexWhere } from "../../base/numbers/search.js";
import type { Boot } from "../../base/time.js";
import { VMM_EVIDENCE } from "../../model/collected.js";
import type { PhaseName, PlacedPrintk } from "../../model/live-update.js";
import { ALL_FUNCTIONS, type FunctionRole, functionRow } from "../../model/luo.js";
import {
  type AttributedKind,
  SPAN_KINDS,
  SPAN_ROLES,
  type Span,
  SpanFlag,
  type SpanTable,
  spanAt,
} from "../../model/span-table.js";
import { RECORDER } from "../causes/causes.js";
import { type TimedCause as Interval, partition } from "../causes/partition.js";
import type { PathTask } from "../evidence/path.js";
import { WAITING_STAGE } from "./stages.js";
import { isSpanCause, leavesOf, type TreeNode } from "./tree.js";

/** Where in the tree an interval lies. */
export interface Setting {
  /** Whose records explain it: without a clock link the other boot's lie on another axis. */
  readonly boot: Boot;
  readonly phase: PhaseName | null;
  readonly stage: string | null;
  /** Kernel code runs (log lines may name what it does), or user space does (tasks may). */
  readonly mode: "kernel" | "user";
  readonly base: { readonly kind: AttributedKind; readonly id: string; readonly evidence: string } | null;
}

/** Tasks that are the kernel's own, by the names it gives them: no record of the trace says it. */
const KERNEL_THREAD =
  /^(?:kworker|ksoftirqd|migration|cpuhp|rcu|kthreadd|kdevtmpfs|kcompactd|khugepaged|kswapd|ksmd|idle_inject|irq\/|watchdog|pr\/|pool_workqueue|oom_reaper|writeback|kblockd|kauditd|kintegrityd|netns|psimon|jbd2|scsi_eh|nvme|ata_sff|hwrng|swapper)/;

const isKernelThread = (task: string): boolean => KERNEL_THREAD.test(task);

/** A log line that is placed this well may name what ran between it and the next. */
const SURE_LINE_NS = 10_000;
/** Another one may if its ± and the next line's are at most this share of what lies between them. */
const SURE_SHARE = 0.1;
const MAX_LINE_UNCERTAINTY_NS = 2_000_000;
/** And what it names must have taken this long: the log is not a profile. */
const MIN_LINE_NS = 500_000;

/** The rows of one boot that causes are drawn from, by begin. */
interface BootRows {
  /** Rows of the path's own calls and interrupts. */
  readonly path: number[];
  /** Rows of work that other tasks do for the boot: devices' probes, the initramfs; the path may wait for it. */
  readonly beside: number[];
  /** Rows of what the VMMs logged of their devices, on whatever task. */
  readonly vmms: number[];
  /** Rows of what the recorder itself did. */
  readonly recorder: number[];
  /** Rows of tasks' runs: the path's, other user tasks', the kernel's threads'. */
  readonly runs: readonly [number[], number[], number[]];
  /** Rows of pid 1's runs in the new kernel. */
  readonly boots: number[];
  /** Log lines that are placed well enough to name what ran after them, by time. */
  readonly lines: readonly SureLine[];
  /** Where about the others lie. */
  readonly unsureNs: readonly number[];
}

type SureLine = PlacedPrintk & { readonly atNs: number };

/** The rows of one update that causes are drawn from. */
export interface CauseRows extends Readonly<Record<Boot, BootRows>> {
  readonly spans: SpanTable;
}

const CAUSE_KIND_ROWS = SPAN_KINDS.map(isSpanCause);

/**
 * Sorts an update's rows by what they may explain. `bootsUntilNs`: from then on the path of the new kernel is the
 * restoring process, not pid 1.
 */
export function causeRows(
  spans: SpanTable,
  printk: readonly PlacedPrintk[],
  path: readonly PathTask[],
  bootsUntilNs: number | null,
): CauseRows {
  const reboots = path.find(({ role }) => role === "reboots")?.pid ?? null;
  const restores = path.find(({ role }) => role === "restores")?.pid ?? null;
  const bootRows = (boot: Boot): BootRows => ({
    path: [],
    beside: [],
    vmms: [],
    recorder: [],
    runs: [[], [], []],
    boots: [],
    lines: printk
      .filter((line): line is SureLine => line.boot === boot && isSure(line))
      .sort((a, b) => a.atNs - b.atNs),
    unsureNs: printk.flatMap((line) => (line.boot !== boot || line.atNs === null || isSure(line) ? [] : [line.atNs])),
  });
  const rows = { old: bootRows("old"), new: bootRows("new") };
  const taskKind = SPAN_KINDS.indexOf("task");
  const userspaceKind = SPAN_KINDS.indexOf("userspace");
  let firstOfInit = Number.POSITIVE_INFINITY;
  for (let row = 0; row < spans.count; row++) {
    if (spans.boot[row] === 2 && spans.pid[row] === 1)
      firstOfInit = Math.min(firstOfInit, spans.beginNs[row] as number);
  }
  const onPath = (row: number): boolean => {
    const pid = spans.pid[row] as number;
    if (spans.boot[row] === 1) return reboots === null ? false : pid === reboots;
    const begin = spans.beginNs[row] as number;
    if (pid === restores) return true;
    if (bootsUntilNs !== null && begin >= bootsUntilNs) return false;
    return pid === 1 || (pid <= 0 && (spans.cpu[row] as number) <= 0 && begin < firstOfInit);
  };
  const opening = { old: openingInitcall(spans, 1), new: openingInitcall(spans, 2) };
  for (let row = 0; row < spans.count; row++) {
    const kind = spans.kind[row] as number;
    const boot = spans.boot[row];
    if (boot === 0) continue;
    const into = boot === 1 ? rows.old : rows.new;
    if (kind === taskKind) {
      const own = spans.pid[row] === (boot === 1 ? reboots : restores);
      const thread = !own && isKernelThread(spans.strings[spans.task[row] as number] ?? "");
      into.runs[own ? 0 : thread ? 2 : 1].push(row);
      if (boot === 2 && spans.pid[row] === 1) into.boots.push(row);
    } else if (spans.strings[spans.evidence[row] as number] === VMM_EVIDENCE) into.vmms.push(row);
    else if (kind === userspaceKind && spans.strings[spans.id[row] as number] === RECORDER) {
      if (isBounded(spans.flags[row] as number, RECORDER)) into.recorder.push(row);
    } else if (CAUSE_KIND_ROWS[kind] === true && onPath(row)) {
      const id = spans.strings[spans.id[row] as number] ?? "";
      if (id.startsWith("level ")) continue;
      if (isBounded(spans.flags[row] as number, id) || row === opening[boot === 1 ? "old" : "new"]) into.path.push(row);
    } else if (isBeside(spans, row)) into.beside.push(row);
  }
  const byBegin = (a: number, b: number): number =>
    (spans.beginNs[a] as number) - (spans.beginNs[b] as number) || a - b;
  for (const { path: own, beside, vmms, recorder, boots, runs } of [rows.old, rows.new]) {
    for (const list of [own, beside, vmms, recorder, boots, ...runs]) list.sort(byBegin);
  }
  return { spans, ...rows };
}

/** Work that the kernel gives to its workers, and whose length is known. */
function isBeside(spans: SpanTable, row: number): boolean {
  const kind = SPAN_KINDS[spans.kind[row] as number];
  const id = spans.strings[spans.id[row] as number] ?? "";
  const works = kind === "device" || (kind === "function" && WORKERS.has(functionRow(id)?.role ?? "path"));
  return works && isBounded(spans.flags[row] as number, id);
}
const WORKERS: ReadonlySet<string> = new Set<FunctionRole>(["boot", "device"]);

/** What the old kernel's path calls and never returns from (kernel/reboot.c, kernel/kexec_core.c). */
const NEVER_RETURN: ReadonlySet<string> = new Set([
  "reboot",
  ...ALL_FUNCTIONS.filter(({ returns }) => returns === "never").map(({ name }) => name),
]);

/**
 * A span that lost its begin or its end is known to have run at one moment, not for how long: as a cause it would claim
 * all from the first event on, or up to the last.
 */
function isBounded(flags: number, id: string): boolean {
  return (flags & SpanFlag.beginUnseen) === 0 && ((flags & SpanFlag.endUnseen) === 0 || NEVER_RETURN.has(id));
}

/**
 * Initcalls run one after the other: the first of a boot's to end, if its begin was not seen, ran since the boot's
 * first event. So does the one that arms the function graph, which wipes what was recorded before. -1: none.
 */
function openingInitcall(spans: SpanTable, boot: number): number {
  const initcall = SPAN_KINDS.indexOf("initcall");
  let first = -1;
  for (let row = 0; row < spans.count; row++) {
    if (spans.kind[row] !== initcall || spans.boot[row] !== boot) continue;
    if (first < 0 || (spans.endNs[row] as number) < (spans.endNs[first] as number)) first = row;
  }
  return first >= 0 && ((spans.flags[first] as number) & SpanFlag.beginUnseen) !== 0 ? first : -1;
}

const isSure = ({ atNs, uncertaintyNs }: PlacedPrintk): boolean =>
  atNs !== null && (uncertaintyNs ?? 0) <= MAX_LINE_UNCERTAINTY_NS;

/** Rows that overlap the interval. `rows` ascend in begin. */
function overlapping(spans: SpanTable, rows: readonly number[], beginNs: number, endNs: number): readonly number[] {
  const found: number[] = [];
  for (const row of rows) {
    if ((spans.beginNs[row] as number) >= endNs) break;
    if ((spans.endNs[row] as number) > beginNs) found.push(row);
  }
  return found;
}

interface Draft {
  readonly beginNs: number;
  readonly endNs: number;
  readonly row: number;
  readonly children: Draft[];
}

function drafts(spans: SpanTable, rows: readonly number[], beginNs: number, endNs: number): readonly Draft[] {
  const intervals: Interval[] = rows.map((row) => ({
    beginNs: spans.beginNs[row] as number,
    endNs: spans.endNs[row] as number,
  }));
  const made: Draft[] = [];
  const top: Draft[] = [];
  for (const piece of partition(beginNs, endNs, intervals)) {
    const draft: Draft = { beginNs: piece.beginNs, endNs: piece.endNs, row: rows[piece.cause] as number, children: [] };
    made.push(draft);
    (piece.parent < 0 ? top : (made[piece.parent] as Draft).children).push(draft);
  }
  return top;
}

function kindOf(span: Span): AttributedKind {
  if (span.kind === "task" && isKernelThread(span.task)) return "kthread";
  return SPAN_ROLES[span.kind].countsAs;
}

type Leaf = Pick<TreeNode, "kind" | "id" | "name" | "beginNs" | "endNs" | "evidence" | "inferred"> & Partial<TreeNode>;

/**
 * A cause; its own time between its children is covered by children of its own identity, so that it never has a
 * remainder.
 */
function causeNode(setting: Setting, part: Leaf, children: readonly TreeNode[]): TreeNode {
  return {
    action: "",
    phase: setting.phase,
    stage: setting.stage,
    boot: null,
    cpu: -1,
    pid: -1,
    task: "",
    row: -1,
    notSeen: [],
    ...part,
    durationNs: part.endNs - part.beginNs,
    unattributedNs: 0,
    children,
  };
}

function nodeOfRow(spans: SpanTable, setting: Setting, row: number, beginNs: number, endNs: number): Leaf {
  const span = spanAt(spans, row);
  const kind = kindOf(span);
  const run = span.kind === "task";
  return {
    kind,
    id: run ? span.task : span.id,
    name: run ? span.task : span.name,
    action: run ? "" : span.action,
    boot: span.boot,
    beginNs,
    endNs,
    evidence: span.evidence,
    inferred: (span.flags & (SpanFlag.inferred | SpanFlag.beginUnseen)) !== 0,
    cpu: span.cpu,
    pid: span.pid,
    task: span.task,
    row,
    phase: setting.phase,
    stage: setting.stage,
  };
}

/**
 * Functions and system calls only frame what runs in them: what they hold stands in their place, and their own time
 * beside it.
 */
function isFrame(spans: SpanTable, row: number): boolean {
  const kind = SPAN_KINDS[spans.kind[row] as number];
  return kind === "function" || kind === "syscall";
}

function nodesOf(spans: SpanTable, setting: Setting, tops: readonly Draft[]): readonly TreeNode[] {
  return tops.flatMap((draft): readonly TreeNode[] => {
    const { row, beginNs, endNs } = draft;
    if (draft.children.length === 0) return [causeNode(setting, nodeOfRow(spans, setting, row, beginNs, endNs), [])];
    const inner = nodesOf(spans, setting, draft.children);
    const own = gapsIn(beginNs, endNs, inner).map(([from, to]) =>
      causeNode(setting, nodeOfRow(spans, setting, row, from, to), []),
    );
    const children = [...inner, ...own].sort((a, b) => a.beginNs - b.beginNs);
    return isFrame(spans, row)
      ? children
      : [causeNode(setting, nodeOfRow(spans, setting, row, beginNs, endNs), children)];
  });
}

/** The intervals of [beginNs, endNs) that `covered` (in order, apart from one another) leaves. */
export function gapsIn(
  beginNs: number,
  endNs: number,
  covered: readonly { readonly beginNs: number; readonly endNs: number }[],
): readonly (readonly [number, number])[] {
  const gaps: [number, number][] = [];
  let at = beginNs;
  for (const { beginNs: from, endNs: to } of covered) {
    if (from > at) gaps.push([at, from]);
    at = Math.max(at, to);
  }
  if (endNs > at) gaps.push([at, endNs]);
  return gaps;
}

/** Parts of `nodes` that lie in the gaps. Both ascend, and neither overlaps itself. */
function clipped(nodes: readonly TreeNode[], gaps: readonly (readonly [number, number])[]): readonly TreeNode[] {
  const parts: TreeNode[] = [];
  let first = 0;
  for (const [from, to] of gaps) {
    while ((nodes[first]?.endNs ?? Number.POSITIVE_INFINITY) <= from) first++;
    for (let i = first; i < nodes.length; i++) {
      const node = nodes[i] as TreeNode;
      if (node.beginNs >= to) break;
      const beginNs = Math.max(from, node.beginNs);
      const endNs = Math.min(to, node.endNs);
      parts.push({ ...node, beginNs, endNs, durationNs: endNs - beginNs });
    }
  }
  return parts;
}

/** Covers [beginNs, endNs) as far as the capture can; what is left is the caller's remainder. In order of time. */
export function fillWindow(rows: CauseRows, setting: Setting, beginNs: number, endNs: number): readonly TreeNode[] {
  const { spans } = rows;
  const own = rows[setting.boot];
  const { base } = setting;
  const nodesFrom = (list: readonly number[]): readonly TreeNode[] => {
    const found = overlapping(spans, list, beginNs, endNs);
    return found.length === 0 ? [] : nodesOf(spans, setting, drafts(spans, found, beginNs, endNs));
  };
  const isWait = ({ kind, id }: TreeNode): boolean => kind === "function" && functionRow(id)?.role === "wait";
  /** While the path waits, what it waits for is the cause; of works at one time, the one that ends last. */
  const waitedFor = (gaps: readonly (readonly [number, number])[]): readonly TreeNode[] =>
    gaps.flatMap(([from, to]) => waitNodes(spans, setting, own.beside, from, to));
  const withWaits = (node: TreeNode): readonly TreeNode[] => {
    if (node.children.length > 0) return [{ ...node, children: node.children.flatMap(withWaits) }];
    if (!isWait(node)) return [node];
    const works = waitedFor([[node.beginNs, node.endNs]]);
    const rest = clipped([node], gapsIn(node.beginNs, node.endNs, works));
    return [...works, ...rest].sort((a, b) => a.beginNs - b.beginNs);
  };
  let nodes = nodesFrom(own.path).flatMap(withWaits);
  const inGaps = (make: (gaps: readonly (readonly [number, number])[]) => readonly TreeNode[]): void => {
    const more = make(gapsIn(beginNs, endNs, nodes));
    if (more.length > 0) nodes = [...nodes, ...more].sort((a, b) => a.beginNs - b.beginNs);
  };
  /** The facts of a whole gap. */
  const whole = (part: Pick<Leaf, "kind" | "id" | "name" | "evidence" | "inferred">): void =>
    inGaps((gaps) => gaps.map(([from, to]) => causeNode(setting, { ...part, beginNs: from, endNs: to }, [])));

  if (setting.mode === "user") {
    const logged = nodesFrom(own.vmms).flatMap(leavesOf);
    inGaps((gaps) => clipped(logged, gaps));
    let scheduled = false;
    for (const list of own.runs) {
      const ran = nodesFrom(list).flatMap(leavesOf);
      scheduled ||= ran.length > 0;
      inGaps((gaps) => clipped(ran, gaps));
    }
    if (scheduled) {
      whole({ kind: "idle", id: "idle", name: "idle: nothing ran", evidence: "sched_switch", inferred: false });
    } else {
      // Others may have waited for it, or not: nothing says who ran.
      const armed = nodesFrom(own.recorder).map((node) => ({ ...node, inferred: true }));
      inGaps((gaps) => clipped(armed, gaps));
    }
  } else {
    if (setting.boot === "new") {
      const ran = nodesFrom(own.boots);
      // Without the scheduler's records the path is known to wait only between initcalls and init (kernel_init).
      if (ran.length > 0 || waitsForWork(setting.stage)) {
        inGaps((gaps) => waitedFor(gaps.flatMap(([from, to]) => gapsIn(from, to, clipped(ran, [[from, to]])))));
      }
    }
    inGaps((gaps) => gaps.flatMap(([from, to]) => lineNodes(own, setting, from, to)));
  }
  if (base === null) return nodes;
  // pid 1 is the only task that the new kernel boots through: if the scheduler shows it running, its function is sure.
  if (setting.mode === "kernel") {
    const ran = nodesFrom(own.boots)
      .flatMap(leavesOf)
      .map(({ beginNs: from, endNs: to, boot }) => {
        const { kind, id } = base;
        const leaf = { kind, id, name: id, evidence: "sched_switch", inferred: false, boot, beginNs: from, endNs: to };
        return causeNode(setting, leaf, []);
      });
    inGaps((gaps) => clipped(ran, gaps));
  }
  whole({ kind: base.kind, id: base.id, name: base.id, evidence: base.evidence, inferred: true });
  return nodes;
}

/** kernel_init waits for all asynchronous work, the initramfs included, before it frees its memory and runs init. */
const waitsForWork = (stage: string | null): boolean => stage?.startsWith(WAITING_STAGE) === true;

/** The work that others did in [from, to), as far as it reaches: at each moment the one that ends last. */
function waitNodes(
  spans: SpanTable,
  setting: Setting,
  beside: readonly number[],
  from: number,
  to: number,
): readonly TreeNode[] {
  const works = overlapping(spans, beside, from, to);
  const nodes: TreeNode[] = [];
  for (let at = from; at < to; ) {
    let last: number | null = null;
    let next = to;
    for (const row of works) {
      const [begin, end] = [spans.beginNs[row] as number, spans.endNs[row] as number];
      if (begin > at) next = Math.min(next, begin);
      else if (end > at && (last === null || end > (spans.endNs[last] as number))) last = row;
    }
    // A later work that ends later takes over when it begins.
    const until = last === null ? next : Math.min(next, spans.endNs[last] as number, to);
    if (last !== null) {
      const before = nodes.at(-1);
      const node = causeNode(setting, { ...nodeOfRow(spans, setting, last, at, until), inferred: true }, []);
      if (before !== undefined && before.row === last && before.endNs === at) {
        nodes[nodes.length - 1] = { ...before, endNs: until, durationNs: until - before.beginNs };
      } else nodes.push(node);
    }
    at = until;
  }
  return nodes;
}

/** Whether what lies between two lines is long against how well they are placed. */
function isApart(from: SureLine, to: SureLine | undefined, lengthNs: number): boolean {
  const unsure = [from, to].map((line) => line?.uncertaintyNs ?? 0).filter((ns) => ns > SURE_LINE_NS);
  return unsure.reduce((sum, ns) => sum + ns, 0) <= lengthNs * SURE_SHARE;
}

/**
 * From a log line to the next, if that took long: the kernel did what the earlier line began, or the later one
 * reports.
 */
function lineNodes({ lines, unsureNs }: BootRows, setting: Setting, from: number, to: number): readonly TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let i = firstIndexWhere(lines, ({ atNs }) => atNs >= from); i < lines.length; i++) {
    const { atNs: begin, text, boot } = lines[i] as SureLine;
    if (begin >= to) break;
    const end = Math.min(to, lines[i + 1]?.atNs ?? to);
    // Up to the interval's end it is what followed the line only if the log has no line in between.
    if (end === to && unsureNs.some((ns) => ns > begin && ns < to)) continue;
    if (end - begin < MIN_LINE_NS || !isApart(lines[i] as SureLine, lines[i + 1], end - begin)) continue;
    const part = { kind: "printk", id: text, name: `after "${text}"`, evidence: "printk", inferred: true } as const;
    nodes.push(causeNode(setting, { ...part, boot, beginNs: begin, endNs: end }, []));
  }
  return nodes;
}
