/**
 * What LUO itself did in a phase, beside the phase's envelope: a restore may span seconds in which user space waited
 * for something else, and hold milliseconds of LUO's calls.
 */
import type { RawSpans } from "../../model/collected.js";
import { functionRow, LUO_IOCTLS, type LuoDialect } from "../../model/luo.js";
import { markRow } from "../../model/marks.js";
import type { Zero } from "./axis.js";
import type { Call } from "./calls.js";

/** One call of LUO's, relative to zero. */
export interface Work {
  readonly name: string;
  readonly beginNs: number;
  readonly endNs: number;
}

/** A time inside a phase in which LUO did nothing. */
export interface Between {
  readonly beginNs: number;
  readonly endNs: number;
  readonly durationNs: number;
  /** The calls before and after it; null at an end of the phase. */
  readonly after: string | null;
  readonly before: string | null;
}

/** By what shows the calls, each by begin: the kernel's functions, system calls, marks. */
export interface WorkRecords {
  readonly functions: readonly Work[];
  readonly syscalls: readonly Work[];
  readonly marks: readonly Work[];
}

const isLuo = ({ name, fields }: Call): boolean => {
  const row = functionRow(name);
  return (row !== null && row.kernels !== "all") || fields.has("compat");
};
/** The new kernel's own initialisation of LUO and KHO. */
const INITCALL = /^(?:liveupdate|luo|kho|memfd_luo)_/;

/** All calls of LUO's, by begin; calls whose end was not seen are left out. */
export function workRecords(calls: readonly Call[], raw: RawSpans, zero: Zero, dialect: LuoDialect): WorkRecords {
  const [functions, syscalls, marks]: [Work[], Work[], Work[]] = [[], [], []];
  for (const call of calls) {
    if (call.end === null) continue;
    const { boot } = call.begin;
    const command = LUO_IOCTLS[dialect].get(Number(call.fields.get("cmd") ?? Number.NaN));
    const work = {
      name: command?.name ?? call.name,
      beginNs: call.begin.ns - zero[boot],
      endNs: call.end.ns - zero[boot],
    };
    switch (call.source) {
      case "kprobe":
      case "function-graph":
        if (isLuo(call)) functions.push(work);
        break;
      case "syscall":
        if (call.name !== "reboot" && call.name !== "kexec_file_load") syscalls.push(work);
        break;
      case "marker":
        if (markRow(call.name)?.deed != null) marks.push(work);
        break;
      default:
    }
  }
  for (let row = 0; row < raw.count; row++) {
    const name = raw.kind.at(row) === "initcall" ? (raw.name.at(row) ?? "") : "";
    if (!INITCALL.test(name)) continue;
    const boot = raw.boot.at(row) ?? "new";
    const begin = (raw.beginNs[row] as number) - zero[boot];
    functions.push({ name, beginNs: begin, endNs: (raw.endNs[row] as number) - zero[boot] });
  }
  for (const list of [functions, syscalls, marks]) list.sort((a, b) => a.beginNs - b.beginNs || b.endNs - a.endNs);
  return { functions, syscalls, marks };
}

/** Gaps listed for each phase, the longest first: they show where most of the waiting went. */
const GAPS = 3;
/** Shorter gaps are LUO's callers at work, not a wait. */
const MIN_GAP_NS = 1_000_000;

/**
 * The union of LUO's calls in [beginNs, endNs], by the best record that shows any, and the longest gaps between its
 * functions and system calls together (between marks if these are all there is); null if no record shows its calls.
 */
export function workIn(
  { functions, syscalls, marks }: WorkRecords,
  beginNs: number,
  endNs: number,
): { readonly workNs: number; readonly between: readonly Between[] } | null {
  const inside = (list: readonly Work[]): readonly Work[] =>
    list.filter((work) => work.endNs > beginNs && work.beginNs < endNs);
  const [called, asked, marked] = [inside(functions), inside(syscalls), inside(marks)];
  const own = called.length > 0 ? called : asked.length > 0 ? asked : marked;
  if (own.length === 0) return null;
  const all = called.length + asked.length > 0 ? [...called, ...asked] : marked;
  const { gaps } = covered(all, beginNs, endNs);
  const longest = gaps
    .filter(({ durationNs }) => durationNs >= MIN_GAP_NS)
    .sort((a, b) => b.durationNs - a.durationNs)
    .slice(0, GAPS);
  return {
    workNs: covered(own, beginNs, endNs).ns,
    between: longest.sort((a, b) => a.beginNs - b.beginNs),
  };
}

/** What the works cover of [beginNs, endNs], and what they leave. */
function covered(
  works: readonly Work[],
  beginNs: number,
  endNs: number,
): { readonly ns: number; readonly gaps: readonly Between[] } {
  const gaps: Between[] = [];
  let ns = 0;
  let at = beginNs;
  let after: string | null = null;
  const gap = (to: number, before: string | null): void => {
    if (to > at) gaps.push({ beginNs: at, endNs: to, durationNs: to - at, after, before });
    at = Math.max(at, to);
  };
  for (const work of [...works].sort((a, b) => a.beginNs - b.beginNs || b.endNs - a.endNs)) {
    gap(work.beginNs, work.name);
    const end = Math.min(endNs, work.endNs);
    if (end <= at) continue;
    ns += end - at;
    at = end;
    after = work.name;
  }
  gap(endNs, null);
  return { ns, gaps };
}
