/** Processes that analyse captures, each within limits of time and memory: one that exceeds them is killed, alone. */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import type { WorkerAnswer, WorkerRequest } from "./worker-messages.js";

export interface WorkerLimits {
  /** Workers at once. */
  readonly jobs: number;
  /** For one request; null: as long as it takes. */
  readonly timeoutMs: number | null;
  /** Resident memory of a worker, bytes; null: as much as it takes. */
  readonly memoryBytes: number | null;
}

export type KillReason = "time" | "memory" | "crash";

export type WorkerOutcome =
  | WorkerAnswer
  | { readonly kind: "killed"; readonly why: KillReason; readonly detail: string };

const PROGRAM = new URL("./worker.js", import.meta.url);
/** A capture that takes memory at 2 GB/s exceeds its limit by 0.1 GB before it is seen. */
const LOOK_EVERY_MS = 50;
/** V8 seldom returns memory: a worker is replaced before it counts against its next capture. */
const RETIRE_SHARE = 0.5;
const LAST_WORDS = 2_000;

interface Worker {
  readonly process: ChildProcess;
  /** The end of what it wrote to standard error. */
  lastWords: string;
}

interface Waiting {
  readonly request: WorkerRequest;
  readonly done: (outcome: WorkerOutcome) => void;
}

export class WorkerPool {
  readonly #limits: WorkerLimits;
  readonly #program: URL;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: Waiting[] = [];
  #busy = 0;
  #closed = false;

  /** `program`: what a worker runs, unless it is the worker's own. */
  constructor(limits: WorkerLimits, program: URL = PROGRAM) {
    this.#limits = limits;
    this.#program = program;
  }

  /** Whether a request would be taken up at once. */
  get hasRoom(): boolean {
    return this.#busy + this.#waiting.length < this.#limits.jobs;
  }

  /** Never rejects. `urgent`: before those that wait. */
  async run(request: WorkerRequest, urgent = false): Promise<WorkerOutcome> {
    return await new Promise((done) => {
      if (urgent) this.#waiting.unshift({ request, done });
      else this.#waiting.push({ request, done });
      this.#startWaiting();
    });
  }

  /** Kills every worker; what was under way is answered as killed. */
  close(): void {
    this.#closed = true;
    for (const worker of this.#all) worker.process.kill("SIGKILL");
    for (const { done } of this.#waiting.splice(0)) done({ kind: "killed", why: "crash", detail: "its parent ends" });
  }

  #startWaiting(): void {
    while (!this.#closed && this.#busy < this.#limits.jobs) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#busy += 1;
      void this.#work(next.request).then((outcome) => {
        this.#busy -= 1;
        next.done(outcome);
        this.#startWaiting();
      });
    }
  }

  async #work(request: WorkerRequest): Promise<WorkerOutcome> {
    const worker = this.#idle.pop() ?? this.#start();
    const { process: child } = worker;
    const { timeoutMs, memoryBytes } = this.#limits;
    const outcome = await new Promise<WorkerOutcome>((done) => {
      let killed: { readonly why: KillReason; readonly detail: string } | null = null;
      const kill = (why: KillReason, detail: string): void => {
        killed ??= { why, detail };
        child.kill("SIGKILL");
      };
      const clock =
        timeoutMs === null
          ? undefined
          : setTimeout(() => kill("time", `it took longer than ${timeoutMs / 1e3} s`), timeoutMs);
      const memory =
        memoryBytes === null
          ? undefined
          : setInterval(() => {
              const bytes = residentBytes(child.pid);
              if (bytes > memoryBytes) kill("memory", `it took more than ${Math.round(memoryBytes / 2 ** 20)} MiB`);
            }, LOOK_EVERY_MS);
      const end = (found: WorkerOutcome): void => {
        clearTimeout(clock);
        clearInterval(memory);
        child.off("message", answered);
        child.off("close", ended);
        child.off("error", lost);
        done(found);
      };
      const answered = (answer: unknown): void => end(answer as WorkerAnswer);
      const lost = (error: Error): void =>
        end({ kind: "killed", why: "crash", detail: `no worker could be started: ${error.message}` });
      // Not exit: its last words may still be on their way.
      const ended = (code: number | null, signal: string | null): void => {
        const heap = /heap out of memory|Array buffer allocation failed/.test(worker.lastWords);
        const why = heap ? "memory" : "crash";
        const crash = `its worker ended (${signal ?? `exit code ${code}`}): ${lastLine(worker.lastWords)}`;
        end({ kind: "killed", ...(killed ?? { why, detail: heap ? "its worker's memory was exhausted" : crash }) });
      };
      child.once("message", answered);
      child.once("close", ended);
      child.once("error", lost);
      child.send(request, (error) => {
        if (error !== null) kill("crash", `its worker cannot be reached: ${error.message}`);
      });
    });
    const isFull = memoryBytes !== null && residentBytes(child.pid) > RETIRE_SHARE * memoryBytes;
    if (outcome.kind === "killed" || isFull) {
      this.#all.delete(worker);
      child.kill("SIGKILL");
    } else this.#idle.push(worker);
    return outcome;
  }

  #start(): Worker {
    const { memoryBytes } = this.#limits;
    const child = fork(this.#program, {
      execArgv: memoryBytes === null ? [] : [`--max-old-space-size=${Math.max(64, Math.floor(memoryBytes / 2 ** 20))}`],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const worker: Worker = { process: child, lastWords: "" };
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      worker.lastWords = (worker.lastWords + text).slice(-LAST_WORDS);
    });
    // Not every failure emits it; "close" always follows, and is enough.
    child.on("error", () => {});
    // One that ends while it has nothing to do is replaced by the next.
    child.on("close", () => {
      this.#all.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    this.#all.add(worker);
    return worker;
  }
}

/** 0 if the process has ended. */
function residentBytes(pid: number | undefined): number {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function lastLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? "it printed nothing";
}
