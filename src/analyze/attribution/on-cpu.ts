/** Who was on the CPU: what the task that carries the update did with each nanosecond, from the scheduler's records. */

import { firstIndexWhere } from "../../base/numbers/search.js";
import type { PathRole, Silence } from "../../model/documents/attribution.js";
import { SPAN_KINDS, type Span, type SpanTable, spanAt } from "../../model/span-table.js";
import type { AttributedUpdate, Wakeups } from "./update.js";

/** A time off the CPU. */
export interface Wait {
  readonly beginNs: number;
  readonly endNs: number;
  /** `preempted`: it could have run; `blocked`: it waited for something. */
  readonly why: "preempted" | "blocked";
  /** When it was woken, from where on it was runnable; null if no wake-up was recorded. */
  readonly wokenNs: number | null;
  /** Who woke it: the task whose work it waited for, or was interrupted in; null if not recorded. */
  readonly waker: string | null;
}

export interface TaskTime {
  readonly boot: "old" | "new";
  readonly pid: number;
  readonly task: string;
  readonly role: PathRole;
  readonly beginNs: number;
  readonly endNs: number;
  readonly runningNs: number;
  readonly runnableNs: number;
  readonly blockedNs: number;
  /** Of the running time, what interrupts of its CPU took. */
  readonly interruptsNs: number;
  /** Time that no record of the scheduler covers. */
  readonly unseenNs: number;
  readonly waits: readonly Wait[];
}

/**
 * The path's tasks inside [beginNs, endNs), if the scheduler was traced; tasks of which it shows nothing are left
 * out.
 */
export function timeOnCpu(update: AttributedUpdate, beginNs: number, endNs: number): readonly TaskTime[] {
  const { spans, path, document, restorerSinceNs } = update;
  const { seam } = document;
  const names = { old: taskNames(spans, "old"), new: taskNames(spans, "new") };
  return path.flatMap(({ boot, pid, task, role }): readonly TaskTime[] => {
    const from =
      boot === "old"
        ? beginNs
        : Math.max(beginNs, role === "restores" ? (restorerSinceNs ?? seam.endNs ?? beginNs) : (seam.endNs ?? beginNs));
    const to =
      boot === "old"
        ? Math.min(endNs, seam.beginNs ?? endNs)
        : role === "boots"
          ? Math.min(endNs, restorerSinceNs ?? endNs)
          : endNs;
    if (to <= from) return [];
    const runs = rowsOf(spans, boot, pid, "task", from, to);
    if (runs.length === 0) return [];
    return [taskTime(update, { boot, pid, task, role, from, to }, runs, names[boot])];
  });
}

function rowsOf(
  spans: SpanTable,
  boot: "old" | "new",
  pid: number,
  kind: Span["kind"],
  from: number,
  to: number,
): readonly Span[] {
  const wanted = SPAN_KINDS.indexOf(kind);
  const code = boot === "old" ? 1 : 2;
  const found: Span[] = [];
  for (let row = 0; row < spans.count; row++) {
    if (spans.kind[row] !== wanted || spans.boot[row] !== code || spans.pid[row] !== pid) continue;
    if ((spans.endNs[row] as number) > from && (spans.beginNs[row] as number) < to) found.push(spanAt(spans, row));
  }
  return found.sort((a, b) => a.beginNs - b.beginNs);
}

function taskTime(
  { spans, wakeups }: AttributedUpdate,
  who: { boot: "old" | "new"; pid: number; task: string; role: PathRole; from: number; to: number },
  runs: readonly Span[],
  names: ReadonlyMap<number, string>,
): TaskTime {
  const { boot, pid, task, role, from, to } = who;
  const running = unionNs(runs, from, to);
  const waits: Wait[] = [];
  const wakings = wakingsOf(wakeups, boot, pid);
  let latest = runs[0] as Span;
  runs.forEach((run, i) => {
    const next = runs[i + 1];
    // Of runs that overlap (records were lost) the one that ends last bounds the wait.
    latest = run.endNs > latest.endNs ? run : latest;
    if (next === undefined || next.beginNs <= latest.endNs) return;
    waits.push(waitOf(latest, next, wakings, names));
  });
  const sum = (list: readonly Wait[], of: (wait: Wait) => number): number =>
    list.reduce((total, wait) => total + of(wait), 0);
  const blocked = waits.filter(({ why }) => why === "blocked");
  const woken = (wait: Wait): number => wait.endNs - (wait.wokenNs ?? wait.endNs);
  const blockedNs = sum(blocked, (wait) => wait.endNs - wait.beginNs - woken(wait));
  const runnableNs =
    sum(blocked, woken) +
    sum(
      waits.filter(({ why }) => why === "preempted"),
      (wait) => wait.endNs - wait.beginNs,
    );
  const interrupts = [...rowsOf(spans, boot, pid, "irq", from, to), ...rowsOf(spans, boot, pid, "softirq", from, to)];
  return {
    boot,
    pid,
    task,
    role,
    beginNs: from,
    endNs: to,
    runningNs: running,
    runnableNs,
    blockedNs,
    interruptsNs: unionNs(interrupts, from, to),
    unseenNs: to - from - running - runnableNs - blockedNs,
    waits,
  };
}

interface Waking {
  readonly ns: number;
  readonly waker: number;
}

/** Wake-ups of one task, by time. */
function wakingsOf(wakeups: Wakeups, boot: "old" | "new", pid: number): readonly Waking[] {
  const code = boot === "old" ? 1 : 2;
  const found: Waking[] = [];
  for (let i = 0; i < wakeups.count; i++) {
    if (wakeups.boot[i] === code && wakeups.woken[i] === pid)
      found.push({ ns: wakeups.ns[i] as number, waker: wakeups.waker[i] as number });
  }
  return found.sort((a, b) => a.ns - b.ns);
}

function waitOf(run: Span, next: Span, wakings: readonly Waking[], names: ReadonlyMap<number, string>): Wait {
  const wait = { beginNs: run.endNs, endNs: next.beginNs } as const;
  if (run.detail.includes("state=R")) return { ...wait, why: "preempted", wokenNs: null, waker: null };
  const waking = wakings[firstIndexWhere(wakings, ({ ns }) => ns > next.beginNs) - 1];
  if (waking === undefined || waking.ns < run.endNs) return { ...wait, why: "blocked", wokenNs: null, waker: null };
  const { ns, waker } = waking;
  return {
    ...wait,
    why: "blocked",
    wokenNs: ns,
    waker: waker <= 0 ? "an interrupt" : `${names.get(waker) ?? "?"}-${waker}`,
  };
}

function taskNames(spans: SpanTable, boot: "old" | "new"): ReadonlyMap<number, string> {
  const code = boot === "old" ? 1 : 2;
  const names = new Map<number, string>();
  for (let row = 0; row < spans.count; row++) {
    const name = spans.strings[spans.task[row] as number] ?? "";
    if (spans.boot[row] === code && name !== "" && name !== "<...>") names.set(spans.pid[row] as number, name);
  }
  return names;
}

function unionNs(spans: readonly Span[], from: number, to: number): number {
  let total = 0;
  let at = from;
  for (const { beginNs, endNs } of [...spans].sort((a, b) => a.beginNs - b.beginNs)) {
    const begin = Math.max(at, beginNs);
    const end = Math.min(to, endNs);
    if (end > begin) {
      total += end - begin;
      at = end;
    }
  }
  return total;
}

/** By device name, longest silence first: interrupts between are lost. Only lines that both kernels served. */
export function silences({ spans, document }: AttributedUpdate): readonly Silence[] {
  if (document.clock.method === "none") return [];
  const irq = SPAN_KINDS.indexOf("irq");
  const last = new Map<string, number>();
  const first = new Map<string, number>();
  const handlers = new Map<number, string>();
  for (let row = 0; row < spans.count; row++) {
    if (spans.kind[row] !== irq) continue;
    const id = spans.name[row] as number;
    // The number may differ between the kernels; the handler's name is the device's.
    const name = handlers.get(id) ?? (spans.strings[id] ?? "").replace(/^irq \S+ /, "");
    handlers.set(id, name);
    if (spans.boot[row] === 1)
      last.set(name, Math.max(last.get(name) ?? Number.NEGATIVE_INFINITY, spans.endNs[row] as number));
    else first.set(name, Math.min(first.get(name) ?? Number.POSITIVE_INFINITY, spans.beginNs[row] as number));
  }
  return [...last]
    .flatMap(([name, lastOldNs]): readonly Silence[] => {
      const firstNewNs = first.get(name);
      return firstNewNs === undefined ? [] : [{ irq: name, lastOldNs, firstNewNs, silentNs: firstNewNs - lastOldNs }];
    })
    .sort((a, b) => b.silentNs - a.silentNs || (a.irq < b.irq ? -1 : 1));
}
