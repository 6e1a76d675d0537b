/**
 * When the guests' vCPUs stood still, from kvm_entry, kvm_exit and kvm_userspace_exit: of each vCPU's thread the last
 * sight in the old kernel and the first in the new one.
 *
 * A VM stands still from its last vCPU's last sight to its first vCPU's first: in between none of it ran. A single
 * vCPU's own gap may be longer, since one that idles is not seen. Which thread is which VM's is not in the events:
 * threads are distinguished by a mark `vm=ID` that a thread of their process wrote, else by their names without the
 * vCPU's number (`CPU 0/KVM`) and, if several processes have these, by the process. One set is one VM only if no vCPU
 * number is in it twice. If just one set of the old kernel has no counterpart and just one of the new (names were lost,
 * or changed), these two are joined by the numbers.
 */

import type { Boot } from "../../base/time.js";
import type { KeyEvent, Placed, VcpuSeen } from "../../model/collected.js";
import type { VcpuJoin } from "../../model/documents/guest.js";
import type { FoundBoundary } from "../evidence/boundaries.js";

export interface VcpuGap {
  readonly vcpu: number | null;
  readonly old: VcpuSeen | null;
  readonly new: VcpuSeen | null;
}

export interface VcpuVm {
  /** `vm=ID`'s ID, or the threads' common name. */
  readonly id: string;
  readonly joinedBy: VcpuJoin;
  /** By vCPU number. With the last of VCPU_JOINS, old and new threads are not paired. */
  readonly vcpus: readonly VcpuGap[];
  /** The last sight of any of its vCPUs in the old kernel; null if none was seen there. */
  readonly last: VcpuSeen | null;
  /** The first sight in the new one. */
  readonly first: VcpuSeen | null;
}

/**
 * A thread's name without its vCPU's number: `CPU #/KVM` (QEMU), `vcpu#` (cloud-hypervisor), `fc_vcpu #` (Firecracker).
 */
function namePattern(task: string): string {
  return task.replace(/\d+/, "#");
}

/** What the kernel prints if it has forgotten a task's name. */
const UNNAMED = "<...>";

function numberOf({ vcpu, task }: VcpuSeen): number | null {
  if (vcpu !== null) return vcpu;
  const digits = /\d{1,5}/.exec(task);
  return digits === null ? null : Number(digits[0]);
}

const byNumber = (a: VcpuSeen, b: VcpuSeen): number => (numberOf(a) ?? -1) - (numberOf(b) ?? -1) || a.pid - b.pid;

/** The process of each thread that a recorder saved, by boot. */
export type Processes = Readonly<Record<Boot, ReadonlyMap<number, number>>>;

const NO_PROCESSES: Processes = { old: new Map(), new: new Map() };

/** VMs by identity. `events`: for marks with `vm=ID`, of the vCPU's own thread or of any other of its process. */
export function vcpuVms(
  seen: readonly VcpuSeen[],
  events: readonly KeyEvent[],
  processes: Processes = NO_PROCESSES,
): readonly VcpuVm[] {
  if (seen.length === 0) return [];
  const marked = new Map<string, string>();
  for (const { what, fields, at, pid } of events) {
    const vm = fields.get("vm");
    if (what !== "marker" || vm === undefined || pid <= 0) continue;
    marked.set(`${at.boot} ${pid}`, String(vm));
    const process = processes[at.boot].get(pid);
    if (process !== undefined) marked.set(`${at.boot} process ${process}`, String(vm));
  }
  const shared = sharedNames(seen, processes);
  const groups = new Map<string, { readonly id: string; readonly byMark: boolean; readonly threads: VcpuSeen[] }>();
  for (const thread of seen) {
    const process = processes[thread.boot].get(thread.pid);
    const vm = marked.get(`${thread.boot} ${thread.pid}`) ?? marked.get(`${thread.boot} process ${process}`);
    const pattern = namePattern(thread.task);
    const isShared = process !== undefined && shared.has(`${thread.boot} ${pattern}`);
    const id = vm ?? (isShared ? `${pattern} of process ${process} (${thread.boot} kernel)` : pattern);
    const key = `${vm === undefined ? "name" : "mark"} ${id}`;
    const group = groups.get(key) ?? { id, byMark: vm !== undefined, threads: [] };
    groups.set(key, group);
    group.threads.push(thread);
  }
  return joinedByNumbers(
    [...groups.values()].map((group) => ({ ...group, how: group.byMark ? "vm-mark" : "thread-names" })),
  )
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
    .map(({ id, how, threads }) => vmOf(id, how, threads));
}

/** Names of vCPUs, by boot, that threads of several processes have: QEMU's are `CPU 0/KVM` in each. */
function sharedNames(seen: readonly VcpuSeen[], processes: Processes): ReadonlySet<string> {
  const first = new Map<string, number>();
  const shared = new Set<string>();
  for (const { boot, pid, task } of seen) {
    const process = processes[boot].get(pid);
    if (process === undefined) continue;
    const key = `${boot} ${namePattern(task)}`;
    if ((first.get(key) ?? process) !== process) shared.add(key);
    first.set(key, process);
  }
  return shared;
}

interface Group {
  readonly id: string;
  readonly how: Exclude<VcpuJoin, "not-told-apart">;
  readonly threads: readonly VcpuSeen[];
}

function joinedByNumbers(groups: readonly Group[]): Group[] {
  const only = (boot: Boot): readonly Group[] =>
    groups.filter(({ how, threads }) => how !== "vm-mark" && threads.every((thread) => thread.boot === boot));
  const [old, fresh] = [only("old"), only("new")];
  const [before, after] = [old[0], fresh[0]];
  if (before === undefined || after === undefined || old.length > 1 || fresh.length > 1) return [...groups];
  const id = before.id === UNNAMED ? after.id : before.id;
  const joined: Group = { id, how: "vcpu-numbers", threads: [...before.threads, ...after.threads] };
  return [...groups.filter((group) => group !== before && group !== after), joined];
}

function vmOf(id: string, how: Group["how"], threads: readonly VcpuSeen[]): VcpuVm {
  const of = (boot: Boot): readonly VcpuSeen[] => threads.filter((thread) => thread.boot === boot).sort(byNumber);
  const [old, fresh] = [of("old"), of("new")];
  const isOne = (list: readonly VcpuSeen[]): boolean => new Set(list.map(numberOf)).size === list.length;
  const joinedBy = how === "vm-mark" || (isOne(old) && isOne(fresh)) ? how : "not-told-apart";
  const last = old.reduce<VcpuSeen | null>(
    (found, each) => (found === null || each.lastNs > found.lastNs ? each : found),
    null,
  );
  const first = fresh.reduce<VcpuSeen | null>(
    (found, each) => (found === null || each.firstNs < found.firstNs ? each : found),
    null,
  );
  return { id, joinedBy, vcpus: gapsOf(old, fresh, joinedBy), last, first };
}

function gapsOf(old: readonly VcpuSeen[], fresh: readonly VcpuSeen[], joinedBy: VcpuJoin): readonly VcpuGap[] {
  const alone = (thread: VcpuSeen): VcpuGap => ({
    vcpu: numberOf(thread),
    old: thread.boot === "old" ? thread : null,
    new: thread.boot === "new" ? thread : null,
  });
  const unique = new Set(old.map(numberOf)).size === old.length && new Set(fresh.map(numberOf)).size === fresh.length;
  if (joinedBy === "not-told-apart" || !unique) return [...old, ...fresh].map(alone);
  const numbers = [...new Set([...old, ...fresh].map(numberOf))].sort((a, b) => (a ?? -1) - (b ?? -1));
  return numbers.map((vcpu) => ({
    vcpu,
    old: old.find((thread) => numberOf(thread) === vcpu) ?? null,
    new: fresh.find((thread) => numberOf(thread) === vcpu) ?? null,
  }));
}

export const stoppedAt = ({ last }: VcpuVm): Placed | null => (last === null ? null : { boot: "old", ns: last.lastNs });
export const ranAt = ({ first }: VcpuVm): Placed | null => (first === null ? null : { boot: "new", ns: first.firstNs });

function boundaryOf(seen: VcpuSeen, edge: "last" | "first"): FoundBoundary {
  const [ns, event, file, place] =
    edge === "last"
      ? [seen.lastNs, seen.lastEvent, seen.lastFile, seen.lastPlace]
      : [seen.firstNs, seen.firstEvent, seen.firstFile, seen.firstPlace];
  const number = numberOf(seen);
  const which = number === null ? seen.task : `vCPU ${number} (${seen.task})`;
  return {
    boundary: edge === "last" ? "pause" : "resume",
    boot: seen.boot,
    ns,
    earliest: ns,
    latest: ns,
    uncertaintyNs: 0,
    evidence: { event: `${edge} ${event} of ${which}`, confidence: "probe", file, place },
  };
}

/**
 * The host's blackout: from the first VM that stood still to the last one that ran again, of those seen in both kernels
 * (one seen only in the old kernel may have ended for good). If no VM can be followed, but each kernel ran as many,
 * these are the same VMs, whichever is which. Null if there is none.
 */
export function vcpuBlackout(
  vms: readonly VcpuVm[],
): { readonly begin: FoundBoundary; readonly end: FoundBoundary } | null {
  const isFollowed = ({ last, first }: VcpuVm): boolean => last !== null && first !== null;
  const before = vms.filter(({ last }) => last !== null).length;
  const after = vms.filter(({ first }) => first !== null).length;
  const taken = vms.some(isFollowed) ? vms.filter(isFollowed) : before > 1 && before === after ? vms : [];
  let begin: VcpuSeen | null = null;
  let end: VcpuSeen | null = null;
  for (const { last, first } of taken) {
    if (last !== null && (begin === null || last.lastNs < begin.lastNs)) begin = last;
    if (first !== null && (end === null || first.firstNs > end.firstNs)) end = first;
  }
  return begin === null || end === null ? null : { begin: boundaryOf(begin, "last"), end: boundaryOf(end, "first") };
}
