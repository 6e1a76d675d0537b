/** Builds an update's span trees: the blackout's, and those of what lies outside it. */
import type { Boot } from "../../base/time.js";
import type { PhaseDocument, PhaseName } from "../../model/live-update.js";
import { type CauseRows, causeRows, fillWindow, gapsIn, type Setting } from "./fill.js";
import { seamLeaves } from "./seam.js";
import { FIRST_STAGE, findStages, INITCALL_LEVELS, STAGES, type StageBegin, type StageRow } from "./stages.js";
import { structureNode, type TreeNode } from "./tree.js";
import type { AttributedUpdate } from "./update.js";

export interface UpdateTrees {
  /** null if the blackout is not known: its ends were not recorded, or no clock link joins them. */
  readonly blackout: TreeNode | null;
  /**
   * Phases that lie outside the blackout, or have none to lie in; the kexec's load; in order of time. Where the
   * blackout is not known, what is of each boot's part of it is a tree here: without a clock link, on that boot's own
   * axis.
   */
  readonly outside: readonly TreeNode[];
}

/** One boundary inside the blackout, and what comes before it. */
interface Cut {
  readonly ns: number | null;
  readonly before: { readonly kind: "phase" | "gap"; readonly id: string; readonly phase: PhaseName | null };
}

const phase = (id: PhaseName): Cut["before"] => ({ kind: "phase", id, phase: id });
const gap = (id: string): Cut["before"] => ({ kind: "gap", id, phase: null });

/** A span between two cuts that were seen: the parts it holds (more than one if cuts between were not seen). */
interface Section {
  /** null: of both, apart at the seam. */
  readonly boot: Boot | null;
  readonly parts: readonly Cut["before"][];
  readonly beginNs: number;
  readonly endNs: number;
}

function sectionsOf(boot: Boot | null, beginNs: number, cuts: readonly Cut[]): readonly Section[] {
  const sections: Section[] = [];
  let at = beginNs;
  let parts: Cut["before"][] = [];
  for (const { ns, before } of cuts) {
    parts.push(before);
    if (ns === null) continue;
    const end = Math.max(at, ns);
    if (end > at) {
      sections.push({ boot, parts, beginNs: at, endNs: end });
      parts = [];
    } else if (parts.length > 1) parts = parts.slice(0, -1);
    else parts = [];
    at = end;
  }
  return sections;
}

export function buildTrees(update: AttributedUpdate): UpdateTrees {
  const rows = causeRows(update.spans, update.printk, update.path, update.restorerSinceNs);
  const { blackout, phases } = update.document;
  const of = (name: PhaseName): PhaseDocument | undefined => phases.find((each) => each.name === name);
  const joint = update.document.clock.method !== "none";
  const root =
    blackout.durationNs === null || blackout.beginNs === null || blackout.endNs === null
      ? null
      : blackoutTree(update, rows, null, blackout.beginNs, blackout.endNs, of);
  const halves = root === null ? blackoutHalves(update, rows, of) : [];
  const inside = ({ name, beginNs, endNs }: PhaseDocument): boolean =>
    [...(root === null ? [] : [root]), ...halves].some(
      (tree) =>
        (tree.boot === null || tree.boot === bootOf(name)) &&
        (beginNs ?? 0) >= tree.beginNs &&
        (endNs ?? 0) <= tree.endNs,
    );
  const outside = phases
    .filter((node) => node.durationNs !== null && !inside(node))
    .map((node) => phaseTree(update, rows, node));
  const all = [...kexecLoad(update, rows), ...outside, ...halves];
  const bootRank = ({ boot }: TreeNode): number => (joint || boot !== "new" ? 0 : 1);
  return { blackout: root, outside: all.sort((a, b) => bootRank(a) - bootRank(b) || a.beginNs - b.beginNs) };
}

/** The boot that a phase is of; the kexec is of both. */
function bootOf(name: PhaseName): Boot | null {
  switch (name) {
    case "prepare":
    case "freeze":
      return "old";
    case "kexec":
      return null;
    case "restore":
    case "finish":
      return "new";
  }
}

type PhaseOf = (name: PhaseName) => PhaseDocument | undefined;

/**
 * The parts of a blackout with unknown bounds: in the old boot up to its last event, in the new boot from its first.
 */
function blackoutHalves(update: AttributedUpdate, rows: CauseRows, of: PhaseOf): readonly TreeNode[] {
  const { blackout, seam } = update.document;
  const half = (boot: Boot, beginNs: number | null, endNs: number | null): readonly TreeNode[] =>
    beginNs === null || endNs === null || endNs <= beginNs
      ? []
      : [blackoutTree(update, rows, boot, beginNs, endNs, of)];
  return [...half("old", blackout.beginNs, seam.beginNs), ...half("new", seam.endNs, blackout.endNs)];
}

/** `boot`: only this one's part of it; null: both, on one axis. */
function blackoutTree(
  update: AttributedUpdate,
  rows: CauseRows,
  boot: Boot | null,
  beginNs: number,
  endNs: number,
  of: PhaseOf,
): TreeNode {
  const clamp = (ns: number | null | undefined): number | null =>
    ns === null || ns === undefined ? null : Math.min(endNs, Math.max(beginNs, ns));
  const [prepare, freeze, restore] = (["prepare", "freeze", "restore"] as const).map(of);
  const finish = (of("finish")?.beginNs ?? endNs) < endNs ? of("finish") : undefined;
  const oldCuts: readonly Cut[] = [
    { ns: clamp(prepare?.beginNs ?? beginNs), before: gap("pause to prepare") },
    { ns: clamp(prepare?.endNs ?? prepare?.beginNs ?? beginNs), before: phase("prepare") },
    {
      ns: clamp(freeze?.beginNs),
      before: gap((prepare?.endNs ?? beginNs) > beginNs ? "prepare to freeze" : "pause to freeze"),
    },
    { ns: clamp(freeze?.endNs), before: phase("freeze") },
  ];
  const newCuts: readonly Cut[] = [
    { ns: clamp(restore?.beginNs), before: phase("kexec") },
    { ns: clamp(restore?.endNs), before: phase("restore") },
    { ns: clamp(finish?.beginNs ?? restore?.endNs), before: gap("restore to finish") },
    { ns: clamp(finish?.endNs ?? finish?.beginNs ?? restore?.endNs), before: phase("finish") },
    { ns: endNs, before: gap(finish === undefined ? "restore to resume" : "finish to resume") },
  ];
  const cuts = [
    ...(boot === "new" ? [] : oldCuts),
    ...(boot === "old" ? [{ ns: endNs, before: phase("kexec") }] : newCuts),
  ];
  const children = sectionsOf(boot, beginNs, cuts).map((section) => sectionNode(update, rows, section));
  const name = boot === null ? "blackout" : `the blackout's part in the ${boot} kernel`;
  return structureNode({ kind: "blackout", id: "blackout", name, boot, beginNs, endNs }, children);
}

function sectionNode(update: AttributedUpdate, rows: CauseRows, section: Section): TreeNode {
  const { parts, beginNs, endNs } = section;
  const phases = parts.flatMap((part) => (part.phase === null ? [] : [part.phase]));
  const [only] = parts;
  const alone = parts.length === 1 && only !== undefined;
  const id = alone ? only.id : parts.map((part) => part.id).join(" + ");
  const kind = alone ? only.kind : "gap";
  const own = phases.length === 1 && alone ? (phases[0] as PhaseName) : null;
  const name = alone ? id : `${id}, not seen apart`;
  if (phases.includes("kexec")) {
    const { nodes, notSeen } = kexecStages(update, rows, own, section);
    return structureNode({ kind, id, name, phase: own, boot: section.boot, beginNs, endNs, notSeen }, nodes);
  }
  const boot = section.boot ?? bootAt(update, beginNs);
  const nodes = fillWindow(rows, userSetting(update, own, boot), beginNs, endNs);
  return structureNode({ kind, id, name, phase: own, boot, beginNs, endNs }, nodes);
}

/**
 * Outside the kexec a task of the host's user space carries the update: its system calls are causes, the rest is its
 * own.
 */
function userSetting(update: AttributedUpdate, own: PhaseName | null, boot: Boot): Setting {
  const carrier = update.path.findLast((each) => each.boot === boot && each.role !== "boots");
  return {
    boot,
    phase: own,
    stage: null,
    mode: "user",
    base:
      carrier === undefined ? null : { kind: "userspace", id: carrier.task, evidence: `the task that ${carrier.role}` },
  };
}

function bootAt({ document }: AttributedUpdate, ns: number): Boot {
  const { seam } = document;
  if (seam.beginNs === null) return seam.endNs === null ? "old" : "new";
  return ns > seam.beginNs ? "new" : "old";
}

interface Stages {
  readonly nodes: readonly TreeNode[];
  readonly notSeen: readonly string[];
}

/** Old side, seam, new side: each stage from where it was seen to begin to where the next one was. */
function kexecStages(
  update: AttributedUpdate,
  rows: CauseRows,
  own: PhaseName | null,
  { boot, beginNs, endNs }: Section,
): Stages {
  const { seam } = update.document;
  const joined =
    boot === null && seam.beginNs !== null && seam.endNs !== null && seam.endNs > beginNs && seam.beginNs < endNs;
  const side = boot ?? bootAt(update, beginNs);
  const oldEnd = joined ? Math.max(beginNs, seam.beginNs) : side === "old" ? endNs : beginNs;
  const newBegin = joined ? Math.min(endNs, seam.endNs) : oldEnd;
  const found = findStages(
    update.spans,
    update.printk,
    {
      old: oldEnd > beginNs ? [beginNs, oldEnd] : null,
      new: endNs > newBegin ? [newBegin, endNs] : null,
    },
    update.path.find(({ role }) => role === "reboots")?.pid ?? null,
  );
  const nodes = [
    ...oldSide(update, rows, own, beginNs, oldEnd, found),
    ...(joined ? [seamNode(update, rows, own, oldEnd, newBegin, unseenBeforeJump(found))] : []),
    ...newSide(update, rows, own, newBegin, endNs, found),
  ];
  const seen = new Set(found.map(({ stage }) => stage.id));
  const wanted = STAGES.filter((stage) => boot === null || stage.boot === boot);
  return { nodes, notSeen: wanted.filter(({ id }) => !seen.has(id)).map(({ id }) => id) };
}

function oldSide(
  update: AttributedUpdate,
  rows: CauseRows,
  own: PhaseName | null,
  beginNs: number,
  endNs: number,
  found: readonly StageBegin[],
): readonly TreeNode[] {
  const begins = found.filter(({ stage }) => stage.boot === "old");
  const first = begins[0];
  const order = STAGES.filter(({ boot }) => boot === "old");
  const nodes: TreeNode[] = [];
  const carrier = update.path.find(({ role }) => role === "reboots");
  const base =
    carrier === undefined
      ? null
      : ({ kind: "function", id: "reboot", evidence: `reboot(KEXEC) by ${carrier.task}` } as const);
  const add = (id: string, name: string, from: number, to: number, begin: StageBegin | null): void => {
    if (to <= from) return;
    const named = begin?.stage.base ?? null;
    const running = named === null || begin?.inferred !== true ? base : { ...named, evidence: begin.evidence };
    const setting: Setting = { boot: "old", phase: own, stage: id, mode: "kernel", base: running };
    nodes.push(
      structureNode(
        {
          kind: "stage",
          id,
          name,
          phase: own,
          stage: id,
          boot: "old",
          beginNs: from,
          endNs: to,
          evidence: begin?.evidence ?? "",
          inferred: begin?.inferred ?? true,
        },
        fillWindow(rows, setting, from, to),
      ),
    );
  };
  if (first === undefined) {
    add("old kernel", "old kernel: its stages were not seen", beginNs, endNs, null);
    return nodes;
  }
  const skipped = order.slice(0, order.indexOf(first.stage)).map(({ id }) => id);
  const before = skipped.length === 0 ? "reboot" : skipped.join(" + ");
  add(before, skipped.length > 1 ? `${before}, not seen apart` : before, beginNs, Math.max(beginNs, first.ns), null);
  begins.forEach((begin, i) => {
    const from = Math.max(beginNs, begin.ns);
    const next = begins[i + 1];
    // If a later stage was not seen to begin, it lies in this one.
    const to = next === undefined ? order.indexOf(begin.stage) + 1 : order.indexOf(next.stage);
    const id = joinedId(order.slice(order.indexOf(begin.stage), to));
    const name = to - order.indexOf(begin.stage) > 1 ? `${id}, not seen apart` : id;
    add(id, name, from, Math.min(endNs, next?.ns ?? endNs), begin);
  });
  return nodes;
}

/** What of the old kernel runs after its last event: the stages behind the last one that was seen to begin. */
function unseenBeforeJump(found: readonly StageBegin[]): readonly string[] {
  const order = STAGES.filter(({ boot }) => boot === "old");
  const last = found.findLast(({ stage }) => stage.boot === "old");
  if (last === undefined) return [order.map(({ id }) => id).join(" + ")];
  const at = order.indexOf(last.stage);
  // machine_kexec itself takes no time: the stage before it lies in the seam if it was not seen.
  return at === order.length - 1 ? [] : order.slice(at, -1).map(({ id }) => id);
}

/** Neither kernel is traced here: its leaves are read from the image's stamps, the clock and the log. */
function seamNode(
  update: AttributedUpdate,
  rows: CauseRows,
  own: PhaseName | null,
  beginNs: number,
  endNs: number,
  oldStages: readonly string[],
): TreeNode {
  const leaves = seamLeaves(update, beginNs, endNs, oldStages);
  const part = { kind: "seam", phase: own, stage: "seam" } as const;
  const nodes = leaves.map(({ bounds, ...leaf }): TreeNode => {
    const { evidence, beginNs: from, endNs: to } = leaf;
    const node = structureNode({ ...part, ...leaf, inferred: evidence !== "stamp" }, []);
    const bounded = bounds.length === 0 ? {} : { bounds };
    return {
      ...node,
      ...bounded,
      unattributedNs: 0,
      children: OPENED.has(leaf.id) ? seamLines(rows, node, from, to) : [],
    };
  });
  const [only] = nodes;
  if (nodes.length === 1 && only !== undefined)
    return { ...only, id: "seam", name: `the seam: ${only.name}`, inferred: false };
  const evidence = "between the old kernel's last event and the new one's first";
  return structureNode({ ...part, id: "seam", name: "the seam", beginNs, endNs, evidence }, nodes);
}

/** Leaves that hold much of the new kernel's boot: its log shows what took long in them. */
const OPENED: ReadonlySet<string> = new Set(["seam boot", "seam after sched_clock"]);

/** What followed which log line, and between such lines the leaf's own. Empty if no line is placed well enough. */
function seamLines(rows: CauseRows, leaf: TreeNode, beginNs: number, endNs: number): readonly TreeNode[] {
  const setting: Setting = { boot: "new", phase: leaf.phase, stage: "seam", mode: "kernel", base: null };
  const lines = fillWindow(rows, setting, beginNs, endNs);
  if (lines.length === 0) return [];
  const gaps = gapsIn(beginNs, endNs, lines).map(([from, to]) => ({
    ...leaf,
    beginNs: from,
    endNs: to,
    durationNs: to - from,
    unattributedNs: 0,
  }));
  return [...lines, ...gaps].sort((a, b) => a.beginNs - b.beginNs);
}

interface Piece {
  /** More than one if what divides them was not seen. */
  readonly stages: readonly StageRow[];
  readonly ns: number;
  readonly evidence: string;
  readonly inferred: boolean;
}

function newSide(
  update: AttributedUpdate,
  rows: CauseRows,
  own: PhaseName | null,
  beginNs: number,
  endNs: number,
  found: readonly StageBegin[],
): readonly TreeNode[] {
  const order = [FIRST_STAGE, ...STAGES.filter(({ boot }) => boot === "new")];
  const begins = found.filter(({ stage, ns }) => stage.boot === "new" && ns >= beginNs && ns < endNs);
  // Starting the function graph wipes what was recorded before: the stages before the last one lie in the seam then.
  const before = order.slice(0, begins[0] === undefined ? 1 : order.indexOf(begins[0].stage));
  const opening = update.armsGraphAtBoot ? before.slice(-1) : before;
  const pieces: readonly Piece[] = [
    {
      stages: opening.length === 0 ? [FIRST_STAGE] : opening,
      ns: beginNs,
      evidence: "the new kernel's first event",
      inferred: opening.length !== 1 || opening[0] !== FIRST_STAGE,
    },
    ...begins.map(({ stage, ns, evidence, inferred }, i): Piece => {
      const next = begins[i + 1];
      const to = next === undefined ? order.length : order.indexOf(next.stage);
      return { stages: order.slice(order.indexOf(stage), to), ns, evidence, inferred };
    }),
  ];
  return pieces.flatMap((piece, i): readonly TreeNode[] => {
    const to = Math.min(endNs, pieces[i + 1]?.ns ?? endNs);
    if (to <= piece.ns) return [];
    const { stages, evidence, inferred } = piece;
    const id = joinedId(stages);
    const base = stages[0]?.base ?? null;
    const sure = stages.every((stage) => stage.base?.id === base?.id);
    const setting: Setting = {
      boot: "new",
      phase: own,
      stage: id,
      mode: stages.some((stage) => stage.id === "user space") ? "user" : "kernel",
      base: base === null || !sure ? null : { ...base, evidence: "the kernel's own order (init/main.c)" },
    };
    const name = stages.length > 1 && !sure ? `${id}, not seen apart` : id;
    const part = { kind: "stage", id, name, phase: own, stage: id, boot: "new", evidence, inferred } as const;
    return [structureNode({ ...part, beginNs: piece.ns, endNs: to }, fillWindow(rows, setting, piece.ns, to))];
  });
}

/** `initcalls: fs + initcalls: device` is `initcalls: fs + device`; all of them are `initcalls`. */
function joinedId(stages: readonly StageRow[]): string {
  const parts: string[] = [];
  let levels: string[] = [];
  const flush = (): void => {
    if (levels.length > 0)
      parts.push(levels.length === INITCALL_LEVELS.length ? "initcalls" : `initcalls: ${levels.join(" + ")}`);
    levels = [];
  };
  for (const { id } of stages) {
    if (id.startsWith("initcalls: ")) levels.push(id.slice("initcalls: ".length));
    else {
      flush();
      parts.push(id);
    }
  }
  flush();
  return parts.join(" + ");
}

/** A phase that lies outside the blackout, or has no blackout to lie in. */
function phaseTree(update: AttributedUpdate, rows: CauseRows, node: PhaseDocument): TreeNode {
  const { name, beginNs, endNs } = node;
  return sectionNode(update, rows, {
    boot: bootOf(name),
    parts: [phase(name)],
    beginNs: beginNs as number,
    endNs: endNs as number,
  });
}

/** kexec_file_load(2) is prepare's sibling: it may run long before. */
function kexecLoad(update: AttributedUpdate, rows: CauseRows): readonly TreeNode[] {
  const { spans } = update;
  for (let row = spans.count - 1; row >= 0; row--) {
    if (spans.boot[row] !== 1 || spans.strings[spans.id[row] as number] !== "kexec_file_load") continue;
    const [beginNs, endNs] = [spans.beginNs[row] as number, spans.endNs[row] as number];
    const setting: Setting = { boot: "old", phase: null, stage: "kexec load", mode: "user", base: null };
    return [
      structureNode(
        { kind: "stage", id: "kexec load", stage: "kexec load", boot: "old", beginNs, endNs },
        fillWindow(rows, setting, beginNs, endNs),
      ),
    ];
  }
  return [];
}
