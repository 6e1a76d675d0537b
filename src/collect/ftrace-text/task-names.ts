/**
 * Task names that a trace itself holds: the kernel prints `<...>` for a task whose name it had not saved, and a
 * sched_switch of the same trace may name it. The last switch counts: a task changes its name by exec.
 */
import { bytesOf, find, isDigit, startsWith, ZERO } from "../files/bytes.js";
import type { NameCache } from "./name-cache.js";

const PREV_COMM = bytesOf("prev_comm=");
const PREV_PID = bytesOf(" prev_pid=");
const NEXT_COMM = bytesOf(" next_comm=");
const NEXT_PID = bytesOf(" next_pid=");
/** A name is at most 15 bytes (TASK_COMM_LEN), and may hold ` next_pid=` itself: its own is the last within this. */
const COMM_BYTES = 16;
/** PID_MAX_LIMIT is 4,194,304; more different tasks than this are of no host's trace. */
const MOST_TASKS = 1 << 17;

export class TaskNames {
  readonly #names: NameCache;
  readonly #unnamed: number;
  readonly #schedSwitch: number;
  readonly #byPid = new Map<number, number>();

  constructor(names: NameCache) {
    this.#names = names;
    this.#unnamed = names.strings.idOf("<...>");
    this.#schedSwitch = names.strings.idOf("sched_switch");
  }

  /** The task's name as an id: that of the last switch if the line has none. */
  nameOf(pid: number, comm: number): number {
    return comm === this.#unnamed ? (this.#byPid.get(pid) ?? comm) : comm;
  }

  /** Takes note of the tasks in a sched_switch's arguments in [begin, end). */
  learn(name: number, buffer: Uint8Array, begin: number, end: number): void {
    if (name !== this.#schedSwitch || !startsWith(buffer, begin, end, PREV_COMM)) return;
    const prev = this.#learn(buffer, begin + PREV_COMM.length, end, PREV_PID);
    const next = prev < 0 ? -1 : find(buffer, prev, end, NEXT_COMM);
    if (next >= 0) this.#learn(buffer, next + NEXT_COMM.length, end, NEXT_PID);
  }

  /** Of the task whose name begins at `comm`; returns the place behind its number, -1 if there is none. */
  #learn(buffer: Uint8Array, comm: number, end: number, pidKey: Uint8Array): number {
    let key = -1;
    for (let at = comm; at < end && at <= comm + COMM_BYTES; at++) {
      if (startsWith(buffer, at, end, pidKey)) key = at;
    }
    if (key < 0) return -1;
    let pid = 0;
    let at = key + pidKey.length;
    while (at < end && isDigit(buffer[at] as number)) pid = pid * 10 + (buffer[at++] as number) - ZERO;
    if (pid === 0 || (this.#byPid.size >= MOST_TASKS && !this.#byPid.has(pid))) return at;
    const id = this.#names.idOf(buffer, comm, key);
    if (id !== this.#unnamed) this.#byPid.set(pid, id);
    return at;
  }
}
