/**
 * What the service keeps over restarts beside the archive: which of the folder's entries it is done with, and which
 * alerts are raised. Two files of JSON, each replaced in one step. Losing them costs work, and nothing else: the
 * archive identifies each update by its content.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
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

const JOURNAL = "journal.json";
const ALERTS = "alerts.json";
const LOCK = "lock";
const VERSION = 1;

export class StateFolder {
  readonly path: string;

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
    return {
      journal: new Map(Object.entries((journal?.entries ?? {}) as Record<string, Finished>)),
      alerts: (alerts?.alerts ?? []) as readonly Alert[],
      problems,
    };
  }

  writeJournal(journal: Journal): void {
    this.#writeFile(JOURNAL, { version: VERSION, entries: Object.fromEntries(journal) });
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

/** A process that is not this one; its number may have been given to another program, which then must end first. */
function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    return /\bwatch\b/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "));
  } catch {
    return false;
  }
}
