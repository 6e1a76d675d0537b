/** Proves that an archive holds what its commits say, whole, once, and that its documents are those that were added. */
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { type Engine, firstLine, sqlFiles, sqlText } from "../engine.js";
import { CAPTURES, COMMITS, type Segment, TABLE_NAMES } from "../format.js";
import type { Archive } from "../store/archive.js";
import { readCommit, readSnapshot, type Snapshot } from "../store/commit-log.js";
import { idOf } from "../store/document.js";
import { isCode, TEMPORARY } from "../store/durable.js";
import { streamUpdates } from "../store/read.js";
import { filesOf } from "../store/segments.js";
import { problemOfFile } from "../store/soundness.js";

export interface Verification {
  readonly commit: number;
  readonly updates: number;
  readonly segments: number;
  readonly files: number;
  readonly bytes: number;
  /** Updates whose documents were read back and have their ids; those kept without causes cannot be. */
  readonly documents: number;
  /** A sentence each; none: the archive is sound. */
  readonly problems: readonly string[];
  /** Files that no commit names: left by a writer that was killed or is at work; no reader sees them. */
  readonly leftovers: readonly string[];
}

/** At most this many problems are reported. */
const MOST_PROBLEMS = 1_000;

/** `quick`: without reading every document back. */
export async function verifyArchive(archive: Archive, options: { readonly quick: boolean }): Promise<Verification> {
  const { root } = archive;
  const problems: string[] = [];
  const tell = (problem: string): void => {
    if (problems.length < MOST_PROBLEMS) problems.push(problem);
  };
  const snapshot = await readSnapshot(root);
  await checkHistory(root, snapshot, tell);
  const sound: Segment[] = [];
  let files = 0;
  let bytes = 0;
  let updates = 0;
  for (const segment of snapshot.segments.values()) {
    updates += segment.updates;
    let whole = true;
    for (const file of segment.files) {
      files += 1;
      bytes += file.bytes;
      const problem = await problemOfFile(root, file);
      if (problem !== null) tell(`${file.path}: ${problem}`);
      whole &&= problem === null;
    }
    if (whole) sound.push(segment);
  }
  const engine = await archive.engine();
  let documents = 0;
  if (sound.length > 0) {
    await checkRows(engine, root, sound, tell);
    if (!options.quick) documents = await checkDocuments(engine, root, sound, tell);
    await checkCaptures(engine, root, sound, tell);
  }
  const leftovers = await findLeftovers(root, snapshot);
  return {
    commit: snapshot.number,
    updates,
    segments: snapshot.segments.size,
    files,
    bytes,
    documents,
    problems,
    leftovers,
  };
}

type Tell = (problem: string) => void;

/** Without the advice to verify. */
const engineProblem = (error: unknown): string => firstLine((error as Error).cause ?? error);

/** Commits follow each other without a gap, and the newest checkpoint says what they say. */
async function checkHistory(root: string, snapshot: Snapshot, tell: Tell): Promise<void> {
  const numbers = (await readdir(join(root, COMMITS)))
    .flatMap((name) => /^(\d{20})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  // Those put since the snapshot was read are not its business.
  const last = numbers.filter((number) => number <= snapshot.number).length;
  if (last !== snapshot.number)
    tell(`${COMMITS}: found ${last} commits, expected ${snapshot.number} (1 to ${snapshot.number})`);
  const beyond = numbers.find((number, i) => number > snapshot.number && numbers[i - 1] !== number - 1);
  if (beyond !== undefined && (await readCommit(root, snapshot.number + 1)) === null) {
    tell(
      `${COMMITS}: commit ${beyond} follows on ${snapshot.number}: those between are missing, and with them what they added`,
    );
  }
  let full = true;
  const replayed = new Set<string>();
  for (let number = 1; number <= snapshot.number && full; number += 1) {
    const commit = await readCommit(root, number);
    if (commit === "emptied" || commit === null) full = false;
    else {
      for (const id of commit.remove) {
        if (!replayed.delete(id)) tell(`${COMMITS}: commit ${number} removes segment ${id}, which was not there`);
      }
      for (const { id } of commit.add) {
        if (replayed.has(id)) tell(`${COMMITS}: commit ${number} adds segment ${id} once more`);
        replayed.add(id);
      }
    }
  }
  if (!full) return;
  const differs = replayed.size !== snapshot.segments.size || [...replayed].some((id) => !snapshot.segments.has(id));
  if (differs) tell(`${COMMITS}: the checkpoint ${snapshot.checkpoint} does not say what commits 1 to it say`);
}

/** Rows are as many as committed, of the segment that they are in, and of updates that are there, each once. */
async function checkRows(engine: Engine, root: string, segments: readonly Segment[], tell: Tell): Promise<void> {
  const read = (paths: readonly string[]): string => `read_parquet(${sqlFiles(paths)}, hive_partitioning = false)`;
  const heads = read(filesOf(root, segments, "updates"));
  try {
    const doubled = await engine.rows<{ update_id: string; n: number; segments: string }>(
      `SELECT update_id, count(*) AS n, string_agg(segment, ', ' ORDER BY segment) AS segments FROM ${heads} GROUP BY update_id HAVING count(*) > 1 ORDER BY update_id LIMIT 100`,
    );
    for (const { update_id, n, segments: where } of doubled) {
      tell(`update ${update_id} is there ${n} times, in the segments ${where}`);
    }
    for (const table of TABLE_NAMES) {
      const paths = filesOf(root, segments, table);
      if (paths.length === 0) continue;
      const counts = await engine.rows<{ segment: string; filename: string; n: number }>(
        `SELECT segment, filename, count(*) AS n FROM read_parquet(${sqlFiles(paths)}, hive_partitioning = false, filename = true) GROUP BY ALL`,
      );
      const expected = new Map(
        segments.flatMap(({ id, files }) =>
          files
            .filter((file) => file.table === table)
            .map(({ path, rows }) => [join(root, path), { id, rows }] as const),
        ),
      );
      for (const { segment, filename, n } of counts) {
        const file = expected.get(filename);
        if (file?.id !== segment || file.rows !== n) {
          tell(
            `${relative(root, filename)}: holds ${n} rows of segment ${segment}, expected ${file?.rows} of ${file?.id}`,
          );
        }
      }
      if (table === "updates") continue;
      const strays = await engine.rows<{ update_id: string }>(
        `SELECT DISTINCT update_id FROM ${read(paths)} ANTI JOIN ${heads} heads USING (segment, update_id) LIMIT 100`,
      );
      for (const { update_id } of strays) tell(`${table}: has rows of update ${update_id}, which is not there`);
    }
  } catch (error) {
    tell(`the files cannot be read as tables: ${engineProblem(error)}`);
  }
}

async function checkDocuments(engine: Engine, root: string, segments: readonly Segment[], tell: Tell): Promise<number> {
  let documents = 0;
  // What was kept without its causes is not the document that its id is of.
  const whole = `detail = ${sqlText("causes")} OR causes IS NULL`;
  try {
    for await (const updates of streamUpdates(engine, root, segments, whole)) {
      for (const { id, sample } of updates) {
        documents += 1;
        const found = idOf(sample);
        if (found !== id) tell(`update ${id}: its rows make a document with the id ${found}`);
      }
    }
  } catch (error) {
    tell(`the documents cannot be read back: ${engineProblem(error)}`);
  }
  return documents;
}

async function checkCaptures(engine: Engine, root: string, segments: readonly Segment[], tell: Tell): Promise<void> {
  const files = sqlFiles(filesOf(root, segments, "updates"));
  const kept = await engine.rows<{ capture: string; update_id: string }>(
    `SELECT capture, update_id FROM read_parquet(${files}, hive_partitioning = false) WHERE capture IS NOT NULL`,
  );
  for (const { capture, update_id } of kept) {
    if (!capture.startsWith(`${CAPTURES}/${update_id}/`) || capture.split("/").includes("..")) {
      tell(`update ${update_id}: its capture is recorded as ${capture}, which is not below ${CAPTURES}`);
    } else if ((await stat(join(root, capture)).catch(() => null)) === null) {
      tell(`${capture}: is missing; it was kept for update ${update_id}`);
    }
  }
}

/**
 * Files of tables, temporary files and segments that are neither live nor replaced, relative to the archive; sorted.
 */
export async function findLeftovers(root: string, snapshot: Snapshot): Promise<readonly string[]> {
  const found: string[] = [];
  for (const folder of [...TABLE_NAMES, COMMITS, CAPTURES]) {
    for (const path of await namesUnder(join(root, folder), folder !== CAPTURES)) {
      const name = path.slice(path.lastIndexOf(sep) + 1);
      const segment = folder === COMMITS || folder === CAPTURES ? null : /^([0-9a-f]{20})\.parquet$/.exec(name)?.[1];
      const dead =
        segment !== null && segment !== undefined && !snapshot.segments.has(segment) && !snapshot.retired.has(segment);
      if (TEMPORARY.test(name) || dead) found.push(relative(root, path).split(sep).join("/"));
    }
  }
  return found.sort();
}

async function namesUnder(path: string, deep: boolean): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: deep }).catch((error: unknown) => {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  });
  return entries.filter((entry) => !deep || entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
