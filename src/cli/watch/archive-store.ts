/** The archive as the service uses it. */
import type { UpdateSample } from "../../analyze/cohort/update-sample.js";
import { type Archive, openArchive } from "../../archive/archive.js";
import { identify } from "../../archive/document.js";
import { streamUpdates } from "../../archive/read.js";
import type { Stored, StoredUpdate, UpdateStore } from "./update-store.js";

/** Opens the archive at `path`, and makes one where none is. Throws ArchiveError. */
export async function openArchiveStore(path: string, keepCaptures: boolean): Promise<UpdateStore> {
  return new ArchiveStore(await openArchive(path, {}), keepCaptures);
}

class ArchiveStore implements UpdateStore {
  readonly #archive: Archive;
  readonly #keepCaptures: boolean;

  constructor(archive: Archive, keepCaptures: boolean) {
    this.#archive = archive;
    this.#keepCaptures = keepCaptures;
  }

  async add(samples: readonly UpdateSample[]): Promise<Stored> {
    const captures = this.#keepCaptures ? { captures: new Map(samples.map((sample) => [sample, sample.source])) } : {};
    const { added } = await this.#archive.add(samples, captures);
    const left = new Set(added);
    return {
      results: samples.map((sample) => {
        const identified = identify(sample);
        if (!identified.ok) return { kind: "refused", reason: identified.error };
        const { id } = identified.value;
        // Of two of the same in one call, the first is the one that was added.
        return { kind: left.delete(id) ? "added" : "already", id };
      }),
    };
  }

  async each(visit: (update: StoredUpdate) => void): Promise<void> {
    const { root } = this.#archive;
    const [engine, snapshot] = [await this.#archive.engine(), await this.#archive.snapshot()];
    for await (const some of streamUpdates(engine, root, [...snapshot.segments.values()], null)) {
      for (const { id, sample } of some) visit({ id, sample });
    }
  }

  close(): void {
    this.#archive.close();
  }
}
