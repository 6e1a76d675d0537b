/** Where analysed updates are kept: what the service needs of an archive, and no more. */

import type { FleetTally, LastUpdate } from "../../../analyze/fleet/tally.js";
import type { Dating } from "../../../archive/query/fleet-counts.js";
import type { UpdateSample } from "../../../model/update-sample.js";

export interface Stored {
  /** Of the samples given, in their order: new, there before (or twice in the call), or none that can be kept. */
  readonly results: readonly (
    | { readonly kind: "added" | "already"; readonly id: string }
    | { readonly kind: "refused"; readonly reason: string }
  )[];
}

export interface Wanted {
  readonly sinceMs: number;
  readonly most: number;
  readonly causes: boolean;
}

export interface Upkeep {
  /** Null: none was due. */
  readonly compacted: { readonly merged: number; readonly made: number; readonly deleted: number } | null;
  /** Files that are no longer what was committed, a sentence each: they are neither counted nor merged. */
  readonly damaged: readonly string[];
}

export interface UpdateStore {
  /** When it resolves, the samples are durable. Rejects with a sentence if they could not be added: try again later. */
  add(samples: readonly UpdateSample[]): Promise<Stored>;
  /** Counts every update there is into the tally; how many they are. */
  count(tally: FleetTally, dating: Dating): Promise<number>;
  /** The latest updates of a window, the earliest first; without their causes unless requested. */
  latest(dating: Dating, wanted: Wanted): Promise<readonly LastUpdate[]>;
  /**
   * Keeps what was added in good order, beside additions and never instead of them: publishes to other engines what is
   * there, merges many small files into few large ones when that is due, and hashes some of the files again, so that
   * damage is found that nobody reads (`Upkeep`). It may be ended at any time.
   */
  upkeep(nowMs: number, signal: AbortSignal): Promise<Upkeep>;
  close(): void;
}
