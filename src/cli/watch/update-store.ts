/** Where analysed updates are kept: what the service needs of an archive, and no more. */
import type { UpdateSample } from "../../analyze/cohort/update-sample.js";

export interface StoredUpdate {
  /** Follows from the update's content: the same update has the same id wherever it is added. */
  readonly id: string;
  readonly sample: UpdateSample;
}

export interface Stored {
  /** Of the samples given, in their order: new, there before (or twice in the call), or none that can be kept. */
  readonly results: readonly (
    | { readonly kind: "added" | "already"; readonly id: string }
    | { readonly kind: "refused"; readonly reason: string }
  )[];
}

export interface UpdateStore {
  /** When it resolves, what was added lasts. Rejects with a sentence where nothing could be added: try again later. */
  add(samples: readonly UpdateSample[]): Promise<Stored>;
  /** Every update there is, in no order. */
  each(visit: (update: StoredUpdate) => void): Promise<void>;
  close(): void;
}
