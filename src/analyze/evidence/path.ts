/**
 * The path that carries the update: in each boot, the tasks through which it runs one after the other. Old kernel: the
 * task that calls reboot(KEXEC). New kernel: the boot CPU's first task, then pid 1, then the process that opens
 * /dev/liveupdate and restores.
 */

import type { Boot } from "../../base/time.js";
import type { Collected, KeyEvent } from "../../model/collected.js";
import type { PathRole } from "../../model/documents/attribution.js";
import { FUNCTIONS, REBOOT_CMD_KEXEC } from "../../model/luo.js";
import { isMark, MARKS } from "../../model/marks.js";
import type { Zero } from "./axis.js";
import type { MarkSpelling } from "./boundaries.js";

export interface PathTask {
  readonly boot: Boot;
  readonly pid: number;
  readonly task: string;
  readonly role: PathRole;
}

const REBOOT_CALLS = new Set<string>([FUNCTIONS.kernelKexec.name, FUNCTIONS.liveupdateReboot.name]);
const OPEN_CALLS = new Set<string>([FUNCTIONS.open.name, FUNCTIONS.sessionRetrieve.name]);

const isReboot = (event: KeyEvent): boolean =>
  (event.what === "call" && REBOOT_CALLS.has(event.name)) ||
  (event.what === "syscall-enter" && event.name === "reboot" && Number(event.fields.get("cmd")) === REBOOT_CMD_KEXEC) ||
  (event.what === "marker" && isMark(event.name, `${MARKS.kexec.name} begin`));

const isOpen = (event: KeyEvent): boolean =>
  (event.what === "call" && OPEN_CALLS.has(event.name)) ||
  (event.what === "syscall-enter" && event.name === "openat") ||
  (event.what === "marker" && isMark(event.name, MARKS.restore.name));

/** The tasks of the path, in the order they carry it; those that nothing shows are left out. */
export function findPath(events: readonly KeyEvent[], spelling: MarkSpelling): readonly PathTask[] {
  const marked = (event: KeyEvent, text: string): boolean => event.what === "marker" && isMark(event.name, text);
  const old = events.filter((event) => event.at.boot === "old");
  const fresh = events.filter((event) => event.at.boot === "new");
  const reboots = old.findLast(isReboot) ?? old.findLast((event) => marked(event, spelling.pause));
  const restores = fresh.find(isOpen) ?? fresh.findLast((event) => marked(event, spelling.resume));
  const task = (event: KeyEvent | undefined, role: PathTask["role"]): readonly PathTask[] =>
    event === undefined ? [] : [{ boot: event.at.boot, pid: event.pid, task: event.task, role }];
  return [
    ...task(reboots, "reboots"),
    ...(fresh.length === 0 ? [] : [{ boot: "new" as const, pid: 1, task: "init", role: "boots" as const }]),
    ...task(restores, "restores"),
  ];
}

/**
 * When the process that restores was first seen, by any record of its own: from there on it, and no longer pid 1,
 * carries the update. null if it was not seen.
 */
export function firstOf(
  { spans, keyEvents }: Pick<Collected, "spans" | "keyEvents">,
  path: readonly PathTask[],
  zero: Zero,
): number | null {
  const restores = path.find(({ role }) => role === "restores");
  if (restores === undefined) return null;
  let first =
    keyEvents.find((event) => event.at.boot === "new" && event.pid === restores.pid)?.at.ns ?? Number.POSITIVE_INFINITY;
  for (let row = 0; row < spans.count; row++) {
    if (spans.pid[row] === restores.pid && spans.boot.at(row) === "new")
      first = Math.min(first, spans.beginNs[row] as number);
  }
  return Number.isFinite(first) ? first - zero.new : null;
}
