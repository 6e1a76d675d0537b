/**
 * What the service keeps over restarts beside the archive: which of the folder's entries it is done with, and which
 * alerts are raised. The alerts are a file of JSON, replaced in one step. The journal is such a file and a log of what
 * changed since, one line each, so that one more entry costs one more line. Losing them costs work, and nothing else:
 * the archive identifies each update by its content.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../../base/result.js";
import { writeAtomically } from "../../files/write-atomically.js";
import type { Alert } from "./alerts.js";

/** How an entry of the folder ended. It stands as long as the entry has this fingerprint. */
export interface Finished {
  readonly fingerprint: string;
  readonly atMs: number;
  readonly result:
    | { readonly kind: "taken" | "duplicate"; readonly id: string }
    | { readonly kind: "refused"; readonly reason: string };
}

export type Journal = ReadonlyMap<string, Finished>;

export interface Remembered {
  readonly journal: Journal;
  readonly alerts: readonly Alert[];
  /** A sentence for each file that could not be read: it is started again, empty. */
  readonly problems: readonly string[];
}

/** A change of the journal: null if the entry is gone. */
export type JournalChanges = ReadonlyMap<string, Finished | null>;

const JOURNAL = "journal.json";
const JOURNAL_LOG = "journal.log";
/** The log is folded into the journal when it has more lines than this, and more than twice the journal's entries. */
const LOG_LINES = 1_000;
const ALERTS = "alerts.json";
const LOCK = "lock";
const VERSION = 1;

export class StateFolder {
  readonly path: string;
  /** Lines of the log. */
  #lines = 0;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder and takes it for this process alone; the error says who has it. */
  static open(path: string): Result<StateFolder, string> {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const lock = join(path, LOCK);
      for (let attempt = 0; attempt < 2; attempt += 1) {
        try {
          const file = openSync(lock, "wx", 0o600);
          writeSync(file, `${process.pid}\n`);
          closeSync(file);
          return ok(new StateFolder(path));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
          const owner = Number(readFileSync(lock, "utf8").trim());
          if (isRunning(owner))
            return err(`${path} belongs to another 'blackout watch', process ${owner}: stop it first`);
          rmSync(lock, { force: true });
        }
      }
      return err(`${lock} is made again and again by others: are several being started?`);
    } catch (error) {
      return err(`${path} cannot be used for the service's state: ${(error as Error).message}`);
    }
  }

  read(): Remembered {
    const problems: string[] = [];
    const journal = this.#readFile(JOURNAL, problems);
    const alerts = this.#readFile(ALERTS, problems);
    const entries = new Map(Object.entries((journal?.entries ?? {}) as Record<string, Finished>));
    this.#replay(entries, problems);
    return {
      journal: entries,
      alerts: (alerts?.alerts ?? []) as readonly Alert[],
      problems,
    };
  }

  /** Writes what changed in the journal; `journal` is all of it, changes included. */
  record(changes: JournalChanges, journal: Journal): void {
    if (changes.size === 0) return;
    if (this.#lines + changes.size > Math.max(LOG_LINES, 2 * journal.size)) {
      this.#writeFile(JOURNAL, { version: VERSION, entries: Object.fromEntries(journal) });
      // A crash before this only has lines read that the journal holds already.
      rmSync(join(this.path, JOURNAL_LOG), { force: true });
      this.#lines = 0;
      return;
    }
    const lines = [...changes].map((change) => `${JSON.stringify(change)}\n`).join("");
    appendFileSync(join(this.path, JOURNAL_LOG), lines, { mode: 0o600 });
    this.#lines += changes.size;
  }

  /** Reads the log into the journal. The last line may be torn, by a crash in the middle of a write. */
  #replay(entries: Map<string, Finished>, problems: string[]): void {
    const path = join(this.path, JOURNAL_LOG);
    let lines: readonly string[];
    try {
      const bytes = readFileSync(path);
      const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
      if (whole.length < bytes.length) truncateSync(path, whole.length);
      lines = whole.toString("utf8").split("\n");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        problems.push(`${path} cannot be read (${(error as Error).message}): going on without it`);
      }
      return;
    }
    this.#lines = lines.length - 1;
    let damaged = 0;
    for (const line of lines) {
      const change = parseChange(line);
      if (change === null) damaged += line === "" ? 0 : 1;
      else if (change[1] === null) entries.delete(change[0]);
      else entries.set(change[0], change[1]);
    }
    if (damaged > 0) problems.push(`${path}: ${damaged} lines are damaged: their entries are analysed again`);
  }

  writeAlerts(alerts: readonly Alert[]): void {
    this.#writeFile(ALERTS, { version: VERSION, alerts });
  }

  close(): void {
    rmSync(join(this.path, LOCK), { force: true });
  }

  #writeFile(name: string, value: object): void {
    writeAtomically(join(this.path, name), `${JSON.stringify(value)}\n`, 0o600);
  }

  #readFile(name: string, problems: string[]): Readonly<Record<string, unknown>> | null {
    const path = join(this.path, name);
    try {
      const value = JSON.parse(readFileSync(path, "utf8"));
      if (value?.version === VERSION) return value;
      problems.push(
        `${path} is of version ${String(value?.version)}, expected ${VERSION}: starting again with an empty one`,
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      problems.push(`${path} cannot be read (${(error as Error).message}): starting again with an empty one`);
    }
    return null;
  }
}

function parseChange(line: string): readonly [string, Finished | null] | null {
  try {
    const change: unknown = JSON.parse(line);
    if (!Array.isArray(change) || change.length !== 2 || typeof change[0] !== "string") return null;
    const [path, entry] = change as [string, Finished | null];
    return entry === null || (typeof entry === "object" && typeof entry.result === "object") ? [path, entry] : null;
  } catch {
    return null;
  }
}

/** A process that is not this one; its number may have been given to another program, which then must end first. */
function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    return /\bwatch\b/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "));
  } catch {
    return false;
  }
}
