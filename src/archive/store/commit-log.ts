/**
 * The archive's history: numbered commits, each created under a new name (docs/archive-format.md, "Commits"). Only the
 * commits define the contents of the archive: a file that no commit names does not belong to it.
 */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ARCHIVE_VERSION,
  ArchiveError,
  COMMIT_FORMAT,
  COMMITS,
  type Commit,
  type Segment,
  TABLE_NAMES,
} from "../format.js";
import { isCode, putIfAbsent, readText, replaceFile } from "./durable.js";

/** The archive as of one commit. */
export interface Snapshot {
  /** 0: nothing was ever committed. */
  readonly number: number;
  readonly segments: ReadonlyMap<string, Segment>;
  /** Segments that were replaced, and when: readers of older snapshots may still be in their files. */
  readonly retired: ReadonlyMap<string, number>;
  /** The commit whose checkpoint the replay began with. */
  readonly checkpoint: number;
}

const EMPTY: Snapshot = { number: 0, segments: new Map(), retired: new Map(), checkpoint: 0 };

/** A checkpoint is written after this many commits, and later if it is larger: its cost stays in proportion. */
const CHECKPOINT_COMMITS = 32;
/** Where an old name for "no such file" may linger in a network file system's cache. */
const STALE_TRIES = 40;

interface Checkpoint {
  readonly format: "blackout-archive-checkpoint";
  readonly version: number;
  readonly number: number;
  readonly segments: readonly Segment[];
  readonly retired: Readonly<Record<string, number>>;
}

export function commitPath(root: string, number: number): string {
  return join(root, COMMITS, `${String(number).padStart(20, "0")}.json`);
}

function checkpointPath(root: string, number: number): string {
  return join(root, COMMITS, `${String(number).padStart(20, "0")}.checkpoint.json`);
}

const hintPath = (root: string): string => join(root, COMMITS, "latest-checkpoint.json");

export async function makeCommitFolder(root: string): Promise<void> {
  await mkdir(join(root, COMMITS), { recursive: true });
}

/** A commit's file: null if it does not exist, `emptied` if compaction has emptied it. */
export async function readCommit(root: string, number: number): Promise<Commit | "emptied" | null> {
  const path = commitPath(root, number);
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (isCode(error, "ENOENT")) return null;
    throw error;
  }
  return text === "" ? "emptied" : parseCommit(text, path, number);
}

function parseJson(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {}
  throw new ArchiveError(`${path}: is not JSON; restore it from a backup (commits are never written in part)`);
}

function checkVersion(path: string, version: unknown): void {
  if (version !== ARCHIVE_VERSION) {
    throw new ArchiveError(
      `${path}: found version ${JSON.stringify(version)}, expected ${ARCHIVE_VERSION}: it was written by another version of blackout`,
    );
  }
}

function parseCommit(text: string, path: string, number: number): Commit {
  const commit = parseJson(text, path);
  checkVersion(path, commit.version);
  const { add, remove, swept } = commit;
  const isCommit = commit.format === COMMIT_FORMAT && commit.number === number && Number.isSafeInteger(commit.atMs);
  if (!isCommit || !isSegments(add) || !isTexts(remove) || !isTexts(swept)) {
    throw new ArchiveError(`${path}: is not commit ${number} of an archive; restore it from a backup`);
  }
  return commit as unknown as Commit;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function isSegments(value: unknown): value is readonly Segment[] {
  return (
    Array.isArray(value) &&
    value.every(
      (segment) =>
        isObject(segment) &&
        typeof segment.id === "string" &&
        typeof segment.partition === "string" &&
        Number.isSafeInteger(segment.updates) &&
        Array.isArray(segment.files) &&
        segment.files.every(isSegmentFile),
    )
  );
}

/** Paths of files are followed only inside the archive: it may come from another machine. */
function isSegmentFile(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { table, path, rows, bytes, sha256 } = value;
  return (
    TABLE_NAMES.some((known) => known === table) &&
    typeof path === "string" &&
    !path.startsWith("/") &&
    !path.includes("\\") &&
    !path.split("/").includes("..") &&
    Number.isSafeInteger(rows) &&
    Number.isSafeInteger(bytes) &&
    typeof sha256 === "string"
  );
}

/** The newest snapshot; from `known` on if that is given. */
export async function readSnapshot(root: string, known: Snapshot | null = null): Promise<Snapshot> {
  let base = known ?? (await newestCheckpoint(root));
  for (;;) {
    const segments = new Map(base.segments);
    const retired = new Map(base.retired);
    let { number } = base;
    for (;;) {
      const commit = await readCommit(root, number + 1);
      if (commit === null) {
        return number === base.number ? base : { number, segments, retired, checkpoint: base.checkpoint };
      }
      // History was shortened while it was read: begin with a newer checkpoint.
      if (commit === "emptied") break;
      number += 1;
      apply(commit, segments, retired);
    }
    const newer = await newestCheckpoint(root, true);
    if (newer.number <= base.number) {
      throw new ArchiveError(
        `${commitPath(root, number + 1)}: is empty, and no checkpoint follows it: restore the folder ${COMMITS} from a backup`,
      );
    }
    base = newer;
  }
}

function apply(commit: Commit, segments: Map<string, Segment>, retired: Map<string, number>): void {
  for (const id of commit.remove) {
    if (segments.delete(id)) retired.set(id, commit.atMs);
  }
  for (const segment of commit.add) segments.set(segment.id, segment);
  for (const id of commit.swept) retired.delete(id);
}

/** By the hint, which costs no listing and may be old; `listed`, by what is there. */
async function newestCheckpoint(root: string, listed = false): Promise<Snapshot> {
  const number = (listed ? null : await hintedCheckpoint(root)) ?? (await checkpointNumbers(root)).at(-1) ?? 0;
  if (number === 0) return EMPTY;
  const path = checkpointPath(root, number);
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (!listed && isCode(error, "ENOENT")) return await newestCheckpoint(root, true);
    throw error;
  }
  const found = parseJson(text, path) as unknown as Checkpoint;
  checkVersion(path, found.version);
  const isCheckpoint = found.format === "blackout-archive-checkpoint" && found.number === number;
  const { retired } = found;
  if (
    !isCheckpoint ||
    !isSegments(found.segments) ||
    !isObject(retired) ||
    !Object.values(retired).every(Number.isFinite)
  ) {
    throw new ArchiveError(`${path}: is not checkpoint ${number} of an archive; restore it from a backup`);
  }
  return {
    number,
    segments: new Map(found.segments.map((segment) => [segment.id, segment])),
    retired: new Map(Object.entries(found.retired)),
    checkpoint: number,
  };
}

/** Null if there is no hint: it is written after its checkpoint, and a crash may happen between the two. */
async function hintedCheckpoint(root: string): Promise<number | null> {
  try {
    const { checkpoint } = parseJson(await readText(hintPath(root)), hintPath(root));
    return Number.isSafeInteger(checkpoint) ? (checkpoint as number) : null;
  } catch (error) {
    if (isCode(error, "ENOENT")) return null;
    throw error;
  }
}

/** Ascending. */
async function checkpointNumbers(root: string): Promise<readonly number[]> {
  const names = await readdir(join(root, COMMITS));
  return names
    .flatMap((name) => /^(\d{20})\.checkpoint\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** What a commit does; its number is found when it is put. */
export type CommitPlan = Pick<Commit, "kind" | "add" | "remove" | "swept">;

/** What became of an attempt. `lost`: another commit was first, and `seen` are those that were. */
export type Attempt =
  | { readonly kind: "committed"; readonly snapshot: Snapshot }
  | { readonly kind: "lost"; readonly snapshot: Snapshot; readonly seen: readonly Commit[] }
  /** The commits since then no longer exist one by one: the preparation must be repeated. */
  | { readonly kind: "history-gone"; readonly snapshot: Snapshot };

/** Tries to put the plan as the commit after `base`. What it adds must be in place and synced. */
export async function tryCommit(root: string, base: Snapshot, plan: CommitPlan): Promise<Attempt> {
  const number = base.number + 1;
  const commit: Commit = {
    format: COMMIT_FORMAT,
    version: ARCHIVE_VERSION,
    number,
    kind: plan.kind,
    atMs: Date.now(),
    add: plan.add,
    remove: plan.remove,
    swept: plan.swept,
  };
  if (await putIfAbsent(commitPath(root, number), `${JSON.stringify(commit)}\n`)) {
    const segments = new Map(base.segments);
    const retired = new Map(base.retired);
    apply(commit, segments, retired);
    const snapshot = { number, segments, retired, checkpoint: base.checkpoint };
    return { kind: "committed", snapshot: await checkpointIfDue(root, snapshot) };
  }
  const seen: Commit[] = [];
  for (let at = number; ; at += 1) {
    const found = at === number ? await readWhatIsThere(root, at) : await readCommit(root, at);
    if (found === "emptied") return { kind: "history-gone", snapshot: await readSnapshot(root) };
    if (found === null) break;
    seen.push(found);
  }
  const segments = new Map(base.segments);
  const retired = new Map(base.retired);
  for (const each of seen) apply(each, segments, retired);
  const snapshot = { number: base.number + seen.length, segments, retired, checkpoint: base.checkpoint };
  return { kind: "lost", snapshot, seen };
}

/** Of a commit that is known to be there, although a network file system may not show it at once. */
async function readWhatIsThere(root: string, number: number): Promise<Commit | "emptied"> {
  for (let tries = 0; ; tries += 1) {
    const found = await readCommit(root, number);
    if (found !== null) return found;
    if (tries === STALE_TRIES) {
      throw new ArchiveError(
        `${commitPath(root, number)}: is there, but cannot be read; is the file system all right?`,
      );
    }
    await readdir(join(root, COMMITS));
    await sleep(25 * tries);
  }
}

async function checkpointIfDue(root: string, snapshot: Snapshot): Promise<Snapshot> {
  const due = Math.max(CHECKPOINT_COMMITS, snapshot.segments.size / 8);
  return snapshot.number - snapshot.checkpoint >= due ? await writeCheckpoint(root, snapshot) : snapshot;
}

export async function writeCheckpoint(root: string, snapshot: Snapshot): Promise<Snapshot> {
  const { number, segments, retired } = snapshot;
  const checkpoint: Checkpoint = {
    format: "blackout-archive-checkpoint",
    version: ARCHIVE_VERSION,
    number,
    segments: [...segments.values()],
    retired: Object.fromEntries(retired),
  };
  await replaceFile(checkpointPath(root, number), `${JSON.stringify(checkpoint)}\n`);
  await replaceFile(hintPath(root), `${JSON.stringify({ checkpoint: number })}\n`);
  return { ...snapshot, checkpoint: number };
}

/**
 * Empties the commits that the checkpoint before the newest one makes superfluous. Their names stay: a writer that
 * slept must find that its number is taken.
 */
export async function shortenHistory(root: string): Promise<void> {
  const numbers = await checkpointNumbers(root);
  const upTo = numbers.at(-2);
  if (upTo === undefined) return;
  // From the oldest on, so that the first that is empty, seen from the newest, ends what was done before.
  let from = upTo;
  while (from > 0 && (await stat(commitPath(root, from))).size > 0) from -= 1;
  for (let number = from + 1; number <= upTo; number += 1) await replaceFile(commitPath(root, number), "");
  for (const number of numbers) if (number < upTo) await rm(checkpointPath(root, number), { force: true });
}
