/**
 * Which of LUO's interfaces a capture speaks. One ioctl number means different things in each, so that the dialect is
 * chosen by evidence that only one of them has, and is never mixed (reference: include/uapi/linux/liveupdate.h of the
 * three; kernel/liveupdate/luo_core.c of the 2025 series).
 */
import type { KeyEvent } from "../../model/collected.js";

/**
 * `sessions`: merged, Linux 6.19 on. `states`: the 2025 series up to v3, one state for the whole host and no sessions.
 * `states-and-sessions`: its v4, which had both.
 */
export type LuoDialect = "sessions" | "states" | "states-and-sessions";

export interface LuoIoctl {
  readonly name: string;
  readonly kind: "session" | "file" | null;
  readonly action: string;
}

const row = (name: string, kind: LuoIoctl["kind"], action: string): LuoIoctl => ({ name, kind, action });

/** The commands of each dialect, by number: _IO(0xBA, nr). */
export const LUO_IOCTLS: Readonly<Record<LuoDialect, ReadonlyMap<number, LuoIoctl>>> = {
  sessions: new Map([
    [0xba00, row("LIVEUPDATE_IOCTL_CREATE_SESSION", "session", "create")],
    [0xba01, row("LIVEUPDATE_IOCTL_RETRIEVE_SESSION", "session", "retrieve")],
    [0xba40, row("LIVEUPDATE_SESSION_PRESERVE_FD", "file", "preserve")],
    [0xba41, row("LIVEUPDATE_SESSION_RETRIEVE_FD", "file", "retrieve")],
    [0xba42, row("LIVEUPDATE_SESSION_FINISH", "session", "finish")],
  ]),
  states: new Map([
    [0xba00, row("LIVEUPDATE_IOCTL_FD_PRESERVE", "file", "preserve")],
    [0xba01, row("LIVEUPDATE_IOCTL_FD_UNPRESERVE", "file", "unpreserve")],
    [0xba02, row("LIVEUPDATE_IOCTL_FD_RESTORE", "file", "retrieve")],
    [0xba03, row("LIVEUPDATE_IOCTL_GET_STATE", null, "")],
    [0xba04, row("LIVEUPDATE_IOCTL_SET_EVENT", null, "")],
    [0xba05, row("LIVEUPDATE_IOCTL_GET_FD_STATE", null, "")],
    [0xba06, row("LIVEUPDATE_IOCTL_SET_FD_EVENT", null, "")],
  ]),
  "states-and-sessions": new Map([
    [0xba00, row("LIVEUPDATE_IOCTL_GET_STATE", null, "")],
    [0xba01, row("LIVEUPDATE_IOCTL_SET_EVENT", null, "")],
    [0xba02, row("LIVEUPDATE_IOCTL_CREATE_SESSION", "session", "create")],
    [0xba03, row("LIVEUPDATE_IOCTL_RETRIEVE_SESSION", "session", "retrieve")],
    [0xba40, row("LIVEUPDATE_SESSION_PRESERVE_FD", "file", "preserve")],
    [0xba41, row("LIVEUPDATE_SESSION_UNPRESERVE_FD", "file", "unpreserve")],
    [0xba42, row("LIVEUPDATE_SESSION_RESTORE_FD", "file", "retrieve")],
    [0xba43, row("LIVEUPDATE_SESSION_GET_STATE", null, "")],
    [0xba44, row("LIVEUPDATE_SESSION_SET_EVENT", null, "")],
  ]),
};

/** The number of a command in a dialect; null where that has none. */
export function ioctlNumber(dialect: LuoDialect, name: string): number | null {
  for (const [number, ioctl] of LUO_IOCTLS[dialect]) if (ioctl.name === name) return number;
  return null;
}

/** Functions that only the kernels with a global state have. */
const STATE_FUNCTION =
  /^(?:(?:__)?luo_prepare|luo_freeze|luo_finish|(?:__)?luo_cancel|luo_do_subsystems_\w+|luo_files_\w+_one|luo_subsystems_startup)$/;
const SESSION_FUNCTION =
  /^luo_(?:session_(?:create|retrieve|preserve_fd|retrieve_fd|finish|serialize|deserialize)|preserve_file|retrieve_file|file_freeze|file_finish)$/;
const SWITCHED = /^luo: Switched from \[(\w+)\] to \[(\w+)\] state/;
/** The state machine's own commands of v2 and v3; the merged model has two commands on the device. */
const FIRST_STATE_COMMAND = 0xba02;
const LAST_STATE_COMMAND = 0xba06;
const FIRST_SESSION_COMMAND = 0xba40;

const isCall = (event: KeyEvent): boolean => event.what === "call" || event.what === "return";
const isIoctl = (event: KeyEvent): boolean =>
  (event.what === "syscall-enter" || event.what === "syscall-exit") && event.name === "ioctl";

/** The dialect that the events speak; the merged one where nothing tells. */
export function luoDialect(events: readonly KeyEvent[]): LuoDialect {
  let states = false;
  let sessions = false;
  for (const event of events) {
    if (event.what === "printk") states ||= SWITCHED.test(event.name);
    else if (isCall(event)) {
      states ||= STATE_FUNCTION.test(event.name);
      sessions ||= SESSION_FUNCTION.test(event.name);
    } else if (isIoctl(event)) {
      const cmd = Number(event.fields.get("cmd"));
      states ||= cmd >= FIRST_STATE_COMMAND && cmd <= LAST_STATE_COMMAND;
      sessions ||= cmd >= FIRST_SESSION_COMMAND;
    }
  }
  if (!states) return "sessions";
  return sessions ? "states-and-sessions" : "states";
}

export type StateEvent = "prepare" | "freeze" | "finish" | "cancel";

/** What led from one state to another (enum liveupdate_event); null for a text that is no such line. */
export function stateEvent(text: string): StateEvent | null {
  const match = SWITCHED.exec(text);
  switch (match?.[2]) {
    case "prepared":
      return "prepare";
    case "frozen":
      return "freeze";
    case "normal":
      return match?.[1] === "updated" ? "finish" : "cancel";
    default:
      return null;
  }
}

const CALLED: ReadonlyMap<string, StateEvent> = new Map([
  ["luo_prepare", "prepare"],
  ["luo_freeze", "freeze"],
  ["luo_finish", "finish"],
  ["luo_cancel", "cancel"],
]);

function told(event: KeyEvent): StateEvent | null {
  if (event.what === "printk") return stateEvent(event.name);
  return event.what === "call" ? (CALLED.get(event.name) ?? null) : null;
}

/**
 * SET_EVENT's argument lies in user memory, where no trace event sees it. Which event it was is told by the state line,
 * or LUO's own function, inside the call; such an ioctl is then named `SET_EVENT(prepare)`. Others stay as they are.
 */
export function namedStateEvents(events: readonly KeyEvent[], dialect: LuoDialect): readonly KeyEvent[] {
  const command = ioctlNumber(dialect, "LIVEUPDATE_IOCTL_SET_EVENT");
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
 * Where an update went on after a cancelled attempt, that attempt's preparing is not this update's: what the old kernel
 * did for LUO up to the last cancel is left out.
 */
export function withoutCancelled(events: readonly KeyEvent[]): readonly KeyEvent[] {
  const cancel = lastCancel(events);
  if (cancel === null) return events;
  const isLuo = (event: KeyEvent): boolean =>
    told(event) !== null ||
    (isCall(event) && (STATE_FUNCTION.test(event.name) || SESSION_FUNCTION.test(event.name))) ||
    isIoctl(event) ||
    event.name === "liveupdate_reboot" ||
    event.name === "kernel_kexec" ||
    event.name === "reboot";
  const until = events.findLast(
    (event) => event.at.boot === "old" && event.what === "return" && event.name === "luo_cancel",
  );
  const endNs = Math.max(cancel.at.ns, until?.at.ns ?? cancel.at.ns);
  return events.filter((event) => event.at.boot !== "old" || event.at.ns > endNs || !isLuo(event));
}
