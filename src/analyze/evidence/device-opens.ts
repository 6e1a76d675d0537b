/** Who opened /dev/liveupdate: one agent at a time holds it, and any other is refused with EBUSY (luo_core.c). */
import type { KeyEvent, Placed } from "../../model/collected.js";
import { FUNCTIONS } from "../../model/luo.js";

const EBUSY = -16;

export interface DeviceOpen {
  readonly at: Placed;
  readonly pid: number;
  readonly task: string;
  /** null if the return was not recorded. */
  readonly ret: number | null;
  readonly result: "held" | "refused" | "failed" | "unknown";
}

function resultOf(ret: number | null): DeviceOpen["result"] {
  if (ret === null) return "unknown";
  if (ret >= 0) return "held";
  return ret === EBUSY ? "refused" : "failed";
}

/** The opens, by time. The kernel's function shows each; system calls count only if no function was traced. */
export function deviceOpens(events: readonly KeyEvent[]): readonly DeviceOpen[] {
  const traced = events.some(({ what, name }) => what === "call" && name === FUNCTIONS.open.name);
  const opens = new Map<number, DeviceOpen>();
  for (const { what, name, source, at, pid, task, fields, span } of events) {
    const isOpen = traced
      ? name === FUNCTIONS.open.name && source === "kprobe"
      : source === "syscall" && name === "openat";
    if (!isOpen || span === undefined) continue;
    const ret = fields.has("ret") ? Number(fields.get("ret")) : null;
    const known = opens.get(span);
    if (known !== undefined) opens.set(span, { ...known, ret, result: resultOf(ret) });
    else if (what === "call" || what === "syscall-enter")
      opens.set(span, { at, pid, task, ret, result: resultOf(ret) });
  }
  return [...opens.values()];
}
