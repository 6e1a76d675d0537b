/**
 * The span table of an update: what was paired in the traces, and above it phases, blackout, seam, sessions and files.
 */
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { type Span, type SpanTable, SpanTableBuilder } from "../../model/span-table.js";
import type { Zero } from "../evidence/axis.js";
import { type Cause, type CauseSources, mergeCauses } from "./causes.js";

const NOWHERE = { boot: null, cpu: -1, pid: -1, task: "", parent: -1, flags: 0, detail: "" } as const;

/** Rows: blackout, phases and seam first; then what was paired, by boot and begin, each knowing its enclosing span. */
export function buildSpans(sources: CauseSources, document: LiveUpdateDocument, zero: Zero): SpanTable {
  const table = new SpanTableBuilder();
  const top = (kind: Span["kind"], name: string, begin: number | null, end: number | null, evidence: string): void => {
    if (begin === null || end === null) return;
    table.add({ ...NOWHERE, kind, name, beginNs: begin, endNs: end, evidence });
  };
  const { blackout, seam } = document;
  if (blackout.durationNs !== null) {
    top("blackout", "blackout", blackout.beginNs, blackout.endNs, blackout.basis ?? "");
  }
  for (const phase of document.phases) {
    if (phase.durationNs === null) continue;
    const { begin, end } = phase.evidence;
    top("phase", phase.name, phase.beginNs, phase.endNs, `${begin?.event ?? ""} … ${end?.event ?? ""}`);
  }
  if (seam.durationNs !== null) {
    top("seam", "seam", seam.beginNs, seam.endNs, "last event of one boot, first of the other");
  }
  addCauses(table, mergeCauses(sources, zero));
  return table.build();
}

/** Each lane (a task, or a CPU's interrupts) is a stack: a row's parent is the innermost row of its lane around it. */
function addCauses(table: SpanTableBuilder, causes: readonly Cause[]): void {
  const enclosing = new Map<string, { row: number; end: number }[]>();
  for (const cause of causes) {
    const { beginNs: begin, endNs: end } = cause;
    let stack = enclosing.get(cause.lane);
    if (stack === undefined) {
      stack = [];
      enclosing.set(cause.lane, stack);
    }
    while (stack.length > 0 && (stack.at(-1) as { end: number }).end < end) stack.pop();
    while (stack.length > 0 && (stack.at(-1) as { end: number }).end <= begin && end > begin) stack.pop();
    const row = table.add({
      kind: cause.kind,
      name: cause.name,
      id: cause.id,
      action: cause.action,
      beginNs: begin,
      endNs: end,
      parent: stack.at(-1)?.row ?? -1,
      detail: cause.detail,
      boot: cause.boot,
      cpu: cause.cpu,
      pid: cause.pid,
      task: cause.task,
      evidence: cause.evidence.length === 1 ? (cause.evidence[0] as string) : cause.evidence.join(" + "),
      flags: cause.flags,
    });
    stack.push({ row, end });
  }
}
