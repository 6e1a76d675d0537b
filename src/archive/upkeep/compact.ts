/** Fewer, larger segments; and the end of what nobody reads any more. */

import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sqlFiles } from "../engine.js";
import { ArchiveError, CAPTURES, type Segment } from "../format.js";
import type { Archive } from "../store/archive.js";
import { readSnapshot, type Snapshot, shortenHistory, writeCheckpoint } from "../store/commit-log.js";
import { PendingSync, TEMPORARY } from "../store/durable.js";
import { parquetRows } from "../store/parquet.js";
import { discardSegment, filesOf, mergeSegments } from "../store/segments.js";
import { damageSentence } from "../store/soundness.js";
import { publishLive } from "./live.js";
import { findLeftovers } from "./verify.js";

export interface CompactOptions {
  /** Milliseconds for which readers may still be in files that were replaced, and writers at work on theirs. */
  readonly graceMs: number;
  /** Now, milliseconds since 1970. */
  readonly nowMs: number;
  /** Ends it early, after the partition that it is at: what is done by then stays. */
  readonly signal?: AbortSignal;
}

export interface CompactResult {
  /** Segments that became `made`. */
  readonly merged: number;
  readonly made: number;
  /** Files that were deleted. */
  readonly deleted: number;
  /** A sentence for each damaged file: its segment stays as it is, and was not merged. */
  readonly damaged: readonly string[];
}

/** A segment of this many updates is large enough: merging it again would cost more than it saves. */
const LARGE_SEGMENT = 250_000;
/** This many updates are merged at once. */
const MERGED_UPDATES = 500_000;
/** A temporary file is somebody's work of seconds. */
const TEMPORARY_MS = 3_600_000;

/** Merges what is small, partition by partition, each in a commit of its own; then deletes what is dead. */
export async function compactArchive(archive: Archive, options: CompactOptions): Promise<CompactResult> {
  const { root } = archive;
  const engine = await archive.engine();
  let merged = 0;
  let made = 0;
  let snapshot = await archive.snapshot();
  for (const mergeableGroup of mergeable(snapshot)) {
    if (options.signal?.aborted === true) break;
    // Another compaction or a removal may have been first: then this partition has had its turn.
    if (mergeableGroup.some(({ id }) => !snapshot.segments.has(id))) continue;
    // A damaged file that were merged would get a new, right digest, and its original would be deleted.
    const group = await archive.sound(mergeableGroup);
    if (group.length < 2) continue;
    const pending = new PendingSync();
    const segment = await mergeSegments(engine, root, group, null, pending);
    if (segment === null) continue;
    if (!(await pending.flush())) continue;
    const removed = group.map(({ id }) => id);
    const plan = { kind: "compact", add: [segment], remove: removed, swept: [] } as const;
    const done = await archive.commit(snapshot, plan, (now) => removed.some((id) => !now.segments.has(id)));
    if (done === null) {
      await discardSegment(root, segment);
      snapshot = await archive.snapshot();
      continue;
    }
    snapshot = done;
    merged += group.length;
    made += 1;
  }
  const deleted = await sweep(archive, options);
  await writeCheckpoint(root, await readSnapshot(root));
  await shortenHistory(root);
  await publishLive(engine, root, await archive.snapshot());
  return { merged, made, deleted, damaged: archive.damage.map((damage) => damageSentence(root, damage)) };
}

/** How many segments a compaction would make fewer ones of. */
export function countMergeable(snapshot: Snapshot): number {
  return mergeable(snapshot).reduce((sum, group) => sum + group.length, 0);
}

function mergeable(snapshot: Snapshot): readonly (readonly Segment[])[] {
  const partitions = new Map<string, Segment[]>();
  for (const segment of snapshot.segments.values()) {
    if (segment.updates >= LARGE_SEGMENT) continue;
    const group = partitions.get(segment.partition);
    if (group === undefined) partitions.set(segment.partition, [segment]);
    else group.push(segment);
  }
  const groups: Segment[][] = [];
  for (const segments of partitions.values()) {
    let updates = Number.POSITIVE_INFINITY;
    for (const segment of segments.sort((a, b) => a.updates - b.updates || (a.id < b.id ? -1 : 1))) {
      if (updates + segment.updates > MERGED_UPDATES) {
        groups.push([]);
        updates = 0;
      }
      groups.at(-1)?.push(segment);
      updates += segment.updates;
    }
  }
  return groups.filter((group) => group.length > 1);
}

/**
 * Deletes files that no live segment has. First a commit declares their segments dead: a writer that was about to
 * commit one of them loses that race, learns it from the commit, and writes its rows again. Only then are they deleted.
 */
async function sweep(archive: Archive, { graceMs, nowMs }: CompactOptions): Promise<number> {
  const { root } = archive;
  const snapshot = await archive.snapshot();
  const dead = new Set<string>();
  for (const [id, since] of snapshot.retired) if (nowMs - since >= graceMs) dead.add(id);
  const temporary: string[] = [];
  for (const path of await findLeftovers(root, snapshot)) {
    const age = await ageOf(join(root, path), nowMs);
    const name = path.slice(path.lastIndexOf("/") + 1);
    const segment = /^([0-9a-f]{20})\.parquet$/.exec(name)?.[1];
    if (segment !== undefined && age >= graceMs) dead.add(segment);
    else if (TEMPORARY.test(name) && age >= Math.max(graceMs, TEMPORARY_MS)) temporary.push(path);
  }
  let deleted = 0;
  if (dead.size > 0) {
    const plan = { kind: "sweep", add: [], remove: [], swept: [...dead].sort() } as const;
    // Null: one of them was committed after all; the next compaction looks again.
    const swept = await archive.commit(snapshot, plan, (now) => plan.swept.some((id) => now.segments.has(id)));
    if (swept !== null) {
      for (const path of await filesOfSegments(root, dead)) {
        await rm(path, { force: true });
        deleted += 1;
      }
    }
  }
  for (const path of temporary) await rm(join(root, path), { recursive: true, force: true });
  return deleted + temporary.length + (await sweepCaptures(archive, { graceMs, nowMs }));
}

async function ageOf(path: string, nowMs: number): Promise<number> {
  const stats = await stat(path).catch(() => null);
  return stats === null ? 0 : nowMs - stats.mtimeMs;
}

async function filesOfSegments(root: string, ids: ReadonlySet<string>): Promise<readonly string[]> {
  const found: string[] = [];
  for (const folder of ["updates", "phases", "vms", "causes", "buckets", "defects"]) {
    const entries = await readdir(join(root, folder), { withFileTypes: true, recursive: true }).catch(() => []);
    for (const entry of entries) {
      const id = /^([0-9a-f]{20})\.parquet$/.exec(entry.name)?.[1];
      if (id !== undefined && ids.has(id)) found.push(join(entry.parentPath, entry.name));
    }
  }
  return found;
}

/** Captures of updates that were removed, or never committed. */
async function sweepCaptures(archive: Archive, { graceMs, nowMs }: CompactOptions): Promise<number> {
  const { root } = archive;
  const names = await readdir(join(root, CAPTURES)).catch(() => []);
  const folders = names.filter((name) => /^[0-9a-f]{32}$/.test(name));
  if (folders.length === 0) return 0;
  const live = [...(await archive.snapshot()).segments.values()];
  const sound = await archive.sound(live, ["updates"]);
  // Which captures a damaged segment names cannot be read: none is deleted.
  if (sound.length < live.length) return 0;
  const files = filesOf(root, sound, "updates");
  const rows =
    files.length === 0
      ? []
      : await (await archive.engine()).rows<{ update_id: string }>(
          `SELECT update_id FROM read_parquet(${sqlFiles(files)}, hive_partitioning = false) WHERE capture IS NOT NULL`,
        );
  const kept = new Set(rows.map(({ update_id }) => update_id));
  let deleted = 0;
  for (const name of folders) {
    const path = join(root, CAPTURES, name);
    if (kept.has(name) || (await ageOf(path, nowMs)) < Math.max(graceMs, TEMPORARY_MS)) continue;
    await rm(path, { recursive: true, force: true });
    deleted += 1;
  }
  return deleted;
}

/** Removes the updates that a condition on the table `updates` selects; how many they were. */
export async function removeUpdates(archive: Archive, where: string): Promise<number> {
  const { root } = archive;
  const engine = await archive.engine();
  const gone = new Set<string>();
  for (let tries = 0; tries < 20; tries += 1) {
    const snapshot = await archive.snapshot();
    // A removal rewrites whole segments: of a damaged one, that would make the damage the truth.
    const files = filesOf(root, await archive.sound(snapshot.segments.values()), "updates");
    if (files.length === 0) return gone.size;
    const found = await engine.rows<{ update_id: string; segment: string }>(
      `SELECT update_id, segment FROM ${parquetRows(files, "updates")} updates WHERE ${where}`,
    );
    if (found.length === 0) return gone.size;
    await engine.createTable("gone", [
      { name: "update_id", kind: "text", values: found.map(({ update_id }) => update_id) },
    ]);
    const ids = new Set(found.map(({ segment }) => segment));
    const add: Segment[] = [];
    const pending = new PendingSync();
    for (const id of ids) {
      const segment = snapshot.segments.get(id);
      if (segment === undefined)
        throw new ArchiveError(`${root}: has rows of segment ${id} in another's file: run verify`);
      const rest = await mergeSegments(
        engine,
        root,
        [segment],
        "update_id NOT IN (SELECT update_id FROM gone)",
        pending,
      );
      if (rest !== null) add.push(rest);
    }
    if (!(await pending.flush())) continue;
    const remove = [...ids];
    const plan = { kind: "remove", add, remove, swept: [] } as const;
    const done = await archive.commit(snapshot, plan, (now) => remove.some((id) => !now.segments.has(id)));
    await engine.run("DROP TABLE gone");
    if (done !== null) {
      for (const { update_id } of found) gone.add(update_id);
      await publishLive(engine, root, done);
      return gone.size;
    }
    for (const segment of add) await discardSegment(root, segment);
  }
  throw new ArchiveError(`${root}: others rewrite what is to be removed; nothing was removed, try again`);
}
