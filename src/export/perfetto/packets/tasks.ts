/**
 * Thread ids in a trace of two kernels: pid 1 of the old one and pid 1 of the new one are two tasks. The old boot's
 * thread ids are unchanged, the new boot's are moved beyond any possible pid; each boot is one process, because traces
 * do not record which thread belongs to which process.
 */
import type { Boot } from "../../../base/time.js";
import type { TraceWriter } from "./trace-writer.js";

/** PID_MAX_LIMIT of a 64-bit kernel, include/linux/threads.h: every pid is below it. */
export const PID_LIMIT = 4 * 1024 * 1024;
/** Added to the new boot's thread ids. */
export const NEW_BOOT_TID_OFFSET = PID_LIMIT;
/** The processes that stand for the two boots; beyond both ranges of thread ids. */
const BOOT_PROCESS: Readonly<Record<Boot, number>> = { old: 2 * PID_LIMIT, new: 2 * PID_LIMIT + 1 };

/** What ftrace prints for a task whose name it no longer knows. */
const UNKNOWN_COMM = "<...>";

/**
 * The pid of a task as the trace writes it; null if the kernel cannot have assigned it. Pid 0 is every CPU's idle task,
 * in both boots: a trace shows it as an idle CPU.
 */
export function tidOf(boot: Boot, pid: number): number | null {
  if (!Number.isInteger(pid) || pid < 0 || pid >= PID_LIMIT) return null;
  return pid === 0 || boot === "old" ? pid : pid + NEW_BOOT_TID_OFFSET;
}

export class Tasks {
  readonly #writer: TraceWriter;
  readonly #threads = new Map<number, number>();
  readonly #names = new Map<number, string>();

  constructor(writer: TraceWriter, kernel: Readonly<Record<Boot, string | null>>) {
    this.#writer = writer;
    writer.orderProcesses();
    for (const [rank, boot] of (["old", "new"] as const).entries()) {
      const release = kernel[boot] === null ? "" : ` ${kernel[boot]}`;
      writer.track({
        parent: 0,
        name: "",
        rank,
        process: { pid: BOOT_PROCESS[boot], name: `${boot} kernel${release}` },
        description: `All tasks of the ${boot} boot.${
          boot === "new" ? ` Their pid is the thread id minus ${NEW_BOOT_TID_OFFSET}.` : ""
        }`,
      });
    }
  }

  /** The track of a thread (its tid as `tidOf` gives it, above zero), made at its first use. */
  track(boot: Boot, tid: number, comm: string): number {
    const known = this.#threads.get(tid);
    if (known !== undefined) return known;
    const name = isName(comm) ? threadName(boot, comm) : null;
    const uuid = this.#writer.track({ parent: 0, name: "", thread: { pid: BOOT_PROCESS[boot], tid, name } });
    this.#threads.set(tid, uuid);
    return uuid;
  }

  /** Names a thread at trace time `at`; written only if the name has changed. */
  name(boot: Boot, tid: number, comm: string, at: number): void {
    if (tid === 0 || this.#names.get(tid) === comm || !isName(comm)) return;
    this.#names.set(tid, comm);
    this.#writer.threadName(at, tid, BOOT_PROCESS[boot], threadName(boot, comm));
  }
}

const isName = (comm: string): boolean => comm !== "" && comm !== UNKNOWN_COMM;
const threadName = (boot: Boot, comm: string): string => `${comm} (${boot})`;
