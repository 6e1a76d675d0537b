/** The archive as the service uses it. */

import type { FleetTally, LastUpdate } from "../../../analyze/fleet/tally.js";
import type { Segment, SegmentFile } from "../../../archive/format.js";
import type { Dating } from "../../../archive/query/fleet-counts.js";
import { countFleet, latestUpdates } from "../../../archive/query/fleet-counts.js";
import { type Archive, openArchive } from "../../../archive/store/archive.js";
import { identify } from "../../../archive/store/document.js";
import { READ_BACK } from "../../../archive/store/read.js";
import { damageSentence } from "../../../archive/store/soundness.js";
import { compactArchive, countMergeable } from "../../../archive/upkeep/compact.js";
import { publishLive } from "../../../archive/upkeep/live.js";
import type { UpdateSample } from "../../../model/update-sample.js";
import type { Stored, UpdateStore, Upkeep, Wanted } from "./update-store.js";

/** When an archive is compacted: each addition is a segment of its own, and a question opens every file. */
export interface CompactionRule {
  /** Segments that would become fewer ones. */
  readonly segments: number;
  /** After the last compaction, as one looks through all of the archive's folders. */
  readonly pauseMs: number;
  /** Readers and writers of others may be at work on what it deletes for so long. */
  readonly graceMs: number;
}

/** Bytes that are hashed again at each upkeep, every 10 s: a tenth of a percent of one CPU. */
const CHECKED_BYTES = 16 << 20;

const COMPACTION: CompactionRule = { segments: 64, pauseMs: 600_000, graceMs: 3_600_000 };

/** Opens the archive at `path`, and makes one if it does not exist. Throws ArchiveError. */
export async function openArchiveStore(
  path: string,
  keepCaptures: boolean,
  rule: CompactionRule = COMPACTION,
): Promise<UpdateStore> {
  return new ArchiveStore(await openArchive(path, {}), keepCaptures, rule);
}

class ArchiveStore implements UpdateStore {
  readonly #archive: Archive;
  readonly #keepCaptures: boolean;
  readonly #rule: CompactionRule;
  /** The same archive with an engine of its own: a merge that takes minutes holds up no addition. */
  #kept: Archive | null = null;
  #published = -1;
  #compactedMs = Number.NEGATIVE_INFINITY;
  /** Files still to be hashed again in this round through the archive. */
  #unchecked: (readonly [Segment, SegmentFile])[] = [];

  constructor(archive: Archive, keepCaptures: boolean, rule: CompactionRule) {
    this.#archive = archive;
    this.#keepCaptures = keepCaptures;
    this.#rule = rule;
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

  async count(tally: FleetTally, dating: Dating): Promise<number> {
    const { root } = this.#archive;
    const segments = await this.#archive.sound((await this.#archive.snapshot()).segments.values(), READ_BACK);
    return await countFleet(await this.#archive.engine(), root, segments, dating, tally);
  }

  async latest(dating: Dating, wanted: Wanted): Promise<readonly LastUpdate[]> {
    const { root } = this.#archive;
    const segments = await this.#archive.sound((await this.#archive.snapshot()).segments.values(), READ_BACK);
    return await latestUpdates(await this.#archive.engine(), root, segments, dating, wanted);
  }

  async upkeep(nowMs: number, signal: AbortSignal): Promise<Upkeep> {
    this.#kept ??= await openArchive(this.#archive.root);
    await this.#checkSome(this.#kept, signal);
    const compacted = await this.#compact(this.#kept, nowMs, signal);
    const damage = new Map([...this.#archive.damage, ...this.#kept.damage].map((each) => [each.path, each]));
    return { compacted, damaged: [...damage.values()].map((each) => damageSentence(this.#archive.root, each)) };
  }

  /** Hashes the next files, round and round through the archive. */
  async #checkSome(kept: Archive, signal: AbortSignal): Promise<void> {
    const { segments } = await kept.snapshot();
    if (this.#unchecked.length === 0) {
      for (const segment of segments.values()) for (const file of segment.files) this.#unchecked.push([segment, file]);
    }
    for (let bytes = 0; bytes < CHECKED_BYTES && !signal.aborted; ) {
      const next = this.#unchecked.pop();
      if (next === undefined) return;
      const [segment, file] = next;
      // Replaced since, and perhaps deleted.
      if (!segments.has(segment.id)) continue;
      await kept.recheck(segment, file);
      bytes += file.bytes;
    }
  }

  async #compact(kept: Archive, nowMs: number, signal: AbortSignal): Promise<Upkeep["compacted"]> {
    const { segments, pauseMs, graceMs } = this.#rule;
    const snapshot = await kept.snapshot();
    const isDue = nowMs - this.#compactedMs >= pauseMs && countMergeable(snapshot) >= segments;
    if (isDue && !signal.aborted) {
      this.#compactedMs = nowMs;
      const { merged, made, deleted } = await compactArchive(kept, { graceMs, nowMs, signal });
      // An addition since the compaction published is published, too.
      this.#published = (await publishLive(await kept.engine(), kept.root, await kept.snapshot())).number;
      return { merged, made, deleted };
    }
    if (snapshot.number !== this.#published && snapshot.number > 0) {
      this.#published = (await publishLive(await kept.engine(), kept.root, snapshot)).number;
    }
    return null;
  }

  close(): void {
    this.#kept?.close();
    this.#archive.close();
  }
}
