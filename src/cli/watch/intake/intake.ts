/**
 * What of a watched folder is to be analysed, and when: a state machine over what was seen there, without I/O or clock.
 * An entry is analysed once it has stopped changing; one whose last result still stands is not analysed again. Memory
 * is bounded: what does not fit stays in the folder, and is seen again.
 */

/** One entry of the folder at one moment. */
export interface Sighting {
  readonly path: string;
  /** Changes with every change of its content: kind, sizes, times. */
  readonly fingerprint: string;
  /** Whether its writer has marked it as whole (a `.done` file beside it): it need not be waited for. */
  readonly done: boolean;
}

export interface IntakeLimits {
  /** How long an entry must stay the same. */
  readonly settleMs: number;
  /** After how long an entry that still changes is reported. */
  readonly patienceMs: number;
  /** Entries that are followed at once. */
  readonly most: number;
}

/** `analysed`: its result is not on disk yet. */
type State = "changing" | "ready" | "running" | "analysed";

interface Entry {
  fingerprint: string;
  /** Since when it is as it is. */
  sinceMs: number;
  readonly firstMs: number;
  state: State;
  late: boolean;
  /** Changed since it was taken up: what was read may be half of it. */
  stale: boolean;
}

export interface Observations {
  /** Entries that have been changing for longer than the patience: each once. */
  readonly late: readonly string[];
  /** Entries that were not followed, for lack of room. */
  readonly postponed: number;
}

export class Intake {
  readonly #limits: IntakeLimits;
  readonly #entries = new Map<string, Entry>();

  constructor(limits: IntakeLimits) {
    this.#limits = limits;
  }

  /**
   * Takes note of everything that is in the folder now. `isKnown` says whether the result of an entry with this
   * fingerprint still stands.
   */
  observe(sightings: readonly Sighting[], nowMs: number, isKnown: (sighting: Sighting) => boolean): Observations {
    const late: string[] = [];
    let postponed = 0;
    const seen = new Set<string>();
    for (const sighting of sightings) {
      const { path, fingerprint, done } = sighting;
      const entry = this.#entries.get(path);
      if (entry === undefined) {
        if (isKnown(sighting)) continue;
        if (this.#entries.size >= this.#limits.most) {
          postponed += 1;
          continue;
        }
        seen.add(path);
        const state = done ? "ready" : "changing";
        this.#entries.set(path, { fingerprint, sinceMs: nowMs, firstMs: nowMs, state, late: false, stale: false });
        continue;
      }
      seen.add(path);
      if (entry.fingerprint !== fingerprint) {
        entry.fingerprint = fingerprint;
        entry.sinceMs = nowMs;
        if (isTaken(entry)) entry.stale = true;
        else entry.state = done ? "ready" : "changing";
      } else if (entry.state === "changing" && (done || nowMs - entry.sinceMs >= this.#limits.settleMs)) {
        entry.state = "ready";
      }
      if (entry.state === "changing" && !entry.late && nowMs - entry.firstMs >= this.#limits.patienceMs) {
        entry.late = true;
        late.push(path);
      }
    }
    for (const [path, { state }] of this.#entries)
      if (!seen.has(path) && state !== "running") this.#entries.delete(path);
    return { late, postponed };
  }

  /** The entry that has been ready the longest; it is analysed from now on. Null if no entry is ready. */
  next(): { readonly path: string; readonly fingerprint: string } | null {
    for (const [path, entry] of this.#entries) {
      if (entry.state !== "ready") continue;
      entry.state = "running";
      return { path, fingerprint: entry.fingerprint };
    }
    return null;
  }

  /**
   * The entry has been analysed, and is followed until its result is on disk. False if it changed meanwhile: its
   * result does not stand, and it is waited for once more.
   */
  analysed(path: string): boolean {
    return this.#leave(path, (entry) => {
      entry.state = "analysed";
    });
  }

  /** The entry's result is on disk, which `isKnown` reports from now on; else as `analysed`. */
  finish(path: string): boolean {
    return this.#leave(path, () => void this.#entries.delete(path));
  }

  #leave(path: string, leave: (entry: Entry) => void): boolean {
    const entry = this.#entries.get(path);
    if (entry === undefined) return true;
    if (!entry.stale) {
      leave(entry);
      return true;
    }
    entry.stale = false;
    entry.state = "changing";
    return false;
  }

  count(state: State): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.state === state) count += 1;
    return count;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is nothing to wait for but entries that have been changing for longer than the patience. */
  get isSettled(): boolean {
    for (const { late, state } of this.#entries.values()) if (!late || state !== "changing") return false;
    return true;
  }

  /** Paths of entries in this state, in the order in which they were first seen. */
  paths(state: State): readonly string[] {
    return [...this.#entries].filter(([, entry]) => entry.state === state).map(([path]) => path);
  }
}

const isTaken = ({ state }: Entry): boolean => state === "running" || state === "analysed";
