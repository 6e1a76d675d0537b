/**
 * Which of LUO's interfaces a capture speaks. One ioctl number means different things in each, so that the dialect is
 * chosen by evidence that only one of them has, and is never mixed (reference: include/uapi/linux/liveupdate.h of the
 * three; kernel/liveupdate/luo_core.c of the 2025 series).
 */
import type { KeyEvent } from "../../model/collected.js";
import { captured, isKernelLine } from "../../model/kernel-lines.js";
import {
  FIRST_SESSION_IOCTL,
  FUNCTIONS,
  type FunctionRole,
  functionRow,
  IOCTL,
  ioctlNumber,
  type LuoDialect,
  STATE_IOCTL_RANGE,
} from "../../model/luo.js";

/** Roles of the functions that only kernels with sessions have. */
const SESSION_ROLES: ReadonlySet<FunctionRole> = new Set(["session", "file", "host"]);

const isStateFunction = (name: string): boolean => functionRow(name)?.kernels === "states";
const isSessionFunction = (name: string): boolean => {
  const row = functionRow(name);
  return row !== null && row.kernels === "6.19 and later" && SESSION_ROLES.has(row.role);
};
const isCall = (event: KeyEvent): boolean => event.what === "call" || event.what === "return";
const isIoctl = (event: KeyEvent): boolean =>
  (event.what === "syscall-enter" || event.what === "syscall-exit") && event.name === "ioctl";

/** The dialect of the events; the merged one by default. */
export function luoDialect(events: readonly KeyEvent[]): LuoDialect {
  let states = false;
  let sessions = false;
  for (const event of events) {
    if (event.what === "printk") states ||= isKernelLine(event.name, "luo-switched");
    else if (isCall(event)) {
      states ||= isStateFunction(event.name);
      sessions ||= isSessionFunction(event.name);
    } else if (isIoctl(event)) {
      const cmd = Number(event.fields.get("cmd"));
      states ||= cmd >= STATE_IOCTL_RANGE.first && cmd <= STATE_IOCTL_RANGE.last;
      sessions ||= cmd >= FIRST_SESSION_IOCTL;
    }
  }
  if (!states) return "sessions";
  return sessions ? "states-and-sessions" : "states";
}

export type StateEvent = "prepare" | "freeze" | "finish" | "cancel";

/** What led from one state to another (enum liveupdate_event); null for any other text. */
export function stateEvent(text: string): StateEvent | null {
  const switched = captured("luo-switched", text);
  switch (switched?.to) {
    case "prepared":
      return "prepare";
    case "frozen":
      return "freeze";
    case "normal":
      return switched?.from === "updated" ? "finish" : "cancel";
    default:
      return null;
  }
}

const CALLED: ReadonlyMap<string, StateEvent> = new Map<string, StateEvent>([
  [FUNCTIONS.statePrepare.name, "prepare"],
  [FUNCTIONS.stateFreeze.name, "freeze"],
  [FUNCTIONS.stateFinish.name, "finish"],
  [FUNCTIONS.stateCancel.name, "cancel"],
]);

function told(event: KeyEvent): StateEvent | null {
  if (event.what === "printk") return stateEvent(event.name);
  return event.what === "call" ? (CALLED.get(event.name) ?? null) : null;
}

/**
 * SET_EVENT's argument lies in user memory, which no trace event sees. The state line, or LUO's own function, inside
 * the call shows which event it was; such an ioctl is then named `SET_EVENT(prepare)`. Others are unchanged.
 */
export function namedStateEvents(events: readonly KeyEvent[], dialect: LuoDialect): readonly KeyEvent[] {
  const command = ioctlNumber(dialect, IOCTL.setEvent);
  if (command === null) return events;
  const named = new Map<KeyEvent, KeyEvent>();
  const open = new Map<string, { readonly enter: KeyEvent; found: StateEvent | null }>();
  for (const event of events) {
    const found = told(event);
    if (found !== null) {
      const own = [...open.entries()].filter(([key]) => key.startsWith(`${event.at.boot} `));
      // A log line may be written out by another task: with two calls open it could be either's.
      const ofTask = open.get(`${event.at.boot} ${event.pid}`);
      const call = ofTask ?? (event.what === "printk" && own.length === 1 ? own[0]?.[1] : undefined);
      if (call !== undefined) call.found ??= found;
      continue;
    }
    if (!isIoctl(event) || Number(event.fields.get("cmd")) !== command) continue;
    const key = `${event.at.boot} ${event.pid}`;
    if (event.what === "syscall-enter") {
      open.set(key, { enter: event, found: null });
      continue;
    }
    const call = open.get(key);
    open.delete(key);
    if (call?.found == null) continue;
    const name = `SET_EVENT(${call.found})`;
    const fields = new Map([...event.fields].filter(([field]) => field !== "cmd"));
    named.set(call.enter, { ...call.enter, name, fields });
    named.set(event, { ...event, name, fields });
  }
  return named.size === 0 ? events : events.map((event) => named.get(event) ?? event);
}

/** The old kernel's last event that took LUO back to normal, or null. */
export function lastCancel(events: readonly KeyEvent[]): KeyEvent | null {
  return events.findLast((event) => event.at.boot === "old" && told(event) === "cancel") ?? null;
}

/**
 * If an update went on after a cancelled attempt, that attempt's preparing is not this update's: what the old kernel
 * did for LUO up to the last cancel is left out.
 */
export function withoutCancelled(events: readonly KeyEvent[]): readonly KeyEvent[] {
  const cancel = lastCancel(events);
  if (cancel === null) return events;
  const isLuo = (event: KeyEvent): boolean =>
    told(event) !== null ||
    (isCall(event) && (isStateFunction(event.name) || isSessionFunction(event.name))) ||
    isIoctl(event) ||
    event.name === FUNCTIONS.liveupdateReboot.name ||
    event.name === FUNCTIONS.kernelKexec.name ||
    event.name === "reboot";
  const until = events.findLast(
    (event) => event.at.boot === "old" && event.what === "return" && event.name === FUNCTIONS.stateCancel.name,
  );
  const endNs = Math.max(cancel.at.ns, until?.at.ns ?? cancel.at.ns);
  return events.filter((event) => event.at.boot !== "old" || event.at.ns > endNs || !isLuo(event));
}
