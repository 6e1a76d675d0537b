/** What both kernels complained about, by the rows of the table of kernel lines. */

import type { Boot } from "../../base/time.js";
import type { KeyEvent, PlacedLine } from "../../model/collected.js";
import {
  captured,
  HEALTH_CLASSES,
  type HealthMark,
  isKernelLine,
  type KernelLineId,
  kernelLineOf,
  kernelLineRow,
} from "../../model/kernel-lines.js";
import type { HealthDocument, HealthEvent, PhaseDocument } from "../../model/live-update.js";
import type { Axis, Zero } from "../evidence/axis.js";

/** Events that a document lists; all are counted. */
const LISTED = 1_000;
/** KERN_ERR (include/linux/kern_levels.h): a driver that fails prints at this level or a more urgent one. */
const ERROR_LEVEL = 3;
/** `CPU: 0 PID: 65 Comm: …` follows its complaint within this many lines (lib/dump_stack.c). */
const CONTEXT_WITHIN = 8;

interface Complaint {
  readonly mark: HealthMark;
  readonly boot: Boot;
  readonly ns: number | null;
  readonly text: string;
  readonly file: string;
  readonly line: number;
  readonly who: Who;
}

interface Who {
  readonly cpu: number | null;
  readonly pid: number | null;
  readonly task: string | null;
}

/** The complaint in a line, else null. A driver's line without a level is ignored: it may be of any level. */
export function complaintOf(text: string, level: number | null): HealthMark | null {
  const id = kernelLineOf(text);
  if (id !== null) return kernelLineRow(id).health ?? null;
  if (level === null || level > ERROR_LEVEL || !isKernelLine(text, "driver-failed")) return null;
  return kernelLineRow("driver-failed").health ?? null;
}

const number = (text: string | undefined): number | null => (text === undefined ? null : Number(text));

/** Who it was, as a line's own row captures it. */
function whoOf(id: KernelLineId, text: string): Who {
  const found: Readonly<Record<string, string | undefined>> = captured(id, text) ?? {};
  return { cpu: number(found.cpu), pid: number(found.pid), task: found.task ?? null };
}

const NOBODY: Who = { cpu: null, pid: null, task: null };
const either = (first: Who, second: Who): Who => ({
  cpu: first.cpu ?? second.cpu,
  pid: first.pid ?? second.pid,
  task: first.task ?? second.task,
});

/** Complaints of the logs, in their order. */
function logged(lines: readonly PlacedLine[]): readonly Complaint[] {
  return lines.flatMap(({ line, ns }, i): readonly Complaint[] => {
    const mark = complaintOf(line.text, line.level);
    if (mark === null) return [];
    const id = kernelLineOf(line.text);
    const own = id === null ? NOBODY : whoOf(id, line.text);
    const context = own.task === null ? contextAfter(lines, i) : NOBODY;
    const { boot, text, file } = line;
    return [{ mark, boot, ns, text, file, line: line.line, who: either(own, context) }];
  });
}

/** The context line after a complaint, before the next one. */
function contextAfter(lines: readonly PlacedLine[], index: number): Who {
  const boot = lines[index]?.line.boot;
  for (const { line } of lines.slice(index + 1, index + 1 + CONTEXT_WITHIN)) {
    if (line.boot !== boot || complaintOf(line.text, line.level) !== null) return NOBODY;
    if (isKernelLine(line.text, "context-line")) return whoOf("context-line", line.text);
  }
  return NOBODY;
}

/** Complaints that only the trace has (printk:console), with the task that printed them; the log's lines come first. */
function traced(events: readonly KeyEvent[], known: ReadonlySet<string>): readonly Complaint[] {
  return events.flatMap(({ what, source, name, at, cpu, pid, task, file, place }): readonly Complaint[] => {
    const text = (name.split("\n")[0] ?? "").trim();
    if (what !== "printk" || source !== "printk" || cpu < 0 || known.has(`${at.boot} ${text}`)) return [];
    const mark = complaintOf(text, null);
    if (mark === null) return [];
    const id = kernelLineOf(text);
    const own = id === null ? NOBODY : whoOf(id, text);
    return [
      { mark, boot: at.boot, ns: at.ns, text, file, line: Math.max(1, place), who: either(own, { cpu, pid, task }) },
    ];
  });
}

/** The phase that an instant is in: `[begin, end)`, on the joint axis or on its boot's own. */
function phaseAt(
  boot: Boot,
  atNs: number | null,
  phases: readonly PhaseDocument[],
  joint: boolean,
): HealthEvent["phase"] {
  if (atNs === null) return null;
  const found = phases.find(
    ({ axis, beginNs, endNs }) =>
      (joint ? axis === "joint" || axis === boot : axis === boot) &&
      beginNs !== null &&
      endNs !== null &&
      atNs >= beginNs &&
      atNs < endNs,
  );
  return found?.name ?? null;
}

/** The complaints of both kernels; instants are relative to `zero`. */
export function healthOf(
  printk: readonly PlacedLine[],
  events: readonly KeyEvent[],
  phases: readonly PhaseDocument[],
  axis: Axis,
  zero: Zero,
): HealthDocument {
  const fromLogs = logged(printk);
  const known = new Set(printk.map(({ line }) => `${line.boot} ${line.text.trim()}`));
  const all = [...fromLogs, ...traced(events, known)];
  const ordered = [...all.filter(({ boot }) => boot === "old"), ...all.filter(({ boot }) => boot === "new")];
  const counts = HEALTH_CLASSES.flatMap((name) =>
    (["old", "new"] as const).flatMap((boot): HealthDocument["counts"] => {
      const own = ordered.filter((each) => each.boot === boot && each.mark.class === name);
      const [first] = own;
      return first === undefined ? [] : [{ class: name, severity: first.mark.severity, boot, count: own.length }];
    }),
  );
  const tasks: ReadonlyMap<string, string> = new Map(
    events.flatMap(({ at, pid, task }) => (task === "" ? [] : [[`${at.boot} ${pid}`, task] as const])),
  );
  const listed = ordered.slice(0, LISTED).map(({ mark, boot, ns, text, file, line, who }): HealthEvent => {
    const atNs = ns === null ? null : ns - zero[boot];
    return {
      ...mark,
      boot,
      phase: phaseAt(boot, atNs, phases, axis.link.joint),
      atNs,
      ...who,
      task: who.task ?? tasks.get(`${boot} ${who.pid}`) ?? null,
      text,
      file,
      line,
    };
  });
  return { counts, events: listed };
}
