/**
 * An archive: a folder of live updates in Parquet (docs/archive-format.md), written by any number of processes at once.
 * Everything here throws `ArchiveError` if the archive cannot be read or written; its message is for people.
 */
import { cp, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { didYouMean } from "../../base/text/suggest.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { Engine, firstLine, sqlFiles, sqlText } from "../engine.js";
import {
  ARCHIVE_FORMAT,
  ARCHIVE_VERSION,
  ArchiveError,
  type ArchiveManifest,
  CAPTURES,
  COMMITS,
  DEFAULT_PARTITION,
  type Detail,
  MANIFEST,
  PARTITION_KEYS,
  type Segment,
  type SegmentFile,
  type TableName,
} from "../format.js";
import { type CommitPlan, makeCommitFolder, readSnapshot, type Snapshot, tryCommit } from "./commit-log.js";
import { identify } from "./document.js";
import { isCode, PendingSync, putIfAbsent, randomName, readText, syncFile, syncFolder } from "./durable.js";
import { partitionOf } from "./partition.js";
import { type ArchivedUpdate, READ_BACK, readUpdates } from "./read.js";
import type { Incoming } from "./rows.js";
import { discardSegment, filesOf, writeSegment } from "./segments.js";
import { type Damage, Soundness } from "./soundness.js";

export interface AddOptions {
  /** How much of each update is kept; default: `causes`, everything. */
  readonly detail?: Detail;
  /** The capture that an update was read from, to be kept beside it. */
  readonly captures?: ReadonlyMap<UpdateSample, string>;
}

export interface AddResult {
  /** Ids of what is in the archive because of this call: committed and synced. */
  readonly added: readonly string[];
  /** Ids of what was there before, or twice in the call. */
  readonly already: readonly string[];
  /** What is not an update, and why. */
  readonly refused: readonly { readonly source: string; readonly reason: string }[];
}

export interface Archive {
  readonly root: string;
  readonly manifest: ArchiveManifest;
  /**
   * Adds what is not there yet; when it returns, the addition is committed and durable. Any number of processes may add
   * at the same time. One call is one commit: pass thousands of updates if there are thousands (memory: about 2 KiB per
   * update, 60 with its causes).
   */
  add(samples: readonly UpdateSample[], options?: AddOptions): Promise<AddResult>;
  /** Whether an update of this id (`AddResult`) is in the archive. */
  has(id: string): Promise<boolean>;
  /**
   * The updates that a condition on the table `updates` selects (SQL; all where null), by time, then by name; of those
   * segments only that `canHold` is true of, if it is given.
   */
  list(where?: string | null, canHold?: (segment: Segment) => boolean): Promise<readonly ArchivedUpdate[]>;
  /**
   * The segments whose files of these tables (default: all) are still what was committed, by their SHA-256. The others
   * are damaged: every reader here leaves them out, and `damage` names them.
   */
  sound(segments: Iterable<Segment>, tables?: readonly TableName[]): Promise<readonly Segment[]>;
  /** Hashes a file again, also if it was found sound before. */
  recheck(segment: Segment, file: SegmentFile): Promise<void>;
  /** The damage found since the archive was opened. */
  readonly damage: readonly Damage[];
  /** The archive as of its newest commit. */
  snapshot(): Promise<Snapshot>;
  /** The engine, with nothing in it that must stay. */
  engine(): Promise<Engine>;
  /** Commits a plan that does not depend on commits of others since `base`; null if `conflicts` shows that it does. */
  commit(base: Snapshot, plan: CommitPlan, conflicts: (snapshot: Snapshot) => boolean): Promise<Snapshot | null>;
  close(): void;
}

/** Whether an archive is at `path`. */
async function isArchive(path: string): Promise<boolean> {
  return await stat(join(path, MANIFEST)).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/** A key of the Hive layout, or why it is not one. */
export function checkPartitionKey(key: string): string | null {
  if (/^label\..{1,100}$/s.test(key) || PARTITION_KEYS.some((known) => known === key)) return null;
  return `found ${key}, expected ${PARTITION_KEYS.join(", ")} or label.NAME${didYouMean(key, PARTITION_KEYS)}`;
}

/**
 * Opens the archive at `path`. If there is none, creates one, divided as `create` describes. Two processes that create
 * it at the same time agree on one.
 */
export async function openArchive(
  path: string,
  create: { readonly partitionBy?: readonly string[] } | null = null,
): Promise<Archive> {
  const root = resolve(path);
  const place = join(root, MANIFEST);
  if (create !== null && !(await isArchive(root))) {
    const entries = await readdir(root).catch((error: unknown) => {
      if (isCode(error, "ENOENT")) return [];
      throw new ArchiveError(`${path}: cannot be an archive: ${firstLine(error)}`);
    });
    const isForeign = entries.some((name) => !name.startsWith(".") && name !== COMMITS && name !== MANIFEST);
    // Asked again: another one may have made the archive between the two looks.
    if (isForeign && !(await isArchive(root))) {
      throw new ArchiveError(`${path}: is not empty and no archive (it has no ${MANIFEST}); name a new folder`);
    }
    const partitionBy = create.partitionBy ?? DEFAULT_PARTITION;
    const manifest: ArchiveManifest = {
      format: ARCHIVE_FORMAT,
      version: ARCHIVE_VERSION,
      id: randomName(),
      partitionBy,
    };
    await mkdir(root, { recursive: true });
    await makeCommitFolder(root);
    await putIfAbsent(place, `${JSON.stringify(manifest, null, 2)}\n`);
  }
  return new OpenArchive(root, await readManifest(path, place));
}

async function readManifest(path: string, place: string): Promise<ArchiveManifest> {
  let text: string;
  try {
    text = await readText(place);
  } catch (error) {
    if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) {
      throw new ArchiveError(`${path}: is not an archive (it has no ${MANIFEST}); blackout archive add creates one`);
    }
    throw new ArchiveError(`${place}: cannot be read: ${firstLine(error)}`);
  }
  let manifest: Partial<ArchiveManifest> | null = null;
  try {
    manifest = JSON.parse(text) as Partial<ArchiveManifest> | null;
  } catch {}
  if (manifest?.format !== ARCHIVE_FORMAT) {
    throw new ArchiveError(`${place}: found no JSON of format "${ARCHIVE_FORMAT}": is this an archive?`);
  }
  if (manifest.version !== ARCHIVE_VERSION) {
    throw new ArchiveError(
      `${place}: found version ${JSON.stringify(manifest.version)}, expected ${ARCHIVE_VERSION}: it was written by another version of blackout`,
    );
  }
  const keys = manifest.partitionBy;
  const problem =
    Array.isArray(keys) && keys.every((key) => typeof key === "string")
      ? keys.map(checkPartitionKey).find((each) => each !== null)
      : "found no list of keys";
  if (problem !== undefined) throw new ArchiveError(`${place}: partitionBy: ${problem}`);
  const { id = null } = manifest;
  if (id !== null && (typeof id !== "string" || !/^[0-9a-f]{1,64}$/.test(id))) {
    throw new ArchiveError(`${place}: id: found ${JSON.stringify(id)}, expected hexadecimal digits`);
  }
  return { ...(manifest as ArchiveManifest), id };
}

/** Ids of segments that were read before: as many as 10 MB hold. Larger segments are asked by SQL each time. */
const REMEMBERED_IDS = 100_000;

class OpenArchive implements Archive {
  #engine: Promise<Engine> | null = null;
  #known: Snapshot | null = null;
  readonly #soundness: Soundness;
  readonly #ids = new Map<string, ReadonlySet<string>>();
  #remembered = 0;
  /** One call after the other: they share the engine's temporary tables. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly root: string,
    readonly manifest: ArchiveManifest,
  ) {
    this.#soundness = new Soundness(root);
  }

  async sound(segments: Iterable<Segment>, tables?: readonly TableName[]): Promise<readonly Segment[]> {
    return await this.#soundness.sound([...segments], tables);
  }

  async recheck(segment: Segment, file: SegmentFile): Promise<void> {
    await this.#soundness.check(segment, file);
  }

  get damage(): readonly Damage[] {
    return this.#soundness.damage;
  }

  async engine(): Promise<Engine> {
    this.#engine ??= Engine.open();
    return await this.#engine;
  }

  async snapshot(): Promise<Snapshot> {
    const known = this.#known;
    this.#known = await readSnapshot(this.root, known);
    if (this.#known !== known) this.#soundness.keepOnly(this.#known.segments);
    return this.#known;
  }

  async has(id: string): Promise<boolean> {
    return await this.#inTurn(async () => {
      if (!/^[0-9a-f]{32}$/.test(id)) return false;
      const segments = await this.sound((await this.snapshot()).segments.values(), ["updates"]);
      const files = filesOf(this.root, segments, "updates");
      if (files.length === 0) return false;
      const found = await (await this.engine()).rows(
        `SELECT 1 FROM read_parquet(${sqlFiles(files)}, hive_partitioning = false) WHERE update_id = ${sqlText(id)} LIMIT 1`,
      );
      return found.length > 0;
    });
  }

  async list(
    where: string | null = null,
    canHold: (segment: Segment) => boolean = () => true,
  ): Promise<readonly ArchivedUpdate[]> {
    return await this.#inTurn(async () => {
      const segments = await this.sound([...(await this.snapshot()).segments.values()].filter(canHold), READ_BACK);
      return await readUpdates(await this.engine(), this.root, segments, where);
    });
  }

  async add(samples: readonly UpdateSample[], options: AddOptions = {}): Promise<AddResult> {
    return await this.#inTurn(async () => await this.#add(samples, options));
  }

  async #inTurn<T>(what: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(what, what);
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  async #add(samples: readonly UpdateSample[], options: AddOptions): Promise<AddResult> {
    const { detail = "causes", captures } = options;
    const refused: { source: string; reason: string }[] = [];
    const already = new Set<string>();
    const groups = new Map<string, Map<string, Incoming>>();
    for (const given of samples) {
      const identified = identify(given);
      if (!identified.ok) {
        refused.push({ source: given.source, reason: identified.error });
        continue;
      }
      const { id, sample } = identified.value;
      const partition = partitionOf(sample, this.manifest.partitionBy);
      const group = groups.get(partition) ?? new Map<string, Incoming>();
      groups.set(partition, group);
      if (group.has(id)) already.add(id);
      const kept = captures?.get(given) ?? null;
      const capture = kept === null ? null : `${CAPTURES}/${id}/${basename(kept)}`;
      group.set(id, { id, sample, detail, capture });
    }
    let base = await this.snapshot();
    const drop = async (among: readonly Segment[]): Promise<ReadonlySet<string>> => {
      const changed = new Set<string>();
      for (const id of await this.#present(among, groups)) {
        for (const [partition, group] of groups) if (group.delete(id)) changed.add(partition);
        already.add(id);
      }
      return changed;
    };
    await drop([...base.segments.values()]);
    await this.#keepCaptures(groups, captures);

    const written = new Map<string, Segment>();
    const prepare = async (): Promise<boolean> => {
      const engine = await this.engine();
      const pending = new PendingSync();
      for (const [partition, group] of groups) {
        if (written.has(partition) || group.size === 0) continue;
        written.set(partition, await writeSegment(engine, this.root, partition, [...group.values()], pending));
      }
      return await pending.flush();
    };
    const discard = async (partition: string): Promise<void> => {
      const segment = written.get(partition);
      written.delete(partition);
      if (segment !== undefined) await discardSegment(this.root, segment);
    };
    for (;;) {
      if (!(await prepare())) {
        for (const partition of [...written.keys()]) await discard(partition);
        base = await this.snapshot();
        await drop([...base.segments.values()]);
        continue;
      }
      if (written.size === 0) break;
      const plan: CommitPlan = { kind: "add", add: [...written.values()], remove: [], swept: [] };
      const attempt = await tryCommit(this.root, base, plan);
      base = attempt.snapshot;
      if (attempt.kind === "committed") break;
      if (attempt.kind === "history-gone") {
        // The files written may have been swept, and additions of others are unknown: begin again.
        for (const partition of [...written.keys()]) await discard(partition);
        await drop([...base.segments.values()]);
        continue;
      }
      const swept = new Set(attempt.seen.flatMap((commit) => commit.swept));
      for (const [partition, segment] of [...written]) if (swept.has(segment.id)) await discard(partition);
      for (const partition of await drop(attempt.seen.flatMap(({ add }) => add))) await discard(partition);
    }
    this.#known = base;
    const added = [...groups.values()].flatMap((group) => [...group.keys()]);
    return { added, already: [...already], refused };
  }

  /** Which of the updates the segments of their partitions hold. */
  async #present(
    segments: readonly Segment[],
    groups: ReadonlyMap<string, ReadonlyMap<string, Incoming>>,
  ): Promise<readonly string[]> {
    const found = new Set<string>();
    const asked: Segment[] = [];
    const concerned = segments.filter(({ partition }) => (groups.get(partition)?.size ?? 0) > 0);
    // What a damaged segment holds is unknown: its updates are added again if they are given again.
    for (const segment of await this.sound(concerned, ["updates"])) {
      const group = groups.get(segment.partition);
      if (group === undefined || group.size === 0) continue;
      if (segment.updates > REMEMBERED_IDS / 10) asked.push(segment);
      else {
        const ids = await this.#idsOf(segment);
        const [few, many] = ids.size < group.size ? [ids, group] : [group, ids];
        for (const id of few.keys()) if (many.has(id)) found.add(id);
      }
    }
    if (asked.length > 0) {
      const engine = await this.engine();
      const wanted = [...new Set(asked.map(({ partition }) => partition))].flatMap((partition) => [
        ...(groups.get(partition)?.keys() ?? []),
      ]);
      await engine.createTable("wanted", [{ name: "update_id", kind: "text", values: wanted }]);
      const files = sqlFiles(filesOf(this.root, asked, "updates"));
      const rows = await engine.rows<{ update_id: string }>(
        `SELECT DISTINCT update_id FROM read_parquet(${files}, hive_partitioning = false) SEMI JOIN wanted USING (update_id)`,
      );
      await engine.run("DROP TABLE wanted");
      for (const { update_id } of rows) found.add(update_id);
    }
    return [...found];
  }

  async #idsOf(segment: Segment): Promise<ReadonlySet<string>> {
    const known = this.#ids.get(segment.id);
    if (known !== undefined) return known;
    const files = sqlFiles(filesOf(this.root, [segment], "updates"));
    const rows = await (await this.engine()).rows<{ update_id: string }>(
      `SELECT update_id FROM read_parquet(${files}, hive_partitioning = false)`,
    );
    const ids = new Set(rows.map(({ update_id }) => update_id));
    this.#ids.set(segment.id, ids);
    this.#remembered += ids.size;
    for (const [oldest, each] of this.#ids) {
      if (this.#remembered <= REMEMBERED_IDS) break;
      this.#ids.delete(oldest);
      this.#remembered -= each.size;
    }
    return ids;
  }

  /** Each under its update's id, in place before the commit that names it. */
  async #keepCaptures(
    groups: ReadonlyMap<string, ReadonlyMap<string, Incoming>>,
    captures: AddOptions["captures"],
  ): Promise<void> {
    if (captures === undefined || captures.size === 0) return;
    const byName = new Map([...captures].flatMap(([{ source }, path]) => [[source, path] as const]));
    await mkdir(join(this.root, CAPTURES), { recursive: true });
    for (const group of groups.values()) {
      for (const { id, sample, capture } of group.values()) {
        const from = byName.get(sample.source);
        if (capture === null || from === undefined) continue;
        const folder = join(this.root, CAPTURES, id);
        if ((await stat(folder).catch(() => null)) !== null) continue;
        const temporary = join(this.root, CAPTURES, `.${id}.${randomName()}.tmp`);
        try {
          await mkdir(temporary);
          await cp(from, join(temporary, basename(from)), { recursive: true, errorOnExist: true, force: false });
          await syncTree(temporary);
          await rename(temporary, folder).catch((error: unknown) => {
            // Another writer has kept the same capture.
            if (!isCode(error, "ENOTEMPTY") && !isCode(error, "EEXIST")) throw error;
          });
          await syncFolder(join(this.root, CAPTURES));
        } finally {
          await rm(temporary, { recursive: true, force: true });
        }
      }
    }
  }

  async commit(base: Snapshot, plan: CommitPlan, conflicts: (snapshot: Snapshot) => boolean): Promise<Snapshot | null> {
    for (let at = base; ; ) {
      const attempt = await tryCommit(this.root, at, plan);
      if (attempt.kind === "committed") {
        this.#known = attempt.snapshot;
        return attempt.snapshot;
      }
      if (attempt.kind === "history-gone" || conflicts(attempt.snapshot)) return null;
      const swept = new Set(attempt.seen.flatMap((commit) => commit.swept));
      if (plan.add.some(({ id }) => swept.has(id))) return null;
      at = attempt.snapshot;
    }
  }

  close(): void {
    const engine = this.#engine;
    this.#engine = null;
    void engine?.then(
      (open) => open.close(),
      () => {},
    );
  }
}

async function syncTree(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) await syncTree(inner);
    else if (entry.isFile()) await syncFile(inner);
  }
  await syncFolder(path);
}
