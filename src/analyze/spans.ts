/** The span table of an update: what was paired in the traces, and above it phases, blackout, seam, sessions and files. */
import type { RawSpans } from "../collect/types.js";
import type { Zero } from "./axis.js";
import type { LiveUpdateDocument } from "./live-update.js";
import { type Span, SpanFlag, type SpanTable, SpanTableBuilder } from "./span-table.js";

const NOWHERE = { boot: null, cpu: -1, pid: -1, task: "", parent: -1, flags: 0, detail: "" } as const;

/** LUO's own calls, shown as spans of their session and file instead of as bare functions. */
const SESSION_CALLS = new Set([
  "luo_session_create",
  "luo_file_freeze",
  "luo_session_retrieve",
  "luo_file_finish",
  "luo: session_create",
  "luo: session_retrieve",
  "luo: session_finish",
]);
const FILE_CALLS = new Set(["luo_preserve_file", "luo_retrieve_file", "luo: preserve_fd", "luo: retrieve_fd"]);

function valueIn(detail: string, key: string): string | null {
  const match = new RegExp(`(?:^| )${key}=(\\S+)`).exec(detail);
  return match === null ? null : (match[1] as string);
}

function kindOf(raw: RawSpans, row: number): Pick<Span, "kind" | "name"> {
  const name = raw.name[row] as string;
  const detail = raw.detail[row] as string;
  const session = valueIn(detail, "session");
  if (session !== null && FILE_CALLS.has(name)) {
    return { kind: "file", name: `${session} ${valueIn(detail, "token") ?? "?"}` };
  }
  if (session !== null && SESSION_CALLS.has(name)) return { kind: "session", name: session };
  return { kind: raw.kind[row] as Span["kind"], name };
}

/** Rows: blackout, phases and seam first; then what was paired, by boot and begin, each knowing its enclosing span. */
export function buildSpans(raw: RawSpans, document: LiveUpdateDocument, zero: Zero): SpanTable {
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
  if (seam.durationNs !== null)
    top("seam", "seam", seam.beginNs, seam.endNs, "last event of one boot, first of the other");

  const order = Array.from({ length: raw.count }, (_, row) => row).sort(
    (a, b) =>
      bootRank(raw, a) - bootRank(raw, b) ||
      (raw.beginNs[a] as number) - (raw.beginNs[b] as number) ||
      (raw.endNs[b] as number) - (raw.endNs[a] as number) ||
      a - b,
  );
  const enclosing = new Map<string, { row: number; end: number }[]>();
  for (const row of order) {
    const boot = raw.boot[row] as "old" | "new";
    const pid = raw.pid[row] as number;
    const cpu = raw.cpu[row] as number;
    const lane = `${boot} ${raw.evidence[row]} ${pid > 0 ? pid : `cpu${cpu}`}`;
    const begin = (raw.beginNs[row] as number) - zero[boot];
    const end = (raw.endNs[row] as number) - zero[boot];
    const stack = enclosing.get(lane) ?? [];
    enclosing.set(lane, stack);
    while (stack.length > 0 && (stack.at(-1) as { end: number }).end < end) stack.pop();
    while (stack.length > 0 && (stack.at(-1) as { end: number }).end <= begin && end > begin) stack.pop();
    const added = table.add({
      ...kindOf(raw, row),
      beginNs: begin,
      endNs: end,
      parent: stack.at(-1)?.row ?? -1,
      detail: raw.detail[row] as string,
      boot,
      cpu,
      pid,
      task: raw.task[row] as string,
      evidence: raw.evidence[row] as string,
      flags: (raw.flags[row] as number) & (SpanFlag.beginUnseen | SpanFlag.endUnseen | SpanFlag.inferred),
    });
    stack.push({ row: added, end });
  }
  return table.build();
}

function bootRank(raw: RawSpans, row: number): number {
  return raw.boot[row] === "old" ? 0 : 1;
}
